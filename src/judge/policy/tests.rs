//! What a site's rules must be, worked out from the rows of the documents and the words of the site file.

use std::net::IpAddr;

use super::*;

fn policy(site: &str) -> Policy {
    of(Signatures::built_in(), site)
}

fn of(all: &Signatures, site: &str) -> Policy {
    Policy::of(all, &Site::from_text("site.toml", site, all, Signatures::built_in()).unwrap_or_else(|error| panic!("{error}")))
}

/// Openings that a row asks for: `10.1.0.0/24 > any tcp 80`.
fn asked(policy: &Policy, id: &str) -> Vec<String> {
    told(policy.openings.iter().filter(|opening| opening.whys.iter().any(|why| why.id == id)))
}

fn told<'a>(openings: impl Iterator<Item = &'a Opening>) -> Vec<String> {
    let zone = |zone: &Zone| match zone {
        Zone::Networks(networks) => networks.iter().map(|network| network.to_string().replace("/32", "")).collect::<Vec<_>>().join(","),
        Zone::Local => "local".to_owned(),
        Zone::Internet => "internet".to_owned(),
        Zone::Any => "any".to_owned(),
        Zone::Names(names) => names.iter().filter(|name| !name.broad).map(|name| name.pattern.as_str()).collect::<Vec<_>>().join(","),
    };
    let ports = |opening: &Opening| opening.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let transport = |opening: &Opening| opening.transport.map_or_else(|| "ip".to_owned(), |transport| transport.to_string());
    let all = openings.map(|opening| format!("{} > {} {} {}", zone(&opening.from.zone), zone(&opening.to.zone), transport(opening), ports(opening)));
    all.map(|line| line.trim_end().to_owned()).collect()
}

fn because<'a>(policy: &'a Policy, id: &str) -> &'a str {
    policy.left_out.iter().find(|left| left.id == id).map_or("", |left| &left.because)
}

const PLAYERS: &str = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n";

#[test]
fn an_outbound_row_goes_from_the_hosts_of_its_role_to_whom_the_document_names() {
    let policy = policy(PLAYERS);
    assert_eq!(asked(&policy, "spinetix-out-http"), ["10.1.0.0/24 > any tcp 80"]);
    assert_eq!(asked(&policy, "spinetix-out-ntp"), ["10.1.0.0/24 > any udp 123"]);
}

/// "IP filtering is not possible as all names resolve to dynamic IP addresses": the two rows of the rule that has this sentence.
#[test]
fn where_addresses_change_a_row_goes_by_names() {
    let policy = policy(PLAYERS);
    assert_eq!(asked(&policy, "spinetix-out-https"), ["10.1.0.0/24 > *.services.spinetix.com tcp 443"]);
    assert_eq!(asked(&policy, "spinetix-out-mqtt"), ["10.1.0.0/24 > *.services.spinetix.com tcp 8883"]);
}

#[test]
fn an_inbound_row_is_open_to_what_is_inside_and_to_nobody_else() {
    assert_eq!(asked(&policy(PLAYERS), "spinetix-player-http"), ["local > 10.1.0.0/24 tcp 80"]);
}

#[test]
fn a_role_that_the_site_gives_narrows_what_anybody_might_do() {
    let cms = "[[hosts]]\nname = \"cms\"\naddresses = [\"10.4.0.21\"]\nroles = [\"cayin.cms\"]\n";
    assert_eq!(asked(&policy(cms), "cayin-smtp"), ["10.4.0.21 > any tcp 25"]);
    let narrow = format!("{cms}[[hosts]]\nname = \"mail\"\naddresses = [\"10.9.0.1\", \"10.9.0.3\"]\nroles = [\"cayin.mail-server\"]\n");
    assert_eq!(asked(&policy(&narrow), "cayin-smtp"), ["10.4.0.21 > 10.9.0.1,10.9.0.3 tcp 25"]);
}

#[test]
fn a_row_between_two_roles_joins_their_hosts_and_no_others() {
    let site = "[[hosts]]\nname = \"a\"\naddresses = [\"10.3.0.10\", \"10.3.0.11\"]\nroles = [\"spotfire.server\"]\n\
                [[hosts]]\nname = \"b\"\naddresses = [\"10.3.0.20\"]\nroles = [\"spotfire.node-manager\"]\n";
    let policy = policy(site);
    assert_eq!(asked(&policy, "spotfire-server-registration"), ["10.3.0.20 > 10.3.0.10,10.3.0.11 tcp 9080"]);
    assert_eq!(asked(&policy, "spotfire-nm-registration"), ["10.3.0.10,10.3.0.11 > 10.3.0.20 tcp 9080"]);
    assert_eq!(asked(&policy, "spotfire-cluster1"), ["10.3.0.10,10.3.0.11 > 10.3.0.10,10.3.0.11 tcp 5701"]);
}

/// The row has a backup server at one end and a CMS at the other, whoever opens: backup servers and anybody else among themselves are none of its business.
#[test]
fn one_end_is_always_a_host_that_the_site_gives_a_role() {
    let policy = policy("[[hosts]]\nname = \"cms\"\naddresses = [\"10.4.0.21\"]\nroles = [\"cayin.cms\"]\n");
    assert_eq!(asked(&policy, "sup-cayin-backup"), ["10.4.0.21 > local tcp 22,30001", "local > 10.4.0.21 tcp 22,30001"]);
}

#[test]
fn what_is_off_unless_switched_on_is_opened_only_where_the_site_says_so() {
    assert!(asked(&policy(PLAYERS), "spinetix-player-snmp").is_empty() && because(&policy(PLAYERS), "spinetix-player-snmp").contains("services_on"));
    let some =
        format!("{PLAYERS}[[hosts]]\nname = \"lobby\"\naddresses = [\"10.1.0.7\"]\nroles = [\"spinetix.player\"]\nservices_on = [\"spinetix-player-snmp\"]\n");
    assert_eq!(asked(&policy(&some), "spinetix-player-snmp"), ["local > 10.1.0.7 tcp 161", "local > 10.1.0.7 udp 161"]);
    let all = format!("[site]\nservices_on = [\"spinetix-player-snmp\"]\n{PLAYERS}");
    assert_eq!(asked(&policy(&all), "spinetix-player-snmp"), ["local > 10.1.0.0/24 tcp 161", "local > 10.1.0.0/24 udp 161"]);
}

#[test]
fn peers_from_outside_are_let_in_only_if_that_is_wanted() {
    let site = |head: &str| format!("{head}[[networks]]\nname = \"studio\"\naddresses = [\"10.7.0.0/24\"]\nroles = [\"cobalt.peer\"]\n");
    assert_eq!(asked(&policy(&site("")), "cobalt-teatime-in"), ["local > 10.7.0.0/24 tcp 6900-6909"]);
    let wanted = policy(&site("[site]\nservices_on = [\"cobalt-teatime-in\"]\n"));
    assert_eq!(asked(&wanted, "cobalt-teatime-in"), ["any > 10.7.0.0/24 tcp 6900-6909"]);
}

#[test]
fn a_moved_row_is_opened_where_it_is_and_nowhere_else() {
    let text = "[[hosts]]\nname = \"one\"\naddresses = [\"10.4.0.21\"]\nroles = [\"cayin.cms\"]\n[[hosts]]\nname = \"two\"\naddresses = [\"10.4.0.22\"]\nroles = [\"cayin.cms\"]\n\
                [[ports]]\nservice = \"cayin-supermonitor-cmd\"\nports = [20010]\nservers = [\"one\"]\n";
    assert_eq!(asked(&policy(text), "cayin-supermonitor-cmd"), ["local > 10.4.0.21 tcp 20010", "local > 10.4.0.22 tcp 20000"]);
}

#[test]
fn a_product_that_is_too_old_for_a_row_gets_no_rule_for_it() {
    let text = format!("{PLAYERS}version = \"4.2.0\"\n");
    assert!(asked(&policy(&text), "spinetix-out-mqtt").is_empty());
    assert!(because(&policy(&text), "spinetix-out-mqtt").contains("player firmware 4.4.0"));
    assert_eq!(asked(&policy(&format!("{PLAYERS}version = \"4.4.0\"\n")), "spinetix-out-mqtt").len(), 1);
}

#[test]
fn hosts_with_static_addresses_ask_no_dhcp_server() {
    assert_eq!(asked(&policy(PLAYERS), "spinetix-player-dhcp"), ["10.1.0.0/24 > local udp 67"]);
    let fixed = policy(&format!("{PLAYERS}static_addresses = true\n"));
    assert!(asked(&fixed, "spinetix-player-dhcp").is_empty() && because(&fixed, "spinetix-player-dhcp").contains("static addresses"));
}

#[test]
fn discovery_is_no_matter_of_devices_between_networks() {
    let policy = policy(PLAYERS);
    assert!(asked(&policy, "spinetix-player-mdns").is_empty());
    assert!(told(policy.discovery.iter()).contains(&"10.1.0.0/24 > local udp 5353".to_owned()));
}

/// "Firewall: No" in the document's table.
#[test]
fn a_row_that_no_firewall_has_to_open_is_not_opened() {
    let policy = policy("[[hosts]]\nname = \"license\"\naddresses = [\"10.5.0.5\"]\nroles = [\"cinegy.license-service\"]\n");
    assert!(policy.openings.is_empty() && because(&policy, "cinegy-license-http").contains("no firewall needs an opening"));
}

#[test]
fn ports_that_ftp_announces_are_left_to_a_helper_that_reads_the_control_connection() {
    let text = "[[hosts]]\nname = \"cms\"\naddresses = [\"10.4.0.21\"]\nroles = [\"cayin.cms\"]\n[[networks]]\nname = \"branch\"\naddresses = [\"10.4.1.0/24\"]\nroles = [\"cayin.smp\"]\n";
    let policy = policy(text);
    let data = policy.openings.iter().find(|opening| opening.whys.iter().any(|why| why.id == "cayin-ftp-data-pasv")).expect("the row");
    let follows = data.follows.as_ref().expect("a helper");
    assert_eq!((follows.helper, told(follows.controls.iter())), ("ftp", vec!["10.4.1.0/24 > 10.4.0.21 tcp 21".to_owned()]));
}

#[test]
fn what_the_site_allows_is_opened_with_its_reason_and_its_last_day() {
    let text = format!(
        "{PLAYERS}[[allow]]\nclient = [\"10.2.0.5\"]\nserver = [\"players\"]\ntransport = \"tcp\"\nports = [22]\nreason = \"ticket 4711\"\nuntil = 2027-01-31\n"
    );
    let policy = policy(&text);
    assert_eq!(asked(&policy, "allow"), ["10.2.0.5 > 10.1.0.0/24 tcp 22"]);
    let why = policy.openings.iter().flat_map(|opening| &opening.whys).find(|why| why.id == "allow").expect("the entry");
    assert_eq!((why.says.as_str(), why.basis), ("ticket 4711", "site"));
    assert!(why.hints.iter().any(|hint| hint.contains("2027-01-31")));
}

#[test]
fn what_the_site_denies_is_not_opened() {
    let text = format!("{PLAYERS}[[deny]]\nclient = [\"players\"]\nservice = \"spinetix-out-http\"\nreason = \"no clear text\"\n");
    let policy = policy(&text);
    assert!(asked(&policy, "spinetix-out-http").is_empty() && because(&policy, "spinetix-out-http").contains("no clear text (site.toml:"));
    assert!(policy.closings.is_empty());
}

#[test]
fn what_the_site_denies_within_a_wider_opening_is_closed_first() {
    let text = format!("{PLAYERS}[[deny]]\nclient = [\"10.8.0.0/16\"]\nserver = [\"players\"]\nports = [80]\ntransport = \"tcp\"\nreason = \"guests\"\n");
    let policy = policy(&text);
    assert_eq!(told(policy.closings.iter()), ["10.8.0.0/16 > 10.1.0.0/24 tcp 80"]);
    assert_eq!(asked(&policy, "spinetix-player-http"), ["local > 10.1.0.0/24 tcp 80"]);
}

#[test]
fn a_host_with_a_role_of_its_own_is_none_of_its_networks() {
    let text = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/30\"]\nroles = [\"spinetix.player\"]\n[[hosts]]\nname = \"pc\"\naddresses = [\"10.1.0.1\"]\nroles = [\"spinetix.elementi\"]\n";
    assert_eq!(asked(&policy(text), "spinetix-out-ntp"), ["10.1.0.0,10.1.0.2/31 > any udp 123"]);
}

#[test]
fn documents_that_do_not_apply_ask_for_nothing() {
    let text = format!("[site]\nproducts = [\"cobalt\"]\n{PLAYERS}");
    assert_eq!(policy(&text).openings, []);
}

/// `--strict`: number and transport of these rows are other sources' words.
#[test]
fn the_documents_alone_ask_for_what_they_state() {
    let strict = Signatures::built_in().strict();
    let text = "[[hosts]]\nname = \"a\"\naddresses = [\"10.3.0.10\"]\nroles = [\"spotfire.server\"]\n[[hosts]]\nname = \"cms\"\naddresses = [\"10.4.0.21\"]\nroles = [\"cayin.cms\"]\n";
    let policy = of(&strict, text);
    assert!(policy.openings.iter().flat_map(|opening| &opening.whys).all(|why| why.basis == "document"));
    assert!(because(&policy, "cayin-smtp").contains("states no port"));
    assert_eq!(asked(&policy, "spotfire-public-https"), ["local > 10.3.0.10/32 tcp 443", "local > 10.3.0.10/32 udp 443"].map(|line| line.replace("/32", "")));
}

#[test]
fn both_families_are_told_apart_only_where_rules_are_written() {
    let text = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\", \"2001:db8:1::/64\"]\nroles = [\"spinetix.player\"]\n";
    let policy = policy(text);
    assert_eq!(asked(&policy, "spinetix-out-ntp"), ["10.1.0.0/24,2001:db8:1::/64 > any udp 123"]);
    let inside: IpAddr = "2001:db8:1::9".parse().expect("an address");
    assert!(policy.holds(&Zone::Local, inside) && !policy.holds(&Zone::Internet, inside), "what the site names is inside");
}
