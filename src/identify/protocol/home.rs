//! Which protocol is at home at a port. It is asked first.

use super::{
    Protocol, calls, dhcp, dhcpv6, dns, ftp, http, ike, industry, ldap, llmnr, mail, mdns, netbios, ntp, quic, remote, smb, snmp, sql, ssdp, stores, stun, tls,
};

/// By port, ascending, what nearly all that is met there over TCP is. It is asked first.
pub static AT_HOME_OVER_TCP: &[(u16, &dyn Protocol)] = &[
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
    (502, &industry::MODBUS),
    (554, &calls::RTSP),
    (587, &mail::SMTP),
    (853, &tls::Tls),
    (993, &tls::Tls),
    (995, &tls::Tls),
    (1433, &sql::TDS),
    (3128, &http::Http),
    (5060, &calls::SIP),
    (5223, &tls::Tls),
    (6379, &stores::REDIS),
    (8000, &http::Http),
    (8080, &http::Http),
    (8443, &tls::Tls),
    (8883, &tls::Tls),
];

/// The same over UDP.
pub static AT_HOME_OVER_UDP: &[(u16, &dyn Protocol)] = &[
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
    use crate::net::Transport;

    #[test]
    fn who_is_at_home_at_a_port_runs_there_and_ports_ascend() {
        for (homes, transport) in [(AT_HOME_OVER_TCP, Transport::TCP), (AT_HOME_OVER_UDP, Transport::UDP)] {
            assert!(homes.is_sorted_by(|(one, _), (other, _)| one < other), "{transport:?}");
            homes.iter().for_each(|(port, protocol)| assert!(protocol.carriers().contains(&transport), "{port} {}", protocol.name()));
        }
    }
}
