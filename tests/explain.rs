//! `explain` and `signatures`, asked as a user asks.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]

use portbook::app::explain::{Found, explain};
use portbook::app::signatures::{list, show};
use portbook::signature::{Basis, Only, PROTOCOL_NAMES, Signatures};

fn answer(query: &str) -> (Found, String) {
    let mut out = Vec::new();
    let found = explain(Signatures::built_in(), query, &mut out).expect("writing to memory");
    (found, String::from_utf8(out).expect("text"))
}

/// The answer on one line, so that wrapping does not matter.
fn told(query: &str) -> String {
    let (found, text) = answer(query);
    assert_eq!(found, Found::Written, "{query}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_tells(query: &str, parts: &[&str]) {
    let text = told(query);
    for part in parts {
        assert!(text.contains(part), "{query} does not tell: {part}\n{text}");
    }
}

#[test]
fn mqtts_port_is_explained_with_its_direction_consequence_and_sentence() {
    assert_tells(
        "8883/tcp",
        &[
            "spinetix-out-mqtt",
            "SpinetiX player -> SpinetiX cloud",
            "outbound from the product",
            "since player firmware 4.4.0",
            "TLS, never in clear",
            "the document says: \"TCP | 8883 | MQTT access to SpinetiX cloud infrastructure. Added in firmware 4.4.0.\" (SpinetiX, \"Network ports\", Network firewall)",
            "degraded mode Slow Sync",
            "exempt it from TLS inspection",
            "on the wire tells spinetix-out-mqtt and spinetix-arya-player-mqtt apart",
        ],
    );
}

#[test]
fn what_findings_are_headed_with_is_understood() {
    assert_eq!(told("MQTT to the SpinetiX cloud"), told("spinetix-out-mqtt"));
    assert_eq!(told("22/tcp (ssh)"), told("22/tcp"));
    assert_eq!(told("silent drop"), told("silent_drop"));
    // Rows of one name are told one after the other.
    for row in Signatures::built_in().services.iter() {
        assert_tells(&row.name, &[&row.id]);
    }
}

#[test]
fn a_port_without_a_transport_is_looked_for_on_all() {
    assert_tells("5684", &["spinetix-player-coap", "spinetix-elementi-coap", "TLS over TCP, DTLS over UDP", "off by default", "Elementi 2018 X only"]);
    assert_eq!(told(":5684"), told("5684"));
    assert_eq!(told("tcp/8883"), told("8883/tcp"));
}

#[test]
fn ports_are_understood_as_rows_print_them() {
    // The document's row has ten ports; what is asked may be some of them, or more.
    for query in ["6900-6909", "6900-6909/tcp", "tcp 6900-6909", "6890 - 6901", "6909-7000/tcp", "80, 6905/tcp"] {
        assert_tells(query, &["cobalt-teatime-out", "cobalt-teatime-in"]);
    }
    assert_tells("5684/tcp and udp", &["5684/tcp and udp: 2 rows of SpinetiX", "spinetix-player-coap"]);
    assert_tells("8883,5684", &["spinetix-out-mqtt", "spinetix-elementi-coap"]);
    assert_eq!(answer("6900-6909/udp").0, answer("6900/udp").0);
    assert_eq!(answer("6910-6911").0, Found::Nothing);
    for query in ["6909-6900", "80,", "70000-70001", "80,http", "80-90/icmp"] {
        assert_eq!(answer(query).0, Found::NotUnderstood, "{query}");
    }
}

#[test]
fn teatimes_ports_are_told_apart_by_who_asks() {
    assert_tells(
        "6905/tcp",
        &["cobalt-teatime-out", "cobalt-teatime-in", "cobalt.external-peer or cobalt.peer -> cobalt.peer: cobalt-teatime-in", "CRC-32", "6900-6909"],
    );
}

#[test]
fn rivals_on_one_port_are_told_apart_by_their_paths() {
    assert_tells(
        "8097/tcp",
        &["/gateway: cinegy-tg-main", "/license: cinegy-tg-license", "/REST: cinegy-capture-rest", "/Cinegy/CaptureControl: cinegy-capture-soap"],
    );
}

#[test]
fn the_narrower_row_is_told_before_the_range_around_it() {
    let (_, text) = answer("8097/tcp");
    assert!(text.find("cinegy-tg-main -") < text.find("cinegy-capture-soap -"));
}

#[test]
fn of_rows_that_the_wire_does_not_tell_apart_the_narrower_range_goes_first_as_it_does_for_the_judge() {
    let row = |id: &str, ports: &str| {
        format!(
            "[[services]]\nid = \"{id}\"\nname = \"{id}\"\nclient = [\"acme.box\"]\nserver = [\"acme.box\"]\ndirection = \"internal\"\ntransports = [\"tcp\"]\nports = [\"{ports}\"]\n\
             protocol_name = \"raw\"\nquote = \"{ports}\"\n"
        )
    };
    let head = "[document]\nvendor = \"acme\"\nname = \"Acme\"\ntitle = \"Ports\"\n[[roles]]\nid = \"acme.box\"\nname = \"box\"\nkind = \"product\"\n";
    let file = [head, &row("acme-wide", "9000-9250"), &row("acme-print", "9100-9110"), &row("acme-scan", "9105-9115")].concat();
    let signatures = Signatures::from_texts([("acme.toml", file.as_str())], Only::TheseOnly).expect("a signature file");
    let mut out = Vec::new();
    explain(&signatures, "9107/tcp", &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("text").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("then the narrower range: acme-print or acme-scan, then acme-wide"), "{text}");
    assert!(text.contains("Nothing on the wire tells acme-print and acme-scan apart"), "{text}");
}

#[test]
fn a_secure_cluster_port_tells_what_is_just_outside_and_what_was_there_before() {
    assert_tells("5701", &["spotfire-cluster1", "TLS, never in clear", "spotfire-cluster2 (5702/tcp)", "Hazelcast on 5701, plain TCP"]);
}

#[test]
fn a_formula_port_tells_its_instance() {
    assert_tells("5432/udp", &["5432 is Playout Engine instance 11 (5421 + 11)", "sup-sf-out03 (5432/tcp)"]);
}

#[test]
fn a_number_of_the_supplement_is_never_called_the_documents() {
    assert_tells("21/tcp", &["21 is the supplement's number, not the document's", "not in the document, but https://www.cayintech.com"]);
    for service in Signatures::built_in().services.iter().filter(|service| service.basis == Basis::Supplement) {
        let text = told(&service.id);
        let row = text.split("Worth knowing").next().unwrap_or_default();
        assert!(!row.contains("the document says"), "{}", service.id);
        assert!(row.contains("not in the document"), "{}", service.id);
    }
}

#[test]
fn an_inferred_consequence_is_marked_as_ours() {
    assert_tells("spinetix-player-snmp", &["cannot be monitored by SNMP. (Our inference, the document does not say.)"]);
}

#[test]
fn names_addresses_roles_vendors_and_protocols_are_understood() {
    assert_tells("x.services.spinetix.com", &["matches 4 rows", "*.services.spinetix.com"]);
    assert_tells("8.8.8.8", &["cobalt-dns-ext"]);
    assert_tells("spotfire.node-manager", &["Opens", "spotfire-server-registration", "Is asked", "spotfire-nm-registration"]);
    assert_tells("cobalt", &["13 rows", "cobalt-rule-defaults"]);
    assert_tells("mqtt", &["spinetix-out-mqtt"]);
    assert_tells("VNC", &["cobalt-vnc"]);
}

#[test]
fn what_no_document_mentions_is_said_with_what_is_near() {
    let (found, text) = answer("6911/tcp");
    assert_eq!(found, Found::Nothing);
    assert!(text.contains("No row of a document mentions 6911/tcp") && text.contains("cobalt-teatime-out (6900-6909/tcp)"));
    let (found, text) = answer("22");
    assert_eq!(found, Found::Written, "{text}");
    assert!(text.contains("Players do not offer SSH, Telnet or FTP."));
}

#[test]
fn a_query_that_is_not_understood_gets_the_nearest_word() {
    let (found, text) = answer("spinetix-player-htp");
    assert_eq!(found, Found::NotUnderstood);
    assert!(text.contains("Nearest: spinetix-player-http"));
    let (found, text) = answer("spinetix.playr");
    assert!(found == Found::Nothing && text.contains("Nearest: spinetix.player"), "a role looks like a host's name: {text}");
    assert!(!answer("www.example.com").1.contains("Nearest"));
    for query in ["", "70000", "8883/xyz", "/", "tcp/", "\u{1f600}", "a b"] {
        assert_eq!(answer(query).0, Found::NotUnderstood, "{query:?}");
    }
}

#[test]
fn every_answer_fits_100_columns() {
    let all = Signatures::built_in();
    let ids = all.services.iter().map(|service| service.id.clone()).chain(all.rules.iter().map(|rule| rule.id.clone()));
    let words = all.roles.iter().map(|role| role.id.clone()).chain(all.documents.iter().map(|document| document.vendor.clone()));
    let ports = (0..=u16::MAX).step_by(7).chain([80, 443, 8097, 20001]).map(|port| port.to_string());
    for query in ids.chain(words).chain(PROTOCOL_NAMES.iter().map(|name| (*name).to_owned())).chain(ports) {
        let (_, text) = answer(&query);
        assert!(!text.is_empty(), "{query}");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{query}: {line}");
        }
    }
}

#[test]
fn the_list_names_every_document_role_and_row() {
    let (all, mut out) = (Signatures::built_in(), Vec::new());
    list(all, &[], &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("text");
    assert!(all.services.iter().all(|service| text.contains(&service.id)) && all.roles.iter().all(|role| text.contains(&role.id)));
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_vendor_that_is_named_leaves_the_others_out() {
    let all = Signatures::built_in();
    let cayin = all.of_vendors(&["cayin".to_owned()]);
    let mut out = Vec::new();
    explain(&cayin, "443", &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("cayin-https") && !text.contains("spinetix-") && !text.contains("spotfire-"), "{text}");
    let mut out = Vec::new();
    list(&cayin, &["cayin".to_owned()], &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("cayin - ") && !text.contains("spinetix") && text.contains("cayin-https"), "{text}");
    assert_eq!(all.of_vendors(&[]).services.len(), all.services.len());
}

#[test]
fn show_knows_ids_only_and_offers_the_nearest() {
    let shown = |id: &str| {
        let mut out = Vec::new();
        let found = show(Signatures::built_in(), id, &mut out).expect("writing to memory");
        (found, String::from_utf8(out).expect("text"))
    };
    assert_eq!(shown("cobalt-crqt").0, Found::Written);
    assert_eq!(shown("cobalt-rule-defaults").0, Found::Written);
    assert_eq!(shown("8883").0, Found::NotUnderstood);
    assert!(shown("cobalt-crqd").1.contains("nearest: cobalt-crqt"));
}

#[test]
fn the_words_of_reports_are_explained() {
    assert_tells(
        "silent_drop",
        &["silent_drop - an outcome", "the client tried again, nothing answered", "the host may be off", "Counts as blocked", "D20: three equal SYNs"],
    );
    assert_tells("Silent drop", &["silent_drop - an outcome"]);
    assert_tells("undocumented_service", &["a finding", "no row of the documents that apply covers", "[[allow]]"]);
    assert_tells("not_covered", &["--role"]);
    assert_tells("never_attempted", &["coverage", "none tried"]);
    assert_tells("intermittent", &["at another time"]);
    // One word that stands in two places is told twice.
    assert_tells("midstream", &["an outcome", "a reason why nothing is held against a flow"]);
    assert!(!told("app_refused").contains("as blocked"));
}

#[test]
fn the_rules_that_decide_are_explained() {
    assert_tells(
        "D20",
        &["D20 - three equal SYNs or more, and nothing comes back", "silent_drop, which counts as blocked", "Or else", "the client tried again"],
    );
    assert_tells("d25", &["refused_by_host", "Is not a drop"]);
    assert_tells("D82", &["never_attempted"]);
    let (found, text) = answer("silent_dorp");
    assert!(found == Found::NotUnderstood && text.contains("Nearest: silent_drop"), "{text}");
}
