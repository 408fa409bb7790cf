//! What became of a flow. One test a rule of the decision table, named by what it says, and one for what must not be called blocked.

use super::sample::*;
use crate::identify::{AnswerKind, Fact, NameSource};
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::Side;

const SERVER: &str = "203.0.113.7:8883";
const CLIENT: &str = "10.1.0.2:40000";

#[track_caller]
fn expect(judged: &Judged, outcome: Outcome, confidence: Confidence, rule: Option<&str>) {
    let cause = judged.cause.as_ref();
    assert_eq!((judged.outcome, judged.confidence, cause.map(|cause| cause.rule)), (outcome, confidence, rule), "{cause:?}");
}

fn judge(sample: Sample) -> Judged {
    judge_one(Site::default(), sample)
}

fn syns(times: &[f64]) -> Sample {
    tcp(CLIENT, SERVER).syns(times)
}

// D20
#[test]
fn what_was_on_its_way_at_the_end_of_the_capture_leaves_a_doubt() {
    let mut hanging = tcp("10.1.0.2:40000", "198.51.100.7:443").talked(100, 1448).cut_by_the_end();
    assert_eq!(judge(hanging.clone()).confidence, Confidence::High);
    hanging.0.flow.tcp.as_mut().unwrap().open_segment = [(0, 0), (1448, 1449)];
    let judged = judge(hanging);
    assert_eq!((judged.outcome, judged.confidence), (Outcome::Ok, Confidence::Medium));
}

#[test]
fn three_equal_syns_without_an_answer_are_a_silent_drop() {
    let judged = judge(syns(&[1.0, 2.0, 4.0, 8.0]));
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D20"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("4 SYNs to 203.0.113.7:8883 over 7 s") && !says.contains("firewall"), "{says}");
}

// D21
#[test]
fn two_equal_syns_are_a_silent_drop_of_which_we_are_less_sure() {
    expect(&judge(syns(&[1.0, 2.0])), Outcome::SilentDrop, Confidence::Medium, Some("D21"));
}

// D21: 0.9 s, as copies of a mirror port come within milliseconds
#[test]
fn copies_of_one_syn_are_one_syn() {
    expect(&judge(syns(&[1.0, 1.001, 1.5])), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

// D33
#[test]
fn a_single_syn_proves_nothing() {
    expect(&judge(syns(&[1.0])), Outcome::NotObservable, Confidence::Low, Some("D33"));
}

#[test]
fn many_single_syns_from_new_ports_are_a_hint() {
    let samples: Vec<Sample> = (0..6).map(|n| tcp(&format!("10.1.0.2:{}", 40000 + n), SERVER)).collect();
    for judged in judge_all(Site::default(), &samples) {
        expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D21"));
    }
}

// D22
#[test]
fn a_host_that_answers_elsewhere_is_alive() {
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[alive, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D22"));
    assert!(judged.cause.unwrap().says.contains("443/tcp"));
}

#[test]
fn silence_is_less_sure_where_nothing_else_was_captured() {
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D20"));
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0])], &[]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D21"));
}

// D32: never blocked
#[test]
fn what_worked_once_for_the_same_client_is_not_blocked() {
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

// D01
#[test]
fn a_client_that_goes_on_was_answered_out_of_sight() {
    expect(&judge(one_sided(41000)), Outcome::NotObservable, Confidence::High, Some("D01"));
}

// D01: the visibility gate
#[test]
fn silence_means_nothing_where_answers_pass_elsewhere() {
    let others: Vec<Sample> = (0..5).map(|n| one_sided(41000 + n)).collect();
    for judged in [
        judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &others).remove(0),
        judge_among(Site::default(), &[tcp("10.1.0.2:5", "203.0.113.99:8883").syns(&[1.0, 2.0, 4.0])], &others).remove(0),
    ] {
        expect(&judged, Outcome::NotObservable, Confidence::High, Some("D01"));
    }
}

// D02
#[test]
fn a_capture_that_lost_too_much_explains_silence() {
    let mut holes = tcp("10.1.0.3:40000", "203.0.113.8:443").talked(1000, 1000);
    holes.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 600];
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0])], &[holes.clone(), background()]).remove(0);
    expect(&judged, Outcome::CaptureDamaged, Confidence::High, Some("D02"));
    let judged = judge_among(Site::default(), &[syns(&[1.0, 2.0, 4.0])], &[holes, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D20"));
}

// D06
#[test]
fn a_syn_at_the_very_end_was_not_given_time() {
    let mut late = tcp(CLIENT, SERVER).syns(&[60.5]).cut_by_the_end();
    late.0.flow.first = at(60.5);
    expect(&judge(late), Outcome::NotObservable, Confidence::High, Some("D06"));
}

// D25
#[test]
fn a_reset_of_a_syn_is_a_closed_port() {
    expect(&judge(syns(&[1.0]).reset(1.02, 57)), Outcome::RefusedByHost, Confidence::Medium, Some("D25"));
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.02, 57)], &[alive]).remove(0);
    expect(&judged, Outcome::RefusedByHost, Confidence::High, Some("D25"));
}

// D26
#[test]
fn a_reset_from_another_distance_is_not_the_hosts() {
    let alive = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let judged = judge_among(Site::default(), &[syns(&[1.0]).reset(1.001, 63)], &[alive]).remove(0);
    expect(&judged, Outcome::RejectedByNetwork, Confidence::Medium, Some("D26"));
}

// D27, by code (RFC 792, 1812, 4443) and with the sender named
#[test]
fn prohibited_by_icmp_is_policy_of_whoever_sent_it() {
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

// D28
#[test]
fn port_unreachable_for_tcp_is_a_filters_reject() {
    expect(&judge(syns(&[1.0]).icmp("203.0.113.7", 3, 3)), Outcome::RejectedByNetwork, Confidence::High, Some("D28"));
    expect(&judge(syns(&[1.0]).icmp("10.1.0.1", 3, 3)), Outcome::RejectedByNetwork, Confidence::High, Some("D28"));
}

// D29
#[test]
fn no_route_and_no_host_are_unreachable_and_not_blocked() {
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

// D71
#[test]
fn port_unreachable_for_udp_from_the_host_is_a_closed_port_and_from_another_a_reject() {
    let ask = || udp(CLIENT, "10.1.0.9:161").speaks(&["snmp"]);
    expect(&judge(ask().icmp("10.1.0.9", 3, 3)), Outcome::RefusedByHost, Confidence::High, Some("D71"));
    expect(&judge(ask().icmp("10.1.0.1", 3, 3)), Outcome::RejectedByNetwork, Confidence::Medium, Some("D28"));
}

// D30
#[test]
fn both_ends_repeating_themselves_is_a_broken_return_path() {
    let judged = judge(syns(&[1.0, 2.0, 4.0]).syn_acks(3, 4.02));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
}

// D70
#[test]
fn a_request_asked_again_three_times_without_an_answer_is_dropped() {
    let ask = || udp(CLIENT, "198.51.100.53:53").speaks(&["dns"]);
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
fn announcements_traps_and_logs_await_no_answer() {
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

// D80
#[test]
fn many_unanswered_targets_of_one_source_are_a_scan() {
    let probes: Vec<Sample> = (0..40).map(|n| tcp("10.1.0.66:40000", &format!("10.2.0.{n}:8883")).syns(&[1.0, 2.0])).collect();
    for judged in judge_all(Site::default(), &probes) {
        expect(&judged, Outcome::ScanNoise, Confidence::High, Some("D80"));
    }
}

// D81
#[test]
fn knocking_from_outside_that_nobody_answers_is_what_a_filter_is_for() {
    let knock = tcp("198.51.100.66:40000", "10.1.0.2:6905").syns(&[1.0, 2.0, 4.0]);
    expect(&judge(knock), Outcome::ScanNoise, Confidence::Medium, Some("D81"));
}

// D04
#[test]
fn a_connection_older_than_the_capture_is_midstream() {
    expect(&judge(tcp(CLIENT, SERVER).midstream().talked(10, 10)), Outcome::Midstream, Confidence::High, Some("D04"));
}

// D46, D47
#[test]
fn an_alert_says_who_ended_the_handshake() {
    let hello = || tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]);
    let by_client = judge(hello().answer(Side::Client, AnswerKind::Refused, 48, "unknown_ca"));
    expect(&by_client, Outcome::TlsFailed, Confidence::High, Some("D46"));
    let by_server = judge(hello().answer(Side::Server, AnswerKind::Refused, 40, "handshake_failure"));
    expect(&by_server, Outcome::TlsFailed, Confidence::High, Some("D47"));
    assert!(by_server.cause.unwrap().says.contains("handshake_failure"));
}

const DOCUMENTED: &str = "feeds.services.spinetix.com";
const RESOLVER: &str = "10.1.0.1:53";

fn lookup(client: &str) -> Sample {
    udp(client, RESOLVER).talked(40, 40).speaks(&["dns"])
}

fn denied(name: &str, code: u16, filtered: Option<u16>) -> Sample {
    lookup(CLIENT).fact(Fact::Unresolved { name: name.into(), code, filtered })
}

fn resolved(client: &str, name: &str, address: &str) -> Sample {
    let (addresses, ttl) = (vec![address.parse().unwrap()], std::time::Duration::from_secs(60));
    lookup(client).fact(Fact::Resolved { name: name.into(), aliases: Vec::new(), addresses, ttl, source: NameSource::Dns })
}

fn judge_with_control(sample: Sample) -> Judged {
    judge_among(Site::default(), &[sample], &[resolved("10.1.0.5:40000", "other.example", "198.51.100.1"), background()]).remove(0)
}

// D10
#[test]
fn a_documented_name_that_does_not_exist_where_others_do_is_denied() {
    let judged = judge_with_control(denied(DOCUMENTED, 3, None));
    expect(&judged, Outcome::DnsBlocked, Confidence::Medium, Some("D10"));
    assert!(judged.cause.unwrap().says.contains(DOCUMENTED) && judged.denied.is_some());
}

// D10: what must not be called denied
#[test]
fn nxdomain_of_any_other_name_and_of_a_resolver_without_control_is_an_answer() {
    expect(&judge_with_control(denied("other.example", 3, None)), Outcome::Ok, Confidence::High, None);
    expect(&judge_with_control(denied("feeds.services.spinetix.com.corp.example", 3, None)), Outcome::Ok, Confidence::High, None);
    expect(&judge(denied(DOCUMENTED, 3, None)), Outcome::Ok, Confidence::High, None);
}

#[test]
fn a_documented_name_that_the_client_got_from_anybody_was_not_denied() {
    let got = resolved(CLIENT, DOCUMENTED, "203.0.113.7");
    let judged = judge_among(Site::default(), &[denied(DOCUMENTED, 5, None)], &[got, background()]).remove(0);
    expect(&judged, Outcome::Ok, Confidence::High, None);
}

// D11
#[test]
fn a_resolver_that_says_it_filters_is_taken_at_its_word() {
    expect(&judge(denied("other.example", 3, Some(15))), Outcome::DnsBlocked, Confidence::High, Some("D11"));
}

// D11: RFC 5782, blocklists answer with loopback addresses
#[test]
fn an_address_that_no_host_has_is_a_filters_but_loopback_only_for_documented_names() {
    let gives = |name: &str, address: &str| judge(resolved(CLIENT, name, address));
    for address in ["0.0.0.0", "127.0.0.1", "::", "::1"] {
        expect(&gives(DOCUMENTED, address), Outcome::DnsBlocked, Confidence::Medium, Some("D11"));
    }
    expect(&gives("ads.example", "0.0.0.0"), Outcome::DnsBlocked, Confidence::Medium, Some("D11"));
    expect(&gives("2.0.0.127.list.example", "127.0.0.2"), Outcome::Ok, Confidence::High, None);
    expect(&gives(DOCUMENTED, "10.9.9.9"), Outcome::Ok, Confidence::High, None);
}

// D12
#[test]
fn a_resolver_that_refuses_a_documented_name_and_gives_others_denies_it() {
    expect(&judge_with_control(denied(DOCUMENTED, 5, None)), Outcome::DnsBlocked, Confidence::Medium, Some("D12"));
    expect(&judge(denied(DOCUMENTED, 5, None)), Outcome::DnsBlocked, Confidence::Low, Some("D12"));
    expect(&judge_with_control(denied("other.example", 5, None)), Outcome::DnsBlocked, Confidence::Low, Some("D12"));
}

// D14
#[test]
fn a_resolver_that_fails_is_not_a_filter() {
    expect(&judge(denied("other.example", 2, None)), Outcome::DnsFailed, Confidence::Medium, Some("D14"));
}

// D42
#[test]
fn a_page_that_a_proxy_made_up_is_a_block_page() {
    let page = |code| {
        let asked = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, code, "Refused");
        judge(asked.fact(Fact::Proxied { mark: "X-Squid-Error: ERR_ACCESS_DENIED 0".into() }))
    };
    let judged = page(403);
    expect(&judged, Outcome::BlockedByProxy, Confidence::Medium, Some("D42"));
    assert!(judged.cause.unwrap().says.contains("X-Squid-Error"));
    // A proxy that cannot reach the server blocks nothing.
    expect(&page(503), Outcome::AppRefused, Confidence::Medium, Some("D56"));
}

// D53
#[test]
fn a_refusal_in_the_services_own_protocol_is_its_own() {
    let refused = tcp(CLIENT, SERVER).talked(90, 90).speaks(&["mqtt"]).answer(Side::Server, AnswerKind::Refused, 5, "not authorized");
    expect(&judge(refused), Outcome::AppRefused, Confidence::High, Some("D53"));
}

// D43, D44, D56
#[test]
fn http_refusals_are_read_by_their_code() {
    let ask = |code, text: &str| judge(tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, code, text));
    expect(&ask(407, "Proxy Authentication Required"), Outcome::AppRefused, Confidence::Medium, Some("D56"));
    let login = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 407, "Proxy Authentication Required");
    let login = login.fact(Fact::Proxied { mark: "Proxy-Authenticate: Basic realm=\"proxy\"".into() });
    expect(&judge(login), Outcome::BlockedByProxy, Confidence::High, Some("D43"));
    expect(&ask(511, "Network Authentication Required"), Outcome::BlockedByProxy, Confidence::High, Some("D44"));
    let forbidden = ask(403, "Forbidden");
    expect(&forbidden, Outcome::AppRefused, Confidence::Medium, Some("D56"));
    let cause = forbidden.cause.unwrap();
    assert!(!cause.says.contains("itself") && cause.alternatives.iter().any(|other| other.contains("filter")));
    expect(&ask(404, "Not Found"), Outcome::Ok, Confidence::High, None);
}

#[test]
fn a_service_that_served_once_in_the_flow_did_not_refuse() {
    let sample = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]);
    let judged = judge(sample.answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized").answer(Side::Server, AnswerKind::Accepted, 200, "OK"));
    expect(&judged, Outcome::Ok, Confidence::High, None);
}

// D57: the server's packets come with a time to live of 57
#[test]
fn a_reset_after_the_first_message_is_not_blamed_on_the_network() {
    expect(&judge(tcp(CLIENT, SERVER).talked(300, 0).reset(1.3, 57)), Outcome::AppRefused, Confidence::Low, Some("D57"));
}

// D40
#[test]
fn a_reset_from_another_distance_after_the_first_message_was_made_on_the_way() {
    let cut = || tcp(CLIENT, SERVER).talked(517, 0).reset(1.3, 64);
    expect(&judge(cut()), Outcome::ResetByMiddlebox, Confidence::Medium, Some("D40"));
    let mut several = cut();
    several.0.flow.tcp.as_mut().unwrap().resets_differ = true;
    expect(&judge(several), Outcome::ResetByMiddlebox, Confidence::High, Some("D40"));
}

// D40: 57 of 64 and 248 of 255 are both seven hops
#[test]
fn a_reset_with_another_initial_time_to_live_from_the_same_distance_is_the_hosts_own() {
    expect(&judge(tcp(CLIENT, SERVER).talked(517, 0).reset(1.3, 248)), Outcome::AppRefused, Confidence::Low, Some("D57"));
}

/// A segment of that side of this length, sent that often again and not acknowledged; `before` payload bytes in one segment had been.
fn unacknowledged(side: Side, len: u32, again: u32, before: u32) -> Sample {
    let (lost, whole) = (u64::from(len + before), if side == Side::Client { 0 } else { 100 });
    let mut sample = if side == Side::Client { tcp(CLIENT, SERVER).talked(lost, whole) } else { tcp(CLIENT, SERVER).talked(whole, lost) };
    let (place, tcp) = (side as usize, sample.0.flow.tcp.as_mut().unwrap());
    tcp.acknowledged[place] = u64::from(before);
    tcp.largest_acknowledged[place] = before;
    tcp.open_again[place] = again;
    tcp.payload[place] = lost;
    // The SYN is at 0, the first byte at 1.
    tcp.open_segment[place] = (len, i64::from(1 + before + len));
    sample
}

// D41
#[test]
fn a_small_first_message_that_vanishes_after_the_handshake_is_dropped_for_its_content() {
    let judged = judge(unacknowledged(Side::Client, 517, 5, 0));
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D41"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("517 bytes") && cause.says.contains("5 times"), "{}", cause.says);
    assert!(["content", "size"].iter().all(|why| cause.alternatives.iter().any(|other| other.contains(why))));
    expect(&judge(unacknowledged(Side::Client, 517, 2, 0)), Outcome::SilentDrop, Confidence::Low, Some("D41"));
}

// D32: never blocked
#[test]
fn a_lost_first_message_to_a_server_that_talks_to_this_client_at_other_times_is_not_blocked() {
    let talked = tcp("10.1.0.2:39999", SERVER).talked(517, 900);
    let judged = judge_among(Site::default(), &[unacknowledged(Side::Client, 517, 5, 0)], &[talked, background()]).remove(0);
    expect(&judged, Outcome::Unreachable, Confidence::Medium, Some("D32"));
}

// D60: a mirror that shows a connection a second time with other sequence numbers
#[test]
fn a_segment_far_beyond_all_that_was_sent_is_not_lost() {
    let mut twice = unacknowledged(Side::Server, 1448, 4, 237);
    twice.0.flow.tcp.as_mut().unwrap().open_segment[1].1 += 1_604_532_840;
    expect(&judge(twice), Outcome::Ok, Confidence::High, None);
}

// D60
#[test]
fn large_segments_that_vanish_where_small_ones_pass_are_too_large_for_the_path() {
    expect(&judge(unacknowledged(Side::Server, 1448, 11, 237)), Outcome::PmtuBlackhole, Confidence::Medium, Some("D60"));
    expect(&judge(unacknowledged(Side::Client, 1448, 4, 237)), Outcome::PmtuBlackhole, Confidence::Medium, Some("D60"));
    // A large first message: its content may be the reason as well.
    expect(&judge(unacknowledged(Side::Client, 1448, 4, 0)), Outcome::PmtuBlackhole, Confidence::Low, Some("D60"));
}

// D60: RFC 8200, every path carries 1280 bytes
#[test]
fn what_any_path_carries_or_was_carried_before_is_not_lost_for_its_size() {
    expect(&judge(unacknowledged(Side::Server, 1208, 11, 237)), Outcome::Ok, Confidence::High, None);
    expect(&judge(unacknowledged(Side::Server, 1448, 11, 1448)), Outcome::Ok, Confidence::High, None);
    expect(&judge(unacknowledged(Side::Server, 1448, 1, 237)), Outcome::Ok, Confidence::High, None);
}

// D34
#[test]
fn a_first_message_without_acknowledgment_or_repetition_proves_nothing() {
    expect(&judge(unacknowledged(Side::Client, 517, 0, 0)), Outcome::NotObservable, Confidence::Low, Some("D34"));
}

// D79
#[test]
fn a_dispatcher_that_closes_after_the_session_id_does_not_know_the_space() {
    let asks = |port: u16, bytes: u64, ends: &[u8]| {
        let mut sample = tcp("10.1.0.40:40000", &format!("203.0.113.69:{port}")).talked(bytes, 0);
        ends.iter().for_each(|letter| sample.0.flow.history.push(*letter));
        judge_one(site(&["cobalt.peer=10.1.0.0/24"]), sample)
    };
    expect(&asks(6900, 16, b"fF"), Outcome::AppRefused, Confidence::High, Some("D79"));
    // The client gave up, another message, another service.
    for other in [asks(6900, 16, b"Ff"), asks(6900, 17, b"fF"), asks(443, 16, b"fF")] {
        assert_ne!(other.cause.map(|cause| cause.rule), Some("D79"));
    }
}

// D54
#[test]
fn a_request_taken_and_not_replied_to_is_the_servers_silence() {
    let mut silent = tcp(CLIENT, SERVER).talked(300, 0);
    silent.0.flow.ended = crate::flow::Ended::Idle;
    expect(&judge(silent), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
}

// D31
#[test]
fn a_connection_in_which_nothing_is_said_is_just_that() {
    expect(&judge(tcp(CLIENT, SERVER).connected()), Outcome::ConnectedNoData, Confidence::High, Some("D31"));
}
