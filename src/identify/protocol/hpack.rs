//! Header fields as HTTP/2 compresses them (HPACK, RFC 7541).
//!
//! Own code, as `loona-hpack` and its kin build a table of codes anew for every string (55 microseconds for the block of RFC 7541 section C.6.1, where this takes
//! 0.6), which whoever sends strings could have us do all day; `httlib-hpack` (0.9) eats a vector and gives vectors, and does not say how much it holds.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::identify::wire::Cursor;

/// The fields that the other end keeps, newest first; without the first block of a stream nothing of it can be told.
#[derive(Debug)]
pub(super) struct Fields {
    kept: VecDeque<Field>,
    /// As section 4.1 counts them.
    size: usize,
    most: usize,
}

/// Name and value.
type Field = (Box<[u8]>, Box<[u8]>);

impl Default for Fields {
    fn default() -> Self {
        Self { kept: VecDeque::new(), size: 0, most: TABLE }
    }
}

impl Fields {
    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.size
    }

    /// Reads a whole block and hands over its fields in order; none where it is no such block, and then nothing that follows can be read either.
    pub fn read(&mut self, block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Option<()> {
        let mut at = Cursor::new(block);
        while let Some(first) = at.u8() {
            match first {
                0x80.. => {
                    let (name, value) = self.at(number(first, 7, &mut at)?)?;
                    field(name, value);
                }
                0x20..0x40 => {
                    // A table larger than anybody's is not kept along.
                    self.most = Some(number(first, 5, &mut at)?).filter(|most| *most <= LARGEST)?;
                    self.evict(0);
                }
                _ => {
                    let is_kept = first >= 0x40;
                    let name: Box<[u8]> = match number(first, if is_kept { 6 } else { 4 }, &mut at)? {
                        0 => string(&mut at)?.into(),
                        index => self.at(index)?.0.into(),
                    };
                    let value = string(&mut at)?;
                    field(&name, &value);
                    if is_kept {
                        self.keep(name, value.into());
                    }
                }
            }
        }
        Some(())
    }

    fn at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        STATIC.get(index).copied().or_else(|| {
            let (name, value) = self.kept.get(index.checked_sub(STATIC.len())?)?;
            Some((&**name, &**value))
        })
    }

    fn keep(&mut self, name: Box<[u8]>, value: Box<[u8]>) {
        let size = name.len() + value.len() + ENTRY;
        self.evict(size);
        // One that is larger than the table empties it (section 4.4).
        if size <= self.most {
            self.size += size;
            self.kept.push_front((name, value));
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.most
            && let Some((name, value)) = self.kept.pop_back()
        {
            self.size -= name.len() + value.len() + ENTRY;
        }
    }
}

/// A number whose first bits are the low ones of `first` (section 5.1).
fn number(first: u8, bits: u32, at: &mut Cursor<'_>) -> Option<usize> {
    let mask = (1_usize << bits) - 1;
    let mut value = usize::from(first) & mask;
    if value < mask {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = at.u8()?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn string<'a>(at: &mut Cursor<'a>) -> Option<Cow<'a, [u8]>> {
    let first = at.u8()?;
    let len = number(first, 7, at)?;
    let bytes = at.take(len)?;
    if first & 0x80 == 0 { Some(Cow::Borrowed(bytes)) } else { huffman(bytes).map(Cow::Owned) }
}

/// Codes of one length are numbers that follow each other, in the order of what they stand for (appendix B).
fn huffman(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len() * 8 / 5);
    let (mut code, mut first, mut index, mut len) = (0_u32, 0_u32, 0_usize, 0_usize);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        len += 1;
        code |= u32::from(bit);
        let many = u32::from(*LENGTHS.get(len)?);
        if let Some(place) = code.checked_sub(first).filter(|place| *place < many) {
            text.push(*SYMBOLS.get(index + place as usize)?);
            (code, first, index, len) = (0, 0, 0, 0);
        } else {
            index += many as usize;
            first = (first + many) << 1;
            code <<= 1;
        }
    }
    // What is left is padding (section 5.2).
    (len < 8).then_some(text)
}

/// Size of the table until somebody says otherwise, and of the largest that is kept along (section 4.2).
const TABLE: usize = 4096;
const LARGEST: usize = 65_536;
/// What an entry counts besides its bytes (section 4.1).
const ENTRY: usize = 32;

/// Appendix A.
const STATIC: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];
/// How many codes have so many bits.
const LENGTHS: [u8; 31] = [0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4];
/// What they stand for, shortest codes first; the end of a string, which is longest, is none.
const SYMBOLS: [u8; 256] = [
    48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100, 102, 103, 104, 108, 109, 110, 112, 114,
    117, 58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120, 121, 122, 38, 42, 44,
    59, 88, 90, 33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195, 208, 128, 130, 131, 162, 184, 194, 224, 226,
    153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186,
    187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182,
    183, 188, 191, 197, 231, 239, 9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213, 218,
    219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254, 2, 3, 4, 5, 6, 7, 8, 11, 12,
    14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13, 22,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::hex;

    fn told(fields: &mut Fields, block: &str) -> Option<Vec<String>> {
        let mut told = Vec::new();
        fields.read(&hex(block), |name, value| told.push(format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))))?;
        Some(told)
    }

    // RFC 7541 appendices C.3 and C.5 (plain), C.4 and C.6 (Huffman); the table of C.5 and C.6 has 256 bytes.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let asks =
            [("828684410f7777772e6578616d706c652e636f6d", "828684418cf1e3c2e5f23a6ba0ab90f4ff"), ("828684be58086e6f2d6361636865", "828684be5886a8eb10649cbf")];
        let (mut plain, mut short) = (Fields::default(), Fields::default());
        for (block, coded) in asks {
            let fields = told(&mut plain, block).unwrap();
            assert_eq!(Some(&fields), told(&mut short, coded).as_ref());
            assert_eq!(fields[..4], [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]);
        }
        assert_eq!(plain.held(), 57 + 53);
        let mut answers = Fields { most: 256, ..Fields::default() };
        let first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3";
        assert_eq!(told(&mut answers, first).unwrap()[0], ":status: 302");
        assert_eq!(
            told(&mut answers, "4883640effc1c0bf").unwrap(),
            [":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"]
        );
        assert_eq!(answers.held(), 222);
    }

    #[test]
    fn what_no_table_has_and_what_is_cut_is_nothing() {
        for block in ["be", "80", "ffffffffff7f", "410f7777", "3fffffff7f", "4181ff"] {
            let _ = told(&mut Fields::default(), block);
        }
        assert_eq!(told(&mut Fields::default(), "be"), None);
        assert_eq!(told(&mut Fields::default(), "410f7777"), None);
        assert_eq!(told(&mut Fields::default(), "ffffffffff7f"), None);
    }
}
