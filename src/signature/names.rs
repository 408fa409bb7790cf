//! Protocol names that signatures may use.

/// Whether the name is one of [`PROTOCOL_NAMES`].
pub fn is_protocol_name(name: &str) -> bool {
    PROTOCOL_NAMES.binary_search(&name).is_ok()
}

/// Names of protocols in stacks, sorted: what `identify` can say of a flow, outermost or inside another protocol, and nothing else (`tests/house.rs` checks
/// that): a row that asked for any other name could only be missed.
pub const PROTOCOL_NAMES: &[&str] = &[
    "amqp",
    "bacnet",
    "bacula",
    "beanstalkd",
    "bgp",
    "bittorrent",
    "coap",
    "collectd",
    "crqt",
    "cvs",
    "dcerpc",
    "dhcp",
    "dhcpv6",
    "dnp3",
    "dns",
    "dotnet_remoting",
    "dtls",
    "esp",
    "ethernetip",
    "ftp",
    "gearman",
    "git",
    "graphite",
    "grpc",
    "hazelcast",
    "http",
    "iec104",
    "ignite",
    "ike",
    "imap",
    "irc",
    "java_rmi",
    "jsonrpc",
    "kafka",
    "kerberos",
    "kpasswd",
    "l2tp",
    "ldap",
    "llmnr",
    "mdns",
    "memcached",
    "modbus",
    "mongodb",
    "mpegts",
    "mqtt",
    "munin",
    "mysql",
    "nat_pmp",
    "nats",
    "ndi",
    "net_tcp",
    "netbios_dgm",
    "netbios_ns",
    "netbios_ssn",
    "netflow",
    "nfs",
    "nrpe",
    "ntp",
    "opcua",
    "openvpn",
    "oracle_tns",
    "pcp",
    "pop3",
    "postgresql",
    "pptp",
    "profinet",
    "quic",
    "radius",
    "rdp",
    "redis",
    "rfb",
    "rpc",
    "rsync",
    "rtcp",
    "rtmp",
    "rtp",
    "rtsp",
    "s7comm",
    "shared_variables",
    "sip",
    "smb",
    "smtp",
    "snmp",
    "soap",
    "socks",
    "srt",
    "ssdp",
    "ssh",
    "ssrp",
    "statsd",
    "stomp",
    "stun",
    "svn",
    "syslog",
    "tacacs",
    "tds",
    "teatime",
    "telnet",
    "tftp",
    "tls",
    "turn",
    "upnp",
    "webdav",
    "websocket",
    "wireguard",
    "wsd",
    "x11",
    "xmpp",
    "zabbix",
    "zmtp",
    "zookeeper",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_names_are_sorted_and_written_once() {
        assert!(PROTOCOL_NAMES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_readme_lists_every_protocol_name_and_no_other() {
        let readme = include_str!("../../signatures/README.md");
        let list = readme.split("## Protocol names").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
        assert_eq!(list.split('`').skip(1).step_by(2).collect::<Vec<_>>(), PROTOCOL_NAMES);
    }
}
