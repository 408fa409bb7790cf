//! The laboratory's `expected.json` as expectation files, and captures as another day would have shown them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

pub fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

pub fn arguments(case: &Path) -> Vec<String> {
    list(&due(case)["arguments"]).iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Whether portbook has yet to learn what the case shows.
pub fn awaits(case: &Path) -> bool {
    due(case)["awaits"].is_string()
}

/// The case's truth as far as an expectation file has words for it: all but announcements, the sources of names, parts of reasons and how bad a finding
/// is at least.
pub fn expectations(case: &Path) -> String {
    let due = due(case);
    let mut text = format!("[check]\nname = {}\nno_findings_above = {}\n", due_name(case), due["no_other_findings_above"]);
    for flow in list(&due["flows"]) {
        let ports = if flow["port"].is_string() { flow["port"].clone() } else { Value::from(flow["port"].as_u64().unwrap()) };
        let (transport, client, server) = (&flow["transport"], &flow["client"], &flow["server"]);
        writeln!(text, "\n[[flows]]\ntransport = {transport}\nclient = [{client}]\nserver = [{server}]\nports = [{ports}]").unwrap();
        let mut says = false;
        for (key, value) in flow.as_object().unwrap() {
            match key.as_str() {
                // The file has no word for a flow that is no row's.
                "service" if value.is_null() => continue,
                // Of rows that tell one service from two sides each stands for both.
                "service" if value.is_array() => writeln!(text, "service = {}", value[0]).unwrap(),
                "service" | "verdict" | "reasons" | "outcome" | "confidence" | "protocol" | "count" => writeln!(text, "{key} = {value}").unwrap(),
                "says_contains" => writeln!(text, "says = {value}").unwrap(),
                "server_names" => writeln!(text, "name = {}", value[0]).unwrap(),
                _ => continue,
            }
            says |= key != "count";
        }
        if !says && flow["count"].is_null() {
            text += "count = \"1-\"\n";
        }
    }
    for finding in list(&due["findings"]) {
        // An entry that names no row is about any.
        let about = if finding["service"].is_null() { "client = [\"local\", \"internet\"]".to_owned() } else { format!("service = {}", finding["service"]) };
        writeln!(text, "\n[[findings]]\n{about}").unwrap();
        for (ours, theirs) in
            [("rule", "rule"), ("severity", "severity"), ("confidence", "confidence"), ("says", "says_contains"), ("breaks", "consequence_contains")]
        {
            if finding[theirs].is_string() {
                writeln!(text, "{ours} = {}", finding[theirs]).unwrap();
            }
        }
    }
    text
}

/// The text with one thing made untrue at a time: another outcome of all flows, another verdict, a finding that is not there.
pub fn opposites(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (key, other) in [("outcome", "\"capture_damaged\""), ("verdict", "\"undecided\""), ("protocol", "[\"modbus\"]"), ("says", "\"no such words\"")] {
        let changed: Vec<String> =
            text.lines().map(|line| if line.starts_with(&format!("{key} = ")) { format!("{key} = {other}") } else { line.to_owned() }).collect();
        let changed = changed.join("\n");
        if changed != text.trim_end() && !(key == "verdict" && text.contains("verdict = \"undecided\"")) {
            all.push(changed);
        }
    }
    all.push(format!("{text}\n[[findings]]\nrule = \"version_too_old\"\n"));
    all
}

/// The capture a day later: without its ARP frames, so that frames have other numbers; clients have other ports, and one server of the cloud another address.
pub fn another_day(pcap: &[u8]) -> Vec<u8> {
    let mut later = pcap[..24].to_vec();
    let mut at = 24;
    while at < pcap.len() {
        let word = |from: usize| u32::from_le_bytes(pcap[from..from + 4].try_into().unwrap());
        let end = at + 16 + word(at + 8) as usize;
        let (seconds, mut record) = (word(at), pcap[at..end].to_vec());
        at = end;
        // Ethernet: the type of ARP is 0x0806.
        if record[28..30] == [8, 6] {
            continue;
        }
        record[..4].copy_from_slice(&(seconds + 86_400 + 3_600).to_le_bytes());
        renumber(&mut record[16..]);
        later.extend(record);
    }
    later
}

/// IPv4 over Ethernet without options, as the laboratory records it: ephemeral ports move up by 1000, 203.0.113.10 becomes 203.0.113.200.
fn renumber(frame: &mut [u8]) {
    for address in [26, 30] {
        if frame.get(address..address + 4) == Some(&[203, 0, 113, 10]) {
            frame[address + 3] = 200;
        }
    }
    let has_ports = frame.get(12..14) == Some(&[8, 0]) && matches!(frame.get(23), Some(6 | 17));
    for port in [34, 36] {
        if has_ports && frame.len() >= port + 2 {
            let number = u16::from_be_bytes([frame[port], frame[port + 1]]);
            if (32_768..60_000).contains(&number) {
                frame[port..port + 2].copy_from_slice(&(number + 1000).to_be_bytes());
            }
        }
    }
}

fn due(case: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap()
}

fn due_name(case: &Path) -> String {
    format!("\"{}\"", name(case))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
