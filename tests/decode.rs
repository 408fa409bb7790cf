//! Decoding against tshark's: the innermost ends of every TCP, UDP and SCTP packet of the shared captures, and their payload.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use portbook::capture::{Frame, LinkType, Options, Progress, Source, open};
use portbook::decode::{Content, Header, Packet, datagram, decode};

/// Transport, source, source port, destination, destination port.
type Way = (String, IpAddr, u16, IpAddr, u16);
/// Packets and payload bytes.
type Sums = BTreeMap<Way, (u64, u64)>;

#[test]
fn innermost_ends_and_payload_agree_with_tshark() {
    let Some(captures) = place::shared() else { return };
    let (mut total, mut agree, mut bytes_agree) = (0_u32, 0_u32, 0_u32);
    for (file, want) in truth(&captures) {
        // What the reader refuses is its own test's affair.
        let Some(have) = ours(&captures.join("files").join(&file)) else {
            println!("{file}: not read");
            continue;
        };
        for way in want.keys().chain(have.keys()).collect::<BTreeSet<_>>() {
            let (want, have) = (want.get(way).copied().unwrap_or_default(), have.get(way).copied().unwrap_or_default());
            total += 1;
            agree += u32::from(want.0 == have.0);
            bytes_agree += u32::from(want == have);
            if want != have {
                println!("{file}: {way:?}: tshark {want:?}, here {have:?}");
            }
        }
    }
    println!("{agree} of {total} one-way flows agree in packets, {bytes_agree} in payload bytes too");
    assert!(total > 10_000, "the truth was not read");
    assert!(f64::from(agree) / f64::from(total) >= 0.995, "{agree} of {total}");
}

/// By file, what tshark saw; files that it refused are left out.
fn truth(captures: &Path) -> BTreeMap<String, Sums> {
    let refused: BTreeSet<String> = rows(&captures.join("truth-files.tsv")).into_iter().filter(|row| row[4] != "0").map(|row| row[0].clone()).collect();
    let mut files = BTreeMap::<String, Sums>::new();
    for row in rows(&captures.join("truth.tsv")) {
        if refused.contains(&row[0]) || !matches!(row[1].as_str(), "tcp" | "udp" | "sctp") || row[8].is_empty() {
            continue;
        }
        let end = |place: usize| (row[place].parse::<IpAddr>().unwrap().to_canonical(), row[place + 1].parse::<u16>().unwrap());
        let (a, b) = (end(2), end(4));
        for (from, to, packets, payload) in [(a, b, &row[8], &row[10]), (b, a, &row[9], &row[11])] {
            let (packets, payload) = (packets.parse().unwrap_or(0), payload.parse().unwrap_or(0));
            if packets > 0 {
                let sums = files.entry(row[0].clone()).or_default().entry((row[1].clone(), from.0, from.1, to.0, to.1)).or_default();
                *sums = (sums.0 + packets, sums.1 + payload);
            }
        }
    }
    files
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read(path).unwrap();
    String::from_utf8_lossy(&text).lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn ours(path: &Path) -> Option<Sums> {
    let (mut sums, mut fragments) = (Sums::new(), Fragments::new());
    let mut source = open(&[path.to_owned()], Options::default()).ok()?;
    loop {
        let read = source.read(&mut |frames| frames.iter().map(decode).for_each(|packet| enter(&packet, &mut fragments, &mut sums)));
        match read {
            Ok(Progress::More) => {}
            Ok(Progress::End) | Err(_) => return Some(sums),
        }
    }
}

/// Pieces by sender, receiver, identification and transport: offset, whether more follow, bytes.
type Fragments = HashMap<(IpAddr, IpAddr, u32, u8), Vec<(u32, bool, Vec<u8>)>>;

/// Adds a packet; a fragment counts once its datagram is whole, as in tshark, or at once where it was cut by the snap length.
fn enter(packet: &Packet<'_>, fragments: &mut Fragments, sums: &mut Sums) {
    let Content::Ip(ip, header) = packet.content else { return };
    if let Some(place) = ip.fragment
        && packet.payload.len() == packet.payload_len as usize
    {
        let key = (ip.source, ip.destination, ip.ident, ip.transport.0);
        let pieces = fragments.entry(key).or_default();
        pieces.push((place.offset, place.more, packet.payload.to_vec()));
        if let Some(whole) = join(pieces) {
            fragments.remove(&key);
            enter(&datagram(packet, &whole, whole.len() as u32), fragments, sums);
        }
        return;
    }
    let Some((source, destination)) = header.ports() else { return };
    let name = match ip.transport.0 {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        _ => return,
    };
    let payload = if name == "sctp" { 0 } else { u64::from(packet.payload_len) };
    let way = (name.to_owned(), ip.source.to_canonical(), source, ip.destination.to_canonical(), destination);
    let entry = sums.entry(way).or_default();
    *entry = (entry.0 + 1, entry.1 + payload);
}

fn join(pieces: &[(u32, bool, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut sorted: Vec<_> = pieces.iter().collect();
    sorted.sort_by_key(|piece| piece.0);
    let mut whole = Vec::new();
    for (offset, more, bytes) in sorted {
        let skip = whole.len().checked_sub(*offset as usize)?;
        whole.extend_from_slice(bytes.get(skip..).unwrap_or_default());
        if !more {
            return Some(whole);
        }
    }
    None
}

#[test]
fn plain_ethernet_frames_agree_with_etherparse() {
    let Some(captures) = place::shared() else { return };
    let (mut compared, mut differ) = (0_u64, 0_u64);
    for file in truth(&captures).keys() {
        let Ok(mut source) = open(&[captures.join("files").join(file)], Options::default()) else { continue };
        let mut each = |frame: &Frame<'_>| {
            let packet = decode(frame);
            if let (Some(want), Some(have)) = (theirs(frame), plain(&packet)) {
                compared += 1;
                if want != have {
                    differ += 1;
                    println!("{file} {}: etherparse {want:?}, here {have:?} {:?}", frame.id.number(), packet.fault);
                }
            }
        };
        while let Ok(Progress::More) = source.read(&mut |frames| frames.iter().for_each(&mut each)) {}
    }
    println!("{differ} of {compared} packets differ");
    assert!(compared > 100_000, "only {compared} packets were compared");
    assert_eq!(differ, 0);
}

/// Source, destination, ports, length of the payload captured.
type Ends = (IpAddr, IpAddr, (u16, u16), usize);

fn plain(packet: &Packet<'_>) -> Option<Ends> {
    match packet.content {
        Content::Ip(ip, Header::Tcp(_) | Header::Udp { .. }) if ip.fragment.is_none() && packet.tunnel.is_empty() && ip.transport.0 != 136 => {
            let Content::Ip(_, header) = packet.content else { return None };
            Some((ip.source, ip.destination, header.ports()?, packet.payload.len()))
        }
        _ => None,
    }
}

fn theirs(frame: &Frame<'_>) -> Option<Ends> {
    let sliced = LaxSlicedPacket::from_ethernet(frame.bytes).ok().filter(|_| frame.link == LinkType::ETHERNET)?;
    let (source, destination) = match sliced.net? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Arp(_) => return None,
    };
    match sliced.transport? {
        TransportSlice::Tcp(tcp) => Some((source, destination, (tcp.source_port(), tcp.destination_port()), tcp.payload().len())),
        TransportSlice::Udp(udp) => Some((source, destination, (udp.source_port(), udp.destination_port()), udp.payload().len())),
        _ => None,
    }
}
