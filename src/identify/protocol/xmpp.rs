//! XMPP streams (RFC 6120).

use memchr::memmem;

use crate::identify::wire::{Held, hold, host_name, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a stream header of the Jabber name spaces.
pub static XMPP: Known = Known { name: "xmpp", over: Over::Streams, ask: look, answer: None, strength: Strength::Text, reader: || Box::new(Stream::default()) };

fn look(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let text = bytes.trim_ascii_start();
    if !may_begin(text, b"<?xml") && !may_begin(text, b"<stream:stream") {
        return Look::No;
    }
    let header = memmem::find(text, b"<stream:stream");
    let jabber = header.is_some() && (memmem::find(text, b"jabber:").is_some() || memmem::find(text, b"etherx.jabber.org").is_some());
    match (jabber, text.len() < 1024) {
        (true, _) => Look::Yes(0, 14, "XMPP stream header"),
        (false, true) if header.is_some_and(|at| text.get(at..).is_some_and(|tag| tag.contains(&b'>'))) => Look::No,
        (false, true) => Look::Short,
        (false, false) => Look::No,
    }
}

/// Reads who is called, whether the stream is to be encrypted, and errors.
#[derive(Debug, Default)]
struct Stream {
    held: [Held; 2],
    named: bool,
    /// Behind the last login that failed, in the server's stream, and why: another password may be tried (RFC 6120 section 6.4.5).
    failed: Option<(usize, Box<str>)>,
}

impl Reader for Stream {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = piece.from as usize;
        let held = &mut self.held[side];
        hold(held, piece.bytes, limit::XMPP_KEPT);
        if piece.missing > 0 || held.len() >= limit::XMPP_KEPT {
            // What is not there may have let the client in.
            self.failed = None;
            return Appetite::Full;
        }
        let [client, server] = &self.held;
        if !self.named
            && let Some(to) = attribute(client, b"to=")
        {
            self.named = true;
            if let Some(name) = host_name(to) {
                said.say(Fact::Name { of: Side::Server, name, source: NameSource::Host });
            }
        }
        if !server.is_empty() && !client.is_empty() {
            said.believe(Evidence::BothOpenings);
        }
        // Offsets are those of the bytes held, which begin with the stream.
        let proceed = memmem::find(server, b"<proceed").and_then(|at| end_of_tag(server, at));
        let starttls = memmem::find(client, b"<starttls").and_then(|at| end_of_tag(client, at));
        if let (Some(server), Some(client)) = (proceed, starttls) {
            said.believe(Evidence::Dialogue);
            return Appetite::HandOver { client, server };
        }
        let known = self.failed.as_ref().map_or(0, |(behind, _)| *behind);
        let news = server.get(known..).unwrap_or_default();
        if memmem::find(news, b"<success").is_some() {
            said.believe(Evidence::Dialogue);
            self.failed = None;
            return Appetite::Full;
        }
        for (tag, end) in [(&b"<stream:error"[..], &b"</stream:error>"[..]), (b"<failure", b"</failure>")] {
            let (start, close) = (memmem::find(news, tag), memmem::find(news, end));
            if let (Some(start), Some(close)) = (start, close) {
                let text = printable(news.get(start..close).and_then(condition).unwrap_or_default());
                // A failure ends the attempt, an error the stream (RFC 6120 section 4.9.1.1).
                if tag == b"<failure" {
                    self.failed = Some((known + close + end.len(), text));
                    break;
                }
                self.failed = None;
                said.say(Fact::answer(AnswerKind::Refused, 0, text));
                return Appetite::Full;
            }
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some((_, text)) = &self.failed {
            said.say(Fact::answer(AnswerKind::Refused, 0, text.clone()));
        }
    }
}

/// The name of the first element inside an element: `host-unknown`, `not-authorized`.
fn condition(element: &[u8]) -> Option<&[u8]> {
    let inner = element.get(element.iter().position(|byte| *byte == b'>')? + 1..)?.trim_ascii_start().strip_prefix(b"<")?;
    let end = inner.iter().position(|byte| matches!(byte, b' ' | b'/' | b'>'))?;
    inner.get(..end)
}

fn attribute<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let padded = [b" ", name].concat();
    let value = bytes.get(memmem::find(bytes, &padded)? + padded.len()..)?;
    let quote = *value.first()?;
    let value = value.get(1..)?;
    value.get(..value.iter().position(|byte| *byte == quote)?)
}

/// The offset behind an empty or a closed element that begins here.
fn end_of_tag(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == b'>')? + 1;
    if rest.get(end.checked_sub(2)?) == Some(&b'/') {
        return Some((at + end) as u64);
    }
    let close = memmem::find(rest, b"</")?;
    let end = rest.get(close..)?.iter().position(|byte| *byte == b'>')? + 1;
    Some((at + close + end) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// RFC 6120 section 9.1, shortened.
    const HELLO: &[u8] = b"<stream:stream from='j@im.example.com' to='im.example.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    const START: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    const PROCEED: &[u8] = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

    #[test]
    fn starttls_hands_over_behind_proceed() {
        let dialogue: &[(Side, &[u8])] = &[(Client, HELLO), (Server, HELLO), (Client, START), (Server, PROCEED)];
        assert_eq!(evidence(decide(&XMPP, Transport::TCP, 5222, HELLO, HELLO)), Evidence::BothOpenings);
        let heard = read(&XMPP, Transport::TCP, 5222, dialogue);
        assert_eq!(heard.appetite, Appetite::HandOver { client: (HELLO.len() + START.len()) as u64, server: (HELLO.len() + PROCEED.len()) as u64 });
        assert!(heard.facts.contains(&Fact::Name { of: Server, name: "im.example.com".into(), source: NameSource::Host }));
        survives(&XMPP, Transport::TCP, 5222, dialogue);
    }

    // A client of prosody that asks for the password again
    #[test]
    fn a_login_that_fails_may_be_tried_again_in_the_same_stream() {
        let kinds = |answers: &[&[u8]]| {
            let dialogue: Vec<(Side, &[u8])> = [(Client, HELLO), (Server, HELLO)].into_iter().chain(answers.iter().map(|bytes| (Server, *bytes))).collect();
            survives(&XMPP, Transport::TCP, 5222, &dialogue);
            let facts = read(&XMPP, Transport::TCP, 5222, &dialogue).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { kind, text, .. } = fact { Some((*kind, text.to_string())) } else { None }).collect::<Vec<_>>()
        };
        let refused = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>".as_slice();
        let closed = b"<stream:error><policy-violation xmlns='x'/></stream:error>".as_slice();
        let let_in = b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".as_slice();
        let no = |text: &str| (AnswerKind::Refused, text.to_owned());
        assert!(kinds(&[refused, let_in]).is_empty());
        assert_eq!(kinds(&[refused, refused, closed]), [no("policy-violation")]);
        assert_eq!(kinds(&[refused]), [no("not-authorized")]);
    }

    #[test]
    fn a_stream_error_refuses_and_other_xml_is_no_xmpp() {
        let error = b"<stream:error><host-unknown xmlns='x'/></stream:error>";
        let heard = read(&XMPP, Transport::TCP, 5222, &[(Client, HELLO), (Server, error)]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 0, "host-unknown")));
        assert_eq!(evidence(decide(&XMPP, Transport::TCP, 5222, b"<?xml version='1.0'?><soap:Envelope>", b"")), Evidence::None);
    }
}
