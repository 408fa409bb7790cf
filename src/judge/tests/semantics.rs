//! What the documents mean beyond their rows. Each test is named after the id of the semantic in the truth table of the five documents.

use super::sample::*;
use crate::identify::{AnswerKind, Fact, NameSource};
use crate::judge::{Finding, Judged, Reason, Severity, Site, Verdict};
use crate::net::Side;
use crate::signature::{Basis, PromiseKind, Signatures};

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

#[test]
fn s03_a_passive_data_port_that_is_not_reached_asks_for_ftp_tracking() {
    let site = written(&(hosts("cms", "10.5.0.1", "cayin.cms", "") + &hosts("smp", "10.5.1.0/24", "cayin.smp", "")));
    let data = tcp("10.5.1.2:40000", "10.5.0.1:20500").syns(&[1.0, 2.0, 4.0]).announced_by(PromiseKind::FtpPassive);
    let finding = only(findings(site, &[data]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("silent_drop", Severity::High));
    let remedy = finding.remedy.unwrap();
    assert!(remedy.contains("Let the firewall track FTP") && remedy.contains("FTP passive mode ready"), "{remedy}");
}

#[test]
fn s04_active_ftp_data_is_known_by_its_announcement_and_not_the_documents_word() {
    let site = written(&(hosts("cms", "10.5.0.1", "cayin.cms", "") + &hosts("smp", "10.5.1.0/24", "cayin.smp", "")));
    let data = || tcp("10.5.0.1:20", "10.5.1.2:40000").talked(300, 0).announced_by(PromiseKind::FtpActive);
    let judged = judge_one(site, data());
    let service = judged.service.map(|id| Signatures::built_in().service(id));
    assert_eq!(service.map(|row| (row.id.as_str(), row.basis)), Some(("sup-cayin-ftp", Basis::Supplement)));
    assert_eq!(judged.verdict, Verdict::Expected);
}

#[test]
fn s06_a_player_that_tells_its_firmware_is_taken_at_its_word() {
    let told = tcp("10.9.0.1:40000", "10.1.0.2:80")
        .talked(300, 900)
        .speaks(&["http"])
        .asks("GET", "/")
        .fact(Fact::Software { of: Side::Server, text: "x-spinetix-firmware 4.2.1".into() });
    let mqtt = tcp("10.1.0.2:40000", "203.0.113.7:8883").talked(300, 900).speaks(&["tls"]);
    let judged = judge_all(players(""), &[told.clone(), mqtt.clone()]);
    assert_eq!(judged[1].reasons, [Reason::VersionTooOld]);
    // The operator's word goes first.
    assert_eq!(judge_all(players("version = \"4.6\""), &[told, mqtt])[1].verdict, Verdict::Expected);
}

fn arya(minutes: &[u32]) -> Vec<Sample> {
    let at_minute = |minute: &u32| {
        let mut sample = tcp("10.1.0.2:40000", "203.0.113.7:443").talked(300, 900).speaks(&["tls"]).sni("a.services.spinetix.com");
        sample.0.flow.client.endpoint.port += *minute as u16;
        (sample.0.flow.first, sample.0.flow.last) = (at(f64::from(*minute) * 60.0), at(f64::from(*minute) * 60.0 + 1.0));
        sample
    };
    minutes.iter().map(at_minute).collect()
}

#[test]
fn s11_a_player_that_uses_arya_for_long_and_never_tries_mqtt_is_a_notice() {
    let finding = only(findings(players(""), &arya(&[0, 20, 40])));
    assert_eq!((finding.rule.as_str(), finding.severity, finding.client.as_str()), ("spinetix-ties-mqtt", Severity::Info, "10.1.0.2"));
    assert!(finding.says.contains("never tried it"), "{}", finding.says);
    assert_eq!(findings(players(""), &arya(&[0, 20])), [], "too short a time to tell");
    assert_eq!(findings(players("version = \"4.3\""), &arya(&[0, 20, 40])), [], "that firmware has none");
    let mut with_mqtt = arya(&[0, 20, 40]);
    with_mqtt.push(tcp("10.1.0.2:50000", "203.0.113.7:8883").midstream().talked(60, 60));
    assert_eq!(findings(players(""), &with_mqtt), [], "it has been connected all the time");
}

#[test]
fn s12_a_handshake_that_fails_where_client_certificates_are_used_may_be_inspected() {
    let alert = |port: u16| {
        let hello = tcp("10.1.0.2:40000", &format!("203.0.113.7:{port}")).talked(300, 900).speaks(&["tls"]).sni("a.services.spinetix.com");
        hello.answer(Side::Client, AnswerKind::Refused, 42, "bad_certificate")
    };
    let finding = only(findings(players(""), &[alert(8883)]));
    assert_eq!(finding.rule, "tls_failed");
    assert!(finding.alternatives[0].contains("opens TLS") && finding.alternatives[0].contains("client certificates"), "{:?}", finding.alternatives);
    assert!(finding.remedy.unwrap().contains("exempt it from TLS inspection"));
    let web = only(findings(players(""), &[alert(443)]));
    assert!(!web.alternatives.iter().any(|other| other.contains("opens TLS:")), "inspection is possible there: {:?}", web.alternatives);
}

#[test]
fn s15_a_free_port_is_the_sites_to_say() {
    let at_5555 = || tcp("10.9.0.1:40000", "10.1.0.2:5555").talked(60, 60).speaks(&["shared_variables"]);
    let elsewhere = judge_one(players(""), at_5555());
    assert_eq!(elsewhere.verdict, Verdict::Unexpected);
    assert!(elsewhere.candidates.iter().any(|row| row.why.contains("documented on port 1234")), "{:?}", elsewhere.candidates);
    let moved = players("services_on = [\"spinetix-player-sharedvar\"]\n[[ports]]\nservice = \"spinetix-player-sharedvar\"\nports = [5555]");
    expect(&judge_one(moved, at_5555()), Some("spinetix-player-sharedvar"), Verdict::Expected, &[]);
}

#[test]
fn s16_a_refused_port_says_where_it_is_set() {
    let site = written(&(hosts("server", "10.6.0.1", "spotfire.server", "") + &hosts("node", "10.6.0.9", "spotfire.node-manager", "")));
    let refused = tcp("10.6.0.1:40000", "10.6.0.9:9443").reset(1.01, 64);
    let remedy = only(findings(site, &[refused])).remedy.unwrap();
    assert!(remedy.contains("nodemanager.properties"), "{remedy}");
}

#[test]
fn s18_a_cued_preview_without_its_main_preview_is_a_notice() {
    let site = || written(&hosts("air", "10.3.0.1", "cinegy.playout-engine", ""));
    let srt = |client: u16, port: u16| udp(&format!("10.3.0.9:{client}"), &format!("10.3.0.1:{port}")).talked(60, 60).speaks(&["srt"]);
    let finding = only(findings(site(), &[srt(40000, 5421), srt(40001, 5471), srt(40002, 5472)]));
    assert_eq!((finding.rule.as_str(), finding.severity), ("cinegy-ties-instance", Severity::Info));
    assert!(finding.says.contains("instance 1 of 10.3.0.1 alone"), "{}", finding.says);
    assert_eq!(findings(site(), &[srt(40000, 5421), srt(40001, 5471)]), []);
}

#[test]
fn s21_a_root_url_takes_any_host_name() {
    let site = written(&hosts("license", "10.3.0.5", "cinegy.license-service", ""));
    let asked = tcp("10.3.0.9:40000", "10.3.0.5:8989").talked(60, 60).speaks(&["http"]).asks("GET", "/GetInfo");
    let named = asked.fact(Fact::Name { of: Side::Server, name: "license.any.example".into(), source: NameSource::Host });
    expect(&judge_one(site, named), Some("cinegy-license-http"), Verdict::Expected, &[]);
}
