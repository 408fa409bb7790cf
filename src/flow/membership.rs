//! Who on a link receives which group, by IGMP (RFC 1112, RFC 2236, RFC 3376) and MLD (RFC 2710, RFC 3810). Switches pass a group's datagrams to those ports alone on which
//! they heard so lately, and somebody must ask again and again (RFC 4541 section 2.1.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::neighbour::{Neighbour, NeighbourWord};
use crate::decode::{Content, Header, Packet};
use crate::net::{Mac, Transport};

/// What the packet says about receivers of groups: of a report in one packet several groups.
pub(super) fn of_packet(packet: &Packet<'_>, hear: &mut impl FnMut(&Neighbour)) {
    let Content::Ip(ip, header) = &packet.content else { return };
    let (from, to) = packet.mac.map_or((Mac::UNKNOWN, None), |(from, to)| (from, Some(to).filter(|to| *to != Mac::UNKNOWN)));
    let mut say = |says| hear(&Neighbour { time: packet.time, frame: packet.frame, vlan: packet.vlan, from, to, says });
    let by = ip.source;
    match header {
        Header::None if ip.transport == Transport::IGMP => igmp(packet.payload, by, &mut say),
        Header::Icmp { kind, rest, .. } if ip.transport == Transport::ICMP6 => mld(*kind, *rest, packet.payload, by, &mut say),
        _ => {}
    }
}

fn igmp(message: &[u8], by: IpAddr, say: &mut impl FnMut(NeighbourWord)) {
    let Some((head, records)) = message.split_first_chunk::<8>() else { return };
    let group = IpAddr::from(Ipv4Addr::new(head[4], head[5], head[6], head[7]));
    match head[0] {
        0x11 => say(NeighbourWord::AsksReceivers),
        0x12 | 0x16 => say(NeighbourWord::Receives { group, by }),
        0x17 => say(NeighbourWord::Leaves { group, by }),
        0x22 => each_record::<4>(u16::from_be_bytes([head[6], head[7]]), records, &mut |group, receives| say(word(IpAddr::from(group), by, receives))),
        _ => {}
    }
}

/// `rest` are the bytes 4 to 7 of the message, `body` is what follows them.
fn mld(kind: u8, rest: [u8; 4], body: &[u8], by: IpAddr, say: &mut impl FnMut(NeighbourWord)) {
    let group = || body.first_chunk::<16>().map(|group| IpAddr::from(Ipv6Addr::from(*group)));
    match kind {
        130 => say(NeighbourWord::AsksReceivers),
        131 => group().into_iter().for_each(|group| say(NeighbourWord::Receives { group, by })),
        132 => group().into_iter().for_each(|group| say(NeighbourWord::Leaves { group, by })),
        143 => each_record::<16>(u16::from_be_bytes([rest[2], rest[3]]), body, &mut |group, receives| say(word(IpAddr::from(group), by, receives))),
        _ => {}
    }
}

const fn word(group: IpAddr, by: IpAddr, receives: bool) -> NeighbourWord {
    if receives { NeighbourWord::Receives { group, by } } else { NeighbourWord::Leaves { group, by } }
}

/// Records of a report of IGMPv3 or MLDv2 (RFC 3376 section 4.2.4, RFC 3810 section 5.2.5), as far as they were captured: the group, and whether its sender receives it still.
/// What is said of single sources changes neither.
fn each_record<const LEN: usize>(records: u16, mut bytes: &[u8], tell: &mut impl FnMut([u8; LEN], bool)) {
    for _ in 0..records {
        let Some(([kind, more, high, low], rest)) = bytes.split_first_chunk::<4>() else { return };
        let Some((group, rest)) = rest.split_first_chunk::<LEN>() else { return };
        let sources = usize::from(u16::from_be_bytes([*high, *low]));
        match kind {
            // To receive all but none is to receive all, and none but none is to receive nothing.
            1 | 3 => tell(*group, sources > 0),
            2 | 4 | 5 => tell(*group, true),
            _ => {}
        }
        let Some(next) = rest.get(sources * LEN + usize::from(*more) * 4..) else { return };
        bytes = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NeighbourWord::{AsksReceivers, Leaves, Receives};

    fn v4(message: &[u8]) -> Vec<NeighbourWord> {
        let mut said = Vec::new();
        igmp(message, IpAddr::from([192, 0, 2, 1]), &mut |word| said.push(word));
        said
    }

    #[test]
    fn reports_of_all_versions_tell_who_receives_what() {
        let (by, group) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([239, 1, 2, 3]));
        for kind in [0x12, 0x16] {
            assert_eq!(v4(&[kind, 0, 0, 0, 239, 1, 2, 3]), [Receives { group, by }]);
        }
        assert_eq!(v4(&[0x17, 0, 0, 0, 239, 1, 2, 3]), [Leaves { group, by }]);
        assert_eq!(v4(&[0x11, 100, 0, 0, 0, 0, 0, 0]), [AsksReceivers]);
        // Two records: one with a source and four bytes more, one by which its sender leaves.
        let second = IpAddr::from([239, 1, 2, 4]);
        let records = [&[0x22, 0, 0, 0, 0, 0, 0, 2, 5, 1, 0, 1, 239, 1, 2, 3, 192, 0, 2, 9, 0, 0, 0, 0][..], &[3, 0, 0, 0, 239, 1, 2, 4]].concat();
        assert_eq!(v4(&records), [Receives { group, by }, Leaves { group: second, by }]);
        (0..records.len()).for_each(|len| assert!(v4(&records[..len]).len() < 2, "cut at {len}"));
    }

    #[test]
    fn mld_tells_the_same() {
        let (by, group) = ("2001:db8::1".parse().unwrap(), "ff1e::5".parse::<Ipv6Addr>().unwrap());
        let v6 = |kind, rest, body: &[u8]| {
            let mut said = Vec::new();
            mld(kind, rest, body, by, &mut |word| said.push(word));
            said
        };
        let receives = Receives { group: group.into(), by };
        assert_eq!(v6(131, [0; 4], &group.octets()), [receives]);
        assert_eq!(v6(132, [0; 4], &group.octets()), [Leaves { group: group.into(), by }]);
        assert_eq!(v6(143, [0, 0, 0, 1], &[&[4, 0, 0, 0][..], &group.octets()].concat()), [receives]);
        assert_eq!(v6(130, [0; 4], &[0; 20]), [AsksReceivers]);
    }
}
