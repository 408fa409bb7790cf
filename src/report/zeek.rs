//! `zeek`: a log like Zeek's `conn.log`: the same header lines, columns and types, and what portbook says of each flow in columns behind them.
//!
//! After Zeek's `scripts/base/protocols/conn/main.zeek`, the policies `community-id-logging` and `vlan-logging`, and its ASCII writer
//! (`src/logging/writers/ascii`). Times are those of the packets, also those of the header.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::flow::{ConnState, community_id};
use crate::judge::Judged;
use crate::net::{AddressText, Transport, is_private};
use crate::report::mark::Mark;
use crate::report::record::append_word;
use crate::report::{Report, Style, Writer};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Writes a line a flow as it passes.
pub fn open<'a>(out: &'a mut dyn Write, _: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Log { out, signatures, begun: false, line: String::new() })
}

struct Log<'a> {
    out: &'a mut dyn Write,
    signatures: &'a Signatures,
    begun: bool,
    line: String,
}

impl Writer for Log<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        self.begin(judged.identified.flow.first)?;
        self.connection(judged);
        self.verdict(judged);
        self.line.push('\n');
        let answer = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        answer
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let (first, last) = report.span.unwrap_or_default();
        self.begin(first)?;
        writeln!(self.out, "#close\t{}", day_and_time(last))
    }
}

impl Log<'_> {
    fn begin(&mut self, first: Timestamp) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        writeln!(self.out, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#open\t{}", day_and_time(first))?;
        let (names, types): (Vec<&str>, Vec<&str>) = COLUMNS.iter().copied().unzip();
        writeln!(self.out, "#fields\t{}\n#types\t{}", names.join("\t"), types.join("\t"))
    }

    /// Zeek's own columns.
    fn connection(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let id = community_id(flow);
        let (client, server) = (&flow.client, &flow.server);
        let lasted = flow.last.since(flow.first);
        let flag = |yes: bool| if yes { "T" } else { "F" };
        let missed: u64 = flow.tcp.as_ref().map_or(0, |tcp| tcp.missed_bytes.iter().sum());
        self.line.push_str(&seconds(flow.first.nanos()));
        self.cell(&Mark::new(&id, flow.first).uid());
        for end in [client, server] {
            self.cell(AddressText::new(end.endpoint.ip).as_str());
            self.number(end.endpoint.port);
        }
        self.cell(transport(flow.transport));
        self.cell(&or_unset(services(&judged.identified.protocol, flow.transport)));
        if lasted.is_zero() {
            self.line.push_str("\t-\t-\t-");
        } else {
            self.cell(&decimal(lasted.as_secs(), lasted.subsec_micros()));
            self.number(client.payload_bytes);
            self.number(server.payload_bytes);
        }
        self.cell(flow.state.map_or("OTH", ConnState::name));
        self.cell(flag(is_private(client.endpoint.ip)));
        self.cell(flag(is_private(server.endpoint.ip)));
        self.number(missed);
        self.cell(if flow.history.as_str().is_empty() { "-" } else { flow.history.as_str() });
        for end in [client, server] {
            self.number(end.packets);
            self.number(end.bytes);
        }
        self.cell("-");
        self.number(flow.transport.0);
        self.cell(&id);
        for place in 0..2 {
            match flow.vlan.ids().get(place) {
                Some(id) => self.number(*id),
                None => self.cell("-"),
            }
        }
    }

    /// Ours.
    fn verdict(&mut self, judged: &Judged) {
        let service = judged.service.map_or(Cow::Borrowed("-"), |id| escaped(&self.signatures.service(id).id));
        self.set(&judged.identified.protocol);
        self.cell(&service);
        self.word(&judged.verdict);
        self.set(&judged.reasons);
        self.word(&judged.outcome);
        self.cell(judged.cause.as_ref().map_or("-", |cause| cause.rule));
    }

    fn cell(&mut self, text: &str) {
        self.line.push('\t');
        self.line.push_str(text);
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.cell(itoa::Buffer::new().format(number));
    }

    /// A word of a closed list.
    fn word(&mut self, value: &impl Serialize) {
        self.line.push('\t');
        append_word(&mut self.line, value);
    }

    /// Words of closed lists as a set or vector.
    fn set(&mut self, words: &[impl Serialize]) {
        let mut between = '\t';
        for word in words {
            self.line.push(std::mem::replace(&mut between, ','));
            append_word(&mut self.line, word);
        }
        if words.is_empty() {
            self.cell("(empty)");
        }
    }
}

/// Zeek's `transport_proto`.
const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::TCP => "tcp",
        Transport::UDP => "udp",
        Transport::ICMP | Transport::ICMP6 => "icmp",
        _ => "unknown_transport",
    }
}

/// Zeek's names of the analyzers, outermost first; what Zeek has no analyzer for keeps our name. Zeek does not look into what is encrypted, whatever else tells what
/// is inside.
fn services(protocols: &[&'static str], transport: Transport) -> String {
    let tcp = transport == Transport::TCP;
    let mut names: Vec<&str> = Vec::new();
    for protocol in protocols {
        let name = match *protocol {
            "tls" => "ssl",
            "llmnr" | "mdns" | "netbios_ns" => "dns",
            "dcerpc" => "dce_rpc",
            "kerberos" if tcp => "krb_tcp",
            "kerberos" => "krb",
            "ldap" if tcp => "ldap_tcp",
            "ldap" => "ldap_udp",
            "dnp3" if tcp => "dnp3_tcp",
            "dnp3" => "dnp3_udp",
            "ethernetip" => "enip",
            "ike" => "ipsec",
            other => other,
        };
        if !names.contains(&name) {
            names.push(name);
        }
        if matches!(*protocol, "tls" | "dtls") {
            break;
        }
    }
    names.join(",")
}

fn or_unset(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A string as the ASCII writer puts it: nothing in it ends a column or a line, and none reads as unset.
fn escaped(text: &str) -> Cow<'_, str> {
    match text {
        "-" => "\\x2d".into(),
        "(empty)" => "\\x28empty)".into(),
        _ if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\') => text.into(),
        _ => text
            .bytes()
            .map(|byte| match byte {
                b'\\' => "\\\\".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            })
            .collect::<String>()
            .into(),
    }
}

/// `1763651094.277296`: seconds since 1970, as Zeek prints times.
fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1_000;
    // What is left after the division is below a million.
    [sign, &decimal(micros / 1_000_000, (micros % 1_000_000) as u32)].concat()
}

/// `12.000345`: whole seconds and microseconds below one.
fn decimal(seconds: u64, micros: u32) -> String {
    let (mut whole, mut part) = (itoa::Buffer::new(), itoa::Buffer::new());
    // A one in front keeps the zeros.
    let part = part.format(1_000_000 + micros);
    [whole.format(seconds), ".", part.get(1..).unwrap_or_default()].concat()
}

/// `2026-11-20-15-24-54`.
fn day_and_time(time: Timestamp) -> String {
    time.to_string().get(..19).unwrap_or_default().replace(['T', ':'], "-")
}

/// Columns and their types. `ip_proto` is Zeek's since version 7.1.
const COLUMNS: &[(&str, &str)] = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
    ("community_id", "string"),
    ("vlan", "int"),
    ("inner_vlan", "int"),
    ("portbook.protocol", "vector[string]"),
    ("portbook.service", "string"),
    ("portbook.verdict", "string"),
    ("portbook.reasons", "set[string]"),
    ("portbook.outcome", "string"),
    ("portbook.rule", "string"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_column_or_reads_as_unset() {
        let cases =
            [("plain-id", "plain-id"), ("-", "\\x2d"), ("(empty)", "\\x28empty)"), ("a\tb\nc", "a\\x09b\\x0ac"), ("a\\b", "a\\\\b"), ("ü", "\\xc3\\xbc")];
        for (text, written) in cases {
            assert_eq!(escaped(text), written);
        }
    }

    #[test]
    fn times_are_seconds_with_six_digits() {
        assert_eq!([0, 1_763_651_094_277_296_999, -1_500_000_000].map(seconds), ["0.000000", "1763651094.277296", "-1.500000"]);
        assert_eq!(day_and_time(Timestamp::from_parts(951_782_400, 1)), "2000-02-29-00-00-00");
    }

    #[test]
    fn services_have_zeeks_names_each_once() {
        assert_eq!(services(&["quic", "tls", "http"], Transport::UDP), "quic,ssl");
        assert_eq!(services(&["tls", "http"], Transport::TCP), "ssl", "what is inside of TLS has a column of its own");
        assert_eq!(services(&["kerberos"], Transport::TCP), "krb_tcp");
        assert_eq!(services(&["mdns"], Transport::UDP), "dns");
    }
}
