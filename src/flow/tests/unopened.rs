//! Connections whose SYN was captured and whose SYN-ACK was not: the client's acknowledgments tell where the server's stream begins.

use super::*;

/// SYN, lost SYN-ACK, acknowledgment, and a request.
fn unopened() -> Trace {
    let mut t = Trace::new();
    t.client().syn();
    t.server().syn_ack();
    t.packets.pop();
    t.client().ack();
    t.client().data(b"ask");
    t
}

#[test]
fn the_beginning_of_an_answer_that_the_capture_lost_is_missing() {
    let mut t = unopened();
    t.server().data(b"HTTP/1.1 403 ");
    t.packets.pop();
    t.server().data(b"Forbidden\r\n");
    t.client().ack();
    let seen = t.run();
    let pieces: Vec<_> = seen.pieces.iter().filter(|piece| piece.from == Side::Server).map(|piece| (piece.offset, piece.missing)).collect();
    assert_eq!((pieces, seen.text(Side::Server)), (vec![(13, 13)], "Forbidden\r\n".into()));
}

#[test]
fn an_answer_that_was_captured_whole_is_read_from_its_beginning() {
    let mut t = unopened();
    t.server().ack();
    t.server().data(b"answer");
    t.client().ack();
    let seen = t.run();
    assert_eq!((seen.text(Side::Server), seen.pieces.iter().map(|piece| piece.missing).sum::<u64>()), ("answer".into(), 0));
}

// Two cards whose clocks differ
#[test]
fn a_greeting_that_was_captured_after_its_acknowledgment_is_read() {
    let mut t = Trace::new();
    t.client().syn();
    t.server().syn_ack();
    t.packets.pop();
    t.server().data(b"220 ready\r\n");
    t.client().ack();
    t.packets.swap(1, 2);
    t.client().data(b"EHLO a\r\n");
    let seen = t.run();
    assert_eq!((seen.text(Side::Server), seen.text(Side::Client)), ("220 ready\r\n".into(), "EHLO a\r\n".into()));
}
