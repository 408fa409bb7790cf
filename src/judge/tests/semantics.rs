//! What the documents mean beyond their rows. Each test is named after the id of the semantic in the truth table of the five documents.

use super::sample::*;
use crate::judge::{Finding, Judged, Reason, Severity, Site, Verdict};
use crate::signature::Signatures;

fn written(text: &str) -> Site {
    Site::from_text("office.toml", text, Signatures::built_in(), Signatures::built_in()).unwrap_or_else(|error| panic!("{error}"))
}

fn hosts(name: &str, addresses: &str, role: &str, more: &str) -> String {
    format!("[[hosts]]\nname = \"{name}\"\naddresses = [\"{addresses}\"]\nroles = [\"{role}\"]\n{more}\n")
}

fn network(name: &str, addresses: &str) -> String {
    format!("[[networks]]\nname = \"{name}\"\naddresses = [\"{addresses}\"]\n")
}

fn players(more: &str) -> Site {
    written(&hosts("players", "10.1.0.0/24", "spinetix.player", more))
}

#[track_caller]
fn expect(judged: &Judged, service: Option<&str>, verdict: Verdict, reasons: &[Reason]) {
    assert_eq!((row(judged), judged.verdict, judged.reasons.as_slice()), (service, verdict, reasons), "{:#?}", judged.candidates);
}

#[track_caller]
fn only(found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn s06_a_service_younger_than_the_firmware_is_too_old_a_version() {
    let mqtt = || tcp("10.1.0.2:40000", "203.0.113.7:8883").talked(300, 900).speaks(&["tls"]);
    for (version, expected) in [("4.3.9", false), ("4.4", true), ("4.10.1", true)] {
        let judged = judge_one(players(&format!("version = \"{version}\"")), mqtt());
        let (verdict, reasons) = if expected { (Verdict::Expected, vec![]) } else { (Verdict::Unexpected, vec![Reason::VersionTooOld]) };
        expect(&judged, Some("spinetix-out-mqtt"), verdict, &reasons);
    }
    let finding = only(findings(players("version = \"4.3.9\""), &[mqtt()]));
    assert!(finding.severity == Severity::Low && finding.says.contains("player firmware 4.4.0"), "{}", finding.says);
}

#[test]
fn s07_the_edition_of_elementi_decides_what_it_can() {
    let coap = || udp("10.9.0.1:40000", "10.2.0.5:5684").talked(300, 900).speaks(&["dtls"]);
    let elementi = |more: &str| written(&hosts("pc", "10.2.0.5", "spinetix.elementi", more));
    for (more, reasons) in [
        ("version = \"2018\"\nedition = \"Elementi X\"", vec![Reason::OptionalServiceActive]),
        ("edition = \"Elementi X\"", vec![Reason::OptionalServiceActive]),
        ("version = \"2018\"\nedition = \"Elementi M\"", vec![Reason::OptionalServiceActive, Reason::UnsupportedByProduct]),
        ("version = \"2016\"\nedition = \"Elementi X\"", vec![Reason::OptionalServiceActive, Reason::UnsupportedByProduct]),
    ] {
        let judged = judge_one(elementi(more), coap());
        let mut seen = judged.reasons.clone();
        seen.sort_by_key(|reason| *reason != Reason::OptionalServiceActive);
        assert_eq!((row(&judged), seen), (Some("spinetix-elementi-coap"), reasons), "{more}");
    }
    let webdavs = tcp("10.2.0.5:40000", "10.1.0.2:9802").talked(300, 900).speaks(&["tls"]);
    let both = |version: &str| {
        let elementi = hosts("pc", "10.2.0.5", "spinetix.elementi", &format!("version = \"{version}\""));
        written(&(elementi + &hosts("players", "10.1.0.0/24", "spinetix.player", "")))
    };
    assert_eq!(judge_one(both("2012"), webdavs.clone()).reasons, [Reason::VersionTooOld]);
    assert_eq!(judge_one(both("2015"), webdavs).reasons, []);
}

#[test]
fn s22_a_service_that_needs_no_opening_is_not_used_from_another_segment() {
    let license = |client: &str| tcp(&format!("{client}:40000"), "10.3.0.5:8989").talked(300, 900).speaks(&["http"]).asks("GET", "/getinfo");
    let places = hosts("license", "10.3.0.5", "cinegy.license-service", "") + &network("media", "10.3.0.0/24") + &network("office", "10.4.0.0/24");
    assert_eq!(judge_one(written(&places), license("10.3.0.9")).verdict, Verdict::Expected);
    // Of a host in no segment of the file nothing is known.
    assert_eq!(judge_one(written(&places), license("10.5.0.9")).verdict, Verdict::Expected);
    expect(&judge_one(written(&places), license("10.4.0.9")), Some("cinegy-license-http"), Verdict::Unexpected, &[Reason::InboundFromOutside]);
    assert_eq!(judge_one(written(&places), license("203.0.113.7")).reasons, [Reason::InboundFromOutside]);
    let finding = only(findings(written(&places), &[license("10.4.0.9")]));
    assert!(finding.says.contains("from another segment"), "{}", finding.says);
}

#[test]
fn s36_a_player_with_a_static_address_does_not_ask_for_one() {
    let discover = || udp("10.1.0.2:68", "255.255.255.255:67").speaks(&["dhcp"]);
    assert_eq!(judge_one(players(""), discover()).verdict, Verdict::Expected);
    let finding = only(findings(players("static_addresses = true"), &[discover()]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("denied_by_site", Severity::Low));
    assert!(finding.says.contains("its address is static"), "{}", finding.says);
    // One that has no address yet is known by its hardware address.
    let mut nameless = udp("0.0.0.0:68", "255.255.255.255:67").speaks(&["dhcp"]);
    nameless.0.flow.client.mac = Some(crate::net::Mac([0, 0x1d, 0x50, 1, 2, 3]));
    let known = judge_one(players("static_addresses = true\nmacs = [\"00:1d:50:01:02:03\"]"), nameless);
    assert_eq!(known.reasons, [Reason::DeniedBySite]);
}

#[test]
fn s38_discovery_does_not_reach_another_segment() {
    let search = |to: &str| udp("10.1.0.2:40000", &format!("{to}:1900")).speaks(&["ssdp"]);
    let places = hosts("players", "10.1.0.0/24", "spinetix.player", "") + &network("one", "10.1.0.0/24") + &network("two", "10.2.0.0/24");
    assert_eq!(judge_one(written(&places), search("239.255.255.250")).verdict, Verdict::Expected);
    assert_eq!(judge_one(written(&places), search("10.1.0.9")).verdict, Verdict::Expected);
    for elsewhere in ["10.2.0.9", "203.0.113.7"] {
        assert_eq!(judge_one(written(&places), search(elsewhere)).reasons, [Reason::LeftTheLan], "{elsewhere}");
    }
}
