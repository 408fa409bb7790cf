//! Flows that are known by what others said of them: names of their servers, announcements of their ports.

use super::sample::{Sample, background, judge_among, judge_one, row, site, tcp, udp};
use crate::identify::{Fact, NameSource, Resolved};
use crate::judge::{Confidence, Judged, Reason, Site, Verdict};
use crate::net::Side;
use crate::signature::PromiseKind;

const PLAYER: &[&str] = &["spinetix.player=10.1.0.0/24"];
const CAYIN: &[&str] = &["cayin.cms=10.4.0.1/32", "cayin.smp=10.4.0.0/24"];
/// An address that the documents name nowhere.
const ELSEWHERE: &str = "198.51.100.77:443";

fn secure(name: &str, source: NameSource) -> Sample {
    let named = Fact::Name { of: Side::Server, name: name.into(), source };
    tcp("10.1.0.2:40000", ELSEWHERE).talked(300, 900).speaks(&["tls"]).fact(named)
}

fn player(name: &str, source: NameSource) -> Judged {
    judge_one(site(PLAYER), secure(name, source))
}

#[test]
fn a_documented_pattern_matches_by_name_at_any_depth_whoever_said_the_name() {
    for (name, source) in [("a.services.spinetix.com", NameSource::Sni), ("d.c.b.services.spinetix.com", NameSource::Dns)] {
        let judged = player(name, source);
        assert_eq!((row(&judged), judged.verdict), (Some("spinetix-arya-player-https"), Verdict::Expected), "{name}");
        assert_eq!(judged.attribution, Confidence::High, "{name}");
    }
    // Neither the domain itself nor one that merely ends alike.
    for name in ["services.spinetix.com", "evil-services.spinetix.com.example.org"] {
        assert_ne!(
            (row(&player(name, NameSource::Sni)), player(name, NameSource::Sni).verdict),
            (Some("spinetix-arya-player-https"), Verdict::Expected),
            "{name}"
        );
    }
}

#[test]
fn a_broad_pattern_alone_gives_low_confidence_and_without_a_role_nothing() {
    // A row that names no port is known by the pattern alone; on a documented port the pattern is the least of it.
    let to = |port: u16| {
        let named = Fact::Name { of: Side::Server, name: "c1.credentials.iot.eu-west-1.amazonaws.com".into(), source: NameSource::Dns };
        tcp("10.1.0.2:40000", &format!("198.51.100.77:{port}")).talked(300, 900).speaks(&["tls"]).fact(named)
    };
    let alone = judge_one(site(PLAYER), to(8443));
    assert_eq!((row(&alone), alone.attribution), (Some("spinetix-arya-aws-credprov"), Confidence::Low));
    let with_port = judge_one(site(PLAYER), to(8883));
    assert_eq!((row(&with_port), with_port.attribution), (Some("spinetix-out-mqtt"), Confidence::High));
    assert_eq!(row(&judge_one(Site::default(), to(8443))), None);
}

// The laboratory's miniupnpd answers a search so: from its port 1900 to the one that asked the group.
#[test]
fn a_hosts_answer_to_what_a_group_was_asked_is_part_of_the_search() {
    let search = || udp("10.7.0.2:34754", "10.7.0.1:1900").talked(0, 300).speaks(&["ssdp"]);
    let mut answer = search();
    answer.0.flow.client.packets = 0;
    let judged = judge_one(site(&["cobalt.peer=10.7.0.0/24"]), answer);
    assert_eq!((row(&judged), judged.verdict), (Some("cobalt-ssdp"), Verdict::Expected));
    // Who asks a single host does not search by the group that the document names.
    assert_ne!(judge_one(site(&["cobalt.peer=10.7.0.0/24"]), search()).verdict, Verdict::Expected);
}

#[test]
fn an_encrypted_control_connection_and_the_documented_range_stand_for_an_announcement_at_less() {
    let data = |port: u16| tcp("10.4.0.9:40000", &format!("10.4.0.1:{port}")).talked(0, 5000);
    let judged = judge_one(site(CAYIN), data(25_000).announced_out_of_sight(PromiseKind::FtpPassive));
    assert_eq!((row(&judged), judged.verdict, judged.reasons.as_slice()), (Some("cayin-ftp-data-pasv"), Verdict::Expected, &[][..]));
    assert_eq!(judged.attribution, Confidence::Medium);
    assert!(judged.identified.announced.is_some());
    // Outside the range nothing speaks for it; an announcement that was read is more.
    let outside = judge_one(site(CAYIN), data(15_000).announced_out_of_sight(PromiseKind::FtpPassive));
    assert_eq!((row(&outside), outside.reasons.as_slice()), (None, &[Reason::UndocumentedService][..]));
    assert!(outside.identified.announced.is_none(), "nothing ties it to the control connection");
    assert_eq!(judge_one(site(CAYIN), data(25_000).announced_by(PromiseKind::FtpPassive)).attribution, Confidence::High);
}

#[test]
fn a_hidden_announcement_does_not_explain_another_service_of_the_same_host() {
    let web = tcp("10.4.0.9:40000", "10.4.0.1:80").talked(300, 900).speaks(&["http"]).announced_out_of_sight(PromiseKind::FtpPassive);
    let judged = judge_one(site(CAYIN), web);
    assert_eq!((row(&judged), judged.identified.announced), (Some("cayin-http"), None));
}

#[test]
fn what_a_document_alone_speaks_is_its_row_where_the_port_was_told_before_the_capture() {
    let soap = |protocol: &[&'static str]| tcp("10.7.0.2:40000", "10.7.0.1:5431").talked(900, 300).speaks(protocol);
    let judged = judge_one(site(&["cobalt.peer=10.7.0.0/24"]), soap(&["http", "upnp"]));
    assert_eq!((row(&judged), judged.verdict), (Some("cobalt-upnp-soap"), Verdict::Expected));
    assert_eq!(judge_one(site(&["cobalt.peer=10.7.0.0/24"]), soap(&["http"])).reasons, [Reason::UndocumentedService]);
}

/// The names of ARYA stand beside the row for browsers; Elementi's own list has "publishing to ARYA", and its host is not a browser alone.
#[test]
fn a_documented_name_asked_for_by_elementi_is_elementis_row_and_by_a_browser_the_browsers() {
    let asked = || tcp("10.2.0.5:40000", "203.0.113.7:443").talked(90, 90).speaks(&["tls"]).sni("arya.services.spinetix.com");
    assert_eq!(row(&judge_one(site(&["spinetix.elementi=10.2.0.5/32"]), asked())), Some("spinetix-elementi-https"));
    assert_eq!(row(&judge_one(Site::default(), asked())), Some("spinetix-arya-webclient"));
    assert_eq!(row(&judge_one(site(&["spinetix.player=10.2.0.5/32"]), asked())), Some("spinetix-arya-player-https"));
}

// a name with two addresses of which one is gone: curl waits, and takes the other one
#[test]
fn of_an_address_that_does_not_answer_it_is_said_that_another_one_of_its_name_serves() {
    let addresses = vec!["203.0.113.99".parse().unwrap(), "203.0.113.10".parse().unwrap()];
    let ttl = std::time::Duration::from_secs(60);
    let answer = Resolved { name: "rr.example.net".into(), reverse: false, aliases: Vec::new(), addresses, ttl, source: NameSource::Dns };
    let lookup = udp("10.1.0.2:40000", "10.1.0.1:53").talked(40, 40).speaks(&["dns"]).fact(Fact::Resolved(Box::new(answer)));
    let gone = || tcp("10.1.0.2:40001", "203.0.113.99:80").syns(&[1.0, 2.0, 4.0]).named("rr.example.net");
    let served = |client: &str| tcp(client, "203.0.113.10:80").talked(100, 100);
    let says = |client: &str| judge_among(Site::default(), &[gone()], &[lookup.clone(), served(client), background()]).remove(0).cause.unwrap().says;
    assert!(says("10.1.0.2:40002").ends_with("it was served at another address of the same name (203.0.113.10)"), "{}", says("10.1.0.2:40002"));
    // That another client is served says nothing.
    assert!(!says("10.1.0.3:40002").contains("another address"));
}
