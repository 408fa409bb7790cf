//! Reads whole messages of both sides, for protocols that need no memory between messages.

use std::hash::BuildHasher;

use crate::identify::Fact;
use crate::identify::wire::{Length, Messages};
use crate::net::{Side, Transport};

use super::{Appetite, Piece, Reader, Said};

/// How long a message of that side is.
pub type LengthRule = fn(Side, &[u8]) -> Length;
/// What a message of a side states; where it asks for a hand-over, that begins behind the last message of each side. Long messages are cut at [`limit::MESSAGE_KEPT`](crate::limit::MESSAGE_KEPT).
pub type EachRule = fn(&Piece<'_>, &[u8], &mut Said<'_>) -> Appetite;

/// Cuts both streams into messages, or takes datagrams as they come, and hands each to a rule until that has enough.
#[derive(Debug)]
pub struct Exchange {
    length: LengthRule,
    each: EachRule,
    streams: [Messages; 2],
    /// Behind the last message of each side.
    read_to: [u64; 2],
    /// The client's last datagram, where it is told that it comes again; nothing is any more once the server answered.
    asked: Option<Asked>,
}

/// What a client asked last.
#[derive(Debug)]
enum Asked {
    Nothing,
    Same(u64),
}

impl Exchange {
    /// A reader with these rules.
    pub fn of(length: LengthRule, each: EachRule) -> Box<dyn Reader> {
        Box::new(Self { length, each, streams: Default::default(), read_to: [0; 2], asked: None })
    }

    /// The same, and it tells what the client asks again, byte for byte, before it was answered.
    pub fn asking(length: LengthRule, each: EachRule) -> Box<dyn Reader> {
        Box::new(Self { length, each, streams: Default::default(), read_to: [0; 2], asked: Some(Asked::Nothing) })
    }

    fn hear_again(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) {
        if piece.from == Side::Server {
            self.asked = None;
        }
        let Some(asked) = &mut self.asked else { return };
        let now = foldhash::fast::FixedState::default().hash_one(piece.bytes);
        if matches!(asked, Asked::Same(last) if *last == now) {
            said.say(Fact::Retry);
        }
        *asked = Asked::Same(now);
    }
}

impl Reader for Exchange {
    fn held(&self) -> usize {
        self.streams.iter().map(Messages::held).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            self.hear_again(&piece, said);
            return (self.each)(&piece, piece.bytes, said);
        }
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let side = piece.from as usize;
        let stream = &mut self.streams[side];
        let mut rest = piece.bytes;
        while let Some(message) = stream.next(&mut rest, |bytes| (self.length)(piece.from, bytes)) {
            self.read_to[side] = piece.offset + (piece.bytes.len() - rest.len()) as u64;
            match (self.each)(&piece, &message, said) {
                Appetite::Hungry => (),
                // A rule does not know where its message lies.
                Appetite::HandOver { .. } => {
                    let [client, server] = self.read_to;
                    return Appetite::HandOver { client, server };
                }
                Appetite::Full => return Appetite::Full,
            }
        }
        if stream.is_broken() { Appetite::Full } else { Appetite::Hungry }
    }
}

/// What is sent to who keeps it: nobody answers.
#[derive(Debug)]
pub struct Sent;

impl Reader for Sent {
    fn read(&mut self, _: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        said.say(Fact::OneWay);
        Appetite::Full
    }
}
