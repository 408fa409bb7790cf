//! What every command that reads captures does alike: it ends on a signal with its report, and tells what it could not read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::app::place::tell;
use crate::count::counted;
use crate::decode;
use crate::report::Report;
use crate::report::paragraph::shown;

/// Raised by the first SIGINT or SIGTERM, so that the report is still finished; a second one ends the program at once. So does SIGHUP, where the terminal is gone.
pub fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = watch_on_signal();
    #[cfg(unix)]
    if !ignores_hangups() {
        raise_on(signal_hook::consts::SIGHUP, &stop);
    }
    stop
}

/// The same for whom SIGHUP tells something else.
pub fn watch_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        raise_on(signal, &stop);
    }
    stop
}

/// Where a handler cannot be set the signal keeps its usual meaning: the program ends.
fn raise_on(signal: i32, stop: &Arc<AtomicBool>) {
    let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(stop));
    let _ = signal_hook::flag::register(signal, Arc::clone(stop));
}

/// Whether the program was started to outlive its terminal (nohup), as Linux tells it; elsewhere nobody is asked, and the signal keeps its meaning.
#[cfg(unix)]
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_none_or(|ignored| ignored >> (signal_hook::consts::SIGHUP - 1) & 1 == 1)
}

/// A line on standard error for each capture that was not read to its end or not understood; whether there was one. That nothing at all was judged is told, too: no findings
/// then mean nothing.
pub fn tell_unread(report: &Report<'_>, filter: Option<&str>) -> bool {
    let broken = report.files.iter().filter_map(|file| file.error.as_ref()).map(ToString::to_string);
    let strange = report.interfaces.iter().filter_map(|interface| {
        let path = report.files.get(interface.file as usize).map_or("?", |file| &file.path);
        decode::unread(interface.link).map(|why| format!("{path}: {why} (capture on the interface below it, or convert the capture to Ethernet or raw IP)"))
    });
    let told: BTreeSet<String> = broken.chain(strange).collect();
    for line in &told {
        tell(shown(line));
    }
    if told.is_empty()
        && let Some(why) = nothing_judged(report.frames(), (report.wire_bytes, report.digest.flows), filter)
    {
        tell(why);
    }
    !told.is_empty()
}

/// Why there was nothing to judge, of captures that were read.
fn nothing_judged(frames: u64, (wire_bytes, flows): (u64, u64), filter: Option<&str>) -> Option<String> {
    let tagged = |filter: &str| if filter.contains("vlan") { String::new() } else { format!("; packets with VLAN tags match only as 'vlan and ({filter})'") };
    // An empty one lets everything through.
    match (frames, filter.filter(|filter| !filter.trim().is_empty())) {
        (0, None) => Some("nothing was judged: no packet was captured (is it the right interface, and does the mirror port send?)".to_owned()),
        (0, Some(filter)) => Some(format!("nothing was judged: no packet was captured that --filter '{filter}' lets through{}", tagged(filter))),
        (frames, Some(filter)) if wire_bytes == 0 => {
            Some(format!("nothing was judged: --filter '{filter}' lets none of {} through{}", counted(frames, "packet"), tagged(filter)))
        }
        (frames, _) if flows == 0 => {
            Some(format!("nothing was judged: of {} none belongs to a flow (the report says what they are)", counted(frames, "packet")))
        }
        _ => None,
    }
}
