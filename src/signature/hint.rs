//! What would be right in the place of words that vendors' tables have and these files do not: `bidirectional`, `TCP/UDP`, `ephemeral`, `7700–7709`, `HTTPS`.

use std::ops::Range;

use crate::net::Transport;
use crate::signature::PortRange;

/// Advice for a word that is none of a key's words; none where the nearest of them is the better advice.
pub fn word(wrong: &str, known: &[&str]) -> Option<String> {
    let lower = wrong.trim().to_ascii_lowercase();
    let is = |words: &[&str]| words.contains(&lower.as_str());
    let has = |word: &str| known.contains(&word);
    if has("out_only") {
        let both = is(&["both", "both ways", "bidirectional", "bi-directional", "two-way", "duplex", "in/out", "inout", "in_out", "<->", "both directions"]);
        return match () {
            () if both => Some("write the row twice, each with an id of its own: in the second one `client` and `server` change places".to_owned()),
            () if is(&["outbound", "outgoing", "egress"]) => Some("write \"out\"".to_owned()),
            () if is(&["inbound", "incoming", "ingress"]) => Some("write \"in\"".to_owned()),
            () if is(&["multicast", "broadcast"]) => Some("write \"discovery\"".to_owned()),
            () => None,
        };
    }
    if has("igmp") {
        let named = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| Transport::from_name(part).is_some()).map(|part| format!("\"{part}\""));
        let named: Vec<String> = named.collect();
        return match named.as_slice() {
            [] if is(&["any", "all", "both", "ip", "*"]) => Some("leave the key out: that means any".to_owned()),
            [] if is(&["ping", "echo"]) => Some("write \"icmp\"".to_owned()),
            [] => None,
            [one] if lower.len() == one.len() - 2 => None,
            some => Some(format!("write {}", some.join(", "))),
        };
    }
    if has("anyone") {
        return match () {
            () if is(&["any", "all", "host", "hosts", "user", "client"]) => Some("write \"anyone\"".to_owned()),
            () if is(&["multicast", "broadcast"]) => Some("write \"group\"".to_owned()),
            () if is(&["internet", "cloud", "wan"]) => Some("write \"external\"".to_owned()),
            () if is(&["lan"]) => Some("write \"local\"".to_owned()),
            () if is(&["device", "appliance", "server", "software", "vendor"]) => Some("write \"product\"".to_owned()),
            () => None,
        };
    }
    None
}

/// What to write in the place of ports that are none.
pub fn ports(text: &str) -> String {
    let plain = text.trim().to_ascii_lowercase();
    if NO_PORT.contains(&plain.as_str()) || ["ephemeral", "dynamic", "random"].iter().any(|word| plain.contains(word)) {
        return "leave the key out: that means any".to_owned();
    }
    let dashed = [" to ", "..", ":", "\u{2013}", "\u{2014}", "\u{2011}"].iter().fold(plain.clone(), |text, dash| text.replace(dash, "-"));
    if let Some(range) = range(&dashed) {
        return format!("write {}", written(range));
    }
    let above =
        plain.strip_suffix('+').map(|low| (low, 0)).or_else(|| plain.strip_prefix(">=").map(|low| (low, 0))).or_else(|| Some((plain.strip_prefix('>')?, 1)));
    if let Some(low) = above.and_then(|(low, more)| low.trim().parse::<u16>().ok()?.checked_add(more)) {
        return format!("write {}", written(PortRange { low, high: u16::MAX }));
    }
    let parts: Vec<&str> = dashed.split([',', ';', '/', '+', '&', ' ']).filter(|part| !part.is_empty() && *part != "and").collect();
    let (ranges, words): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| range(part).is_some());
    let ranges: Vec<String> = ranges.into_iter().filter_map(range).map(written).collect();
    if !ranges.is_empty() && words.iter().all(|word| Transport::from_name(word).is_some()) {
        let transports = if words.is_empty() { "" } else { "; the transport goes into `transports`" };
        return format!("write {}{transports}", ranges.join(", "));
    }
    "write \"6900-6909\", within 0 to 65535".to_owned()
}

/// Advice for a value of another type than the key's, by its key; `written` is the value as it stands there.
pub fn value(key: &str, wanted: &str, written: &str) -> Option<String> {
    let bare = written.trim().trim_matches(['"', '\'']);
    match (key, wanted) {
        ("ports" | "client_ports", "a sequence") if range(bare).is_none() => Some(ports(bare).replace("write ", "write a list: ")),
        ("transports", "a sequence") => word(bare, &["igmp"]).map(|help| help.replace("write ", "write a list: ")),
        ("protocols", "a sequence") => Some(format!("each stack is a list in the list: protocols = [[\"{bare}\"]]")),
        (_, "struct Consequence") => Some("write what stops working: consequence = { says = \"...\" }".to_owned()),
        (_, "struct Since") => Some("write of what it is the version: since = { what = \"player firmware\", version = \"4.4.0\" }".to_owned()),
        (_, "struct Instance") => Some("write the port of instance 0 and what N is: instance = { base = 5421, label = \"...\" }".to_owned()),
        (_, "struct SupplementEntry") => Some("write what the other source adds: supplement = { ports = [443], says = \"...\", url = \"...\" }".to_owned()),
        (_, "struct Mark") => Some("write kind, pattern and url: marks = [{ kind = \"mac_prefix\", pattern = \"00:1d:50\", url = \"...\" }]".to_owned()),
        _ => None,
    }
}

/// The key whose value stands at the place, as far as its line tells.
pub fn key<'t>(text: &'t str, place: &Range<usize>) -> &'t str {
    let line = text.get(..place.start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    line.split('=').next().filter(|key| key.len() < line.len()).unwrap_or_default().trim()
}

/// What a protocol is here that has another name among people.
pub fn protocol(name: &str) -> Option<&'static str> {
    let known = [
        ("https", "write \"tls\": what it carries is encrypted"),
        ("mqtts", "write \"tls\": what it carries is encrypted"),
        ("wss", "write \"tls\": what it carries is encrypted"),
        ("ws", "write \"websocket\""),
        ("ldaps", "write \"tls\": what it carries is encrypted"),
        ("imaps", "write \"tls\": what it carries is encrypted"),
        ("smtps", "write \"tls\": what it carries is encrypted"),
        ("sips", "write \"tls\": what it carries is encrypted"),
        ("ftps", "write \"ftp\", and \"tls\" as a second stack where it begins encrypted: [[\"ftp\"], [\"tls\"]]"),
        ("sftp", "write \"ssh\""),
        ("scp", "write \"ssh\""),
        ("ssl", "write \"tls\""),
        ("coaps", "write \"dtls\""),
        ("rest", "write \"http\", or \"tls\" where it is HTTPS"),
        ("vnc", "write \"rfb\""),
        ("cifs", "write \"smb\""),
        ("bonjour", "write \"mdns\""),
        ("mssql", "write \"tds\""),
        ("icmp", "leave `protocols` out: `transports` says it"),
        ("tcp", "leave `protocols` out: `transports` says it"),
        ("udp", "leave `protocols` out: `transports` says it"),
    ];
    let name = name.to_ascii_lowercase();
    known.into_iter().find(|(word, _)| *word == name).map(|(_, help)| help)
}

/// Why a text is no TOML, where its line shows it.
pub fn toml(text: &str, place: &Range<usize>, message: &str) -> Option<String> {
    let start = text.get(..place.start).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let quotes = line.matches('"').count();
    match () {
        () if text.trim_start().starts_with('{') => Some("it begins as JSON: here a line is `key = value`, a table `[name]`".to_owned()),
        () if line.contains(['\u{201c}', '\u{201d}', '\u{201e}']) => Some("write straight quotation marks: \"...\"".to_owned()),
        () if message.contains("duplicate key") && line.trim_start().starts_with('[') => {
            let name = line.trim().trim_matches(['[', ']']);
            Some(format!("what comes more than once has double brackets: [[{name}]]"))
        }
        () if message.contains("duplicate key") => Some("the key is there already, further up in this table".to_owned()),
        () if quotes > 2 && message.contains("expected newline") => {
            Some("inside a text write \\\" for a quotation mark, or put all of it between '...'".to_owned())
        }
        () if message.contains("key with no value") => Some("write key = value; a table begins with its name in brackets: [name]".to_owned()),
        () => None,
    }
}

fn range(text: &str) -> Option<PortRange> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some(PortRange { low, high })
}

fn written(range: PortRange) -> String {
    if range.low == range.high { range.low.to_string() } else { format!("\"{}-{}\"", range.low, range.high) }
}

/// What tables have where no port is meant.
const NO_PORT: &[&str] = &["", "-", "--", "\u{2013}", "\u{2014}", "any", "all", "*", "n/a", "na", "none", "high", "various"];

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTIONS: &[&str] = &["in", "out", "out_only", "internal", "discovery", "unknown"];
    const TRANSPORTS: &[&str] = &["tcp", "udp", "igmp"];

    #[test]
    fn words_of_tables_are_answered_with_the_word_of_the_file() {
        assert!(word("Bidirectional", DIRECTIONS).unwrap().contains("twice"));
        assert_eq!(word("outbound", DIRECTIONS).unwrap(), "write \"out\"");
        assert_eq!(word("multicast", DIRECTIONS).unwrap(), "write \"discovery\"");
        assert_eq!(word("intrenal", DIRECTIONS), None, "a slip of the pen has a nearest word");
        assert_eq!(word("TCP/UDP", TRANSPORTS).unwrap(), "write \"tcp\", \"udp\"");
        assert_eq!(word("tcp and udp", TRANSPORTS).unwrap(), "write \"tcp\", \"udp\"");
        assert_eq!(word("any", TRANSPORTS).unwrap(), "leave the key out: that means any");
        assert_eq!(word("TCP", TRANSPORTS), None);
        assert_eq!(word("any", &["in", "low"]), None, "words of other keys are no matter of these");
    }

    #[test]
    fn ports_as_tables_write_them_are_answered_with_what_to_write() {
        assert_eq!(ports("7700\u{2013}7709"), "write \"7700-7709\"");
        assert_eq!(ports("7700:7709"), "write \"7700-7709\"");
        assert_eq!(ports("7700 to 7709"), "write \"7700-7709\"");
        assert_eq!(ports("80, 8080-8089"), "write 80, \"8080-8089\"");
        assert_eq!(ports("tcp/7700"), "write 7700; the transport goes into `transports`");
        assert_eq!(ports(">1023"), "write \"1024-65535\"");
        assert_eq!(ports("1024+"), "write \"1024-65535\"");
        for none in ["any", "Ephemeral", "dynamic (49152-65535)", "-", "n/a"] {
            assert_eq!(ports(none), "leave the key out: that means any", "{none}");
        }
        assert_eq!(ports("70000"), "write \"6900-6909\", within 0 to 65535");
    }

    #[test]
    fn no_text_makes_an_advice_fail() {
        for text in ["", "-", "65535+", ">65535", ">=", "–", "/", ",", "\u{0}", "99999-1", "7709-7700"] {
            let _ = (ports(text), word(text, TRANSPORTS), word(text, DIRECTIONS), value("ports", "a sequence", text), toml(text, &(0..9), "duplicate key"));
        }
        assert_eq!(key("a = [\n \"b\"]", &(8..11)), "", "a list of several lines has its key elsewhere");
        assert_eq!(key("ports = \"x\"", &(8..11)), "ports");
    }
}
