//! What a careful reader of ordinary traffic would have called wrong, found by reading what was told of the shared captures beside their packets.

use super::sample::*;
use crate::flow::Direction;
use crate::judge::{Confidence, Finding, Reason, Severity, Verdict};
use crate::net::Side;
use crate::signature::PromiseKind;

const CMS: &str = "cayin.cms=10.4.0.21/32";
const PLAYER: &str = "spinetix.player=10.1.0.0/24";
const TELLS: &str = "which no document that applies here mentions";

#[track_caller]
fn only(found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{:?}", found.iter().map(|finding| &finding.says).collect::<Vec<_>>());
    found.into_iter().next().unwrap()
}

#[track_caller]
fn reasons(site: &str, sample: Sample) -> (Verdict, Vec<Reason>) {
    let judged = judge_one(super::sample::site(&[site]), sample);
    (judged.verdict, judged.reasons)
}

fn undocumented() -> (Verdict, Vec<Reason>) {
    (Verdict::Unexpected, vec![Reason::UndocumentedService])
}

#[test]
fn a_host_of_a_product_that_fetches_a_web_page_does_not_open_its_own_web_service_the_wrong_way_round() {
    for (server, protocol) in [("203.0.113.7:443", "tls"), ("203.0.113.7:80", "http")] {
        let sample = tcp("10.4.0.21:40000", server).talked(300, 900).speaks(&[protocol]);
        assert_eq!(reasons(CMS, sample), undocumented(), "{server}");
    }
    let beside = tcp("10.6.0.1:40000", "10.9.0.1:80").talked(300, 900).speaks(&["http"]);
    assert_eq!(reasons("spotfire.server=10.6.0.1/32", beside), undocumented());
    let knocks = tcp("203.0.113.7:40000", "10.1.0.2:8883").talked(300, 900).speaks(&["tls"]);
    assert_eq!(reasons(PLAYER, knocks).1, [Reason::WrongDirection]);
}

#[test]
fn a_row_between_other_hosts_is_told_only_where_its_service_was_met() {
    let cluster = tcp("10.6.0.77:40000", "10.6.0.1:5701").talked(300, 900).speaks(&["tls"]);
    assert_eq!(reasons("spotfire.server=10.6.0.1/32", cluster).1, [Reason::WrongRole]);
    // From a host of Cinegy to another: the document has HTTPS to the vendor's telemetry, and nothing else.
    let named = tcp("10.3.0.2:40000", "10.3.0.3:443").talked(300, 900).speaks(&["tls"]).sni("files.example.org");
    assert_eq!(reasons("cinegy.host=10.3.0.0/24", named), undocumented());
    let clear = tcp("10.3.0.2:40000", "10.3.0.3:443").talked(300, 900).speaks(&["http"]);
    assert_eq!(reasons("cinegy.host=10.3.0.0/24", clear), undocumented());
}

#[test]
fn a_port_in_a_wide_range_is_no_row_between_other_hosts() {
    let peer = tcp("10.4.0.21:40000", "203.0.113.7:23458").talked(599, 600).opening(b"GNUTELLA");
    assert_eq!(reasons(CMS, peer), undocumented());
    // Media of a call, to a port in the middle of the hundred that Cinegy's SRT may take.
    let call = udp("10.9.0.1:17566", "10.3.0.2:6010").talked(172, 172).speaks(&["rtp"]);
    assert_eq!(reasons("cinegy.host=10.3.0.2/32", call), undocumented());
}

#[test]
fn an_unnamed_server_on_443_is_not_taken_for_the_one_that_a_row_names() {
    let silent = tcp("10.3.0.2:40000", "203.0.113.7:443").syns(&[1.0, 2.0, 4.0]);
    let judged = judge_one(super::sample::site(&["cinegy.host=10.3.0.2/32"]), silent);
    assert_eq!((row(&judged), judged.verdict, judged.reasons.as_slice()), (None, Verdict::Undecided, [Reason::SharedPort].as_slice()));
    let site = || super::sample::site(&["cinegy.host=10.3.0.2/32"]);
    let other = tcp("10.3.0.2:40000", "203.0.113.7:443").syns(&[1.0, 2.0, 4.0]).named("www.example.org");
    assert_eq!(findings(site(), &[other]), []);
    let tunnel = tcp("10.3.0.2:40000", "203.0.113.7:443").talked(300, 900).speaks(&["openvpn"]);
    assert_eq!(reasons("cinegy.host=10.3.0.2/32", tunnel), undocumented());
    let named = tcp("10.3.0.2:40000", "203.0.113.7:443").talked(300, 900).speaks(&["tls"]).sni("telemetry.cinegy.com");
    assert_eq!(row(&judge_one(super::sample::site(&["cinegy.host=10.3.0.2/32"]), named)), Some("sup-cin-telemetry"));
}

#[test]
fn silent_web_servers_are_not_called_the_vendors_cloud() {
    let silent = |host: u8| tcp("10.1.0.2:40000", &format!("203.0.113.{host}:443")).syns(&[1.0, 2.0, 4.0]);
    let finding = only(findings(super::sample::site(&[PLAYER]), &[silent(7), silent(8)]));
    assert_eq!(finding.server, "2 hosts");
}

#[test]
fn a_datagram_that_nobody_asked_for_is_no_answer() {
    let mut peer = udp("10.9.0.1:40001", "10.1.0.2:7000");
    std::mem::swap(&mut peer.0.flow.client.packets, &mut peer.0.flow.server.packets);
    std::mem::swap(&mut peer.0.flow.client.payload_bytes, &mut peer.0.flow.server.payload_bytes);
    let peer = peer.direction(Direction::Likely);
    assert_eq!(only(findings(super::sample::site(&[PLAYER]), std::slice::from_ref(&peer))).severity, Severity::Low);
    let told = peer.fact(crate::identify::Fact::Speaks { client: Side::Client });
    assert_eq!(only(findings(super::sample::site(&[PLAYER]), &[told])).severity, Severity::Medium);
}

#[test]
fn a_sentence_says_where_only_ports_tell_who_asks() {
    let talk = udp("10.1.0.2:3074", "10.9.0.1:40001").talked(60, 60).direction(Direction::Likely).opening(b"\x01");
    let finding = only(findings(super::sample::site(&[PLAYER]), &[talk]));
    let says = format!("10.9.0.1 uses 3074/udp of 10.1.0.2 (unrecognised bytes; which end asks is guessed by the ports), {TELLS}");
    assert_eq!(finding.says, says);
}

#[test]
fn what_one_of_several_connections_speaks_is_named_and_no_bytes_are_called_no_bytes() {
    let scan = || tcp("10.9.0.1:40000", "10.1.0.2:102").connected();
    let finding = only(findings(super::sample::site(&[PLAYER]), &[scan()]));
    assert_eq!(finding.says, format!("10.9.0.1 uses 102/tcp of 10.1.0.2 (no bytes seen), {TELLS}"));
    let speaks = tcp("10.9.0.1:40001", "10.1.0.2:102").talked(60, 60).speaks(&["s7comm"]);
    for samples in [[scan(), speaks.clone()], [speaks.clone(), scan()]] {
        assert_eq!(only(findings(super::sample::site(&[PLAYER]), &samples)).says, format!("10.9.0.1 uses 102/tcp of 10.1.0.2 (s7comm), {TELLS}"));
    }
}

#[test]
fn the_data_connections_of_one_control_connection_are_one_finding() {
    let data = |port: u16| tcp("10.1.0.2:40000", &format!("10.9.0.1:{port}")).talked(9, 600).announced_by(PromiseKind::FtpPassive);
    let mut samples: Vec<Sample> = (50_000..50_003).map(data).collect();
    for sample in &mut samples {
        sample.0.announced.as_mut().unwrap().parent.1.port = 21;
    }
    let finding = only(findings(super::sample::site(&[PLAYER]), &samples));
    assert_eq!((finding.flows, finding.id.as_str()), (3, "undocumented_service/announced-21-tcp/spinetix.player>any"));
    assert!(finding.says.contains("50000/tcp and 2 more of 10.9.0.1 (no bytes seen; announced over 21/tcp)"), "{}", finding.says);
}

#[test]
fn who_was_turned_away_broke_nothing_worth_more_than_a_word() {
    let refused = |sample: Sample| only(findings(super::sample::site(&["spotfire.server=10.6.0.1/32"]), &[sample])).severity;
    assert_eq!(refused(tcp("10.6.0.77:40000", "10.6.0.1:5701").reset(1.1, 64)), Severity::Low);
    assert_eq!(refused(tcp("10.6.0.77:40000", "10.6.0.1:5701").talked(60, 60).speaks(&["tls"])), Severity::Medium);
}

#[test]
fn answers_to_a_search_are_discovery_whatever_port_they_come_from() {
    let mut answer = udp("10.1.0.2:62923", "10.1.0.1:1901").speaks(&["ssdp"]);
    std::mem::swap(&mut answer.0.flow.client.packets, &mut answer.0.flow.server.packets);
    let finding = only(findings(super::sample::site(&["cayin.cms=10.1.0.2/32"]), &[answer]));
    assert_eq!((finding.severity, finding.confidence), (Severity::Info, Confidence::High));
}
