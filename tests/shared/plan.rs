//! How tests read one capture whose hosts they give roles.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ipnet::IpNet;
use portbook::capture::SourceError;
use portbook::flow;
use portbook::judge::{Judged, Site, Telling};
use portbook::pipeline::{self, Plan};
use portbook::report::Report;
use portbook::signature::{RoleId, Signatures};

/// Reads it with one worker and hands every judged flow to `each`; what `report` makes of its report.
pub fn read<T>(
    capture: &Path,
    signatures: &Signatures,
    roles: Vec<(RoleId, IpNet)>,
    telling: Telling,
    each: &mut dyn FnMut(&Judged),
    report: impl FnOnce(Report<'_>) -> T,
) -> Result<T, SourceError> {
    let plan = Plan {
        captures: &[capture.to_owned()],
        filter: None,
        flows: flow::Settings::default(),
        workers: 1,
        memory: portbook::limit::MEMORY,
        signatures,
        site: Site { roles, ..Site::default() },
        telling,
        accounts: false,
        stop: &AtomicBool::new(false),
    };
    pipeline::run(plan, &|_, _| {}, each).map(report)
}
