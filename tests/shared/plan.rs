//! How tests read one capture whose hosts they give roles.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ipnet::IpNet;
use portbook::capture::SourceError;
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
    let (captures, stop) = ([capture.to_owned()], AtomicBool::new(false));
    let plan = Plan { signatures, site: Site { roles, ..Site::default() }, telling, ..Plan::of(&captures, &stop) };
    pipeline::run(plan, &|_, _| {}, each).map(report)
}
