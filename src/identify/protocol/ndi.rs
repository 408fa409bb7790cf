//! NDI, where it can be recognised: its wire format is not published, and messages are scrambled. What free receivers show of it is the header in
//! front of each message: version, 0x80, kind, and two lengths (protocols.md section 1.6; `libndi`, its `recv.c`). Sources are announced as
//! `_ndi._tcp` by multicast DNS, whose reader promises their ports.

use crate::identify::wire::Cursor;

use super::{Confirm, Known, Look, Opening, Over, Strength};

/// Told by the metadata that both ends begin with: header after header, as far as the bytes go.
pub static NDI: Known = Known { name: "ndi", over: Over::Streams, ask: look, answer: None, strength: Strength::Structure, reader: || Confirm::of(&NDI) };

/// Every header that is there is one; the first is of metadata: kind 2, eight bytes of time code, and the length of a line of XML.
fn look(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let mut many = 0;
    while !at.is_empty() {
        let (version, mark, kind, info, data) = (at.u8(), at.u8(), at.le16(), at.le32(), at.le32());
        let fits = matches!(version, None | Some(1..=8)) && matches!(mark, None | Some(0x80)) && matches!(kind, None | Some(0..=2));
        let lengths = match (info, data) {
            (Some(8), None | Some(8..=65_535)) | (None, _) => true,
            (Some(info), _) => many > 0 && kind != Some(2) && info <= 256,
        };
        if !fits || !lengths || many == 0 && kind.is_some_and(|kind| kind != 2) {
            return Look::No;
        }
        let (Some(info), Some(data)) = (info, data) else { break };
        many += 1;
        if at.take(info.saturating_add(data) as usize).is_none() {
            break;
        }
    }
    match many {
        0 => Look::Short,
        _ => Look::Yes(0, 12, "NDI metadata header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Evidence;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// A metadata message of `len` scrambled bytes behind its time code.
    fn metadata(len: u8) -> Vec<u8> {
        [hex("01 80 0200 08000000"), vec![len, 0, 0, 0], vec![0xa7; 8 + usize::from(len)]].concat()
    }

    #[test]
    fn headers_that_follow_one_another_are_ndi() {
        let client = [metadata(70), metadata(30), metadata(66)].concat();
        let server = [metadata(80), hex("04 80 0000 18000000 00100000"), vec![9; 64]].concat();
        assert_eq!(evidence(decide(&NDI, Transport::TCP, 5961, &client, &server)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&NDI, Transport::TCP, 5961, &client, &[])), Evidence::OneOpening);
        survives(&NDI, Transport::TCP, 5961, &[(Client, &metadata(20)), (Server, &metadata(20))]);
        prefixes_never_match_anything_else("ndi", Transport::TCP, &client, &[]);
    }

    #[test]
    fn a_header_that_does_not_follow_is_not() {
        let mut broken = [metadata(70), metadata(30)].concat();
        broken[91] = 0x81;
        for bytes in [broken, hex("01 80 0100 08000000 20000000"), hex("01 80 0200 09000000 20000000"), hex("01 80 0200 08000000 00000100")] {
            assert_eq!(evidence(decide(&NDI, Transport::TCP, 5961, &bytes, &[])), Evidence::None);
        }
    }
}
