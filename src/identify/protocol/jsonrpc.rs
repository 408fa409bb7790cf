//! JSON-RPC straight over TCP (jsonrpc.org specification 2.0): objects one after the other, or behind `Content-Length` as language servers send them
//! (Language Server Protocol, "Base Protocol"). Inside HTTP and WebSocket their readers name it.

use serde_json::Value;

use crate::identify::wire::{Held, hold, may_begin, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a whole object with `"jsonrpc": "2.0"` and a call or a result; of version 1.0, by a call and a result.
pub static JSONRPC: Known =
    Known { name: "jsonrpc", over: Over::Streams, ask: look, answer: None, strength: Strength::Text, reader: || Box::new(Calls::default()) };

fn look(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match first(bytes) {
        First::None => Look::No,
        First::Short if bytes.len() >= limit::JSONRPC_KEPT => Look::No,
        First::Short => Look::Short,
        First::Object(at, object) => {
            let has = |field: &str| object.get(field).is_some();
            let calls = object.get("method").is_some_and(Value::is_string);
            let answers = has("id") && (has("result") || has("error"));
            let rule = if calls { "JSON-RPC call" } else { "JSON-RPC result" };
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match object.get("jsonrpc").and_then(Value::as_str) {
                Some("2.0") if calls || answers => Look::Yes(at, 1, rule),
                None if calls && has("params") && has("id") || answers && has("result") && has("error") => Look::Weak(at, 1, rule),
                _ => Look::No,
            }
        }
    }
}

/// What stands at the start of some bytes.
enum First {
    /// No object.
    None,
    /// Perhaps one, of which more must come.
    Short,
    /// An object, and where it begins. Of a batch, its first.
    Object(usize, Value),
}

fn first(bytes: &[u8]) -> First {
    let Some(at) = body_at(bytes) else { return if may_begin(bytes, HEADER) { First::Short } else { First::None } };
    let body = bytes.get(at..).unwrap_or_default();
    match body.trim_ascii_start().first() {
        None => return First::Short,
        Some(b'{' | b'[') => {}
        Some(_) => return First::None,
    }
    match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
        Some(Ok(object @ Value::Object(_))) => First::Object(at, object),
        Some(Ok(Value::Array(batch))) => batch.into_iter().next().filter(Value::is_object).map_or(First::None, |object| First::Object(at, object)),
        Some(Err(error)) if error.is_eof() => First::Short,
        _ => First::None,
    }
}

/// Where the first object begins: at once, or behind header fields of which the first is its length.
fn body_at(bytes: &[u8]) -> Option<usize> {
    if !may_begin(bytes, HEADER) {
        return Some(0);
    }
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// Reads the first call and the first result.
#[derive(Debug, Default)]
struct Calls {
    held: [Held; 2],
    told: [bool; 2],
}

impl Reader for Calls {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = piece.from as usize;
        if self.told[side] {
            return Appetite::Hungry;
        }
        let room = hold(&mut self.held[side], piece.bytes, limit::JSONRPC_KEPT);
        match first(&self.held[side]) {
            First::Object(_, object) => {
                self.told[side] = true;
                self.held[side] = Held::new();
                tell(&object, piece.from, said);
            }
            First::Short if room > piece.bytes.len() && piece.missing == 0 => {}
            First::Short | First::None => return Appetite::Full,
        }
        if self.told != [true, true] {
            return Appetite::Hungry;
        }
        said.believe(Evidence::BothOpenings);
        Appetite::Full
    }
}

fn tell(object: &Value, from: Side, said: &mut Said<'_>) {
    if let Some(method) = object.get("method").and_then(Value::as_str) {
        said.say(Fact::request("jsonrpc", &shown(method.as_bytes())));
    } else if let Some(error) = object.get("error").filter(|error| error.is_object()) {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
        let text = format!("{code} {}", error.get("message").and_then(Value::as_str).unwrap_or_default());
        said.believe(Evidence::Dialogue);
        // Codes are negative (section 5.1); the text has them.
        said.say(Fact::Answer { kind: AnswerKind::Refused, code: 0, text: printable(text.as_bytes()), by: from });
    } else {
        said.believe(Evidence::Dialogue);
        said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 0, text: "result".into(), by: from });
    }
}

const HEADER: &[u8] = b"Content-Length: ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// Examples of the specification, section 7.
    const CALL: &[u8] = br#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#;
    const REFUSED: &[u8] = br#"{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}"#;

    #[test]
    fn a_call_and_its_error_are_told() {
        assert_eq!(evidence(decide(&JSONRPC, Transport::TCP, 5321, CALL, REFUSED)), Evidence::BothOpenings);
        let dialogue: &[(Side, &[u8])] = &[(Client, CALL), (Server, REFUSED)];
        let heard = read(&JSONRPC, Transport::TCP, 5321, dialogue);
        assert!(heard.facts.contains(&Fact::request("jsonrpc", "subtract")));
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 0, "-32601 Method not found")));
        survives(&JSONRPC, Transport::TCP, 5321, dialogue);
        prefixes_never_match_anything_else("jsonrpc", Transport::TCP, CALL, REFUSED);
    }

    #[test]
    fn batches_and_counted_messages_are_told_too() {
        let batch = [b"[".as_slice(), CALL, b"]"].concat();
        let counted = [format!("Content-Length: {}\r\n\r\n", CALL.len()).as_bytes(), CALL].concat();
        for bytes in [batch, counted] {
            assert_eq!(evidence(decide(&JSONRPC, Transport::TCP, 50_001, &bytes, b"")), Evidence::OneOpening);
        }
    }

    #[test]
    fn other_json_is_no_call_and_version_1_needs_its_result() {
        for text in [br#"{"hello": 1}"#.as_slice(), br#"{"jsonrpc": "2.0"}"#, br#"{"jsonrpc": "2.0", "method": 7, "id": 1}"#, b"{{{{", b"[1,2]"] {
            assert_eq!(evidence(decide(&JSONRPC, Transport::TCP, 50_001, text, b"")), Evidence::None);
        }
        let (call, result) = (br#"{"method":"mining.subscribe","params":[],"id":1}"#, br#"{"id":1,"result":[],"error":null}"#);
        assert_eq!(evidence(decide(&JSONRPC, Transport::TCP, 50_001, call, b"")), Evidence::None);
        assert_eq!(evidence(decide(&JSONRPC, Transport::TCP, 50_001, call, result)), Evidence::BothOpenings);
    }
}
