//! One file a protocol; this file says what one is and lists them.

mod access;
mod agents;
mod ber;
mod brokers;
mod calls;
mod certificate;
mod coap;
mod crqt;
mod dhcp;
mod dhcpv6;
mod dns;
mod dns_message;
mod dns_name;
mod dns_reader;
mod dotnet;
mod dtls;
mod exchange;
mod ftp;
mod hello;
mod home;
mod hpack;
mod http;
mod http2;
mod http_body;
mod http_head;
mod http_opening;
mod ike;
mod ike_turns;
mod industry;
mod irc;
mod iscsi;
mod java;
mod jsonrpc;
mod kpasswd;
mod ldap;
mod llmnr;
mod mail;
mod mdns;
mod memcached;
mod messaging;
mod mqtt;
mod ndi;
mod netbios;
mod ntp;
mod opcua;
mod opening;
mod others;
mod port_mapping;
mod pptp;
mod profinet;
mod quic;
mod quic_initial;
mod remote;
mod routers;
mod rtmp;
mod rtp;
mod smb;
mod snmp;
mod sql;
mod srt;
mod ssdp;
mod ssh_keys;
mod stage;
mod stores;
mod studio;
mod stun;
mod supervision;
mod syslog;
mod talk;
mod teatime;
#[cfg(test)]
mod testing;
mod tftp;
mod tls;
mod tls_chain;
mod tls_look;
mod tls_turns;
mod unheard;
mod upnp;
mod versioning;
mod websocket;
mod windows;
mod xmpp;

pub use hello::is_alert;
pub use home::at_home;
pub use ike_turns::{IKE_EAP_FAILS, IKE_ENDED, IKE_NO_LOGIN, IKE_NO_TUNNEL};
pub use opening::{Confirm, Known, Look, Over};
pub use tls::{HIDDEN_ALERT, NO_TLS};

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::capture::FrameId;
use crate::flow::Parties;
use crate::identify::{Detail, DetailValue, Evidence, Fact, Match, NameSource, Promise};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;
use crate::time::Timestamp;

/// Knows one protocol: first whether a flow is it, then what its messages state.
pub trait Protocol: Sync {
    /// The name that records print: lower case, as in the contract.
    fn name(&self) -> &'static str;

    /// Transports it runs on.
    fn carriers(&self) -> &'static [Transport];

    /// What its datagrams pass, so that it need not be asked about most.
    fn gate(&self) -> Gate {
        Gate::Any
    }

    /// What its probe rests on, which settles who is asked first and who wins where two probes match with the same evidence.
    fn strength(&self) -> Strength {
        Strength::Structure
    }

    /// Looks at how a flow begins. Called again whenever the opening has grown, until some protocol matches or all say it is not theirs.
    fn probe(&self, opening: &Opening<'_>) -> Probe;

    /// Whether it may be told of a stream whose start was seen by this alone that no more comes. Most protocols then only give up hope.
    fn is_told_late(&self) -> bool {
        false
    }

    /// A reader for a flow that was recognised; it is given the opening first, then what follows. It raises the evidence itself
    /// ([`Said::believe`]) once the other side's opening fits, or an answer its request.
    fn reader(&self) -> Box<dyn Reader>;
}

/// What a datagram must show for a protocol to be asked: nothing more than its rules themselves ask first. Of streams every protocol is asked, as it says soon,
/// and for good, that one is not its own.
#[derive(Clone, Copy, Debug)]
pub enum Gate {
    /// Nothing.
    Any,
    /// One of these ports at an end.
    Ports(&'static [u16]),
    /// One of these bytes at the start of either side's datagram.
    Bytes(&'static [RangeInclusive<u8>]),
    /// One of these bytes at the start of either side's datagram, and this said of that.
    BytesAnd(&'static [RangeInclusive<u8>], Passes),
    /// A zero at each of these places among the first eight of either side's datagram.
    Zeros(&'static [usize]),
    /// This said of either side's datagram. It is asked of nearly every one: a look at a few bytes.
    Passes(Passes),
    /// The same, or one of these ports at an end.
    PassesAway(Passes, &'static [u16]),
}

/// What a gate asks of a datagram.
pub type Passes = fn(&[u8]) -> bool;

/// What a probe rests on, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Four or more fixed bytes, or a checksum.
    Magic,
    /// Length fields and enumerations that agree with each other.
    Structure,
    /// A line of text.
    Text,
}

/// How a flow begins: what each side has sent so far, in order. Of a datagram transport: the first datagram of each side; where that says
/// nothing to anyone, the probe is asked again with the latest one of each side in its place.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// TCP, UDP ...
    pub transport: Transport,
    /// The opener's bytes, as far as its direction is known; see `midstream`.
    pub client: &'a [u8],
    /// The other side's bytes.
    pub server: &'a [u8],
    /// Ends, for protocols whose bytes mean nothing away from their port or group.
    pub ends: (Endpoint, Endpoint),
    /// Take every port for one that an end has: asks what could be a protocol's wherever it runs.
    pub anywhere: bool,
    /// Who spoke first.
    pub first: Side,
    /// The start was not seen: only rules that hold in the middle of a stream may match, and sides may be swapped.
    pub midstream: bool,
    /// No more will come: decide.
    pub complete: bool,
    /// Of a datagram transport: the newest datagram and its sender, for protocols that one datagram cannot tell (RTP: same source,
    /// next sequence number). The first datagram of its side where only that has come; empty for streams.
    pub latest: (Side, &'a [u8]),
    /// Bytes that the snap length cut off the end of the client's and the server's datagram; zero of streams.
    pub cut: [u32; 2],
    /// How the datagrams (of streams whose start was not seen: the pieces as they came into order) began, in order of arrival, the newest included: for
    /// protocols that only several of them give away.
    pub heads: &'a [Head],
}

impl<'a> Opening<'a> {
    /// A plain opening over `transport` between unremarkable ends, the client having spoken first; for tests and for whoever fills in the rest.
    pub fn of(transport: Transport, client: &'a [u8], server: &'a [u8]) -> Self {
        let end = |host, port| Endpoint { ip: std::net::IpAddr::from([192, 0, 2, host]), port };
        let ends = (end(1, 50_000), end(2, 50_001));
        Self {
            transport,
            client,
            server,
            ends,
            anywhere: false,
            first: Side::Client,
            midstream: false,
            complete: false,
            latest: (Side::Client, client),
            cut: [0; 2],
            heads: &[],
        }
    }

    /// What that side sent.
    pub fn side(&self, side: Side) -> &'a [u8] {
        match side {
            Side::Client => self.client,
            Side::Server => self.server,
        }
    }

    /// Length of that side's datagram on the wire.
    pub fn wire_len(&self, side: Side) -> usize {
        self.side(side).len().saturating_add(self.cut[side as usize] as usize)
    }
}

/// How one datagram or piece of a stream began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Who sent it.
    pub from: Side,
    /// Its length on the wire.
    pub len: u32,
    /// Its first bytes, zero after its end.
    pub bytes: [u8; limit::HEAD_BYTES],
}

impl Head {
    /// The head of `bytes`, whose length on the wire was `len`.
    pub fn of(from: Side, bytes: &[u8], len: usize) -> Self {
        let kept = bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut kept = [0; limit::HEAD_BYTES];
            kept[..bytes.len()].copy_from_slice(bytes);
            kept
        });
        Self { from, len: u32::try_from(len).unwrap_or(u32::MAX), bytes: kept }
    }
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It cannot be this protocol, whatever follows.
    NotForUs,
    /// It may be; more bytes or the other side will tell.
    NeedMore,
    /// The same, and it will not be told before the client's stream has the first of these numbers of bytes, or the server's the second.
    NotBefore([u32; 2]),
    /// It is.
    Found {
        /// One opening or both.
        evidence: Evidence,
        /// What matched (`frame` is filled in by the caller).
        hit: Hit,
        /// Who is the client by content; none where content does not say.
        client: Option<Side>,
    },
}

/// The bytes that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Whose.
    pub side: Side,
    /// Where.
    pub offset: u32,
    /// How many.
    pub len: u32,
    /// What about them.
    pub rule: &'static str,
}

impl Hit {
    /// The match that reports cite.
    pub fn at(self, frame: FrameId) -> Match {
        Match { side: self.side, offset: self.offset, len: self.len, rule: self.rule, frame }
    }
}

/// Reads a recognised flow and states facts.
pub trait Reader: Send {
    /// New bytes of one side in order, or one datagram.
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite;

    /// Whether so many bytes that are missing of that side, in front of what comes next, are content that it passes anyway, as far as it counts that: no message is in them.
    fn passes(&self, _from: Side, _missing: u64) -> bool {
        false
    }

    /// Bytes of the wire that it keeps, as far as they may be many: all readers of a shard share a budget.
    fn held(&self) -> usize {
        0
    }

    /// All that is known between messages, as far as that is little: enough to go on with a reader that is [made anew](Waiting::reader). None where there is more to know.
    fn waiting(&self) -> Option<Waiting> {
        None
    }

    /// What was held back and may be said where the flow is over. Asked of live flows, too: it changes nothing.
    fn finish(&self, _said: &mut Said<'_>) {}
}

/// What a reader knows between messages.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Makes it anew of what it knew.
    pub again: fn(u64) -> Box<dyn Reader>,
    /// What it knew.
    pub known: u64,
}

impl Waiting {
    /// The reader, as it was.
    pub fn reader(&self) -> Box<dyn Reader> {
        (self.again)(self.known)
    }
}

/// Bytes handed to a reader.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Who sent them.
    pub from: Side,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Stream offset of the first one, counted from where this protocol begins (after a [hand-over](Appetite::HandOver), from there); of datagrams,
    /// how many went before from this side.
    pub offset: u64,
    /// Bytes before these (stream) or after these (datagram) that were not captured.
    pub missing: u64,
    /// When.
    pub time: Timestamp,
    /// Where.
    pub frame: FrameId,
    /// Client and server.
    pub ends: &'a Parties,
    /// TCP, UDP ...
    pub transport: Transport,
}

impl Piece<'_> {
    /// The end that sent it.
    pub const fn sender(&self) -> Endpoint {
        match self.from {
            Side::Client => self.ends.client,
            Side::Server => self.ends.server,
        }
    }

    /// The end that it was sent to.
    pub const fn receiver(&self) -> Endpoint {
        match self.from {
            Side::Client => self.ends.server,
            Side::Server => self.ends.client,
        }
    }
}

/// Where a reader puts what it learned.
#[derive(Debug)]
pub struct Said<'a> {
    /// Facts in order. Bounded by [`limit::FACTS_KEPT`](crate::limit::FACTS_KEPT) a flow; the caller drops and counts what is beyond.
    pub facts: &'a mut Vec<Fact>,
    /// Raised, never lowered.
    pub evidence: &'a mut Evidence,
    /// Details in order, where anybody will read them: without flow records nobody does. Bounded by [`limit::DETAILS_KEPT`](crate::limit::DETAILS_KEPT) likewise.
    pub details: Option<&'a mut Vec<Detail>>,
}

impl Said<'_> {
    /// States a fact.
    pub fn say(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Raises the evidence.
    pub fn believe(&mut self, evidence: Evidence) {
        *self.evidence = (*self.evidence).max(evidence);
    }

    /// States a name that is [written as it should be](crate::identify::wire::host_name).
    pub fn named(&mut self, of: Side, name: Box<str>, source: NameSource) {
        self.say(Fact::Name { of, name, source });
    }

    /// States a name, lower case and without a trailing dot; nothing where it is empty.
    pub fn name(&mut self, of: Side, name: &str, source: NameSource) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !name.is_empty() {
            self.say(Fact::Name { of, name: name.into(), source });
        }
    }

    /// Announces a flow to come. Nothing is said of port 0, which nobody can open: a promise of it would excuse no flow, or every one.
    pub fn promise(&mut self, at: &Piece<'_>, kind: PromiseKind, transport: Transport, server: Endpoint, client: Option<IpAddr>, lasts: Duration) {
        if server.port != 0 {
            self.promise_any(at, kind, transport, server, client, lasts);
        }
    }

    /// Announces media of a call, from anyone; `both_ways` where whoever announces them will send its own, too.
    pub fn promise_media(&mut self, at: &Piece<'_>, server: Endpoint, both_ways: bool, lasts: Duration) {
        let Piece { time: made, frame, ends, transport: over, .. } = *at;
        let (parent, kind, transport) = (ends.both(), PromiseKind::Media, Transport::UDP);
        self.say(Fact::Promise(Box::new(Promise { kind, transport, server, client: None, made, lasts, frame, parent, over, begins: None, both_ways })));
    }

    /// Announces flows to come to ports of `server` that are announced where nobody can read it.
    pub fn promise_hidden(&mut self, at: &Piece<'_>, kind: PromiseKind, transport: Transport, server: IpAddr, client: Option<IpAddr>, lasts: Duration) {
        self.promise_any(at, kind, transport, Endpoint { ip: server, port: 0 }, client, lasts);
    }

    fn promise_any(&mut self, at: &Piece<'_>, kind: PromiseKind, transport: Transport, server: Endpoint, client: Option<IpAddr>, lasts: Duration) {
        let Piece { time: made, frame, ends, transport: over, .. } = *at;
        let parent = ends.both();
        self.say(Fact::Promise(Box::new(Promise { kind, transport, server, client, made, lasts, frame, parent, over, begins: None, both_ways: false })));
    }

    /// States a field of the record's `details`, where those are wanted. What is dear to work out is best asked for [first](Self::wants_details).
    pub fn detail(&mut self, protocol: &'static str, field: &'static str, value: impl Into<DetailValue>) {
        if let Some(details) = &mut self.details {
            details.push(Detail { key: (protocol, field), value: value.into() });
        }
    }

    /// Whether anybody will read details.
    pub const fn wants_details(&self) -> bool {
        self.details.is_some()
    }
}

/// Whether a reader wants to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// Give me what follows.
    Hungry,
    /// I know enough; free me.
    Full,
    /// From these offsets on, counted as [`Piece::offset`] counts, another protocol speaks: look again (STARTTLS, CONNECT, upgrade).
    HandOver {
        /// Offset in the client's stream.
        client: u64,
        /// Offset in the server's stream.
        server: u64,
    },
}

/// The protocols, sorted by name. HTTP/2 shares its name with HTTP/1.
pub static PROTOCOLS: &[&dyn Protocol] = &[
    &brokers::AMQP,
    &stage::ARTNET,
    &industry::BACNET,
    &agents::BACULA,
    &supervision::BEANSTALKD,
    &routers::BFD,
    &others::BGP,
    &others::BITTORRENT,
    &coap::Coap,
    &supervision::COLLECTD,
    &crqt::CRQT,
    &versioning::CVS,
    &windows::DCERPC,
    &dhcp::DHCP,
    &dhcpv6::DHCPV6,
    &industry::DNP3,
    &dns::DNS,
    &dotnet::DOTNET_REMOTING,
    &dtls::Dtls,
    &ike::ESP,
    &industry::ETHERNETIP,
    &ftp::FTP,
    &supervision::GEARMAN,
    &versioning::GIT,
    &agents::GRAPHITE,
    &java::HAZELCAST,
    &routers::HSRP,
    &http::Http,
    &http2::HTTP2,
    &industry::IEC104,
    &java::IGNITE,
    &ike::IKE,
    &mail::IMAP,
    &irc::IRC,
    &iscsi::ISCSI,
    &java::JAVA_RMI,
    &jsonrpc::JSONRPC,
    &stores::KAFKA,
    &windows::KERBEROS,
    &stage::KNXNET_IP,
    &kpasswd::KPASSWD,
    &pptp::L2TP,
    &ldap::LDAP,
    &llmnr::LLMNR,
    &mdns::MDNS,
    &stores::MEMCACHED,
    &industry::MODBUS,
    &stores::MONGODB,
    &rtp::MPEGTS,
    &mqtt::MQTT,
    &supervision::MUNIN,
    &sql::MYSQL,
    &port_mapping::NAT_PMP,
    &brokers::NATS,
    &ndi::NDI,
    &dotnet::NET_TCP,
    &netbios::NETBIOS_DGM,
    &netbios::NETBIOS_NS,
    &netbios::NETBIOS_SSN,
    &supervision::NETFLOW,
    &windows::NFS,
    &agents::NRPE,
    &ntp::NTP,
    &opcua::OPCUA,
    &access::OPENVPN,
    &sql::ORACLE_TNS,
    &stage::OSC,
    &port_mapping::PCP,
    &mail::POP3,
    &sql::POSTGRESQL,
    &pptp::PPTP,
    &studio::PTP,
    &quic::Quic,
    &access::RADIUS,
    &windows::RDP,
    &stores::REDIS,
    &remote::RFB,
    &routers::RIP,
    &routers::RIPNG,
    &windows::RPC,
    &versioning::RSYNC,
    &rtp::RTCP,
    &rtmp::RTMP,
    &rtp::RTP,
    &calls::RTSP,
    &industry::S7COMM,
    &stage::SACN,
    &studio::SAP,
    &routers::SFLOW,
    &others::SHARED_VARIABLES,
    &calls::SIP,
    &smb::SMB,
    &mail::SMTP,
    &snmp::SNMP,
    &access::SOCKS,
    &srt::SRT,
    &ssdp::SSDP,
    &remote::SSH,
    &sql::SSRP,
    &agents::STATSD,
    &messaging::STOMP,
    &stun::Stun,
    &versioning::SVN,
    &syslog::SYSLOG,
    &access::TACACS,
    &sql::TDS,
    &teatime::TeaTime,
    &remote::TELNET,
    &tftp::TFTP,
    &tls::Tls,
    &access::WIREGUARD,
    &others::WSD,
    &remote::X11,
    &xmpp::XMPP,
    &supervision::ZABBIX,
    &messaging::ZMTP,
    &supervision::ZOOKEEPER,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_few_enough_for_a_flow_to_remember_who_said_no() {
        assert!(PROTOCOLS.len() <= 128);
    }
}
