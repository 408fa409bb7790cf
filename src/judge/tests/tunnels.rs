//! Tunnels: keys that two ends do not agree on, and what passes through where they do.

use super::outcomes::{expect, judge};
use super::sample::*;
use crate::identify::{AnswerKind, Fact, IKE_EAP_FAILS, IKE_ENDED, IKE_NO_LOGIN, IKE_NO_TUNNEL, Step};
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::{Side, Transport};

const HERE: &str = "10.1.0.2:4500";
const THERE: &str = "203.0.113.7:4500";

fn ike() -> Sample {
    udp(HERE, THERE).speaks(&["ike"])
}

fn says(judged: &Judged) -> &str {
    judged.cause.as_ref().map_or("", |cause| &cause.says)
}

#[test]
fn d89_a_login_of_ike_that_is_refused_behind_encryption_is_told() {
    let ended = |by, code| judge(ike().talked(500, 300).answer(by, AnswerKind::Refused, code, "an encrypted notification"));
    expect(&ended(Side::Server, IKE_NO_LOGIN), Outcome::AppRefused, Confidence::High, Some("D89"));
    let no_tunnel = ended(Side::Server, IKE_NO_TUNNEL);
    expect(&no_tunnel, Outcome::AppRefused, Confidence::Medium, Some("D89"));
    assert!(says(&no_tunnel).contains("no tunnel came of it"), "{}", says(&no_tunnel));
    for (by, code) in [(Side::Client, IKE_ENDED), (Side::Server, IKE_EAP_FAILS)] {
        expect(&ended(by, code), Outcome::AppRefused, Confidence::Low, Some("D89"));
    }
}

// RFC 7296 section 1.2: where the capture ends with such an answer, another login, a tunnel or data may follow.
#[test]
fn an_answer_of_ike_at_the_end_of_the_capture_refuses_no_tunnel() {
    for (by, code) in [(Side::Client, IKE_ENDED), (Side::Server, IKE_EAP_FAILS), (Side::Server, IKE_NO_TUNNEL)] {
        let last = ike().talked(500, 300).answer(by, AnswerKind::Refused, code, "an encrypted notification").cut_by_the_end();
        let judged = judge_among(Site::default(), &[last], &[]).remove(0);
        expect(&judged, Outcome::Ok, Confidence::Medium, None);
    }
}

// RFC 2409 section 5.4: the key of what is encrypted is made of the shared one, so a responder that has another cannot read who asks.
#[test]
fn d70_an_identity_of_ikes_first_version_that_is_not_answered_is_no_sure_drop() {
    let asks = || ike().fact(Fact::Retry).fact(Fact::Retry);
    expect(&judge(asks()), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
    expect(&judge(asks().fact(Fact::Reached(Step::ClientFinished))), Outcome::SilentDrop, Confidence::Low, Some("D70"));
}

#[test]
fn d70_a_request_that_came_in_fragments_is_told_with_that() {
    let asks = |packets, bytes| {
        let mut sample = ike().fact(Fact::Retry).fact(Fact::Retry);
        (sample.0.flow.client.packets, sample.0.flow.client.bytes, sample.0.flow.client.payload_bytes) = (packets, bytes, 6_192);
        judge(sample)
    };
    // Three requests of 2,064 bytes, each in two fragments with a header of IP each and one of UDP; or each in two datagrams (RFC 7383).
    assert!(says(&asks(6, 6_192 + 6 * 20 + 3 * 8)).contains("came in fragments"));
    assert!(!says(&asks(6, 6_192 + 6 * 28)).contains("fragments"));
}

// A rule that opens UDP 500 and 4500 lets no ESP pass.
#[test]
fn d70_what_goes_into_a_tunnel_that_was_agreed_upon_and_does_not_come_back_is_a_hint() {
    let esp = |packets, last| {
        let mut sample = udp("10.1.0.2:0", "203.0.113.7:0");
        (sample.0.flow.transport, sample.0.flow.client.packets, sample.0.flow.client.last, sample.0.flow.last) =
            (Transport::ESP, packets, Some(at(last)), at(last));
        sample
    };
    let after_ike =
        |sample| judge_among(Site::default(), &[sample], &[udp("10.1.0.2:500", "203.0.113.7:500").speaks(&["ike"]).talked(400, 400), background()]).remove(0);
    let judged = after_ike(esp(20, 15.0));
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
    assert!(says(&judged).contains("IP protocol 50"), "{}", says(&judged));
    // Too few, too short, and without an agreement that was seen.
    for judged in [after_ike(esp(5, 15.0)), after_ike(esp(20, 3.0)), judge(esp(20, 15.0))] {
        expect(&judged, Outcome::NotObservable, Confidence::Low, Some("D33"));
    }
}

#[test]
fn d71_a_host_that_does_not_take_a_protocol_is_not_said_to_have_no_port_for_it() {
    let mut esp = udp("10.1.0.2:0", "203.0.113.7:0").icmp("203.0.113.7", 3, 2);
    esp.0.flow.transport = Transport::ESP;
    let judged = judge(esp);
    expect(&judged, Outcome::RefusedByHost, Confidence::High, Some("D71"));
    assert!(says(&judged).contains("does not take esp (IP protocol 50)"), "{}", says(&judged));
}
