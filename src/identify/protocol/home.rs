//! Which protocol is at home at a port: it is asked first, and there less is enough for it.

use crate::net::Transport;

use super::{
    Protocol, calls, dhcp, dhcpv6, dns, ftp, http, ike, industry, ldap, llmnr, mail, mdns, netbios, ntp, quic, remote, smb, snmp, sql, ssdp, stores, stun, tls,
};

/// What nearly all is that is met at a port.
pub fn at_home(transport: Transport, port: u16) -> Option<&'static dyn Protocol> {
    let homes = match transport {
        Transport::TCP => OVER_TCP,
        Transport::UDP => OVER_UDP,
        _ => return None,
    };
    homes.binary_search_by_key(&port, |(port, _)| *port).ok().map(|place| homes[place].1)
}

/// By port, ascending.
static OVER_TCP: &[(u16, &dyn Protocol)] = &[
    (21, &ftp::FTP),
    (22, &remote::SSH),
    (25, &mail::SMTP),
    (53, &dns::DNS),
    (80, &http::Http),
    (102, &industry::S7COMM),
    (110, &mail::POP3),
    (143, &mail::IMAP),
    (389, &ldap::LDAP),
    (443, &tls::Tls),
    (445, &smb::SMB),
    (465, &tls::Tls),
    (502, &industry::MODBUS),
    (554, &calls::RTSP),
    (563, &tls::Tls),
    (587, &mail::SMTP),
    (636, &tls::Tls),
    (853, &tls::Tls),
    (990, &tls::Tls),
    (992, &tls::Tls),
    (993, &tls::Tls),
    (995, &tls::Tls),
    (1433, &sql::TDS),
    (3128, &http::Http),
    (5060, &calls::SIP),
    (5061, &tls::Tls),
    (5223, &tls::Tls),
    (5671, &tls::Tls),
    (6379, &stores::REDIS),
    (6697, &tls::Tls),
    (8000, &http::Http),
    (8080, &http::Http),
    (8443, &tls::Tls),
    (8883, &tls::Tls),
];

/// The same over UDP.
static OVER_UDP: &[(u16, &dyn Protocol)] = &[
    (53, &dns::DNS),
    (67, &dhcp::DHCP),
    (123, &ntp::NTP),
    (137, &netbios::NETBIOS_NS),
    (138, &netbios::NETBIOS_DGM),
    (161, &snmp::SNMP),
    (162, &snmp::SNMP),
    (443, &quic::Quic),
    (500, &ike::IKE),
    (547, &dhcpv6::DHCPV6),
    (1900, &ssdp::SSDP),
    (3478, &stun::Stun),
    (5060, &calls::SIP),
    (5353, &mdns::MDNS),
    (5355, &llmnr::LLMNR),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_home_at_a_port_runs_there_and_ports_ascend() {
        for (homes, transport) in [(OVER_TCP, Transport::TCP), (OVER_UDP, Transport::UDP)] {
            assert!(homes.is_sorted_by(|(one, _), (other, _)| one < other), "{transport:?}");
            homes.iter().for_each(|(port, protocol)| assert!(protocol.carriers().contains(&transport), "{port} {}", protocol.name()));
        }
    }
}
