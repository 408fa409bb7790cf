//! Every row of the five documents: found in its direction, not found when its ends are turned round.

use super::sample::*;
use crate::identify::Books;
use crate::judge::{Judge, Judged, Site, Verdict};
use crate::signature::{Basis, PromiseKind, RoleId, RoleKind, Service, ServiceId, Signatures};

/// A host for a role, and whether the site has to say so.
fn host(service: &Service, role: RoleId, last: u8) -> (String, bool) {
    match Signatures::built_in().role(role).kind {
        RoleKind::Product => (format!("10.1.0.{last}"), true),
        RoleKind::Anyone | RoleKind::Local => (format!("10.9.0.{last}"), false),
        RoleKind::External => (service.addresses.first().map_or("203.0.113.7".to_owned(), ToString::to_string), false),
        RoleKind::Group => (service.addresses.first().map_or("239.255.255.250".to_owned(), ToString::to_string), false),
    }
}

/// A host of a product on the opening end makes the most telling flow, and on the answering end where no product opens.
fn telling(roles: &[RoleId]) -> RoleId {
    let product = |role: &&RoleId| Signatures::built_in().role(**role).kind == RoleKind::Product;
    *roles.iter().find(product).unwrap_or(&roles[0])
}

fn flow_of(service: &Service, turned: bool) -> (Site, Sample) {
    let (client, server) = (telling(&service.client), telling(&service.server));
    let ((client_ip, client_given), (server_ip, server_given)) = (host(service, client, 1), host(service, server, 2));
    // A row without a product on either end needs the site to name its server.
    let given = [(client, &client_ip, client_given), (server, &server_ip, server_given || !client_given)];
    let roles: Vec<String> =
        given.iter().filter(|(.., given)| *given).map(|(role, ip, _)| format!("{}={ip}/32", Signatures::built_in().role(*role).id)).collect();
    let site = site(&roles.iter().map(String::as_str).collect::<Vec<_>>());
    let port = service.ports.first().map_or(45_000, |range| range.low);
    let client_port = service.client_ports.first().map_or(40_000, |range| range.low);
    let (from, to) = if turned { (&server_ip, &client_ip) } else { (&client_ip, &server_ip) };
    let open = if service.transports.first() == Some(&crate::net::Transport::UDP) { udp } else { tcp };
    let mut sample = open(&format!("{from}:{client_port}"), &format!("{to}:{port}")).talked(100, if service.answered { 100 } else { 0 });
    if let Some(stack) = service.protocols.first() {
        sample.0.protocol = stack.iter().map(|name| &*name.clone().leak()).collect();
    }
    if let Some(path) = service.paths.first() {
        sample = sample.asks("GET", path);
    }
    if let Some(pattern) = service.hosts.first() {
        sample = sample.sni(&pattern.pattern.replace('*', "some"));
    }
    let always = [PromiseKind::FtpPassive, PromiseKind::SsdpLocation];
    if let Some(kind) = service.learned_from.iter().find(|kind| always.contains(kind)) {
        sample = sample.announced_by(*kind);
    }
    (site, sample)
}

fn documented() -> impl Iterator<Item = (ServiceId, &'static Service)> {
    Signatures::built_in().services().filter(|(_, service)| service.basis == Basis::Document && !(service.ports.is_empty() && service.learned_from.is_empty()))
}

fn covers(judged: &Judged, id: ServiceId) -> bool {
    (judged.service == Some(id) && judged.verdict != Verdict::Unexpected) || judged.candidates.iter().any(|candidate| candidate.service == id && candidate.fits)
}

#[test]
fn every_documented_row_with_a_port_fits_a_flow_in_its_direction() {
    let mut seen = 0;
    for (id, service) in documented() {
        let (site, sample) = flow_of(service, false);
        let judged = judge_one(site, sample);
        assert!(covers(&judged, id), "{}: {:?} {:?} {:#?}", service.id, row(&judged), judged.reasons, judged.candidates);
        let shared = judged.reasons == [crate::judge::Reason::SharedPort];
        assert!(judged.verdict == Verdict::Expected || shared, "{}: {:?}", service.id, judged.reasons);
        seen += 1;
    }
    // 92 rows, less those whose document has lost or never had a port.
    assert!(seen >= 85, "{seen}");
}

#[test]
fn a_documented_row_fits_a_flow_turned_round_only_where_it_says_so() {
    let turned = documented().filter(|(id, service)| {
        let (site, sample) = flow_of(service, true);
        covers(&judge_one(site, sample), *id)
    });
    let both_ways: Vec<&str> = turned.map(|(_, service)| service.id.as_str()).collect();
    assert_eq!(both_ways, BOTH_WAYS);
}

#[test]
fn flows_that_are_alike_are_told_as_each_would_be_alone() {
    let of_row = |(_, service): (ServiceId, &'static Service)| [false, true].map(|turned| flow_of(service, turned).1);
    let others = |sample: Sample| [sample.clone(), sample.clone().sni("other.example"), sample.asks("GET", "/other")];
    let samples: Vec<Sample> = documented().flat_map(of_row).flat_map(others).collect();
    let books = Books::default();
    let mut told = 0;
    for (_, service) in documented().step_by(24) {
        let mut judge = Judge::new(Signatures::built_in(), flow_of(service, false).0, &books);
        samples.iter().for_each(|sample| judge.learn(&sample.0));
        for sample in &samples {
            // A copy of the judge knows what it knows, but has weighed nothing yet.
            let (among, alone) = (judge.judge(sample.0.clone()), judge.clone().judge(sample.0.clone()));
            let all = |judged: &Judged| (judged.candidates.to_vec(), judged.service, judged.verdict, judged.reasons.clone());
            assert_eq!(all(&among), all(&alone));
            told += among.candidates.len();
        }
    }
    assert!(told > 1_000, "{told}");
}

/// In document order: players may serve time to players (A12); discovery is asked and answered by any host of the LAN; the document does not say which end
/// Elementi is (A10); CAYIN's arrows are lost (A05); of the browser and of SQL Server no end is a product; clusters and TeaTime peers are alike.
#[rustfmt::skip]
const BOTH_WAYS: &[&str] = &[
    "spinetix-player-ntp", "spinetix-player-ssdp", "spinetix-player-mdns", "spinetix-player-llmnr", "spinetix-arya-webclient", "spinetix-elementi-ssdp",
    "spinetix-elementi-mdns", "spinetix-elementi-coap", "spinetix-elementi-sharedvar", "cayin-http", "cayin-https", "cayin-supermonitor-cmd", "cayin-cmspro-cmd",
    "cinegy-sqlserver", "spotfire-cluster1", "spotfire-cluster2", "cobalt-teatime-out", "cobalt-teatime-in",
];
