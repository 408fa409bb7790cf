//! Connections that are older than the capture and begin in it with a keep-alive.

use super::super::trace::{Piece, Trace};
use super::story;
use crate::net::Side;

/// RFC 9293 section 3.8.4: the number before the next, and nothing in it; the answer acknowledges what came before the capture.
fn idle() -> Trace {
    let mut t = Trace::new();
    t.client().at(1_000).ack();
    t.client().at(1_001);
    t.server().ack();
    t
}

#[test]
fn what_follows_a_keep_alive_begins_the_stream() {
    let mut t = idle();
    t.client().data(b"GET / HTTP/1.1\r\n");
    t.server().ack();
    let seen = t.run();
    assert_eq!(seen.pieces, [Piece { from: Side::Client, offset: 0, missing: 0, bytes: b"GET / HTTP/1.1\r\n".to_vec() }]);
    assert_eq!(story(&seen).missed_bytes, [0, 0]);
    assert_eq!(story(&seen).acknowledged, [16, 0]);
}

#[test]
fn keep_alives_alone_acknowledge_nothing() {
    let mut t = idle();
    t.client().at(1_000).ack();
    t.client().at(1_001);
    t.server().ack();
    let seen = t.run();
    assert!(seen.pieces.is_empty());
    assert_eq!(story(&seen).acknowledged, [0, 0]);
}

#[test]
fn a_gap_after_the_first_packet_of_a_connection_is_one_all_the_same() {
    let mut t = idle();
    t.client().lost(b"lost");
    t.client().data(b"after");
    t.server().ack();
    let seen = t.run();
    assert_eq!(seen.pieces, [Piece { from: Side::Client, offset: 4, missing: 4, bytes: b"after".to_vec() }]);
}
