//! What the documents say about a flow. Ids in comments are those of the ambiguities and semantics of the five documents.

use super::sample::*;
use crate::flow::Direction;
use crate::identify::Books;
use crate::judge::{Confidence, Judge, Judged, Outcome, Reason, Site, Verdict};
use crate::signature::{PromiseKind, Signatures};

const PLAYER: &str = "spinetix.player=10.1.0.0/24";
const PUBLIC: &str = "203.0.113.7";

fn players() -> Site {
    site(&[PLAYER])
}

#[track_caller]
fn expect(judged: &Judged, service: Option<&str>, verdict: Verdict, reasons: &[Reason]) {
    assert_eq!((row(judged), judged.verdict, judged.reasons.as_slice()), (service, verdict, reasons), "{:#?}", judged.candidates);
}

fn tls(client: &str, server: &str) -> Sample {
    tcp(client, server).talked(300, 900).speaks(&["tls"])
}

fn http(client: &str, server: &str, path: &str) -> Sample {
    tcp(client, server).talked(300, 900).speaks(&["http"]).asks("GET", path)
}

// A14, S24
#[test]
fn tls_on_8883_out_of_a_player_is_its_mqtt() {
    let judged = judge_one(players(), tls("10.1.0.2:40000", &format!("{PUBLIC}:8883")));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Expected, &[]);
    assert_eq!((judged.outcome, judged.attribution), (Outcome::Ok, Confidence::High));
}

#[test]
fn two_sides_of_one_service_are_one_service_and_the_general_row_stands_for_it() {
    let judged = judge_one(players(), tls("10.1.0.2:40000", &format!("{PUBLIC}:8883")).sni("a.services.spinetix.com"));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Expected, &[]);
    assert!(judged.candidates.iter().any(|candidate| candidate.fits && row_of(candidate) == "spinetix-arya-player-mqtt"));
}

fn row_of(candidate: &crate::judge::Candidate) -> &'static str {
    &crate::signature::Signatures::built_in().service(candidate.service).id
}

#[test]
fn roles_tell_elementis_publishing_from_any_webdav_client() {
    let dav = || tcp("10.2.0.5:40000", "10.1.0.2:81").talked(300, 200).speaks(&["http", "webdav"]);
    expect(&judge_one(site(&[PLAYER, "spinetix.elementi=10.2.0.5/32"]), dav()), Some("spinetix-player-webdav"), Verdict::Expected, &[]);
    expect(&judge_one(players(), dav()), Some("spinetix-player-webdav"), Verdict::Expected, &[]);
}

// S01, S08
#[test]
fn s01_mqtt_into_a_player_has_the_wrong_direction() {
    let judged = judge_one(players(), tls(&format!("{PUBLIC}:40000"), "10.1.0.2:8883"));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Unexpected, &[Reason::WrongDirection]);
}

// S01: without a seen opening nothing is held against it
#[test]
fn a_wrong_direction_that_is_not_known_leaves_the_verdict_open() {
    let sample = tls("10.9.0.1:8883", "10.1.0.2:8883").midstream();
    let judged = judge_one(players(), sample);
    assert_eq!(judged.verdict, Verdict::Undecided);
    assert!(judged.reasons.contains(&Reason::DirectionUnknown) && judged.reasons.contains(&Reason::Midstream), "{:?}", judged.reasons);
}

#[test]
fn s24_plain_mqtt_on_8883_is_not_encrypted() {
    let judged = judge_one(players(), tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).talked(60, 4).speaks(&["mqtt"]));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Unexpected, &[Reason::NotEncrypted]);
}

// A14
#[test]
fn coap_in_clear_on_5684_is_not_encrypted_and_in_dtls_it_is_expected() {
    let clear = udp("10.9.0.1:40000", "10.1.0.2:5684").talked(20, 20).speaks(&["coap"]);
    expect(&judge_one(players(), clear), Some("spinetix-player-coap"), Verdict::Unexpected, &[Reason::NotEncrypted]);
    let secure = udp("10.9.0.1:40000", "10.1.0.2:5684").talked(90, 90).speaks(&["dtls"]);
    expect(&judge_one(players(), secure), Some("spinetix-player-coap"), Verdict::Expected, &[Reason::OptionalServiceActive]);
}

#[test]
fn d51_ssh_on_8883_is_another_protocol() {
    let judged = judge_one(players(), tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).talked(60, 60).speaks(&["ssh"]));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Unexpected, &[Reason::WrongProtocol]);
}

#[test]
fn s25_tls_on_a_port_documented_in_clear_is_unexpectedly_encrypted() {
    let judged = judge_one(players(), tls("10.9.0.1:40000", "10.1.0.2:81"));
    expect(&judged, Some("spinetix-player-webdav"), Verdict::Unexpected, &[Reason::UnexpectedlyEncrypted]);
}

#[test]
fn bytes_that_nothing_recognises_leave_a_known_port_undecided() {
    let judged = judge_one(players(), tcp("10.1.0.2:40000", &format!("{PUBLIC}:8883")).talked(9, 9).opening(b"\x01garbage!"));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Undecided, &[Reason::NotEnoughBytes]);
}

// S53, A16, A17, A51
#[test]
fn s53_ports_that_everybody_uses_need_a_role() {
    for sample in [
        http("10.5.0.1:40000", "10.5.0.2:80", "/"),
        tls("10.5.0.1:40000", &format!("{PUBLIC}:443")),
        udp("10.5.0.1:40000", "10.5.0.2:123").talked(48, 48).speaks(&["ntp"]),
        udp("10.5.0.1:40000", "10.5.0.2:161").talked(48, 48).speaks(&["snmp"]),
        udp("10.5.0.1:5353", "224.0.0.251:5353").speaks(&["mdns"]),
        tcp("10.5.0.1:40000", "10.5.0.2:5900").talked(12, 12).speaks(&["rfb"]),
    ] {
        expect(&judge_one(Site::default(), sample), None, Verdict::Undecided, &[Reason::NotCovered]);
    }
}

#[test]
fn a_port_that_one_document_alone_claims_needs_none_but_is_less_sure() {
    let judged = judge_one(Site::default(), tcp("10.5.0.1:40000", &format!("{PUBLIC}:8883")));
    expect(&judged, Some("spinetix-out-mqtt"), Verdict::Expected, &[]);
    assert_eq!(judged.attribution, Confidence::Low);
    let judged = judge_one(Site::default(), tcp("10.5.0.1:40000", "10.5.0.2:9995"));
    expect(&judged, Some("cinegy-route-remoting"), Verdict::Expected, &[]);
}

// A50: 43215 lies in the ephemeral range
#[test]
fn a_high_port_counts_only_for_a_server_that_is_certain() {
    let crqt = udp("10.5.0.1:43215", "255.255.255.255:43215").speaks(&["crqt"]);
    expect(&judge_one(Site::default(), crqt), Some("cobalt-crqt"), Verdict::Expected, &[]);
    let chance = udp("10.5.0.1:51000", "255.255.255.255:43215").direction(Direction::Likely);
    expect(&judge_one(Site::default(), chance), None, Verdict::Undecided, &[Reason::NotCovered]);
}

// S48 of the contract: without a role nothing is unexpected for want of a document
#[test]
fn nothing_is_undocumented_where_no_end_has_a_role() {
    let ssh = tcp("10.5.0.1:40000", "10.5.0.2:22").talked(60, 60).speaks(&["ssh"]);
    expect(&judge_one(Site::default(), ssh), None, Verdict::Undecided, &[Reason::NotCovered]);
}

#[test]
fn a_flow_of_a_known_host_that_no_row_covers_is_undocumented() {
    let judged = judge_one(players(), tcp("10.1.0.2:40000", "10.9.0.1:3306").talked(60, 60));
    expect(&judged, None, Verdict::Unexpected, &[Reason::UndocumentedService]);
}

#[test]
fn s46_ssh_to_a_player_is_not_supported_by_it() {
    let judged = judge_one(players(), tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(&["ssh"]));
    expect(&judged, None, Verdict::Unexpected, &[Reason::UnsupportedByProduct]);
}

#[test]
fn something_else_on_the_port_of_ssh_is_not_called_ssh() {
    let flow = |protocol: &[&'static str]| judge_one(players(), tcp("10.9.0.1:40000", "10.1.0.2:22").talked(60, 60).speaks(protocol));
    expect(&flow(&["http"]), None, Verdict::Unexpected, &[Reason::UndocumentedService]);
    expect(&flow(&[]), None, Verdict::Unexpected, &[Reason::UnsupportedByProduct]);
}

// A09: the initiator decides between the inbound and the outbound row
#[test]
fn port_80_belongs_to_another_row_in_each_direction() {
    expect(&judge_one(players(), http("10.1.0.2:40000", &format!("{PUBLIC}:80"), "/")), Some("spinetix-out-http"), Verdict::Expected, &[]);
    expect(&judge_one(players(), http("10.9.0.1:40000", "10.1.0.2:80", "/")), Some("spinetix-player-http"), Verdict::Expected, &[]);
}

#[test]
fn s09_a_player_reached_from_outside_is_reported_though_the_service_is_documented() {
    let judged = judge_one(players(), http(&format!("{PUBLIC}:40000"), "10.1.0.2:80", "/"));
    expect(&judged, Some("spinetix-player-http"), Verdict::Unexpected, &[Reason::InboundFromOutside]);
}

// S05, A54
#[test]
fn s05_an_optional_service_is_a_notice_only_when_it_answers() {
    let asked = || udp("10.9.0.1:40000", "10.1.0.2:161").speaks(&["snmp"]);
    expect(&judge_one(players(), asked().talked(48, 48)), Some("spinetix-player-snmp"), Verdict::Expected, &[Reason::OptionalServiceActive]);
    expect(&judge_one(players(), asked()), Some("spinetix-player-snmp"), Verdict::Expected, &[]);
}

// A23, S20
#[test]
fn s20_the_path_decides_between_two_services_on_8097() {
    let gateway = site(&["cinegy.traffic-gateway=10.3.0.1/32"]);
    let ask = |path: &str| judge_one(gateway.clone(), http("10.9.0.1:40000", "10.3.0.1:8097", path));
    expect(&ask("/gateway/soap"), Some("cinegy-tg-main"), Verdict::Expected, &[]);
    expect(&ask("/LICENSE"), Some("cinegy-tg-license"), Verdict::Expected, &[]);
    let judged = ask("/admin");
    assert_eq!((judged.verdict, judged.reasons.as_slice()), (Verdict::Unexpected, [Reason::UndocumentedPath].as_slice()));
    // Segments, not letters.
    assert_eq!(ask("/gatewayx").reasons, [Reason::UndocumentedPath]);
}

// A23: no path seen, nothing guessed
#[test]
fn two_services_on_one_port_without_a_path_are_a_tie() {
    let judged = judge_one(site(&["cinegy.traffic-gateway=10.3.0.1/32"]), tcp("10.9.0.1:40000", "10.3.0.1:8097").syns(&[1.0, 2.0, 4.0]));
    expect(&judged, None, Verdict::Undecided, &[Reason::SharedPort]);
    let named: Vec<&str> = judged.candidates.iter().filter(|candidate| candidate.fits).map(row_of).collect();
    assert_eq!(named, ["cinegy-tg-main", "cinegy-tg-license"]);
}

// A21
#[test]
fn an_exact_port_beats_the_capture_engines_range_until_the_path_says_otherwise() {
    let machine = site(&["cinegy.multiviewer=10.3.0.1/32", "cinegy.capture-engine=10.3.0.1/32"]);
    let silent = judge_one(machine.clone(), tcp("10.9.0.1:40000", "10.3.0.1:8090"));
    expect(&silent, Some("cinegy-mv-rest"), Verdict::Expected, &[]);
    let capture = judge_one(machine, http("10.9.0.1:40000", "10.3.0.1:8090", "/Cinegy/CaptureControl/soap"));
    expect(&capture, Some("cinegy-capture-soap"), Verdict::Expected, &[]);
}

// A22
#[test]
fn rest_under_the_multiviewer_is_not_rest_of_the_capture_engine() {
    let machine = site(&["cinegy.multiviewer=10.3.0.1/32", "cinegy.capture-engine=10.3.0.1/32"]);
    let judged = judge_one(machine, http("10.9.0.1:40000", "10.3.0.1:8090", "/multiviewer/rest/status"));
    expect(&judged, Some("cinegy-mv-rest"), Verdict::Expected, &[]);
}

#[test]
fn s17_a_formula_port_names_its_instance() {
    let judged = judge_one(Site::default(), udp("10.5.0.1:40000", "10.5.0.2:5424").talked(64, 64).speaks(&["srt"]));
    expect(&judged, Some("cinegy-playout-srt-main"), Verdict::Expected, &[]);
    assert_eq!(judged.instance, Some(3));
}

#[test]
fn s19_something_else_than_srt_on_a_preview_port_is_another_protocol() {
    let judged = judge_one(site(&["cinegy.playout-engine=10.3.0.1/32"]), udp("10.9.0.1:40000", "10.3.0.1:5421").talked(64, 64).speaks(&["rtp"]));
    expect(&judged, Some("cinegy-playout-srt-main"), Verdict::Unexpected, &[Reason::WrongProtocol]);
}

const CAYIN: &[&str] = &["cayin.cms=10.4.0.1/32", "cayin.smp=10.4.0.0/24"];

// S02, A02
#[test]
fn s02_an_ftp_data_port_must_have_been_announced() {
    let data = || tcp("10.4.0.9:40000", "10.4.0.1:25000").talked(0, 5000);
    expect(&judge_one(site(CAYIN), data().announced_by(PromiseKind::FtpPassive)), Some("cayin-ftp-data-pasv"), Verdict::Expected, &[]);
    let control = tcp("10.4.0.9:39999", "10.4.0.1:21").talked(200, 300).speaks(&["ftp"]);
    expect(&judge_all(site(CAYIN), &[data(), control]).remove(0), Some("cayin-ftp-data-pasv"), Verdict::Unexpected, &[Reason::NotAnnounced]);
    let low = tcp("10.4.0.9:40000", "10.4.0.1:15000").talked(0, 5000).announced_by(PromiseKind::FtpPassive);
    expect(&judge_one(site(CAYIN), low), Some("cayin-ftp-data-pasv"), Verdict::Unexpected, &[Reason::OutsideAnnouncedRange]);
}

#[test]
fn what_may_have_been_announced_unseen_is_left_open() {
    let data = || tcp("10.4.0.9:40000", "10.4.0.1:25000").talked(0, 5000);
    let control = || tcp("10.4.0.9:39999", "10.4.0.1:21").talked(200, 300).speaks(&["ftp"]);
    let mut with_a_gap = control();
    with_a_gap.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 48];
    // As early as this the control connection may have been open before the capture.
    for others in [vec![], vec![control().midstream()], vec![with_a_gap]] {
        let judged = judge_among(site(CAYIN), &[data()], &others).remove(0);
        expect(&judged, Some("cayin-ftp-data-pasv"), Verdict::Undecided, &[Reason::NotAnnounced, Reason::NotEnoughBytes]);
    }
    let mut before = tcp("10.4.0.8:40000", "10.4.0.7:80").talked(100, 100);
    before.0.flow.first = at(-60.0);
    expect(&judge_among(site(CAYIN), &[data()], &[before]).remove(0), Some("cayin-ftp-data-pasv"), Verdict::Unexpected, &[Reason::NotAnnounced]);
}

// A02
#[test]
fn port_20001_is_the_command_port_unless_announced() {
    let command = || tcp("10.4.0.9:40000", "10.4.0.1:20001").talked(50, 50);
    expect(&judge_one(site(CAYIN), command()), Some("cayin-cmspro-cmd"), Verdict::Expected, &[]);
    expect(&judge_one(site(CAYIN), command().announced_by(PromiseKind::FtpPassive)), Some("cayin-ftp-data-pasv"), Verdict::Expected, &[]);
}

const SPOTFIRE: &[&str] = &["spotfire.server=10.6.0.1/32", "spotfire.node-manager=10.6.0.2/32"];

// A35, S27
#[test]
fn on_9443_the_hosts_tell_the_server_from_the_node_manager() {
    expect(&judge_one(site(SPOTFIRE), tls("10.6.0.2:40000", "10.6.0.1:9443")), Some("spotfire-server-backend"), Verdict::Expected, &[]);
    expect(&judge_one(site(SPOTFIRE), tls("10.6.0.1:40000", "10.6.0.2:9443")), Some("spotfire-nm-comm"), Verdict::Expected, &[]);
}

#[test]
fn s28_a_client_outside_the_cluster_has_the_wrong_role() {
    let judged = judge_one(site(SPOTFIRE), tls("10.6.0.77:40000", "10.6.0.1:5701"));
    assert_eq!((judged.verdict, judged.reasons.as_slice()), (Verdict::Unexpected, [Reason::WrongRole].as_slice()));
}

// A40, S24
#[test]
fn clear_text_on_a_secure_port_is_not_encrypted() {
    let judged = judge_one(site(SPOTFIRE), http("10.6.0.2:40000", "10.6.0.1:9443", "/"));
    expect(&judged, Some("spotfire-server-backend"), Verdict::Unexpected, &[Reason::NotEncrypted]);
}

const PEER: &str = "cobalt.peer=10.7.0.0/24";

// A45, S43, S44
#[test]
fn teatime_belongs_to_the_row_of_its_direction() {
    let teatime = |client: &str, server: &str| judge_one(site(&[PEER]), tcp(client, server).talked(100, 100).speaks(&["teatime"]));
    expect(&teatime("10.7.0.2:40000", &format!("{PUBLIC}:6905")), Some("cobalt-teatime-out"), Verdict::Expected, &[]);
    assert_eq!(row(&teatime(&format!("{PUBLIC}:40000"), "10.7.0.2:6905")), Some("cobalt-teatime-in"));
}

#[test]
fn anything_else_on_a_teatime_port_is_another_protocol() {
    let judged = judge_one(site(&[PEER]), tls("10.7.0.2:40000", &format!("{PUBLIC}:6905")));
    assert_eq!(judged.verdict, Verdict::Unexpected);
    assert!(matches!(judged.reasons.as_slice(), [Reason::UnexpectedlyEncrypted | Reason::WrongProtocol]), "{:?}", judged.reasons);
}

// S42, A46
#[test]
fn s42_a_teatime_port_that_crqt_announced_may_be_any() {
    let judged = judge_one(site(&[PEER]), tcp("10.7.0.2:40000", "10.7.0.3:51234").talked(100, 100).speaks(&["teatime"]).announced_by(PromiseKind::Crqt));
    assert_eq!((row(&judged).map(|id| id.starts_with("cobalt-teatime")), judged.verdict), (Some(true), Verdict::Expected));
}

#[test]
fn s40_the_gateways_soap_port_is_expected_when_an_ssdp_answer_announced_it() {
    let soap = || http("10.7.0.2:40000", "10.7.0.1:49000", "/ctl").asks("POST", "/ctl");
    let judged = judge_one(site(&[PEER]), soap().announced_by(PromiseKind::SsdpLocation));
    expect(&judged, Some("cobalt-upnp-soap"), Verdict::Expected, &[]);
    expect(&judge_one(site(&[PEER]), soap()), None, Verdict::Unexpected, &[Reason::UndocumentedService]);
}

// A49, S38
#[test]
fn s38_crqt_to_a_single_host_left_the_lan() {
    let judged = judge_one(site(&[PEER]), udp("10.7.0.2:43215", "10.8.0.1:43215").speaks(&["crqt"]));
    expect(&judged, Some("cobalt-crqt"), Verdict::Unexpected, &[Reason::LeftTheLan]);
    let subnet = judge_one(site(&[PEER]), udp("10.7.0.2:43215", "10.7.0.255:43215").speaks(&["crqt"]));
    expect(&subnet, Some("cobalt-crqt"), Verdict::Expected, &[]);
}

// A19, S45
#[test]
fn s45_the_public_resolver_is_cobalts_own_row() {
    let dns = |server: &str| judge_one(site(&[PEER]), udp("10.7.0.2:40000", server).talked(40, 80).speaks(&["dns"]));
    assert_eq!(row(&dns("8.8.8.8:53")), Some("cobalt-dns-ext"));
    assert_eq!(row(&dns("10.7.0.1:53")), Some("cobalt-dns-int"));
}

// A43
#[test]
fn five_eight_nine_nine_is_http_and_the_port_above_it_is_rfb() {
    expect(&judge_one(site(&[PEER]), http("10.7.0.2:40000", "10.9.0.1:5899", "/")), Some("cobalt-xrfb"), Verdict::Expected, &[]);
    let rfb = tcp("10.7.0.2:40000", "10.9.0.1:5900").talked(12, 12).speaks(&["rfb"]);
    expect(&judge_one(site(&[PEER]), rfb), Some("cobalt-vnc"), Verdict::Expected, &[]);
}

// S15, D52
#[test]
fn s15_mqtt_on_another_port_names_the_documented_one_as_the_nearest_miss() {
    let judged = judge_one(Site::default(), tcp("10.5.0.1:40000", "10.5.0.2:1884").talked(60, 4).speaks(&["mqtt"]));
    expect(&judged, None, Verdict::Undecided, &[Reason::NotCovered]);
    let nearest = &judged.candidates[0];
    assert_eq!((row_of(nearest), nearest.fits), ("spinetix-out-mqtt", false));
    assert!(nearest.why.contains("8883"), "{}", nearest.why);
}

// S13, S14, A06
#[test]
fn s14_a_name_below_the_vendors_domain_is_expected_and_another_leaves_it_open() {
    let to = |name: &str| judge_one(players(), tls("10.1.0.2:40000", "10.99.0.1:8883").sni(name));
    expect(&to("never-seen.eu.services.spinetix.com"), Some("spinetix-out-mqtt"), Verdict::Expected, &[]);
    expect(&to("broker.example.org"), Some("spinetix-out-mqtt"), Verdict::Undecided, &[Reason::UnknownName]);
}

// A07
#[test]
fn a_broad_name_alone_points_at_nobody() {
    let judged = judge_one(Site::default(), tls("10.5.0.1:40000", &format!("{PUBLIC}:443")).sni("d111.cloudfront.net"));
    expect(&judged, None, Verdict::Undecided, &[Reason::NotCovered]);
}

#[test]
fn products_that_were_not_asked_for_do_not_apply() {
    let only = Site { products: vec!["cinegy".to_owned()], ..Site::default() };
    expect(&judge_one(only, tcp("10.5.0.1:40000", &format!("{PUBLIC}:8883"))), None, Verdict::Undecided, &[Reason::NotCovered]);
}

fn judge_strictly(roles: &[&str], sample: Sample) -> Judged {
    let (strict, books) = (Signatures::built_in().strict(), Books::default());
    let mut judge = Judge::new(&strict, site(roles), &books);
    judge.learn(&sample.0);
    let mut judged = judge.judge(sample.0);
    // Rows are counted anew in other signatures.
    judged.service = judged.service.and_then(|id| Signatures::built_in().service_id(&strict.service(id).id));
    judged
}

#[test]
fn strict_documents_drop_the_rows_of_supplements_and_what_these_add_to_documented_rows() {
    let peer = || tcp("10.7.0.2:40000", "10.9.0.1:5950").talked(12, 12).speaks(&["rfb"]);
    assert_eq!(row(&judge_one(site(&[PEER]), peer())), Some("sup-cob-xrfb"));
    assert_eq!(row(&judge_strictly(&[PEER], peer())), None);
    // The document names the remote log, a supplement its port.
    let log = || tcp("10.4.0.1:40000", "10.9.0.1:35000").syns(&[1.0, 2.0, 4.0]);
    assert_eq!(row(&judge_one(site(CAYIN), log())), Some("cayin-remote-log"));
    assert_eq!(row(&judge_strictly(CAYIN, log())), None);
}

#[test]
fn the_narrowest_network_says_what_a_host_is() {
    let judged = judge_one(site(&["spinetix.player=10.0.0.0/8", "cayin.cms=10.4.0.1/32"]), tcp("192.168.1.5:40000", "10.4.0.1:80"));
    assert_eq!(row(&judged), Some("cayin-http"));
}

// Seen on ordinary networks: supplements name what Spotfire connects to, and half the world runs it.
#[test]
fn protocols_that_many_products_speak_need_a_role_however_few_documents_name_them() {
    for sample in [
        tcp("10.5.0.1:40000", "10.5.0.2:5432").talked(17, 0).speaks(&["postgresql"]),
        tcp("10.5.0.1:40000", "10.5.0.2:1521").talked(123, 0).speaks(&["oracle_tns"]),
        tcp("10.5.0.1:40000", "10.5.0.2:1389").talked(60, 60).speaks(&["ldap"]),
        tcp("10.5.0.1:40000", "10.5.0.2:1099").talked(60, 60).speaks(&["java_rmi"]),
        tcp("10.5.0.1:40000", "10.5.0.2:5433").syns(&[1.0, 2.0, 4.0]),
        tls("10.5.0.1:40000", "10.5.0.2:7243"),
    ] {
        expect(&judge_one(Site::default(), sample), None, Verdict::Undecided, &[Reason::NotCovered]);
    }
    let spotfire = judge_one(site(SPOTFIRE), tcp("10.6.0.1:40000", "10.5.0.2:5432").talked(17, 20).speaks(&["postgresql"]));
    expect(&spotfire, Some("sup-sf-out03"), Verdict::Expected, &[]);
}

#[test]
fn announcements_that_any_product_makes_need_a_role() {
    let active = tcp("10.5.0.1:20", "10.5.0.2:45000").talked(500, 0).announced_by(PromiseKind::FtpActive);
    expect(&judge_one(Site::default(), active), None, Verdict::Undecided, &[Reason::NotCovered]);
    let soap = http("10.5.0.2:40000", "10.5.0.1:8060", "/dial/dd.xml").announced_by(PromiseKind::SsdpLocation);
    expect(&judge_one(Site::default(), soap), None, Verdict::Undecided, &[Reason::NotCovered]);
    let mapped = tcp(&format!("{PUBLIC}:40000"), "10.5.0.1:51413").talked(60, 60).speaks(&["bittorrent"]).announced_by(PromiseKind::UpnpMapping);
    expect(&judge_one(Site::default(), mapped), None, Verdict::Undecided, &[Reason::NotCovered]);
    let crqt = tcp("10.5.0.1:40000", "10.5.0.2:51234").talked(60, 60).speaks(&["teatime"]).announced_by(PromiseKind::Crqt);
    assert!(row(&judge_one(Site::default(), crqt)).is_some_and(|id| id.starts_with("cobalt-teatime")));
}

#[test]
fn a_row_without_a_published_format_does_not_take_another_protocols_flow() {
    let dnp3 = || tcp("10.9.0.1:40000", "10.4.0.1:20000").talked(20, 20).speaks(&["dnp3"]);
    expect(&judge_one(Site::default(), dnp3()), None, Verdict::Undecided, &[Reason::NotCovered]);
    expect(&judge_one(site(CAYIN), dnp3()), Some("cayin-supermonitor-cmd"), Verdict::Unexpected, &[Reason::WrongProtocol]);
    // What products build upon, and bytes that nothing recognises, may be it.
    let web = judge_one(site(CAYIN), http("10.9.0.1:40000", "10.4.0.1:20000", "/"));
    expect(&web, Some("cayin-supermonitor-cmd"), Verdict::Expected, &[]);
    assert_eq!(web.attribution, Confidence::Medium);
    expect(
        &judge_one(site(CAYIN), tcp("10.9.0.1:40000", "10.4.0.1:20000").talked(9, 9).opening(b"\x01\x02")),
        Some("cayin-supermonitor-cmd"),
        Verdict::Expected,
        &[],
    );
}

#[test]
fn a_row_without_a_published_format_is_a_candidate_at_most_where_no_end_has_a_role() {
    for sample in
        [tls("10.5.0.1:40000", "10.5.0.2:1234"), tcp("10.5.0.1:40000", "10.5.0.2:20001").talked(9, 9).opening(b"\x01"), tcp("10.5.0.1:1", "10.5.0.2:5437")]
    {
        let judged = judge_one(Site::default(), sample);
        expect(&judged, None, Verdict::Undecided, &[Reason::NotCovered]);
        assert!(!judged.candidates.is_empty());
    }
}

#[test]
fn unrecognised_bytes_on_a_claimed_port_need_a_role() {
    let judged = judge_one(Site::default(), tcp("10.5.0.1:40000", &format!("{PUBLIC}:6906")).talked(600, 600).opening(b"GNUTELLA CONNECT"));
    expect(&judged, None, Verdict::Undecided, &[Reason::NotCovered]);
    assert!(row_of(&judged.candidates[0]).starts_with("cobalt-teatime"));
}

#[test]
fn what_any_web_server_answers_is_a_hint_at_most() {
    let judged = judge_one(Site::default(), tls("10.5.0.1:40000", "10.5.0.2:9802"));
    assert_eq!((row(&judged), judged.attribution), (Some("spinetix-player-webdavs"), Confidence::Low));
    // Clear on a secure row is held against nobody in particular; MQTT in clear on 8883 is.
    let clear = judge_one(Site::default(), http("10.5.0.1:40000", "10.5.0.2:9802", "/"));
    expect(&clear, None, Verdict::Undecided, &[Reason::NotCovered]);
    let mqtt = judge_one(Site::default(), tcp("10.5.0.1:40000", &format!("{PUBLIC}:8883")).talked(60, 4).speaks(&["mqtt"]));
    assert_eq!((mqtt.verdict, mqtt.reasons.as_slice()), (Verdict::Unexpected, [Reason::NotEncrypted].as_slice()));
}

#[test]
fn a_scanner_is_nobodys_client() {
    let mut probes: Vec<Sample> = (0..40).map(|n| tcp("10.9.0.66:40000", &format!("10.5.0.{n}:22"))).collect();
    probes.push(tcp("10.9.0.66:40000", "10.5.0.3:6901"));
    let judged = judge_all(Site::default(), &probes).pop().unwrap();
    assert_eq!(judged.outcome, Outcome::ScanNoise);
    expect(&judged, None, Verdict::Undecided, &[Reason::NotCovered]);
}

// The document gives no format for them, yet their bytes are known, and nobody else's.
#[test]
fn shared_variables_are_known_by_their_bytes_with_and_without_a_role() {
    let set = || tcp("10.1.0.7:40000", "10.1.0.2:1234").talked(20, 4).speaks(&["shared_variables"]);
    for at in [players(), Site::default()] {
        expect(&judge_one(at, set()), Some("spinetix-player-sharedvar"), Verdict::Expected, &[Reason::OptionalServiceActive]);
    }
}

#[test]
fn a_broadcast_address_in_a_sites_network_plays_no_role_unless_named_itself() {
    let discover = || udp("0.0.0.0:68", "255.255.255.255:67").speaks(&["dhcp"]);
    let judged = judge_one(site(&["spinetix.player=0.0.0.0/0"]), discover());
    assert_eq!((row(&judged), judged.verdict), (Some("spinetix-player-dhcp"), Verdict::Expected), "{:#?}", judged.candidates);
    let directed = |roles: &[&str]| judge_one(site(roles), udp("10.1.0.2:40000", "10.1.0.255:40001")).roles[1].len();
    assert_eq!(directed(&["spinetix.player=10.1.0.0/24"]), 0);
    assert_eq!(directed(&["spinetix.player=10.1.0.0/24", "cobalt.broadcast=10.1.0.255/32"]), 1);
}

#[test]
fn discovery_by_a_host_with_a_public_address_has_not_left_its_lan() {
    let judged = judge_one(site(&["spinetix.player=198.51.100.0/24"]), udp("198.51.100.2:5353", "224.0.0.251:5353").speaks(&["mdns"]));
    expect(&judged, Some("spinetix-player-mdns"), Verdict::Expected, &[]);
}

#[test]
fn a_search_by_a_peer_that_went_to_a_single_host_was_not_opened_from_the_wrong_end() {
    let judged = judge_one(site(&["cobalt.peer=10.0.0.0/8"]), udp("10.0.0.2:40000", "10.0.0.3:1900").talked(90, 200).speaks(&["ssdp"]));
    assert!(!judged.reasons.contains(&Reason::WrongDirection), "{:?}", judged.reasons);
}

#[test]
fn d52_a_documented_protocol_on_a_port_of_nobody_names_the_row_that_has_it() {
    let judged = judge_one(players(), udp("10.9.0.1:40000", "10.1.0.2:16100").talked(60, 60).speaks(&["snmp"]));
    expect(&judged, None, Verdict::Unexpected, &[Reason::UndocumentedService]);
    let rows: Vec<&str> = judged.candidates.iter().map(|row| crate::signature::Signatures::built_in().service(row.service).id.as_str()).collect();
    assert!(rows.contains(&"spinetix-player-snmp"), "{rows:?}");
}
