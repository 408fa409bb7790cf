//! The built-in signatures against the truth table they were made from (`tests/data/vendors.json`), row by row.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;

use portbook::net::Transport;
use portbook::signature::{Basis, Direction, Only, PortRange, PromiseKind, RoleKind, Rule, RuleEffect, Service, Signatures};
use serde_json::Value;

fn truth() -> Value {
    serde_json::from_str(include_str!("data/vendors.json")).expect("the truth table is JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().expect("a list")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a string")
}

fn ports_of(row: &Value) -> Vec<PortRange> {
    let number = |port: &Value| u16::try_from(port.as_u64().expect("a port")).expect("a port");
    list(row, "ports_parsed").iter().map(|range| PortRange { low: number(&range["lo"]), high: number(&range["hi"]) }).collect()
}

fn row(id: &str) -> &'static Service {
    let all = Signatures::built_in();
    all.service(all.service_id(id).unwrap_or_else(|| panic!("no row {id}")))
}

/// The row's ports without those of another source.
fn own_ports(service: &Service) -> Vec<PortRange> {
    let lent = service.supplement.as_ref().map_or(&[][..], |supplement| &supplement.ports);
    service.ports.iter().copied().filter(|range| !lent.contains(range)).collect()
}

fn own_transports(service: &Service) -> Vec<Transport> {
    let lent = service.supplement.as_ref().map_or(&[][..], |supplement| &supplement.transports);
    service.transports.iter().copied().filter(|transport| !lent.contains(transport)).collect()
}

#[test]
fn every_row_of_the_documents_is_loaded_with_its_ports_and_its_quote() {
    let (truth, all) = (truth(), Signatures::built_in());
    for expected in list(&truth, "rows") {
        let service = row(text(expected, "id"));
        assert_eq!(service.basis, Basis::Document, "{}", service.id);
        assert_eq!(all.document(service.document).vendor, text(expected, "vendor"), "{}", service.id);
        assert_eq!(own_ports(service), ports_of(expected), "{}", service.id);
        assert_eq!(service.citation.quote, text(expected, "quote"), "{}", service.id);
        assert!(service.citation.verbatim, "{}", service.id);
        assert!(!service.citation.section.is_empty(), "{}", service.id);
    }
    assert_eq!(all.services.iter().filter(|service| service.basis == Basis::Document).count(), list(&truth, "rows").len());
}

#[test]
fn a_transport_is_the_documents_only_where_the_truth_table_has_it_without_a_star() {
    for expected in list(&truth(), "rows") {
        let service = row(text(expected, "id"));
        let cell = text(expected, "transport");
        let (own, all): (Vec<_>, Vec<_>) = (own_transports(service), service.transports.iter().map(ToString::to_string).collect());
        if cell.starts_with("tcp*") {
            assert!(own.is_empty() && all == ["tcp"], "{}: the document has no transport", service.id);
        } else if cell == "?" {
            assert!(own.is_empty(), "{}", service.id);
        } else {
            let expected: Vec<&str> = list(expected, "transports_parsed").iter().filter_map(Value::as_str).collect();
            assert_eq!(own.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{}", service.id);
        }
    }
}

#[test]
fn every_rule_of_the_documents_is_loaded_with_its_quote() {
    let (truth, all) = (truth(), Signatures::built_in());
    for expected in list(&truth, "rules") {
        let rule = all.rules.iter().find(|rule| rule.id == text(expected, "id"));
        let rule = rule.unwrap_or_else(|| panic!("no rule {}", text(expected, "id")));
        assert_eq!((rule.citation.quote.as_str(), rule.basis), (text(expected, "quote"), Basis::Document), "{}", rule.id);
        assert!(text(expected, "id").starts_with(&all.document(rule.document).vendor), "{}", rule.id);
    }
    assert_eq!(all.rules.iter().filter(|rule| rule.basis == Basis::Document && !ties(rule)).count(), list(&truth, "rules").len());
}

/// Rules that tie rows together are ours; what they quote stands in one of the rows.
fn ties(rule: &Rule) -> bool {
    rule.id.contains("-ties-")
}

#[test]
fn what_ties_rows_together_quotes_one_of_them() {
    let all = Signatures::built_in();
    let tied: Vec<&Rule> = all.rules.iter().filter(|rule| ties(rule)).collect();
    assert!(tied.len() > 3, "{}", tied.len());
    for rule in tied {
        let rows = rule.services.iter().chain(&rule.expects).map(|id| &all.service(*id).citation.quote);
        assert!(rows.into_iter().any(|quote| quote.contains(&rule.citation.quote)), "{}", rule.id);
    }
}

#[test]
fn a_consequence_is_quoted_only_where_a_document_says_it() {
    let truth = truth();
    let quotes: Vec<&str> = list(&truth, "rows").iter().chain(list(&truth, "rules")).map(|entry| text(entry, "quote")).collect();
    let quoted: Vec<_> = Signatures::built_in().services.iter().filter_map(|service| service.consequence.as_ref()?.quote.as_deref()).collect();
    assert!(!quoted.is_empty());
    for quote in quoted {
        assert!(quotes.iter().any(|known| known.contains(quote)), "not in the documents: {quote}");
    }
}

#[test]
fn every_supplement_row_is_a_row_a_rule_or_named_in_the_readme() {
    let (truth, all, readme) = (truth(), Signatures::built_in(), include_str!("../signatures/README.md"));
    for expected in list(&truth, "supplement") {
        let id = text(expected, "id");
        let loaded = all.service_id(id).is_some() || all.rules.iter().any(|rule| rule.id == id);
        assert!(loaded || readme.contains(&format!("`{id}`")), "{id} is nowhere");
    }
    assert!(
        all.services
            .iter()
            .filter(|service| service.id.starts_with("sup-"))
            .all(|service| service.basis == Basis::Supplement && service.citation.url.is_some())
    );
}

#[test]
fn every_port_of_a_row_finds_the_row_and_the_port_beside_it_does_not() {
    let all = Signatures::built_in();
    for (id, service) in all.services() {
        for transport in &service.transports {
            for range in &service.ports {
                for port in [range.low, range.high] {
                    assert_eq!(all.at(*transport, port).filter(|found| *found == id).count(), 1, "{} at {transport} {port}", service.id);
                    assert!(service.port_basis(*transport, port).is_some());
                }
                for port in [range.low.checked_sub(1), range.high.checked_add(1)].into_iter().flatten() {
                    let elsewhere = service.ports.iter().any(|other| other.contains(port));
                    assert_eq!(all.at(*transport, port).any(|found| found == id), elsewhere, "{} at {transport} {port}", service.id);
                }
            }
        }
    }
}

#[test]
fn mqtt_is_encrypted_outbound_needs_a_name_and_says_slow_sync() {
    let mqtt = row("spinetix-out-mqtt");
    assert_eq!((mqtt.direction, mqtt.encrypted), (Direction::Out, Some(true)));
    assert!(mqtt.accepts(&["tls"]) && mqtt.accepts(&["tls", "mqtt"]) && !mqtt.accepts(&["mqtt"]));
    assert!(mqtt.hosts.iter().any(|host| host.matches("x.services.spinetix.com") && !host.broad));
    assert!(mqtt.consequence.as_ref().and_then(|consequence| consequence.quote.as_ref()).is_some_and(|quote| quote.contains("Slow Sync")));
    assert_eq!(mqtt.since.as_ref().map(|since| since.version.as_str()), Some("4.4.0"));
}

#[test]
fn secure_coap_is_dtls_over_udp_and_tls_over_tcp_and_never_plain() {
    let coap = row("spinetix-player-coap");
    assert!(coap.accepts(&["dtls"]) && coap.accepts(&["tls", "coap"]) && !coap.accepts(&["coap"]));
    assert_eq!(coap.default_on, Some(false));
}

#[test]
fn shared_variables_are_found_by_content_as_their_port_may_be_any() {
    let all = Signatures::built_in();
    let rows: Vec<&str> = all.speaking("shared_variables").iter().map(|id| all.service(*id).id.as_str()).collect();
    assert_eq!(rows, ["spinetix-player-sharedvar", "spinetix-elementi-sharedvar"]);
    assert!(row(rows[0]).accepts(&["http"]) && row(rows[0]).accepts(&["shared_variables"]));
}

#[test]
fn a_formula_port_names_its_instance() {
    assert_eq!(row("cinegy-playout-srt-main").instance_of(5432), Some(11));
    assert_eq!(row("cinegy-playout-srt-cued").instance_of(5471), Some(0));
    assert_eq!(row("cinegy-playout-rpc").instance_of(5336), Some(15));
    assert_eq!(row("cinegy-playout-http").instance_of(5537), None);
    assert_eq!(row("cinegy-tg-main").instance_of(8097), None);
}

#[test]
fn the_path_tells_the_rows_on_8097_apart() {
    let all = Signatures::built_in();
    let with_path = |path: &str| -> BTreeSet<&str> {
        all.at(Transport::TCP, 8097).map(|id| all.service(id)).filter(|service| service.has_path(path)).map(|service| service.id.as_str()).collect()
    };
    assert_eq!(with_path("/Gateway/status"), BTreeSet::from(["cinegy-tg-main"]));
    assert_eq!(with_path("/license"), BTreeSet::from(["cinegy-tg-license"]));
    assert_eq!(with_path("/rest/Preview"), BTreeSet::from(["cinegy-capture-rest"]));
    assert_eq!(with_path("/Multiviewer/Rest"), BTreeSet::new());
}

#[test]
fn the_hyphen_of_the_process_coordination_path_may_be_there_or_not() {
    let service = row("cinegy-pcs-soap");
    for path in [
        "/CinegyProcess-CoordinationService/soap",
        "/CinegyProcessCoordinationService/soap",
        "/cinegyprocesscoordinationservice/ICinegyProcessCoordinationService/soap",
    ] {
        assert!(service.has_path(path), "{path}");
    }
}

#[test]
fn port_20001_is_a_command_unless_ftp_announced_it() {
    let all = Signatures::built_in();
    let at: BTreeSet<&str> = all.at(Transport::TCP, 20001).map(|id| all.service(id).id.as_str()).collect();
    assert_eq!(at, BTreeSet::from(["cayin-cmspro-cmd", "cayin-ftp-data-pasv"]));
    assert_eq!(row("cayin-cmspro-cmd").learned_from, []);
    assert_eq!(all.learned(PromiseKind::FtpPassive).iter().map(|id| all.service(*id).id.as_str()).collect::<Vec<_>>(), ["cayin-ftp-data-pasv"]);
}

#[test]
fn ports_of_9080_and_9443_run_both_ways_between_server_and_node_manager() {
    let all = Signatures::built_in();
    let ends = |id: &str| {
        (
            row(id).client.iter().map(|role| all.role(*role).id.as_str()).collect::<Vec<_>>(),
            row(id).server.iter().map(|role| all.role(*role).id.as_str()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(ends("spotfire-server-registration"), (vec!["spotfire.node-manager"], vec!["spotfire.server"]));
    assert_eq!(ends("spotfire-nm-registration"), (vec!["spotfire.server"], vec!["spotfire.node-manager"]));
}

#[test]
fn a_row_that_lost_its_number_has_it_from_the_supplement_and_loses_it_when_strict() {
    let (all, strict) = (Signatures::built_in(), Signatures::built_in().strict());
    for (id, transport, port) in [
        ("cayin-https", Transport::TCP, 443),
        ("cayin-ftp-control", Transport::TCP, 21),
        ("cayin-smtp", Transport::TCP, 25),
        ("cayin-remote-log", Transport::TCP, 35000),
        ("cinegy-sqlserver", Transport::TCP, 1433),
    ] {
        assert_eq!(row(id).port_basis(transport, port), Some(Basis::Supplement), "{id}");
        assert!(all.at(transport, port).any(|found| all.service(found).id == id), "{id}");
        assert!(!strict.at(transport, port).any(|found| strict.service(found).id == id), "{id}");
    }
    assert_eq!(row("spotfire-server-backend").port_basis(Transport::TCP, 9443), Some(Basis::Document));
}

#[test]
fn strict_signatures_are_the_documents_alone() {
    let strict = Signatures::built_in().strict();
    assert_eq!((strict.services.len(), strict.rules.iter().filter(|rule| !ties(rule)).count()), (92, 24));
    assert!(strict.services.iter().all(|service| service.basis == Basis::Document && service.supplement.is_none()));
    let mqtt = strict.service(strict.service_id("spinetix-out-mqtt").expect("the row"));
    assert_eq!(mqtt.fallback.iter().map(|id| strict.service(*id).id.as_str()).collect::<Vec<_>>(), ["spinetix-out-https"]);
    let registration = strict.service(strict.service_id("spotfire-nm-registration").expect("the row"));
    assert!(registration.transports.is_empty() && registration.protocols.is_empty() && registration.encrypted.is_none());
}

#[test]
fn ssh_on_a_player_is_unsupported_by_a_supplement_rule() {
    let all = Signatures::built_in();
    let rule = all.rules.iter().find(|rule| rule.effect == RuleEffect::Unsupported).expect("the rule");
    assert_eq!((rule.basis, rule.protocols.contains(&"ssh".to_owned())), (Basis::Supplement, true));
    assert!(rule.roles.iter().all(|role| all.role(*role).kind == RoleKind::Product));
}

#[test]
fn a_users_row_stands_in_for_the_built_in_one_of_the_same_id() {
    let own = r#"
        [document]
        vendor = "spinetix"
        name = "SpinetiX"
        title = "Our players"
        [[services]]
        id = "spinetix-player-sharedvar"
        name = "Shared Variables on our port"
        client = ["spinetix.client"]
        server = ["spinetix.player"]
        direction = "in"
        transports = ["tcp"]
        ports = [4321]
        protocol_name = "Shared Variables"
        quote = "moved to 4321 by the AV team"
    "#;
    let all = Signatures::from_texts([("own.toml", own)], Only::Added).unwrap_or_else(|error| panic!("{error}"));
    let service = all.service(all.service_id("spinetix-player-sharedvar").expect("the row"));
    assert_eq!((service.basis, service.ports.as_slice()), (Basis::User, &[PortRange { low: 4321, high: 4321 }][..]));
    assert_eq!(all.services.len(), Signatures::built_in().services.len());
    assert!(all.at(Transport::TCP, 1234).all(|id| all.service(id).id != "spinetix-player-sharedvar"));
}

/// Ten thousand rows of every width, written as a user would; the index must agree with a scan of all rows.
#[test]
fn ten_thousand_rows_are_found_as_a_scan_finds_them() {
    let mut text = String::from("[document]\nvendor = \"x\"\nname = \"X\"\ntitle = \"X\"\n[[roles]]\nid = \"x.a\"\nname = \"A\"\nkind = \"anyone\"\n");
    let mut seed = 1_u32;
    for nth in 0..10_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (low, width) = (seed >> 16, [0, 0, 0, 9, 99, 999][nth % 6]);
        let high = (low + width).min(65_535);
        let transport = ["tcp", "udp"][nth % 2];
        text += &format!(
            "[[services]]\nid = \"x-{nth}\"\nname = \"N\"\nclient = [\"x.a\"]\nserver = [\"x.a\"]\ndirection = \"in\"\ntransports = [\"{transport}\"]\nports = [\"{low}-{high}\"]\nprotocol_name = \"P\"\nquote = \"q\"\n"
        );
    }
    let all = Signatures::from_texts([("many.toml", text.as_str())], Only::TheseOnly).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(all.services.len(), 10_000);
    for port in (0..=u16::MAX).step_by(997) {
        let mut found: Vec<_> = all.at(Transport::TCP, port).collect();
        found.sort_unstable();
        let scanned: Vec<_> = all.services().filter(|(_, service)| service.port_basis(Transport::TCP, port).is_some()).map(|(id, _)| id).collect();
        assert_eq!(found, scanned, "port {port}");
    }
}
