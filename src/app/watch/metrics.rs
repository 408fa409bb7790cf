//! How watching goes, for Prometheus (`/metrics`, text format 0.0.4) and for whoever asks whether it goes well (`/health`).

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::capture::live::Clock;
use crate::judge::Severity;
use crate::pipeline::watch::Watch;
use crate::report::record::word;
use crate::time::Timestamp;

/// What is asked for, as it stands.
#[derive(Debug, Default)]
struct Page {
    metrics: String,
    /// When it was written, and what is wrong.
    written: Timestamp,
    faults: Vec<String>,
}

/// The pages, written by the judge and read by whoever asks.
pub struct Metrics(Option<Arc<Mutex<Page>>>);

impl Metrics {
    /// Listens, where that was asked for.
    ///
    /// # Errors
    /// The address cannot be listened on, or is not this machine's own: the pages name no packet, but whoever may ask for them learns how the network fares.
    pub fn listen(address: Option<SocketAddr>) -> io::Result<(Self, Option<TcpListener>)> {
        let Some(address) = address else { return Ok((Self(None), None)) };
        if !address.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "only loopback addresses, e.g. 127.0.0.1:9464, are listened on; let a proxy ask there"));
        }
        Ok((Self(Some(Arc::default())), Some(TcpListener::bind(address)?)))
    }

    /// Answers, on a thread of its own.
    pub fn serve(&self, listener: Option<TcpListener>) {
        let (Some(page), Some(listener)) = (&self.0, listener) else { return };
        let page = Arc::clone(page);
        std::thread::spawn(move || {
            let mut clock = Clock::start();
            for stream in listener.incoming().flatten() {
                let now = clock.now();
                // Whoever asks and does not wait for the answer has only himself to blame.
                let _ = answer(stream, &page, now);
            }
        });
    }

    /// Writes the pages.
    pub fn update(&self, watch: &Watch<'_>, records: (u64, usize), reloads: [u64; 2]) {
        let Some(page) = &self.0 else { return };
        let metrics = text(watch, records, reloads);
        let faults = watch.state().faults.iter().chain(&watch.state().down).map(ToString::to_string).collect();
        *page.lock().unwrap_or_else(PoisonError::into_inner) = Page { metrics, written: watch.now(), faults };
    }
}

/// One request: the first line is all that matters.
fn answer(mut stream: TcpStream, page: &Mutex<Page>, now: Timestamp) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST];
    let len = stream.read(&mut request)?;
    let line = String::from_utf8_lossy(request.get(..len).unwrap_or_default()).lines().next().unwrap_or_default().to_owned();
    let (status, kind, body) = {
        let page = page.lock().unwrap_or_else(PoisonError::into_inner);
        match line.split(' ').nth(1) {
            Some("/metrics") => ("200 OK", "text/plain; version=0.0.4", page.metrics.clone()),
            Some("/health") if now.since(page.written) > STALE => ("503 Service Unavailable", "text/plain", "nothing was judged lately\n".to_owned()),
            Some("/health") if !page.faults.is_empty() => ("503 Service Unavailable", "text/plain", page.faults.join("\n") + "\n"),
            Some("/health") => ("200 OK", "text/plain", "ok\n".to_owned()),
            _ => ("404 Not Found", "text/plain", "there are /metrics and /health\n".to_owned()),
        }
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn text(watch: &Watch<'_>, (dropped, waiting): (u64, usize), [reloads, refused]: [u64; 2]) -> String {
    let (state, digest) = (watch.state(), watch.digest());
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        let _ = writeln!(out, "# HELP portbook_{name} {help}\n# TYPE portbook_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "portbook_{name}{labels} {value}");
        }
    };
    let plain = |value: u64| vec![(String::new(), value)];
    let by_interface = |of: &dyn Fn(usize) -> u64| -> Vec<(String, u64)> {
        state.files.iter().enumerate().map(|(place, file)| (format!("{{interface=\"{}\"}}", escaped(&file.path)), of(place))).collect()
    };
    family("frames_total", "counter", "Frames captured.", &by_interface(&|place| state.files.get(place).map_or(0, |file| file.frames)));
    let dropped_at = |place: usize| state.interfaces.get(place).and_then(|interface| interface.dropped).unwrap_or(0);
    family("capture_drops_total", "counter", "Packets that the kernel or the interface dropped.", &by_interface(&dropped_at));
    let fails =
        |place: usize| u64::from(!state.files.get(place).is_some_and(|file| state.faults.iter().chain(&state.down).any(|fault| fault.path == file.path)));
    family("interface_up", "gauge", "Whether the interface is captured on.", &by_interface(&fails));
    family("kernel_drops_total", "counter", "Packets that the kernel dropped, as its ring was full.", &plain(state.live.kernel_drops));
    family("interface_drops_total", "counter", "Packets that interfaces dropped before the kernel had them.", &plain(state.live.interface_drops));
    family("flows_live", "gauge", "Flows live now.", &plain(state.live.live_flows));
    family("flows_not_judged_total", "counter", "Flows that ended while the judge was too busy.", &plain(state.live.not_judged));
    family("records_dropped_total", "counter", "Records that the output did not take.", &plain(dropped));
    family("records_waiting", "gauge", "Records that wait for the output.", &plain(waiting as u64));
    family("clock_steps_total", "counter", "Steps of the clock on the wall.", &plain(state.live.clock_steps));
    family("reloads_total", "counter", "Times that documents and site were read anew.", &plain(reloads));
    family("reloads_refused_total", "counter", "Times that they had mistakes, so that the old ones stayed.", &plain(refused));
    let lost = state.losses.dropped();
    let lost: Vec<(String, u64)> = lost.iter().map(|(what, many)| (format!("{{what=\"{}\"}}", escaped(what)), many)).collect();
    family("bound_drops_total", "counter", "What was dropped at a bound of the program.", &lost);
    let verdicts: Vec<(String, u64)> = digest.verdicts.iter().map(|(verdict, many)| (format!("{{verdict=\"{}\"}}", word(verdict)), many)).collect();
    family("flows_total", "counter", "Flows judged for good.", &verdicts);
    let outcomes: Vec<(String, u64)> = digest.outcomes.iter().map(|(outcome, many)| (format!("{{outcome=\"{}\"}}", word(outcome)), many)).collect();
    family("outcomes_total", "counter", "Flows judged for good, by what became of them.", &outcomes);
    let labels = |(severity, rule): &(Severity, String)| format!("{{rule=\"{}\",severity=\"{}\"}}", escaped(rule), word(severity));
    let findings: Vec<(String, u64)> = watch.open_findings().iter().map(|(kind, many)| (labels(kind), many)).collect();
    family("findings_open", "gauge", "Findings that were told and are not over.", &findings);
    family("resident_memory_bytes", "gauge", "Memory that the process holds.", &plain(resident()));
    out
}

/// Pages that the process has in memory (proc(5), statm), in bytes; zero where the system does not say.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE
}

/// As label values are written.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// How long somebody who asks may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a request that are read: its first line.
const REQUEST: usize = 4_096;
/// Pages older than this show that judging stands still.
const STALE: Duration = Duration::from_secs(30);
/// Bytes of a page of memory, on nearly all systems.
const PAGE: u64 = 4_096;
