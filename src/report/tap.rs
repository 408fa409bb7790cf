//! What the tap can see, in sentences: warnings that bear on the findings, and the whole account.

use crate::count::{counted, grouped};
use crate::judge::{CapturePoint, Visibility};
use crate::report::Report;

/// What the tap could not see, as far as it bears on the findings, in a word each; the whole account explains them.
pub(super) fn warnings(visibility: &Visibility) -> Vec<&'static str> {
    let said = [
        (visibility.two_way == 0 && visibility.one_way > 0, "it heard one end of every flow"),
        (visibility.unseen_answers > 0, "answers pass elsewhere"),
        (visibility.loss_per_mille() > 0, "the capture has gaps"),
        (visibility.dropped_by_the_capture > 0, "packets were lost before the capture"),
    ];
    said.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect()
}

/// The whole account: a label and a sentence each.
pub(super) fn told(report: &Report<'_>) -> Vec<(String, String)> {
    let visibility = &report.visibility;
    let mut said = vec![("directions".to_owned(), directions(visibility.two_way, visibility.one_way))];
    let mut add = |label: &str, sentence: Option<String>| said.extend(sentence.map(|sentence| (label.to_owned(), sentence)));
    let elsewhere = (visibility.unseen_answers > 0).then(|| {
        let many = counted(visibility.unseen_answers, "flow");
        format!("in {many} the client went on as if answered, but the answers pass where this tap does not see them (one-sided mirror or asymmetric path)")
    });
    add("answers elsewhere", elsewhere);
    let requests =
        (visibility.unseen_requests > 0).then(|| format!("of {} only what the asked host sent was seen", counted(visibility.unseen_requests, "flow")));
    add("requests elsewhere", requests);
    add("never heard", never_heard(visibility));
    let translated = (visibility.translated > 0).then(|| {
        let many = counted(visibility.translated, "conversation");
        format!("{many} seen on both sides of a router that translates addresses; of each the flow between the ends that talk is judged, and the other is not")
    });
    add("translated", translated);
    add("loss", loss(visibility));
    add("cut short", cut_short(report));
    add("start and end", start_and_end(visibility));
    if visibility.points.len() > 1 {
        said.extend(visibility.points.iter().take(POINTS_SHOWN).map(|place| (name(report, place), point(place))));
    }
    let more = visibility.points.len().saturating_sub(POINTS_SHOWN);
    if more > 0 {
        said.push(("capture points".to_owned(), format!("and {more} more, in the json summary")));
    }
    if visibility.forgotten > 0 {
        said.push(("forgotten".to_owned(), format!("{} hosts, ends, pairs and names, for want of room", grouped(visibility.forgotten))));
    }
    said
}

fn directions(two_way: u64, one_way: u64) -> String {
    match (two_way, one_way) {
        (0, 0) => "no flow between single hosts was seen".to_owned(),
        (0, 1) => "the one flow between single hosts was heard from one end: it was not answered, or its answers pass elsewhere".to_owned(),
        (0, one) => format!("all {} flows between single hosts were heard from one end: none was answered, or answers pass elsewhere", grouped(one)),
        (1, 0) => "the one flow between single hosts was heard from both ends".to_owned(),
        (both, 0) => format!("all {} flows between single hosts were heard from both ends", grouped(both)),
        (both, one) => format!("{} between single hosts {} heard from both ends, {} from one", counted(both, "flow"), were(both), grouped(one)),
    }
}

fn never_heard(visibility: &Visibility) -> Option<String> {
    let hosts: Vec<String> = visibility.unheard.iter().take(HOSTS_SHOWN).map(ToString::to_string).collect();
    let more = visibility.unheard.len().saturating_sub(HOSTS_SHOWN);
    let rest = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
    (!hosts.is_empty()).then(|| format!("{}{rest}: what they answer passes elsewhere, so their silence is not judged", hosts.join(", ")))
}

fn loss(visibility: &Visibility) -> Option<String> {
    let (missed, all) = (visibility.missed_bytes, visibility.acknowledged_bytes);
    match (missed, all) {
        (_, 0) => None,
        (0, all) => Some(format!("none: all {} acknowledged bytes were captured", grouped(all))),
        (missed, all) => Some(format!("{} of {} acknowledged bytes were never captured; an answer may be among them", grouped(missed), grouped(all))),
    }
}

/// Interfaces that keep only the beginning of a packet: then content may be missing, though not that there was some.
fn cut_short(report: &Report<'_>) -> Option<String> {
    let short: Vec<u32> = report.interfaces.iter().map(|interface| interface.snap_len).filter(|len| (1..WHOLE_PACKETS).contains(len)).collect();
    let least = short.iter().min()?;
    Some(format!("packets are kept up to {least} bytes at {} of {} interfaces; what lies beyond was not read", short.len(), report.interfaces.len()))
}

fn start_and_end(visibility: &Visibility) -> Option<String> {
    let (before, after) = (visibility.began_before, visibility.cut_by_the_end);
    let parts = [
        (before > 0).then(|| format!("{} {} open before the capture began", counted(before, "connection"), were(before))),
        (after > 0).then(|| format!("{} {} still open when it ended", counted(after, "flow"), were(after))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn were(many: u64) -> &'static str {
    if many == 1 { "was" } else { "were" }
}

/// `eth0 vlan 10`.
fn name(report: &Report<'_>, place: &CapturePoint) -> String {
    let interface = report.interfaces.get(place.interface as usize).and_then(|interface| interface.name.clone());
    let interface = interface.unwrap_or_else(|| format!("interface {}", place.interface));
    let vlan: Vec<String> = place.vlan.iter().map(ToString::to_string).collect();
    let words = if vlan.is_empty() { interface } else { format!("{interface} vlan {}", vlan.join("/")) };
    words.chars().filter(|c| !c.is_control()).collect()
}

fn point(place: &CapturePoint) -> String {
    let mut parts = vec![format!("{} from both ends, {} from one", counted(place.two_way, "flow"), grouped(place.one_way))];
    if place.unseen_answers > 0 {
        parts.push(format!("answers to {} pass elsewhere", grouped(place.unseen_answers)));
    }
    if place.missed_bytes > 0 {
        parts.push(format!("{} missed", counted(place.missed_bytes, "byte")));
    }
    if place.links_one_way > 0 {
        parts.push(format!("{} of {} links in one direction only", place.links_one_way, place.links_one_way + place.links_two_way));
    }
    parts.join(", ")
}

/// Capture points told one by one; a trunk has more VLANs than a page has lines.
const POINTS_SHOWN: usize = 12;
/// Hosts named; more are a number.
const HOSTS_SHOWN: usize = 8;
/// A snap length that no packet of an ordinary network reaches.
const WHOLE_PACKETS: u32 = 9_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_of_one_flow_is_told_in_the_singular() {
        assert_eq!(directions(1, 0), "the one flow between single hosts was heard from both ends");
        assert_eq!(directions(1, 2_000), "1 flow between single hosts was heard from both ends, 2,000 from one");
        assert!(directions(0, 1).starts_with("the one flow between single hosts was heard from one end:"));
        let cut = Visibility { began_before: 1, cut_by_the_end: 1_200, ..Visibility::default() };
        assert_eq!(start_and_end(&cut).as_deref(), Some("1 connection was open before the capture began, 1,200 flows were still open when it ended"));
    }
}
