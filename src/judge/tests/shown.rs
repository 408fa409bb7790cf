//! Roles and versions that hosts show themselves.

use super::sample::{Sample, background, judge_among, judge_one, row, site, tcp, udp};
use crate::identify::{Fact, NameSource};
use crate::judge::learned::Learner;
use crate::judge::{Confidence, Judged, Reason, Site, Verdict};
use crate::net::{Mac, Side};
use crate::signature::Signatures;

const PLAYER: &str = "10.1.0.2";

/// A browser of the LAN looks at the host's pages, and its answer has this header field.
fn pages(host: &str, header: &str) -> Sample {
    let page = tcp("10.1.0.7:50000", &format!("{host}:80")).talked(200, 900).speaks(&["http"]);
    page.fact(Fact::Software { of: Side::Server, text: header.into() })
}

fn firmware(version: &str) -> Sample {
    pages(PLAYER, &format!("x-spinetix-firmware {version}"))
}

fn cloud() -> Sample {
    tcp(&format!("{PLAYER}:40000"), "198.51.100.77:8883").talked(300, 900).speaks(&["tls"])
}

fn elsewhere() -> Sample {
    tcp(&format!("{PLAYER}:40000"), "198.51.100.77:7777").talked(300, 900)
}

#[track_caller]
fn judged(site: Site, sample: Sample, shows: &[Sample]) -> Judged {
    let others: Vec<Sample> = shows.iter().cloned().chain([background()]).collect();
    judge_among(site, &[sample], &others).remove(0)
}

fn roles(judged: &Judged, side: Side) -> Vec<&'static str> {
    judged.roles[side as usize].iter().map(|role| Signatures::built_in().role(*role).id.as_str()).collect()
}

fn with_mac(mut sample: Sample, mac: [u8; 6]) -> Sample {
    sample.0.flow.client.mac = Some(Mac(mac));
    sample
}

const PLAYERS_MAC: [u8; 6] = [0x00, 0x1d, 0x50, 0x20, 0x00, 0x02];

#[test]
fn a_host_that_shows_beyond_doubt_what_it_is_is_judged_by_it() {
    for shows in [firmware("4.7.1"), pages(PLAYER, "x-spinetix-serial 001d50200002")] {
        let seen = judged(Site::default(), cloud(), std::slice::from_ref(&shows));
        assert_eq!((row(&seen), seen.verdict, seen.attribution), (Some("spinetix-out-mqtt"), Verdict::Expected, Confidence::Medium));
        assert_eq!(roles(&seen, Side::Client), ["spinetix.player"]);
        let odd = judged(Site::default(), elsewhere(), &[shows]);
        assert_eq!((odd.verdict, odd.reasons.as_slice(), odd.attribution), (Verdict::Unexpected, &[Reason::UndocumentedService][..], Confidence::Medium));
    }
    let by_mac = judge_one(Site::default(), with_mac(elsewhere(), PLAYERS_MAC));
    assert_eq!((by_mac.verdict, by_mac.reasons.as_slice()), (Verdict::Unexpected, &[Reason::UndocumentedService][..]));
    let shown = &by_mac.shown[0][0];
    assert_eq!((shown.by, shown.what.as_str(), shown.counts, shown.frame.number()), ("mac_prefix", "00:1d:50:20:00:02", true, 1));
    // Another maker's address shows nothing.
    assert!(judge_one(Site::default(), with_mac(elsewhere(), [0x00, 0x1d, 0x51, 0, 0, 1])).shown[0].is_empty());
}

#[test]
fn what_others_could_show_too_is_told_and_nothing_is_judged_by_it() {
    let named = |source, name: &str| {
        let answer = udp(&format!("{PLAYER}:5353"), "224.0.0.251:5353").speaks(&["mdns"]);
        answer.fact(Fact::Name { of: Side::Client, name: name.into(), source })
    };
    let seen = judged(Site::default(), elsewhere(), &[named(NameSource::Mdns, "spx-hmp-001d50200002.local")]);
    assert_eq!((seen.verdict, seen.reasons.as_slice(), roles(&seen, Side::Client).len()), (Verdict::Undecided, &[Reason::NotCovered][..], 0));
    let shown: Vec<_> = seen.shown[0].iter().map(|shown| (shown.by, shown.what.as_str(), shown.confidence, shown.counts)).collect();
    assert_eq!(shown, [("mdns_name", "spx-hmp-001d50200002.local", Confidence::Medium, false)]);
    let offers = udp(&format!("{PLAYER}:5353"), "224.0.0.251:5353").speaks(&["mdns"]);
    let offers = offers.fact(Fact::Offers { of: Side::Client, service: "_spx-hmp._tcp.local".into() });
    assert_eq!(judged(Site::default(), elsewhere(), &[offers]).shown[0].len(), 1);
    // The same name by somebody who only resolved it.
    assert!(judged(Site::default(), elsewhere(), &[named(NameSource::Dns, "spx-hmp-001d50200002.local")]).shown[0].is_empty());
}

#[test]
fn a_peers_pc_is_told_by_its_protocol_and_left_in_peace() {
    let peer = tcp(&format!("{PLAYER}:40001"), "10.1.0.9:6900").talked(16, 200).speaks(&["teatime"]);
    let seen = judged(Site::default(), elsewhere(), &[peer]);
    assert_eq!((seen.verdict, seen.reasons.as_slice()), (Verdict::Undecided, &[Reason::NotCovered][..]));
    assert_eq!(seen.shown[0].iter().map(|shown| (shown.by, shown.counts)).collect::<Vec<_>>(), [("speaks", false)]);
}

#[test]
fn a_proxy_that_hands_on_a_players_pages_is_no_player() {
    let proxy = "10.1.0.8";
    let fetched = tcp(&format!("{proxy}:50000"), &format!("{PLAYER}:80")).talked(200, 900).speaks(&["http"]);
    let fetched = fetched.fact(Fact::Software { of: Side::Server, text: "x-spinetix-firmware 4.7.1".into() });
    let sample = tcp(&format!("{proxy}:40000"), "198.51.100.77:7777").talked(300, 900);
    let seen = judged(Site::default(), sample, &[fetched, pages(proxy, "x-spinetix-firmware 4.7.1")]);
    assert_eq!((seen.verdict, roles(&seen, Side::Client).len()), (Verdict::Undecided, 0));
    assert_eq!((seen.shown[0][0].confidence, seen.shown[0][0].counts), (Confidence::Low, false));
}

#[test]
fn a_public_address_may_stand_for_many_hosts_and_is_not_judged_by_what_one_of_them_shows() {
    let sample = tcp("203.0.113.5:40000", "198.51.100.77:7777").talked(300, 900);
    let seen = judged(Site::default(), sample, &[pages("203.0.113.5", "x-spinetix-firmware 4.7.1")]);
    assert_eq!((seen.verdict, roles(&seen, Side::Client).len(), seen.shown[0].len()), (Verdict::Undecided, 0, 1));
}

#[test]
fn the_sites_word_goes_before_what_a_host_shows() {
    let seen = judged(site(&["cayin.cms=10.1.0.2/32"]), cloud(), &[firmware("4.7.1")]);
    assert_eq!(roles(&seen, Side::Client), ["cayin.cms"]);
}

#[test]
fn the_firmware_that_a_host_tells_decides_whether_it_has_a_service() {
    // "MQTT ... (since firmware 4.4.0)".
    for (version, reasons) in [("4.1.0", &[Reason::VersionTooOld][..]), ("4.4.0", &[]), ("4.10.2 (build 7)", &[])] {
        assert_eq!(judged(Site::default(), cloud(), &[firmware(version)]).reasons, reasons, "{version}");
        assert_eq!(judged(site(&["spinetix.player=10.1.0.2/32"]), cloud(), &[firmware(version)]).reasons, reasons, "{version}");
    }
    // Brought up to date within the capture: the newer one has it.
    assert_eq!(judged(Site::default(), cloud(), &[firmware("4.5.0"), firmware("4.1.0")]).reasons, []);
}

#[test]
fn what_is_learned_late_and_in_another_order_counts_the_same() {
    let shows = [firmware("4.5.0"), pages(PLAYER, "x-spinetix-hw hmp300"), with_mac(elsewhere(), PLAYERS_MAC)];
    let forward = judged(Site::default(), cloud(), &shows);
    let mut backward = shows;
    backward.reverse();
    let backward = judged(Site::default(), cloud(), &backward);
    assert_eq!(forward.shown, backward.shown);
    assert_eq!(forward.shown[0].len(), 3);
    assert_eq!((forward.verdict, &forward.roles), (backward.verdict, &backward.roles));
}

#[test]
fn a_row_that_one_document_claims_is_a_hint_at_what_answers_there() {
    let stream = udp("10.1.0.7:40000", "10.3.0.1:5421").talked(64, 64).speaks(&["srt"]);
    let seen = judged(Site::default(), stream.clone(), &[]);
    assert_eq!(seen.shown[1].iter().map(|shown| (shown.by, shown.confidence, shown.counts)).collect::<Vec<_>>(), [("serves", Confidence::Low, false)]);
    let mut unanswered = stream;
    unanswered.0.flow.server.packets = 0;
    assert!(judge_one(Site::default(), unanswered).shown[1].is_empty());
}

/// The role is sure only once all was heard, by signs that no flow is judged by: what is off unless switched on was heard before.
#[test]
fn what_is_on_at_a_host_whose_role_is_learned_is_in_its_draft() {
    let at = |port: u16| format!("{PLAYER}:{port}");
    let samples = [
        pages(PLAYER, "x-raperca-version 2.1.0"),
        udp("10.1.0.7:50001", &at(161)).talked(60, 60).speaks(&["snmp"]),
        tcp("10.1.0.7:50002", &at(1234)).talked(60, 60).speaks(&["shared_variables"]),
        tcp("10.1.0.7:50003", &at(5684)).talked(60, 60).speaks(&["ssh"]),
        // Who shows nothing is no player, though he answers there, too.
        udp("10.1.0.7:50004", "10.1.0.9:161").talked(60, 60).speaks(&["snmp"]),
    ];
    let mut learner = Learner::new(Signatures::built_in(), Site::default());
    judge_among(Site::default(), &samples, &[background()]).iter().for_each(|judged| learner.add(judged));
    let learned = learner.finish();
    let sure: Vec<_> = learned.groups.iter().filter(|group| group.sure).collect();
    assert_eq!(sure.len(), 1, "{:#?}", learned.groups);
    let on: Vec<&str> = sure[0].on.iter().map(|id| Signatures::built_in().service(*id).id.as_str()).collect();
    assert_eq!(on, ["spinetix-player-sharedvar", "spinetix-player-snmp"]);
}
