//! What is told of a single flow's judgement: each row with what came of it.

use crate::identify::Books;
use crate::judge::tests::sample::{Sample, background, site, tcp, udp};
use crate::judge::{Account, Judge, Judged, Site, Standing};
use crate::signature::Signatures;

fn players() -> Site {
    site(&["spinetix.player=10.1.0.0/24"])
}

/// The last of the flows, judged among them all.
fn accounted(at: Site, samples: &[Sample]) -> Judged {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), at, &books).with_accounts(true);
    samples.iter().chain([&background()]).for_each(|sample| judge.learn(&sample.0));
    judge.judge(samples.last().unwrap().0.clone())
}

#[track_caller]
fn account(judged: &Judged) -> &Account {
    judged.account.as_ref().expect("an account was asked for")
}

/// What came of a row, and what decided against it.
#[track_caller]
fn of(judged: &Judged, id: &str) -> (Standing, String) {
    let row = account(judged).rows.iter().find(|row| Signatures::built_in().service(row.service).id == id);
    let row = row.unwrap_or_else(|| panic!("{id} was not held against it: {:#?}", account(judged).rows));
    (row.standing, row.against.clone().unwrap_or_default())
}

#[test]
fn the_flows_own_row_comes_first_and_nothing_speaks_against_it() {
    let judged = accounted(players(), &[tcp("10.1.0.2:40000", "203.0.113.9:8883").talked(100, 100).speaks(&["tls"]).sni("x.services.spinetix.com")]);
    assert_eq!(account(&judged).rows[0].service, judged.service.unwrap());
    assert_eq!(of(&judged, "spinetix-out-mqtt"), (Standing::Own, String::new()));
    let (standing, against) = of(&judged, "spinetix-arya-player-mqtt");
    assert_eq!(standing, Standing::SameService, "{against}");
}

#[test]
fn a_row_that_fits_less_well_says_by_what_it_was_beaten() {
    let judged = accounted(players(), &[tcp("10.1.0.2:40000", "203.0.113.9:443").talked(100, 100).speaks(&["tls"]).sni("x.services.spinetix.com")]);
    let (standing, against) = of(&judged, "spinetix-arya-webclient");
    assert_eq!(standing, Standing::LessSpecific);
    assert!(against.contains("fits better: it is about a host whose role is known"), "{against}");
}

#[test]
fn a_row_that_the_flow_breaks_says_how() {
    let judged = accounted(players(), &[tcp("10.1.0.2:40000", "203.0.113.9:8883").talked(100, 100).speaks(&["mqtt"])]);
    assert_eq!(of(&judged, "spinetix-out-mqtt"), (Standing::Broken, "documented as encrypted, seen in clear".to_owned()));
}

#[test]
fn a_port_that_everybody_uses_does_not_make_a_row_the_flows() {
    let judged = accounted(Site::default(), &[tcp("10.1.0.2:40000", "203.0.113.9:443").talked(100, 100).speaks(&["tls"])]);
    let (standing, against) = of(&judged, "spinetix-out-https");
    assert_eq!((judged.service, standing), (None, Standing::PortAlone), "{against}");
    assert!(against.starts_with("only the number of the port speaks for it"), "{against}");
}

#[test]
fn rows_between_which_nothing_tells_are_a_tie() {
    let judged = accounted(site(&["cinegy.traffic-gateway=10.3.0.1/32"]), &[tcp("10.9.0.1:40000", "10.3.0.1:8097").syns(&[1.0, 2.0, 4.0])]);
    for id in ["cinegy-tg-main", "cinegy-tg-license"] {
        assert_eq!(of(&judged, id).0, Standing::Tied, "{id}");
    }
}

#[test]
fn a_row_that_was_taken_from_a_scanner_says_so() {
    let mut probes: Vec<Sample> = (0..40).map(|n| tcp("10.9.0.66:40000", &format!("10.5.0.{n}:22"))).collect();
    probes.push(tcp("10.9.0.66:40000", "10.5.0.3:6901"));
    let judged = accounted(Site::default(), &probes);
    let taken: Vec<_> = account(&judged).rows.iter().filter(|row| row.standing == Standing::Withdrawn).collect();
    assert!(judged.service.is_none() && taken.len() == 1, "{:#?}", account(&judged).rows);
    assert!(taken[0].against.as_ref().unwrap().contains("its client scans"));
}

#[test]
fn roles_say_whose_word_they_are() {
    let judged = accounted(players(), &[udp("10.1.0.2:123", "203.0.113.9:123").speaks(&["ntp"])]);
    let [client, server] = &account(&judged).roles;
    assert_eq!((client.len(), client[0].1.as_str(), server.len()), (1, "--role says so", 0));
}

#[test]
fn what_was_not_asked_for_is_not_told() {
    let books = Books::default();
    let judge = Judge::new(Signatures::built_in(), players(), &books);
    assert!(judge.judge(udp("10.1.0.2:123", "203.0.113.9:123").0).account.is_none());
}
