//! What was captured on both sides of a router: where it let something through, and what it gave other addresses.

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::judge::{Confidence, Judged, Outcome, Reason, Site, Verdict};

/// A connection whose opening packets a mirror of both sides of a router showed so many times more, of client and server.
fn crossed(mut sample: Sample, copies: [u8; 2]) -> Sample {
    sample.0.flow.tcp.as_mut().unwrap().crossed = Some(copies);
    sample
}

// tcpdump -i any on the firewall itself
#[test]
fn where_both_sides_of_a_router_were_captured_it_is_told_on_which_a_connection_died() {
    let works = || crossed(tcp("10.1.0.2:40001", "203.0.113.7:443").talked(300, 900), [1, 1]);
    let beside = |sample: Sample| judge_among(Site::default(), &[sample], &[works()]).remove(0).cause.unwrap().says;
    let silent = |copies| crossed(tcp(CLIENT, SERVER).syns(&[1.0, 2.0, 4.0]), copies);
    assert!(beside(silent([0, 0])).contains("they did not get past it"));
    assert!(beside(silent([3, 0])).contains("it let them through"));
    // Some of them, as where the mirror loses packets; or nothing else between the two was seen on both sides.
    for says in [beside(silent([1, 0])), judge(silent([0, 0])).cause.unwrap().says] {
        assert!(!says.contains("router"), "{says}");
    }
    // With a hop less to go it had passed the router, though it was not seen before.
    let mut behind = silent([0, 0]);
    behind.0.flow.client.ttl = 63;
    assert!(!beside(behind).contains("router"));
}

// nft's `reject with tcp reset` on the router whose `any` was captured, with a server next to it: the kernel gives its resets the time to live that the server's have
#[test]
fn d26_a_reset_on_the_side_of_its_syn_alone_is_the_routers() {
    let works = || crossed(tcp("10.1.0.2:40001", "203.0.113.7:443").talked(300, 900), [1, 1]);
    let refused = |copies| judge_among(Site::default(), &[crossed(tcp(CLIENT, SERVER).syns(&[1.0]).reset(1.01, 57), copies)], &[works()]).remove(0);
    let by_router = refused([0, 0]);
    expect(&by_router, Outcome::RejectedByNetwork, Confidence::Medium, Some("D26"));
    assert!(by_router.cause.unwrap().says.contains("let neither through"));
    // The host's own passes the router as its question did.
    assert_eq!(refused([1, 1]).outcome, Outcome::RefusedByHost);
    // The question passed and the answer was not seen to: whose it is stays open.
    assert!(refused([1, 0]).cause.unwrap().says.contains("unless the router between the two says so in its name"));
}

/// The other side of a router: with that client and server, `millis` later and one hop on.
fn beyond(sample: &Sample, client: &str, server: &str, millis: i64) -> Sample {
    let mut other = sample.clone();
    let flow = &mut other.0.flow;
    (flow.client.endpoint, flow.server.endpoint) = (endpoint(client), endpoint(server));
    flow.first = flow.first + std::time::Duration::from_millis(millis.unsigned_abs());
    flow.client.ttl -= 1;
    other
}

/// Whether another flow is judged in its place.
fn is_left(judged: &Judged) -> bool {
    let nothing = judged.verdict == Verdict::Undecided && judged.service.is_none() && judged.reasons == [Reason::NotCovered];
    judged.translated.is_some() && nothing
}

fn with_numbers(mut sample: Sample, starts: [Option<u32>; 2]) -> Sample {
    sample.0.flow.tcp.as_mut().unwrap().starts = starts;
    sample
}

const PLAYER: &str = "10.1.0.2:40000";
const CLOUD: &str = "203.0.113.7:443";
const ROUTER: &str = "203.0.113.1:40000";

fn players() -> Site {
    site(&["spinetix.player=10.1.0.0/24"])
}

// tcpdump -i any on a Linux router that masquerades
#[test]
fn a_conversation_seen_on_both_sides_of_a_router_that_translates_is_judged_once_between_the_ends_that_talk() {
    let near = with_numbers(tcp(PLAYER, CLOUD).talked(300, 900), [Some(7), Some(9)]);
    let far = beyond(&near, ROUTER, CLOUD, 1);
    for pair in [[near.clone(), far.clone()], [far.clone(), near.clone()]] {
        let judged = judge_among(players(), &pair, &[]);
        for flow in judged {
            let is_far = flow.identified.flow.client.endpoint == endpoint(ROUTER);
            assert_eq!(is_left(&flow), is_far, "{:?}", flow.reasons);
            let other = flow.translated.unwrap();
            assert_eq!((other.client, other.server), (endpoint(if is_far { PLAYER } else { ROUTER }), endpoint(CLOUD)));
        }
    }
}

// a published port of a container
#[test]
fn where_the_servers_address_is_translated_the_side_of_the_server_is_judged() {
    let near = with_numbers(tcp("198.51.100.9:40000", "203.0.113.1:8080").talked(300, 900), [Some(7), Some(9)]);
    let far = beyond(&near, "198.51.100.9:40000", "10.1.0.2:80", 0);
    let judged = judge_among(players(), &[near, far], &[]);
    assert!(is_left(&judged[0]) && !is_left(&judged[1]));
}

#[test]
fn datagrams_are_told_by_what_they_hold() {
    let asks = |client: &str, bytes: &[u8]| udp(client, "203.0.113.53:53").opening(bytes);
    let near = asks("10.1.0.2:40000", b"\x12\x34\x01\x00\x00\x01\x00\x00question");
    let far = beyond(&near, "203.0.113.1:40000", "203.0.113.53:53", 2);
    assert!(is_left(&judge_among(players(), &[near.clone(), far], &[])[1]));
    let mut another = beyond(&asks("10.1.0.2:40000", b"\x12\x35\x01\x00\x00\x01\x00\x00question"), "203.0.113.1:40000", "203.0.113.53:53", 2);
    assert!(judge_among(players(), &[near.clone(), another.clone()], &[])[1].translated.is_none());
    another.0.opening[0].clear();
    assert!(judge_among(players(), &[near, another], &[])[1].translated.is_none());
}

// each of these is what a client's own second connection, a proxy, a scanner or another host looks like
#[test]
fn what_only_looks_alike_is_not_taken_for_the_other_side_of_a_router() {
    let near = with_numbers(tcp(PLAYER, CLOUD).talked(300, 900), [Some(7), Some(9)]);
    let far = || beyond(&near, ROUTER, CLOUD, 1);
    let mut same_hops = far();
    same_hops.0.flow.client.ttl += 1;
    let others = [
        with_numbers(far(), [Some(8), Some(9)]),
        with_numbers(far(), [Some(7), Some(10)]),
        with_numbers(far(), [None, Some(9)]),
        beyond(&near, ROUTER, CLOUD, 11),
        beyond(&near, ROUTER, "203.0.113.8:443", 1),
        beyond(&near, "10.1.0.2:40001", CLOUD, 1),
        same_hops,
    ];
    for (number, other) in others.into_iter().enumerate() {
        let judged = judge_among(players(), &[near.clone(), other], &[]);
        assert!(judged.iter().all(|judged| judged.translated.is_none()), "{number}");
    }
    // A scanner that begins each probe with the same number, and passes for one whose server's address is translated.
    let probe = |server: &str| with_numbers(tcp("198.51.100.9:40000", server), [Some(7), None]);
    let mut second = beyond(&probe("203.0.113.1:22"), "198.51.100.9:40000", "10.1.0.2:22", 1);
    second.0.flow.tcp.as_mut().unwrap().ident = [1, 0];
    let judged = judge_among(players(), &[probe("203.0.113.1:22"), second], &[]);
    assert!(judged.iter().all(|judged| judged.translated.is_none()));
}

#[test]
fn of_translated_conversations_it_is_told_on_which_side_of_the_router_one_died() {
    let works = with_numbers(tcp("10.1.0.2:40001", CLOUD).talked(300, 900), [Some(7), Some(9)]);
    let beside = [works.clone(), beyond(&works, "203.0.113.1:40001", CLOUD, 1)];
    let near = with_numbers(tcp(PLAYER, "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0]), [Some(5), None]);
    let says = |flows: &[Sample]| judge_among(players(), flows, &beside).remove(0).cause.unwrap().says;
    assert!(says(std::slice::from_ref(&near)).contains("they did not get past it"));
    let far = beyond(&near, ROUTER, "203.0.113.7:8883", 1);
    assert!(says(&[near.clone(), far]).contains("it let them through"));
    let refused = with_numbers(tcp(PLAYER, "203.0.113.7:8883").syns(&[1.0]).reset(1.01, 57), [Some(5), Some(0)]);
    expect(&judge_among(players(), std::slice::from_ref(&refused), &beside)[0], Outcome::RejectedByNetwork, Confidence::Medium, Some("D26"));
    let by_host = beyond(&refused, ROUTER, "203.0.113.7:8883", 1);
    assert_eq!(judge_among(players(), &[refused, by_host], &beside)[0].outcome, Outcome::RefusedByHost);
}
