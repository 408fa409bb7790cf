//! `portbook learn`: over every recorded capture the draft reads as it is, says why of every line, and judges as the capture's own roles do wherever these show.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use portbook::capture::CaptureFile;
use portbook::judge::learned::{Learned, Learner};
use portbook::judge::{Finding, Judged, Severity, Site, Telling, network};
use portbook::pipeline::{self, Plan};
use portbook::report::draft::Draft;
use portbook::signature::{RoleId, Signatures};
use serde_json::Value;

#[test]
fn every_draft_is_a_site_file_as_it_is_and_says_why_of_every_line() {
    for case in place::cases() {
        let (draft, _) = learn(&case, 1);
        site(&draft);
        for line in draft.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
            let (value, reason) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{}: no reason: {line}", case.display()));
            assert!(value.contains(" = ") && reason.len() > 5, "{}: {line}", case.display());
        }
        for (at, line) in draft.lines().enumerate().filter(|(_, line)| line.trim_start_matches('#').starts_with("[[")) {
            let before = draft.lines().nth(at - 1).unwrap_or_default();
            assert!(before.starts_with("# ") || before.starts_with("#   "), "{}: no reason before {line}", case.display());
        }
    }
}

/// Whoever takes a `#` away has a file that still reads.
#[test]
fn hints_are_right_once_their_mark_is_taken_away() {
    let awake = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    for case in place::cases() {
        let (draft, _) = learn(&case, 1);
        site(&draft.lines().map(awake).collect::<String>());
    }
}

#[test]
fn the_draft_does_not_depend_on_the_number_of_workers() {
    for name in ["demo", "crqt-teatime", "ssdp-upnp-mapping"] {
        let case = folder(&format!("fixtures/captures/{name}"));
        assert_eq!(learn(&case, 1).0, learn(&case, 3).0, "{name}");
    }
}

/// Where a capture's hosts show the roles that its case gives them, and none besides, the draft finds what these roles find.
#[test]
fn a_draft_finds_what_the_roles_find_wherever_they_show() {
    let mut alike = 0;
    for case in place::cases() {
        let given = given(&case);
        let (draft, learned) = learn(&case, 1);
        let shown: Vec<(RoleId, _)> = learned
            .groups
            .iter()
            .filter(|group| group.sure)
            .flat_map(|group| group.roles.iter().flat_map(|role| group.hosts.keys().map(|ip| (*role, *ip))))
            .collect();
        let evident = !given.is_empty()
            && !shown.is_empty()
            && given.iter().all(|(role, net)| shown.iter().any(|(other, ip)| other == role && net.contains(ip)))
            && shown.iter().all(|(role, ip)| given.iter().any(|(other, net)| other == role && net.contains(ip)));
        if !evident {
            continue;
        }
        alike += 1;
        let by_roles = findings(&case, Site { roles: given, ..Site::default() });
        let by_draft = findings(&case, site(&draft));
        assert_eq!(by_draft, by_roles, "{}\n{draft}", case.display());
    }
    assert!(alike >= 20, "hosts show what they are in {alike} cases only");
}

#[test]
fn a_player_is_known_by_its_hardware_address_and_what_it_serves() {
    let (draft, _) = learn(&folder("fixtures/captures/snmp-allowed"), 1);
    for line in [
        "addresses = [\"10.1.0.2\"] # ",
        "roles = [\"spinetix.player\"] # high confidence",
        "macs = [\"00:1d:50:20:00:02\"] # ",
        "services_on = [\"spinetix-player-snmp\"] # off unless switched on, and it was answered",
    ] {
        assert!(draft.lines().any(|given| given.starts_with(line)), "no line {line}:\n{draft}");
    }
}

#[test]
fn what_no_document_knows_is_proposed_and_not_allowed() {
    let (draft, _) = learn(&folder("fixtures/captures/demo"), 1);
    assert!(
        draft.contains("#[[allow]]\n#client = [\"10.3.0.9\"]\n#server = [\"10.1.0.2\"]\n#transport = \"tcp\"\n#ports = [22]\n#protocol = \"ssh\"\n#reason = "),
        "{draft}"
    );
    assert!(site(&draft).allow.is_empty());
}

/// The document has 5222 and 8989: that hosts of these roles use them is no news, and who answers there may be the product.
#[test]
fn what_the_document_of_a_learned_role_has_is_not_unknown() {
    let cobalt = learn_of("fixtures/sites/cobalt.pcap");
    assert!(cobalt.contains("roles = [\"cobalt.peer\"] # medium confidence") && !cobalt.contains("5222"), "{cobalt}");
    let cinegy = learn_of("fixtures/sites/cinegy.pcap");
    assert!(
        cinegy.contains("#   10.5.0.5: answers on cinegy-license-http (frame ") && cinegy.contains("#roles = [\"cinegy.license-service\"] # low confidence"),
        "{cinegy}"
    );
    assert!(cinegy.contains("#ports = [22]") && !cinegy.contains("#ports = [8989]"), "{cinegy}");
}

fn learn_of(capture: &str) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["learn", "-q"]).arg(folder(capture)).output().unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// A product of a vendor's own document that is known by its name, speaks its protocol on another port, and says its version.
#[test]
fn a_protocol_on_another_port_is_told_as_moved_and_a_version_is_believed() {
    let text = "[document]\nvendor = \"acme\"\nname = \"Acme\"\ntitle = \"Guide\"\n[[roles]]\nid = \"acme.broker\"\nname = \"Acme broker\"\nkind = \"product\"\nversions = \"broker\"\n\
                marks = [{ kind = \"software\", pattern = \"vsftpd*\", certain = true, url = \"x\", version = \"(vsFTPd *)\" }, { kind = \"software\", pattern = \"(vsftpd*\", certain = true, url = \"x\", version = \"(vsFTPd *)\" }]\n\
                [[roles]]\nid = \"acme.any\"\nname = \"any\"\nkind = \"anyone\"\n\
                [[services]]\nid = \"acme-ftp\"\nname = \"Files\"\nclient = [\"acme.any\"]\nserver = [\"acme.broker\"]\ndirection = \"in\"\ntransports = [\"tcp\"]\nports = [2121]\nprotocol_name = \"FTP\"\nprotocols = [[\"ftp\"]]\nquote = \"FTP 2121\"\n";
    let own = tempfile::tempdir().unwrap();
    fs::write(own.path().join("acme.toml"), text).unwrap();
    let capture = folder("fixtures/captures/ftp-passive/capture.pcap");
    let run =
        Command::new(env!("CARGO_BIN_EXE_portbook")).args(["learn", "-q", "--only-signatures", "--signatures"]).arg(own.path()).arg(capture).output().unwrap();
    let draft = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(draft.contains("roles = [\"acme.broker\"] # high confidence") && draft.contains("version = \"3.0.3\" # they say so themselves"), "{draft}");
    assert!(
        draft.contains("10.2.0.21 speaks ftp on 21/tcp") && draft.contains("#[[ports]]\n#service = \"acme-ftp\"\n#ports = [21]\n#servers = [\"10.2.0.21\"]\n"),
        "{draft}"
    );
}

#[test]
fn roles_that_were_given_are_taken_over() {
    let capture = folder("fixtures/captures/ftp-passive/capture.pcap");
    let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["learn", "-q", "--role", "cayin.cms=10.2.0.21"]).arg(capture).output().unwrap();
    let draft = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(draft.contains("#   10.2.0.21: you said so: cayin.cms") && draft.contains("roles = [\"cayin.cms\"] # as you said"), "{draft}");
}

fn learn(case: &Path, workers: usize) -> (String, Learned) {
    let all = Signatures::built_in();
    let mut learner = Learner::new(all, Site::default());
    let (files, _) = run(case, Site::default(), workers, Telling::Everything, &mut |judged| learner.add(judged));
    let learned = learner.finish();
    let mut text = Vec::new();
    Draft { signatures: all, learned: &learned, files: &files }.write(&mut text).unwrap();
    (String::from_utf8(text).unwrap(), learned)
}

fn run(case: &Path, site: Site, workers: usize, telling: Telling, each: &mut dyn FnMut(&Judged)) -> (Vec<CaptureFile>, Vec<Finding>) {
    let captures = [case.join("capture.pcap")];
    let stop = AtomicBool::new(false);
    let plan = Plan { workers, site, telling, ..Plan::of(&captures, &stop) };
    let report = pipeline::run(plan, &|_, _| {}, each).unwrap();
    (report.files, report.findings)
}

/// What is found of low severity and above: rule, row and severity.
fn findings(case: &Path, site: Site) -> BTreeSet<(String, Option<&'static str>, Severity)> {
    let row = |id| Signatures::built_in().service(id).id.as_str();
    let (_, findings) = run(case, site, 1, Telling::Judgement, &mut |_| {});
    findings.into_iter().filter(|finding| finding.severity >= Severity::Low).map(|finding| (finding.rule, finding.service.map(row), finding.severity)).collect()
}

/// The roles that a case gives on the command line.
fn given(case: &Path) -> Vec<(RoleId, ipnet::IpNet)> {
    let due: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
    let arguments = due["arguments"].as_array().unwrap().iter().filter_map(Value::as_str);
    let roles = arguments.filter_map(|word| word.split_once('=')).filter(|(role, _)| !role.starts_with('-'));
    roles.map(|(role, net)| (Signatures::built_in().role_id(role).unwrap(), network(net).unwrap())).collect()
}

fn site(draft: &str) -> Site {
    let all = Signatures::built_in();
    Site::from_text("draft.toml", draft, all, all).unwrap_or_else(|error| panic!("{error}\n{draft}"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
