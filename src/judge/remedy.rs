//! What to do about a failure, in words.

use crate::judge::Outcome;
use crate::judge::advice::Advice;
use crate::signature::PromiseKind;

impl Advice<'_> {
    /// Ports that another connection announces: a device that reads along opens them by itself, if it knows the protocol and can read it.
    pub(super) fn following(&self) -> String {
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

    /// What the service itself does, or what has changed since it was reached: no rule of a firewall mends it, unless the row says otherwise.
    pub(super) fn behind_an_open_way(&self, outcome: Outcome) -> Option<String> {
        let (client, server) = (&self.ends.client, &self.ends.server);
        let own = || self.service?.remedy.clone();
        let speaks = |name: &str| self.gathered.protocol.contains(&name);
        Some(match (outcome, self.gathered.cause.as_ref()?.rule) {
            (Outcome::TlsFailed, rule @ ("D46" | "D47" | "D48" | "D49" | "D50" | "D86")) => self.in_the_handshake(rule),
            (Outcome::TlsFailed, "D85") => {
                format!("See on which port {server} speaks TLS, or switch its encryption on: it answers there, and no filter needs to be opened.")
            }
            (Outcome::TlsFailed, "D92") => {
                format!("See that {client} and {server} hold the same key, and that datagrams of every size get through between them.")
            }
            (Outcome::AppRefused, "D88") => {
                format!(
                    "See which service {server} has at this port, and which port the client should ask: it answers there, and no filter needs to be opened."
                )
            }
            // FTP says by it that a data connection did not come about.
            (Outcome::AppRefused, "D64") if speaks("ftp") => return own(),
            (Outcome::AppRefused, "D53" | "D56" | "D64" | "D79" | "D89") => {
                format!("See at {server} why it refuses {client}: login, rights, names, versions, how much it serves at once. No filter needs to be opened.")
            }
            (Outcome::AppRefused, _) => self.sparing(format!("See in the log of {server} whether it ended this itself; if not, a device in between did.")),
            (Outcome::ServerSilent, "D54" | "D58") => {
                format!(
                    "See what {server} does with what it is sent: a program that hangs, a disk that is full, too many at once. No filter needs to be opened."
                )
            }
            (Outcome::ServerSilent, "D65" | "D84" | "D94") => {
                format!("See whether {server} still runs, and what was changed or forgotten on the way to it at that time (rules, state tables, routes).")
            }
            (Outcome::ServerSilent, "D93") => {
                return own()
                    .or_else(|| Some("See that a server of addresses (DHCP), or a relay to one, is on this network, and that its answers pass.".to_owned()));
            }
            _ => return own(),
        })
    }

    /// What the ends of TLS do not agree on.
    fn in_the_handshake(&self, rule: &str) -> String {
        let (client, server) = (&self.ends.client, &self.ends.server);
        let agree = match rule {
            "D46" | "D86" => format!(
                "See which certificate {server} shows to {client} (its authority, its names, its dates), and let {client} trust it; a device in between that opens TLS shows one of its own."
            ),
            "D47" => format!("Give {client} the certificate or key that {server} takes."),
            "D48" => format!("Let {client} and {server} have a version of TLS and a cipher in common."),
            "D49" => format!("See by which name, and for which protocol (ALPN), {client} asks {server}."),
            _ => "See in the logs of both ends which alert ended it; as a rule one of them does not take the other's certificate or key.".to_owned(),
        };
        self.sparing(agree)
    }

    /// Where the row cannot bear a device that opens TLS, that it is to be spared from such, too.
    fn sparing(&self, words: String) -> String {
        match self.service.and_then(|row| row.remedy.as_ref()).filter(|_| self.unbearable().is_some()) {
            Some(own) => format!("{words} {own}"),
            None => words,
        }
    }
}
