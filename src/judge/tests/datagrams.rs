//! Datagrams that nobody answers, by what was asked.

use super::outcomes::{CLIENT, expect, judge};
use super::sample::*;
use crate::identify::{AnswerKind, Fact, Step};
use crate::judge::{Confidence, Outcome};
use crate::net::Side;

// RFC 8445 sections 2.2 and 7.1.1: a private address of the peer is tried beside its public one
#[test]
fn a_pair_of_addresses_that_ice_tried_in_vain_is_no_alarm() {
    let check = |speaks: &[&'static str]| judge(udp(CLIENT, "192.168.0.4:50005").speaks(speaks).fact(Fact::Retry).fact(Fact::Retry).fact(Fact::Retry));
    let judged = check(&["stun", "ice"]);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
    assert!(judged.cause.unwrap().says.contains("another pair of addresses"));
    expect(&check(&["stun"]), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
}

#[test]
fn d76_an_srt_cookie_that_comes_back_in_vain_stalls_the_handshake() {
    let call = udp(CLIENT, "10.1.0.9:5421").talked(200, 64).speaks(&["srt"]).fact(Fact::Reached(Step::CookieReturned));
    let again = || call.clone().fact(Fact::Retry).fact(Fact::Retry).fact(Fact::Retry);
    expect(&judge(again()), Outcome::SilentDrop, Confidence::Medium, Some("D76"));
    assert_eq!(judge(again().answer(Side::Server, AnswerKind::Accepted, 0, "connected")).outcome, Outcome::Ok);
}
