//! Records of TLS as clients and servers send them, and what is told of them.

use super::super::NameSource;
use super::super::testing::{prefixes_never_match_anything_else, read_all, survives};
use super::*;
use crate::identify::Lines;

/// A ClientHello of TLS 1.2 with SNI, ALPN and one suite, built by RFC 5246 section 7.4.1.2.
pub(super) fn client_hello(name: &str, alpn: &[&str]) -> Vec<u8> {
    let vector = |body: &[u8]| [&(body.len() as u16).to_be_bytes()[..], body].concat();
    let host = vector(&[&[0][..], &vector(name.as_bytes())].concat());
    let names: Vec<u8> = alpn.iter().flat_map(|name| [&[name.len() as u8][..], name.as_bytes()].concat()).collect();
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &vector(body)].concat();
    let extensions = vector(&[extension(0, &host), extension(16, &vector(&names))].concat());
    let body = [&[3, 3][..], &[7; 32], &[0], &vector(&[0xc0, 0x2f]), &[1, 0], &extensions].concat();
    record(HANDSHAKE, &message(CLIENT_HELLO, &body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0, (body.len() >> 8) as u8, body.len() as u8][..], body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn server_hello() -> Vec<u8> {
    record(HANDSHAKE, &message(2, &[&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0]].concat()))
}

#[test]
fn a_hello_split_at_any_byte_names_the_server() {
    let hello = client_hello("Broker.Example", &["mqtt"]);
    for cut in 1..hello.len() {
        let told = read_all(&Tls, &[(Side::Client, &hello[..cut]), (Side::Client, &hello[cut..])]);
        assert!(told.says(&Fact::Name { of: Side::Server, name: "broker.example".into(), source: NameSource::Sni }), "cut at {cut}");
        assert!(told.says(&Fact::Inner("mqtt")) && told.says(&Fact::Hello(u64::from_be_bytes([7; 8]))));
        assert_eq!(told.detail("tls", "offered"), Some("1.2".into()));
    }
}

#[test]
fn names_of_protocols_are_told_in_print_and_no_more_of_them_than_anybody_offers() {
    let many: Vec<String> = (0..40).map(|n| format!("\u{1b}[2J{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &many))]);
    let printed: Lines = (0..limit::LIST_KEPT).map(|n| format!("[2J{n}")).collect();
    assert_eq!(told.detail("tls", "alpn"), Some(printed.into()));
}

#[test]
fn a_server_hello_that_takes_an_offered_suite_makes_a_dialogue() {
    let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &server_hello())]);
    assert_eq!(told.evidence, Evidence::Dialogue);
    assert_eq!(told.detail("tls", "version"), Some("1.2".into()));
}

#[test]
fn an_alert_in_clear_is_an_answer_with_its_name() {
    let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &record(ALERT, &[2, 40]))]);
    assert!(told.says(&Fact::answer(AnswerKind::Refused, 40, "handshake_failure")));
    assert!(told.says(&Fact::Reached(Step::ClientHello)));
}

#[test]
fn an_encrypted_alert_is_told_by_its_length_where_a_handshake_or_an_answer_is_longer() {
    // supported_versions (43) with 1.3, RFC 8446 section 4.2.1.
    let hello = record(HANDSHAKE, &message(2, &[&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat()));
    let client = client_hello("a.example", &[]);
    let sealed = |len: usize| record(23, &vec![7; len]);
    let told = |rest: &[(Side, &[u8])]| {
        let dialogue = [&[(Side::Client, client.as_slice()), (Side::Server, hello.as_slice())][..], rest].concat();
        let answers = read_all(&Tls, &dialogue).facts.into_iter().filter_map(|fact| match fact {
            Fact::Answer { code, by, .. } => Some((code, by)),
            _ => None,
        });
        answers.collect::<Vec<_>>()
    };
    let (flight, finished, alert, data) = (sealed(900), sealed(53), sealed(19), sealed(120));
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &alert)]), [(HIDDEN_ALERT, Side::Client)]);
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
    assert_eq!(told(&[(Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
    // mosquitto_sub without a certificate, at a broker that requires one.
    let none = [(Side::Client, client.as_slice()), (Side::Server, hello.as_slice()), (Side::Client, &sealed(25)), (Side::Client, &finished)];
    assert!(read_all(&Tls, &none).says(&Fact::Reached(Step::ClientCertificate)));
    assert_eq!(told(&[(Side::Client, &sealed(25)), (Side::Client, &finished), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
    // Java 17 pads its alerts (RFC 8446 section 5.4); GnuTLS may send an empty certificate before.
    let padded = sealed(35);
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &padded)]), [(HIDDEN_ALERT, Side::Client)]);
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &padded), (Side::Client, &finished), (Side::Server, &data)]), []);
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished)]), []);
    // psql, whom the server's name does not suit, closes right after the handshake, and the server does the same.
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Client, &alert), (Side::Server, &alert)]), []);
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &alert), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Client)]);
    // close_notify at the end of a connection that was used.
    assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Server, &data), (Side::Server, &alert), (Side::Client, &alert)]), []);
}

// curl to nginx's port 80, a client of XMPP that tries TLS first
#[test]
fn an_answer_in_another_protocol_is_told_by_its_first_line() {
    let told = |answer: &[u8]| {
        let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, answer)]);
        told.facts.into_iter().find_map(|fact| if let Fact::Answer { code: NO_TLS, text, by: Side::Server, .. } = fact { Some(text.to_string()) } else { None })
    };
    assert_eq!(told(b"HTTP/1.1 400 Bad Request\r\nServer: a\r\n").as_deref(), Some("HTTP/1.1 400 Bad Request"));
    assert!(told(&[0, 0, 18, 4, 0, 0, 0]).is_some(), "HTTP/2 in clear");
    for tls in [server_hello(), record(ALERT, &[2, 40]), vec![0x80, 30, 4], vec![22]] {
        assert_eq!(told(&tls), None);
    }
}

#[test]
fn a_client_that_says_nothing_after_the_servers_flight_came_no_further() {
    let (client, flight) = (client_hello("a.example", &[]), [server_hello(), record(23, &[7; 900])].concat());
    let told = |rest: &[(Side, &[u8])]| read_all(&Tls, &[&[(Side::Client, client.as_slice()), (Side::Server, flight.as_slice())][..], rest].concat());
    assert!(told(&[]).says(&Fact::Reached(Step::ServerHello)));
    // Java: in TLS 1.3 its ChangeCipherSpec ends nothing.
    let (changed, hello) =
        (record(CHANGE_CIPHER_SPEC, &[1]), record(HANDSHAKE, &message(2, &[&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat())));
    let java = [(Side::Client, client.as_slice()), (Side::Server, hello.as_slice()), (Side::Server, &record(23, &[7; 900])), (Side::Client, &changed)];
    assert!(read_all(&Tls, &java).says(&Fact::Reached(Step::ServerHello)));
    for more in [record(CHANGE_CIPHER_SPEC, &[1]), record(23, &[7; 53]), record(HANDSHAKE, &message(11, &[0; 7]))] {
        assert!(!told(&[(Side::Client, &more)]).says(&Fact::Reached(Step::ServerHello)));
    }
}

#[test]
fn after_a_hello_retry_request_the_server_hello_is_read_behind_its_change_cipher_spec() {
    // RFC 8446 section 4.1.4 (the random that marks it), appendix D.4 (where ChangeCipherSpec records stand).
    let hello = |random: &[u8]| record(HANDSHAKE, &message(2, &[&[3, 3][..], random, &[0, 0xc0, 0x2f, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat()));
    let retry = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07,
        0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];
    let (client, changed) = (client_hello("a.example", &[]), record(CHANGE_CIPHER_SPEC, &[1]));
    let (asked, again) = ([hello(&retry), changed.clone()].concat(), [changed, client.clone()].concat());
    let told = |rest: &[(Side, &[u8])]| {
        read_all(&Tls, &[&[(Side::Client, client.as_slice()), (Side::Server, asked.as_slice()), (Side::Client, again.as_slice())][..], rest].concat())
    };
    let (flight, alert) = ([hello(&[9; 32]), record(23, &[7; 900])].concat(), record(23, &[7; 19]));
    let refused = told(&[(Side::Server, &flight), (Side::Client, &alert)]);
    assert_eq!(refused.detail("tls", "version"), Some("1.3".into()));
    assert!(refused.says(&Fact::Answer { kind: AnswerKind::Refused, code: HIDDEN_ALERT, text: "an encrypted alert".into(), by: Side::Client }));
    let denied = told(&[(Side::Server, &record(ALERT, &[2, 40]))]);
    assert!(denied.says(&Fact::answer(AnswerKind::Refused, 40, "handshake_failure")));
}

#[test]
fn a_certificate_request_is_told_up_to_tls_1_2() {
    let request = record(HANDSHAKE, &message(CERTIFICATE_REQUEST, &[1, 1, 0, 0, 0, 0]));
    let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &[server_hello(), request].concat())]);
    assert_eq!(told.detail("tls", "client_certificate_requested"), Some(true.into()));
}

#[test]
fn an_sslv2_hello_is_told_by_lengths_that_add_up() {
    let hello = [&[0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[5; 16]].concat();
    assert!(matches!(Tls.probe(&Opening::of(Transport::TCP, &hello, &[])), Probe::Found { .. }));
    let mut wrong = hello.clone();
    wrong[1] += 1;
    assert_eq!(Tls.probe(&Opening::of(Transport::TCP, &wrong, &[])), Probe::NotForUs);
}

#[test]
fn no_prefix_of_a_hello_is_anything_else() {
    let hello = client_hello("a.example", &["h2"]);
    survives(&Tls, Transport::TCP, 443, &[(Side::Client, &hello), (Side::Server, &server_hello()), (Side::Server, &record(ALERT, &[2, 40]))]);
    prefixes_never_match_anything_else("tls", Transport::TCP, &client_hello("a.example", &["h2", "http/1.1"]), &server_hello());
}
