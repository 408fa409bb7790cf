//! Typical mistakes in a signature file, and what a person is told. Each expectation was read and found right, not copied blindly: the
//! place must be that of the wrong word, the help must say what would be right.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::path::PathBuf;

use portbook::app::signatures::check;
use portbook::signature::{LoadError, Only, Signatures};

/// A file without mistakes.
const GOOD: &str = r#"[document]
vendor = "acme"
name = "Acme"
title = "Firewall guide"

[[roles]]
id = "acme.recorder"
name = "Acme recorder"
kind = "product"

[[services]]
id = "acme-rtsp"
name = "Live pictures"
client = ["acme.recorder"]
server = ["acme.recorder"]
direction = "in"
transports = ["tcp"]
ports = [554]
protocol_name = "RTSP"
protocols = [["rtsp"]]
quote = "RTSP | TCP 554"
"#;

/// What is told about a text.
fn told(text: &str) -> String {
    match Signatures::from_texts([("acme.toml", text)], Only::Added) {
        Ok(_) => panic!("no mistake found"),
        Err(error) => error.to_string(),
    }
}

/// What is told about the good file with one piece replaced by another.
fn told_with(edits: &[(&str, &str)]) -> String {
    let edited = edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "nothing to replace: {from}");
        text.replace(from, to)
    });
    told(&edited)
}

#[test]
fn the_good_file_has_no_mistake() {
    let all = Signatures::from_texts([("acme.toml", GOOD)], Only::TheseOnly).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((all.documents.len(), all.roles.len(), all.services.len()), (1, 1, 1));
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest_one() {
    insta::assert_snapshot!(told_with(&[("transports =", "trasnports =")]), @r#"
    error: `trasnports` is no key here
      --> acme.toml:17:1
       |
    17 | trasnports = ["tcp"]
       | ^^^^^^^^^^
       |
       = help: did you mean `transports`?
    "#);
}

#[test]
fn an_unknown_role_points_at_the_word_in_its_list() {
    insta::assert_snapshot!(told_with(&[(r#"server = ["acme.recorder"]"#, r#"server = ["acme.recoder"]"#)]), @r#"
    error: there is no role `acme.recoder`
      --> acme.toml:15:11
       |
    15 | server = ["acme.recoder"]
       |           ^^^^^^^^^^^^^^
       |
       = help: did you mean `acme.recorder`?
    "#);
}

#[test]
fn a_port_range_that_runs_backwards_is_turned_round() {
    insta::assert_snapshot!(told_with(&[("[554]", r#"[554, "8556-8554"]"#)]), @r#"
    error: the port range 8556-8554 runs backwards: write "8554-8556"
      --> acme.toml:18:15
       |
    18 | ports = [554, "8556-8554"]
       |               ^^^^^^^^^^^
    "#);
}

#[test]
fn a_second_row_of_the_same_id_names_the_place_of_the_first() {
    insta::assert_snapshot!(told(&format!("{GOOD}[[services]]{}", GOOD.split_once("[[services]]").expect("a service").1)), @r#"
    error: the id `acme-rtsp` is there twice
      --> acme.toml:23:6
       |
    23 | id = "acme-rtsp"
       |      ^^^^^^^^^^^
       |
       = help: the first one is at acme.toml:12:6; give this one a name of its own
    "#);
}

#[test]
fn a_rule_about_an_unknown_service_is_answered_with_the_nearest_one() {
    insta::assert_snapshot!(told(&format!("{GOOD}{}", r#"
[[rules]]
id = "acme-rule-mandatory"
says = "Needed."
effect = "mandatory"
services = ["acme-rstp"]
quote = "Port 554 is mandatory."
"#)), @r#"
    error: there is no service `acme-rstp`
      --> acme.toml:27:13
       |
    27 | services = ["acme-rstp"]
       |             ^^^^^^^^^^^
       |
       = help: did you mean `acme-rtsp`?
    "#);
}

#[test]
fn an_unknown_effect_is_answered_with_the_nearest_one() {
    insta::assert_snapshot!(told(&format!("{GOOD}{}", r#"
[[rules]]
id = "acme-rule-mandatory"
says = "Needed."
effect = "mandatroy"
services = ["acme-rtsp"]
quote = "Port 554 is mandatory."
"#)), @r#"
    error: `mandatroy` is no word for this key
      --> acme.toml:26:10
       |
    26 | effect = "mandatroy"
       |          ^^^^^^^^^^^
       |
       = help: did you mean `mandatory`?
    "#);
}

#[test]
fn a_row_without_a_quote_is_told_to_copy_the_sentence() {
    insta::assert_snapshot!(told_with(&[(r#"quote = "RTSP | TCP 554"
"#, "")]), @r#"
    error: `acme-rtsp` has no `quote`
      --> acme.toml:12:6
       |
    12 | id = "acme-rtsp"
       |      ^^^^^^^^^^^
       |
       = help: copy the sentence or table row word for word: quote = "..."
    "#);
}

#[test]
fn an_unknown_protocol_is_answered_with_the_nearest_name() {
    insta::assert_snapshot!(told_with(&[(r#"[["rtsp"]]"#, r#"[["rtps"]]"#)]), @r#"
    error: `rtps` is no protocol name
      --> acme.toml:20:15
       |
    20 | protocols = [["rtps"]]
       |               ^^^^^^
       |
       = help: did you mean `rtsp`?
    "#);
}

#[test]
fn a_port_beyond_65535_is_refused() {
    insta::assert_snapshot!(told_with(&[("[554]", "[554, 70000]")]), @r#"
    error: 70000 is no port: they run from 0 to 65535
      --> acme.toml:18:15
       |
    18 | ports = [554, 70000]
       |               ^^^^^
    "#);
}

#[test]
fn every_missing_key_of_a_row_is_told() {
    insta::assert_snapshot!(told_with(&[(r#"direction = "in"
"#, ""), (r#"protocol_name = "RTSP"
"#, "")]), @r#"
    error: service `acme-rtsp` has no `direction`
      --> acme.toml:11:1
       |
    11 | [[services]]
       | ^^^^^^^^^^^^
       |
       = help: direction is one of: in, out, out_only, internal, discovery, unknown

    error: service `acme-rtsp` has no `protocol_name`
      --> acme.toml:11:1
       |
    11 | [[services]]
       | ^^^^^^^^^^^^
       |
       = help: say what the document calls the protocol: protocol_name = "HTTPS"
    "#);
}

#[test]
fn what_is_no_toml_is_told_once_and_where() {
    insta::assert_snapshot!(told_with(&[(r#"["tcp"]"#, r#"["tcp""#)]), @r#"
    error: this is not TOML: missing comma between array elements, expected `,`
      --> acme.toml:18:1
       |
    18 | ports = [554]
       | ^
    "#);
}

#[test]
fn a_supplement_without_its_source_is_told_to_name_it() {
    insta::assert_snapshot!(told_with(&[(r#"quote = "RTSP | TCP 554"
"#, r#"basis = "supplement"
states = "RTSP on 554"
"#)]), @r#"
    error: `acme-rtsp` has no `url`
      --> acme.toml:12:6
       |
    12 | id = "acme-rtsp"
       |      ^^^^^^^^^^^
       |
       = help: name the source of the supplement: url = "..."
    "#);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_in_file_order() {
    insta::assert_snapshot!(told_with(&[(r#"kind = "product""#, r#"kind = "prodct""#), (r#"transports = ["tcp"]"#, r#"transports = ["tpc"]"#), ("[554]", r#"["x", "2-1"]"#), (r#"[["rtsp"]]"#, r#"[["rtps"]]"#)]), @r#"
    error: `prodct` is no word for this key
     --> acme.toml:9:8
      |
    9 | kind = "prodct"
      |        ^^^^^^^^
      |
      = help: did you mean `product`?

    error: `tpc` is no word for this key
      --> acme.toml:17:15
       |
    17 | transports = ["tpc"]
       |               ^^^^^
       |
       = help: did you mean `tcp`?

    error: `x` is no port range: write "6900-6909", within 0 to 65535
      --> acme.toml:18:10
       |
    18 | ports = ["x", "2-1"]
       |          ^^^

    error: the port range 2-1 runs backwards: write "1-2"
      --> acme.toml:18:15
       |
    18 | ports = ["x", "2-1"]
       |               ^^^^^

    error: `rtps` is no protocol name
      --> acme.toml:20:15
       |
    20 | protocols = [["rtps"]]
       |               ^^^^^^
       |
       = help: did you mean `rtsp`?
    "#);
}

#[test]
fn a_row_may_refer_to_one_that_does_not_read() {
    let broken =
        GOOD.replace("[554]", "[70000]") + "\n[[rules]]\nid = \"acme-r\"\nsays = \"S.\"\neffect = \"hint\"\nservices = [\"acme-rtsp\"]\nquote = \"q\"\n";
    assert!(!told(&broken).contains("there is no service"));
}

#[test]
fn an_entry_with_thousands_of_mistakes_is_given_up_after_a_hundred() {
    let ports = (0..5_000).map(|nth| format!("\"x{nth}\"")).collect::<Vec<_>>().join(", ");
    assert_eq!(told(&GOOD.replace("[554]", &format!("[{ports}]"))).matches("error:").count(), 100);
}

#[test]
fn any_prefix_of_a_file_loads_or_is_refused_without_a_panic() {
    let refused = |end: &usize| Signatures::from_texts([("acme.toml", &GOOD[..*end])], Only::TheseOnly).err();
    let refused: Vec<LoadError> = (0..GOOD.len()).filter_map(|end| refused(&end)).collect();
    assert!(refused.len() > GOOD.len() / 2 && refused.iter().all(|error| error.to_string().contains("acme.toml:")), "{} of {}", refused.len(), GOOD.len());
}

#[test]
fn a_file_is_checked_from_disk_and_a_folder_gives_all_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("acme.toml");
    std::fs::write(&path, GOOD).expect("a file");
    let mut out = Vec::new();
    check(&[path], &mut out).expect("no mistake");
    check(&[folder.path().to_owned()], &mut out).expect("no mistake");
    let line = "Acme, \"Firewall guide\": one row, one role, 0 rules, no mistakes\n";
    assert_eq!(String::from_utf8(out).expect("text"), line.repeat(2));
}

#[test]
fn a_missing_file_and_a_folder_without_signatures_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [PathBuf::from("no/such.toml"), folder.path().to_owned()] {
        let error = Signatures::load(std::slice::from_ref(&path), Only::Added).expect_err("nothing to load");
        assert!(matches!(error, LoadError::Unreadable { .. }) && error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

/// What vendors' tables say, copied as it stands there, and the one thing to write instead. Each has its line, so each is told once.
#[test]
fn words_of_vendors_tables_are_answered_with_what_to_write() {
    for (right, wrong, help) in [
        ("direction = \"in\"", "direction = \"bidirectional\"", "write the row twice, each with an id of its own"),
        ("direction = \"in\"", "direction = \"inbound\"", "write \"in\""),
        ("transports = [\"tcp\"]", "transports = [\"TCP/UDP\"]", "write \"tcp\", \"udp\""),
        ("transports = [\"tcp\"]", "transports = \"any\"", "leave the key out"),
        ("ports = [554]", "ports = [\"554\u{2013}556\"]", "write \"554-556\""),
        ("ports = [554]", "ports = [\"554, 8554-8556\"]", "write 554, \"8554-8556\""),
        ("ports = [554]", "ports = [\"any\"]", "leave the key out: that means any"),
        ("ports = [554]", "ports = \"dynamic\"", "leave the key out: that means any"),
        ("ports = [554]", "ports = [554]\nclient_ports = \"ephemeral\"", "leave the key out: that means any"),
        ("ports = [554]", "ports = [554]\naddresses = [\"239.77.1.1:554\"]", "write one address, as in \"192.0.2.7\""),
        ("ports = [554]", "ports = [554]\nhosts = [\"https://x.acme.example/live\"]", "write the name alone: \"x.acme.example\""),
        ("ports = [554]", "ports = [554]\nhosts = [\"192.0.2.7\"]", "addresses go into `addresses`"),
        ("ports = [554]", "ports = [554]\npaths = [\"http://+:80/REST\"]", "write \"/REST\""),
        ("ports = [554]", "ports = [554]\nconsequence = \"no pictures\"", "consequence = { says = \"...\" }"),
        ("ports = [554]", "ports = [554]\nsince = \"4.2\"", "since = { what = "),
        ("protocols = [[\"rtsp\"]]", "protocols = [\"rtsp\"]", "protocols = [[\"rtsp\"]]"),
        ("protocols = [[\"rtsp\"]]", "protocols = [[\"https\"]]", "write \"tls\""),
        ("client = [\"acme.recorder\"]", "client = [\"recorder\"]", "did you mean `acme.recorder`?"),
        ("client = [\"acme.recorder\"]", "client = [\"any\"]", "one of kind \"anyone\" stands for any host"),
        ("kind = \"product\"", "kind = \"multicast\"", "write \"group\""),
        ("name = \"Live pictures\"", "name = \u{201c}Live pictures\u{201d}", "write straight quotation marks"),
        ("quote = \"RTSP | TCP 554\"", "quote = \"RTSP | \"TCP\" 554\"", "inside a text write \\\" for a quotation mark"),
        ("[[roles]]", "[[roles]]\nid = \"acme.other\"\nname = \"Other\"\nkind = \"product\"\n\n[roles]", "double brackets: [[roles]]"),
    ] {
        let told = told_with(&[(right, wrong)]);
        assert!(told.contains(help), "{wrong}: {told}");
        assert_eq!(told.matches("error: ").count(), 1, "{wrong}: {told}");
        assert!(!told.contains("struct"), "no word of the program's own: {told}");
    }
}

/// One mistake in the vendor's short name is one mistake, and the roles are told their right name by it.
#[test]
fn a_vendor_that_cannot_be_typed_gets_a_name_that_can() {
    let told = told_with(&[("vendor = \"acme\"", "vendor = \"Acme\"")]);
    assert!(told.contains("write `acme`: lower-case letters") && told.matches("error: ").count() == 1, "{told}");
    let told = told_with(&[("id = \"acme.recorder\"", "id = \"Acme Recorder\"")]);
    assert!(told.contains("write `acme.recorder`"), "{told}");
}
