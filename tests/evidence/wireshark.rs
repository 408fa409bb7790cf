//! A capture as Wireshark reads it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Transport and two ends, the lower first; without ports where there are none.
pub type Ends = (String, BTreeSet<(String, u64)>);

/// A frame with the ends of the innermost packet that it holds; of an ICMP error that is the packet it quotes.
#[derive(Debug)]
pub struct Frame {
    pub number: u64,
    pub ends: Ends,
    /// Whether it is an ICMP error, whose ends are those of the packet that it quotes.
    pub is_error: bool,
    /// The innermost IPv4 identification: copies that a router's other side shows have the same.
    pub ident: Option<String>,
    /// Whom it asks the link for, in ARP or Neighbor Discovery.
    pub asks_for: Option<String>,
}

/// Whether tshark is there; says so where it is not.
pub fn is_installed() -> bool {
    let there = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: tshark is not installed");
    }
    there
}

/// The frames that a display filter selects, or what tshark has against it.
pub fn selected(capture: &Path, filter: &str) -> Result<BTreeSet<u64>, String> {
    let output = tshark(capture, &["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(|number| number.trim().parse().unwrap()).collect())
}

/// Every frame with its ends, by the chain of protocols that tshark found in it.
pub fn frames(capture: &Path) -> Vec<Frame> {
    let fields = FIELDS.iter().flat_map(|field| ["-e", field]);
    let arguments: Vec<&str> = ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", "-E", "separator=;"].into_iter().chain(fields).collect();
    let output = tshark(capture, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(frame).collect()
}

/// The ends of a flow record, as [`frames`] gives them.
pub fn ends_of(flow: &Value) -> Ends {
    let end = |end: &Value| (end["ip"].as_str().unwrap().to_owned(), end["port"].as_u64().unwrap());
    (flow["transport"].as_str().unwrap().to_owned(), [end(&flow["client"]), end(&flow["server"])].into())
}

/// The numbers in a list of objects.
pub fn numbers(list: &Value, field: &str) -> BTreeSet<u64> {
    list.as_array().unwrap().iter().filter_map(|item| item[field].as_u64()).collect()
}

/// Runs tshark on a capture, without looking up names.
pub fn tshark(capture: &Path, arguments: &[&str]) -> Output {
    Command::new("tshark").args(["-n", "-r"]).arg(capture).args(arguments).output().unwrap()
}

/// The last pair of addresses in the chain of protocols, with the last transport behind it.
fn frame(line: &str) -> Frame {
    let mut fields = line.split(';').map(|field| field.split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect::<Vec<_>>().into_iter());
    let mut next = || fields.next().unwrap_or_default();
    let (number, protocols) = (next().next().unwrap(), next().next().unwrap_or_default());
    let mut sides = ["ip", "ipv6", "tcp", "udp", "sctp"].map(|protocol| (protocol, next(), next()));
    let mut addresses = (String::new(), String::new());
    let mut ends = Ends::default();
    for protocol in protocols.split(':') {
        let Some((_, from, to)) = sides.iter_mut().find(|(known, ..)| *known == protocol) else { continue };
        let (Some(from), Some(to)) = (from.next(), to.next()) else { continue };
        if protocol.starts_with("ip") {
            (addresses, ends) = ((from, to), Ends::default());
        } else {
            let port = |text: &str| text.parse().unwrap();
            ends = (protocol.to_owned(), [(addresses.0.clone(), port(&from)), (addresses.1.clone(), port(&to))].into());
        }
    }
    let ident = next().last();
    let asks_for = next().next().or_else(|| next().next());
    let is_error = protocols.split(':').skip_while(|protocol| !protocol.starts_with("icmp")).any(|protocol| ["tcp", "udp", "sctp"].contains(&protocol));
    Frame { number: number.parse().unwrap(), ends, is_error, ident, asks_for }
}

/// Number and protocols, then source and destination on each layer that tells ends, then the identification, then whom the link is asked for.
#[rustfmt::skip]
const FIELDS: &[&str] = &[
    "frame.number", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
    "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport",
    "ip.id", "arp.dst.proto_ipv4", "icmpv6.nd.ns.target_address",
];
