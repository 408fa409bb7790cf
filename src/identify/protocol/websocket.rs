//! WebSocket (RFC 6455) behind its upgrade: takes the payload out of its frames and reads the protocol that it carries.

use crate::identify::AnswerKind;
use crate::identify::wire::{Cursor, Held, hold, printable};
use crate::limit;

use super::{Appetite, Fact, Opening, PROTOCOLS, Piece, Probe, Protocol, Reader, Said, Side, Transport};

/// Reads what follows a `101 Switching Protocols` on both sides.
pub(super) struct WebSocket {
    sides: [Frames; 2],
    carries: Carries,
    /// Payload of either side while nobody has recognised it.
    held: [Held; 2],
    /// Payload bytes handed to the inner reader.
    handed: [u64; 2],
    messages: u16,
    /// The server sent a message.
    served: bool,
}

/// What the payload is.
enum Carries {
    /// Its first bytes will tell.
    Unknown,
    /// A stream of this protocol's bytes.
    Stream(Box<dyn Reader>),
    /// CoAP messages, one a frame (RFC 8323 section 8).
    Coap(Box<dyn Reader>),
}

impl WebSocket {
    /// What was agreed on as `Sec-WebSocket-Protocol` names the inner protocol at once; without it the payload does.
    pub(super) fn of(subprotocol: &str, said: &mut Said<'_>) -> Self {
        said.say(Fact::Inner("websocket"));
        let carries = SUBPROTOCOLS.iter().find(|(known, _)| subprotocol.trim().eq_ignore_ascii_case(known)).and_then(|(_, name)| enter(name, said));
        Self { sides: Default::default(), carries: carries.unwrap_or(Carries::Unknown), held: Default::default(), handed: [0; 2], messages: 0, served: false }
    }

    fn message(&mut self, payload: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) -> Appetite {
        self.messages = self.messages.saturating_add(1);
        if let Carries::Unknown = self.carries {
            hold(&mut self.held[piece.from as usize], payload, limit::WEBSOCKET_KEPT);
            let Some(carries) = self.recognise(said) else {
                let hopeless = self.messages >= limit::WEBSOCKET_MESSAGES || self.held.iter().any(|held| held.len() >= limit::WEBSOCKET_KEPT);
                return if hopeless { Appetite::Full } else { Appetite::Hungry };
            };
            self.carries = carries;
            let held = std::mem::take(&mut self.held);
            let sides = [Side::Client, Side::Server].into_iter().zip(&held).filter(|(_, bytes)| !bytes.is_empty());
            return sides.fold(Appetite::Hungry, |so_far, (from, bytes)| if so_far == Appetite::Hungry { self.hand(bytes, from, piece, said) } else { so_far });
        }
        self.hand(payload, piece.from, piece, said)
    }

    /// Gives payload to the reader of what it is. A hand-over inside cannot be followed: the frames go on.
    fn hand(&mut self, payload: &[u8], from: Side, piece: &Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let offset = self.handed[from as usize];
        let framed;
        let (reader, bytes) = match &mut self.carries {
            Carries::Unknown => return Appetite::Full,
            Carries::Stream(reader) => (reader, payload),
            Carries::Coap(reader) => {
                framed = coap_over_tcp(payload);
                (reader, framed.as_slice())
            }
        };
        self.handed[from as usize] += bytes.len() as u64;
        match reader.read(Piece { from, bytes, offset, missing: 0, transport: Transport::TCP, ..*piece }, said) {
            Appetite::Hungry => Appetite::Hungry,
            Appetite::Full | Appetite::HandOver { .. } => Appetite::Full,
        }
    }

    /// A server that closes before it sent anything, for another reason than that it is done, does not serve. What protocols inside say has been told.
    fn closed(&self, code: u16, why: &[u8], by: Side, said: &mut Said<'_>) {
        let kind = match code {
            1011 => AnswerKind::Failed,
            1002 | 1003 | 1007..=1010 | 1012..=1014 | 3000..=4999 => AnswerKind::Refused,
            _ => return,
        };
        if self.served || by == Side::Client {
            return;
        }
        let name = CLOSES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
        let text = match (name, why) {
            (name, []) => name.unwrap_or("close").into(),
            (Some(name), why) => format!("{name}: {}", printable(why)).into(),
            (None, why) => printable(why),
        };
        said.say(Fact::Answer { kind, code: u32::from(code), text, by });
    }

    fn recognise(&self, said: &mut Said<'_>) -> Option<Carries> {
        let [client, server] = &self.held;
        let opening = Opening::of(Transport::TCP, client, server);
        let found = |protocol: &&&dyn Protocol| CARRIED.contains(&protocol.name()) && matches!(protocol.probe(&opening), Probe::Found { .. });
        enter(PROTOCOLS.iter().find(found)?.name(), said)
    }
}

impl Reader for WebSocket {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let mut rest = piece.bytes;
        loop {
            match self.sides[piece.from as usize].next(&mut rest) {
                Step::More => return Appetite::Hungry,
                Step::Broken => return Appetite::Full,
                Step::Closed(code, why) => {
                    // 1000 and 1001 are ordinary ends (RFC 6455 section 7.4.1).
                    if let Some(code) = code.filter(|code| *code > 1001) {
                        said.detail("websocket", "close_code", code);
                        self.closed(code, &why, piece.from, said);
                    }
                    return Appetite::Full;
                }
                Step::Unreadable => {
                    self.served |= piece.from == Side::Server;
                    self.messages = self.messages.saturating_add(1);
                    // Nothing is to be learned any more but how a connection ends in which nobody was served.
                    if self.served || matches!(self.carries, Carries::Stream(_) | Carries::Coap(_)) || self.messages >= limit::WEBSOCKET_MESSAGES {
                        return Appetite::Full;
                    }
                }
                Step::Message(payload) => {
                    self.served |= piece.from == Side::Server;
                    if self.message(&payload, &piece, said) == Appetite::Full {
                        return Appetite::Full;
                    }
                }
            }
        }
    }
}

/// Says what is inside and begins to read it.
fn enter(name: &'static str, said: &mut Said<'_>) -> Option<Carries> {
    let reader = PROTOCOLS.iter().find(|protocol| protocol.name() == name)?.reader();
    said.say(Fact::Inner(name));
    Some(if name == "coap" { Carries::Coap(reader) } else { Carries::Stream(reader) })
}

/// CoAP in a frame has a length nibble of zero, as the frame tells its length; over TCP the options' and payload's length stands there
/// (RFC 8323 sections 3.2 and 8.2).
fn coap_over_tcp(frame: &[u8]) -> Vec<u8> {
    let [first, rest @ ..] = frame else { return Vec::new() };
    let token = usize::from(first & 0x0f);
    let options = rest.len().saturating_sub(1 + token);
    let (nibble, extended): (u8, Vec<u8>) = match options {
        0..=12 => (options as u8, Vec::new()),
        13..=268 => (13, vec![(options - 13) as u8]),
        269..=65_804 => (14, ((options - 269) as u16).to_be_bytes().to_vec()),
        _ => return Vec::new(),
    };
    [&[nibble << 4 | first & 0x0f][..], &extended, rest].concat()
}

/// One side's frames: the header of the present one, what of it is still to come, and the payload of the present message.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    left: u64,
    mask: [u8; 4],
    /// Bytes of the present frame that were unmasked.
    turned: usize,
    last: bool,
    code: u8,
    /// The present message is compressed (RFC 7692 section 6).
    packed: bool,
    payload: Vec<u8>,
    control: Vec<u8>,
}

enum Step {
    More,
    Message(Vec<u8>),
    /// A compressed message.
    Unreadable,
    /// With which number and reason.
    Closed(Option<u16>, Vec<u8>),
    Broken,
}

impl Frames {
    fn next(&mut self, rest: &mut &[u8]) -> Step {
        loop {
            if self.left > 0 {
                self.body(rest);
                if self.left > 0 {
                    return Step::More;
                }
                if let Some(step) = self.end() {
                    return step;
                }
            }
            let Some((byte, after)) = rest.split_first() else { return Step::More };
            self.header.push(*byte);
            *rest = after;
            match head(&self.header) {
                Head::Short => {}
                Head::Wrong => return Step::Broken,
                Head::Whole { last, code, packed, mask, len } => {
                    self.header.clear();
                    self.packed |= packed;
                    (self.left, self.mask, self.turned, self.last) = (len, mask, 0, last);
                    // A continuation goes on with the kind that its message began with.
                    self.code = if code == 0 { self.code } else { code };
                    if len == 0
                        && let Some(step) = self.end()
                    {
                        return step;
                    }
                }
            }
        }
    }

    fn body(&mut self, rest: &mut &[u8]) {
        let many = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        let Some((taken, after)) = rest.split_at_checked(many) else { return };
        let to = if self.code >= CLOSE { &mut self.control } else { &mut self.payload };
        for (place, byte) in taken.iter().take(limit::WEBSOCKET_KEPT.saturating_sub(to.len())).enumerate() {
            to.push(byte ^ self.mask[(self.turned + place) % 4]);
        }
        self.turned = (self.turned + many) % 4;
        self.left -= many as u64;
        *rest = after;
    }

    /// The frame is whole: so is its message, if it was the last one.
    fn end(&mut self) -> Option<Step> {
        match self.code {
            CLOSE => Some(Step::Closed(Cursor::new(&self.control).be16(), self.control.get(2..).unwrap_or_default().to_vec())),
            PING | PONG => {
                self.control = Vec::new();
                self.code = 0;
                None
            }
            _ if self.last => {
                let payload = std::mem::take(&mut self.payload);
                Some(if std::mem::take(&mut self.packed) { Step::Unreadable } else { Step::Message(payload) })
            }
            _ => None,
        }
    }
}

enum Head {
    Short,
    Wrong,
    Whole { last: bool, code: u8, packed: bool, mask: [u8; 4], len: u64 },
}

/// RFC 6455 section 5.2. The first part of a compressed message has a bit set (RFC 7692 section 6); other reserved bits are nobody's.
fn head(bytes: &[u8]) -> Head {
    let mut at = Cursor::new(bytes);
    let (Some(first), Some(second)) = (at.u8(), at.u8()) else { return Head::Short };
    let code = first & 15;
    let packed = first & 0x40 != 0;
    if first & 0x30 != 0 || !matches!(code, 0..=2 | CLOSE | PING | PONG) || packed && !matches!(code, 1 | 2) {
        return Head::Wrong;
    }
    let len = match second & 0x7f {
        126 => at.be16().map(u64::from),
        127 => at.be32().zip(at.be32()).map(|(high, low)| u64::from(high) << 32 | u64::from(low)),
        small => Some(u64::from(small)),
    };
    let mask = if second & 0x80 == 0 { Some([0; 4]) } else { at.array() };
    match (len, mask) {
        (Some(len), Some(mask)) => Head::Whole { last: first & 0x80 != 0, code, packed, mask, len },
        _ => Head::Short,
    }
}

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// RFC 6455 section 7.4.1, and IANA's "WebSocket Close Code Number Registry".
const CLOSES: &[(u16, &str)] = &[
    (1002, "protocol error"),
    (1003, "unsupported data"),
    (1007, "invalid payload"),
    (1008, "policy violation"),
    (1009, "message too big"),
    (1010, "an extension is missing"),
    (1011, "internal error"),
    (1012, "service restart"),
    (1013, "try again later"),
    (1014, "bad gateway"),
    (3000, "unauthorized"),
    (3003, "forbidden"),
    (3008, "timeout"),
];

/// IANA "WebSocket Subprotocol Name Registry", and the names that MQTT 3.1 was used with.
const SUBPROTOCOLS: &[(&str, &str)] = &[("amqp", "amqp"), ("coap", "coap"), ("mqtt", "mqtt"), ("mqttv3.1", "mqtt"), ("sip", "sip"), ("xmpp", "xmpp")];
/// Protocols that are looked for in frames whose subprotocol says nothing.
const CARRIED: &[&str] = &["amqp", "jsonrpc", "mqtt", "sip", "xmpp"];

#[cfg(test)]
mod tests {
    use super::super::http::Http;
    use super::super::testing::{hex, read_all};
    use super::*;
    use crate::identify::AnswerKind;

    const ASK: &[u8] = b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const SWITCH_COAP: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: coap\r\n\r\n";

    /// A final binary frame; masked with 01 02 03 04 where the client sends it.
    fn frame(payload: &[u8], masked: bool) -> Vec<u8> {
        let body: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| if masked { byte ^ (at % 4 + 1) as u8 } else { *byte }).collect();
        let head = [0x82, payload.len() as u8 | if masked { 0x80 } else { 0 }];
        [&head[..], if masked { &[1, 2, 3, 4] } else { &[] }, &body].concat()
    }

    /// MQTT 3.1.1 CONNECT of client "p1", and the refusal "not authorized".
    fn connect() -> Vec<u8> {
        hex("10 0e 0004 4d515454 04 02 003c 0002 7031")
    }

    #[test]
    fn mqtt_in_frames_is_found_without_a_subprotocol_however_it_is_split() {
        let (client, server) = (frame(&connect(), true), [hex("89 00"), frame(&hex("20020005"), false)].concat());
        for cut in 1..client.len() {
            let dialogue =
                [(Side::Client, ASK), (Side::Server, SWITCH), (Side::Client, &client[..cut]), (Side::Client, &client[cut..]), (Side::Server, &server)];
            let told = read_all(&Http, &dialogue);
            assert!(told.says(&Fact::Inner("websocket")) && told.says(&Fact::Inner("mqtt")), "cut at {cut}");
            assert_eq!(told.detail("mqtt", "client_id"), Some("p1".into()));
            assert!(told.says(&Fact::answer(AnswerKind::Refused, 5, "not authorized")));
            assert_eq!(told.appetite, Appetite::Full);
        }
    }

    // websockets (Python) with its compression on: "hi", and the server's close, before and after an answer
    #[test]
    fn a_server_that_closes_before_it_sent_anything_refuses() {
        let (hi, answer) = (hex("c1 84 01020304 cbcb0304"), hex("c1 04 cac90400"));
        let close = |code: u16| [&[0x88, 9][..], &code.to_be_bytes(), b"no seat"].concat();
        let told = |frames: &[(Side, &[u8])]| {
            let facts = read_all(&Http, &[&[(Side::Client, ASK), (Side::Server, SWITCH)], frames].concat()).facts;
            let refusal = |fact: &Fact| match fact {
                Fact::Answer { kind: AnswerKind::Refused | AnswerKind::Failed, code, text, by } => Some((*code, text.to_string(), *by)),
                _ => None,
            };
            facts.iter().find_map(refusal)
        };
        let closed = |code: u16| told(&[(Side::Client, &hi), (Side::Server, &close(code))]);
        assert_eq!(closed(1008), Some((1008, "policy violation: no seat".into(), Side::Server)));
        assert_eq!(closed(4401), Some((4401, "no seat".into(), Side::Server)));
        assert_eq!(told(&[(Side::Server, &close(1013))]), Some((1013, "try again later: no seat".into(), Side::Server)));
        assert_eq!((closed(1000), closed(1001)), (None, None), "ordinary ends");
        assert_eq!(told(&[(Side::Client, &hi), (Side::Server, &answer), (Side::Server, &close(1008))]), None, "who was served");
        assert_eq!(told(&[(Side::Client, &frame(b"hi", true)), (Side::Server, &frame(b"yes", false)), (Side::Server, &close(1011))]), None);
    }

    #[test]
    fn the_first_frame_may_come_with_the_answer() {
        let both = [SWITCH, &frame(b"{\"jsonrpc\":\"2.0\",\"method\":\"tick\"}", false)].concat();
        assert!(read_all(&Http, &[(Side::Client, ASK), (Side::Server, &both)]).says(&Fact::Inner("jsonrpc")));
    }

    #[test]
    fn coap_in_frames_has_no_lengths_of_its_own() {
        // Settings of both sides (RFC 8323 section 5.3), then GET /temperature with token 7f, and 2.05 with 15 bytes of payload.
        let ask = frame(&[hex("01 01 7f bb"), b"temperature".to_vec()].concat(), true);
        let answer = frame(&[hex("01 45 7f ff"), b"22.3 C and more".to_vec()].concat(), false);
        let settings = (frame(&hex("00 e1"), true), frame(&hex("00 e1"), false));
        let dialogue = [
            (Side::Client, ASK),
            (Side::Server, SWITCH_COAP),
            (Side::Client, &settings.0),
            (Side::Server, &settings.1),
            (Side::Client, &ask),
            (Side::Server, &answer),
        ];
        let told = read_all(&Http, &dialogue);
        assert!(told.says(&Fact::request("GET", "/temperature")), "{:?}", told.facts);
        assert!(told.says(&Fact::answer(AnswerKind::Accepted, 205, "2.05")), "{:?}", told.facts);
    }

    #[test]
    fn messages_in_parts_are_put_together_and_long_ones_pass() {
        // "fo", a ping with two bytes in between, "o" as the last part; then 70,000 bytes that nobody needs, and a close with 1008.
        let parts = hex("01 02 666f 89 02 6869 80 01 6f");
        let long = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70][..], &vec![7; 70_000]].concat();
        let stream = [parts, long, hex("88 02 03f0")].concat();
        let mut frames = Frames::default();
        let mut rest = stream.as_slice();
        assert!(matches!(frames.next(&mut rest), Step::Message(text) if text == b"foo"));
        assert!(matches!(frames.next(&mut rest), Step::Message(long) if long.len() == limit::WEBSOCKET_KEPT));
        assert!(matches!(frames.next(&mut rest), Step::Closed(Some(1008), why) if why.is_empty()));
        assert!(matches!(Frames::default().next(&mut b"HTTP/1.1 200".as_slice()), Step::Broken));
    }
}
