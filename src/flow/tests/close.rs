//! Who closes, and whether it had heard the other end out by then.

use super::super::trace::Trace;
use super::story;
use crate::decode::TcpFlags;
use crate::net::Side;

/// Asked and answered; then what follows.
fn after_an_answer(more: impl FnOnce(&mut Trace)) -> bool {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"ask");
    t.server().data(b"answer");
    more(&mut t);
    story(&t.run()).heard_out
}

#[test]
fn who_closes_first_has_heard_the_other_end_out_where_its_fin_acknowledges_all_and_nothing_follows() {
    assert!(after_an_answer(|t| {
        t.client().data(b"ask again");
        t.server().ack();
        t.server().fin();
        t.client().fin();
    }));
    // The close and the next question crossed each other: as the client's side captures it, and as the server's does.
    let asked = |t: &mut Trace| {
        t.client().ack();
        t.server().fin();
        t.client().data(b"ask again");
        t.server().ack();
    };
    assert!(!after_an_answer(asked));
    assert!(!after_an_answer(|t| {
        let (sequence, acknowledgment) = (t.next(Side::Server), t.next(Side::Client));
        t.client().data(b"ask again");
        t.server().any(TcpFlags::FIN | TcpFlags::ACK, sequence, acknowledgment, b"");
        t.client().fin();
    }));
}
