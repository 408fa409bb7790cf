//! Flows gathered into sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use super::sample::*;
use crate::identify::{AnswerKind, Books, Certified, Fact, HIDDEN_ALERT, NO_TLS};
use crate::judge::{Confidence, Coverage, Finding, Gatherer, Judge, Severity, Site};
use crate::net::Side;
use crate::signature::{Basis, Signatures};

pub(super) fn players() -> Site {
    site(&["spinetix.player=10.1.0.0/24"])
}

fn silent_mqtt(client: u8, port: u16) -> Sample {
    tcp(&format!("10.1.0.{client}:{port}"), "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0])
}

#[track_caller]
pub(super) fn only(found: Vec<Finding>) -> Finding {
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(found.len(), 1, "{rules:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn s10_silent_mqtt_names_slow_sync_in_the_documents_words() {
    let finding = only(findings(players(), &[silent_mqtt(2, 40000)]));
    assert_eq!((finding.rule.as_str(), finding.severity, finding.confidence), ("silent_drop", Severity::High, Confidence::High));
    let consequence = finding.consequence.unwrap();
    assert!(consequence.contains("Slow Sync"), "{consequence}");
    assert!(consequence.contains("If MQTT is blocked, players will work in a degraded mode"), "{consequence}");
    let citation = finding.citation.unwrap();
    assert_eq!((citation.document.as_str(), citation.basis), ("SpinetiX, Network ports", Basis::Document));
    assert!(citation.quote.contains("MQTT access to SpinetiX cloud infrastructure"));
}

#[test]
fn s13_a_row_of_moving_addresses_is_asked_for_by_name() {
    let finding = only(findings(players(), &[silent_mqtt(2, 40000)]));
    let remedy = finding.remedy.unwrap();
    assert!(remedy.contains("allow TCP 8883 from 10.1.0.2 to *.services.spinetix.com"), "{remedy}");
    assert!(!remedy.contains("203.0.113.7"), "{remedy}");
}

#[test]
fn a_handshake_that_fails_is_mended_at_its_ends_and_by_no_rule_of_a_firewall() {
    let remedy = |by: Side, code: u32, text: &str| {
        let hello = tcp("10.1.0.2:40000", "203.0.113.7:443").talked(517, 900).speaks(&["tls"]).sni("a.services.spinetix.com");
        only(findings(players(), &[hello.answer(by, AnswerKind::Refused, code, text)])).remedy.unwrap()
    };
    for (by, code, text, due) in [
        (Side::Client, 48, "unknown_ca", "See which certificate 203.0.113.7 shows to 10.1.0.2"),
        (Side::Server, 116, "certificate_required", "Give 10.1.0.2 the certificate or key that 203.0.113.7 takes"),
        (Side::Server, 70, "protocol_version", "have a version of TLS and a cipher in common"),
        (Side::Server, 112, "unrecognized_name", "See by which name"),
        (Side::Server, HIDDEN_ALERT, "an encrypted alert", "See in the logs of both ends"),
    ] {
        let remedy = remedy(by, code, text);
        assert!(remedy.contains(due) && !remedy.contains("Allow"), "{text}: {remedy}");
    }
}

// nginx with `listen 443` and no `ssl`
#[test]
fn d85_a_port_that_answers_need_not_be_opened() {
    let clear = tcp("10.1.0.2:40000", "203.0.113.7:443").talked(517, 309).speaks(&["tls"]).sni("a.services.spinetix.com");
    let finding = only(findings(players(), &[clear.answer(Side::Server, AnswerKind::Refused, NO_TLS, "HTTP/1.1 400 Bad Request")]));
    let remedy = finding.remedy.unwrap();
    assert!(remedy.contains("on which port") && !remedy.to_lowercase().contains("allow"), "{remedy}");
}

#[test]
fn one_broken_rule_is_one_finding_however_many_players_and_retries() {
    let samples: Vec<Sample> = (2..6).flat_map(|host| (0..3).map(move |n| silent_mqtt(host, 40000 + n))).collect();
    let finding = only(findings(players(), &samples));
    assert_eq!((finding.flows, finding.attempts, finding.client.as_str()), (12, 12, "spinetix.player"));
    assert_eq!(finding.flow_ids.iter().collect::<BTreeSet<_>>().len(), 12);
}

#[test]
fn a_sentence_never_blames_a_firewall() {
    for finding in findings(players(), &[silent_mqtt(2, 40000)]) {
        let says = finding.says.to_lowercase();
        assert!(!says.contains("firewall") && !says.contains("blocked"), "{says}");
        assert!(!finding.alternatives.is_empty());
    }
}

// libpq with `sslmode=allow`: refused in clear, served with TLS a moment later
#[test]
fn what_to_do_about_a_service_that_refuses_at_times_is_not_to_look_for_loss() {
    let clear = tcp("10.4.1.30:40000", "10.4.0.21:80").talked(90, 300).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized");
    let served = tcp("10.4.1.30:40001", "10.4.0.21:80").talked(90, 300).speaks(&["http"]);
    let finding = only(findings(site(&["cayin.cms=10.4.0.21/32", "cayin.smp=10.4.1.0/24"]), &[clear, served]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("intermittent", Severity::Low));
    let remedy = finding.remedy.unwrap();
    assert!(remedy.contains("what 10.4.0.21 refuses and what it serves") && !remedy.contains("loss"), "{remedy}");
}

// libpq with `sslmode=allow`, clients that try TLS first and then clear text
#[test]
fn a_client_that_asks_otherwise_at_once_and_is_served_is_no_failure() {
    let told = |served_at: f64| {
        let clear = tcp("10.4.1.30:40000", "10.4.0.21:80").talked(90, 300).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized");
        let mut served = tcp("10.4.1.30:40001", "10.4.0.21:80").talked(90, 300).speaks(&["http"]);
        (served.0.flow.first, served.0.flow.last) = (at(served_at), at(served_at + 600.0));
        only(findings(site(&["cayin.cms=10.4.0.21/32", "cayin.smp=10.4.1.0/24"]), &[clear, served]))
    };
    let at_once = told(1.5);
    assert_eq!((at_once.severity, at_once.says.contains("served when the client asked otherwise at once")), (Severity::Info, true), "{}", at_once.says);
    // A minute later; or it had been served before, and was not since.
    let later = told(61.0);
    assert_eq!((later.severity, later.says.contains("now and then")), (Severity::Low, true), "{}", later.says);
    let before = told(-700.0);
    assert_eq!((before.severity, before.says.contains("failed after it had worked until")), (Severity::Low, true), "{}", before.says);
}

#[test]
fn a_service_that_worked_at_another_time_is_intermittent() {
    let worked = tcp("10.1.0.2:39999", "203.0.113.7:8883").talked(100, 100).speaks(&["tls"]);
    // A rejection is plain, yet it did not always stand.
    let rejected = silent_mqtt(2, 40000).icmp("10.1.0.1", 3, 13);
    let finding = only(findings(players(), &[worked, rejected]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("intermittent", Severity::Low));
}

#[test]
fn a_service_that_worked_and_then_failed_for_ten_minutes_is_told_with_the_time_since_when() {
    let worked = tcp("10.1.0.2:39999", "203.0.113.7:8883").talked(100, 100).speaks(&["tls"]);
    let failed = |second: f64, port: u16| {
        let mut sample = tcp(&format!("10.1.0.2:{port}"), "203.0.113.7:8883").syns(&[second, second + 1.0, second + 3.0]);
        sample.0.flow.first = at(second);
        sample
    };
    let since = [failed(200.0, 40000), failed(500.0, 40001), failed(900.0, 40002)];
    let finding = only(findings(players(), &[&since[..], from_ref(&worked)].concat()));
    assert_eq!((finding.rule.as_str(), finding.severity), ("intermittent", Severity::Medium));
    assert!(finding.says.contains("has not worked since 1970-01-01 00:00:"), "{}", finding.says);
    // Over five minutes it may still be a busy server; and where it worked in between it fails now and then.
    let shorter = only(findings(players(), &[&since[..2], from_ref(&worked)].concat()));
    let mut between = tcp("10.1.0.2:40010", "203.0.113.7:8883").talked(100, 100).speaks(&["tls"]);
    (between.0.flow.first, between.0.flow.last) = (at(700.0), at(701.0));
    let mended = only(findings(players(), &[&since[..], &[worked, between]].concat()));
    assert_eq!([shorter.severity, mended.severity], [Severity::Low; 2]);
}

#[test]
fn what_rests_on_a_port_alone_weighs_a_step_less() {
    let finding = only(findings(Site::default(), &[silent_mqtt(2, 40000)]));
    assert_eq!((finding.severity, finding.confidence), (Severity::Medium, Confidence::Low));
}

#[test]
fn an_ordinary_network_without_roles_is_quiet() {
    let samples = [
        tcp("10.5.0.1:40000", "203.0.113.7:443").syns(&[1.0, 2.0, 4.0]),
        tcp("10.5.0.1:40001", "10.5.0.2:22").talked(60, 60).speaks(&["ssh"]),
        tcp("10.5.0.1:40002", "10.5.0.2:445").reset(1.01, 64),
        udp("10.5.0.1:40003", "10.5.0.3:53").speaks(&["dns"]).icmp("10.5.0.3", 3, 3),
        udp("10.5.0.1:5353", "224.0.0.251:5353").speaks(&["mdns"]),
    ];
    assert_eq!(findings(Site::default(), &samples), []);
}

// A mirror that loses nearly all of what passes
#[test]
fn what_stands_undocumented_is_told_however_much_was_lost_and_what_is_silent_then_is_not() {
    let mut unreplied = tcp("10.1.0.2:40000", "203.0.113.7:9999").talked(300, 0);
    unreplied.0.flow.ended = crate::flow::Ended::Idle;
    let silent = tcp("10.1.0.2:40001", "203.0.113.7:9998").syns(&[1.0, 2.0]);
    let told: Vec<_> = findings_after_loss(300, players(), &[unreplied, silent]).into_iter().map(|finding| (finding.rule, finding.about)).collect();
    assert_eq!(told, [("undocumented_service".to_owned(), "9999/tcp".to_owned())]);
}

#[test]
fn scans_are_no_findings() {
    let probes: Vec<Sample> = (0..40).map(|n| tcp("10.9.0.66:40000", &format!("10.1.0.{n}:22"))).collect();
    assert_eq!(findings(players(), &probes), []);
}

// A player whose resolver was taken away, or whose time server is off; Windows asks everybody for NetBIOS names.
#[test]
fn what_every_host_needs_and_does_not_get_is_told_of_a_product_and_what_it_does_not_need_is_not() {
    let refused = |port: u16, protocol: &'static str| {
        let asked = udp("10.1.0.2:40000", &format!("10.3.0.53:{port}")).speaks(&[protocol]).icmp("10.3.0.53", 3, 3);
        findings(players(), &[asked]).into_iter().map(|finding| (finding.rule, finding.severity)).collect::<Vec<_>>()
    };
    assert!(refused(53, "dns").contains(&("refused_by_host".to_owned(), Severity::Medium)), "{:?}", refused(53, "dns"));
    assert!(refused(137, "netbios_ns").iter().all(|(rule, _)| rule == "undocumented_service"), "{:?}", refused(137, "netbios_ns"));
}

// What a product of the site needs and no document mentions: names, and the way through a proxy.
#[test]
fn a_resolver_that_is_silent_and_a_proxy_that_denies_are_findings_of_their_own() {
    let mut lookup = udp("10.1.0.2:40000", "10.3.0.53:53").speaks(&["dns"]);
    (lookup.0.retries, lookup.0.flow.client.packets, lookup.0.flow.client.payload_bytes) = (2, 3, 90);
    let found = findings(players(), &[lookup, background()]);
    let silent = found.iter().find(|finding| finding.rule == "silent_drop").unwrap();
    assert_eq!((silent.severity, silent.service), (Severity::High, None));
    assert!(silent.says.contains("asked resolver 10.3.0.53:53 3 times"), "{}", silent.says);
    let login = Fact::Proxied { mark: "Proxy-Authenticate: Basic realm=\"proxy\"".into() };
    let proxy = tcp("10.1.0.2:40001", "10.3.0.9:3128").talked(90, 300).speaks(&["http"]).fact(login);
    let proxy = proxy.answer(Side::Server, AnswerKind::Refused, 407, "Proxy Authentication Required");
    let found = findings(players(), &[proxy]);
    let denied = found.iter().find(|finding| finding.rule == "blocked_by_proxy").unwrap();
    assert!(denied.remedy.as_ref().unwrap().contains("login"), "{denied:?}");
}

// A service that answers is reached, whatever it says: the way is open.
#[test]
fn a_refusal_by_the_service_itself_is_low_also_where_the_document_needs_the_port() {
    let login = tcp("10.4.1.30:40000", "10.4.0.21:80").talked(90, 300).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized");
    let cayin = site(&["cayin.cms=10.4.0.21/32", "cayin.smp=10.4.1.0/24"]);
    assert_eq!(only(findings(cayin.clone(), &[login])).severity, Severity::Low);
    let closed = tcp("10.4.1.30:40000", "10.4.0.21:80").reset(1.01, 64);
    assert_eq!(only(findings(cayin, &[closed])).severity, Severity::High);
}

// S05: off is what the document says it is
#[test]
fn an_optional_service_that_refuses_is_probably_off() {
    let finding = only(findings(players(), &[udp("10.9.0.1:40000", "10.1.0.2:161").speaks(&["snmp"]).icmp("10.1.0.2", 3, 3)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("refused_by_host", Severity::Info));
    assert!(finding.alternatives[0].contains("not enabled by default"));
}

// What answers one station is switched on, whatever the document's default: that another station gets nothing is no service that is off.
#[test]
fn an_optional_service_that_answers_somebody_is_on_and_its_failure_weighs_in_full() {
    let asks = |from: &str| udp(from, "10.1.0.2:161").speaks(&["snmp"]);
    let cut_off = asks("10.9.0.2:40000").icmp("10.9.0.254", 3, 13);
    let told = |samples: &[Sample]| findings(players(), samples).into_iter().find(|finding| finding.rule != "optional_service_active").unwrap();
    let beside = told(&[asks("10.9.0.1:40000").talked(60, 60), cut_off.clone()]);
    assert_eq!((beside.rule.as_str(), beside.severity), ("rejected_by_network", Severity::High));
    let broken = told(&[udp("10.9.0.1:40000", "10.1.0.2:5684").talked(600, 180).speaks(&["dtls"]).fact(Fact::Unheard)]);
    assert_eq!(broken.rule, "return_path_broken");
    for finding in [&beside, &broken] {
        assert!(finding.severity > Severity::Info && !finding.alternatives.iter().any(|other| other.contains("never switched on")), "{finding:?}");
    }
    // Another player's service says nothing of this one's.
    let elsewhere = told(&[udp("10.9.0.1:40000", "10.1.0.3:161").speaks(&["snmp"]).talked(60, 60), cut_off]);
    assert_eq!(elsewhere.severity, Severity::Info);
}

// The supplements of these rows, not their document, have JMX off by default and the directory in clear.
#[test]
fn what_only_a_supplement_says_is_not_put_into_the_documents_mouth() {
    let jmx = tcp("10.9.0.1:40000", "10.6.0.1:1099").talked(60, 60).speaks(&["java_rmi"]);
    let told = only(findings(site(&["spotfire.server=10.6.0.1/32"]), &[jmx]));
    assert_eq!((told.rule.as_str(), told.says.contains("the document says")), ("optional_service_active", false), "{}", told.says);
    let directory = tcp("10.7.0.1:40000", "10.7.0.9:1389").talked(600, 900).speaks(&["tls"]);
    let told = only(findings(site(&["cobalt.peer=10.7.0.1/32"]), &[directory]));
    assert_eq!((told.rule.as_str(), told.says.contains("documented elsewhere in clear")), ("unexpectedly_encrypted", true), "{}", told.says);
}

#[test]
fn what_was_tried_in_vain_is_not_said_to_have_been_opened() {
    let control = tcp("10.4.1.30:39999", "10.4.0.21:21").talked(200, 300).speaks(&["ftp"]);
    let silent = tcp("10.4.1.30:40000", "10.4.0.21:25000").syns(&[1.0, 2.0, 4.0]);
    let cayin = site(&["cayin.cms=10.4.0.21/32", "cayin.smp=10.4.1.0/24"]);
    let told = findings(cayin, &[silent, control, background()]).into_iter().find(|finding| finding.rule == "not_announced").unwrap();
    assert!(told.says.contains("tried in vain to open 25000/tcp"), "{}", told.says);
}

// S46
#[test]
fn what_a_product_does_not_support_cites_whose_word_that_is() {
    let finding = only(findings(players(), &[tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(&["ssh"])]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("unsupported_by_product", Severity::High));
    assert_eq!(finding.citation.unwrap().basis, Basis::Supplement);
}

#[test]
fn s08_mqtt_into_a_player_cites_the_sentence_on_outgoing_connections() {
    let inward = tcp("203.0.113.7:40000", "10.1.0.2:8883").talked(300, 300).speaks(&["tls"]);
    let finding = only(findings(players(), &[inward]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("wrong_direction", Severity::High));
    assert!(finding.remedy.unwrap().contains("8883/tcp from 203.0.113.7 to 10.1.0.2"));
}

#[test]
fn inferred_consequences_are_marked_as_ours() {
    let finding = only(findings(players(), &[tcp("10.1.0.2:40000", "203.0.113.7:80").syns(&[1.0, 2.0, 4.0])]));
    assert!(finding.consequence.unwrap().contains("our inference"));
}

#[test]
fn findings_stand_worst_first_and_in_the_same_order_for_any_order_of_flows() {
    let mut samples = vec![
        silent_mqtt(2, 40000),
        tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(&["ssh"]),
        udp("10.9.0.1:40000", "10.1.0.2:161").talked(48, 48).speaks(&["snmp"]),
        tcp("10.1.0.2:40000", "10.9.0.1:3306").talked(60, 60),
    ];
    let forward = findings(players(), &samples);
    assert!(forward.is_sorted_by_key(|finding| std::cmp::Reverse(finding.severity)));
    samples.reverse();
    assert_eq!(findings(players(), &samples), forward);
}

fn coverage_of(samples: &[Sample], id: &str) -> Coverage {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), players(), &books);
    samples.iter().for_each(|sample| judge.learn(&sample.0));
    let mut gatherer = Gatherer::new(Signatures::built_in());
    samples.iter().for_each(|sample| gatherer.add(&judge.judge(sample.0.clone())));
    let wanted = Signatures::built_in().service_id(id).unwrap();
    gatherer.finish(&judge).1.into_iter().find(|(id, _)| *id == wanted).unwrap().1
}

#[test]
fn coverage_tells_seen_blocked_attempted_and_never_attempted_apart() {
    let works = || tcp("10.1.0.2:40000", "203.0.113.7:8883").talked(100, 100).speaks(&["tls"]);
    let mqtt = |samples: &[Sample]| coverage_of(samples, "spinetix-out-mqtt");
    assert_eq!(mqtt(&[works(), silent_mqtt(3, 40000)]), Coverage::Seen);
    assert_eq!(mqtt(&[silent_mqtt(3, 40000), background()]), Coverage::Blocked);
    assert_eq!(mqtt(&[tcp("10.1.0.2:40000", "203.0.113.7:8883"), background()]), Coverage::Attempted);
    assert_eq!(mqtt(&[background()]), Coverage::NeverAttempted);
    assert_eq!(mqtt(&[]), Coverage::NotVisibleHere);
}

fn gateway() -> Site {
    site(&["cinegy.traffic-gateway=10.3.0.1/32"])
}

// A23: two endpoints of one port. Which of them was meant nobody can tell; that neither is reached is sure.
#[test]
fn a_port_that_two_rows_share_and_that_is_not_reached_is_told_of_both() {
    let silent = || tcp("10.9.0.1:40000", "10.3.0.1:8097").syns(&[1.0, 2.0, 4.0]);
    let finding = only(findings(gateway(), &[silent()]));
    assert_eq!((finding.rule.as_str(), finding.service, finding.severity, finding.confidence), ("silent_drop", None, Severity::High, Confidence::High));
    assert!(finding.says.contains("Traffic Gateway, main endpoint or Traffic Gateway, licence status (8097/tcp) from 10.9.0.1"), "{}", finding.says);
    assert!(finding.citation.unwrap().quote.contains("8097"));
    assert!(finding.consequence.is_some_and(|told| told.contains(" Or: ")));
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), gateway(), &books);
    judge.learn(&silent().0);
    let mut gatherer = Gatherer::new(Signatures::built_in());
    gatherer.add(&judge.judge(silent().0));
    let coverage = gatherer.finish(&judge).1;
    for row in ["cinegy-tg-main", "cinegy-tg-license"] {
        let id = Signatures::built_in().service_id(row).unwrap();
        assert_eq!(coverage.iter().find(|(known, _)| *known == id).unwrap().1, Coverage::Blocked, "{row}");
    }
}

// A firewall that is opened for the one port that was tried stops the next engine, as one row of a range would not.
#[test]
fn the_rule_to_ask_for_has_the_whole_range_also_where_two_rows_share_it() {
    let silent = tcp("10.9.0.1:40000", "10.3.0.1:8001").syns(&[1.0, 2.0, 4.0]);
    let finding = only(findings(site(&["cinegy.capture-engine=10.3.0.1/32"]), &[silent]));
    let remedy = finding.remedy.unwrap();
    assert!(finding.service.is_none() && remedy.contains("allow TCP 8001-8099 from 10.9.0.1 to 10.3.0.1"), "{remedy}");
    assert_eq!(remedy.matches("Allow TCP 8001-8099 from its clients to the Capture Engine.").count(), 1, "{remedy}");
}

#[test]
fn a_port_that_two_rows_share_and_that_one_of_them_reached_before_is_intermittent() {
    let asked = |port: u16| tcp(&format!("10.9.0.1:{port}"), "10.3.0.1:8097");
    let works = asked(40000).talked(60, 60).speaks(&["http"]).asks("GET", "/license");
    let finding = only(findings(gateway(), &[works, asked(40001).syns(&[11.0, 12.0, 14.0])]));
    assert_eq!(finding.rule, "intermittent", "{}", finding.says);
}

// The row of SQL Server is between anybody and anybody; that it is Cinegy which asks makes it Cinegy's.
#[test]
fn a_row_for_anybody_is_met_by_a_host_of_the_vendors_products() {
    let mams = || site(&["cinegy.mams=10.3.0.2/32"]);
    let sql = || tcp("10.3.0.2:40000", "10.3.0.9:1433");
    assert_eq!(findings(mams(), &[sql().talked(60, 60).speaks(&["tds"])]), []);
    let finding = only(findings(mams(), &[sql().syns(&[1.0, 2.0, 4.0])]));
    assert_eq!((finding.rule.as_str(), finding.service.is_some(), finding.confidence), ("silent_drop", true, Confidence::Medium));
    // Another protocol there, or another vendor's host, is not it.
    assert_eq!(only(findings(mams(), &[sql().talked(60, 60).speaks(&["ssh"])])).rule, "undocumented_service");
    assert_eq!(only(findings(site(&["cayin.cms=10.3.0.2/32"]), &[sql().talked(60, 60).speaks(&["tds"])])).rule, "undocumented_service");
}

#[test]
fn a_flow_against_a_row_is_not_that_rows_traffic() {
    let inward = tcp("203.0.113.7:40000", "10.1.0.2:8883").talked(300, 300).speaks(&["tls"]);
    assert_eq!(coverage_of(&[inward], "spinetix-out-mqtt"), Coverage::NeverAttempted);
}

// The player's list has no DNS, and matches the cloud by name: names must be looked up.
#[test]
fn looking_up_names_is_never_to_be_closed_and_cites_what_presupposes_it() {
    let lookup = udp("10.1.0.2:40000", "10.9.0.53:53").talked(40, 80).speaks(&["dns"]);
    let finding = only(findings(players(), &[lookup]));
    assert_eq!((finding.rule.as_str(), finding.severity, finding.about.as_str()), ("undocumented_service", Severity::Info, "53/udp (dns)"));
    let (remedy, quote) = (finding.remedy.unwrap(), finding.citation.unwrap().quote);
    assert!(remedy.starts_with("Leave it open") && !remedy.to_lowercase().contains("close"), "{remedy}");
    assert!(quote.contains("names resolve to dynamic IP addresses"), "{quote}");
}

#[test]
fn time_and_addresses_are_not_to_be_closed_either() {
    let engine = || site(&["cinegy.playout-engine=10.3.0.0/24"]);
    for sample in [
        udp("10.3.0.1:40000", "10.9.0.1:123").talked(48, 48).speaks(&["ntp"]),
        udp("10.3.0.1:68", "10.9.0.1:67").talked(300, 300).speaks(&["dhcp"]),
        udp("10.3.0.1:137", "10.3.0.255:137").speaks(&["netbios_ns"]),
    ] {
        let finding = only(findings(engine(), &[sample]));
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.remedy.unwrap().starts_with("Leave it open"));
    }
}

#[test]
fn another_protocol_on_the_port_of_dns_is_no_name_lookup() {
    let tunnel = udp("10.1.0.2:40000", "10.9.0.53:53").talked(4000, 8000).speaks(&["openvpn"]);
    let finding = only(findings(players(), &[tunnel]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("undocumented_service", Severity::Medium));
}

#[test]
fn a_heading_names_the_port_and_protocol_where_no_row_does() {
    let finding = only(findings(players(), &[tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(&["ssh"])]));
    assert_eq!(finding.about, "22/tcp (ssh)");
    assert!(finding.says.contains("22/tcp (ssh)"), "{}", finding.says);
    assert_eq!(only(findings(players(), &[silent_mqtt(2, 40000)])).about, "MQTT to the SpinetiX cloud");
}

#[test]
fn without_a_role_only_what_was_blocked_is_worth_a_word() {
    let (server, outside) = ("10.5.0.2", "203.0.113.7");
    let quiet = [
        udp("10.5.0.1:40000", &format!("{server}:5684")).talked(90, 90).speaks(&["dtls"]),
        tcp("10.5.0.1:40001", &format!("{server}:9802")).reset(1.01, 57),
        tcp("10.5.0.1:40002", &format!("{server}:9995")).talked(60, 0),
        tcp("10.5.0.1:40003", &format!("{server}:5521")).icmp(server, 3, 1),
    ];
    assert_eq!(findings(Site::default(), &quiet), []);
    let rejected = tcp("10.5.0.1:40004", &format!("{outside}:8883")).icmp("10.5.0.254", 3, 13);
    assert_eq!(only(findings(Site::default(), &[rejected])).severity, Severity::Medium);
    let clear = tcp("10.5.0.1:40005", &format!("{outside}:8883")).talked(60, 4).speaks(&["mqtt"]);
    assert_eq!(only(findings(Site::default(), &[clear])).severity, Severity::Medium);
}

#[test]
fn the_datagrams_of_a_stream_are_one_attempt() {
    let mut stream = udp("10.9.0.1:40000", "10.1.0.2:5000").talked(9000, 90).speaks(&["srt"]);
    stream.0.flow.client.packets = 463;
    assert_eq!(only(findings(players(), &[stream])).attempts, 1);
}

fn coverage_by_role(site: Site, samples: &[Sample], role: &str, id: &str) -> Coverage {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), site, &books);
    samples.iter().for_each(|sample| judge.learn(&sample.0));
    let mut gatherer = Gatherer::new(Signatures::built_in());
    samples.iter().for_each(|sample| gatherer.add(&judge.judge(sample.0.clone())));
    let (role, row) = (Signatures::built_in().role_id(role).unwrap(), Signatures::built_in().service_id(id).unwrap());
    let rows = gatherer.coverage_by_role(&judge).into_iter().find(|(known, _)| *known == role).unwrap().1;
    rows.into_iter().find(|(known, _)| *known == row).unwrap().1
}

// A player that is heard and one that is only sent to; Elementi hosts that never show.
#[test]
fn d82_what_nobody_tried_is_not_what_could_not_be_seen() {
    let both = || site(&["spinetix.player=10.1.0.0/24", "spinetix.elementi=10.2.0.0/24"]);
    let heard = tcp("10.1.0.2:40000", "203.0.113.7:443").talked(100, 100).speaks(&["tls"]);
    let mqtt = |samples: &[Sample]| coverage_by_role(both(), samples, "spinetix.player", "spinetix-out-mqtt");
    assert_eq!(mqtt(std::slice::from_ref(&heard)), Coverage::NeverAttempted);
    assert_eq!(mqtt(&[heard.clone(), silent_mqtt(2, 40001)]), Coverage::Blocked);
    let mut reached = udp("10.9.0.9:40000", "10.1.0.2:9000");
    reached.0.flow.server.packets = 0;
    assert_eq!(mqtt(&[reached]), Coverage::NotVisibleHere);
    let elementi = coverage_by_role(both(), &[heard], "spinetix.elementi", "spinetix-elementi-http");
    assert_eq!(elementi, Coverage::NotVisibleHere);
}

// The document: "If MQTT is blocked, players will work in a degraded mode (Slow Sync)".
#[test]
fn d83_a_blocked_row_whose_fallback_works_is_degraded_and_says_so() {
    let https = |host: u8| tcp(&format!("10.1.0.{host}:40001"), "203.0.113.7:443").talked(500, 900).speaks(&["tls"]).sni("x.services.spinetix.com");
    let mqtt = |samples: &[Sample]| findings(players(), samples).into_iter().find(|finding| finding.rule == "silent_drop").unwrap().says;
    let says = mqtt(&[silent_mqtt(2, 40000), https(2)]);
    assert!(says.contains("takes over: degraded, not cut off"), "{says}");
    for other in [mqtt(&[silent_mqtt(2, 40000)]), mqtt(&[silent_mqtt(2, 40000), https(3)])] {
        assert!(!other.contains("degraded"), "{other}");
    }
}

// HTTPS then HTTP at CAYIN.
#[test]
fn d83_https_that_falls_back_to_http_is_told() {
    let cms = || site(&["cayin.cms=10.4.0.1/32", "cayin.smp=10.4.0.30/32"]);
    let https = tcp("10.4.0.30:40000", "10.4.0.1:443").syns(&[1.0, 2.0, 4.0]);
    let http = tcp("10.4.0.30:40001", "10.4.0.1:80").talked(300, 900).speaks(&["http"]);
    let found = findings(cms(), &[https, http]);
    let finding = found.iter().find(|finding| finding.rule == "silent_drop").unwrap();
    assert!(finding.says.contains("fallen back"), "{}", finding.says);
}

#[test]
fn an_announced_port_without_an_answer_asks_for_a_device_that_reads_along() {
    let cms = site(&["cayin.cms=10.4.0.1/32", "cayin.smp=10.4.0.30/32"]);
    let data = tcp("10.4.0.30:40000", "10.4.0.1:25000").announced_by(crate::signature::PromiseKind::FtpPassive).syns(&[1.0, 2.0, 4.0]);
    let finding = only(findings(cms, &[data]));
    assert!(finding.remedy.unwrap().contains("FTP-aware"));
    assert!(finding.says.contains("FTP control connection"), "{}", finding.says);
}

fn opened(port: u16, name: &str, server: &str) -> Sample {
    let n = u64::from(port);
    let certified = crate::identify::Fact::Certified(Box::new(Certified { issuer: "Filter CA".into(), key: 7, whole: n, public: false }));
    tcp(&format!("10.1.0.2:{port}"), server).talked(300, 900).speaks(&["tls"]).sni(name).fact(certified)
}

// The document: inspection is possible, but for services that ask for the client's certificate.
#[test]
fn opened_tls_is_grave_where_the_document_says_that_it_cannot_be_borne() {
    let others = [opened(40001, "www.example.com", "198.51.100.1:443"), opened(40002, "www.example.net", "198.51.100.2:443")];
    let [one, two] = others;
    let found = findings(players(), &[one, two, opened(40003, "x.services.spinetix.com", "203.0.113.7:8883")]);
    let mqtt = found.iter().find(|finding| finding.rule == "tls_intercepted" && finding.about.contains("MQTT")).unwrap();
    assert_eq!((mqtt.severity, mqtt.confidence), (Severity::High, Confidence::High));
    assert!(mqtt.consequence.as_ref().unwrap().contains("client-certificate"), "{:?}", mqtt.consequence);
}

// No flow ever followed: the finding is about the row that the name belongs to.
#[test]
fn a_documented_name_that_no_resolver_answers_is_a_finding_of_its_service() {
    let asked = udp("10.1.0.2:40000", "10.9.0.53:53").speaks(&["dns"]).fact(crate::identify::Fact::Unanswered { name: "feeds.services.spinetix.com".into() });
    let asked = asked.fact(crate::identify::Fact::Retry).fact(crate::identify::Fact::Retry);
    let found = findings(players(), &[asked]);
    let finding = found.iter().find(|finding| finding.rule == "dns_failed").unwrap();
    assert!(finding.service.is_some() && finding.says.contains("feeds.services.spinetix.com"), "{}", finding.says);
}

/// Elementi's list and the player's list both have publishing on 81: who holds the capture against Elementi's list must not read there that nobody tried.
#[test]
fn a_service_that_two_products_lists_have_is_seen_or_blocked_in_both() {
    let coverage = |sample: Sample, roles: &[&str]| {
        let (books, whole) = (Books::default(), Signatures::built_in());
        let mut judge = Judge::new(whole, site(roles), &books);
        let healthy = background();
        [&sample, &healthy].into_iter().for_each(|sample| judge.learn(&sample.0));
        let mut gatherer = Gatherer::new(whole);
        gatherer.add(&judge.judge(sample.0.clone()));
        let of: BTreeMap<_, _> = gatherer.finish(&judge).1.into_iter().collect();
        ["spinetix-player-webdav", "spinetix-elementi-webdav"].map(|row| of[&whole.service_id(row).unwrap()])
    };
    let publishes = || tcp("10.2.0.5:40000", "10.1.0.2:81");
    let roles = ["spinetix.player=10.1.0.0/24", "spinetix.elementi=10.2.0.5/32"];
    assert_eq!(coverage(publishes().talked(90, 90).speaks(&["http"]), &roles), [Coverage::Seen; 2]);
    assert_eq!(coverage(publishes().syns(&[1.0, 2.0, 4.0]), &roles), [Coverage::Blocked; 2]);
    // A browser is no Elementi.
    let [player, elementi] = coverage(publishes().talked(90, 90).speaks(&["http"]), &roles[..1]);
    assert!(player == Coverage::Seen && elementi != Coverage::Seen, "{elementi:?}");
}

// `--product` leaves the other vendors' documents out, and so the account of what of them was tried.
#[test]
fn rows_of_documents_that_are_left_out_have_no_coverage() {
    let books = Books::default();
    let judge = Judge::new(Signatures::built_in(), Site { products: vec!["cayin".to_owned()], ..players() }, &books);
    let coverage = Gatherer::new(Signatures::built_in()).finish(&judge).1;
    let vendors = coverage.iter().map(|(id, _)| Signatures::built_in().document(Signatures::built_in().service(*id).document).vendor.as_str());
    let vendors: std::collections::BTreeSet<&str> = vendors.collect();
    assert_eq!(vendors.into_iter().collect::<Vec<_>>(), ["cayin"]);
}
