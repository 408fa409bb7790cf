//! What several rooms hold together and no single one of them shows.

use super::push;
use crate::capture::live::Clock;
use crate::capture::{Frame, FrameId, LinkType};
use crate::flow::{Ended, FlowTable, Settings};
use crate::identify::{Books, Identified, Identifier};
use crate::time::Timestamp;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// A datagram of one conversation, of either side in turn; it is over when nothing comes for a minute.
fn datagram(number: i64) -> Vec<u8> {
    let (client, server) = ([10, 1, 0, 2], [203, 0, 113, 10]);
    let (from, to, ports) = if number % 2 == 0 { (client, server, (40_000, 5_684)) } else { (server, client, (5_684, 40_000)) };
    let mut bytes = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).udp(ports.0, ports.1).write(&mut bytes, &[7; 20]).unwrap();
    bytes
}

/// The flows of ten minutes with a datagram every ten seconds, where somebody steps the clock on the wall after five. The kernel stamps packets by it; `is_corrected`
/// says whether the step is taken out of their times.
fn flows_where_the_clock_is_stepped(step: i64, is_corrected: bool) -> Vec<Box<Identified>> {
    let books = Books::default();
    let (mut table, mut identifier) = (FlowTable::new(Settings::default()), Identifier::new(&books));
    let (mut clock, mut wall) = (Clock::standing_at(1_000_000 * HOUR), 1_000_000 * HOUR);
    for second in 0..600 {
        let shown = if second == 300 { SECOND + step } else { SECOND };
        wall += shown;
        let corrected = clock.moved(SECOND, shown);
        let now = if is_corrected { corrected } else { Timestamp::from_nanos(wall) };
        if second % 10 == 0 {
            let (number, bytes) = (second / 10, datagram(second / 10));
            let time = if is_corrected { clock.of_packet(wall) } else { now };
            let id = FrameId::new(0, number as u64 + 1);
            let frame = Frame { id, interface: 0, link: LinkType::ETHERNET, time, wire_len: bytes.len() as u32, bytes: &bytes };
            push(&[frame], &mut table, &mut identifier);
        }
        table.advance(now, &mut identifier);
    }
    table.finish(&mut identifier);
    std::mem::take(identifier.ended())
}

#[test]
fn a_clock_that_is_stepped_by_an_hour_ends_no_flow_and_lengthens_none() {
    for step in [HOUR, -HOUR] {
        let flows = flows_where_the_clock_is_stepped(step, true);
        let [flow] = flows.as_slice() else { unreachable!("{} flows", flows.len()) };
        assert_eq!((flow.flow.client.packets + flow.flow.server.packets, flow.flow.ended), (60, Ended::CaptureEnd));
        let length = flow.flow.last.since(flow.flow.first).as_secs_f64();
        // A tenth of the time that passes is given back.
        assert!((590.0 - 30.0..=590.0 + 30.0).contains(&length), "{step}: {length} s");
    }
    // So it is the correction that does it.
    assert!(flows_where_the_clock_is_stepped(HOUR, false).len() > 1);
}

// while nothing can be captured nobody is silent
#[test]
fn a_watch_hears_nothing_once_its_last_interface_is_down_or_gone() {
    let interface = |name: &str| crate::capture::CaptureFile { path: name.to_owned(), ..Default::default() };
    let error = |name: &str| crate::capture::SourceError { path: name.to_owned(), what: String::new(), hint: String::new() };
    let state = |down: &[&str], faults: &[&str]| crate::pipeline::watch::State {
        files: vec![interface("eth1"), interface("eth2")],
        down: down.iter().map(|name| error(name)).collect(),
        faults: faults.iter().map(|name| error(name)).collect(),
        ..Default::default()
    };
    assert!(!state(&[], &[]).is_deaf() && !state(&["eth1"], &[]).is_deaf() && !state(&[], &["eth2"]).is_deaf());
    assert!(state(&["eth1"], &["eth2"]).is_deaf() && state(&["eth1", "eth2"], &[]).is_deaf());
    assert!(!crate::pipeline::watch::State::default().is_deaf());
    // One that may come back is waited for; where each would need a new start, nothing is.
    let replaced = |name: &str| crate::capture::SourceError { hint: crate::capture::live::START_AGAIN.to_owned(), ..error(name) };
    let after = |faults| crate::pipeline::watch::State { faults, ..state(&[], &[]) };
    assert!(!after(vec![replaced("eth1"), error("eth2")]).needs_a_new_start() && !after(vec![replaced("eth1")]).needs_a_new_start());
    assert!(after(vec![replaced("eth2"), replaced("eth1")]).needs_a_new_start() && !after(Vec::new()).needs_a_new_start());
}
