//! Datagrams that nobody answers, by what was asked.

use super::outcomes::{CLIENT, expect, judge};
use super::sample::*;
use crate::identify::Fact;
use crate::judge::{Confidence, Outcome};

// RFC 8445 sections 2.2 and 7.1.1: a private address of the peer is tried beside its public one
#[test]
fn a_pair_of_addresses_that_ice_tried_in_vain_is_no_alarm() {
    let check = |speaks: &[&'static str]| judge(udp(CLIENT, "192.168.0.4:50005").speaks(speaks).fact(Fact::Retry).fact(Fact::Retry).fact(Fact::Retry));
    let judged = check(&["stun", "ice"]);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
    assert!(judged.cause.unwrap().says.contains("another pair of addresses"));
    expect(&check(&["stun"]), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
}
