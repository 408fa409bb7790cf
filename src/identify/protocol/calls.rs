//! SIP and RTSP: requests and responses in header lines, with media announced in between (RFC 3261, RFC 2326, RFC 7826, RFC 8866).

use std::net::IpAddr;
use std::time::Duration;

use crate::identify::wire::{Held, begins, lines, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::signature::PromiseKind;

use super::{Appetite, Gate, Known, Look, Over, Piece, Reader, Said, Strength};

/// Told by a request line or status line that ends in or begins with `SIP/2.0`.
pub static SIP: Known = Known {
    name: "sip",
    // The version is the same in small letters (RFC 3261 section 7.1).
    over: Over::Either(Gate::BytesAnd(&[b'A'..=b'Z', b'_'..=b'_', b's'..=b's'], |bytes| has_word(bytes, b"sip"))),
    ask: |opening, bytes| match request(bytes, b"SIP/2.0", opening.transport == Transport::TCP, "SIP request line") {
        // A request line that is damaged, before header fields that are not.
        Look::No if opening.is_at(&[5060]) => {
            let asks = SIP_METHODS.iter().any(|method| bytes.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.starts_with(b" sip:")));
            Look::when(asks && memchr::memmem::find(bytes, b"\nVia: SIP/2.0/").is_some(), 8, "SIP method and Via, request line damaged")
        }
        look => look,
    },
    answer: Some(|opening, bytes| status(bytes, b"SIP/2.0 ", opening.transport == Transport::TCP, "SIP status line")),
    strength: Strength::Text,
    reader: || Box::new(Call::of("sip")),
};

/// Told by a request line or status line with `RTSP/`.
pub static RTSP: Known = Known {
    name: "rtsp",
    over: Over::Either(Gate::BytesAnd(&[b'A'..=b'Z', b'_'..=b'_', b'r'..=b'r'], |bytes| has_word(bytes, b"rts"))),
    ask: |opening, bytes| request(bytes, b"RTSP/", opening.transport == Transport::TCP, "RTSP request line"),
    answer: Some(|opening, bytes| status(bytes, b"RTSP/", opening.transport == Transport::TCP, "RTSP status line")),
    strength: Strength::Text,
    reader: || Box::new(Call::of("rtsp")),
};

/// Whether a datagram may begin with a method, which has three letters and more, or with the version.
fn has_word(bytes: &[u8], version: &[u8; 3]) -> bool {
    let head: Option<&[u8; 3]> = bytes.first_chunk();
    head.is_some_and(|head| head.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_') || head.eq_ignore_ascii_case(version))
}

fn request(bytes: &[u8], version: &[u8], stream: bool, rule: &'static str) -> Look {
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    // Whatever follows: a blank ends the method.
    if method > 20 || (method < 3 && bytes.len() > method) || bytes.get(method).is_some_and(|byte| *byte != b' ') {
        return Look::No;
    }
    match memchr::memchr(b'\n', bytes) {
        None if stream && bytes.len() < 1024 => Look::Short,
        None => Look::No,
        Some(end) => {
            let line = bytes.get(..end).unwrap_or_default().trim_ascii_end();
            let mut words = line.rsplitn(2, |byte| *byte == b' ');
            let last = words.next().unwrap_or_default();
            Look::when(last.starts_with(version) && words.next().is_some_and(|rest| rest.get(method) == Some(&b' ')), method as u32, rule)
        }
    }
}

fn status(bytes: &[u8], version: &[u8], stream: bool, rule: &'static str) -> Look {
    if !crate::identify::wire::may_begin(bytes, version) {
        return Look::No;
    }
    match bytes.iter().position(|byte| *byte == b' ').and_then(|at| bytes.get(at + 1..at + 4)) {
        Some(code) => Look::when(code.iter().all(u8::is_ascii_digit), version.len() as u32, rule),
        None if stream && bytes.len() < 16 => Look::Short,
        None => Look::No,
    }
}

/// Reads messages: of a datagram one, of a stream one after the other, each at most [`limit::CALL_MESSAGE`] bytes.
#[derive(Debug)]
struct Call {
    name: &'static str,
    held: [Held; 2],
    /// Bytes of a body still to pass.
    skip: [usize; 2],
    asked: Vec<Asked>,
    answers: u32,
    /// What let the client in, or prepared what it wants, and was not followed by a refusal: said where nothing more comes.
    let_in: Option<(u32, Box<str>, Side)>,
    /// A call was refused that no challenge explains, and none was taken since.
    turned_away: bool,
    served: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Asked {
    sequence: Box<[u8]>,
    step: Step,
}

/// What a request is to whoever wants a call or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Asks what the other end can do, or whether it is there.
    Ability,
    /// Lets in, describes, sets up: to have it is not yet to be served.
    Before,
    /// The call or the stream itself.
    Served,
    /// Good-bye to a stream.
    After,
    /// What is asked besides, and may be unknown to the other end.
    Beside,
    Other,
}

impl Step {
    /// RFC 2326 section 10; RFC 3261, 3903, 6665.
    fn of(name: &str, method: &[u8]) -> Self {
        match (name, method) {
            (_, b"OPTIONS") => Self::Ability,
            ("rtsp", b"DESCRIBE" | b"ANNOUNCE" | b"SETUP") | ("sip", b"REGISTER") => Self::Before,
            ("rtsp", b"PLAY" | b"RECORD") | ("sip", b"INVITE") => Self::Served,
            ("rtsp", b"TEARDOWN") => Self::After,
            ("rtsp", b"PAUSE" | b"GET_PARAMETER" | b"SET_PARAMETER") | ("sip", b"SUBSCRIBE" | b"NOTIFY" | b"PUBLISH") => Self::Beside,
            _ => Self::Other,
        }
    }
}

impl Call {
    fn of(name: &'static str) -> Self {
        Self { name, held: Default::default(), skip: [0; 2], asked: Vec::new(), answers: 0, let_in: None, turned_away: false, served: false }
    }
}

impl Reader for Call {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            let split = memchr::memmem::find(piece.bytes, b"\r\n\r\n").map_or(piece.bytes.len(), |at| at + 4);
            let (head, body) = piece.bytes.split_at_checked(split).unwrap_or((piece.bytes, &[]));
            self.message(head, body, &piece, said);
            return Appetite::Hungry;
        }
        let side = piece.from as usize;
        if piece.missing > 0 {
            self.finish(said);
            return Appetite::Full;
        }
        let mut rest = piece.bytes;
        while !rest.is_empty() {
            let passed = self.skip[side].min(rest.len());
            self.skip[side] -= passed;
            let bytes = rest.get(passed..).unwrap_or_default();
            let room = limit::CALL_MESSAGE.saturating_sub(self.held[side].len());
            let (taken, after) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.held[side].extend_from_slice(taken);
            rest = after;
            if !self.whole_messages(side, &piece, said) {
                self.finish(said);
                return Appetite::Full;
            }
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some((code, text, by)) = &self.let_in {
            said.say(Fact::Answer { kind: AnswerKind::Accepted, code: *code, text: text.clone(), by: *by });
        }
    }
}

impl Call {
    /// Takes whole messages off what is held; false where the stream makes no more sense, or media begins inside it.
    fn whole_messages(&mut self, side: usize, piece: &Piece<'_>, said: &mut Said<'_>) -> bool {
        let held = std::mem::take(&mut self.held[side]);
        let mut rest = held.as_slice();
        loop {
            rest = rest.trim_ascii_start();
            // Interleaved media (RFC 7826 section 14): everything of use was said before.
            if rest.first() == Some(&b'$') {
                return false;
            }
            let Some(head) = memchr::memmem::find(rest, b"\r\n\r\n").map(|at| at + 4) else {
                let room = rest.len() < limit::CALL_MESSAGE;
                self.held[side] = rest.into();
                return room;
            };
            let (head, body) = rest.split_at_checked(head).unwrap_or((rest, &[]));
            let [long, short] = headers(head, [b"content-length", b"l"]);
            let len = long.or(short).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0_usize);
            if body.len() < len && rest.len() < limit::CALL_MESSAGE && len <= limit::CALL_MESSAGE {
                self.held[side] = rest.into();
                return true;
            }
            let (own, after) = body.split_at_checked(len).unwrap_or((body, &[]));
            self.skip[side] = len - own.len();
            self.message(head, own, piece, said);
            if after.is_empty() {
                return true;
            }
            rest = after;
        }
    }

    fn message(&mut self, head: &[u8], body: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return };
        let [sequence, agent, server, transport] = headers(head, [b"cseq", b"user-agent", b"server", b"transport"]);
        let sequence = sequence.unwrap_or_default();
        if first.starts_with(b"SIP/") || first.starts_with(b"RTSP/") {
            self.response(second, words.next().unwrap_or_default(), sequence, piece.from, said);
        } else {
            self.request(first, second, sequence, said);
            if let Some(agent) = agent {
                said.say(Fact::Software { of: piece.from, text: printable(agent) });
            }
        }
        if let Some(server) = server {
            said.say(Fact::Software { of: piece.from, text: printable(server) });
        }
        if let Some(transport) = transport {
            media_of_rtsp(transport, piece, said);
        }
        media_of_sdp(body, piece, MEDIA_WITHIN, said);
    }

    fn request(&mut self, method: &[u8], target: &[u8], sequence: &[u8], said: &mut Said<'_>) {
        let sequence = kept(sequence);
        if self.asked.iter().any(|asked| *asked.sequence == *sequence) && self.name == "sip" {
            if method != b"ACK" {
                said.say(Fact::Retry);
            }
            return;
        }
        if self.asked.len() < limit::QUESTIONS_OPEN {
            self.asked.push(Asked { sequence: sequence.into(), step: Step::of(self.name, method) });
            said.say(Fact::request(&shown(method), &shown(target.split(|byte| *byte == b'?').next().unwrap_or(target))));
        }
    }

    fn response(&mut self, code: &[u8], reason: &[u8], sequence: &[u8], by: Side, said: &mut Said<'_>) {
        // SIP's sequence numbers have the method behind them (RFC 3261 section 20.16).
        let method = sequence.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let mut step = Step::of(self.name, method);
        if let Some(place) = self.asked.iter().rposition(|asked| *asked.sequence == *kept(sequence)) {
            said.believe(Evidence::Dialogue);
            step = self.asked.get(place).map_or(step, |asked| asked.step);
            if code.first() > Some(&b'1') {
                self.asked.swap_remove(place);
            }
        }
        let Some(code) = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()) else { return };
        let kind = match code {
            ..200 => return,
            200..=299 => match self.granted(step) {
                Granted::Nothing => return,
                Granted::Entry => {
                    self.let_in = Some((code, printable(reason), by));
                    return;
                }
                Granted::Service => AnswerKind::Accepted,
            },
            300..=399 => AnswerKind::Redirected,
            // Who was called was reached (RFC 3261 sections 21.4.24 and 21.6), or the caller thought better of it.
            486 | 487 | 600 | 603 if self.name == "sip" && step == Step::Served => AnswerKind::Accepted,
            // Who is let in is asked for the password again and again, which says nothing of the call that was refused.
            401 | 407 if self.turned_away && step != Step::Served => return,
            _ if self.is_everyday(step, code) => return,
            500..=599 => AnswerKind::Failed,
            _ => AnswerKind::Refused,
        };
        let refuses = matches!(kind, AnswerKind::Refused | AnswerKind::Failed);
        // A challenge is the beginning of a login (RFC 3261 section 22).
        self.turned_away = refuses && (self.turned_away || step == Step::Served && self.name == "sip" && !matches!(code, 401 | 407));
        self.let_in = None;
        self.answers = self.answers.saturating_add(1);
        // Whether anything was granted is told however late it was.
        if self.answers <= limit::CALL_ANSWERS || !refuses && !self.served {
            said.say(Fact::Answer { kind, code, text: printable(reason), by });
        }
        self.served |= !refuses;
    }

    /// What a success grants: what an RTSP server can do it tells everybody (RFC 2326 section 10.1), and good-byes are heard by all.
    fn granted(&self, step: Step) -> Granted {
        match (step, self.name) {
            (Step::Ability, "rtsp") | (Step::After, _) => Granted::Nothing,
            (Step::Beside, "rtsp") | (Step::Served | Step::Other, _) => Granted::Service,
            // Who is let in, and whose call is refused, is let in as before.
            _ if self.served || self.turned_away => Granted::Nothing,
            // Whoever is refused may still be told that somebody is there.
            (Step::Ability, _) if self.answers > 0 => Granted::Nothing,
            _ => Granted::Entry,
        }
    }

    /// Refusals that say nothing about the service: good-byes to what is gone, questions besides where the client was let in, and then numbers that nobody has.
    fn is_everyday(&self, step: Step, code: u32) -> bool {
        match step {
            Step::After => true,
            Step::Ability | Step::Beside => self.let_in.is_some(),
            Step::Served => self.name == "sip" && self.let_in.is_some() && matches!(code, 404 | 410 | 480 | 481 | 484 | 485 | 491),
            _ => false,
        }
    }
}

/// What a success is worth.
enum Granted {
    Nothing,
    Entry,
    Service,
}

/// What is kept of a sequence number, to know it again: a number and a method.
fn kept(sequence: &[u8]) -> &[u8] {
    sequence.get(..limit::TEXT_KEPT).unwrap_or(sequence)
}

/// The values of the first header lines of these names, which are compared without case.
fn headers<'a, const N: usize>(head: &'a [u8], names: [&[u8]; N]) -> [Option<&'a [u8]>; N] {
    let mut values = [None; N];
    for line in lines(head).skip(1) {
        let letter = line.first().map(u8::to_ascii_lowercase);
        let is_wanted = |name: &[u8], value: &Option<_>| value.is_none() && name.first().map(u8::to_ascii_lowercase) == letter;
        for (name, value) in names.iter().zip(&mut values).filter(|(name, value)| is_wanted(name, value)) {
            let rest = Some(line).filter(|line| begins(line, name)).and_then(|line| line.get(name.len()..));
            // Blanks may stand before the colon (RFC 3261 section 7.3.1).
            *value = rest.and_then(|rest| rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii));
        }
    }
    values
}

/// `c=IN IP4 address`, then `m=kind port ...`: whoever sends this accepts media there (RFC 8866 sections 5.7 and 5.14), and its control messages at the
/// next port or where `a=rtcp:` says (RFC 3605). Behind address translation the address is not the one that peers use: then the sender's is announced, too.
pub(super) fn media_of_sdp(body: &[u8], piece: &Piece<'_>, lasts: Duration, said: &mut Said<'_>) {
    let sender = piece.sender().ip;
    let (mut session, mut place, mut port) = (sender, sender, None);
    let (mut ports, mut control_ports): (Vec<(Endpoint, bool)>, Vec<Endpoint>) = Default::default();
    // Media go both ways where nothing else is said, of all or of one of them (RFC 8866 section 6.7).
    let (mut all_both, mut both) = (true, true);
    for line in body.split(|byte| *byte == b'\n').chain([b"m=".as_slice()]) {
        let text = std::str::from_utf8(line.trim_ascii_end()).unwrap_or_default();
        if let Some(connection) = text.strip_prefix("c=IN ") {
            let address = connection.split(' ').nth(1).and_then(|text| text.split('/').next()?.parse().ok());
            place = address.filter(|ip: &IpAddr| !ip.is_unspecified()).unwrap_or(sender);
            if port.is_none() {
                session = place;
            }
        } else if let Some(media) = text.strip_prefix("m=") {
            ports.extend(port.map(|port| (Endpoint { ip: place, port }, both)));
            (place, both) = (session, all_both);
            port = media.split(' ').nth(1).and_then(|text| text.split('/').next()?.parse().ok()).filter(|port| *port > 0);
        } else if let Some(control) = text.strip_prefix("a=rtcp:") {
            let port = control.split(' ').next().and_then(|text| text.parse().ok()).filter(|port| *port > 0);
            control_ports.extend(port.map(|port| Endpoint { ip: place, port }));
        } else if let "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive" = text {
            both = text == "a=sendrecv";
            all_both = if port.is_none() && ports.is_empty() { both } else { all_both };
        }
    }
    let seen = |place: Endpoint| std::iter::once(place).chain((place.ip != sender && !is_group(place.ip)).then_some(Endpoint { ip: sender, ..place }));
    for (place, both_ways) in ports.into_iter().take(limit::MEDIA_KEPT) {
        for server in seen(place) {
            said.promise_media(piece, server, both_ways, lasts);
            control(server, None, lasts, piece, said);
        }
    }
    for server in control_ports.into_iter().take(limit::MEDIA_KEPT).flat_map(seen) {
        said.promise(piece, PromiseKind::Media, Transport::UDP, server, None, lasts);
    }
}

/// `client_port=a-b;server_port=c-d` (RFC 2326 section 12.39).
fn media_of_rtsp(transport: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) {
    let Ok(text) = std::str::from_utf8(transport) else { return };
    let find = |name: &str| text.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.split('-').next()?.parse::<u16>().ok());
    if let Some(port) = find("client_port=") {
        promise(Endpoint { ip: piece.ends.client.ip, port }, Some(piece.ends.server.ip), MEDIA_WITHIN, piece, said);
    }
    if let Some(port) = find("server_port=") {
        promise(Endpoint { ip: piece.ends.server.ip, port }, Some(piece.ends.client.ip), MEDIA_WITHIN, piece, said);
    }
}

/// Media at this port, and its control at the next one.
fn promise(server: Endpoint, client: Option<IpAddr>, lasts: Duration, piece: &Piece<'_>, said: &mut Said<'_>) {
    said.promise(piece, PromiseKind::Media, Transport::UDP, server, client, lasts);
    control(server, client, lasts, piece, said);
}

/// The control of media at this port.
fn control(media: Endpoint, client: Option<IpAddr>, lasts: Duration, piece: &Piece<'_>, said: &mut Said<'_>) {
    if media.port != 0 {
        said.promise(piece, PromiseKind::Media, Transport::UDP, Endpoint { port: media.port.saturating_add(1), ..media }, client, lasts);
    }
}

/// RFC 3261 section 7.1, RFC 3262, 3265, 3311, 3428, 3903, 6086.
const SIP_METHODS: &[&str] = &["INVITE", "REGISTER", "OPTIONS", "ACK", "BYE", "CANCEL", "SUBSCRIBE", "NOTIFY", "MESSAGE", "INFO", "PRACK", "UPDATE", "PUBLISH"];
/// Media begins when the call is taken, which may ring for minutes.
const MEDIA_WITHIN: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::net::Side::{Client, Server};

    const INVITE: &[u8] = b"INVITE sip:bob@biloxi.com SIP/2.0\r\nCSeq: 1 INVITE\r\nUser-Agent: phone\r\nContent-Length: 54\r\n\r\nv=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 49170 RTP/AVP 0 8\r\n\r\n";
    const REFUSED: &[u8] = b"SIP/2.0 488 Not Acceptable Here\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";

    fn promised(facts: &[Fact]) -> Vec<String> {
        let told = |fact: &Fact| if let Fact::Promise(promise) = fact { Some(promise.server.to_string()) } else { None };
        facts.iter().filter_map(told).collect()
    }

    /// The kinds and codes of what is told of a dialogue: each answer to a request with that first line.
    fn told(known: &'static Known, dialogue: &[(&str, &str)]) -> Vec<(AnswerKind, u32)> {
        let version = if known.name == "sip" { "SIP/2.0" } else { "RTSP/1.0" };
        let whole = |number: usize, ask: &str, answer: &str| {
            let method = ask.split(' ').next().unwrap_or_default();
            let sequence = if known.name == "sip" { format!("{number} {method}") } else { number.to_string() };
            let fields = format!("\r\nCSeq: {sequence}\r\nContent-Length: 0\r\n\r\n");
            [format!("{ask} {version}{fields}"), format!("{version} {answer}{fields}")]
        };
        let all: Vec<[String; 2]> = dialogue.iter().enumerate().map(|(number, (ask, answer))| whole(number + 1, ask, answer)).collect();
        let pieces: Vec<(Side, &[u8])> = all.iter().flat_map(|[ask, answer]| [(Client, ask.as_bytes()), (Server, answer.as_bytes())]).collect();
        survives(known, Transport::TCP, 5060, &pieces);
        let facts = read(known, Transport::TCP, 5060, &pieces).facts;
        facts.iter().filter_map(|fact| if let Fact::Answer { kind, code, .. } = fact { Some((*kind, *code)) } else { None }).collect()
    }

    // ffmpeg, rtspsrc and GStreamer's server, which has only TCP for its media, or a session for one client alone
    #[test]
    fn a_described_stream_that_is_not_set_up_or_not_played_is_refused() {
        use AnswerKind::{Accepted, Failed, Refused};
        let begins = [("OPTIONS rtsp://a/b", "200 OK"), ("DESCRIBE rtsp://a/b", "401 Unauthorized"), ("DESCRIBE rtsp://a/b", "200 OK")];
        let goes_on = |rest: &[(&'static str, &'static str)]| told(&RTSP, &[&begins[..], rest].concat()).split_off(1);
        assert_eq!(goes_on(&[]), [(Accepted, 200)]);
        assert_eq!(goes_on(&[("SETUP rtsp://a/b", "461 Unsupported transport")]), [(Refused, 461)]);
        assert_eq!(goes_on(&[("SETUP rtsp://a/b", "461 Unsupported transport"), ("TEARDOWN rtsp://a/b", "454 Session Not Found")]), [(Refused, 461)]);
        assert_eq!(
            goes_on(&[("SETUP rtsp://a/b", "200 OK"), ("PLAY rtsp://a/b", "503 Service Unavailable"), ("TEARDOWN rtsp://a/b", "200 OK")]),
            [(Failed, 503)]
        );
        // Over TCP then, as clients try what servers have.
        let at_last = [("SETUP rtsp://a/b", "461 Unsupported transport"), ("SETUP rtsp://a/b", "200 OK"), ("PLAY rtsp://a/b", "200 OK")];
        assert_eq!(goes_on(&at_last).last(), Some(&(Accepted, 200)));
        // What a server need not know is asked besides.
        assert_eq!(goes_on(&[("SETUP rtsp://a/b", "200 OK"), ("GET_PARAMETER rtsp://a/b", "451 Parameter Not Understood")]), [(Accepted, 200)]);
        assert_eq!(goes_on(&[("SETUP rtsp://a/b", "200 OK"), ("PLAY rtsp://a/b", "200 OK"), ("PAUSE rtsp://a/b", "501 Not Implemented")])[0], (Accepted, 200));
    }

    // RFC 3261 sections 21.4.24 and 21.6: "the callee's end system was contacted successfully"
    #[test]
    fn a_call_that_reached_who_was_called_is_served_and_one_that_the_service_refuses_to_a_registered_phone_is_not() {
        use AnswerKind::{Accepted, Failed, Refused};
        let register = [("REGISTER sip:a", "401 Unauthorized"), ("REGISTER sip:a", "200 OK")];
        let goes_on = |rest: &[(&'static str, &'static str)]| told(&SIP, &[&register[..], rest].concat()).split_off(1);
        assert_eq!(goes_on(&[]), [(Accepted, 200)]);
        for reached in ["486 Busy Here", "487 Request Terminated", "600 Busy Everywhere", "603 Decline"] {
            assert_eq!(told(&SIP, &[("INVITE sip:b@a", reached)])[0].0, Accepted);
        }
        assert_eq!(goes_on(&[("INVITE sip:b@a", "503 Service Unavailable")]), [(Failed, 503)]);
        let later = [("INVITE sip:b@a", "403 Forbidden"), ("REGISTER sip:a", "401 Unauthorized"), ("REGISTER sip:a", "200 OK"), ("OPTIONS sip:a", "200 OK")];
        assert_eq!(goes_on(&later), [(Refused, 403)]);
        // A number that nobody has, and events that the server does not know.
        assert_eq!(goes_on(&[("INVITE sip:none@a", "404 Not Found"), ("SUBSCRIBE sip:a", "489 Bad Event")]), [(Accepted, 200)]);
        assert_eq!(goes_on(&[("INVITE sip:b@a", "403 Forbidden"), ("INVITE sip:c@a", "200 OK")]).last(), Some(&(Accepted, 200)));
        assert_eq!(told(&SIP, &[("OPTIONS sip:a", "200 OK"), ("REGISTER sip:a", "403 Forbidden"), ("OPTIONS sip:a", "200 OK")]), [(Refused, 403)]);
        // However long it took.
        let tries = [&[("REGISTER sip:a", "401 Unauthorized"); 20][..], &[("REGISTER sip:a", "200 OK")]].concat();
        assert_eq!(told(&SIP, &tries).last(), Some(&(Accepted, 200)));
    }

    #[test]
    fn an_invitation_announces_its_media_and_may_be_refused() {
        assert_eq!(evidence(decide(&SIP, Transport::UDP, 5060, INVITE, REFUSED)), Evidence::BothOpenings);
        let heard = read(&SIP, Transport::UDP, 5060, &[(Client, INVITE), (Server, REFUSED)]);
        // Whoever sends this is 10.0.0.1, so a translator may stand between: both addresses may be meant.
        assert_eq!(promised(&heard.facts), ["192.0.2.9:49170", "192.0.2.9:49171", "10.0.0.1:49170", "10.0.0.1:49171"]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 488, "Not Acceptable Here")));
        survives(&SIP, Transport::UDP, 5060, &[(Client, INVITE), (Server, REFUSED)]);
        survives(&SIP, Transport::TCP, 5060, &[(Client, INVITE), (Server, REFUSED)]);
    }

    #[test]
    fn a_set_up_stream_announces_both_ports() {
        // RFC 2326 section 14.1.
        let setup = b"SETUP rtsp://example.com/twister RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/UDP;unicast;client_port=3056-3057\r\n\r\n";
        let ok = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nTransport: RTP/AVP/UDP;unicast;client_port=3056-3057;server_port=5000-5001\r\n\r\n";
        let dialogue: &[(Side, &[u8])] = &[(Client, setup), (Server, ok)];
        assert_eq!(evidence(decide(&RTSP, Transport::TCP, 554, setup, ok)), Evidence::BothOpenings);
        let heard = read(&RTSP, Transport::TCP, 554, dialogue);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        assert!(promised(&heard.facts).ends_with(&["10.0.0.2:5000".into(), "10.0.0.2:5001".into()]), "{:?}", heard.facts);
        survives(&RTSP, Transport::TCP, 554, dialogue);
    }

    // ffmpeg with a wrong password, and for a stream that is not there, at GStreamer's server
    #[test]
    fn what_a_server_can_do_is_no_answer_to_who_wants_to_be_served() {
        let told = |second: &[u8], answer: &[u8]| {
            let (options, able) =
                (b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n".as_slice(), b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n".as_slice());
            read(&RTSP, Transport::TCP, 554, &[(Client, options), (Server, able), (Client, second), (Server, answer)]).facts
        };
        let describe = b"DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 2\r\n\r\n";
        let kinds = |facts: Vec<Fact>| {
            facts.iter().filter_map(|fact| if let Fact::Answer { kind, code, .. } = fact { Some((*kind, *code)) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(kinds(told(describe, b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n\r\n")), [(AnswerKind::Refused, 401)]);
        assert_eq!(kinds(told(describe, b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n")), [(AnswerKind::Accepted, 200)]);
    }

    #[test]
    fn more_messages_than_are_held_at_once_are_read_one_after_the_other() {
        let call = |n: u32| format!("OPTIONS sip:{n}@example.com SIP/2.0\r\nCSeq: {n} OPTIONS\r\nContent-Length: 0\r\n\r\n");
        let all: String = (1..=limit::QUESTIONS_OPEN as u32).map(call).collect::<String>() + &"x".repeat(limit::CALL_MESSAGE);
        let heard = read(&SIP, Transport::TCP, 5060, &[(Client, all.as_bytes())]);
        assert_eq!(heard.facts.iter().filter(|fact| matches!(fact, Fact::Request { .. })).count(), limit::QUESTIONS_OPEN);
        let body = [b"INFO sip:a@b SIP/2.0\r\nCSeq: 7 INFO\r\nContent-Length: 9000\r\n\r\n".as_slice(), &[b'x'; 9000], INVITE].concat();
        let heard = read(&SIP, Transport::TCP, 5060, &[(Client, &body)]);
        assert_eq!(promised(&heard.facts).len(), 4, "the message behind a long body: {:?}", heard.facts);
    }

    #[test]
    fn a_sequence_of_kilobytes_is_not_kept_whole() {
        let mut call = Call::of("sip");
        let mut facts = Vec::new();
        call.request(b"OPTIONS", b"sip:a", &[b'7'; 60_000], &mut Said { facts: &mut facts, evidence: &mut Evidence::None, details: None });
        assert!(call.asked[0].sequence.len() <= limit::TEXT_KEPT);
    }

    #[test]
    fn control_messages_at_a_port_of_their_own_and_media_at_a_group_are_announced() {
        // RFC 3605 section 2.1; RFC 8866 section 5.7.
        let told = |body: &str| {
            let invite = format!("INVITE sip:b@c SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            promised(&read(&SIP, Transport::UDP, 5060, &[(Client, invite.as_bytes())]).facts)
        };
        let own = told("v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 49170 RTP/AVP 0\r\na=rtcp:53020\r\n");
        assert_eq!(own, ["10.0.0.1:49170", "10.0.0.1:49171", "10.0.0.1:53020"]);
        assert_eq!(told("v=0\r\nc=IN IP4 224.2.1.1/127\r\nm=video 5004 RTP/AVP 31\r\n"), ["224.2.1.1:5004", "224.2.1.1:5005"]);
    }

    // RFC 8866 section 6.7: sendrecv is the default; of all media, or of one.
    #[test]
    fn media_are_announced_both_ways_where_the_description_does_not_say_otherwise() {
        let told = |body: &str| {
            let invite = format!("INVITE sip:b@c SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let facts = read(&SIP, Transport::UDP, 5060, &[(Client, invite.as_bytes())]).facts;
            let both = |fact: &Fact| if let Fact::Promise(promise) = fact { Some((promise.server.port, promise.both_ways)) } else { None };
            facts.iter().filter_map(both).filter(|(port, _)| port % 2 == 0).collect::<Vec<_>>()
        };
        let (audio, video) = ("m=audio 49170 RTP/AVP 0\r\n", "m=video 49180 RTP/AVP 31\r\n");
        assert_eq!(told(&format!("v=0\r\n{audio}{video}")), [(49170, true), (49180, true)]);
        assert_eq!(told(&format!("v=0\r\n{audio}a=recvonly\r\n{video}")), [(49170, false), (49180, true)]);
        assert_eq!(told(&format!("v=0\r\na=sendonly\r\n{audio}{video}a=sendrecv\r\n")), [(49170, false), (49180, true)]);
    }

    #[test]
    fn a_stream_to_port_0_is_not_announced() {
        let setup = b"SETUP rtsp://a/b RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/UDP;unicast;client_port=0-1\r\n\r\n";
        assert!(promised(&read(&RTSP, Transport::TCP, 554, &[(Client, setup)]).facts).is_empty());
    }

    #[test]
    fn http_and_ssdp_are_neither() {
        for line in [b"GET / HTTP/1.1\r\n".as_slice(), b"NOTIFY * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"] {
            assert_eq!(evidence(decide(&SIP, Transport::TCP, 5060, line, &[])), Evidence::None);
            assert_eq!(evidence(decide(&RTSP, Transport::TCP, 554, line, &[])), Evidence::None);
        }
    }

    #[test]
    fn a_damaged_request_line_is_told_by_what_follows_it_at_its_port() {
        // The shared capture "fuzz-2006-06-26-2594", frame 223, shortened.
        let invite = b"INVITE sip:97239@voip.brujula.net SIP/a.0\x84\nVia: SIP/2.0/UDP 192.168.1.2:5060\r\n\r\n";
        assert_eq!(evidence(decide(&SIP, Transport::UDP, 5060, invite, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&SIP, Transport::UDP, 9999, invite, &[])), Evidence::None);
        assert_eq!(evidence(decide(&SIP, Transport::UDP, 5060, b"INVITE sip:a@b SIP/a.0\r\nVia: HTTP/1.1\r\n\r\n", &[])), Evidence::None);
    }
}
