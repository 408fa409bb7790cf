//! QUIC long headers (RFC 9000 section 17.2) and the Initial packets that anyone on the path can open (RFC 9001 section 5, RFC 9369).

use std::sync::LazyLock;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use arrayvec::ArrayVec;
use hkdf::{Hkdf, HkdfExtract};
use sha2::Sha256;
use smallvec::SmallVec;

use crate::identify::wire::Cursor;

use super::Side;

/// A long header and where its packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Long<'a> {
    pub(super) version: u32,
    pub(super) kind: Kind,
    pub(super) destination: &'a [u8],
    pub(super) source: &'a [u8],
    /// Where the packet number begins.
    number_at: usize,
    /// Length of the whole packet.
    pub(super) len: usize,
}

/// What a long header opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    Negotiation,
}

impl<'a> Long<'a> {
    /// The packet at the start of these bytes; none where they are no packet of a version that is known.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut at = Cursor::new(bytes);
        let first = at.u8()?;
        let version = at.be32()?;
        let length = at.u8().filter(|length| *length <= 20)?;
        let destination = at.take(usize::from(length))?;
        let length = at.u8().filter(|length| *length <= 20)?;
        let source = at.take(usize::from(length))?;
        if first & 0x80 == 0 {
            return None;
        }
        if version == 0 {
            let versions = at.rest().len();
            return (versions >= 4 && versions.is_multiple_of(4)).then_some(Self {
                version,
                kind: Kind::Negotiation,
                destination,
                source,
                number_at: 0,
                len: bytes.len(),
            });
        }
        let kind = kind_of(first, version);
        // Of a version that nobody has there is nothing to read but what a client opens with.
        (first & 0x40 != 0 && (is_known(version) || is_reserved(version) && kind == Kind::Initial)).then_some(())?;
        if kind == Kind::Retry {
            return (at.rest().len() >= 16).then_some(Self { version, kind, destination, source, number_at: 0, len: bytes.len() });
        }
        if kind == Kind::Initial {
            let token = usize::try_from(variable(&mut at)?).ok()?;
            at.take(token)?;
        }
        let length = usize::try_from(variable(&mut at)?).ok()?;
        let number_at = at.at();
        let len = number_at.checked_add(length).filter(|_| length >= 20)?;
        Some(Self { version, kind, destination, source, number_at, len })
    }
}

/// IETF versions and drafts, and Meta's mvfst (IANA "QUIC Versions"; RFC 9369).
pub(super) fn is_known(version: u32) -> bool {
    matches!(version, 1 | V2 | 0xff00_0001..=0xff00_00ff | 0xface_b000..=0xface_b0ff | 0x5130_3436 | 0x5130_3530 | 0x5430_3530..=0x5430_3532)
}

/// Whether nobody has this version: clients send it to learn which ones a server has (RFC 9000 sections 6.3 and 15).
pub(super) const fn is_reserved(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// `1`, `2`, `draft-29`, `Q050` ...
pub(super) fn version_name(version: u32) -> String {
    match version {
        _ if is_reserved(version) => format!("reserved ({version:#010x})"),
        1 => "1".into(),
        V2 => "2".into(),
        0xff00_0001..=0xff00_00ff => format!("draft-{}", version & 0xff),
        0xface_b000..=0xface_b0ff => format!("mvfst-{:x}", version & 0xff),
        other => other.to_be_bytes().iter().map(|byte| char::from(*byte)).filter(char::is_ascii_alphanumeric).collect(),
    }
}

fn kind_of(first: u8, version: u32) -> Kind {
    let bits = first >> 4 & 3;
    match if version == V2 { bits.wrapping_sub(1) & 3 } else { bits } {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// What opens the Initial packets of a connection: worked out once, as a client's hello may come in many packets, and of each side once it is heard.
#[derive(Debug)]
pub(super) struct Opener {
    id: ArrayVec<u8, 20>,
    version: u32,
    secret: Hkdf<Sha256>,
    /// Of the client's packets, and of the server's.
    keys: [Option<Keys>; 2],
}

impl Opener {
    fn new(salt: &Salt, id: &[u8], version: u32) -> Option<Self> {
        let mut extract = HkdfExtract::clone(salt);
        extract.input_ikm(id);
        Some(Self { id: id.try_into().ok()?, version, secret: extract.finalize().1, keys: [None, None] })
    }

    fn is_of(&self, id: &[u8], version: u32) -> bool {
        *self.id == *id && self.version == version
    }

    fn open(&mut self, packet: &[u8], header: &Long<'_>, from: Side) -> Option<Vec<u8>> {
        let keys = match &mut self.keys[from as usize] {
            Some(keys) => keys,
            none => none.insert(Keys::derive(&self.secret, from, self.version)?),
        };
        keys.open(packet, header)
    }
}

/// Opens an Initial packet with the keys that follow from the client's first connection id: its frames. What opened one of these before opens the next ones, too;
/// what opens this one is kept.
pub(super) fn open(packet: &[u8], header: &Long<'_>, first_id: &[u8], from: Side, known: &mut Option<Box<Opener>>) -> Option<Vec<u8>> {
    // Of one that is cut short nobody can tell whether a key fits.
    if packet.len() < header.len {
        return None;
    }
    if let Some(opener) = known.as_mut().filter(|opener| opener.is_of(first_id, header.version)) {
        return opener.open(packet, header, from);
    }
    let salts: &[&Salt] = match header.version {
        1 | 0xff00_0021..=0xff00_0022 => &[&SALT_V1],
        V2 => &[&SALT_V2],
        0xff00_001d..=0xff00_0020 => &[&SALT_DRAFT_29],
        0xff00_0017..=0xff00_001c => &[&SALT_DRAFT_23],
        _ => &[&SALT_V1, &SALT_DRAFT_29, &SALT_DRAFT_23],
    };
    salts.iter().find_map(|salt| {
        let mut opener = Opener::new(salt, first_id, header.version)?;
        let frames = opener.open(packet, header, from)?;
        *known = Some(Box::new(opener));
        Some(frames)
    })
}

#[derive(Debug)]
struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    mask: [u8; 16],
}

impl Keys {
    fn derive(initial: &Hkdf<Sha256>, from: Side, version: u32) -> Option<Self> {
        let mut secret = [0; 32];
        let whose = if from == Side::Client { "client in" } else { "server in" };
        expand(initial, whose, &mut secret)?;
        let traffic = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let labels = if version == V2 { ["quicv2 key", "quicv2 iv", "quicv2 hp"] } else { ["quic key", "quic iv", "quic hp"] };
        let mut keys = Self { key: [0; 16], iv: [0; 12], mask: [0; 16] };
        expand(&traffic, labels[0], &mut keys.key)?;
        expand(&traffic, labels[1], &mut keys.iv)?;
        expand(&traffic, labels[2], &mut keys.mask)?;
        Some(keys)
    }

    fn open(&self, packet: &[u8], header: &Long<'_>) -> Option<Vec<u8>> {
        let sample = packet.get(header.number_at + 4..header.number_at + 20)?;
        let mut mask = Array::<u8, _>::try_from(sample).ok()?;
        Aes128::new(&self.mask.into()).encrypt_block(&mut mask);
        let first = packet.first()? ^ (mask[0] & 0x0f);
        let number_len = usize::from(first & 3) + 1;
        let mut head = SmallVec::<[u8; 64]>::from_slice(packet.get(..header.number_at + number_len)?);
        *head.first_mut()? = first;
        let mut nonce = self.iv;
        for (n, byte) in head.get_mut(header.number_at..)?.iter_mut().enumerate() {
            *byte ^= mask.get(n + 1)?;
            // The last byte of the number meets the last byte of the nonce.
            *nonce.get_mut(12 - number_len + n)? ^= *byte;
        }
        let (body, tag) = packet.get(head.len()..header.len)?.split_last_chunk::<16>()?;
        let mut body = body.to_vec();
        let cipher = Aes128Gcm::new(&self.key.into());
        cipher.decrypt_inout_detached(&nonce.into(), &head, body.as_mut_slice().into(), &(*tag).into()).ok()?;
        Some(body)
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expand(from: &Hkdf<Sha256>, label: &str, out: &mut [u8]) -> Option<()> {
    let len = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_len = u8::try_from(label.len() + 6).ok()?;
    from.expand_multi_info(&[&len, &[label_len], b"tls13 ", label.as_bytes(), &[0]], out).ok()
}

/// A frame of an Initial packet that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Handshake bytes and their offset.
    Crypto(u64, &'a [u8]),
    /// Error code of CONNECTION_CLOSE.
    Close(u64),
}

/// Shows the frames of an opened Initial packet (RFC 9000 section 12.4: PADDING, PING, ACK, CRYPTO, CONNECTION_CLOSE).
pub(super) fn each_frame<'a>(payload: &'a [u8], mut see: impl FnMut(Frame<'a>)) -> Option<()> {
    let mut at = Cursor::new(payload);
    while let Some(kind) = at.u8() {
        match kind {
            // A client pads its Initial with hundreds of them.
            0 => {
                let blocks = at.rest().as_chunks::<16>().0.iter().take_while(|block| **block == [0; 16]).count();
                at.take(16 * blocks)?;
                let padding = at.rest().iter().take_while(|byte| **byte == 0).count();
                at.take(padding)?;
            }
            1 => {}
            2 | 3 => {
                variable(&mut at)?;
                variable(&mut at)?;
                let ranges = variable(&mut at)?;
                variable(&mut at)?;
                for _ in 0..ranges.min(256) {
                    variable(&mut at)?;
                    variable(&mut at)?;
                }
                if kind == 3 {
                    variable(&mut at)?;
                    variable(&mut at)?;
                    variable(&mut at)?;
                }
            }
            6 => {
                let offset = variable(&mut at)?;
                let len = usize::try_from(variable(&mut at)?).ok()?;
                see(Frame::Crypto(offset, at.take(len)?));
            }
            0x1c | 0x1d => {
                see(Frame::Close(variable(&mut at)?));
                return Some(());
            }
            _ => return None,
        }
    }
    Some(())
}

/// RFC 9000 section 16.
fn variable(at: &mut Cursor<'_>) -> Option<u64> {
    let first = at.u8()?;
    let more = (1usize << (first >> 6)) - 1;
    at.take(more).map(|rest| rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte)))
}

const V2: u32 = 0x6b33_43cf;

/// What the secrets of a version's connections are extracted with.
type Salt = LazyLock<HkdfExtract<Sha256>>;

/// RFC 9001 section 5.2.
static SALT_V1: Salt = LazyLock::new(|| {
    HkdfExtract::new(Some(&[0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a]))
});
/// RFC 9369 section 3.3.1.
static SALT_V2: Salt = LazyLock::new(|| {
    HkdfExtract::new(Some(&[0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9]))
});
/// draft-ietf-quic-tls-29 section 5.2, up to draft 32.
static SALT_DRAFT_29: Salt = LazyLock::new(|| {
    HkdfExtract::new(Some(&[0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99]))
});
/// draft-ietf-quic-tls-23 section 5.2, up to draft 28.
static SALT_DRAFT_23: Salt = LazyLock::new(|| {
    HkdfExtract::new(Some(&[0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02]))
});

#[cfg(test)]
mod tests {
    use super::super::testing::hex;
    use super::*;

    /// RFC 9001 appendix A.1, with the connection id 0x8394c8f03e515708.
    #[test]
    fn keys_of_the_rfc_example() {
        let id = hex("8394c8f03e515708");
        let client = Keys::derive(&Opener::new(&SALT_V1, &id, 1).unwrap().secret, Side::Client, 1).unwrap();
        assert_eq!(client.key.to_vec(), hex("1f369613dd76d5467730efcbe3b1a22d"));
        assert_eq!(client.iv.to_vec(), hex("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(client.mask.to_vec(), hex("9f50449e04a0e810283a1e9933adedd2"));
        let server = Keys::derive(&Opener::new(&SALT_V1, &id, 1).unwrap().secret, Side::Server, 1).unwrap();
        assert_eq!(server.key.to_vec(), hex("cf3a5331653c364c88f0f379b6067e37"));
    }

    /// RFC 9001 appendix A.3: the server's Initial, an ACK and a CRYPTO frame with a ServerHello.
    #[test]
    fn the_servers_initial_of_the_rfc_example_opens() {
        let packet = hex(
            "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee",
        );
        let header = Long::read(&packet).unwrap();
        assert_eq!((header.kind, header.version, header.source, header.len), (Kind::Initial, 1, &hex("f067a5502a4262b5")[..], packet.len()));
        let payload = open(&packet, &header, &hex("8394c8f03e515708"), Side::Server, &mut None).unwrap();
        let mut frames = Vec::new();
        each_frame(&payload, |frame| frames.push(frame)).unwrap();
        assert!(matches!(frames[..], [Frame::Crypto(0, [2, 0, 0, 0x56, 3, 3, ..])]));
        for len in 0..packet.len() {
            let _ = Long::read(&packet[..len]).map(|header| open(&packet[..len], &header, b"", Side::Server, &mut None));
        }
    }

    /// RFC 9369 appendix A.1, with the same connection id.
    #[test]
    fn keys_of_version_2() {
        let client = Keys::derive(&Opener::new(&SALT_V2, &hex("8394c8f03e515708"), V2).unwrap().secret, Side::Client, V2).unwrap();
        assert_eq!(client.key.to_vec(), hex("8b1a0bc121284290a29e0971b5cd045d"));
        assert_eq!(client.iv.to_vec(), hex("91f73e2351d8fa91660e909f"));
        assert_eq!(client.mask.to_vec(), hex("45b95e15235d6f45a6b19cbcb0294ba9"));
    }
}
