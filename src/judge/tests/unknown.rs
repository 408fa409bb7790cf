//! What no document mentions: what is told of it, and the draft that makes it known.

use super::sample::*;
use crate::identify::Books;
use crate::judge::{Finding, Gatherer, Judge, Severity, Site, Verdict};
use crate::signature::{Only, Signatures};

fn players() -> Site {
    site(&["spinetix.player=10.1.0.0/24"])
}

fn database(port: u16) -> Sample {
    tcp("10.1.0.2:40000", &format!("10.9.0.1:{port}")).talked(60, 60).speaks(&["mysql"]).sni("db.example").opening(b"\x01\x02SELECT")
}

#[track_caller]
fn only(found: Vec<Finding>) -> Finding {
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

// A seventeenth instance of the engine, behind a firewall that opens the sixteen ports of the document.
#[test]
fn what_no_document_mentions_and_does_not_get_through_is_said_to_be_tried_in_vain() {
    let engine = || site(&["cinegy.playout-engine=10.5.0.1/32"]);
    let told = |sample: Sample| findings(engine(), &[sample, background()]).remove(0);
    let silent = told(tcp("10.5.0.9:40000", "10.5.0.1:5337").syns(&[1.0, 2.0, 4.0]));
    assert_eq!(silent.rule, "undocumented_service");
    assert!(silent.says.contains("tried 5337/tcp of 10.5.0.1 in vain (10.5.0.9 sent 3 SYNs to 10.5.0.1:5337"), "{}", silent.says);
    let served = told(tcp("10.5.0.9:40000", "10.5.0.1:5337").talked(60, 60));
    assert!(served.says.contains("10.5.0.9 uses 5337/tcp of 10.5.0.1"), "{}", served.says);
    // Who answers is there, though the answers do not arrive.
    let answered = told(tcp("10.5.0.9:40000", "10.5.0.1:5337").syns(&[1.0, 2.0, 4.0]).syn_acks(3, 4.02));
    assert!(answered.says.contains("10.5.0.9 uses 5337/tcp of 10.5.0.1"), "{}", answered.says);
}

#[test]
fn an_undocumented_service_gets_its_ends_names_bytes_and_nearest_rows() {
    let unknown = *only(findings(players(), &[database(1433)])).unknown.unwrap();
    assert_eq!(unknown.clients, ["10.1.0.2".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!((unknown.names.as_slice(), unknown.protocol.as_slice()), (&["db.example".to_owned()][..], &["mysql"][..]));
    assert_eq!(&*unknown.opening[0], b"\x01\x02SELECT");
    assert_eq!(unknown.ports.len(), 1);
    let nearest = |row: &str| unknown.nearest.iter().find(|(id, _)| Signatures::built_in().service(*id).id == row).map(|(_, why)| why.as_str());
    assert_eq!(nearest("cinegy-sqlserver"), Some("port 1433/tcp"));
}

#[test]
fn the_draft_is_accepted_and_makes_the_service_expected() {
    let samples = [
        (players(), database(3306)),
        (players(), tcp("10.1.0.2:40000", "203.0.113.7:4444").talked(60, 60).opening(b"\xff\x00?\"'\\")),
        (players(), udp("10.1.0.2:40000", "239.1.2.3:9999").speaks(&["rtp"])),
        (players(), tcp("10.9.0.1:40000", "10.1.0.2:7777").talked(60, 60).speaks(&["tls", "http"])),
        (site(&["spinetix.player=10.1.0.0/24", "cinegy.agent=10.3.0.0/24"]), udp("10.1.0.2:40000", "10.3.0.2:7777").talked(60, 60).speaks(&["srt"])),
    ];
    for (site, sample) in samples {
        let found = findings(site.clone(), std::slice::from_ref(&sample));
        let draft = found.iter().find_map(|finding| finding.unknown.as_ref()).unwrap_or_else(|| panic!("{found:#?}")).draft.clone();
        let signatures = Signatures::from_texts([("own.toml", draft.as_str())], Only::Added).unwrap_or_else(|error| panic!("{error}\n{draft}"));
        let roles = site.roles.iter().map(|(role, network)| (signatures.role_id(&Signatures::built_in().role(*role).id).unwrap(), *network)).collect();
        let books = Books::default();
        let mut judge = Judge::new(&signatures, Site { roles, ..Site::default() }, &books);
        [&sample, &background()].into_iter().for_each(|sample| judge.learn(&sample.0));
        let judged = judge.judge(sample.0.clone());
        assert_eq!(judged.verdict, Verdict::Expected, "{draft}\n{:?} {:#?}", judged.reasons, judged.candidates);
        let mut gatherer = Gatherer::new(&signatures);
        gatherer.add(&judged);
        assert_eq!(gatherer.finish(&judge).0, []);
    }
}

/// Names come from whoever sends them; a draft is a file that people trust.
#[test]
fn a_name_from_the_wire_cannot_write_into_the_draft() {
    let sample = tcp("10.1.0.2:40000", "10.9.0.1:4444").talked(60, 60).sni("x\n[[rules]]\nid = \"evil");
    let draft = only(findings(players(), &[sample])).unknown.unwrap().draft;
    assert!(!draft.contains("\n[[rules]]"), "{draft}");
}

#[test]
fn a_program_that_takes_any_port_is_one_finding() {
    let finding = only(findings(players(), &(5000..5020).map(database).collect::<Vec<_>>()));
    assert_eq!((finding.flows, finding.unknown.unwrap().ports.len()), (20, 20));
    assert!(finding.says.contains("5000/tcp and 19 more"), "{}", finding.says);
    assert_eq!(findings(players(), &(5000..5004).map(database).collect::<Vec<_>>()).len(), 4);
}

#[test]
fn a_finding_has_the_same_name_whenever_it_is_seen() {
    let silent = |host: u8| tcp(&format!("10.1.0.{host}:40000"), "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0]);
    let one = only(findings(players(), &[silent(2)])).id;
    assert_eq!(one, "silent_drop/spinetix-out-mqtt/spinetix.player>any");
    assert_eq!(only(findings(players(), &[silent(3), silent(9)])).id, one);
    assert_eq!(only(findings(players(), &[database(3306)])).id, "undocumented_service/3306-tcp/spinetix.player>any");
}

/// A host with one product's role that asks for another product of the same vendor: its document has the port, and says whose it is.
#[test]
fn a_port_that_the_vendors_own_document_has_at_another_product_is_not_said_to_be_mentioned_nowhere() {
    let asked = tcp("10.5.0.11:40000", "10.5.0.5:8989").talked(60, 60).speaks(&["http"]);
    let engine = site(&["cinegy.playout-engine=10.5.0.11/32"]);
    let found = only(findings(engine, std::slice::from_ref(&asked)));
    assert_eq!((found.rule.as_str(), found.severity), ("undocumented_service", Severity::Medium));
    assert!(found.says.contains("Cinegy License Service") && !found.says.contains("no document"), "{}", found.says);
    assert!(found.remedy.as_ref().unwrap().contains("--role cinegy.license-service=10.5.0.5"), "{:?}", found.remedy);
    let told = only(findings(site(&["cinegy.playout-engine=10.5.0.11/32", "cinegy.agent=10.5.0.5/32"]), std::slice::from_ref(&asked)));
    assert!(told.remedy.as_ref().unwrap().contains("add cinegy.license-service to its roles in the site file"), "{:?}", told.remedy);
    // One server of a cluster has its role and the other one not.
    let cluster = tcp("10.6.0.1:40000", "10.6.0.2:5701").syns(&[1.0, 2.0, 4.0]);
    let found = only(findings(site(&["spotfire.server=10.6.0.1/32"]), &[cluster]));
    assert!(found.remedy.as_ref().unwrap().contains("--role spotfire.server=10.6.0.2"), "{found:#?}");
    // Who has the role already, as its second, is not told to take it.
    let named = site(&["cinegy.playout-engine=10.5.0.11/32", "cinegy.agent=10.5.0.5/32", "cinegy.license-service=10.5.0.5/32"]);
    assert_eq!(findings(named, &[asked]), []);
    // Any program asks any web server.
    let web = tcp("10.6.0.1:40000", "10.6.0.9:443").talked(60, 60).speaks(&["tls"]);
    assert!(only(findings(site(&["spotfire.node-manager=10.6.0.1/32"]), &[web])).says.contains("no document"));
}
