//! What to do, in words: about a failure what the rule names by which it was found, about what should not be what would set it right.

use std::collections::BTreeSet;

use crate::judge::advice::Advice;
use crate::judge::ends::End;
use crate::judge::finding::Trouble;
use crate::judge::{Outcome, Reason};
use crate::net::{Transport, is_group};
use crate::signature::{PromiseKind, RuleEffect, Service};

/// What helps where a flow failed: each rule of the decision table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: it did not fail, or nothing shows that it did.
    Nothing,
    /// A rule of a firewall.
    Allow,
    /// Devices on the way that follow the connection which announces it.
    Follow,
    /// An exemption from filters that read content: connections pass.
    Exempt,
    /// A login at the proxy.
    ProxyLogin,
    /// A resolver that gives the name its addresses.
    Resolve,
    /// Errors of ICMP that say what size passes, or smaller segments.
    PathMtu,
    /// Keep-alives, or a longer timeout.
    KeepAlive,
    /// A way for the answers.
    WayBack,
    /// A way for what is sent in a session whose answers still come.
    WayThere,
    /// The host, which is not there.
    SwitchOn,
    /// The host or a route to it.
    Route,
    /// The service on a host that is there, or the port that is asked for.
    Start,
    /// What differs from the times at which it works.
    AtTimes,
    /// A server, or a way to it, that was there until then.
    Restore,
    /// A querier of groups (IGMP, MLD).
    Querier,
    /// A server of addresses (DHCP), or a relay to one.
    AddressServer,
    /// What the row itself says.
    ByRow,
    /// Something at the ends: the way between them is open.
    Mend(Part),
}

/// What is to be mended at the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The server's certificate, or the client's trust in it.
    ServerCertificate,
    /// The client's certificate or key.
    ClientCertificate,
    /// Versions of TLS and ciphers.
    TlsVersion,
    /// The name or the protocol (ALPN) that the client asks for.
    TlsName,
    /// What an encrypted alert says: only the ends know.
    TlsAlert,
    /// Encryption that the server does not have at this port.
    TlsPort,
    /// A key that both must hold.
    Key,
    /// The port that is asked, or what listens there.
    Port,
    /// Login, rights, names, versions ...: the service says no.
    Refusal,
    /// The same, but of FTP a data connection, which needs what the row says.
    Parting,
    /// A service that ends connections without a word, unless a device in between does.
    Close,
    /// The address that answers come from.
    AnsweringAddress,
    /// A service that hangs.
    Hang,
    /// An older connection that somebody still remembers.
    OldConnection,
}

impl Part {
    /// Whether a device that opens TLS may be behind it.
    const fn may_be_opened(self) -> bool {
        matches!(self, Self::ServerCertificate | Self::ClientCertificate | Self::TlsVersion | Self::TlsName | Self::TlsAlert | Self::Close)
    }
}

impl Advice<'_> {
    /// What to do about it.
    pub(super) fn remedy(&self) -> Option<String> {
        match self.trouble {
            // However a resolver fails, the name has no address.
            Trouble::Failed(Outcome::DnsBlocked | Outcome::DnsFailed) => self.help(Remedy::Resolve),
            Trouble::Failed(_) => self.help(self.gathered.cause.as_ref()?.remedy),
            Trouble::Intermittent if self.gathered.stopped.is_some() => Some("Look for what was changed then: a rule, a route, the server.".to_owned()),
            Trouble::Intermittent if self.gathered.outcome == Outcome::AppRefused => {
                let server = &self.ends.server;
                let (serves, is) = (server.it_does("serve"), server.one_or_many("it is", "they are"));
                Some(format!("See what differs between what {} and what {serves}: login, encryption, how busy {is}.", server.does("refuse")))
            }
            Trouble::Intermittent => Some("Look for loss, rate limits and timeouts between the two at the times shown.".to_owned()),
            Trouble::Broke(reason) => self.correction(reason),
        }
    }

    fn help(&self, remedy: Remedy) -> Option<String> {
        let (client, server) = (&self.ends.client, &self.ends.server);
        let own = || self.service?.remedy.clone();
        Some(match remedy {
            Remedy::Nothing => return None,
            // It works the other way.
            Remedy::Allow | Remedy::Route | Remedy::Start | Remedy::AtTimes if self.tied.fell_back.is_some() => return None,
            Remedy::Allow => self.opening(),
            Remedy::Follow => self.following(),
            Remedy::Exempt => self.exemption(),
            Remedy::ProxyLogin => format!("Give {client} a login at the proxy {server}, or let it pass without one."),
            Remedy::Resolve => format!("Have the resolver {server} give {} its addresses.", self.own_hosts()),
            Remedy::PathMtu => format!(
                "Let \"fragmentation needed\" (ICMP type 3 code 4; ICMPv6 type 2) pass between {client} and {server}, or clamp the TCP segment size on the way."
            ),
            Remedy::KeepAlive => {
                format!("Let {client} send keep-alives more often than the shortest idle timeout on the way to {server}, or raise that timeout.")
            }
            Remedy::WayBack => format!("Let the answers of {server} back to {client}: by the same way as the requests, past the same stateful devices."),
            Remedy::WayThere => format!(
                "Let what {} reach {server}: see what was changed or forgotten on the way (rules, state tables, routes); the answers still come.",
                client.does("send")
            ),
            Remedy::SwitchOn => server.switch_on(),
            Remedy::Route => format!(
                "See that {} switched on and {}, and that the routers between {client} and {} have a route; only if so, a filter answers like one that has none.",
                server.is(),
                server.one_or_many("has this address", "have these addresses"),
                server.one_or_many("it", "them")
            ),
            Remedy::AtTimes => {
                format!("See what was different when it worked: whether {}, rules that were changed, loss, rate limits, timeouts.", server.does("run"))
            }
            Remedy::Start => format!("Start the service on {server}, or check the configured port{}.", self.set_where()),
            Remedy::Restore => {
                format!(
                    "See whether {server} still {}, and what was changed or forgotten on the way to {} at that time (rules, state tables, routes).",
                    server.verb("run"),
                    server.one_or_many("it", "them")
                )
            }
            Remedy::Querier => {
                format!("Let a router, or one of the switches, ask on this network who receives groups (IGMP or MLD querier), so that none forgets {server}.")
            }
            Remedy::AddressServer => {
                own().unwrap_or_else(|| "See that a server of addresses (DHCP), or a relay to one, is on this network, and that its answers pass.".to_owned())
            }
            Remedy::ByRow => return own(),
            Remedy::Mend(Part::Parting) if self.gathered.protocol.contains(&"ftp") => return own(),
            Remedy::Mend(part) => self.mend(part),
        })
    }

    /// What no rule of a firewall mends.
    fn mend(&self, part: Part) -> String {
        let (client, server) = (&self.ends.client, &self.ends.server);
        let words = match part {
            Part::ServerCertificate => format!(
                "See which certificate {} to {client} (its authority, its names, its dates), and let {client} trust it; a device in between that opens TLS shows one of its own.",
                server.does("show")
            ),
            Part::ClientCertificate => format!("Give {client} the certificate or key that {}.", server.does("take")),
            Part::TlsVersion => format!("Let {client} and {server} have a version of TLS and a cipher in common."),
            Part::TlsName => format!("See by which name, and for which protocol (ALPN), {} {server}.", client.does("ask")),
            Part::TlsAlert => {
                "See in the logs of both ends which alert ended it; as a rule one of them does not take the other's certificate or key.".to_owned()
            }
            Part::TlsPort => format!(
                "See on which port {} TLS, or switch {} encryption on: {} there, and no filter needs to be opened.",
                server.does("speak"),
                server.one_or_many("its", "their"),
                server.it_does("answer")
            ),
            Part::Key => format!("See that {client} and {server} hold the same key, and that datagrams of every size get through between them."),
            Part::Port => format!(
                "See which service {server} {} at this port, and which port the client should ask: {} there, and no filter needs to be opened.",
                server.one_or_many("has", "have"),
                server.it_does("answer")
            ),
            Part::Refusal | Part::Parting => {
                format!(
                    "See at {server} why {} {client}: login, rights, names, versions, how much {} at once. No filter needs to be opened.",
                    server.it_does("refuse"),
                    server.it_does("serve")
                )
            }
            Part::Close => {
                format!("See in the log of {server} whether {} ended this itself; if not, a device in between did.", server.one_or_many("it", "they"))
            }
            Part::AnsweringAddress => format!(
                "See which device on the way translates {server} to an address that {client} can reach past it: it must translate {client}, too, or {client} ask the other address. A host with several addresses must answer from the one that is asked. No filter needs to be opened."
            ),
            Part::OldConnection => format!(
                "See why {server}, or a device on the way that translates addresses, still remembers an older connection from that port: {client} or the device may have been started anew, or gives ports out again too soon."
            ),
            Part::Hang => format!(
                "See what {server} {} with what {} sent: a program that hangs, a disk that is full, too many at once. No filter needs to be opened.",
                server.one_or_many("does", "do"),
                server.one_or_many("it is", "they are")
            ),
        };
        // What a device that opens TLS may have done is the row's to say, where it cannot bear such.
        let row = self.service.filter(|_| part.may_be_opened() && self.unbearable().is_some());
        [Some(words), row.and_then(|row| row.remedy.clone())].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Ports that another connection announces: a device that reads along opens them by itself, if it knows the protocol and can read it.
    fn following(&self) -> String {
        let how = match self.gathered.announced {
            Some((_, true)) => "The control connection is encrypted, so no device on the way can follow it: open the whole range of the data ports.",
            Some((PromiseKind::FtpPassive | PromiseKind::FtpActive, _)) => {
                "Have the devices on the way follow FTP (an FTP-aware firewall), or open the whole range."
            }
            Some((PromiseKind::Media, _)) => {
                "Have the devices on the way follow the session (a firewall that knows RTSP or SIP), or open the whole range of its media."
            }
            Some((PromiseKind::Tftp, _)) => "Have the devices on the way follow TFTP (a TFTP-aware firewall), or let all UDP pass between the two.",
            Some((PromiseKind::SqlBrowser, _)) => "Hardly any firewall follows the SQL Server Browser: give the instance a port of its own, and open that.",
            Some((PromiseKind::Rmi, _)) => "Hardly any firewall follows a Java RMI registry: give the remote objects ports of their own, and open those.",
            Some((PromiseKind::Crqt, _)) => "Hardly any firewall follows this announcement: open the whole range.",
            // These name a service that stays where it is.
            Some((PromiseKind::SsdpLocation | PromiseKind::UpnpMapping | PromiseKind::DnsSrv, _)) | None => return self.opening(),
        };
        format!("{how} {}", self.opening())
    }

    /// The firewall rule to ask for.
    fn opening(&self) -> String {
        let mut words = vec![format!("Ask for: allow {} from {} to {}, opened by the client.", self.rule_place(), self.ends.client, self.target())];
        if self.rules(RuleEffect::NamesNotAddresses).next().is_some() {
            words.push("Allow it by name: its addresses change.".to_owned());
        }
        let rows: Vec<&Service> = self.service.into_iter().chain(self.rows_meant()).collect();
        let remedies: BTreeSet<&String> = rows.iter().filter_map(|row| row.remedy.as_ref()).collect();
        words.extend(remedies.into_iter().cloned());
        let firewall = rows.iter().find_map(|row| row.firewall.as_ref());
        words.extend(firewall.map(|firewall| format!("The document on firewalls: \"{firewall}\".")));
        // Where the row itself is silent on firewalls, a sentence about all that goes out may not be.
        let outbound = self.rules(RuleEffect::OutboundOpen).next().filter(|_| firewall.is_none());
        words.extend(outbound.map(|rule| format!("{} The document: \"{}\"", rule.says, rule.citation.quote)));
        words.join(" ")
    }

    /// Where the port is set, if the document says so.
    fn set_where(&self) -> String {
        let place = self.service.and_then(|service| service.configurable.as_ref());
        place.map_or_else(String::new, |place| format!(" ({place})"))
    }

    /// `TCP 8883`, `TCP 5321-5336`; the ports that were seen, where the row was moved to others.
    fn rule_place(&self) -> String {
        let without_ports = |service: &Service, transport: Transport| !transport.has_ports() && service.transports.contains(&transport);
        let documented = |service: &&Service| {
            let mut ports = self.gathered.ports.iter();
            ports.all(|(transport, port)| service.port_basis(*transport, *port).is_some() || without_ports(service, *transport))
        };
        // Rows that may each be meant stand at the same ports.
        let Some(service) = self.service.or_else(|| self.rows_meant().next()).filter(documented) else { return self.place() };
        let transports: Vec<String> = service.transports.iter().map(|transport| transport.to_string().to_uppercase()).collect();
        let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
        format!("{} {}", transports.join("/"), ports.join(", ")).trim().to_owned()
    }

    /// Names where the document says that addresses change, else the server.
    fn target(&self) -> String {
        let by_name = self.rules(RuleEffect::NamesNotAddresses).next().is_some();
        match self.service {
            Some(service) if by_name && !service.hosts.is_empty() => self.hosts(),
            Some(_) if by_name && !self.gathered.server_names.is_empty() => self.names(),
            _ => self.ends.server.to_string(),
        }
    }

    /// Connections pass; what they carry does not.
    fn exemption(&self) -> String {
        let (client, place, target) = (&self.ends.client, self.rule_place(), self.target());
        format!("Connections pass, their content does not. Ask for: exempt {place} from {client} to {target} from filters that read content.")
    }

    /// The row's own host patterns, without those that half the Internet shares.
    fn own_hosts(&self) -> String {
        let own = self.service.iter().flat_map(|service| &service.hosts).filter(|host| !host.broad);
        own.map(|host| host.pattern.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The row's host patterns.
    fn hosts(&self) -> String {
        let patterns: Vec<&str> = self.service.iter().flat_map(|service| &service.hosts).map(|host| host.pattern.as_str()).collect();
        patterns.join(", ")
    }

    fn correction(&self, reason: Reason) -> Option<String> {
        let (client, server) = (&self.ends.client, &self.ends.server);
        Some(match reason {
            Reason::WrongDirection => format!("Close {} from {client} to {server}; only the other direction is documented.", self.place()),
            Reason::NotEncrypted => format!("Switch encryption on at both ends of {}.", self.place()),
            Reason::UndocumentedService if self.gathered.is_background() => self.leave_open(),
            Reason::UndocumentedService => format!(
                "{} If it is wanted, give it a row in a signature file of your own (--signatures; -v prints a draft); if not, close {} from {client} to {server}.",
                self.elsewhere().map_or_else(|| "Find out what it is for.".to_owned(), |other| other.remedy(self.ends)),
                self.place()
            ),
            Reason::WrongRole => match self.elsewhere() {
                Some(other) => format!("{} Do so before closing {}.", other.remedy(self.ends), self.place()),
                None => format!("Give both ends their roles (--role), if they play one; else find out what it is for before closing {}.", self.place()),
            },
            Reason::UnsupportedByProduct if self.gathered.answered => {
                format!("Find out what answers there and who uses it from {client}; close {} to {server} if nobody does.", self.place())
            }
            Reason::UnsupportedByProduct => {
                format!("Find out what {} for there; {server} {} nothing to answer with.", client.does("look"), server.one_or_many("has", "have"))
            }
            Reason::WrongProtocol => format!("Check what listens on {} of {server}.", self.place()),
            Reason::InboundFromOutside if self.is_from_outside() => format!("Close {} from outside to {server} unless remote access is wanted.", self.place()),
            Reason::InboundFromOutside => {
                format!("Close {} between the segments, from {client} to {server}, unless somebody there is meant to use it.", self.place())
            }
            Reason::OptionalServiceActive => "Switch it off where nobody uses it.".to_owned(),
            Reason::DeniedBySite if self.forbidding().is_some() => format!("Close {} from {client} to {server}.", self.place()),
            Reason::DeniedBySite => format!("Give {client} its static address again, or correct the site file."),
            Reason::VersionTooOld => "Correct the version in the site file, or find out which product it is.".to_owned(),
            Reason::UnknownName => {
                format!("Find out who told {client} this name; if it is right, give it a row in a signature file of your own (--signatures).")
            }
            Reason::LeftTheLan => "Keep discovery within its network segment.".to_owned(),
            _ => return None,
        })
    }

    /// Names, time and addresses: closing them breaks what the document asks for.
    fn leave_open(&self) -> String {
        let servers = self.ends.server.is();
        match self.presupposes() {
            Some(_) => format!("Leave it open: the document goes by names, which must be looked up. Check only that {servers} meant to be asked for them."),
            None if self.gathered.servers.iter().all(|server| is_group(*server)) => "Leave it open: the document takes it for granted.".to_owned(),
            None => format!("Leave it open: the document takes it for granted. Check only that {servers} meant to serve it."),
        }
    }
}

impl End {
    /// About hosts that the link was asked for in vain.
    pub(super) fn switch_on(&self) -> String {
        let has = self.one_or_many("has this address, and is", "have these addresses, and are");
        format!("See that {} switched on, {has} on this network; no filter needs to be opened.", self.is())
    }
}
