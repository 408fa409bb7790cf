//! What became of datagrams to groups and of media that sessions announce: what is answered from elsewhere, and what nobody answers.

use std::time::Duration;

use super::outcomes::{expect, judge};
use super::sample::*;
use crate::decode::VlanStack;
use crate::flow::{Neighbour, NeighbourWord};
use crate::identify::{Books, Fact, Promise};
use crate::judge::{Confidence, Judge, Judged, Outcome, Site};
use crate::net::{Mac, Transport};
use crate::signature::{PromiseKind, Signatures};

fn search() -> Sample {
    udp("10.1.0.2:40000", "239.255.255.250:1900").speaks(&["ssdp"]).asks("M-SEARCH", "ssdp:all").fact(Fact::OneWay)
}

#[test]
fn d77_a_discovery_that_nobody_answers_is_told_and_is_no_fault() {
    expect(&judge(search()), Outcome::OneWayByDesign, Confidence::Low, Some("D77"));
    let answer = udp("10.1.0.9:1900", "10.1.0.2:40000").speaks(&["ssdp"]).fact(Fact::OneWay);
    let judged = judge_among(Site::default(), &[search()], &[answer, background()]).remove(0);
    expect(&judged, Outcome::OneWayByDesign, Confidence::High, Some("D05"));
}

// minidlna, wsdd and avahi answer a search from the port that it was sent to: their bytes say who is asked
#[test]
fn d77_d01_an_answer_from_the_groups_own_port_is_an_answer_and_works() {
    let answered = || {
        let mut sample = udp("10.1.0.9:1900", "10.1.0.2:40000").speaks(&["ssdp"]);
        let flow = &mut sample.0.flow;
        std::mem::swap(&mut flow.client, &mut flow.server);
        sample
    };
    let judged = judge_among(Site::default(), &[search(), answered()], &[background()]);
    expect(&judged[0], Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    expect(&judged[1], Outcome::Ok, Confidence::Medium, None);
    // Nobody was seen to ask.
    expect(&judge(answered()), Outcome::NotObservable, Confidence::High, Some("D01"));
    // A lease is offered to an address that its host does not have yet (RFC 2131 section 4.1).
    let mut offer = udp("10.1.0.1:67", "10.1.0.108:68").speaks(&["dhcp"]);
    let flow = &mut offer.0.flow;
    std::mem::swap(&mut flow.client, &mut flow.server);
    expect(&judge(offer), Outcome::Ok, Confidence::Medium, None);
}

// ffmpeg -rtsp_transport udp through a firewall that passes RTSP alone
#[test]
fn d87_media_that_do_not_come_though_their_receiver_knocks_are_missed() {
    let session = tcp("10.1.0.2:41000", "203.0.113.7:554").talked(300, 900).speaks(&["rtsp"]);
    let knocking_from = |receiver: &str, sender: &str| {
        let mut sample = udp(receiver, sender).announced_by(crate::signature::PromiseKind::Media);
        let announced = sample.0.announced.as_mut().unwrap();
        announced.parent = (endpoint("10.1.0.2:41000"), endpoint("203.0.113.7:554"));
        (announced.server, announced.client) = (endpoint(receiver), Some("203.0.113.7".parse().unwrap()));
        let flow = &mut sample.0.flow;
        std::mem::swap(&mut flow.client, &mut flow.server);
        sample
    };
    let knocking = |sender: &str| knocking_from("10.1.0.2:6788", sender);
    let among = |sender: &str, others: &[Sample]| judge_among(Site::default(), &[knocking(sender)], others).remove(0);
    let judged = among("203.0.113.7:49568", &[session.clone(), background()]);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D87"));
    assert!(judged.cause.unwrap().says.contains("what 203.0.113.7:49568 was to send to 10.1.0.2:6788 never came"));
    // The session passes out of sight, too; the media come from another port; nobody waited for them; somebody else's.
    let other_port = udp("203.0.113.7:50000", "10.1.0.2:6788");
    for others in [&[background()][..], &[session.clone(), other_port, background()], std::slice::from_ref(&session)] {
        assert_ne!(among("203.0.113.7:49568", others).outcome, Outcome::ServerSilent);
    }
    assert_ne!(among("203.0.113.8:49568", &[session.clone(), background()]).outcome, Outcome::ServerSilent);
    // Not everybody sends control messages, which have odd ports.
    let control = judge_among(Site::default(), &[knocking_from("10.1.0.2:6789", "203.0.113.7:49569")], &[session, background()]).remove(0);
    assert_ne!(control.outcome, Outcome::ServerSilent);
}

#[test]
fn d78_a_space_that_is_announced_and_not_visited_is_told_and_is_no_fault() {
    let announcement = || {
        let promised = udp("10.1.0.40:43215", "255.255.255.255:43215").promises(crate::signature::PromiseKind::Crqt, "10.1.0.40:6900");
        promised.speaks(&["crqt"]).fact(Fact::OneWay)
    };
    let judged = judge(announcement());
    expect(&judged, Outcome::OneWayByDesign, Confidence::Low, Some("D78"));
    assert!(judged.cause.unwrap().says.contains("a space is announced on 10.1.0.40:6900"));
    let visit = tcp("10.1.0.41:40000", "10.1.0.40:6900").talked(100, 100);
    let judged = judge_among(Site::default(), &[announcement()], &[visit, background()]).remove(0);
    expect(&judged, Outcome::OneWayByDesign, Confidence::High, Some("D05"));
}

fn searches(times: u32, over: u32) -> Sample {
    let asks = udp("0.0.0.0:68", "255.255.255.255:67").speaks(&["dhcp"]).fact(Fact::OneWay);
    asks.fact(Fact::Unserved { who: "02:00:00:00:00:02".into(), times, over })
}

#[test]
fn d93_a_host_that_asks_for_an_address_again_and_again_gets_none() {
    let judged = judge(searches(3, 8));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D93"));
    assert!(judged.cause.unwrap().says.starts_with("02:00:00:00:00:02 asked for an address (DHCP) 3 times over 8 s"));
    for few in [searches(2, 8), searches(3, 1)] {
        expect(&judge(few), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    }
    // A router that looks for other servers has an address.
    let router = udp("192.168.0.1:68", "255.255.255.255:67").speaks(&["dhcp"]).fact(Fact::OneWay);
    let router = router.fact(Fact::Unserved { who: "02:00:00:00:00:02".into(), times: 12, over: 54 });
    expect(&judge(router), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    // A server is there: what it offers, and to whom, may not pass here.
    let offers = udp("10.1.0.1:67", "10.1.0.9:68").speaks(&["dhcp"]).answer(crate::net::Side::Client, crate::identify::AnswerKind::Accepted, 2, "offer");
    expect(&judge_among(Site::default(), &[searches(3, 8)], &[offers]).remove(0), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
}

// dhclient -6 where radvd says that addresses are managed and no server answers: Windows looks for one on every link, with a router or without
#[test]
fn d93_a_host_of_ipv6_is_owed_an_address_where_a_router_says_that_a_server_gives_them() {
    let judged_in = |vlan: &[u16], words: &[(f64, NeighbourWord)], others: &[Sample]| {
        let mut asks = udp("[fe80::2]:546", "[ff02::1:2]:547").speaks(&["dhcpv6"]).fact(Fact::OneWay);
        asks = asks.fact(Fact::Unserved { who: "fe80::2".into(), times: 5, over: 32 });
        vlan.iter().for_each(|id| assert!(asks.0.flow.vlan.push(*id)));
        let books = Books::default();
        let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
        said(words).iter().for_each(|neighbour| judge.meet(neighbour));
        others.iter().chain([&asks]).for_each(|sample| judge.learn(&sample.0));
        judge.judge(asks.0)
    };
    let judged = |words: &[(f64, NeighbourWord)], others: &[Sample]| judged_in(&[], words, others);
    let managed = [(1.0, NeighbourWord::ServerGivesAddresses)];
    let told = judged(&managed, &[]);
    expect(&told, Outcome::ServerSilent, Confidence::Low, Some("D93"));
    let says = told.cause.unwrap().says;
    assert!(says.starts_with("fe80::2 asked for an address (DHCPv6) 5 times over 32 s") && says.contains("a router says"), "{says}");
    expect(&judged(&[], &[]), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    // The router of another network on the same trunk says nothing of this one.
    expect(&judged_in(&[20], &managed, &[]), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    // A server of IPv4 is none of IPv6.
    let offers =
        |protocol| udp("10.1.0.1:67", "10.1.0.9:68").speaks(&[protocol]).answer(crate::net::Side::Client, crate::identify::AnswerKind::Accepted, 2, "offer");
    expect(&judged(&managed, &[offers("dhcp")]), Outcome::ServerSilent, Confidence::Low, Some("D93"));
    expect(&judged(&managed, &[offers("dhcpv6")]), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
}

// ISC's dhcrelay sends from the address of its way out; dnsmasq, which probes an address for three seconds before it offers it, answers the relay at the address of its clients' network
#[test]
fn d70_a_relay_is_answered_at_the_address_that_it_gives_and_not_where_it_asks_from() {
    let asks = || (0..10).fold(udp("203.0.113.1:67", "203.0.113.61:67").speaks(&["dhcp"]), |asks, _| asks.fact(Fact::Retry));
    expect(&judge_among(Site::default(), &[asks()], &[background()]).remove(0), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
    let answered = |server: &str| {
        let mut sample = udp("10.1.0.1:67", server).speaks(&["dhcp"]);
        (sample.0.flow.server.packets, sample.0.flow.server.payload_bytes) = (10, 3_000);
        sample
    };
    let judged = judge_among(Site::default(), &[asks()], &[answered("203.0.113.61:67"), background()]).remove(0);
    expect(&judged, Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    // Of two servers one is dead.
    let judged = judge_among(Site::default(), &[asks()], &[answered("203.0.113.62:67"), background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D70"));
}

/// What was said of the group at these seconds.
fn said(words: &[(f64, NeighbourWord)]) -> Vec<Neighbour> {
    let neighbour = |(time, says): &(f64, NeighbourWord)| Neighbour {
        time: at(*time),
        frame: frame(*time as u64),
        vlan: VlanStack::default(),
        from: Mac::UNKNOWN,
        to: None,
        says: *says,
    };
    words.iter().map(neighbour).collect()
}

/// A stream to a group, ten packets a second from second 1 until `last`, in a capture that goes on until `end`.
fn streamed(group: &str, words: &[(f64, NeighbourWord)], last: f64, end: f64) -> Judged {
    let mut stream = udp("10.1.0.9:5004", &format!("{group}:5004")).speaks(&["rtp"]).fact(Fact::OneWay);
    let flow = &mut stream.0.flow;
    (flow.last, flow.client.last, flow.client.packets) = (at(last), Some(at(last)), (last * 10.0) as u64);
    let mut other = background();
    other.0.flow.last = at(end);
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    said(words).iter().for_each(|neighbour| judge.meet(neighbour));
    [&stream, &other].into_iter().for_each(|sample| judge.learn(&sample.0));
    judge.judge(stream.0)
}

// A switch with IGMP snooping in a network where nothing asks
#[test]
fn d91_a_stream_that_stops_when_its_membership_is_over_was_forgotten_by_a_switch() {
    let group = "239.1.2.3".parse().unwrap();
    let by = "10.1.0.2".parse().unwrap();
    let (receives, leaves) = (NeighbourWord::Receives { group, by }, NeighbourWord::Leaves { group, by });
    let judged = streamed("239.1.2.3", &[(1.0, receives), (2.0, receives)], 261.5, 290.0);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D91"));
    let says = &judged.cause.as_ref().unwrap().says;
    assert!(says.contains("stopped 259 s after 10.1.0.2 last said that it receives it, and did not leave"), "{says}");
    assert!(judged.cited.contains(&frame(2)), "{:?}", judged.cited);
    // It joined again once it had missed the stream, or was ended then.
    for later in [receives, leaves] {
        expect(&streamed("239.1.2.3", &[(2.0, receives), (275.0, later)], 261.5, 290.0), Outcome::ServerSilent, Confidence::Low, Some("D91"));
    }
    // Its player stopped; somebody asked; the source stopped at another time; the capture ended; the stream goes on; the receiver of another group; nobody was heard; a
    // group that is never held back.
    let healthy = [
        streamed("239.1.2.3", &[(2.0, receives), (261.0, leaves)], 261.5, 290.0),
        streamed("239.1.2.3", &[(2.0, receives), (100.0, NeighbourWord::AsksReceivers)], 261.5, 290.0),
        streamed("239.1.2.3", &[(2.0, receives), (100.0, receives)], 261.5, 290.0),
        streamed("239.1.2.3", &[(2.0, receives)], 200.0, 290.0),
        streamed("239.1.2.3", &[(2.0, receives)], 261.5, 264.0),
        streamed("239.1.2.3", &[(2.0, receives)], 500.0, 590.0),
        streamed("239.1.2.4", &[(2.0, receives)], 261.5, 290.0),
        streamed("239.1.2.3", &[], 261.5, 290.0),
        streamed("224.0.0.251", &[(2.0, NeighbourWord::Receives { group: "224.0.0.251".parse().unwrap(), by })], 261.5, 290.0),
    ];
    healthy.iter().for_each(|judged| expect(judged, Outcome::OneWayByDesign, Confidence::High, Some("D05")));
}

// A call between two telephones, of which one cannot send through its firewall
#[test]
fn d96_media_of_a_call_that_come_from_one_end_alone_are_told() {
    let (studio, hall) = ("10.1.0.50:5060", "203.0.113.60:5060");
    let promise = |place: &str, both_ways| {
        let (kind, transport, over, parent) = (PromiseKind::Media, Transport::UDP, Transport::UDP, (endpoint(studio), endpoint(hall)));
        let (server, lasts) = (endpoint(place), Duration::from_secs(180));
        Promise { kind, transport, server, client: None, made: at(0.5), lasts, frame: frame(1), parent, over, begins: None, both_ways }
    };
    let called = |promises: &[Promise], packets: u64, seconds: f64, others: &[Sample]| {
        let mut media = udp("10.1.0.50:6000", "203.0.113.60:6000").speaks(&["rtp"]).fact(Fact::OneWay);
        let flow = &mut media.0.flow;
        (flow.client.packets, flow.last, flow.client.last) = (packets, at(1.0 + seconds), Some(at(1.0 + seconds)));
        let books = Books::default();
        promises.iter().for_each(|promise| books.announce(promise.clone()));
        let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
        others.iter().chain([&media, &background()]).for_each(|sample| judge.learn(&sample.0));
        judge.judge(media.0)
    };
    let both = [promise("10.1.0.50:6000", true), promise("203.0.113.60:6000", true)];
    let judged = called(&both, 700, 14.0, &[]);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D96"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("for 14 s 10.1.0.50:6000 sent its own and none came back from 203.0.113.60:6000"), "{says}");
    // A loudspeaker only listens; only one description was seen; a short call; media that come from another port.
    let listens = [promise("10.1.0.50:6000", true), promise("203.0.113.60:6000", false)];
    let elsewhere = udp("203.0.113.60:7000", "10.1.0.50:6000").speaks(&["rtp"]);
    for passes in [called(&listens, 700, 14.0, &[]), called(&both[1..], 700, 14.0, &[]), called(&both, 250, 5.0, &[]), called(&both, 700, 14.0, &[elsewhere])] {
        expect(&passes, Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    }
}

// A firewall that drops the media of one end in the middle of a call; and telephones that pause where nobody speaks, that are muted for a moment, or that hold the call
#[test]
fn d96_media_of_one_end_that_stop_in_the_middle_of_a_call_are_told() {
    let (studio, hall) = ("10.1.0.50:5060", "203.0.113.60:5060");
    let promise = |place: &str, both_ways, made: f64| {
        let (kind, transport, over, parent) = (PromiseKind::Media, Transport::UDP, Transport::UDP, (endpoint(studio), endpoint(hall)));
        let (server, lasts, made) = (endpoint(place), Duration::from_secs(180), at(made));
        Promise { kind, transport, server, client: None, made, lasts, frame: frame(1), parent, over, begins: None, both_ways }
    };
    let called = |packets: u64, stops: f64, further: &[Promise]| {
        let mut media = udp("10.1.0.50:6000", "203.0.113.60:6000").speaks(&["rtp"]).fact(Fact::OneWay);
        let flow = &mut media.0.flow;
        (flow.client.packets, flow.last, flow.client.last) = (3_000, at(61.0), Some(at(61.0)));
        (flow.server.packets, flow.server.payload_bytes, flow.server.first, flow.server.last) = (packets, packets * 172, Some(at(1.0)), Some(at(stops)));
        flow.alone = [((61.0 - stops) * 50.0) as u16, 0];
        let books = Books::default();
        let both = [promise("10.1.0.50:6000", true, 0.5), promise("203.0.113.60:6000", true, 0.5)];
        both.iter().chain(further).for_each(|promise| books.announce(promise.clone()));
        let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
        [&media, &background()].into_iter().for_each(|sample| judge.learn(&sample.0));
        judge.judge(media.0)
    };
    let judged = called(1_000, 21.0, &[]);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D96"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("after 20 s none came from 203.0.113.60:6000 any more, while 10.1.0.50:6000 sent its own for 40 s"), "{says}");
    for passes in [called(500, 21.0, &[]), called(2_000, 41.0, &[]), called(1_000, 21.0, &[promise("10.1.0.50:6000", false, 21.0)])] {
        assert_eq!(passes.outcome, Outcome::Ok, "{:?}", passes.cause);
    }
}
