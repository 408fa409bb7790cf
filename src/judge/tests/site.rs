//! What the operator says goes before what the documents say.

use super::sample::*;
use crate::judge::{Confidence, Finding, Judged, Reason, Severity, Site, Stated, Verdict, site};
use crate::net::Mac;
use crate::signature::Signatures;

const PUBLIC: &str = "203.0.113.7";

fn written(text: &str) -> Site {
    let players = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n";
    let text = format!("{players}{text}");
    Site::from_text("office.toml", &text, Signatures::built_in(), Signatures::built_in()).unwrap_or_else(|error| panic!("{error}"))
}

fn ssh() -> Sample {
    tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(&["ssh"])
}

fn mqtt() -> Sample {
    tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).talked(300, 900).speaks(&["tls"])
}

#[track_caller]
fn only(found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[track_caller]
fn expect(judged: &Judged, service: Option<&str>, verdict: Verdict, reasons: &[Reason]) {
    assert_eq!((row(judged), judged.verdict, judged.reasons.as_slice()), (service, verdict, reasons), "{:#?}", judged.candidates);
}

#[test]
fn what_the_site_allows_is_expected_whatever_the_document_says() {
    let site = written("[[allow]]\nserver = [\"players\"]\nprotocol = \"ssh\"\nreason = \"ticket 1\"\n");
    expect(&judge_one(site.clone(), ssh()), None, Verdict::Expected, &[]);
    assert_eq!(findings(site, &[ssh()]), []);
}

#[test]
fn what_was_allowed_until_yesterday_is_told_with_the_entry() {
    // Packets are of 1970.
    let site = written("[[allow]]\nports = [22]\nreason = \"ticket 1\"\nuntil = 1969-12-31\n");
    let finding = only(findings(site, &[ssh()]));
    assert_eq!(finding.rule, "unsupported_by_product");
    assert!(finding.says.contains("allowed it until 1969-12-31") && finding.says.contains("office.toml:7: ticket 1"), "{}", finding.says);
    let still = written("[[allow]]\nports = [22]\nreason = \"ticket 1\"\nuntil = 1970-01-01\n");
    assert_eq!(findings(still, &[ssh()]), []);
}

#[test]
fn what_the_site_denies_is_unexpected_and_cites_the_entry() {
    let site = written("[[deny]]\nclient = [\"players\"]\nserver = [\"internet\"]\nreason = \"no cloud here\"\n");
    let finding = only(findings(site.clone(), &[mqtt(), tcp("10.1.0.2:40001", &format!("{PUBLIC}:443")).talked(9, 9).speaks(&["tls"])]));
    // One entry of the site is one finding, though two services are of it.
    assert_eq!((finding.rule.as_str(), finding.severity, finding.confidence, finding.flows), ("denied_by_site", Severity::High, Confidence::High, 2));
    let citation = finding.citation.unwrap();
    assert_eq!((citation.document.as_str(), citation.quote.as_str()), ("office.toml:8", "no cloud here"));
    expect(&judge_one(site, mqtt()), Some("spinetix-out-mqtt"), Verdict::Unexpected, &[Reason::DeniedBySite]);
}

#[test]
fn what_is_denied_and_does_not_get_through_is_a_firewall_at_work() {
    let site = written("[[deny]]\nclient = [\"players\"]\nserver = [\"internet\"]\nreason = \"no cloud here\"\n");
    let finding = only(findings(site, &[tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).syns(&[1.0, 2.0, 4.0])]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("denied_by_site", Severity::Low));
}

#[test]
fn what_is_allowed_and_denied_is_denied() {
    let site = written("[[allow]]\nports = [8883]\nreason = \"a\"\n[[deny]]\nservice = \"spinetix-out-mqtt\"\nreason = \"d\"\n");
    assert_eq!(judge_one(site, mqtt()).stance, Some(Stated::Denied(0)));
}

#[test]
fn what_is_ignored_is_judged_and_no_finding() {
    let site = written("[[ignore]]\nclient = [\"10.9.0.1\"]\nreason = \"scanner\"\n");
    let judged = judge_one(site.clone(), ssh());
    assert_eq!((judged.verdict, judged.stance), (Verdict::Unexpected, Some(Stated::Ignored(0))));
    assert_eq!(findings(site, &[ssh()]), []);
}

#[test]
fn an_allowed_service_that_does_not_get_through_is_a_finding() {
    let site = written("[[allow]]\nserver = [\"players\"]\nports = [2222]\nreason = \"ticket 1\"\n");
    let finding = only(findings(site, &[tcp("10.9.0.1:40000", "10.1.0.2:2222").icmp("10.1.0.254", 3, 13)]));
    assert_eq!(finding.rule, "rejected_by_network");
}

#[test]
fn severities_are_the_sites() {
    let site = written("[[severity]]\nfinding = \"unsupported_by_product\"\nseverity = \"info\"\n");
    assert_eq!(only(findings(site, &[ssh()])).severity, Severity::Info);
    let text = "[[severity]]\nfinding = \"silent_drop\"\nseverity = \"info\"\n\
                [[severity]]\nfinding = \"silent_drop\"\nservice = \"spinetix-out-mqtt\"\nseverity = \"medium\"\n";
    let silent = tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).syns(&[1.0, 2.0, 4.0]);
    assert_eq!(only(findings(written(text), &[silent])).severity, Severity::Medium, "an entry about the row goes first");
}

#[test]
fn a_moved_service_is_found_at_its_new_port_and_no_longer_at_the_old_one() {
    let site = || written("[[ports]]\nservice = \"spinetix-player-webdavs\"\nports = [8444]\nservers = [\"players\"]\n");
    let dav = |port: u16| tcp("10.9.0.1:40000", &format!("10.1.0.2:{port}")).talked(60, 60).speaks(&["tls"]);
    expect(&judge_one(site(), dav(8444)), Some("spinetix-player-webdavs"), Verdict::Expected, &[]);
    assert_eq!(judge_one(site(), dav(9802)).verdict, Verdict::Unexpected);
    // Elsewhere the document's number stands.
    let elsewhere = Site { roles: vec![(Signatures::built_in().role_id("spinetix.player").unwrap(), "10.2.0.0/24".parse().unwrap())], ..site() };
    let other = tcp("10.9.0.1:40000", "10.2.0.2:9802").talked(60, 60).speaks(&["tls"]);
    expect(&judge_one(elsewhere, other), Some("spinetix-player-webdavs"), Verdict::Expected, &[]);
}

#[test]
fn a_moved_range_begins_with_instance_0() {
    let text = "[[hosts]]\nname = \"air\"\naddresses = [\"10.3.0.1\"]\nroles = [\"cinegy.playout-engine\"]\n\
                [[ports]]\nservice = \"cinegy-playout-srt-main\"\nports = [\"6000-6015\"]\n";
    let judged = judge_one(written(text), udp("10.3.0.9:40000", "10.3.0.1:6003").talked(60, 60).speaks(&["srt"]));
    assert_eq!((row(&judged), judged.instance), (Some("cinegy-playout-srt-main"), Some(3)));
}

// S05
#[test]
fn a_service_that_the_site_switched_on_is_no_finding_and_its_failure_is_one() {
    let site = || written("[site]\nservices_on = [\"spinetix-player-snmp\"]\n");
    let snmp = || udp("10.9.0.1:40000", "10.1.0.2:161").speaks(&["snmp"]);
    assert_eq!(findings(site(), &[snmp().talked(48, 48)]), []);
    let finding = only(findings(site(), &[snmp().icmp("10.1.0.2", 3, 3)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("refused_by_host", Severity::Medium));
    assert!(!finding.alternatives.iter().any(|other| other.contains("not enabled")), "{:?}", finding.alternatives);
}

#[test]
fn the_internet_is_what_the_site_does_not_name() {
    let site = written("[site]\nlocal = [\"198.51.100.0/24\"]\n");
    assert!(site.is_local("198.51.100.9".parse().unwrap()) && site.is_local("10.1.0.2".parse().unwrap()));
    assert!(!site.is_local("10.9.0.1".parse().unwrap()), "a private network that is not the site's");
    assert!(written("").is_local("10.9.0.1".parse().unwrap()));
    let web = |client: &str| tcp(&format!("{client}:40000"), "10.1.0.2:80").talked(60, 60).speaks(&["http"]).asks("GET", "/");
    assert_eq!(judge_one(site.clone(), web("198.51.100.9")).verdict, Verdict::Expected);
    assert_eq!(judge_one(site, web("10.9.0.1")).reasons, [Reason::InboundFromOutside]);
}

#[test]
fn a_host_goes_before_its_network() {
    let site = written("[[hosts]]\nname = \"pc\"\naddresses = [\"10.1.0.9\"]\nroles = [\"spinetix.elementi\"]\n");
    let judged = judge_one(site, tcp("10.1.0.9:40000", "10.1.0.2:81").talked(60, 60).speaks(&["http", "webdav"]));
    let names: Vec<&str> = judged.roles.iter().flatten().map(|role| Signatures::built_in().role(*role).id.as_str()).collect();
    assert_eq!(names, ["spinetix.elementi", "spinetix.player"]);
}

#[test]
fn a_host_without_an_address_is_known_by_its_hardware_address() {
    let site = written("[[hosts]]\nname = \"lobby\"\naddresses = [\"10.1.0.7\"]\nroles = [\"spinetix.player\"]\nmacs = [\"00-1D-50-20-11-02\"]\n");
    let mut discover = udp("0.0.0.0:68", "255.255.255.255:67").speaks(&["dhcp"]);
    discover.0.flow.client.mac = Some(Mac([0, 0x1d, 0x50, 0x20, 0x11, 2]));
    let judged = judge_one(site, discover);
    assert_eq!((row(&judged), judged.roles[0].len()), (Some("spinetix-player-dhcp"), 1));
}

#[test]
fn every_word_for_a_finding_is_the_contracts() {
    let variants = |error: serde_json::Error| error.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut words = variants(serde_json::from_str::<Reason>("\"?\"").unwrap_err());
    let open = ["direction_unknown", "midstream", "not_enough_bytes", "shared_port", "not_covered"];
    let untold: Vec<_> = words.iter().filter(|word| !open.contains(&word.as_str()) && !site::FINDINGS.contains(&word.as_str())).collect();
    assert!(untold.is_empty(), "reasons that break a row are findings: {untold:?}");
    words.extend(variants(serde_json::from_str::<crate::judge::Outcome>("\"?\"").unwrap_err()));
    words.push("intermittent".to_owned());
    let strange: Vec<_> = site::FINDINGS.iter().filter(|word| !words.iter().any(|known| known == *word)).collect();
    assert!(strange.is_empty() && site::FINDINGS.is_sorted(), "{strange:?}");
    assert!(words.len() > 40, "{words:?}");
}
