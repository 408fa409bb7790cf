//! What one end says again and again though the other has heard it, or is not heard any more.

use super::super::trace::Trace;
use super::story;
use crate::decode::Content;
use crate::flow::OpenSegment;
use crate::net::Side;

/// As recorded before a firewall that drops what the server answers: the upload is acknowledged and comes again by timeout.
#[test]
fn content_that_comes_again_by_timeout_though_it_was_acknowledged_is_said_in_vain() {
    let repeated = |wait: u64, hears: bool| {
        let mut t = Trace::served();
        t.client().data(b"upload");
        t.server().ack();
        let next = t.next(Side::Client);
        for again in 0..3 {
            t.wait(wait << again);
            t.client().at(next.wrapping_sub(6)).data(b"upload");
            t.server().ack();
        }
        if hears {
            t.client().data(b"more");
        }
        story(&t.run()).repeats.map(|repeats| repeats.acknowledged)
    };
    assert_eq!(repeated(1, false), [3, 0]);
    // Who goes on has heard the acknowledgment; and what reordering makes a sender repeat comes at once.
    assert_eq!(repeated(1, true), [0, 0]);
    assert_eq!(repeated(0, false), [0, 0]);
}

/// A tap's two sides on two cards, one of whose clocks goes two milliseconds behind: what answers each repetition bears an earlier time than it.
#[test]
fn content_is_said_in_vain_also_where_clocks_put_its_acknowledgment_before_it() {
    let mut t = Trace::served();
    t.server().data(b"news");
    t.client().ack();
    let next = t.next(Side::Server);
    for again in 0..4 {
        t.wait(1 << again);
        t.client().ack();
        t.server().at(next.wrapping_sub(4)).data(b"news");
    }
    // The first one is not told from what reordering makes a sender repeat.
    assert_eq!(story(&t.run()).repeats[1].acknowledged, 3);
    // Content that came just before may be what made its sender send again.
    let mut t = Trace::served();
    t.server().data(b"news");
    t.client().ack();
    let next = t.next(Side::Server);
    for _ in 0..4 {
        t.wait(1);
        t.client().data(b"and?");
        t.server().at(next.wrapping_sub(4)).data(b"news");
    }
    assert_eq!(story(&t.run()).repeats[1].acknowledged, 0);
}

// OpenSSH behind a filter that drops what it sends: its version of 41 bytes comes again, the larger message that it had sent after it does not.
#[test]
fn of_what_is_not_acknowledged_that_counts_which_comes_again_whatever_is_larger() {
    let mut t = Trace::served();
    let next = t.next(Side::Client);
    t.wait(70);
    t.client().data(b"version");
    t.client().data(b"all that this end can speak");
    let again = |t: &mut Trace, payload: &'static [u8], seconds: u64| {
        t.wait(seconds);
        let further = t.next(Side::Client);
        t.client().at(next).data(payload);
        t.client().at(further);
    };
    (0..3).for_each(|times| again(&mut t, b"version", 1 << times));
    t.client().data(b"and what it has to say after that, which is longer still");
    again(&mut t, b"version", 8);
    let open = |t: &Trace| {
        let seen = t.run();
        (story(&seen).open_segment[0], story(&seen).silence_before[0] / 1_000_000_000, story(&seen).largest_acknowledged[0])
    };
    let begin = 1 + b"GET / HTTP/1.1\r\n\r\n".len() as i64;
    assert_eq!(open(&t), (OpenSegment { len: 7, again: 4, end: begin + 7 }, 70, 18));
    // A sender may put together what it repeats.
    again(&mut t, b"versionall that", 16);
    assert_eq!(open(&t).0, OpenSegment { len: 15, again: 5, end: begin + 15 });
    // What was acknowledged with it passed, too.
    t.server().ack();
    let (left, _, largest) = open(&t);
    assert_eq!((left.len, largest >= 56), (0, true));
}

// RFC 9293 section 3.8.4: the number before the next, with or without a byte of garbage
#[test]
fn keep_alives_count_until_the_other_end_is_heard() {
    for garbage in [&b""[..], b"\0"] {
        let mut t = Trace::served();
        let next = t.next(Side::Client);
        let asks = |t: &mut Trace| {
            t.wait(3);
            t.client().at(next.wrapping_sub(1)).data(garbage);
        };
        asks(&mut t);
        t.server().ack();
        (0..4).for_each(|_| asks(&mut t));
        let seen = t.run();
        assert_eq!(story(&seen).repeats.map(|repeats| repeats.unanswered), [4, 0]);
        assert_eq!(story(&seen).retransmissions, [0, 0]);
        // Until the first of them that was not answered.
        assert!((3_000_000_000..3_100_000_000).contains(&story(&seen).silence_before[0]), "{:?}", story(&seen).silence_before);
    }
}

#[test]
fn a_fin_that_comes_again_counts_until_it_is_answered() {
    let mut t = Trace::served();
    t.client().fin();
    let next = t.next(Side::Client);
    for again in 0..3 {
        t.wait(1 << again);
        t.client().at(next.wrapping_sub(1)).fin();
    }
    assert_eq!(story(&t.run()).repeats[0].unanswered, 3);
    let mut t = Trace::served();
    t.client().fin();
    t.wait(1);
    t.client().at(next.wrapping_sub(1)).fin();
    t.server().ack();
    assert_eq!(story(&t.run()).repeats[0].unanswered, 0);
}

#[test]
fn a_fin_tells_of_content_before_it_that_never_came() {
    let untold = |acknowledged: bool| {
        let mut t = Trace::served();
        t.server().lost(b"a long answer");
        let next = t.next(Side::Server);
        t.server().fin();
        t.server().at(next.wrapping_sub(if acknowledged { 0 } else { 13 }));
        t.client().ack();
        story(&t.run()).untold
    };
    assert_eq!([untold(false), untold(true)], [[0, 13], [0, 0]]);
}

/// The last acknowledgment does not get through: the server repeats its FIN, and waits twice as long each time, up to two minutes.
#[test]
fn what_is_repeated_after_a_connection_is_over_is_its_own() {
    let mut t = Trace::served();
    t.server().fin();
    t.client().fin();
    let next = t.next(Side::Server);
    for wait in [1, 2, 4, 8, 16, 32, 64] {
        t.wait(wait);
        t.server().at(next.wrapping_sub(1)).fin();
        t.client().ack();
    }
    assert_eq!(t.run().flows.len(), 1);
    // Who takes the port again opens another connection; and what comes much later belongs to none that is known.
    let mut t = Trace::served();
    t.server().fin();
    t.client().fin();
    t.wait(3);
    t.server().at(next.wrapping_sub(1)).fin();
    t.wait(2);
    t.client().at(500_000).syn();
    t.wait(100);
    t.server().at(next.wrapping_sub(1)).fin();
    assert_eq!(t.run().flows.len(), 3);
}

/// Two taps whose clocks are far apart: each packet comes again as it was, its identification included.
#[test]
fn a_copy_that_comes_late_is_nothing_that_was_said_again() {
    let told = |late: bool| {
        let mut t = Trace::served();
        t.server().data(b"news");
        t.client().ack();
        let copied = t.packets.len();
        let next = t.next(Side::Server);
        for _ in 0..4 {
            t.wait(1);
            t.server().at(next.wrapping_sub(4)).data(b"news");
            let news = t.packets[copied - 2];
            if late && let (Content::Ip(ip, _), Content::Ip(first, _)) = (&mut t.packets.last_mut().unwrap().content, news.content) {
                ip.ident = first.ident;
            }
        }
        let seen = t.run();
        (story(&seen).repeats[1].acknowledged, story(&seen).retransmissions)
    };
    assert_eq!(told(false), (4, [0, 4]));
    assert_eq!(told(true), (0, [0, 0]));
}

// mosquitto behind a firewall that drops what its clients send: a ping comes again and again, then the broker's patience is over and it closes
#[test]
fn content_is_untaken_as_often_as_it_came_again_before_the_other_end_was_heard_until_that_takes_it() {
    let told = |again: u32, takes: bool| {
        let mut t = Trace::served();
        let next = t.next(Side::Client);
        t.client().data(b"ping");
        for times in 0..again {
            t.wait(1 << times);
            t.client().at(next).data(b"ping");
        }
        if !takes {
            t.client().at(next);
        }
        t.server().fin();
        story(&t.run()).repeats.map(|repeats| repeats.untaken)
    };
    assert_eq!(told(3, false), [3, 0]);
    assert_eq!(told(2, false), [2, 0]);
    assert_eq!(told(3, true), [0, 0]);
}
