//! What the documents mean beyond their rows, second half (S26 to S53): installations of several hosts, discovery, blocking, attribution.

use super::sample::*;
use crate::identify::{AnswerKind, Fact};
use crate::judge::{Confidence, Finding, Outcome, Reason, Severity, Site, Verdict};
use crate::net::{Mac, Side};
use crate::signature::{PromiseKind, Signatures};

fn written(text: &str) -> Site {
    Site::from_text("office.toml", text, Signatures::built_in(), Signatures::built_in()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn only(found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

/// Two Spotfire Servers and a node.
fn spotfire() -> Site {
    site(&["spotfire.server=10.6.0.1/32", "spotfire.server=10.6.0.2/32", "spotfire.node-manager=10.6.0.9/32"])
}

fn backend(client: &str, server: &str, port: u16) -> Sample {
    tcp(&format!("{client}:40000"), &format!("{server}:{port}"))
}

fn registration(nth: u32) -> Sample {
    let mut sample = tcp(&format!("10.6.0.9:{}", 41_000 + nth), "10.6.0.1:9080").talked(100, 100).speaks(&["http"]).asks("GET", "/");
    (sample.0.flow.first, sample.0.flow.last) = (at(f64::from(nth) * 60.0), at(f64::from(nth) * 60.0 + 1.0));
    sample
}

#[test]
fn s26_the_registration_port_again_and_again_shows_a_node_that_is_not_trusted() {
    let trusted = backend("10.6.0.9", "10.6.0.1", 9443).talked(300, 900).speaks(&["tls"]);
    let habit: Vec<Sample> = (1..5).map(registration).chain([trusted.clone()]).collect();
    let finding = only(findings(spotfire(), &habit).into_iter().filter(|finding| finding.rule == "spotfire-ties-trust").collect());
    assert_eq!((finding.severity, finding.flows), (Severity::Low, 4));
    let once: Vec<Sample> = [registration(0), registration(3), trusted].into();
    assert!(findings(spotfire(), &once).iter().all(|finding| finding.rule != "spotfire-ties-trust"));
    assert!(findings(spotfire(), &(1..5).map(registration).collect::<Vec<_>>()).iter().all(|finding| finding.rule != "spotfire-ties-trust"));
}

#[test]
fn s27_a_direction_that_fails_tells_that_the_other_works_and_whose_firewall_it_is() {
    let to_node = backend("10.6.0.1", "10.6.0.9", 9443).syns(&[1.0, 2.0, 4.0]);
    let to_server = backend("10.6.0.9", "10.6.0.1", 9443).talked(300, 900).speaks(&["tls"]);
    let finding = findings(spotfire(), &[to_node.clone(), to_server]).into_iter().find(|finding| finding.rule == "silent_drop").unwrap();
    assert!(finding.says.contains("the other way round, \"Back-end communication to the server\" works"), "{}", finding.says);
    assert!(finding.remedy.unwrap().contains("must be open on computers running node manager"));
    let alone = findings(spotfire(), &[to_node]).into_iter().find(|finding| finding.rule == "silent_drop").unwrap();
    assert!(!alone.says.contains("the other way round"), "{}", alone.says);
}

#[test]
fn s28_a_pair_of_servers_that_never_meets_is_a_notice() {
    let three = || site(&["spotfire.server=10.6.0.0/24"]);
    let meets = |one: u8, other: u8| backend(&format!("10.6.0.{one}"), &format!("10.6.0.{other}"), 5701).talked(300, 900).speaks(&["tls"]);
    let finding = only(findings(three(), &[meets(1, 2), meets(3, 1)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("spotfire-ties-cluster", Severity::Info));
    assert!(finding.says.ends_with("nothing was seen between 10.6.0.2 and 10.6.0.3"), "{}", finding.says);
    assert_eq!(findings(three(), &[meets(1, 2), meets(3, 1), meets(2, 3)]), []);
    // A server that the site names belongs to it, seen or not.
    let named = site(&["spotfire.server=10.6.0.1/32", "spotfire.server=10.6.0.2/32", "spotfire.server=10.6.0.3/32"]);
    assert!(only(findings(named, &[meets(1, 2)])).says.contains("10.6.0.1 and 10.6.0.3; 10.6.0.2 and 10.6.0.3"));
}

#[test]
fn s29_jmx_that_answers_is_switched_on() {
    let jmx = || tcp("10.9.0.1:40000", "10.6.0.1:1099").talked(60, 60).speaks(&["java_rmi"]);
    let judged = judge_one(spotfire(), jmx());
    assert_eq!((row(&judged), judged.verdict, judged.reasons.as_slice()), (Some("spotfire-jmx"), Verdict::Expected, &[Reason::OptionalServiceActive][..]));
    assert_eq!(only(findings(spotfire(), &[jmx()])).severity, Severity::Info);
}

#[test]
fn s30_one_of_two_independent_connectors_is_enough() {
    let https = backend("10.9.0.1", "10.6.0.1", 443).talked(300, 900).speaks(&["tls"]);
    assert_eq!(findings(spotfire(), &[https]), []);
}

#[test]
fn s31_many_clients_behind_one_address_are_normal() {
    let through = |port: u16| tcp(&format!("10.9.0.1:{port}"), "10.6.0.1:443").talked(300, 900).speaks(&["tls"]);
    assert_eq!(findings(spotfire(), &(40_000..40_200).map(through).collect::<Vec<_>>()), []);
}

fn cayin() -> Site {
    site(&["cayin.cms=10.5.0.1/32", "cayin.smp=10.5.1.0/24"])
}

#[test]
fn s32_a_mandatory_port_that_does_not_answer_weighs_most_and_says_so() {
    let refused = |port: u16| tcp("10.5.1.2:40000", &format!("10.5.0.1:{port}")).reset(1.01, 64);
    let finding = only(findings(cayin(), &[refused(20_000)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("refused_by_host", Severity::High));
    assert!(finding.consequence.unwrap().contains("mandatory to open if you use CMS"));
    assert_eq!(only(findings(cayin(), &[refused(21)])).severity, Severity::Medium, "not in the list of mandatory ports");
}

#[test]
fn s33_a_player_that_falls_back_from_https_to_http_is_no_failure() {
    let https = || tcp("10.5.1.2:40000", "10.5.0.1:443").syns(&[1.0, 2.0, 4.0]);
    let http = tcp("10.5.1.2:40001", "10.5.0.1:80").talked(60, 60).speaks(&["http"]).asks("GET", "/");
    let finding = only(findings(cayin(), &[https(), http]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("silent_drop", Severity::Info));
    assert!(finding.says.contains("fallen back"), "{}", finding.says);
    assert_eq!(only(findings(cayin(), &[https()])).severity, Severity::High);
}

#[test]
fn s34_a_heartbeat_makes_a_row_without_a_format_surer() {
    let beat = |nth: u32, seconds: f64| {
        let mut sample = tcp(&format!("10.5.1.2:{}", 40_000 + nth), "10.5.0.1:20000").talked(40, 40).opening(&[0xaa, 0x55, 1]);
        (sample.0.flow.first, sample.0.flow.last) = (at(seconds), at(seconds + 1.0));
        sample
    };
    let sure = |samples: &[Sample]| judge_all(cayin(), samples)[0].attribution;
    let regular: Vec<Sample> = (0..6).map(|nth| beat(nth, f64::from(nth) * 60.0)).collect();
    let uneven: Vec<Sample> = (0..6).map(|nth| beat(nth, f64::from(nth * nth) * 60.0)).collect();
    let hasty: Vec<Sample> = (0..6).map(|nth| beat(nth, f64::from(nth))).collect();
    assert_eq!((sure(&regular), sure(&uneven), sure(&hasty)), (Confidence::High, Confidence::Medium, Confidence::Medium));
}

#[test]
fn s35_alert_mail_goes_from_the_cms_and_not_to_it() {
    let mail = |client: &str, server: &str| tcp(&format!("{client}:40000"), &format!("{server}:25")).talked(300, 300).speaks(&["smtp"]);
    let out = judge_one(cayin(), mail("10.5.0.1", "10.9.0.25"));
    assert_eq!((row(&out), out.verdict), (Some("cayin-smtp"), Verdict::Expected));
    let back = judge_one(cayin(), mail("10.9.0.25", "10.5.0.1"));
    assert_eq!((back.verdict, back.reasons.as_slice()), (Verdict::Unexpected, &[Reason::WrongDirection][..]));
}

#[test]
fn s37_a_player_that_gets_no_address_falls_back_to_a_link_local_one() {
    let query = |mac: [u8; 6]| {
        let mut sample = udp("169.254.7.9:5353", "224.0.0.251:5353").speaks(&["mdns"]);
        sample.0.flow.client.mac = Some(Mac(mac));
        sample
    };
    // The vendor's hardware addresses tell a player.
    let finding = only(findings(Site::default(), &[query([0, 0x1d, 0x50, 1, 2, 3])]));
    assert_eq!((finding.rule.as_str(), finding.severity, finding.client.as_str()), ("sup-spinetix-dhcp-fallback", Severity::Medium, "169.254.7.9"));
    assert_eq!(findings(Site::default(), &[query([0, 0x1d, 0x51, 1, 2, 3])]), []);
    // So does the site.
    let lobby = "[[hosts]]\nname = \"lobby\"\naddresses = [\"10.1.0.7\"]\nroles = [\"spinetix.player\"]\nmacs = [\"02:00:00:00:00:07\"]\n";
    assert_eq!(findings(written(lobby), &[query([2, 0, 0, 0, 0, 7])]).len(), 1);
    // How much such findings matter is the site's word, as of all others.
    let weight = format!("{lobby}[[severity]]\nfinding = \"sup-spinetix-dhcp-fallback\"\nseverity = \"low\"\n");
    assert_eq!(only(findings(written(&weight), &[query([2, 0, 0, 0, 0, 7])])).severity, Severity::Low);
}

#[test]
fn s39_answers_of_discovery_are_unicast_and_no_unknown_traffic() {
    // A player's answer to a search from port 40000, as the first packet between the two.
    for direction in [crate::flow::Direction::Likely, crate::flow::Direction::Unknown] {
        let answer = udp("10.1.0.2:1900", "10.1.0.9:40000").speaks(&["ssdp"]).direction(direction);
        let judged = judge_one(site(&["spinetix.player=10.1.0.0/29"]), answer);
        assert_eq!((row(&judged), judged.verdict), (Some("spinetix-player-ssdp"), Verdict::Expected), "{direction:?}");
    }
}

fn peers() -> Site {
    site(&["cobalt.peer=10.7.0.0/24"])
}

#[test]
fn s41_a_mapped_port_is_expected_and_away_from_its_range_a_notice() {
    let inward = |port: u16| {
        let sample = tcp("203.0.113.7:40000", &format!("10.7.0.2:{port}")).talked(100, 100).speaks(&["teatime"]);
        sample.announced_by(PromiseKind::UpnpMapping)
    };
    let on = || Site { switched_on: vec![(Signatures::built_in().service_id("cobalt-teatime-in").unwrap(), Vec::new())], ..peers() };
    assert_eq!(findings(on(), &[inward(6905)]), []);
    let judged = judge_one(on(), inward(7777));
    assert_eq!((row(&judged), judged.verdict), (Some("cobalt-teatime-in"), Verdict::Expected));
    let finding = only(findings(on(), &[inward(7777)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("outside_announced_range", Severity::Info));
}

#[test]
fn s43_teatime_is_known_by_its_bytes_without_a_role() {
    let judged = judge_one(Site::default(), tcp("10.7.0.2:40000", "203.0.113.7:6905").talked(100, 100).speaks(&["teatime"]));
    assert_eq!((row(&judged), judged.verdict), (Some("cobalt-teatime-out"), Verdict::Expected));
}

#[test]
fn s44_peers_from_outside_come_in_only_where_somebody_wants_it() {
    let inward = || tcp("203.0.113.7:40000", "10.7.0.2:6905").talked(100, 100).speaks(&["teatime"]);
    let finding = only(findings(peers(), &[inward()]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("optional_service_active", Severity::Info));
    let on = Site { switched_on: vec![(Signatures::built_in().service_id("cobalt-teatime-in").unwrap(), Vec::new())], ..peers() };
    assert_eq!(findings(on, &[inward()]), []);
    let neighbour = tcp("10.7.0.3:40000", "10.7.0.2:6905").talked(100, 100).speaks(&["teatime"]);
    assert_eq!(findings(peers(), &[neighbour]), []);
}

#[test]
fn s45_a_public_resolver_that_is_not_reached_names_the_other_way() {
    let asked = udp("10.7.0.2:40000", "8.8.8.8:53").speaks(&["dns"]).fact(Fact::Retry).fact(Fact::Retry);
    let remedy = only(findings(peers(), &[asked])).remedy.unwrap();
    assert!(remedy.contains("8.8.8.8") && remedy.contains("another resolver"), "{remedy}");
}

// The row of the resolver itself: it answered.
#[test]
fn s45_a_resolver_that_refuses_a_name_which_no_document_has_does_not_fail() {
    let asked = udp("10.7.0.2:40000", "10.7.0.53:53").talked(40, 40).speaks(&["dns"]);
    let refused = asked.fact(Fact::Unresolved { name: "other.example".into(), code: 5, filtered: None });
    let judged = judge_one(peers(), refused.clone());
    assert_eq!((judged.outcome, judged.service.is_some()), (Outcome::DnsBlocked, true));
    assert_eq!(findings(peers(), &[refused]), []);
}

#[test]
fn s47_a_player_is_read_and_not_written_by_snmp() {
    let players = || site(&["spinetix.player=10.1.0.0/24"]);
    let snmp = |method: &str| udp("10.9.0.1:40000", "10.1.0.2:161").talked(48, 48).speaks(&["snmp"]).asks(method, "1.3.6.1.2.1.1.6.0");
    assert_eq!(judge_one(players(), snmp("get")).verdict, Verdict::Expected);
    assert!(judge_one(players(), snmp("set")).reasons.contains(&Reason::UnsupportedByProduct));
    let finding = findings(players(), &[snmp("set")]).into_iter().find(|finding| finding.rule == "unsupported_by_product").unwrap();
    assert!(finding.says.contains("read-only"), "{}", finding.says);
    assert!(finding.citation.unwrap().quote.contains("read-only"));
    let trap = udp("10.1.0.2:40000", "10.9.0.1:162").speaks(&["snmp"]);
    assert_eq!(judge_one(players(), trap).reasons, [Reason::UndocumentedService]);
}

#[test]
fn s48_what_keeps_a_service_from_getting_through_is_kept_apart() {
    let mqtt = || tcp("10.1.0.2:40000", "203.0.113.7:8883");
    for (sample, outcome) in [
        (mqtt().syns(&[1.0, 2.0, 4.0]), Outcome::SilentDrop),
        (mqtt().reset(1.01, 57), Outcome::RefusedByHost),
        (mqtt().icmp("10.1.0.1", 3, 9), Outcome::RejectedByNetwork),
        (mqtt().icmp("10.1.0.1", 3, 10), Outcome::RejectedByNetwork),
        (mqtt().icmp("10.1.0.1", 3, 13), Outcome::RejectedByNetwork),
        (tcp("[fd00::2]:40000", "[2001:db8::7]:8883").icmp("fd00::1", 1, 1), Outcome::RejectedByNetwork),
        (udp("10.9.0.1:40000", "10.1.0.2:161").speaks(&["snmp"]).fact(Fact::Retry).fact(Fact::Retry), Outcome::SilentDrop),
        (udp("10.9.0.1:40000", "10.1.0.2:161").speaks(&["snmp"]).icmp("10.1.0.2", 3, 3), Outcome::RefusedByHost),
    ] {
        let judged = judge_one(site(&["spinetix.player=10.1.0.0/24", "spinetix.player=fd00::/64"]), sample);
        assert_eq!(judged.outcome, outcome, "{:?}", judged.cause);
    }
}

#[test]
fn s49_a_finding_quotes_what_the_document_says_about_firewalls() {
    let finding = only(findings(spotfire(), &[backend("10.6.0.9", "10.6.0.1", 9443).syns(&[1.0, 2.0, 4.0])]));
    assert!(finding.remedy.unwrap().contains("The document on firewalls: \"must be open on computers running Spotfire Server"));
}

#[test]
fn s50_what_is_open_by_default_and_blocked_has_a_rule_against_it() {
    let database = backend("10.6.0.1", "10.9.0.5", 1433).syns(&[1.0, 2.0, 4.0]);
    let remedy = only(findings(spotfire(), &[database])).remedy.unwrap();
    assert!(remedy.contains("open by default unless they match a firewall rule that blocks them"), "{remedy}");
}

#[test]
fn s52_the_more_specific_row_wins_and_the_others_stay_candidates() {
    let rest = tcp("10.9.0.1:40000", "10.3.0.1:8001").talked(60, 60).speaks(&["http"]).asks("GET", "/REST/Preview");
    let judged = judge_one(site(&["cinegy.capture-engine=10.3.0.1/32"]), rest);
    assert_eq!(row(&judged), Some("cinegy-capture-rest"));
    assert!(judged.candidates.iter().any(|other| Signatures::built_in().service(other.service).id == "cinegy-capture-soap"), "{:?}", judged.candidates);
    // What another flow announced goes before every port.
    let announced = tcp("10.5.1.2:40000", "10.5.0.1:20001").talked(60, 60).announced_by(PromiseKind::FtpPassive);
    assert_eq!(row(&judge_one(cayin(), announced)), Some("cayin-ftp-data-pasv"));
}

#[test]
fn a_refusal_of_the_service_itself_is_no_matter_for_a_firewall() {
    let refused = backend("10.9.0.1", "10.6.0.1", 80).talked(60, 60).speaks(&["http"]).asks("GET", "/").answer(Side::Server, AnswerKind::Refused, 403, "no");
    for finding in findings(spotfire(), &[refused]) {
        assert!(!finding.remedy.unwrap_or_default().contains("on firewalls"), "{}", finding.says);
    }
}
