//! Two sides that speak different protocols, told by how each begins: HTTP at the port of SSH, TLS where a server greets in clear.

use crate::identify::wire::printable;
use crate::identify::{AnswerKind, Begun, Fact, Spoken};
use crate::limit;

/// Stands for the code of a refusal where the server speaks another protocol than the client: no protocol has it.
pub const ANOTHER_PROTOCOL: u32 = u32::MAX;
/// The same of a client that speaks TLS.
pub const IN_CLEAR: u32 = u32::MAX - 1;

/// What a side can be told by from its first bytes alone, and that no working dialogue mixes with another of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    /// A request line of HTTP/1 or of its kin, or a status line (RFC 9112 sections 3 and 4).
    Http,
    /// The preface of HTTP/2, or its first frame (RFC 9113 section 3.4).
    Http2,
    /// A record (RFC 8446 section 5.1).
    Tls,
    /// A version line (RFC 4253 section 4.2).
    Ssh,
    /// A server's greeting in a line: FTP, SMTP, POP3 or IMAP (RFC 959 section 5.4, RFC 5321 section 4.2, RFC 1939 section 4, RFC 9051 section 7.1.1).
    Greeting,
    /// MySQL's handshake, version 10, as first packet of a connection.
    Mysql,
    /// RFB's version (RFC 6143 section 7.1.1).
    Rfb,
}

/// States the refusal that it comes to where the two sides of a stream speak different protocols. Who reads TLS has said so himself.
pub(super) fn tell(spoken: &mut Spoken) {
    if spoken.protocol.first() == Some(&"tls") {
        return;
    }
    if let Some(fact) = told_apart(&spoken.opening) {
        spoken.facts.push(fact);
    }
}

/// The refusal, where client and server of a stream, whose beginnings these are, speak different protocols; its text is how the server began.
fn told_apart([client, server]: &[Begun; 2]) -> Option<Fact> {
    let (asks, answers) = (asks(client)?, answers(server)?);
    let code = if asks == Tongue::Tls { IN_CLEAR } else { ANOTHER_PROTOCOL };
    let text = match answers {
        Tongue::Tls => "TLS".into(),
        Tongue::Mysql => "MySQL".into(),
        Tongue::Http2 => "HTTP/2".into(),
        _ => printable(first_line(server)),
    };
    (asks != answers).then_some(Fact::answer(AnswerKind::Refused, code, text))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    line.get(..limit::FOREIGN_LINE).unwrap_or(line)
}

/// A client that begins so speaks this, and waits for no greeting of another protocol.
fn asks(bytes: &[u8]) -> Option<Tongue> {
    match bytes {
        // A handshake record with a ClientHello.
        [22, 3, 0..=4, _, _, 1, ..] => Some(Tongue::Tls),
        [b'S', b'S', b'H', b'-', b'1' | b'2', b'.', ..] => Some(Tongue::Ssh),
        [b'P', b'R', b'I', b' ', b'*', b' ', b'H', b'T', b'T', b'P', b'/', b'2', ..] => Some(Tongue::Http2),
        _ => {
            let line = METHODS.iter().find_map(|method| bytes.strip_prefix(*method))?;
            // A path or a whole address; the version is mostly beyond what is kept.
            (line.starts_with(b"/") || line.starts_with(b"http://")).then_some(Tongue::Http)
        }
    }
}

fn answers(bytes: &[u8]) -> Option<Tongue> {
    match bytes {
        // A ServerHello, or an alert in clear.
        [22, 3, 0..=4, _, _, 2, ..] | [21, 3, 0..=4, 0, 2, 1 | 2, _] => Some(Tongue::Tls),
        [b'S', b'S', b'H', b'-', b'1' | b'2', b'.', ..] => Some(Tongue::Ssh),
        [b'R', b'F', b'B', b' ', b'0', b'0', b'3', b'.', ..] => Some(Tongue::Rfb),
        // The first packet of a connection: version 10 and the server's, or an error of those from 1024 on (host not allowed, too many connections).
        [_, _, 0, 0, 10, b'1'..=b'9', ..] | [_, _, 0, 0, 0xff, _, 4, ..] => Some(Tongue::Mysql),
        // SETTINGS of the whole connection, six bytes each.
        [0, 0, len, 4, 0, 0, 0, 0, 0, ..] if len % 6 == 0 => Some(Tongue::Http2),
        [b'2', b'2', b'0', b' ' | b'-', ..] | [b'+', b'O', b'K', b' ', ..] | [b'*', b' ', b'O', b'K', b' ', ..] => Some(Tongue::Greeting),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'1'..=b'5', ..] => Some(Tongue::Http),
        _ => None,
    }
}

const METHODS: &[&[u8]] = &[b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"DELETE ", b"PROPFIND "];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Side;

    fn told(client: &[u8], server: &[u8]) -> Option<(u32, String)> {
        let begun = |bytes: &[u8]| bytes.iter().copied().take(limit::OPENING_KEPT).collect::<Begun>();
        match told_apart(&[begun(client), begun(server)])? {
            Fact::Answer { kind: AnswerKind::Refused, code, text, by: Side::Server } => Some((code, text.into())),
            other => panic!("{other:?}"),
        }
    }

    const HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n";

    #[test]
    fn sides_that_speak_different_protocols_are_told_apart() {
        assert_eq!(told(GET, SSH), Some((ANOTHER_PROTOCOL, "SSH-2.0-OpenSSH_9.2p1 Debian-2".into())));
        assert_eq!(told(SSH, b"HTTP/1.1 400 Bad Request\r\nServer"), Some((ANOTHER_PROTOCOL, "HTTP/1.1 400 Bad Request".into())));
        assert_eq!(told(HELLO, b"220 mail.example ESMTP\r\n"), Some((IN_CLEAR, "220 mail.example ESMTP".into())));
        assert_eq!(told(HELLO, &[0x4a, 0, 0, 0, 10, b'8', b'.', b'0']), Some((IN_CLEAR, "MySQL".into())));
        // MariaDB 10.11 to a host that may not come in: error 1130.
        assert_eq!(told(GET, b"\x43\0\0\0\xff\x6a\x04Host '192.0.2.1' is not al"), Some((ANOTHER_PROTOCOL, "MySQL".into())));
        // An alert of TLS in clear: fatal, protocol_version.
        assert_eq!(told(GET, &[21, 3, 1, 0, 2, 2, 70]), Some((ANOTHER_PROTOCOL, "TLS".into())));
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
        assert_eq!(told(GET, &settings), Some((ANOTHER_PROTOCOL, "HTTP/2".into())));
        assert_eq!(told(HELLO, &settings), Some((IN_CLEAR, "HTTP/2".into())));
        assert_eq!(told(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n").map(|(code, _)| code), Some(ANOTHER_PROTOCOL));
        assert_eq!(told(b"POST http://a.example/", SSH).map(|(code, _)| code), Some(ANOTHER_PROTOCOL));
    }

    #[test]
    fn sides_that_may_understand_each_other_are_not() {
        for (client, server) in [
            (GET, &b"HTTP/1.1 200 OK\r\n"[..]),
            (SSH, SSH),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]),
            (HELLO, &[22, 3, 3, 0, 0x5a, 2, 0, 0, 0x56]),
            // Whatever stands before what the protocol begins with, one side's silence, what is no request line, and servers that nobody knows.
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 5", SSH),
            (GET, b""),
            (b"", SSH),
            (b"GET key\r\n", b"+OK \r\n"),
            (HELLO, b"-ERR unknown command\r\n"),
        ] {
            assert_eq!(told(client, server), None, "{client:?} {server:?}");
        }
    }
}
