//! What both sides of SSH offer for the exchange of keys (RFC 4253 section 7.1): the last that is said in clear, and whether they have anything in common.

use crate::identify::wire::Cursor;
use crate::identify::{AnswerKind, Fact};
use crate::limit;

/// A side's packet (RFC 4253 section 6): its length, the padding's, and the payload, from the first byte behind the version's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// More bytes are to come.
    Short,
    /// No offer, or too long to be kept.
    Other,
    /// The offer: ten lists of names, separated by commas.
    Offer(Offer<'a>),
}

/// Lists of names in the order of RFC 4253 section 7.1.
pub type Offer<'a> = [&'a [u8]; LISTS];

/// Reads the packet that lies at the beginning.
pub fn packet(bytes: &[u8]) -> Packet<'_> {
    let mut at = Cursor::new(bytes);
    let Some(len) = at.be32() else { return Packet::Short };
    if !(FEWEST..limit::MESSAGE_KEPT as u32 - 4).contains(&len) {
        return Packet::Other;
    }
    let Some(packet) = at.take(len as usize) else { return Packet::Short };
    match offer(packet) {
        Some(offer) => Packet::Offer(offer),
        None => Packet::Other,
    }
}

fn offer(packet: &[u8]) -> Option<Offer<'_>> {
    let mut at = Cursor::new(packet);
    at.u8()?;
    at.u8().filter(|kind| *kind == KEXINIT)?;
    at.take(COOKIE)?;
    let mut lists: Offer<'_> = [&[]; LISTS];
    for list in &mut lists {
        let len = at.be32()?;
        *list = at.take(len as usize)?;
    }
    Some(lists)
}

/// That the sides have nothing in common, where it is so: neither says it, whoever finds out first closes. The code is that of a disconnection for it (section 11.1).
pub fn disagreement(client: &Offer<'_>, server: &Offer<'_>) -> Option<Fact> {
    let shares = |list: usize| names(client[list]).any(|name| names(server[list]).any(|other| name == other));
    // The first of the client's ciphers that the server has is taken; one that authenticates by itself needs no code for that (RFC 5647 section 5.1).
    let sealed = |list: usize| names(client[list]).find(|name| names(server[list]).any(|other| *name == other)).is_some_and(is_sealed);
    let missing = (0..LISTS - 2).find(|list| !(shares(*list) || matches!(list, 4 | 5) && sealed(list - 2)))?;
    let what = match missing {
        0 => "no common key exchange method",
        1 => "no common host key algorithm",
        2 | 3 => "no common cipher",
        4 | 5 => "no common message authentication code",
        _ => "no common compression",
    };
    Some(Fact::answer(AnswerKind::Refused, KEY_EXCHANGE_FAILED, what))
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').filter(|name| !name.is_empty())
}

fn is_sealed(cipher: &[u8]) -> bool {
    let is = |word: &[u8]| memchr::memmem::find(cipher, word).is_some();
    is(b"gcm") || is(b"GCM") || is(b"poly1305")
}

/// Two of methods and host keys, two of ciphers, codes, compressions and languages.
const LISTS: usize = 10;
/// `SSH_MSG_KEXINIT`, and its random bytes.
const KEXINIT: u8 = 20;
const COOKIE: usize = 16;
/// Padding's length, kind, cookie, empty lists, two more fields (section 7.1).
const FEWEST: u32 = 2 + COOKIE as u32 + 4 * LISTS as u32 + 5;
/// `SSH_DISCONNECT_KEY_EXCHANGE_FAILED`.
const KEY_EXCHANGE_FAILED: u32 = 3;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A packet with these lists, and nothing where nothing is told of one.
    pub(in crate::identify::protocol) fn kexinit(lists: [&str; LISTS]) -> Vec<u8> {
        let mut payload = vec![KEXINIT];
        payload.extend([7; COOKIE]);
        for list in lists {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload.extend([0; 5]);
        let padding = [0; 6];
        [&(payload.len() as u32 + 7).to_be_bytes()[..], &[6], &payload, &padding].concat()
    }

    fn judged(client: [&str; LISTS], server: [&str; LISTS]) -> Option<String> {
        let (client, server) = (kexinit(client), kexinit(server));
        let (Packet::Offer(client), Packet::Offer(server)) = (packet(&client), packet(&server)) else { return Some("no offers".to_owned()) };
        disagreement(&client, &server).map(|fact| match fact {
            Fact::Answer { text, code: 3, .. } => text.into(),
            other => format!("{other:?}"),
        })
    }

    pub(in crate::identify::protocol) const USUAL: [&str; LISTS] = [
        "curve25519-sha256,ext-info-c",
        "ssh-ed25519",
        "aes256-ctr,aes128-gcm@openssh.com",
        "aes256-ctr",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ];

    // RFC 4253 section 7.1
    #[test]
    fn each_list_needs_a_common_name_but_those_of_languages() {
        assert_eq!(judged(USUAL, USUAL), None);
        for (list, what) in
            [(0, "key exchange method"), (1, "host key"), (2, "cipher"), (3, "cipher"), (4, "authentication"), (5, "authentication"), (6, "compression")]
        {
            let mut other = USUAL;
            other[list] = "another,ext-info-s";
            assert!(judged(USUAL, other).is_some_and(|said| said.contains(what)), "list {list}");
        }
        let mut speaks = USUAL;
        speaks[8] = "en";
        assert_eq!(judged(USUAL, speaks), None);
    }

    // RFC 5647 section 5.1
    #[test]
    fn a_cipher_that_authenticates_needs_no_code() {
        let (mut client, mut server) = (USUAL, USUAL);
        (client[2], client[3]) = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com");
        (server[2], server[3]) = ("aes256-ctr,aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com");
        (client[4], client[5]) = ("hmac-md5", "hmac-md5");
        assert_eq!(judged(client, server), None);
    }

    #[test]
    fn what_is_no_offer_is_none() {
        let offer = kexinit(USUAL);
        assert!((0..offer.len()).all(|len| packet(&offer[..len]) == Packet::Short));
        let mut other = offer.clone();
        other[5] = 21;
        assert_eq!(packet(&other), Packet::Other);
        assert_eq!(packet(&[0xff; 8]), Packet::Other);
    }
}
