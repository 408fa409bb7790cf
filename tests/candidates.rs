//! What is judged does not depend on what is told of flows beyond it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it cannot go on, and says what it left out"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use portbook::judge::{Finding, Outcome, Reason, Site, Telling, Verdict};
use portbook::pipeline::{self, Plan};
use portbook::signature::{ServiceId, Signatures};

type Told = (Vec<Finding>, Vec<(Option<ServiceId>, Verdict, Vec<Reason>, Outcome)>);

fn read(capture: &Path, roles: &[&str], telling: Telling) -> Told {
    let signatures = Signatures::built_in();
    let site = Site { roles: roles.iter().map(|role| (signatures.role_id(role).unwrap(), "0.0.0.0/0".parse().unwrap())).collect(), ..Site::default() };
    let (captures, stop) = ([capture.to_owned()], AtomicBool::new(false));
    let plan = Plan { site, telling, ..Plan::of(&captures, &stop) };
    let mut flows = Vec::new();
    let told = pipeline::run(plan, &|_, _| {}, &mut |judged| flows.push((judged.service, judged.verdict, judged.reasons.clone(), judged.outcome)));
    (told.map(|report| report.findings).unwrap_or_default(), flows)
}

#[test]
fn a_report_that_tells_less_judges_every_flow_as_one_that_tells_everything() {
    let mut folders = vec![PathBuf::from("fixtures/captures")];
    let shared = Path::new("../shared/captures/files");
    if shared.exists() {
        folders.push(shared.to_owned())
    } else {
        println!("skipped: {} is not there", shared.display())
    }
    let mut captures = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { captures.push(path) }
        }
    }
    captures.sort();
    let (mut flows, mut services) = (0, 0);
    for capture in captures.iter().filter(|path| path.metadata().is_ok_and(|metadata| metadata.len() < 50_000)) {
        for roles in [&[][..], &["spinetix.player"]] {
            let with = read(capture, roles, Telling::Everything);
            for less in [Telling::Judgement, Telling::Names, Telling::Statements] {
                assert!(with == read(capture, roles, less), "{} with roles {roles:?}, {less:?}", capture.display());
            }
            flows += with.1.len();
            services += with.1.iter().filter(|(service, ..)| service.is_some()).count();
        }
    }
    assert!(flows > 200 && services > 50, "{flows} flows, {services} of services");
}
