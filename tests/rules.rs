//! `portbook rules`: what each syntax says, that the filters themselves take it, and that captures leave only what is missing.
//!
//! Loading needs root (a network namespace of its own) and the programs; without them a test says so and passes.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test")]

#[path = "shared/csv.rs"]
mod csv;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use self::csv::csv_rows;

const VENDORS: [&str; 5] = ["cayin", "cinegy", "cobalt", "spinetix", "spotfire"];
const SYNTAXES: [&str; 5] = ["nftables", "iptables", "cisco-ios", "windows", "csv"];

/// Both families, a moved port, entries of every kind, and words that would leave a comment or a quotation if they could.
const HARSH: &str = r#"
[site]
name = "Lobby's \"first\" floor\naccept"
[[networks]]
name = "players"
addresses = ["10.1.0.0/24", "2001:db8:1::/64"]
roles = ["spinetix.player"]
services_on = ["spinetix-player-snmp", "spinetix-player-sharedvar"]
[[hosts]]
name = "authoring"
addresses = ["10.2.0.5", "2001:db8:2::5"]
roles = ["spinetix.elementi"]
[[hosts]]
name = "cms"
addresses = ["10.4.0.21", "fd00:4::21"]
roles = ["cayin.cms"]
[[hosts]]
name = "smp"
addresses = ["10.4.1.0/24", "fd00:5::/64"]
roles = ["cayin.smp", "cobalt.peer"]
[[ports]]
service = "spinetix-player-sharedvar"
ports = [5555, "6000-6003", 7000, 7002, 7004, 7006, 7008, 7010, 7012, 7014, 7016, 7018, 7020, 7022, 7024, 7026]
[[allow]]
client = ["authoring"]
server = ["players"]
ports = [22]
reason = "it's \"fine\"\n}\nadd rule inet portbook documents accept\n-A FORWARD -j ACCEPT\nend; Remove-Item $(1) `n"
[[allow]]
client = ["players"]
server = ["internet"]
transport = "esp"
reason = "a tunnel"
[[allow]]
client = ["local"]
server = ["internet"]
transport = "tcp"
ports = [853]
reason = "DNS over TLS"
[[allow]]
client = ["internet"]
server = ["cms"]
transport = "tcp"
ports = [443]
reason = "forwarded"
[[allow]]
client = ["players"]
server = ["authoring"]
reason = "anything"
[[deny]]
client = ["internet"]
server = ["cms"]
transport = "tcp"
ports = ["440-450"]
reason = "closed again"
[[deny]]
client = ["local"]
server = ["internet"]
transport = "udp"
reason = "no datagrams"
[[deny]]
client = ["10.2.0.0/24"]
server = ["players"]
transport = "tcp"
ports = [80]
reason = "not from there"
"#;

/// The issue: the SpinetiX sample lists the four outbound rows by name pattern or states why an address rule must not be used.
#[test]
fn the_four_outbound_rows_of_the_spinetix_sample_go_by_name_or_to_anybody() {
    for syntax in SYNTAXES {
        let rules = rules(&sample("spinetix"), syntax);
        for row in ["spinetix-out-http", "spinetix-out-https", "spinetix-out-mqtt", "spinetix-out-ntp"] {
            assert!(rules.contains(row), "{syntax} lacks {row}");
        }
        assert!(rules.contains("*.services.spinetix.com") && rules.contains("never by address"), "{syntax} states the names, and why no address");
        assert!(!rules.contains("203.0.113."), "{syntax} knows no address of the cloud");
    }
    let nft = rules(&sample("spinetix"), "nftables");
    for line in [
        "ip saddr 10.1.0.0/24 tcp dport 80 counter accept comment \"spinetix-out-http\"",
        "ip saddr 10.1.0.0/24 ip daddr @services_spinetix_com_v4 tcp dport 443 counter accept comment \"spinetix-out-https, spinetix-arya-player-https\"",
        "ip saddr 10.1.0.0/24 ip daddr @services_spinetix_com_v4 tcp dport 8883 counter accept comment \"spinetix-out-mqtt, spinetix-arya-player-mqtt\"",
        "ip saddr 10.1.0.0/24 udp dport 123 counter accept comment \"spinetix-player-ntp, spinetix-out-ntp\"",
    ] {
        assert!(nft.lines().any(|given| given.trim() == line), "no line: {line}");
    }
}

#[test]
fn nft_takes_every_table_and_takes_it_again() {
    let Some(load) = namespace("nft", "nft -c -f - <RULES && nft -f - <RULES && nft -f - <RULES && nft list table inet portbook") else { return };
    for (name, rules) in all("nftables") {
        let listed = load(&rules);
        assert!(listed.status.success(), "{name}: {}", text(&listed.stderr));
        let list = text(&listed.stdout);
        assert!(list.contains("hook forward priority filter; policy drop;"), "{name}: {list}");
        // What the file says and what the kernel lists, rule by rule.
        let count = |text: &str| text.lines().filter(|line| !line.trim().starts_with('#') && line.contains("counter")).count();
        assert_eq!(count(&rules), count(&list), "{name}: {list}");
    }
}

#[test]
fn both_restore_programs_take_the_one_file() {
    let script =
        "for p in iptables ip6tables; do $p-restore --test <RULES && $p-restore --noflush <RULES && $p-restore --noflush <RULES && $p-save || exit 1; done";
    let Some(load) = namespace("iptables-restore", script) else { return };
    for (name, rules) in all("iptables") {
        let saved = load(&rules);
        assert!(saved.status.success(), "{name}: {}", text(&saved.stderr));
        let list = text(&saved.stdout);
        assert!(list.contains(":FORWARD DROP"), "{name}: {list}");
        // Lines of one family, and those of both, which each program takes.
        let flagged = |flag: &str| rules.lines().filter(|line| line.starts_with(flag) && line.contains("-A PORTBOOK")).count();
        let both = rules.lines().filter(|line| line.starts_with("-A PORTBOOK")).count() * 2;
        let loaded = list.lines().filter(|line| line.starts_with("-A PORTBOOK")).count();
        assert_eq!(flagged("-4") + flagged("-6") + both, loaded, "{name}: {list}");
    }
}

/// What stands in a comment must stay there, whatever a site file says.
#[test]
fn no_word_of_a_site_file_becomes_a_rule() {
    for syntax in ["nftables", "iptables", "windows"] {
        let rules = rules_of(HARSH, syntax, &[]);
        for line in
            rules.lines().filter(|line| line.contains("Remove-Item") || line.contains("add rule inet portbook") || line.contains("-A FORWARD -j ACCEPT"))
        {
            assert!(line.trim_start().starts_with('#'), "{syntax}: {line}");
        }
    }
    let cisco = rules_of(HARSH, "cisco-ios", &[]);
    for line in cisco.lines().filter(|line| line.contains("Remove-Item") || line.contains("add rule inet")) {
        assert!(line.starts_with('!') || line.starts_with(" remark "), "{line}");
    }
}

#[test]
fn access_lists_are_made_of_lines_that_ios_knows() {
    for (name, rules) in all("cisco-ios") {
        for line in rules.lines() {
            assert!(line.is_ascii() && !line.contains('?'), "{name}: {line}");
            let known = line.starts_with('!')
                || is_group_line(line)
                || line.starts_with("ip access-list extended PORTBOOK")
                || line.starts_with("ipv6 access-list PORTBOOK6");
            let entry = line.strip_prefix(' ').filter(|entry| ["permit ", "deny ", "remark "].iter().any(|word| entry.starts_with(word)));
            assert!(known || entry.is_some(), "{name}: {line}");
            if let Some(remark) = line.strip_prefix(" remark ") {
                assert!(remark.len() <= 100, "{name}: {line}");
            } else if let Some(entry) = entry {
                assert!(is_entry(entry), "{name}: {entry}");
            }
        }
    }
    let sample = rules(&sample("spinetix"), "cisco-ios");
    assert!(sample.lines().any(|line| line == " permit tcp 10.1.0.0 0.0.0.255 any eq 80"), "wildcard masks, not netmasks");
    assert!(sample.lines().any(|line| line == " permit tcp host 10.2.0.5 10.1.0.0 0.0.0.255 eq 22"));
    assert!(rules_of(HARSH, "cisco-ios", &[]).lines().any(|line| line == " permit udp 2001:db8:1::/64 any eq 123"));
}

fn is_group_line(line: &str) -> bool {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    line.starts_with("object-group network PORTBOOK-")
        || line.starts_with(' ') && words.all(|word| word == "host" || word.parse::<std::net::Ipv4Addr>().is_ok())
}

/// `permit PROTOCOL END [PORTS] END [PORTS]`.
fn is_entry(entry: &str) -> bool {
    let mut words = entry.split(' ').skip(1).peekable();
    let protocol = words.next().is_some_and(|word| ["tcp", "udp", "icmp", "ip", "ipv6"].contains(&word) || word.parse::<u8>().is_ok());
    for _ in 0..2 {
        let end = match words.next() {
            Some("any") => true,
            Some("host") => words.next().is_some_and(|word| word.parse::<std::net::IpAddr>().is_ok()),
            Some("object-group") => words.next().is_some_and(|word| word.starts_with("PORTBOOK-")),
            Some(word) if word.contains(':') => word.parse::<ipnet::Ipv6Net>().is_ok(),
            Some(word) => word.parse::<std::net::Ipv4Addr>().is_ok() && words.next().is_some_and(|mask| mask.parse::<std::net::Ipv4Addr>().is_ok()),
            None => false,
        };
        let number = |word: Option<&str>| word.is_some_and(|word| word.parse::<u16>().is_ok());
        let ports = match words.peek() {
            Some(&"eq") => words.next().is_some() && number(words.next()),
            Some(&"range") => words.next().is_some() && number(words.next()) && number(words.next()),
            _ => true,
        };
        if !end || !ports {
            return false;
        }
    }
    protocol && words.next().is_none_or(|word| ["established", "unreachable", "packet-too-big", "time-exceeded"].contains(&word))
}

/// ICMP, ESP and their like have no ports that a document could state: the row is opened by its protocol, each way, and loads.
#[test]
fn a_row_of_a_transport_without_ports_is_opened_by_its_transport() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("acme.toml"), SUPERVISED).expect("a file");
    let of = |syntax: &str| rules_of(ACME_SITE, syntax, &["--signatures", &folder.path().to_string_lossy()]);
    let has = |syntax: &str, line: &str| assert!(of(syntax).lines().any(|given| given.trim().starts_with(line)), "{syntax}: no {line} in {}", of(syntax));
    has("nftables", "ip saddr 10.1.0.0/24 ip daddr 10.2.0.0/24 meta l4proto 1 counter accept");
    has("nftables", "ip6 saddr 2001:db8:1::/64 ip6 daddr 2001:db8:2::/64 meta l4proto 50 counter accept");
    has("iptables", "-4 -A PORTBOOK -s 10.1.0.0/24 -d 10.2.0.0/24 -p 1 -m comment");
    has("cisco-ios", "permit 1 10.1.0.0 0.0.0.255 10.2.0.0 0.0.0.255");
    has("cisco-ios", "permit 1 10.2.0.0 0.0.0.255 10.1.0.0 0.0.0.255");
    has(
        "windows",
        "New-NetFirewallRule -Group 'portbook' -DisplayName 'portbook acme-ping' -Direction Inbound -Action Allow -Protocol 1 -RemoteAddress '10.1.0.0/24'",
    );
    for syntax in SYNTAXES {
        let rules = of(syntax);
        assert!(!rules.contains("acme-ping (Supervision)") && !rules.contains("states no port"), "{syntax}: {rules}");
    }
    // ICMP belongs to IPv4; that of IPv6 is a protocol of its own.
    for (syntax, wrong) in [("nftables", "2001:db8:2::/64 meta l4proto 1 "), ("iptables", "-d 2001:db8:2::/64 -p 1 "), ("cisco-ios", "permit 1 2001:")] {
        assert!(!of(syntax).contains(wrong), "{syntax}: {}", of(syntax));
    }
    if let Some(load) = namespace("nft", "nft -f - <RULES") {
        assert!(load(&of("nftables")).status.success());
    }
    if let Some(load) = namespace("iptables-restore", "iptables-restore <RULES && ip6tables-restore <RULES") {
        assert!(load(&of("iptables")).status.success());
    }
}

/// RFC 1191, RFC 8201: who drops "fragmentation needed" and "packet too big" makes large packets vanish. An access list keeps no state by which errors would pass.
#[test]
fn access_lists_let_errors_pass_that_hosts_need() {
    let rules = rules_of(HARSH, "cisco-ios", &[]);
    let (v4, v6) = rules.split_once("\nipv6 access-list PORTBOOK6\n").expect("both lists");
    assert!(v4.contains(" permit icmp any any unreachable\n") && v4.contains(" permit icmp any any time-exceeded\n"), "{v4}");
    assert!(v6.contains(" permit icmp any any packet-too-big\n") && v6.contains(" permit icmp any any unreachable\n"), "{v6}");
}

/// Every line of a script is a comment, one of the frame, or one rule; texts are closed before the line ends.
#[test]
fn scripts_for_windows_are_comments_and_rules() {
    for (name, rules) in all("windows") {
        let code: Vec<&str> = rules.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(code.first(), Some(&"param([Parameter(Mandatory)][string[]]$On)"), "{name}");
        for line in &code {
            assert!(line.matches('\'').count() % 2 == 0, "{name}: {line}");
            let frame = [
                "param(",
                "$parts = ",
                "$On | ",
                "Remove-NetFirewallRule -Group 'portbook'",
                "if ($On -contains '",
                "}",
                "New-NetFirewallRule -Group 'portbook' ",
            ];
            assert!(frame.iter().any(|word| line.starts_with(word)), "{name}: {line}");
        }
        let ways = |word: &str| code.iter().filter(|line| line.contains(word)).count();
        assert!(name == "cinegy" || ways("-Direction Inbound") > 0 && ways("-Direction Outbound") > 0, "{name}");
    }
    let rules = rules(&sample("spinetix"), "windows");
    assert!(rules.contains("-Direction Inbound -Action Allow -Protocol UDP -LocalPort '5353' -RemoteAddress LocalSubnet"), "discovery stays on the LAN");
}

#[test]
fn the_spreadsheet_has_a_line_for_each_rule_and_row() {
    for (name, rules) in all("csv") {
        let rows = csv_rows(&rules);
        assert!(rows.iter().all(|row| row.len() == 10), "{name}: {rows:?}");
        assert_eq!(rows[0][..8], ["from", "to", "transport", "ports", "service", "why", "citation", "basis"], "{name}");
        assert!(rows.iter().skip(1).flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{name}");
    }
    let rows = csv_rows(&rules(&sample("spinetix"), "csv"));
    let mqtt = rows.iter().find(|row| row[4] == "spinetix-out-mqtt").expect("the row");
    assert!(
        mqtt[1].starts_with("*.services.spinetix.com") && mqtt[2] == "tcp" && mqtt[3] == "8883" && mqtt[7] == "document" && mqtt[8] == "allow by name",
        "{mqtt:?}"
    );
    assert!(mqtt[6].contains("\"TCP | 8883 | MQTT access to SpinetiX cloud infrastructure. Added in firmware 4.4.0.\""), "{mqtt:?}");
}

#[test]
fn the_same_site_gives_the_same_rules() {
    for syntax in SYNTAXES {
        assert_eq!(rules_of(HARSH, syntax, &[]), rules_of(HARSH, syntax, &[]));
    }
}

/// The demo's firewall drops MQTT and nothing else that a document asks for.
#[test]
fn captures_leave_what_does_not_get_through() {
    let demo = folder("fixtures/captures/demo/capture.pcap");
    let nft = rules_of(PLAYERS, "nftables", &[&demo.to_string_lossy()]);
    let lines: Vec<&str> = nft.lines().map(str::trim).filter(|line| line.contains("counter accept") && !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        ["ip saddr 10.1.0.0/24 ip daddr @services_spinetix_com_v4 tcp dport 8883 counter accept comment \"spinetix-out-mqtt, spinetix-arya-player-mqtt\""]
    );
    assert!(nft.contains("seen: 4 flows do not get through (silent_drop): 10.1.0.2 to 203.0.113.10, frames 44, 45, 47, 51"), "{nft}");
    let healthy = rules_of(PLAYERS, "csv", &[&folder("fixtures/captures/mqtt-tls-allowed/capture.pcap").to_string_lossy()]);
    assert_eq!(csv_rows(&healthy).len(), 1, "nothing is missing: {healthy}");
}

/// SQL Server may stand anywhere by Cinegy's document, so without its role no rule is made for it: that is said, and not that nothing is missing.
#[test]
fn what_has_no_rule_and_does_not_get_through_is_named_in_every_syntax() {
    let site = "[[hosts]]\nname = \"mams\"\naddresses = [\"10.1.0.60\"]\nroles = [\"cinegy.mams\"]\n";
    let capture = folder("fixtures/captures/sql-browser-instance-dropped/capture.pcap");
    for syntax in SYNTAXES {
        let rules = rules_of(site, syntax, &[&capture.to_string_lossy()]);
        assert!(!rules.contains("nothing is missing"), "{rules}");
        assert!(rules.contains("cinegy-sqlserver") && rules.contains("`cinegy.sql-server`") && rules.contains("silent_drop"), "{rules}");
    }
}

/// A connection that another one announces is missing though its control connection passes.
#[test]
fn an_announced_connection_that_is_dropped_asks_for_the_helper() {
    let site = "[[hosts]]\nname = \"cms\"\naddresses = [\"10.2.0.21\"]\nroles = [\"cayin.cms\"]\n[[networks]]\nname = \"smp\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"cayin.smp\"]\n";
    let capture = folder("fixtures/captures/ftp-data-dropped/capture.pcap");
    let rows = csv_rows(&rules_of(site, "csv", &[&capture.to_string_lossy()]));
    let missing: Vec<(&str, &str)> = rows.iter().skip(1).map(|row| (row[4].as_str(), row[8].as_str())).collect();
    assert_eq!(missing, [("cayin-ftp-data-pasv", "allow by helper")]);
}

#[test]
fn a_mistake_in_the_site_file_is_shown_with_its_place_and_a_site_without_roles_asks_for_nothing() {
    let wrong = written("[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.plyer\"]\n");
    let run = portbook(&["rules", "--to", "csv", "--site", &wrong.path().to_string_lossy()]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains(":4:10") && text(&run.stderr).contains("did you mean `spinetix.player`?"), "{}", text(&run.stderr));
    let run = portbook(&["rules", "--to", "csv"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("nobody has a role"), "{}", text(&run.stderr));
}

const PLAYERS: &str = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n";

/// The rules of the five samples and of the harsh site, documents alone and with what other sources add.
fn all(syntax: &str) -> Vec<(String, String)> {
    let samples = VENDORS.iter().map(|vendor| ((*vendor).to_owned(), rules(&sample(vendor), syntax)));
    samples.chain([("harsh".to_owned(), rules_of(HARSH, syntax, &[])), ("strict".to_owned(), rules_of(HARSH, syntax, &["--strict"]))]).collect()
}

fn rules(site: &Path, syntax: &str) -> String {
    let run = portbook(&["rules", "--site", &site.to_string_lossy(), "--to", syntax]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    text(&run.stdout)
}

fn rules_of(site: &str, syntax: &str, more: &[&str]) -> String {
    let file = written(site);
    let run = portbook(&[&["rules", "--site", &file.path().to_string_lossy(), "--to", syntax][..], more].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    text(&run.stdout).replace(&*file.path().to_string_lossy(), "site.toml")
}

fn written(site: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(site.as_bytes()).expect("a file");
    file
}

fn sample(vendor: &str) -> PathBuf {
    folder(&format!("fixtures/sites/{vendor}.toml"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn portbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).output().expect("portbook runs")
}

/// Runs a script in a network namespace of its own, `RULES` standing for a file with the rules.
fn namespace(program: &str, script: &'static str) -> Option<impl Fn(&str) -> Output> {
    let there =
        |program: &str, flag: &str| Command::new(program).arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there(program, "--version") {
        println!("skipped: {program} is not installed");
        return None;
    }
    let namespaces = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        println!("skipped: needs root");
        return None;
    }
    Some(move |rules: &str| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(rules.as_bytes()).expect("a file");
        let script = script.replace("<RULES", &format!("<{}", file.path().display()));
        Command::new("unshare").args(["-n", "sh", "-c", &script]).output().expect("the script runs")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn rules_are_written_to_a_file_as_to_the_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("rules.nft");
    let run = portbook(&["rules", "--site", &sample("cobalt").to_string_lossy(), "--to", "nftables", "--output", &target.to_string_lossy()]);
    assert!(run.status.success() && run.stdout.is_empty());
    assert_eq!(fs::read_to_string(&target).expect("a file"), rules(&sample("cobalt"), "nftables"));
}

const ACME_SITE: &str = "[[networks]]\nname = \"one\"\naddresses = [\"10.1.0.0/24\", \"2001:db8:1::/64\"]\nroles = [\"acme.controller\"]\n\n\
[[networks]]\nname = \"other\"\naddresses = [\"10.2.0.0/24\", \"2001:db8:2::/64\"]\nroles = [\"acme.panel\"]\n";
const SUPERVISED: &str = concat!(
    include_str!("data/supervised.toml"),
    r#"
[[services]]
id = "acme-tunnel"
name = "Tunnel"
client = ["acme.controller"]
server = ["acme.panel"]
direction = "internal"
transports = ["esp"]
protocol_name = "IPsec"
quote = "ESP | -"
"#
);
