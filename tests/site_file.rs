//! The site file as its writer meets it: the sample, typical mistakes and what a person is told about them. Each expectation was read and found right, not
//! copied blindly: the place must be that of the wrong word, the help must say what would be right.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]

use portbook::judge::Site;
use portbook::signature::{LoadError, Signatures};

const SAMPLE: &str = include_str!("../fixtures/sites/sample.toml");

fn read(text: &str) -> Result<Site, LoadError> {
    Site::from_text("office.toml", text, Signatures::built_in(), Signatures::built_in())
}

#[track_caller]
fn told(text: &str) -> String {
    match read(text) {
        Ok(_) => panic!("no mistake found"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_sample_says_nothing() {
    assert_eq!(read(SAMPLE).unwrap_or_else(|error| panic!("{error}")), Site::default());
}

#[test]
fn an_empty_file_says_nothing() {
    assert_eq!(read("").unwrap_or_else(|error| panic!("{error}")), Site::default());
}

#[test]
fn the_examples_of_the_sample_are_right_once_their_mark_is_taken_away() {
    let awake = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', ':']) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let site = read(&SAMPLE.lines().map(awake).collect::<String>()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((site.places.len(), site.moved.len(), site.allow.len(), site.deny.len(), site.ignore.len(), site.severities.len()), (2, 1, 1, 1, 1, 1));
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest_one() {
    insta::assert_snapshot!(told("[[networks]]\nname = \"players\"\naddreses = [\"10.1.0.0/24\"]\n"), @r#"
    error: `addreses` is no key here
     --> office.toml:3:1
      |
    3 | addreses = ["10.1.0.0/24"]
      | ^^^^^^^^
      |
      = help: did you mean `addresses`?
    "#);
}

#[test]
fn words_that_name_nothing_are_answered_with_the_nearest_that_do() {
    let text = r#"
[site]
products = ["spinetics"]
services_on = ["spinetix-player-snpm"]

[[hosts]]
name = "lobby"
addresses = ["10.1.0.2/33"]
roles = ["spinetix.plyer"]

[[allow]]
client = ["loby"]
protocol = "shh"
reason = "ticket 1"

[[severity]]
finding = "silent-drop"
severity = "lo"
"#;
    insta::assert_snapshot!(told(text), @r#"
    error: there is no document of `spinetics`
     --> office.toml:3:13
      |
    3 | products = ["spinetics"]
      |             ^^^^^^^^^^^
      |
      = help: did you mean `spinetix`?

    error: there is no service `spinetix-player-snpm`
     --> office.toml:4:16
      |
    4 | services_on = ["spinetix-player-snpm"]
      |                ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `spinetix-player-snmp`?

    error: `10.1.0.2/33` is no address or network: write "10.1.0.2" or "10.1.0.0/24"
     --> office.toml:8:14
      |
    8 | addresses = ["10.1.0.2/33"]
      |              ^^^^^^^^^^^^^

    error: there is no role `spinetix.plyer`
     --> office.toml:9:10
      |
    9 | roles = ["spinetix.plyer"]
      |          ^^^^^^^^^^^^^^^^
      |
      = help: did you mean `spinetix.player`?

    error: `loby` names nobody
      --> office.toml:12:11
       |
    12 | client = ["loby"]
       |           ^^^^^^
       |
       = help: did you mean `lobby`?

    error: `shh` is no protocol name
      --> office.toml:13:12
       |
    13 | protocol = "shh"
       |            ^^^^^
       |
       = help: did you mean `ssh`?

    error: `lo` is no word for this key
      --> office.toml:18:12
       |
    18 | severity = "lo"
       |            ^^^^
       |
       = help: did you mean `low`?
    "#);
}

#[test]
fn what_is_about_everything_or_nobody_is_a_mistake() {
    let text = r#"
[[hosts]]
name = "lobby"
addresses = []
version = "latest"

[[hosts]]
name = "lobby"
addresses = ["10.1.0.3"]
macs = ["00:1d:50"]

[[deny]]
reason = " "

[[ports]]
service = "spinetix-player-sharedvar"
ports = []
"#;
    insta::assert_snapshot!(told(text), @r#"
    error: `addresses` names nobody
     --> office.toml:4:13
      |
    4 | addresses = []
      |             ^^
      |
      = help: write addresses = ["10.1.0.0/24"]

    error: `latest` cannot be compared with the documents' versions
     --> office.toml:5:11
      |
    5 | version = "latest"
      |           ^^^^^^^^
      |
      = help: write its number: version = "4.6.2"; what is no number is an `edition`

    error: the name `lobby` is there twice
     --> office.toml:8:8
      |
    8 | name = "lobby"
      |        ^^^^^^^
      |
      = help: give each network and host a name of its own

    error: `00:1d:50` is no hardware address: write "00:1d:50:20:11:02"
      --> office.toml:10:9
       |
    10 | macs = ["00:1d:50"]
       |         ^^^^^^^^^^

    error: the entry is about everything
      --> office.toml:13:10
       |
    13 | reason = " "
       |          ^^^
       |
       = help: name one of: client, server, service, transport, ports, protocol

    error: the reason is empty
      --> office.toml:13:10
       |
    13 | reason = " "
       |          ^^^
       |
       = help: write a ticket number or a sentence

    error: `ports` names no port
      --> office.toml:17:9
       |
    17 | ports = []
       |         ^^
       |
       = help: write ports = [5555]
    "#);
}

#[test]
fn a_wrong_date_and_a_wrong_table_are_shown_where_they_stand() {
    insta::assert_snapshot!(told("[[allow]]\nports = [22]\nreason = \"r\"\nuntil = \"2027-01-31\"\n\n[[allows]]\n"), @r#"
    error: this is no date: write it without quotes, as in 2027-01-31
     --> office.toml:4:9
      |
    4 | until = "2027-01-31"
      |         ^^^^^^^^^^^^

    error: `allows` is no table of a site file
     --> office.toml:6:3
      |
    6 | [[allows]]
      |   ^^^^^^
      |
      = help: did you mean `allow`?
    "#);
}

#[test]
fn a_value_of_another_kind_is_answered_with_how_to_write_it() {
    let text = "[[hosts]]\nname = \"lobby\"\naddresses = \"10.1.0.2\"\nversion = 4.6\nstatic_addresses = \"yes\"\n";
    insta::assert_snapshot!(told(text), @r#"
    error: a text where a list belongs
     --> office.toml:3:13
      |
    3 | addresses = "10.1.0.2"
      |             ^^^^^^^^^^
      |
      = help: write it in brackets: ["10.1.0.2"]

    error: a number where a text belongs
     --> office.toml:4:11
      |
    4 | version = 4.6
      |           ^^^
      |
      = help: write it in quotes: "4.6"

    error: a text where `true` or `false` belongs
     --> office.toml:5:20
      |
    5 | static_addresses = "yes"
      |                    ^^^^^
      |
      = help: write one of them, without quotes
    "#);
}

#[test]
fn a_host_with_the_length_of_its_network_may_mean_either() {
    insta::assert_snapshot!(told("[[hosts]]\nname = \"lobby\"\naddresses = [\"10.1.0.5/24\"]\n"), @r#"
    error: `10.1.0.5/24` is one address of a network: write "10.1.0.5" for that host, "10.1.0.0/24" for all of them
     --> office.toml:3:14
      |
    3 | addresses = ["10.1.0.5/24"]
      |              ^^^^^^^^^^^^^
    "#);
}

#[test]
fn no_network_is_called_what_means_something_else() {
    insta::assert_snapshot!(told("[[networks]]\nname = \"internet\"\naddresses = [\"192.0.2.0/24\"]\n"), @r#"
    error: `internet` is no name for it
     --> office.toml:2:8
      |
    2 | name = "internet"
      |        ^^^^^^^^^^
      |
      = help: `local`, `internet` and addresses mean themselves wherever an entry names its ends: give it a name of its own
    "#);
}

#[test]
fn a_file_that_is_no_toml_is_shown_where_it_stops_being_it() {
    insta::assert_snapshot!(told("[site]\nname = office\n"), @r#"
    error: this is not TOML: string values must be quoted, expected literal string
     --> office.toml:2:8
      |
    2 | name = office
      |        ^^^^^^
    "#);
}

/// A row of another source is left out by `--strict`; what the site says about it falls away, and is no mistake.
#[test]
fn a_row_that_was_left_out_is_no_mistake() {
    let whole = Signatures::built_in();
    let text = "[[ports]]\nservice = \"sup-cayin-ftp\"\nports = [2121]\n\n[[deny]]\nservice = \"sup-cayin-ftp\"\nreason = \"r\"\n";
    let site = Site::from_text("office.toml", text, &whole.strict(), whole).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(site, Site::default());
    assert_eq!(read(text).unwrap_or_else(|error| panic!("{error}")).moved.len(), 1);
}
