//! The command line as a user meets it: what bad input is answered with, which exit code, and that nothing readable is lost.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A terminal that is closed meanwhile; and one that the run is to outlive, as `nohup` does it.
#[test]
#[cfg(target_os = "linux")]
fn a_hangup_ends_with_the_report_and_leaves_no_half_file() {
    for (ignore, ended) in [("", "0 report"), ("trap '' HUP; ", "alive 0 report")] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "{ignore}mkfifo in; {binary} analyze -q - --output report < in & run=$!; exec 3> in; cat {} >&3; sleep 1; kill -HUP $run; sleep 1; \
            kill -0 $run 2>/dev/null && printf 'alive '; exec 3>&-; wait $run; printf '%s ' $?; rm in; ls -A",
            concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/captures/demo/capture.pcap"),
            binary = env!("CARGO_BIN_EXE_portbook")
        );
        let run = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        let told = String::from_utf8_lossy(&run.stdout).trim().to_owned();
        // Whether the run waits for more of its input when the signal comes is not the point.
        assert!(told.ends_with("0 report"), "{ended}: {told} {}", String::from_utf8_lossy(&run.stderr));
        assert!(ignore.is_empty() || told == ended, "{told}");
    }
}

#[test]
fn a_missing_file_is_named_with_exit_code_3() {
    let run = portbook(&["analyze", "no/such/file.pcap"]);
    assert_line(&run, 3, "no/such/file.pcap: cannot be opened: there is no such file (check the path)");
}

#[test]
fn an_interface_that_is_not_there_is_named_with_exit_code_3() {
    let run = portbook(&["watch", "portbook-none"]);
    assert_line(&run, 3, "portbook: portbook-none: cannot capture: ");
}

#[test]
fn what_is_named_twice_and_cannot_be_read_twice_is_refused() {
    assert_line(&portbook(&["watch", "lo", "portbook-none", "lo"]), 3, "lo: is named twice, and each packet would count as two");
    assert_line(&portbook(&["analyze", "-", "-"]), 3, "standard input: is named twice, and can be read once");
}

#[test]
fn interfaces_are_listed_without_the_right_to_capture() {
    let run = portbook(&["watch", "--list"]);
    assert!(run.status.success() && String::from_utf8_lossy(&run.stdout).lines().any(|line| line.starts_with("lo ")), "{}", stderr(&run));
}

#[test]
fn a_file_and_an_interface_that_are_taken_for_each_other_say_which_command_takes_them() {
    assert_line(&portbook(&["watch", &path(&demo())]), 3, "it is a file: portbook analyze ");
    if Path::new("/sys/class/net/lo").exists() {
        assert_line(&portbook(&["analyze", "lo"]), 3, "it is an interface: portbook watch");
    }
    assert_line(&portbook(&["analyze", "no-such-*.pcap"]), 3, "nothing matches the pattern");
}

/// "No findings" of nothing means nothing, in every format and command. A filter by hosts meets no packet with a VLAN tag (pcap-filter(7)).
#[test]
fn that_nothing_was_judged_is_told() {
    let demo = path(&demo());
    let run = portbook(&["analyze", "-q", "--format", "json", "--filter", "host 192.0.2.9", &demo]);
    assert_line(&run, 0, "--filter 'host 192.0.2.9' lets none of 189 packets through; packets with VLAN tags match only as 'vlan and (host 192.0.2.9)'");
    let whole = fs::read(&demo).expect("the demo capture");
    let file = Scratch::new(&whole[..24]);
    assert_line(&portbook(&["analyze", "-q", &file.name()]), 0, "nothing was judged: no packet was captured");
    // The same file with another link type: IEEE 802.3 frames are no IP packets.
    let mislabelled: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| if at == 20 { 101 } else { *byte }).collect();
    let file = Scratch::new(&mislabelled);
    assert_line(&portbook(&["analyze", "-q", &file.name()]), 0, "nothing was judged: of 189 packets none belongs to a flow");
    assert!(stderr(&portbook(&["analyze", "-q", &demo])).is_empty(), "where something was judged nothing is said");
}

#[test]
fn a_display_filter_is_told_from_a_capture_filter() {
    assert_line(&portbook(&["analyze", "--filter", "tcp.port==80", &path(&demo())]), 2, "this is a display filter of Wireshark; write it as tcpdump takes it");
}

#[test]
fn a_role_that_is_typed_another_way_is_answered_with_the_right_way() {
    for (typed, right) in [
        ("player=10.1.0.0/24", "did you mean spinetix.player?"),
        ("10.1.0.2=spinetix.player", "the role goes first: --role spinetix.player=10.1.0.2"),
        ("spinetix.player=10.1.0.2,10.1.0.3", "give --role once for each address or network"),
        ("spinetix.player=10.1.0.0/255.255.255.0", "has a netmask: write \"10.1.0.0/24\""),
    ] {
        assert_line(&portbook(&["analyze", "--role", typed, &path(&demo())]), 2, right);
    }
}

#[test]
fn a_file_of_the_operators_that_is_not_there_is_told_in_words() {
    for option in ["--site", "--signatures"] {
        assert_line(&portbook(&["analyze", option, "none.toml", &path(&demo())]), 2, "none.toml: there is no such file (check the path)");
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert_line(&portbook(&["analyze", "--site", &path(folder.path()), &path(&demo())]), 2, "is a folder (name a file in it)");
    assert_line(&portbook(&["analyze", "--output", "/none/such/report.txt", &path(&demo())]), 2, "its folder is not there (make it first)");
}

#[test]
fn a_folder_without_captures_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "nothing").expect("a file");
    let run = portbook(&["analyze", &path(folder.path())]);
    assert_line(&run, 3, "holds no captures (1 other files)");
}

#[test]
fn an_empty_file_says_so() {
    let file = Scratch::new(b"");
    assert_line(&portbook(&["analyze", &file.name()]), 3, "is empty");
}

#[test]
fn a_text_file_is_no_capture_and_its_beginning_is_shown() {
    let file = Scratch::new(b"hello\n");
    assert_line(&portbook(&["analyze", &file.name()]), 3, "is not a capture: it begins with the text \"hello\"");
}

#[test]
fn a_cut_capture_is_reported_up_to_the_cut() {
    let whole = fs::read(demo()).expect("the demo capture");
    let file = Scratch::new(&whole[..whole.len() - 10]);
    let run = portbook(&["analyze", "--format", "ndjson", &file.name()]);
    assert_line(&run, 3, "ends in the middle of a record");
    let (cut, uncut) = (frames(&run), frames(&portbook(&["analyze", "--format", "ndjson", &path(&demo())])));
    assert_eq!(cut + 1, uncut, "all records but the last are read");
}

#[test]
fn a_link_type_that_is_not_known_is_named() {
    let mut bytes = fs::read(demo()).expect("the demo capture");
    // A little-endian pcap file's link type is in bytes 20 to 23 of its header (draft-ietf-opsawg-pcap, section 4).
    bytes[20..24].copy_from_slice(&2_748_u32.to_le_bytes());
    let file = Scratch::new(&bytes);
    assert_line(&portbook(&["analyze", &file.name()]), 3, "link type 2748 is not known here");
}

#[test]
fn a_mistake_in_a_site_file_is_shown_with_its_place_and_exit_code_2() {
    let file = Scratch::new(b"[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.plyer\"]\n");
    let run = portbook(&["analyze", "--site", &file.name(), &path(&demo())]);
    let said = stderr(&run);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{}:4:10", file.name())) && said.contains("did you mean `spinetix.player`?"), "{said}");
    assert_line(&portbook(&["analyze", "--site", "no/such/site.toml", &path(&demo())]), 2, "no/such/site.toml");
}

#[test]
fn what_is_typed_is_added_to_the_site_file() {
    let file = Scratch::new(b"[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n");
    let by_file = portbook(&["analyze", "--format", "json", "--site", &file.name(), &path(&demo())]);
    let typed = portbook(&["analyze", "--format", "json", "--role", "spinetix.player=10.1.0.0/24", &path(&demo())]);
    assert!(by_file.status.success() && by_file.stdout == typed.stdout, "the same thing typed quickly");
    let both = portbook(&["analyze", "--format", "json", "--site", &file.name(), "--role", "spinetix.elementi=10.1.0.2", &path(&demo())]);
    assert!(String::from_utf8_lossy(&both.stdout).contains("spinetix.elementi"));
}

/// The way that GUIDE.md shows: from an undocumented service by its draft to a file that `signatures check` accepts and that makes it expected.
#[test]
fn the_draft_of_an_undocumented_service_makes_it_known() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sites/cinegy.pcap");
    let role = ["--role", "cinegy.playout-engine=10.5.0.11"];
    let report = |more: &[&str]| -> Value {
        let run = portbook(&[&["analyze", "--format", "json", role[0], role[1], capture][..], more].concat());
        serde_json::from_slice(&run.stdout).expect("a report")
    };
    let ssh = |report: &Value| report["findings"].as_array().expect("findings").iter().find(|finding| finding["unknown"]["ports"][0] == "22/tcp").cloned();
    let draft = ssh(&report(&[])).expect("the scanner")["unknown"]["draft"].as_str().expect("a draft").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    fs::write(&file, draft.replace("\"...\"", "\"the security team's scanner\"")).expect("a file");
    let check = portbook(&["signatures", "check", &path(&file)]);
    assert!(check.status.success(), "{}", stderr(&check));
    assert_eq!(ssh(&report(&["--signatures", &path(folder.path())])), None);
    let shown = portbook(&["analyze", "-v", role[0], role[1], capture]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&draft), "-v prints the draft as it is");
}

/// The vendor's file that `signatures/README.md` tells people to copy.
#[test]
fn the_example_of_a_vendors_file_has_no_mistakes() {
    let readme = include_str!("../signatures/README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the example");
    let file = Scratch::new(example.lines().map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect::<String>().as_bytes());
    let check = portbook(&["signatures", "check", &file.name()]);
    assert!(check.status.success(), "{}", stderr(&check));
}

#[test]
fn the_sample_site_file_changes_nothing() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sites/sample.toml");
    let with = portbook(&["analyze", "--format", "json", "--site", sample, &path(&demo())]);
    assert!(with.status.success() && with.stdout == portbook(&["analyze", "--format", "json", &path(&demo())]).stdout);
}

#[test]
fn a_good_capture_beside_a_bad_one_is_still_reported() {
    let bad = Scratch::new(b"hello\n");
    let run = portbook(&["analyze", "--format", "ndjson", &path(&demo()), &bad.name()]);
    assert_eq!(run.status.code(), Some(3));
    assert!(frames(&run) > 100);
}

#[test]
fn a_signature_file_with_a_mistake_is_pointed_at() {
    let file = Scratch::new(b"vendor = \n");
    let run = portbook(&["analyze", "--signatures", &file.name(), &path(&demo())]);
    let said = stderr(&run);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{}:1:10", file.name())), "{said}");
    assert!(run.stdout.is_empty());
}

#[test]
fn wrong_usage_ends_with_exit_code_2_and_says_what_would_be_right() {
    for (arguments, says) in [
        (vec!["--role", "spinetix.playr=10.0.0.0/8"], "spinetix has spinetix.player"),
        (vec!["--role", "spinetix.player=10.0.0.0/40"], "10.1.0.0/24"),
        (vec!["--role", "spinetix.player"], "write ROLE=NETWORK"),
        (vec!["--product", "spinetics"], "there are spinetix, cayin, cinegy, spotfire, cobalt"),
        (vec!["--filter", "prot 80"], "syntax error"),
        (vec!["--format", "xml"], "possible values: text, json, ndjson"),
        (vec!["--workers", "0"], "1..=256"),
        (vec!["--memory", "1M"], "at least 256M is needed"),
        (vec!["--memory", "lots"], "write a number and K, M or G"),
    ] {
        let demo = path(&demo());
        let run = portbook(&[&["analyze"], arguments.as_slice(), &[&demo]].concat());
        let said = stderr(&run);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn a_question_that_is_not_understood_is_told_on_standard_error_alone() {
    for arguments in [["explain", "nosuchword"].as_slice(), &["signatures", "show", "nosuchword"]] {
        let run = portbook(arguments);
        assert_eq!((run.status.code(), run.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(stderr(&run).starts_with("portbook: ") && stderr(&run).contains("\"nosuchword\""), "{}", stderr(&run));
    }
}

/// Headings of reports have blanks in their words, and nobody quotes them.
#[test]
fn a_question_of_several_words_needs_no_quotation_marks() {
    for (words, says) in [(["silent", "drop"], "silent_drop - an outcome"), (["tcp", "8883"], "spinetix-out-mqtt")] {
        let run = portbook(&[&["explain"][..], &words].concat());
        assert!(run.status.success() && String::from_utf8_lossy(&run.stdout).contains(says), "{words:?}: {}", stderr(&run));
    }
}

#[test]
fn a_report_is_never_printed_over_a_file_that_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("capture.pcap");
    let site = folder.path().join("site.toml");
    fs::copy(demo(), &capture).expect("copied");
    fs::write(&site, "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n").expect("written");
    let (inside, capture, site) = (path(folder.path()), path(&capture), path(&site));
    let before = fs::read(&capture).expect("read");
    for arguments in [
        vec!["analyze", "--output", &capture, &capture],
        vec!["analyze", "--output", &capture, &inside],
        vec!["analyze", "--output", &site, "--site", &site, &capture],
        vec!["learn", "--output", &capture, &capture],
        vec!["why", "--flow", "1:x", "--output", &capture, &capture],
        vec!["rules", "--to", "csv", "--site", &site, "--output", &site],
        vec!["rules", "--to", "csv", "--site", &site, "--output", &capture, &capture],
        vec!["check", "--expect", &site, "--output", &site, &capture],
        vec!["diff", "--output", &capture, &capture, &capture],
    ] {
        let run = portbook(&arguments);
        assert_line(&run, 2, "is read by this very run; name another file");
        assert_eq!(fs::read(&capture).expect("read"), before, "{arguments:?}");
    }
    let report = path(&folder.path().join("report.txt"));
    for _ in 0..2 {
        assert_eq!(portbook(&["analyze", "--output", &report, &inside]).status.code(), Some(0));
    }
}

#[test]
fn documents_that_are_left_out_give_no_host_a_role() {
    let of = |product: &str| portbook(&["analyze", "-q", "--product", product, &path(&demo())]);
    let text = String::from_utf8(of("cayin").stdout).expect("text");
    assert!(!text.contains("unsupported by product") && !text.contains("spinetix"), "{text}");
    assert_eq!(of("SpinetiX").stdout, of("spinetix").stdout);
    assert_eq!(of("spinetix, cayin").status.code(), Some(0));
}

#[test]
fn roles_are_understood_however_they_are_spelt() {
    let of = |role: &str| portbook(&["analyze", "--role", role, &path(&demo())]).stdout;
    assert_eq!(of("SpinetiX.Player=10.1.0.0/24"), of("spinetix.player=10.1.0.0/24"));
}

#[test]
fn a_gate_without_anything_to_hold_against_names_both_ways() {
    assert_line(&portbook(&["check", &path(&demo())]), 2, "name --expect FILE or --baseline FILE");
}

#[test]
fn a_gate_that_fails_by_a_finding_alone_says_so() {
    let demo = path(&demo());
    let run = portbook(&["check", "--expect", "fixtures/checks/sample.toml", "--fail-on", "high", &demo]);
    let text = String::from_utf8(run.stdout).expect("text");
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains("No differences.") && text.contains("note: --fail-on: 2 findings of that severity or worse"), "{text}");
}

#[test]
fn fail_on_ends_with_exit_code_1_only_where_there_is_something_to_fail_on() {
    let demo = path(&demo());
    let role = ["analyze", "--role", "spinetix.player=10.1.0.0/24", &demo, "--fail-on"];
    assert_eq!(portbook(&[&role[..], &["high"]].concat()).status.code(), Some(1));
    let filtered = ["analyze", "--filter", "arp", &demo, "--fail-on", "info"];
    assert_eq!(portbook(&filtered).status.code(), Some(0));
}

#[test]
fn the_text_report_fits_100_columns_and_holds_no_colour_in_a_pipe() {
    let run = portbook(&["analyze", "-v", "--role", "spinetix.player=10.1.0.0/24", &path(&demo())]);
    let text = String::from_utf8(run.stdout).expect("text");
    assert!(!text.contains('\u{1b}'));
    let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(text.contains("Slow Sync") && text.contains("8883"), "{text}");
}

// That players do not speak SSH is another page's word, not the document's.
#[test]
fn strict_leaves_out_what_only_other_sources_say() {
    let rules = |strict: &[&str]| {
        let demo = path(&demo());
        let run = portbook(&[&["analyze", "--format", "ndjson", "--role", "spinetix.player=10.1.0.0/24", &demo], strict].concat());
        let lines: Vec<Value> = String::from_utf8(run.stdout).expect("text").lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        let ssh = lines.into_iter().find(|line| line["type"] == "flow" && line["server"]["port"] == 22).expect("the SSH flow");
        ssh["reasons"].clone()
    };
    assert_eq!(rules(&[]), Value::from(vec!["unsupported_by_product"]));
    assert_eq!(rules(&["--strict"]), Value::from(vec!["undocumented_service"]));
}

#[test]
fn json_is_one_document_with_what_ndjson_has_line_by_line() {
    let demo = path(&demo());
    let document: Value = serde_json::from_slice(&portbook(&["analyze", "--format", "json", &demo]).stdout).expect("one document");
    let run = portbook(&["analyze", "--format", "ndjson", &demo]);
    let lines: Vec<Value> = String::from_utf8(run.stdout).expect("text").lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(document["flows"], Value::Array(of("flow")));
    assert_eq!(document["findings"], Value::Array(of("finding")));
    assert_eq!(vec![document["summary"].clone()], of("summary"));
}

#[test]
fn what_matched_is_printed_with_its_bytes_and_marked_where_the_start_was_not_seen() {
    let ssh = path(&demo().with_file_name("../ssh-on-443/capture.pcap"));
    let flow = |filter: &str| {
        let run = portbook(&["analyze", "--format", "ndjson", "--filter", filter, &ssh]);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record")).find(|record| record["protocol"][0] == "ssh").expect("an SSH flow")
    };
    let (whole, later) = (flow("tcp"), flow("tcp and tcp[tcpflags] & tcp-syn = 0"));
    // "SSH-2." (RFC 4253 section 4.2).
    assert_eq!((&whole["matches"][0]["hex"], &whole["matches"][0]["midstream"]), (&"5353482d322e".into(), &Value::Null));
    assert_eq!((&later["matches"][0]["hex"], &later["matches"][0]["midstream"]), (&"5353482d322e".into(), &true.into()));
    assert_eq!((&whole["evidence"], &later["evidence"]), (&"both_openings".into(), &"one_opening".into()));
}

#[test]
fn the_report_does_not_depend_on_the_number_of_workers() {
    let captures = path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures"));
    let with = |workers: &str| portbook(&["analyze", "--format", "ndjson", "--workers", workers, "--role", "spinetix.player=10.1.0.0/24", &captures]).stdout;
    let one = with("1");
    assert!(one.len() > 10_000);
    for workers in ["2", "3", "8"] {
        assert!(one == with(workers), "--workers {workers} gives another report");
    }
}

#[test]
fn copies_of_a_mirror_are_counted_once_unless_they_are_to_be_kept() {
    let whole = fs::read(demo()).expect("the demo capture");
    let (header, mut rest) = whole.split_at(24);
    let (mut doubled, mut told_apart) = (header.to_vec(), 0);
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let captured = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let (frame, after) = after.split_at(captured);
        doubled.extend([&head[..], frame, &head[..], frame].concat());
        // IPv4 behind Ethernet, with an identification: without one, equal packets may be two (RFC 6864 section 4.1).
        told_apart += u64::from(frame[12..14] == [8, 0] && frame[18..20] != [0, 0]);
        rest = after;
    }
    let file = Scratch::new(&doubled);
    let removed = portbook(&["analyze", "--format", "ndjson", &file.name()]);
    let kept = portbook(&["analyze", "--format", "ndjson", "--keep-duplicates", &file.name()]);
    let copies = |run: &Output| summary(run)["drops"]["exact copies of a packet"].as_u64();
    assert!(told_apart > 100);
    assert_eq!((copies(&removed), copies(&kept)), (Some(told_apart), None));
    assert_eq!((frames(&removed), frames(&kept)), (frames(&kept), 2 * frames(&portbook(&["analyze", "--format", "ndjson", &path(&demo())]))));
    let text = String::from_utf8(portbook(&["analyze", &file.name()]).stdout).expect("text");
    assert!(text.contains(&format!("{told_apart} exact copies of a packet")), "{text}");
}

#[test]
fn output_goes_to_a_file_and_a_capture_that_cannot_be_read_leaves_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = path(&folder.path().join("report.txt"));
    assert!(portbook(&["analyze", &path(&demo()), "--output", &target]).stdout.is_empty());
    let report = fs::read_to_string(&target).expect("the report");
    assert!(report.contains("packets"));
    portbook(&["analyze", "no/such/file", "--output", &target]);
    assert_eq!(fs::read_to_string(&target).expect("still there"), report);
}

#[test]
fn a_capture_comes_through_a_pipe_as_from_its_file() {
    let demo = demo();
    let piped = Command::new(env!("CARGO_BIN_EXE_portbook"))
        .args(["analyze", "--format", "ndjson", "--workers", "3", "-"])
        .stdin(Stdio::from(fs::File::open(&demo).expect("the demo capture")))
        .output()
        .expect("portbook runs");
    let flows = |out: &[u8]| String::from_utf8_lossy(out).lines().filter(|line| line.contains("\"type\":\"flow\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(flows(&piped.stdout), flows(&portbook(&["analyze", "--format", "ndjson", &path(&demo)]).stdout));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut run = Command::new(env!("CARGO_BIN_EXE_portbook"))
        .args(["analyze", "--format", "ndjson", &path(&demo())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("portbook runs");
    drop(run.stdout.take());
    let output = run.wait_with_output().expect("portbook ends");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn completions_and_the_manual_name_the_commands() {
    for arguments in [&["completions", "bash"][..], &["man"]] {
        let text = String::from_utf8(portbook(arguments).stdout).expect("text");
        assert!(["analyze", "explain", "signatures"].iter().all(|command| text.contains(command)), "{arguments:?}");
    }
}

#[test]
fn the_manual_says_how_each_command_is_typed() {
    let text = String::from_utf8(portbook(&["man"]).stdout).expect("text");
    for command in ["analyze", "watch", "check", "explain"] {
        assert!(text.contains(&format!(".SH SYNOPSIS\n\\fBportbook {command}\\fR ")), "{command}");
    }
}

/// A file that is gone after the test.
struct Scratch(tempfile::NamedTempFile);

impl Scratch {
    fn new(bytes: &[u8]) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        Self(file)
    }

    fn name(&self) -> String {
        path(self.0.path())
    }
}

fn portbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).stdin(Stdio::null()).output().expect("portbook runs")
}

/// One line on standard error that holds the words, and the exit code.
fn assert_line(run: &Output, code: i32, words: &str) {
    let said = stderr(run);
    assert_eq!(run.status.code(), Some(code), "{said}");
    assert!(said.contains(words) && said.trim_end().lines().count() == 1, "{said}");
}

fn frames(run: &Output) -> u64 {
    summary(run)["frames"].as_u64().expect("a number")
}

fn summary(run: &Output) -> Value {
    let text = String::from_utf8_lossy(&run.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).expect("a summary")
}

fn stderr(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/demo/capture.pcap")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
