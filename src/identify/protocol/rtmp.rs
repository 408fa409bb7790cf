//! RTMP: a handshake of fixed length, then messages in chunks; of the server's the commands that take a publisher or player, or refuse him (Adobe RTMP 1.0).

use arrayvec::ArrayVec;
use memchr::memmem;
use smallvec::SmallVec;

use crate::identify::wire::{Cursor, Held, hold, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Known, Look, Over, Piece, Reader, Said, Strength};

/// RTMP (section 5.2): version 3 and 1536 bytes from both sides.
pub static RTMP: Known = Known {
    name: "rtmp",
    over: Over::Streams,
    ask: |opening, bytes| {
        rtmp(bytes, bytes.get(5..9).is_some_and(|zero| matches!(zero, [0, 0, 0, 0] | [9 | 10 | 0x80, 0, ..])) || opening.is_at(&[1935]))
            .weak_unless_at(opening, &[1935])
    },
    answer: Some(|_, bytes| match bytes {
        [3, _, _, _, _, _, _, _, _, ..] => Look::Weak(0, 1, "RTMP handshake"),
        [3, ..] => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::<Commands>::default(),
};

fn rtmp(bytes: &[u8], sane: bool) -> Look {
    match bytes {
        [3] => Look::Short,
        [3, ..] if bytes.len() >= 1537 => Look::when(sane, 9, "RTMP handshake"),
        [3, ..] if bytes.len() < 9 || sane => Look::Short,
        _ => Look::No,
    }
}

/// Reads the server's commands until the client may publish or play, or not.
#[derive(Debug, Default)]
struct Commands {
    /// Bytes of the server's handshake that were read.
    shaken: usize,
    /// Of the chunk's header that has begun.
    header: ArrayVec<u8, LONGEST_HEADER>,
    /// Bytes that are left of the present chunk.
    left: usize,
    /// The chunk stream that it belongs to.
    at: usize,
    /// How long chunks are; zero stands for what they are at first.
    size: usize,
    streams: SmallVec<[Stream; 2]>,
    messages: u8,
}

/// What is known of a chunk stream (section 5.3): a message in parts.
#[derive(Debug, Default)]
struct Stream {
    id: u32,
    kind: u8,
    /// Whether its times take four bytes more.
    extended: bool,
    len: usize,
    /// Bytes of the message that came.
    got: usize,
    body: Held,
}

impl Reader for Commands {
    fn held(&self) -> usize {
        self.streams.iter().map(|stream| stream.body.capacity()).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let shakes = HANDSHAKE.saturating_sub(self.shaken).min(piece.bytes.len());
        self.shaken += shakes;
        if self.shaken >= CONFIRMS {
            said.believe(Evidence::BothOpenings);
        }
        self.chunks(piece.bytes.get(shakes..).unwrap_or_default(), said).unwrap_or(Appetite::Hungry)
    }
}

impl Commands {
    /// Reads chunks; none where all of them were read and more may be of use.
    fn chunks(&mut self, mut bytes: &[u8], said: &mut Said<'_>) -> Option<Appetite> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
                bytes = rest;
                if let Some(done) = self.part(part, said) {
                    return Some(done);
                }
                continue;
            }
            if self.header.try_push(*first).is_err() {
                return Some(Appetite::Full);
            }
            bytes = rest;
            match self.is_begun() {
                Some(true) => self.header.clear(),
                Some(false) => (),
                None => return Some(Appetite::Full),
            }
        }
        None
    }

    /// Whether the header that was gathered is whole, and a chunk has begun; none where it is none.
    fn is_begun(&mut self) -> Option<bool> {
        let mut at = Cursor::new(&self.header);
        let first = at.u8()?;
        let id = match first & 0x3f {
            0 => at.u8().map(|more| u32::from(more) + 64),
            1 => at.u8().zip(at.u8()).map(|(low, high)| u32::from(high) * 256 + u32::from(low) + 64),
            id => Some(u32::from(id)),
        };
        let Some(id) = id else { return Some(false) };
        let kind = first >> 6;
        let Some(fields) = at.take(match kind {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        }) else {
            return Some(false);
        };
        let index = match self.streams.iter().position(|stream| stream.id == id) {
            Some(index) => index,
            // A stream begins with a whole header.
            None if kind == 0 && self.streams.len() < STREAMS => {
                self.streams.push(Stream { id, ..Stream::default() });
                self.streams.len() - 1
            }
            None => return None,
        };
        let stream = self.streams.get_mut(index)?;
        if kind < 3 {
            stream.extended = fields.starts_with(&[0xff; 3]);
        }
        if stream.extended && at.take(4).is_none() {
            return Some(false);
        }
        if let Some([a, b, c, message]) = fields.get(3..7) {
            (stream.len, stream.kind, stream.got) = (u32::from_be_bytes([0, *a, *b, *c]) as usize, *message, 0);
        }
        self.at = index;
        self.left = stream.len.saturating_sub(stream.got).min(if self.size == 0 { FIRST_CHUNKS } else { self.size });
        // A message without a body is none of the commands.
        if self.left == 0 {
            stream.got = 0;
        }
        Some(true)
    }

    /// Takes bytes of the present chunk, and reads the message that they complete.
    fn part(&mut self, part: &[u8], said: &mut Said<'_>) -> Option<Appetite> {
        self.left -= part.len();
        let stream = self.streams.get_mut(self.at)?;
        stream.got += part.len();
        hold(&mut stream.body, part, limit::MESSAGE_KEPT);
        if stream.got < stream.len {
            return None;
        }
        stream.got = 0;
        let body = std::mem::take(&mut stream.body);
        self.messages = self.messages.saturating_add(1);
        match stream.kind {
            SET_CHUNK_SIZE => self.size = Cursor::new(&body).be32().map_or(0, |size| (size & 0x7fff_ffff) as usize),
            // What is played.
            AUDIO | VIDEO => return Some(Appetite::Full),
            COMMAND => return command(&body, said),
            // AMF3's form has a byte before the same.
            COMMAND_AMF3 => return command(body.get(1..).unwrap_or_default(), said),
            _ => (),
        }
        (self.messages >= MESSAGES).then_some(Appetite::Full)
    }
}

/// A command of the server (section 7.2): its name, the number of what it answers, and objects, of which `code` says what happened.
fn command(body: &[u8], said: &mut Said<'_>) -> Option<Appetite> {
    let mut at = Cursor::new(body);
    let name = text(&mut at)?;
    let answers = if at.u8() == Some(NUMBER) { at.array::<8>().map(f64::from_be_bytes)? } else { return None };
    said.believe(Evidence::Dialogue);
    let [level, code, words] = ["level", "code", "description"].map(|key| property(at.rest(), key));
    let answer = |kind, text| Fact::answer(kind, 0, text);
    let refuses = match name {
        // What else a server does not know (`FCPublish`, `releaseStream`) is everyday; the first call is `connect`.
        b"_error" => answers == 1.0,
        b"onStatus" => level == Some(b"error"),
        _ => false,
    };
    if refuses {
        let told = [code, words].into_iter().flatten().map(shown).collect::<Vec<_>>().join(": ");
        said.say(answer(AnswerKind::Refused, printable(told.as_bytes())));
        return Some(Appetite::Full);
    }
    let starts = name == b"onStatus" && matches!(code, Some(b"NetStream.Publish.Start" | b"NetStream.Play.Start"));
    starts.then(|| {
        said.say(answer(AnswerKind::Accepted, printable(code.unwrap_or_default())));
        Appetite::Full
    })
}

/// A string of AMF0 (section 2.4 of its specification).
fn text<'a>(at: &mut Cursor<'a>) -> Option<&'a [u8]> {
    if at.u8()? != STRING {
        return None;
    }
    let len = at.be16()?;
    at.take(usize::from(len))
}

/// The string that an object has under this name: the name's length, the name, the value.
fn property<'a>(objects: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let key = [&(key.len() as u16).to_be_bytes(), key.as_bytes()].concat();
    let behind = memmem::find(objects, &key)? + key.len();
    text(&mut Cursor::new(objects.get(behind..)?))
}

/// Version, and twice 1536 bytes (section 5.2).
const HANDSHAKE: usize = 1 + 2 * 1536;
/// As many of them as tell that it is one.
const CONFIRMS: usize = 9;
/// Chunks before the server sets another size (section 5.4.1).
const FIRST_CHUNKS: usize = 128;
/// Three bytes of number, eleven of message, four of time.
const LONGEST_HEADER: usize = 18;
/// Chunk streams that are followed: servers use three or four for all they say before the media.
const STREAMS: usize = 8;
/// Messages after which nothing of use comes any more: a server says a dozen until media flow.
const MESSAGES: u8 = 64;

/// Types of messages (section 7.1).
const SET_CHUNK_SIZE: u8 = 1;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const COMMAND_AMF3: u8 = 17;
const COMMAND: u8 = 20;
/// Markers of AMF0.
const NUMBER: u8 = 0;
const STRING: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    fn string(text: &str) -> Vec<u8> {
        [&[2][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
    }

    /// Name, number, null, an object (AMF0 section 2.5).
    fn command(name: &str, number: f64, object: &[(&str, &str)]) -> Vec<u8> {
        let properties = object.iter().flat_map(|(key, value)| [string(key).split_off(1), string(value)].concat());
        [string(name), vec![0], number.to_be_bytes().to_vec(), vec![5, 3], properties.collect(), vec![0, 0, 9]].concat()
    }

    /// A message of this type in chunks of 128 bytes: a whole header, then headers of one byte (section 5.3.1.2).
    fn chunked(stream: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let head = [&[stream, 0, 0, 0][..], &(body.len() as u32).to_be_bytes()[1..], &[kind, 0, 0, 0, 0]].concat();
        let parts = body.chunks(128).enumerate().flat_map(|(n, part)| [if n == 0 { vec![] } else { vec![0xc0 | stream] }, part.to_vec()].concat());
        head.into_iter().chain(parts).collect()
    }

    fn answered(messages: &[Vec<u8>]) -> Vec<Fact> {
        let hello = |len: usize| [vec![3], vec![0; len]].concat();
        let (client, mut server) = (hello(1536), hello(3072));
        server.extend(messages.concat());
        let dialogue: &[(Side, &[u8])] = &[(Client, &client), (Server, &server[..700]), (Server, &server[700..3075]), (Server, &server[3075..])];
        survives(&RTMP, Transport::TCP, 1935, dialogue);
        let heard = read(&RTMP, Transport::TCP, 1935, dialogue);
        assert!(heard.evidence >= Evidence::BothOpenings);
        heard.facts
    }

    fn refused(text: &str) -> Fact {
        Fact::answer(AnswerKind::Refused, 0, text)
    }

    #[test]
    fn a_handshake_tells_it() {
        let mut hello = vec![0; 1537];
        hello[0] = 3;
        assert_eq!(evidence(decide(&RTMP, Transport::TCP, 1936, &hello, &hello)), Evidence::BothOpenings);
        survives(&RTMP, Transport::TCP, 1935, &[(Client, &hello), (Server, &hello[..9])]);
        assert_eq!(evidence(decide(&RTMP, Transport::TCP, 3389, &hex("0300 0013 0ee00000 0000"), &[])), Evidence::None);
    }

    #[test]
    fn a_connection_or_a_stream_that_the_application_refuses_is_told_with_its_code() {
        let long = "x".repeat(200);
        let rejected = [("level", "error"), ("code", "NetConnection.Connect.Rejected"), ("description", long.as_str())];
        let facts = answered(&[chunked(2, 5, &[0, 0x4c, 0x4b, 0x40]), chunked(3, COMMAND, &command("_error", 1.0, &rejected))]);
        assert!(
            matches!(&facts[..], [Fact::Answer { kind: AnswerKind::Refused, text, .. }] if text.starts_with("NetConnection.Connect.Rejected: xxx")),
            "{facts:?}"
        );
        let taken = [("level", "error"), ("code", "NetStream.Publish.BadName")];
        // The window, larger chunks, a call that is not known, and what is refused.
        let messages = [
            chunked(2, SET_CHUNK_SIZE, &[0, 0, 0, 200]),
            chunked(3, COMMAND, &command("_error", 3.0, &[("code", "NetConnection.Call.Failed")])),
            chunked(5, COMMAND, &command("onStatus", 0.0, &taken)),
        ];
        assert_eq!(answered(&messages), [refused("NetStream.Publish.BadName")]);
    }

    #[test]
    fn a_stream_that_starts_is_served() {
        let messages = [
            chunked(3, COMMAND, &command("_result", 1.0, &[("level", "status"), ("code", "NetConnection.Connect.Success")])),
            chunked(5, COMMAND, &command("onStatus", 0.0, &[("level", "status"), ("code", "NetStream.Publish.Start")])),
            chunked(5, COMMAND, &command("onStatus", 0.0, &[("level", "error"), ("code", "late")])),
        ];
        let served = Fact::answer(AnswerKind::Accepted, 0, "NetStream.Publish.Start");
        assert_eq!(answered(&messages), [served]);
    }
}
