//! The decision table: what became of a flow, rule by rule, first match wins.
//!
//! It says what the packets show and how sure that is, never that a firewall blocked it. Ids are those of the table this room works by; those that it does
//! not have (`D05`, `D06`, `D32` to `D39`, `D56` to `D59`, `D63` to `D69`, `D84` to `D99`) are portbook's own. A rule whose pattern needs more than one flow's story asks for it through
//! [`Ending`]; every number that one decides by stands in [`threshold`](crate::judge::threshold).

mod accepted;
mod answer;
mod content;
mod datagram;
mod gate;
mod middle;
mod refusal;
mod silence;
mod tunnel;
mod unended;
mod web;

pub(super) use silence::asked_in_vain;

use std::net::IpAddr;

use crate::flow::Ended;
use crate::identify::{Fact, Step};
use crate::judge::ending::Ending;
use crate::judge::remedy::{Part, Remedy};
use crate::judge::threshold::{HEAVY_LOSS, SOME_LOSS};
use crate::judge::{Cause, Confidence, Outcome};

/// What a flow came to.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) outcome: Outcome,
    pub(super) confidence: Confidence,
    pub(super) cause: Option<Cause>,
}

/// One line of the table.
struct Rule {
    id: &'static str,
    outcome: Outcome,
    /// What to do where it holds.
    remedy: Remedy,
    /// The pattern in words, as the guide prints it.
    about: &'static str,
    /// How sure, where the pattern is there.
    holds: Holds,
    says: Says,
    alternatives: &'static [&'static str],
}

type Holds = fn(&Ending<'_>) -> Option<Confidence>;
type Says = fn(&Ending<'_>) -> String;

const fn rule(
    id: &'static str,
    outcome: Outcome,
    remedy: Remedy,
    about: &'static str,
    holds: Holds,
    says: Says,
    alternatives: &'static [&'static str],
) -> Rule {
    Rule { id, outcome, remedy, about, holds, says, alternatives }
}

/// A rule of the decision table as people read it.
#[derive(Clone, Copy, Debug)]
pub struct RuleText {
    /// `D20`.
    pub id: &'static str,
    /// What it makes of a flow.
    pub outcome: Outcome,
    /// What to do about that.
    pub remedy: Remedy,
    /// What was seen.
    pub about: &'static str,
    /// What else it could be.
    pub alternatives: &'static [&'static str],
}

/// The decision table in the order in which it is asked.
pub fn rules() -> impl Iterator<Item = RuleText> {
    TABLE.iter().map(|rule| RuleText { id: rule.id, outcome: rule.outcome, remedy: rule.remedy, about: rule.about, alternatives: rule.alternatives })
}

/// Decides by the first rule that holds; a flow that none holds for was answered and worked. `told`: whether anybody reads why.
pub(super) fn decide(ending: &Ending<'_>, told: bool) -> Fate {
    let found = TABLE.iter().find_map(|rule| (rule.holds)(ending).map(|sure| (rule, sure)));
    let Some((rule, sure)) = found else { return worked(ending) };
    let confidence = if rule.outcome.is_blocked() { sure.min(ceiling(ending)) } else { sure };
    let cause = Cause {
        rule: rule.id,
        remedy: rule.remedy,
        says: if told { (rule.says)(ending) } else { String::new() },
        // A key or community is no matter of a ping.
        alternatives: match rule.id {
            "D70" if ending.flow.icmp.is_some() => UNANSWERED_ECHO,
            "D30" if silence::is_reset_for_another(ending) => silence::ANOTHER_HOST,
            "D41" if accepted::accepts_again(ending) => accepted::UNHEARD,
            _ => rule.alternatives,
        },
        by: rejecter(rule.outcome, ending),
    };
    Fate { outcome: rule.outcome, confidence, cause: Some(cause) }
}

/// What else an echo request without an answer may be.
const UNANSWERED_ECHO: &[&str] = &["the host is switched off", "it is set not to answer echo requests"];

/// Both sides spoke, all of it was captured, and the end was seen: only then nothing can have gone wrong unseen.
fn worked(ending: &Ending<'_>) -> Fate {
    let flow = ending.flow;
    let talked = flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0;
    let goes_on = ending.may_go_on();
    let whole = ending.tcp.is_none_or(|tcp| tcp.missed_bytes == [0, 0] && tcp.resets == 0 && !tcp.midstream && tcp.syn_acks > 0);
    // What was never acknowledged may never have arrived.
    let hangs = flow.ended != Ended::Closed
        && ending.tcp.is_some_and(|tcp| tcp.open_segment.iter().any(|open| open.len > 0) || tcp.repeats.iter().any(|repeats| repeats.unanswered > 0));
    // A documented name that was not to be had may be denied, though nothing shows it.
    let denied = ending.denied.is_some_and(|denied| denied.row.is_some());
    let awaits = ending.identified.facts.contains(&Fact::Awaited);
    let is_unused = [Step::ClientFinished, Step::ClientLeft].into_iter().any(|step| ending.reached(step));
    let sure = talked && whole && !hangs && !goes_on && !denied && !awaits && !is_unused;
    Fate { outcome: Outcome::Ok, confidence: if sure { Confidence::High } else { Confidence::Medium }, cause: None }
}

/// Loss explains missing answers.
fn ceiling(ending: &Ending<'_>) -> Confidence {
    match ending.loss() {
        loss if loss <= SOME_LOSS => Confidence::High,
        loss if loss <= HEAVY_LOSS => Confidence::Medium,
        _ => Confidence::Low,
    }
}

fn rejecter(outcome: Outcome, ending: &Ending<'_>) -> Option<IpAddr> {
    let shown = matches!(outcome, Outcome::RejectedByNetwork | Outcome::RefusedByHost | Outcome::Unreachable);
    shown.then(|| ending.rejection.or_else(|| middle::turned_back(ending)).map(|rejection| rejection.by)).flatten()
}

/// In order. What is no failure at all and refusals that were seen stand first, then what cannot be seen, then other ways that worked, then silence, then
/// what was said inside a connection, then how connections ended.
#[rustfmt::skip]
const TABLE: &[Rule] = &[
    // Nobody's failure.
    rule("D80", Outcome::ScanNoise, Remedy::Nothing, "one source tries many hosts and ports that no document has for them, and hardly any answers",
        gate::scan, gate::says_scan, &["monitoring or inventory software"]),

    // Refusals that were seen: ICMP by code and sender, resets by whose they are.
    rule("D27", Outcome::RejectedByNetwork, Remedy::Allow, "an ICMP error that says \"prohibited\" or names a policy",
        refusal::by_policy, refusal::says_policy, &["a filter on the host itself"]),
    rule("D71", Outcome::RefusedByHost, Remedy::Start, "UDP, and \"port unreachable\" from the host itself",
        refusal::closed_udp, refusal::says_closed, &["a filter on the host that answers like a closed port"]),
    rule("D28", Outcome::RejectedByNetwork, Remedy::Allow, "\"port unreachable\" for TCP, or for UDP from somebody else: a REJECT rule",
        refusal::port_unreachable, refusal::says_reject, &["address translation without a target"]),
    rule("D29", Outcome::Unreachable, Remedy::Route, "no route, no such host, or time exceeded on the way",
        refusal::no_route, refusal::says_no_route, &["a filter that answers like a missing route", "the host is switched off"]),
    rule("D63", Outcome::PmtuBlackhole, Remedy::PathMtu, "the host waited in vain for the fragments of a datagram, or is asked again as only parts of its answers come",
        refusal::fragments, refusal::says_fragments, &["a filter that drops fragments", "packet loss"]),
    rule("D26", Outcome::RejectedByNetwork, Remedy::Allow, "a reset of the SYN that differs from what the host sends: distance, time, identification",
        refusal::foreign_reset, refusal::says_foreign_reset, &["a load balancer", "a route that changed"]),
    rule("D25", Outcome::RefusedByHost, Remedy::Start, "a reset of the SYN like the host's own: a closed port",
        refusal::closed_tcp, refusal::says_closed, &["a filter that answers with the host's address"]),
    rule("D81", Outcome::ScanNoise, Remedy::Nothing, "somebody outside knocks unbidden and is not answered",
        gate::unsolicited, gate::says_unsolicited, &["a service that was meant to be reached from outside"]),

    // No answer is due.
    rule("D78", Outcome::OneWayByDesign, Remedy::Nothing, "a space is announced (CRQT) and nobody connects to it",
        datagram::lonely_space, datagram::says_lonely_space, &["nobody wants it", "connections to it pass elsewhere"]),
    rule("D77", Outcome::OneWayByDesign, Remedy::Nothing, "a question to a group that no device answers",
        datagram::nobody_answers, datagram::says_nobody_answers, &["there is no such device", "client isolation, or a switch that does not pass the group on"]),
    rule("D93", Outcome::ServerSilent, Remedy::AddressServer, "a host asks for an address (DHCP) again and again and takes none, and no server is heard; of IPv6, where a router says that a server gives addresses",
        datagram::unserved, datagram::says_unserved,
        &["no DHCP server, or no relay to one, in this network", "its offers do not pass here", "a search for servers that wants no address"]),
    rule("D91", Outcome::ServerSilent, Remedy::Querier, "a stream to a group stops 260 s after its receiver last said that it receives it (IGMP, MLD), and nobody had asked since",
        datagram::membership_over, datagram::says_membership_over, &["the source stopped by itself", "the receiver was switched off"]),
    rule("D96", Outcome::ServerSilent, Remedy::ByRow, "media of a call come from one end alone, though both were to send, from the beginning or from some moment on",
        datagram::one_sided, datagram::says_one_sided,
        &["an end without a microphone, or one that is muted", "media of the other end that take another way", "an address of the session description that cannot be reached (address translation)"]),
    rule("D05", Outcome::OneWayByDesign, Remedy::Nothing, "announcements, traps, logs and media: no answer is due",
        gate::one_way, gate::says_one_way, &["a receiver that is not there: nothing would show it"]),

    // The gate: what cannot be seen from here is not judged.
    rule("D87", Outcome::ServerSilent, Remedy::ByRow, "media that a session announced do not come, though their receiver knocks",
        datagram::media_missing, datagram::says_media_missing,
        &["a filter that passes the session and not its media", "a source that has nothing to send", "a session that was not started"]),
    rule("D01", Outcome::NotObservable, Remedy::Nothing, "one direction alone passes here: the client went on, or asks where answers demonstrably pass elsewhere; or what is answered was asked of another address",
        gate::unseen, gate::says_unseen, &["asymmetric routing", "a mirror port that copies one direction"]),
    rule("D02", Outcome::CaptureDamaged, Remedy::Nothing, "more than a tenth was lost by the capture about that time, and the client asked less than three times, or was taken and not answered; or the snap length cut off what shows how it went, or what an ICMP error is about",
        gate::damaged, gate::says_damaged, &["an overloaded mirror port", "a snap length"]),
    rule("D06", Outcome::NotObservable, Remedy::Nothing, "the capture ends before an answer could be expected",
        gate::cut_off, gate::says_cut_off, &["the answer came after the capture"]),

    // Another way worked, or nobody is there, or the same worked at another time.
    rule("D24", Outcome::OkDegraded, Remedy::Nothing, "IPv6 is silent or refused, IPv4 of the same name works for the same host",
        silence::v6_to_v4, silence::says_v6_to_v4, &["the IPv6 path was only slower"]),
    rule("D74", Outcome::OkDegraded, Remedy::Nothing, "QUIC is silent or refused, TCP to the same port works for the same host",
        datagram::quic_to_tcp, datagram::says_quic_to_tcp, &["a server without HTTP/3"]),
    rule("D23", Outcome::Unreachable, Remedy::SwitchOn, "no answer, and the link was asked for the host in vain (ARP, IPv6 Neighbor Discovery)",
        silence::absent, silence::says_absent, &["the host has another address by now", "its switch port is in another network (VLAN)"]),
    rule("D32", Outcome::Unreachable, Remedy::AtTimes, "silent this time, and the same client reached it at another",
        silence::at_times, silence::says_at_times, &["packet loss", "a busy server", "a rate limit"]),

    // Silence of TCP.
    rule("D99", Outcome::ReturnPathBroken, Remedy::Mend(Part::AnsweringAddress), "the answers come from another address than was asked, and the client does not take them",
        silence::answered_in_its_place, silence::says_answered_in_its_place,
        &["a server behind a load balancer, to which it should answer as that (direct return)", "somebody who answers in its place"]),
    rule("D30", Outcome::ReturnPathBroken, Remedy::WayBack, "both ends repeat themselves: SYN and SYN-ACK; TFTP's request and its answer from another port; what is asked by DNS, DTLS or SRT, after each answer",
        silence::return_path, silence::says_return_path, &["spoofed requests", "a stateful device that saw one direction only"]),
    rule("D37", Outcome::SilentDrop, Remedy::Allow, "both ends open to each other at once, and neither gets an answer",
        silence::crossed, silence::says_crossed, &["programs that open a hole through a translator this way, and found none"]),
    rule("D55", Outcome::SilentDrop, Remedy::Follow, "a connection that another one announced (FTP data and the like) gets no answer",
        silence::announced, silence::says_announced, &["the announced address is not reachable from there (address translation)", "the server no longer waits there"]),
    rule("D22", Outcome::SilentDrop, Remedy::Allow, "repeated SYNs without an answer, and the host answers on other ports, or says on the link that it is there",
        silence::port, silence::says_port, &["a full accept queue of the service"]),
    rule("D20", Outcome::SilentDrop, Remedy::Allow, "three equal SYNs or more, and nothing comes back",
        silence::sure, silence::says_syns, &["the host is switched off", "no route there or back"]),
    rule("D21", Outcome::SilentDrop, Remedy::Allow, "two equal SYNs, or many single ones, and nothing comes back",
        silence::likely, silence::says_syns, &["the client gave up early", "the host is switched off", "no route there or back"]),

    // Silence of request protocols over UDP.
    rule("D13", Outcome::SilentDrop, Remedy::Allow, "a resolver does not answer",
        datagram::resolver, datagram::says_resolver, &["the resolver is off", "the wrong resolver"]),
    rule("D72", Outcome::SilentDrop, Remedy::Allow, "a DTLS ClientHello is repeated and not answered",
        datagram::dtls, datagram::says_dtls, &["the service is switched off", "a wrong key, which some services meet with silence"]),
    rule("D75", Outcome::SilentDrop, Remedy::Allow, "an SRT handshake is repeated and not answered",
        datagram::srt, datagram::says_srt, &["nobody listens there"]),
    rule("D70", Outcome::SilentDrop, Remedy::Allow, "a request of another protocol is repeated and not answered; or a tunnel is agreed upon (IKE), and nothing comes back through it (ESP)",
        datagram::silent, datagram::says_silent, &["the service is switched off", "a wrong key or community, which many services meet with silence"]),
    rule("D33", Outcome::NotObservable, Remedy::Nothing, "no answer, but not asked the same again either",
        datagram::asked_once, datagram::says_asked_once, &["the client gave up", "the answer was not captured"]),

    // Neither silent nor connected.
    rule("D38", Outcome::Unreachable, Remedy::Mend(Part::OldConnection), "the SYN is answered by a packet that belongs to no handshake",
        silence::stale, silence::says_stale, &["the host remembers an older connection from the same port", "a translator that uses ports again too soon"]),
    rule("D35", Outcome::ConnectedNoData, Remedy::Nothing, "SYN-ACK, and the client neither acknowledges nor asks again, or resets at once",
        silence::half_open, silence::says_half_open, &["a port scan", "a client that lost interest", "a spoofed SYN", "a stateful device that sees one direction only, and passes no more than the SYN"]),
    rule("D73", Outcome::SilentDrop, Remedy::Allow, "DTLS: the cookie came back, and then the handshake stalls",
        datagram::dtls_stalls, datagram::says_dtls_stalls, &["fragments that do not get through", "a key identity that the server does not know"]),
    rule("D76", Outcome::SilentDrop, Remedy::Allow, "SRT: the cookie came back, and then the handshake stalls",
        datagram::srt_stalls, datagram::says_srt_stalls, &["address translation that changed its port", "a listener that stopped"]),

    rule("D67", Outcome::RejectedByNetwork, Remedy::Allow, "the server had answered, then ICMP errors refuse what the client sends, and none of it arrives",
        middle::refused_in_between, middle::says_refused_in_between, &["a firewall that was loaded anew", "a filter on the host itself"]),
    rule("D69", Outcome::ReturnPathBroken, Remedy::WayBack, "QUIC: the server answers, and the client never comes beyond its first packets",
        middle::quic_stalls, middle::says_quic_stalls, &["large datagrams do not get through", "a lossy path", "a client that lost interest"]),
    rule("D84", Outcome::ServerSilent, Remedy::Restore, "datagrams: the server had answered, then the client sends alone",
        middle::alone, middle::says_alone,
        &["the server was switched off or lost its link", "a firewall that was loaded anew forgot the session", "the client moved to another network",
            "a privacy password or a context that an agent of SNMPv3 does not know, which it meets with silence"]),

    rule("D95", Outcome::ReturnPathBroken, Remedy::WayBack, "what the server says is sent again and again, or its beginning never comes, and the client, which is heard after that, acknowledges none of it",
        middle::unheard_by_client, middle::says_unheard_by_client, &["a filter that reads content", "packets of that size do not get through", "a lossy path"]),

    // TLS, by alert and by certificate.
    rule("D45", Outcome::TlsIntercepted, Remedy::Exempt, "certificates of unrelated owners share a private issuer, or one key; or a proxy sends a hello of its own instead of its client's; or all servers answer one client alike, and another not",
        answer::opened, answer::says_opened, &["a company's own authority for hosts outside"]),
    rule("D48", Outcome::TlsFailed, Remedy::Mend(Part::TlsVersion), "alert: no common version, or not enough security",
        answer::tls_version, answer::says_tls, &["an old firmware", "a policy of one end"]),
    rule("D49", Outcome::TlsFailed, Remedy::Mend(Part::TlsName), "alert: the server does not know the name, or the protocol offered (ALPN)",
        answer::tls_name, answer::says_tls, &["the wrong host or port", "a proxy in between"]),
    rule("D47", Outcome::TlsFailed, Remedy::Mend(Part::ClientCertificate), "alert of the server about the client: certificate missing, unknown or refused, or no common parameters",
        answer::tls_by_server, answer::says_tls_server, &["a client certificate is demanded", "no common cipher", "TLS inspection, which cannot show the client's certificate"]),
    rule("D46", Outcome::TlsFailed, Remedy::Mend(Part::ServerCertificate), "alert of the client about the server's certificate, or another alert of it",
        answer::tls_by_client, answer::says_tls, &["a device in between that opens TLS", "a missing root certificate", "a wrong clock"]),
    rule("D50", Outcome::TlsFailed, Remedy::Mend(Part::TlsAlert), "TLS 1.3: an encrypted alert instead of data, and the end",
        answer::tls_hidden, answer::says_tls_hidden, &["a certificate that one end refuses", "a client certificate is demanded", "an application that closed without a word"]),
    rule("D92", Outcome::TlsFailed, Remedy::Mend(Part::Key), "DTLS: the client ends the handshake again and again, and the server does not",
        datagram::dtls_unended, datagram::says_dtls_unended,
        &["a wrong key or key identity, which servers meet with silence", "a lossy path", "what the client ended it with, or what the server answered, does not get through"]),
    rule("D85", Outcome::TlsFailed, Remedy::Mend(Part::TlsPort), "the server answers a TLS hello in another protocol",
        answer::no_tls, answer::says_no_tls, &["the wrong port", "a service whose encryption is switched off", "a device in between that answers in its place"]),

    rule("D88", Outcome::AppRefused, Remedy::Mend(Part::Port), "the server speaks another protocol than the client",
        answer::another_protocol, answer::says_another_protocol, &["the wrong port", "a device in between that answers in the server's place"]),

    // Names.
    rule("D11", Outcome::DnsBlocked, Remedy::Resolve, "the resolver says that it filters, or gives an address that no host has or that many owners' names share",
        answer::dns_filtered, answer::says_dns, &["the owner of the name gave it that address", "split DNS"]),
    rule("D12", Outcome::DnsBlocked, Remedy::Resolve, "the resolver refuses to look the name up",
        answer::dns_refused, answer::says_dns, &["the wrong resolver", "an access list of the resolver"]),
    rule("D10", Outcome::DnsBlocked, Remedy::Resolve, "a documented name does not exist, by a resolver that gives others their addresses",
        answer::dns_unknown, answer::says_dns, &["the name was retired", "a mistyped name", "split DNS"]),
    rule("D14", Outcome::DnsFailed, Remedy::Resolve, "the resolver fails (SERVFAIL)",
        answer::dns_failed, answer::says_dns, &["DNSSEC", "the resolver cannot reach its own servers"]),

    // HTTP, in the server's place or by itself.
    rule("D43", Outcome::BlockedByProxy, Remedy::ProxyLogin, "407 with the proxy's way to log in",
        web::proxy_wants_login, web::says_proxy, &["the server itself plays a proxy"]),
    rule("D44", Outcome::BlockedByProxy, Remedy::Exempt, "511, or a redirection to a portal",
        web::captive, web::says_captive, &["the server itself answers so"]),
    rule("D42", Outcome::BlockedByProxy, Remedy::Exempt, "403 or 451 with the mark of a proxy or filter",
        web::block_page, web::says_block_page, &["a proxy that the operator of the service placed before it"]),

    // The service's own refusals.
    rule("D89", Outcome::AppRefused, Remedy::Mend(Part::Refusal), "IKE: what is encrypted shows that the responder refuses the login, or that no tunnel comes of it, or that the initiator does not take the answer",
        tunnel::not_agreed, tunnel::says_not_agreed,
        &["a pre-shared key, a certificate or a name that differs between the two ends", "networks (traffic selectors) or algorithms of the tunnel (ESP) that the two ends do not share"]),
    rule("D79", Outcome::AppRefused, Remedy::Mend(Part::Refusal), "TeaTime: session id taken, then closed",
        content::unknown_session, content::says_unknown_session, &["another program on that port"]),
    rule("D53", Outcome::AppRefused, Remedy::Mend(Part::Refusal), "the service answers and refuses in its own protocol",
        answer::app_refused, answer::says_app_refused, &["a wrong password, key or name", "a version or a request that the service does not take", "a service that is full or not ready"]),
    rule("D64", Outcome::AppRefused, Remedy::Mend(Part::Parting), "the service served or let the client in, and then took its leave, grants nothing, puts it out for another one of its name, or says that its data connection does not come about",
        answer::parted, answer::says_parted, &["of FTP, a device on the way that does not follow it", "of MQTT, a topic that the broker does not grant, or a client identifier that two devices have (one was copied from the other)", "the service was shut down, or its patience ran out"]),
    rule("D56", Outcome::AppRefused, Remedy::Mend(Part::Refusal), "HTTP: a login refused, a request forbidden, a server that fails",
        web::refused, web::says_refused, &["the service itself refused", "a filter or proxy in between that answers in its place without saying so"]),

    // How connections ended.
    rule("D62", Outcome::IdleDropped, Remedy::KeepAlive, "silent for a minute or more, then data without an answer or a reset from elsewhere",
        content::idle, content::says_idle, &["the server was restarted meanwhile"]),
    rule("D66", Outcome::ResetByMiddlebox, Remedy::Exempt, "the connection had been served, then a reset from another distance than its sender",
        middle::reset_by_another, middle::says_reset_by_another, &["a load balancer in front of the server", "a route that changed"]),
    rule("D61", Outcome::PmtuBlackhole, Remedy::PathMtu, "a router says what size passes, and the same size is sent again",
        content::ignores_mtu, content::says_ignores_mtu, &["the router's word does not reach the sender"]),
    rule("D60", Outcome::PmtuBlackhole, Remedy::PathMtu, "large segments vanish, smaller ones pass",
        content::large_lost, content::says_large_lost, &["a lossy path", "a filter that reads content"]),
    rule("D41", Outcome::SilentDrop, Remedy::Exempt, "the handshake passes, the client's first message never arrives",
        content::first_lost, content::says_first_lost,
        &["a filter that reads content", "packets of that size do not get through", "what the server answers is lost on its way back",
          "a device that accepts connections in the server's place"]),
    rule("D68", Outcome::ReturnPathBroken, Remedy::WayBack, "the server answers in the middle of a session, and the client repeats what was answered; or answers of datagrams are refused on the way",
        middle::answers_lost, middle::says_answers_lost, &["a lossy path", "a stateful device that forgot the session"]),
    rule("D98", Outcome::ReturnPathBroken, Remedy::WayThere, "the server repeats in the middle of a session what the client has acknowledged, or is heard, and takes none of what the client repeats",
        middle::acknowledgments_lost, middle::says_acknowledgments_lost, &["a stateful device that forgot the session", "a lossy path"]),
    rule("D97", Outcome::ReturnPathBroken, Remedy::WayBack, "the server repeats what it sends in the middle of a session, or goes on to send (QUIC, SRT), and the client says nothing any more",
        middle::client_fell_silent, middle::says_client_fell_silent,
        &["the client was switched off, fell asleep or moved to another network", "a firewall that was loaded anew forgot the connection"]),
    rule("D65", Outcome::ServerSilent, Remedy::Restore, "the server had answered or taken a part, then it no longer acknowledges what the client sends",
        content::cut_in_between, content::says_cut_in_between,
        &["the server was switched off or lost its link", "a firewall that was loaded anew forgot the connection", "what the server answers is lost on its way back"]),
    rule("D04", Outcome::Midstream, Remedy::Nothing, "open before the capture began",
        content::midstream, content::says_midstream, &["the capture lost the handshake"]),
    rule("D86", Outcome::TlsFailed, Remedy::Mend(Part::ServerCertificate), "the client closes after the server's hello, without ending the handshake; or right after it ended that, without having asked anything in any connection",
        content::left_handshake, content::says_left_handshake,
        &["a certificate that the client does not trust", "a connection test", "a client that lost interest"]),
    rule("D40", Outcome::ResetByMiddlebox, Remedy::Exempt, "a reset right after the client's first message that is not the server's, or that this name alone meets",
        content::cut_by_another, content::says_cut_by_another, &["a load balancer in front of the server", "a route that changed", "the server's own policy"]),
    rule("D31", Outcome::ConnectedNoData, Remedy::Nothing, "the SYN-ACK comes from elsewhere than all that the server says, and nothing follows",
        content::accepted_in_place, content::says_accepted_in_place, &["a load balancer", "a route that changed"]),
    rule("D57", Outcome::AppRefused, Remedy::Mend(Part::Close), "a reset like the server's own right after the client's first message",
        content::cut_after_first, content::says_cut_after_first,
        &["a device in between cut it after it had read the first bytes", "the service failed"]),
    rule("D58", Outcome::ServerSilent, Remedy::Mend(Part::Hang), "the server's receive window stays closed",
        accepted::stalled, accepted::says_stalled, &["a slow disk or a program that hangs", "a device that accepts in the server's place and does not reach it"]),
    rule("D54", Outcome::ServerSilent, Remedy::Mend(Part::Hang), "the request arrived, and no reply came, or only when the client had left",
        content::no_reply, content::says_no_reply, &["a slow service", "a proxy that accepted in its place", "a request that is held on purpose, until there is news"]),
    rule("D94", Outcome::ServerSilent, Remedy::Restore, "an answer of HTTP stops before its end, and nothing more comes",
        unended::stops, unended::says_stops,
        &["a firewall that was loaded anew, or that cut the transfer", "a service that hangs", "the server was switched off or lost its link"]),
    rule("D90", Outcome::AppRefused, Remedy::Mend(Part::Close), "HTTP: the server ends the connection in the middle of an answer, or behind a later request that it took",
        unended::broken_off, unended::says_broken_off,
        &["the service failed, or was started anew", "a proxy whose own server failed", "a limit of time or size on the way", "an answer that is shorter than it says"]),
    rule("D59", Outcome::AppRefused, Remedy::Mend(Part::Close), "the server took the first message and closed without a word",
        content::closed_without_reply, content::says_closed_without_reply, &["a service for which this was all", "a proxy that accepted in its place", "the service failed"]),
    rule("D34", Outcome::NotObservable, Remedy::Nothing, "the client's first message was neither acknowledged nor repeated",
        content::unacknowledged, content::says_unacknowledged, &["the client gave up", "the answer was not captured"]),
    rule("D36", Outcome::ConnectedNoData, Remedy::Nothing, "connected, and neither side said anything, or the client nothing to what the server said first",
        content::nothing_said, content::says_nothing_said,
        &["a connection test", "a proxy that accepted in the server's place"]),
    rule("D39", Outcome::NotObservable, Remedy::Nothing, "a handshake that was begun, and of which nothing more was captured",
        silence::torn, silence::says_torn, &["the capture lost the rest"]),
];
