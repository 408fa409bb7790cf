//! What became of a flow: refusals, the gate, silence. One test a rule of the decision table, named after it, and one for what must not be called blocked.

use super::sample::*;
use crate::flow::{Direction, Moment};
use crate::identify::{Fact, Resolved, Step};
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::Transport;

pub(super) const SERVER: &str = "203.0.113.7:8883";
pub(super) const CLIENT: &str = "10.1.0.2:40000";

#[track_caller]
pub(super) fn expect(judged: &Judged, outcome: Outcome, confidence: Confidence, rule: Option<&str>) {
    let cause = judged.cause.as_ref();
    assert_eq!((judged.outcome, judged.confidence, cause.map(|cause| cause.rule)), (outcome, confidence, rule), "{cause:?}");
}

pub(super) fn judge(sample: Sample) -> Judged {
    judge_one(Site::default(), sample)
}

fn syns(times: &[f64]) -> Sample {
    tcp(CLIENT, SERVER).syns(times)
}

#[test]
fn what_may_have_gone_wrong_unseen_is_not_said_to_have_worked_for_sure() {
    let whole = || tcp("10.1.0.2:40000", "198.51.100.7:443").talked(100, 1448);
    let changed = |change: fn(&mut crate::flow::Flow)| {
        let mut sample = whole();
        change(&mut sample.0.flow);
        judge_among(Site::default(), &[sample], &[]).remove(0)
    };
    let sure = [judge(whole()), judge(whole().cut_by_the_end())];
    assert!(sure.iter().all(|judged| (judged.outcome, judged.confidence) == (Outcome::Ok, Confidence::High)));
    let unsure: [fn(&mut crate::flow::Flow); 3] = [
        |flow| flow.ended = crate::flow::Ended::CaptureEnd,
        |flow| flow.tcp.as_mut().unwrap().missed_bytes = [0, 40],
        |flow| flow.tcp.as_mut().unwrap().resets = 1,
    ];
    for change in unsure {
        let judged = changed(change);
        assert_eq!((judged.outcome, judged.confidence), (Outcome::Ok, Confidence::Medium));
    }
}

#[test]
fn d20_three_equal_syns_without_an_answer_are_a_silent_drop() {
    let judged = judge(syns(&[1.0, 2.0, 4.0, 8.0]));
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D20"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("4 SYNs to 203.0.113.7:8883 over 7 s") && !says.contains("firewall"), "{says}");
}

#[test]
fn d21_two_equal_syns_are_a_silent_drop_of_which_we_are_less_sure() {
    expect(&judge(syns(&[1.0, 2.0])), Outcome::SilentDrop, Confidence::Medium, Some("D21"));
}

#[test]
fn d20_data_on_a_syn_that_nothing_answers_is_silence_all_the_same() {
    // TCP Fast Open (RFC 7413 section 4.1.3): the first SYN carries the request, those after it nothing.
    let with_data = |times: &[f64]| {
        let mut sample = syns(times);
        sample.0.flow.client.payload_bytes = 18;
        sample
    };
    expect(&judge(with_data(&[1.0, 2.0, 4.0, 8.0])), Outcome::SilentDrop, Confidence::High, Some("D20"));
    expect(&judge(with_data(&[1.0])), Outcome::NotObservable, Confidence::Low, Some("D33"));
    expect(&judge(with_data(&[1.0, 2.0, 4.0]).syn_acks(3, 4.02)), Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
}

// 0.9 s, as copies of a mirror port come within milliseconds
#[test]
fn d21_copies_of_one_syn_are_one_syn() {
    expect(&judge(syns(&[1.0, 1.001, 1.5])), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

#[test]
fn d33_a_single_syn_proves_nothing() {
    expect(&judge(syns(&[1.0])), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

#[test]
fn d21_many_single_syns_from_new_ports_are_a_hint() {
    let samples: Vec<Sample> = (0..6).map(|n| tcp(&format!("10.1.0.2:{}", 40000 + n), SERVER)).collect();
    for judged in judge_all(Site::default(), &samples) {
        expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D21"));
    }
}

#[test]
fn d22_a_host_that_answers_elsewhere_is_alive() {
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[alive, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D22"));
    assert!(judged.cause.unwrap().says.contains("443/tcp"));
}

#[test]
fn d20_silence_is_less_sure_where_nothing_else_was_captured() {
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D20"));
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0])], &[]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D21"));
}

// never blocked
#[test]
fn d32_what_worked_once_for_the_same_client_is_not_blocked() {
    let worked = tcp("10.1.0.2:39999", SERVER).talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[worked, background()]).remove(0);
    expect(&judged, Outcome::Unreachable, Confidence::Medium, Some("D32"));
    assert!(!judged.outcome.is_blocked());
}

fn one_sided(port: u16) -> Sample {
    let mut seen = tcp(&format!("10.1.0.2:{port}"), "203.0.113.7:443").talked(100, 0);
    seen.0.flow.server.packets = 0;
    seen.0.flow.tcp.as_mut().unwrap().syn_acks = 0;
    seen
}

#[test]
fn d01_a_client_that_goes_on_was_answered_out_of_sight() {
    expect(&judge(one_sided(41000)), Outcome::NotObservable, Confidence::High, Some("D01"));
}

// the visibility gate
#[test]
fn d01_silence_means_nothing_where_answers_pass_elsewhere() {
    let others: Vec<Sample> = (0..5).map(|n| one_sided(41000 + n)).collect();
    for judged in [
        judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &others).remove(0),
        judge_among(Site::default(), &[tcp("10.1.0.2:5", "203.0.113.99:8883").syns(&[1.0, 2.0, 4.0])], &others).remove(0),
    ] {
        expect(&judged, Outcome::NotObservable, Confidence::High, Some("D01"));
    }
}

#[test]
fn d02_a_capture_that_lost_too_much_explains_silence() {
    let mut holes = tcp("10.1.0.3:40000", "203.0.113.8:443").talked(1000, 1000);
    holes.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 600];
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0])], &[holes.clone(), background()]).remove(0);
    expect(&judged, Outcome::CaptureDamaged, Confidence::High, Some("D02"));
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[holes, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D20"));
}

#[test]
fn d06_a_syn_at_the_very_end_was_not_given_time() {
    let mut late = tcp(CLIENT, SERVER).syns(&[60.5]).cut_by_the_end();
    late.0.flow.first = at(60.5);
    expect(&judge(late), Outcome::NotObservable, Confidence::High, Some("D06"));
}

// As http-never-read and mqtt-closed-at-once of the laboratory.
#[test]
fn d06_who_waited_long_for_an_answer_or_was_hung_up_on_was_not_cut_off_by_the_end() {
    let asking = |first: f64, end: f64| {
        let mut sample = tcp(CLIENT, SERVER).talked(300, 0).cut_by_the_end();
        let flow = &mut sample.0.flow;
        (flow.last, flow.tcp.as_mut().unwrap().first_data[0]) = (at(end), Some(Moment::new(at(first), frame(4))));
        sample
    };
    let rule = |sample: Sample| judge_among(Site::default(), &[sample], &[]).remove(0).cause.map(|cause| cause.rule);
    assert_eq!(rule(asking(59.5, 61.0)), Some("D06"));
    assert_ne!(rule(asking(50.0, 61.0)), Some("D06"));
    let mut hung_up = asking(59.5, 61.0);
    hung_up.0.flow.tcp.as_mut().unwrap().fins = [false, true];
    assert_ne!(rule(hung_up), Some("D06"));
}

#[test]
fn d25_a_reset_of_a_syn_is_a_closed_port() {
    expect(&judge(syns(&[1.0]).reset(1.02, 57)), Outcome::RefusedByHost, Confidence::Medium, Some("D25"));
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.02, 57)], &[alive]).remove(0);
    expect(&judged, Outcome::RefusedByHost, Confidence::High, Some("D25"));
}

#[test]
fn d26_a_reset_from_another_distance_is_not_the_hosts() {
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.001, 63)], &[alive]).remove(0);
    expect(&judged, Outcome::RejectedByNetwork, Confidence::Medium, Some("D26"));
}

// D27, by code (RFC 792, 1812, 4443) and with the sender named
#[test]
fn d27_prohibited_by_icmp_is_policy_of_whoever_sent_it() {
    for (kind, code) in [(3, 9), (3, 10), (3, 13)] {
        let judged = judge(syns(&[1.0, 2.0, 4.0]).icmp("10.1.0.1", kind, code));
        expect(&judged, Outcome::RejectedByNetwork, Confidence::High, Some("D27"));
        let cause = judged.cause.unwrap();
        assert_eq!(cause.by, Some("10.1.0.1".parse().unwrap()));
        assert!(cause.says.contains("10.1.0.1"), "{}", cause.says);
    }
    let v6 = |code| judge(tcp("[2001:db8::2]:40000", "[2001:db8:1::7]:8883").icmp("2001:db8::1", 1, code));
    for code in [1, 5, 6] {
        expect(&v6(code), Outcome::RejectedByNetwork, Confidence::High, Some("D27"));
    }
}

#[test]
fn d28_port_unreachable_for_tcp_is_a_filters_reject() {
    expect(&judge(syns(&[1.0]).icmp("203.0.113.7", 3, 3)), Outcome::RejectedByNetwork, Confidence::High, Some("D28"));
    expect(&judge(syns(&[1.0]).icmp("10.1.0.1", 3, 3)), Outcome::RejectedByNetwork, Confidence::High, Some("D28"));
}

#[test]
fn d29_no_route_and_no_host_are_unreachable_and_not_blocked() {
    for (kind, code) in [(3, 0), (3, 1)] {
        let judged = judge(syns(&[1.0, 2.0]).icmp("10.1.0.1", kind, code));
        expect(&judged, Outcome::Unreachable, Confidence::High, Some("D29"));
        assert!(!judged.outcome.is_blocked());
    }
}

#[test]
fn an_icmp_error_about_sizes_refuses_nothing() {
    expect(&judge(syns(&[1.0, 2.0, 4.0]).icmp("10.1.0.1", 3, 4)), Outcome::SilentDrop, Confidence::High, Some("D20"));
}

#[test]
fn an_icmp_error_beside_a_working_connection_is_not_its_outcome() {
    expect(&judge(tcp(CLIENT, SERVER).talked(100, 100).icmp("10.1.0.1", 3, 13)), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d70_who_asks_for_a_tunnel_again_in_vain_is_not_let_through() {
    for protocol in ["ike", "openvpn", "wireguard"] {
        let asks = udp(CLIENT, "203.0.113.7:4500").speaks(&[protocol]).fact(Fact::Retry).fact(Fact::Retry);
        expect(&judge(asks), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
    }
}

#[test]
fn d70_a_clock_that_is_asked_from_a_new_port_each_time_and_never_answers_is_a_hint() {
    let ask = |n: usize| udp(&format!("10.1.0.2:{}", 40000 + n), "203.0.113.7:123").speaks(&["ntp"]);
    let judged = |many: usize| judge_all(Site::default(), &(0..many).map(ask).collect::<Vec<_>>());
    for judged in judged(5) {
        expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
        assert!(judged.cause.as_ref().unwrap().says.contains("5 times"), "{judged:?}");
    }
    for judged in judged(4) {
        expect(&judged, Outcome::NotObservable, Confidence::Low, Some("D33"));
    }
}

#[test]
fn d71_port_unreachable_for_udp_from_the_host_is_a_closed_port_and_from_another_a_reject() {
    let ask = || udp(CLIENT, "10.1.0.9:161").speaks(&["snmp"]);
    expect(&judge(ask().icmp("10.1.0.9", 3, 3)), Outcome::RefusedByHost, Confidence::High, Some("D71"));
    expect(&judge(ask().icmp("10.1.0.1", 3, 3)), Outcome::RejectedByNetwork, Confidence::Medium, Some("D28"));
}

#[test]
fn d30_both_ends_repeating_themselves_is_a_broken_return_path() {
    let judged = judge(syns(&[1.0, 2.0, 4.0]).syn_acks(3, 4.02));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
}

// RFC 1350 section 4: the server answers from a port of its own
#[test]
fn a_request_of_tftp_is_answered_by_a_flow_of_its_own() {
    let request = || udp("10.1.0.2:45389", "10.1.0.9:69").speaks(&["tftp"]).asks("read", "boot.bin").fact(Fact::Retry).fact(Fact::Retry);
    expect(&judge(request()), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
    // By content whoever asked is the client of the transfer, too; where only one block or an error came, whoever sent it opened the flow.
    let transfer = udp("10.1.0.2:45389", "10.1.0.9:49514").speaks(&["tftp"]).talked(8, 600);
    let upload = udp("10.1.0.9:49514", "10.1.0.2:45389").speaks(&["tftp"]).direction(Direction::Likely).talked(600, 8);
    for answer in [transfer, upload] {
        let judged = judge_among(Site::default(), &[request()], &[answer, background()]).remove(0);
        expect(&judged, Outcome::Ok, Confidence::Medium, None);
    }
    // A single datagram is an error, and told by nothing; where the same is asked again it did not get there.
    let alone = || udp("10.1.0.9:49514", "10.1.0.2:45389").direction(Direction::Likely);
    let once = udp("10.1.0.2:45389", "10.1.0.9:69").speaks(&["tftp"]).asks("read", "boot.bin");
    expect(&judge_among(Site::default(), &[once], &[alone(), background()]).remove(0), Outcome::Ok, Confidence::Medium, None);
    let again = judge_among(Site::default(), &[request()], &[alone(), background()]).remove(0);
    expect(&again, Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
    let other = udp("10.1.0.2:45390", "10.1.0.9:49514").speaks(&["tftp"]).talked(8, 600);
    let judged = judge_among(Site::default(), &[request()], &[other, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D70"));
}

#[test]
fn d70_a_request_asked_again_three_times_without_an_answer_is_dropped() {
    let ask = || udp(CLIENT, "198.51.100.53:161").speaks(&["snmp"]);
    expect(&judge(ask().fact(Fact::Retry).fact(Fact::Retry)), Outcome::SilentDrop, Confidence::Medium, Some("D70"));
    expect(&judge(ask().fact(Fact::Retry)), Outcome::SilentDrop, Confidence::Low, Some("D70"));
    expect(&judge(ask()), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

#[test]
fn a_datagram_of_an_unknown_protocol_is_never_unanswered() {
    expect(&judge(udp(CLIENT, "198.51.100.5:9000").fact(Fact::Retry).fact(Fact::Retry)), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

// One-way by design: the list of section 2.7
#[test]
fn d05_announcements_traps_and_logs_await_no_answer() {
    for sample in [
        udp("10.1.0.2:43215", "255.255.255.255:43215").speaks(&["crqt"]),
        udp("10.1.0.2:5353", "224.0.0.251:5353").speaks(&["mdns"]),
        udp("10.1.0.2:40000", "239.255.255.250:1900").speaks(&["ssdp"]),
        udp("10.1.0.2:68", "255.255.255.255:67").speaks(&["dhcp"]).fact(Fact::Retry).fact(Fact::Retry),
        udp("10.1.0.2:40000", "10.1.0.9:162").speaks(&["snmp"]).fact(Fact::OneWay),
        udp("10.1.0.2:40000", "239.1.2.3:5004").speaks(&["rtp"]),
    ] {
        expect(&judge(sample), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    }
}

#[test]
fn d80_many_unanswered_targets_of_one_source_are_a_scan() {
    let probes: Vec<Sample> = (0..40).map(|n| tcp("10.1.0.66:40000", &format!("10.2.0.{n}:8883")).syns(&[1.0, 2.0])).collect();
    for judged in judge_all(Site::default(), &probes) {
        expect(&judged, Outcome::ScanNoise, Confidence::High, Some("D80"));
    }
}

#[test]
fn d81_knocking_from_outside_that_nobody_answers_is_what_a_filter_is_for() {
    let knock = tcp("198.51.100.66:40000", "10.1.0.2:6905").syns(&[1.0, 2.0, 4.0]);
    expect(&judge(knock), Outcome::ScanNoise, Confidence::Medium, Some("D81"));
}

// RFC 1122 section 3.2.2: no error answers an error.
#[test]
fn d05_an_icmp_error_asks_nothing_wherever_it_comes_from() {
    let message = |transport, from: &str, to: &str, (kind, code): (u8, u8)| {
        let mut sample = udp(from, to);
        (sample.0.flow.transport, sample.0.flow.icmp) = (transport, Some((kind, code)));
        sample.0.flow.client.payload_bytes = 28;
        sample
    };
    let (v4, v6) = (Transport::ICMP, Transport::ICMP6);
    for told in [
        message(v4, "203.0.113.10:3", "10.1.0.2:3", (3, 3)),
        message(v4, "10.1.0.1:3", "10.1.0.2:13", (3, 13)),
        message(v4, "10.1.0.1:11", "10.1.0.2:0", (11, 0)),
        message(v4, "10.1.0.1:5", "10.1.0.2:1", (5, 1)),
        message(v6, "[2001:db8::1]:1", "[2001:db8:1::2]:4", (1, 4)),
        message(v6, "[2001:db8::1]:2", "[2001:db8:1::2]:0", (2, 0)),
    ] {
        expect(&judge(told), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
    }
    let asked = message(v4, "10.1.0.1:8", "10.1.0.2:0", (8, 0));
    expect(&judge(asked), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

#[test]
fn d05_a_stream_from_outside_does_not_knock() {
    let stream = udp("203.0.113.10:42599", "10.1.0.2:1234").speaks(&["mpegts"]).fact(Fact::OneWay);
    expect(&judge(stream), Outcome::OneWayByDesign, Confidence::High, Some("D05"));
}

#[test]
fn d04_a_connection_older_than_the_capture_is_midstream() {
    expect(&judge(tcp(CLIENT, SERVER).midstream().talked(10, 10)), Outcome::Midstream, Confidence::High, Some("D04"));
}

#[test]
fn d01_a_repeated_request_proves_that_no_answer_arrived_but_not_which_was_given() {
    let others: Vec<Sample> = (0..5).map(|n| one_sided(41000 + n)).collect();
    let says = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &others).remove(0).cause.unwrap().says;
    assert!(says.contains("asked 3 times") && says.contains("cannot be seen"), "{says}");
}

// One tap on two links: what goes out by the first gateway is answered by another that is not tapped.
#[test]
fn d01_a_link_whose_answers_pass_elsewhere_is_blind_though_another_is_not() {
    let (host, seen, unseen) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 8], [2, 0, 0, 0, 0, 9]);
    let healthy = tcp("10.1.0.2:40000", "198.51.100.1:443").talked(100, 100).link(host, seen);
    let odd = |port: u16| one_sided(port).link(host, unseen);
    let lost = |server: &str| tcp("10.1.0.2:50000", server).syns(&[1.0, 2.0, 4.0]);
    let others = [healthy, odd(41000), odd(41001)];
    let by_the_blind_link = judge_among(Site::default(), &[lost("203.0.113.99:8883").link(host, unseen)], &others).remove(0);
    expect(&by_the_blind_link, Outcome::NotObservable, Confidence::High, Some("D01"));
    let by_the_other = judge_among(Site::default(), &[lost("203.0.113.99:8883").link(host, seen)], &others).remove(0);
    expect(&by_the_other, Outcome::SilentDrop, Confidence::High, Some("D20"));
}

#[test]
fn d01_a_cookie_that_comes_back_was_answered_out_of_sight() {
    let judged = judge(udp(CLIENT, "203.0.113.7:5421").speaks(&["srt"]).fact(Fact::Reached(Step::CookieReturned)).fact(Fact::Retry));
    expect(&judged, Outcome::NotObservable, Confidence::High, Some("D01"));
}

// Packets that the capture says it lost: 300 of 1,000 at the flow's interface.
#[test]
fn d02_packets_that_the_capture_lost_explain_silence() {
    let mut many = background();
    many.0.flow.client.packets = 700;
    let (twice, thrice) = (syns(&[1.0, 2.0]), syns(&[1.0, 2.0, 4.0]));
    let judged = judge_after_loss(300, &[twice, thrice], &[many]);
    expect(&judged[0], Outcome::CaptureDamaged, Confidence::High, Some("D02"));
    expect(&judged[1], Outcome::SilentDrop, Confidence::Low, Some("D20"));
}

#[test]
fn d24_a_host_whose_ipv6_is_silent_and_whose_ipv4_works_runs_degraded() {
    let (host, gateway) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);
    let addresses = vec!["203.0.113.7".parse().unwrap()];
    let ttl = std::time::Duration::from_secs(60);
    let answer = Fact::Resolved(Box::new(Resolved {
        name: "dual.example".into(),
        reverse: false,
        aliases: Vec::new(),
        addresses,
        ttl,
        source: crate::identify::NameSource::Dns,
    }));
    let lookup = udp("10.1.0.2:40000", "10.1.0.1:53").talked(40, 40).speaks(&["dns"]).fact(answer);
    let v4 = |mac| tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 100).link(mac, gateway);
    let named = || tcp("[2001:db8::2]:40002", "[2001:db8:1::7]:443").syns(&[1.0, 2.0, 4.0]).link(host, gateway).named("dual.example");
    let judged = judge_among(Site::default(), &[named()], &[lookup.clone(), v4(host), background()]).remove(0);
    expect(&judged, Outcome::OkDegraded, Confidence::High, Some("D24"));
    // That another host's IPv4 works says nothing.
    let judged = judge_among(Site::default(), &[named()], &[lookup, v4([2, 0, 0, 0, 0, 7]), background()]).remove(0);
    assert_eq!(judged.outcome, Outcome::SilentDrop);
}

#[test]
fn d74_quic_without_an_answer_beside_tcp_that_works_is_degraded() {
    let quic = || udp(CLIENT, "203.0.113.7:443").speaks(&["quic"]).fact(Fact::Retry);
    let works = tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[quic()], &[works, background()]).remove(0);
    expect(&judged, Outcome::OkDegraded, Confidence::High, Some("D74"));
    assert_eq!(judge(quic()).outcome, Outcome::SilentDrop);
}

#[test]
fn d25_where_nothing_else_of_the_host_was_seen_a_filter_cannot_be_told_from_it() {
    assert!(judge(syns(&[1.0]).reset(1.02, 57)).cause.unwrap().says.contains("cannot be told"));
}

// A router between two segments of one site rejects by reset: one hop nearer than the host. A host that publishes ports of containers looks the same.
#[test]
fn d25_a_reset_that_is_one_hop_off_or_early_says_so() {
    let mut alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.02, 58)], &[alive.clone()]).remove(0);
    expect(&judged, Outcome::RefusedByHost, Confidence::Medium, Some("D25"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("a filter one hop away") && says.contains("58"), "{says}");
    let own = judge_among(Site::default(), &[syns(&[1.0]).reset(1.02, 57)], &[alive.clone()]).remove(0);
    assert!(!own.cause.unwrap().says.contains("filter"));
    alive.0.flow.tcp.as_mut().unwrap().syn_ack_delay = std::num::NonZeroU64::new(20_000_000);
    let early = judge_among(Site::default(), &[syns(&[1.0]).reset(1.001, 57)], &[alive]).remove(0);
    assert!(early.cause.unwrap().says.contains("sooner"));
}

// The host answers in 20 ms; what answers in 1 ms stands nearer.
#[test]
fn d26_a_reset_from_another_distance_that_also_comes_too_early_is_surely_not_the_hosts() {
    let mut alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    alive.0.flow.tcp.as_mut().unwrap().syn_ack_delay = std::num::NonZeroU64::new(20_000_000);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.001, 63)], &[alive.clone()]).remove(0);
    expect(&judged, Outcome::RejectedByNetwork, Confidence::High, Some("D26"));
    // Early alone is not enough: the service may be slow to accept.
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.001, 57)], &[alive]).remove(0);
    expect(&judged, Outcome::RefusedByHost, Confidence::Medium, Some("D25"));
}

#[test]
fn d63_a_host_that_waited_in_vain_for_fragments_lost_them_on_the_way() {
    let large = udp(CLIENT, "10.1.0.9:5000").icmp("10.1.0.9", 11, 1);
    expect(&judge(large), Outcome::PmtuBlackhole, Confidence::Medium, Some("D63"));
}

#[test]
fn d37_two_ends_that_open_to_each_other_in_vain_are_both_silent() {
    let mut crossed = syns(&[1.0, 2.0, 4.0]);
    crossed.0.flow.history.push(b's');
    crossed.0.flow.server.packets = 3;
    expect(&judge(crossed), Outcome::SilentDrop, Confidence::Low, Some("D37"));
}

// RFC 9293 section 3.5: both SYNs cross, both ends answer.
#[test]
fn a_simultaneous_open_that_is_answered_is_a_connection() {
    let mut both = tcp(CLIENT, SERVER).talked(100, 100);
    both.0.flow.history.push(b's');
    expect(&judge(both), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d38_a_syn_that_meets_an_older_connection_is_neither_accepted_nor_refused() {
    let mut stale = syns(&[1.0, 2.0]);
    stale.0.flow.history.push(b'a');
    stale.0.flow.server.packets = 2;
    expect(&judge(stale), Outcome::Unreachable, Confidence::Low, Some("D38"));
}

#[test]
fn d35_a_connection_that_the_client_leaves_half_open_is_no_broken_return_path() {
    expect(&judge(syns(&[1.0]).syn_acks(3, 8.0)), Outcome::ConnectedNoData, Confidence::Medium, Some("D35"));
    let mut reset = syns(&[1.0]).syn_acks(1, 1.01).reset(1.02, 64);
    reset.0.flow.tcp.as_mut().unwrap().reset.as_mut().unwrap().from = crate::net::Side::Client;
    expect(&judge(reset), Outcome::ConnectedNoData, Confidence::High, Some("D35"));
}

#[test]
fn d39_a_handshake_of_which_the_rest_is_missing_is_no_success() {
    let mut torn = syns(&[1.0]);
    torn.0.flow.server.packets = 1;
    expect(&judge(torn), Outcome::NotObservable, Confidence::Low, Some("D39"));
}

fn data_connection() -> Sample {
    tcp(CLIENT, "10.2.0.21:21005").announced_by(crate::signature::PromiseKind::FtpPassive)
}

#[test]
fn d55_an_announced_connection_without_an_answer_names_the_one_that_announced_it() {
    let judged = judge(data_connection().syns(&[1.0, 2.0, 4.0]));
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D55"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("FTP control connection") && says.contains("3 SYNs"), "{says}");
    expect(&judge(data_connection().syns(&[1.0])), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

// RFC 959 section 3.2: PORT tells the server to connect to the client.
#[test]
fn d55_a_server_outside_that_was_told_to_come_does_not_knock_unbidden() {
    let told = tcp("203.0.113.21:20", "10.1.0.2:49135").announced_by(crate::signature::PromiseKind::FtpActive);
    let judged = judge(told.syns(&[1.0, 2.0, 4.0]));
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D55"));
    assert!(judged.cause.unwrap().says.contains("FTP control connection"));
}

#[test]
fn d72_a_dtls_hello_again_and_again_is_not_answered() {
    let hello = udp(CLIENT, "10.1.0.2:5684").speaks(&["dtls"]).fact(Fact::Retry).fact(Fact::Retry);
    expect(&judge(hello), Outcome::SilentDrop, Confidence::Medium, Some("D72"));
}

#[test]
fn d73_a_dtls_cookie_that_comes_back_in_vain_stalls_the_handshake() {
    let stalled = || udp(CLIENT, "10.1.0.2:5684").talked(200, 60).speaks(&["dtls"]).fact(Fact::Reached(Step::CookieReturned)).fact(Fact::Retry);
    expect(&judge(stalled()), Outcome::SilentDrop, Confidence::Low, Some("D73"));
    // A ServerHello came.
    expect(&judge(stalled().fact(Fact::Reached(Step::ServerHello))), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d75_an_srt_call_again_and_again_is_not_answered() {
    let call = (0..11).fold(udp(CLIENT, "10.1.0.9:5421").speaks(&["srt"]), |call, _| call.fact(Fact::Retry));
    let judged = judge(call);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D75"));
    assert!(judged.cause.unwrap().says.contains("12 times"));
}

// A loop that tries a closed port again and again, of which the capture lost one reset.
#[test]
fn d21_connections_that_were_refused_are_not_among_those_that_nothing_answered() {
    let tried = |port: u16| tcp(&format!("10.1.0.2:{port}"), SERVER);
    let mut all: Vec<Sample> = (1..8).map(|place| tried(40000 + place).reset(1.01, 57)).collect();
    all.push(tried(40000));
    let judged = judge_all(Site::default(), &all).pop().unwrap();
    expect(&judged, Outcome::NotObservable, Confidence::Low, Some("D33"));
    let silent: Vec<Sample> = (0..8).map(|place| tried(40000 + place)).collect();
    expect(&judge_all(Site::default(), &silent).pop().unwrap(), Outcome::SilentDrop, Confidence::Low, Some("D21"));
}

// Each echo request is another, and many hosts do not answer them.
#[test]
fn d70_echo_requests_that_nobody_answers_are_a_hint() {
    let ping = |many: u64| {
        let mut ping = udp("10.1.0.2:8", "10.1.0.9:0");
        (ping.0.flow.transport, ping.0.flow.icmp, ping.0.flow.client.packets) = (crate::net::Transport::ICMP, Some((8, 0)), many);
        judge(ping)
    };
    expect(&ping(4), Outcome::SilentDrop, Confidence::Low, Some("D70"));
    expect(&ping(1), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

// A ping goes on whether it is answered or not: only a link over which other answers come shows that these are missing.
#[test]
fn echo_requests_are_not_called_unanswered_over_a_link_that_was_never_seen_to_answer() {
    let (card, peer) = ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 9]);
    let mut ping = udp("10.1.0.2:8", "10.1.0.9:0").link(card, peer);
    (ping.0.flow.transport, ping.0.flow.icmp, ping.0.flow.client.packets) = (crate::net::Transport::ICMP, Some((8, 0)), 4);
    let elsewhere = tcp("10.1.0.2:41000", "10.1.0.8:443").talked(100, 900).link(card, [2, 0, 0, 0, 0, 8]);
    let judged = judge_among(Site::default(), &[ping.clone()], &[elsewhere, background()]).remove(0);
    expect(&judged, Outcome::NotObservable, Confidence::Low, Some("D33"));
    let same = tcp("10.1.0.2:41000", "10.1.0.9:443").talked(100, 900).link(card, peer);
    let judged = judge_among(Site::default(), &[ping], &[same, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
}
