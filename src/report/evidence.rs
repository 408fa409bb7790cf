//! The packets that findings cite, as a pcapng file of their own: each with a comment that says which finding it shows, and where it was taken from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use crate::capture::write::Writer;
use crate::capture::{ExcerptError, FrameId, excerpt};
use crate::count::counted;
use crate::judge::Finding;
use crate::limit::{FINDINGS_IN_A_COMMENT, SENTENCE_IN_A_COMMENT};
use crate::report::Report;
use crate::report::paragraph::shown;
use crate::report::record::word;

/// Writes the cited packets as they were captured, in the order in which the captures are read, which are read once more for it.
///
/// # Errors
/// The captures cannot be read again or have changed; or the writer's.
pub fn write<W: io::Write>(report: &Report<'_>, captures: &[PathBuf], to: W) -> Result<W, ExcerptError> {
    let shows = comments(&report.findings);
    let wanted: BTreeSet<FrameId> = shows.keys().copied().collect();
    let program = concat!("portbook ", env!("CARGO_PKG_VERSION"));
    let mut writer = Writer::with_comment(to, program, &about(report, wanted.len()))?;
    let mut interfaces: BTreeMap<u32, u32> = BTreeMap::new();
    excerpt(captures, &report.files, &wanted, &mut |frame, interface, file| {
        let number = match interfaces.get(&frame.interface) {
            Some(number) => *number,
            None => {
                let number = writer.described(interface.link, interface.snap_len, interface.name.as_deref(), Some(&format!("of {}", file.path)))?;
                interfaces.insert(frame.interface, number);
                number
            }
        };
        let from = format!("frame {} of {}", frame.id.number(), file.path);
        let said: Vec<String> = shows.get(&frame.id).into_iter().flatten().map(|shows| format!("{shows} | {}", shown(&from))).collect();
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        writer.frame(number, frame.time, frame.wire_len, frame.bytes, &said)
    })?;
    Ok(writer.finish()?)
}

/// Of each cited frame the findings that it shows, in the report's order and by the report's numbers.
fn comments(findings: &[Finding]) -> BTreeMap<FrameId, Vec<String>> {
    let mut shows: BTreeMap<FrameId, Vec<String>> = BTreeMap::new();
    for (place, finding) in (1..).zip(findings) {
        for frame in &finding.frames {
            shows.entry(*frame).or_default().push(format!("finding {place} {}", says(finding)));
        }
    }
    shows
}

/// What a packet's comment says of a finding that cites it.
pub fn says(finding: &Finding) -> String {
    shown(&format!("[{}] {}: {}", word(&finding.severity), finding.id, shortened(&finding.says))).into_owned()
}

/// What the file as a whole is: the findings by their headings.
fn about(report: &Report<'_>, packets: usize) -> String {
    let findings = report.findings.len();
    let mut text = format!(
        "{} that portbook cites for {}; each says in its comment which one it shows",
        counted(packets as u64, "packet"),
        counted(findings as u64, "finding")
    );
    for (place, finding) in (1..).zip(report.findings.iter().take(FINDINGS_IN_A_COMMENT)) {
        let _ = write!(text, "\n{place}. [{}] {}: {}", word(&finding.severity), shown(&finding.about), finding.rule.replace('_', " "));
    }
    if findings > FINDINGS_IN_A_COMMENT {
        let _ = write!(text, "\nand {} more", findings - FINDINGS_IN_A_COMMENT);
    }
    text
}

/// The sentence up to the last word that fits.
fn shortened(says: &str) -> String {
    let Some((end, _)) = says.char_indices().nth(SENTENCE_IN_A_COMMENT) else { return says.to_owned() };
    let cut = says[..end].rfind(' ').unwrap_or(end);
    format!("{} ...", says[..cut].trim_end_matches([',', ';', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_ends_at_a_word_and_says_so() {
        assert_eq!(shortened("short enough"), "short enough");
        let long = format!("{} end", "wörd, ".repeat(60));
        let cut = shortened(&long);
        assert!(cut.ends_with("wörd ...") && cut.chars().count() <= SENTENCE_IN_A_COMMENT + 4, "{cut}");
    }
}
