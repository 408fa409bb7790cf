//! The captures beside the repository, for tests that run over many of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// All shared captures where `PORTBOOK_ALL` is set, else one small one in so many; by path. Empty, and said so, where there are none.
pub fn captures(one_in: usize) -> Vec<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let Ok(manifest) = std::fs::read_to_string(shared.join("manifest.tsv")) else {
        eprintln!("skipped: no shared captures");
        return Vec::new();
    };
    let rows: Vec<(&str, u64)> =
        manifest.lines().skip(1).map(|line| line.split('\t')).filter_map(|mut row| Some((row.next()?, row.nth(2)?.parse().ok()?))).collect();
    assert!(rows.len() > 1_000, "the manifest lists the captures");
    let all = std::env::var_os("PORTBOOK_ALL").is_some();
    let small = rows.iter().filter(|(_, size)| all || *size <= SMALL);
    small.step_by(if all { 1 } else { one_in }).map(|(path, _)| shared.join("files").join(path)).filter(|path| path.exists()).collect()
}

/// Calls `each` with all of them, on every core.
#[allow(dead_code, reason = "not every test runs side by side")]
pub fn side_by_side(captures: &[PathBuf], each: impl Fn(&Path) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(path) = captures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(path);
                }
            });
        }
    });
}

/// Bytes of a capture that a build without optimisation reads in no time.
const SMALL: u64 = 100_000;
