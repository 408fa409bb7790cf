//! How connections ended: cut, lost, stalled, silent. One test a rule of the decision table, named after it.

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::flow::{Moment, OpenSegment, TcpStory};
use crate::identify::Fact;
use crate::judge::{Confidence, Outcome, Site};
use crate::net::Side;

#[test]
fn d57_a_reset_after_the_first_message_is_not_blamed_on_the_network() {
    expect(&judge(tcp(CLIENT, SERVER).talked(300, 0).reset(1.3, 57)), Outcome::AppRefused, Confidence::Low, Some("D57"));
    let mut gappy = tcp(CLIENT, SERVER).talked(300, 0).reset(1.3, 57);
    gappy.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 900];
    assert_eq!(judge(gappy).outcome, Outcome::Ok, "what it answered was not captured");
}

#[test]
fn a_reset_may_bear_an_earlier_time_than_the_message_that_it_answers() {
    for (seconds, outcome) in [(0.04, Outcome::AppRefused), (0.4, Outcome::Ok)] {
        let mut crossed = tcp(CLIENT, SERVER).talked(300, 0).reset(1.3, 57);
        let story = crossed.0.flow.tcp.as_mut().unwrap();
        story.reset.as_mut().unwrap().client_payload = 0;
        story.first_data[0] = Some(Moment::new(at(1.3 + seconds), frame(9)));
        assert_eq!(judge(crossed).outcome, outcome);
    }
}

#[test]
fn d40_a_reset_from_another_distance_after_the_first_message_was_made_on_the_way() {
    let cut = || tcp(CLIENT, SERVER).talked(517, 0).reset(1.3, 64);
    expect(&judge(cut()), Outcome::ResetByMiddlebox, Confidence::Medium, Some("D40"));
    let mut several = cut();
    several.0.flow.tcp.as_mut().unwrap().reset_contradicted = true;
    expect(&judge(several), Outcome::ResetByMiddlebox, Confidence::High, Some("D40"));
}

// 57 of 64 and 248 of 255 are both seven hops
#[test]
fn d40_a_reset_with_another_initial_time_to_live_from_the_same_distance_is_the_hosts_own() {
    expect(&judge(tcp(CLIENT, SERVER).talked(517, 0).reset(1.3, 248)), Outcome::AppRefused, Confidence::Low, Some("D57"));
}

/// A segment of that side of this length, sent that often again and not acknowledged; `before` payload bytes in one segment had been.
fn unacknowledged(side: Side, len: u32, again: u32, before: u32) -> Sample {
    let (lost, whole) = (u64::from(len + before), if side == Side::Client { 0 } else { 100 });
    let mut sample = if side == Side::Client { tcp(CLIENT, SERVER).talked(lost, whole) } else { tcp(CLIENT, SERVER).talked(whole, lost) };
    let (place, tcp) = (side as usize, sample.0.flow.tcp.as_mut().unwrap());
    tcp.acknowledged[place] = u64::from(before);
    tcp.largest_acknowledged[place] = before;
    tcp.payload[place] = lost;
    // The SYN is at 0, the first byte at 1.
    tcp.open_segment[place] = OpenSegment { len, again, end: i64::from(1 + before + len) };
    sample
}

#[test]
fn d41_a_small_first_message_that_vanishes_after_the_handshake_is_dropped_for_its_content() {
    let judged = judge(unacknowledged(Side::Client, 517, 5, 0));
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D41"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("517 bytes") && cause.says.contains("5 times"), "{}", cause.says);
    assert!(["content", "size"].iter().all(|why| cause.alternatives.iter().any(|other| other.contains(why))));
    expect(&judge(unacknowledged(Side::Client, 517, 2, 0)), Outcome::SilentDrop, Confidence::Low, Some("D41"));
    // Behind a stateful device that did not see the SYN-ACK the server hears no more than the SYN.
    let mut unheard = unacknowledged(Side::Client, 517, 5, 0);
    unheard.0.flow.tcp.as_mut().unwrap().syn_acks = 4;
    let cause = judge(unheard).cause.unwrap();
    assert!(cause.rule == "D41" && cause.says.contains("the server repeats its SYN-ACK"), "{cause:?}");
    assert!(cause.alternatives.iter().all(|other| !other.contains("content") && !other.contains("size")));
}

// never blocked
#[test]
fn d32_a_lost_first_message_to_a_server_that_talks_to_this_client_at_other_times_is_not_blocked() {
    let talked = tcp("10.1.0.2:39999", SERVER).talked(517, 900);
    let judged = judge_among(Site::default(), &[unacknowledged(Side::Client, 517, 5, 0)], &[talked, background()]).remove(0);
    expect(&judged, Outcome::Unreachable, Confidence::Medium, Some("D32"));
}

// the laboratory's firewall drops a connection of psql, or of pika, in the middle of its dialogue
#[test]
fn d65_a_server_that_had_answered_and_that_nothing_reaches_any_more_is_cut_off() {
    let cut = |again: u32, seconds: f64| {
        let mut sample = unacknowledged(Side::Client, 40, again, 517);
        let flow = &mut sample.0.flow;
        (flow.server.payload_bytes, flow.server.last) = (900, Some(at(3.0)));
        (flow.client.last, flow.last) = (Some(at(3.0 + seconds)), at(3.0 + seconds));
        flow.tcp.as_mut().unwrap().payload[1] = 900;
        sample
    };
    let judged = judge(cut(4, 6.2));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D65"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("repeated 4 times") && cause.alternatives.iter().any(|other| other.contains("switched off")), "{cause:?}");
    // It is there, and would refuse what belongs to no connection of its own.
    let elsewhere = |second: f64| {
        let mut sample = tcp("10.1.0.3:41000", "203.0.113.7:443").talked(300, 900);
        sample.0.flow.server.last = Some(at(second));
        sample
    };
    let among = |others: &[Sample]| judge_among(Site::default(), &[cut(4, 6.2)], others).remove(0);
    expect(&among(&[elsewhere(8.0)]), Outcome::ServerSilent, Confidence::Medium, Some("D65"));
    expect(&among(&[elsewhere(2.0)]), Outcome::ServerSilent, Confidence::Low, Some("D65"));
    // Logs are never answered (RFC 5424), but taken.
    let mut log = cut(4, 6.2).speaks(&["syslog"]).fact(Fact::OneWay);
    log.0.flow.server.payload_bytes = 0;
    expect(&judge(log), Outcome::ServerSilent, Confidence::Low, Some("D65"));
    // An upload of which a part was taken, before anything was due to be answered.
    let mut upload = cut(4, 6.2);
    upload.0.flow.server.payload_bytes = 0;
    let mut older = upload.clone();
    (older.0.flow.tcp.as_mut().unwrap().established, older.0.flow.tcp.as_mut().unwrap().midstream) = (false, true);
    assert_eq!(judge(older).outcome, Outcome::Midstream);
    let judged = judge(upload);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D65"));
    assert!(judged.cause.unwrap().says.contains("took 517 bytes"));
    // Two repetitions may be loss, and what was answered a moment ago may be answered yet. Who closed, or said that it takes no more, is not cut off.
    for spared in [cut(2, 6.2), cut(4, 1.0)] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
    // It is told of connections that are older than the capture, too.
    let mut older = cut(4, 6.2);
    (older.0.flow.tcp.as_mut().unwrap().established, older.0.flow.tcp.as_mut().unwrap().midstream) = (false, true);
    expect(&judge(older), Outcome::ServerSilent, Confidence::Low, Some("D65"));
    let mut closed = cut(4, 6.2);
    closed.0.flow.tcp.as_mut().unwrap().fins[1] = true;
    assert_eq!(judge(closed).outcome, Outcome::Ok);
}

/// Keep-alives of the client, or its close, that came so often and met nobody, so long after anything was heard.
fn unheard(times: u8, silence: u64, closes: bool) -> Sample {
    let mut sample = tcp(CLIENT, SERVER).talked(90, 900).cut_by_the_end();
    let flow = &mut sample.0.flow;
    (flow.client.last, flow.last) = (Some(at(20.0)), at(20.0));
    let story = flow.tcp.as_mut().unwrap();
    (story.repeats[0].unanswered, story.silence_before, story.fins) = (times, [silence * 1_000_000_000, 0], [closes, false]);
    sample
}

// the laboratory pulls the cable of a connection that a program keeps alive
#[test]
fn d65_keep_alives_and_closes_that_nobody_answers_show_that_the_server_is_gone() {
    for (closes, words) in [(false, "asked 5 times whether the other end is there"), (true, "closed, 5 times over")] {
        let judged = judge(unheard(5, 4, closes));
        expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D65"));
        let says = judged.cause.unwrap().says;
        assert!(says.contains(words), "{says}");
        expect(&judge(unheard(2, 4, closes)), Outcome::Ok, Confidence::Medium, None);
        // Who has closed itself need not be there any more.
        let mut left = unheard(5, 4, closes);
        left.0.flow.tcp.as_mut().unwrap().fins[1] = true;
        assert_eq!(judge(left).outcome, Outcome::Ok);
    }
}

#[test]
fn d62_keep_alives_after_a_minute_that_nobody_answers_come_to_a_forgotten_connection() {
    for closes in [false, true] {
        let judged = judge(unheard(3, 120, closes));
        expect(&judged, Outcome::IdleDropped, Confidence::Low, Some("D62"));
        assert!(judged.cause.unwrap().says.contains("silent for 120 s"));
    }
}

// curl at a TLS server behind a narrow link, recorded beside curl: of the server's certificate only the last piece comes
#[test]
fn d60_what_never_came_before_a_small_segment_was_too_large() {
    let narrow = |hole: u64, missed: u64, piece: u32, waited: f64| {
        let mut sample = tcp(CLIENT, SERVER).talked(517, 0).speaks(&["tls"]);
        let flow = &mut sample.0.flow;
        (flow.client.last, flow.last, flow.server.payload_bytes) = (Some(at(2.0 + waited)), at(2.0 + waited), u64::from(piece));
        let story = flow.tcp.as_mut().unwrap();
        (story.payload[1], story.missed_bytes, story.last_data[1]) = (u64::from(piece), [0, missed], Some(Moment::new(at(2.0), frame(7))));
        story.open_segment[1] = OpenSegment { len: piece, again: 0, end: 1 + (hole + u64::from(piece)) as i64 };
        judge(sample)
    };
    let judged = narrow(2896, 2896, 600, 18.0);
    expect(&judged, Outcome::PmtuBlackhole, Confidence::Low, Some("D60"));
    assert!(judged.cause.unwrap().says.contains("2896 bytes before them never did"));
    // One small packet lost; large ones pass; a moment's wait; what was captured and is not acknowledged yet.
    for spared in [narrow(600, 600, 600, 18.0), narrow(2896, 2896, 1448, 18.0), narrow(2896, 2896, 600, 0.5), narrow(2896, 0, 600, 18.0)] {
        assert_ne!(spared.outcome, Outcome::PmtuBlackhole);
    }
}

// a mirror that shows a connection a second time with other sequence numbers
#[test]
fn d60_a_segment_far_beyond_all_that_was_sent_is_not_lost() {
    let mut twice = unacknowledged(Side::Server, 1448, 4, 237);
    twice.0.flow.tcp.as_mut().unwrap().open_segment[1].end += 1_604_532_840;
    expect(&judge(twice), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d60_large_segments_that_vanish_where_small_ones_pass_are_too_large_for_the_path() {
    expect(&judge(unacknowledged(Side::Server, 1448, 11, 237)), Outcome::PmtuBlackhole, Confidence::Medium, Some("D60"));
    expect(&judge(unacknowledged(Side::Client, 1448, 4, 237)), Outcome::PmtuBlackhole, Confidence::Medium, Some("D60"));
    // A large first message: its content may be the reason as well.
    expect(&judge(unacknowledged(Side::Client, 1448, 4, 0)), Outcome::PmtuBlackhole, Confidence::Low, Some("D60"));
}

// RFC 8200, every path carries 1280 bytes
#[test]
fn d60_what_any_path_carries_or_was_carried_before_is_not_lost_for_its_size() {
    expect(&judge(unacknowledged(Side::Server, 1208, 11, 237)), Outcome::Ok, Confidence::High, None);
    expect(&judge(unacknowledged(Side::Server, 1448, 11, 1448)), Outcome::Ok, Confidence::High, None);
    expect(&judge(unacknowledged(Side::Server, 1448, 1, 237)), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d34_a_first_message_without_acknowledgment_or_repetition_proves_nothing() {
    expect(&judge(unacknowledged(Side::Client, 517, 0, 0)), Outcome::NotObservable, Confidence::Low, Some("D34"));
}

#[test]
fn d79_a_dispatcher_that_closes_after_the_session_id_does_not_know_the_space() {
    let asks = |port: u16, bytes: u64, ends: &[u8]| {
        let mut sample = tcp("10.1.0.40:40000", &format!("203.0.113.69:{port}")).talked(bytes, 0);
        ends.iter().for_each(|letter| sample.0.flow.history.push(*letter));
        judge_one(site(&["cobalt.peer=10.1.0.0/24"]), sample)
    };
    expect(&asks(6900, 16, b"fF"), Outcome::AppRefused, Confidence::High, Some("D79"));
    // The client gave up, another message, another service.
    for other in [asks(6900, 16, b"Ff"), asks(6900, 17, b"fF"), asks(443, 16, b"fF")] {
        assert_ne!(other.cause.map(|cause| cause.rule), Some("D79"));
    }
}

#[test]
fn d54_a_request_taken_and_not_replied_to_is_the_servers_silence() {
    let mut silent = tcp(CLIENT, SERVER).talked(300, 0);
    silent.0.flow.ended = crate::flow::Ended::Idle;
    expect(&judge(silent.clone()), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
    // A capture that loses one packet in ten may have lost the reply and the end.
    let lossy = judge_after_loss(1, std::slice::from_ref(&silent), &[background()]).remove(0);
    expect(&lossy, Outcome::ServerSilent, Confidence::Low, Some("D54"));
    // One that loses nearly all shows nothing.
    let damaged = judge_after_loss(300, std::slice::from_ref(&silent), &[background()]).remove(0);
    expect(&damaged, Outcome::CaptureDamaged, Confidence::High, Some("D02"));
    // It said something that was not captured; or it is not known where its stream begins, and so whether it did.
    for change in [|story: &mut TcpStory| story.missed_bytes = [0, 900], |story: &mut TcpStory| story.syn_acks = 0] {
        let mut gappy = silent.clone();
        change(gappy.0.flow.tcp.as_mut().unwrap());
        assert_ne!(judge(gappy).outcome, Outcome::ServerSilent);
    }
}

// curl -m 6, and -m 12, to a server that accepts and says nothing
#[test]
fn d54_a_client_that_closes_for_want_of_an_answer_was_not_served() {
    let gave_up = |protocol: &'static str, seconds: f64| {
        let mut sample = tcp(CLIENT, SERVER).talked(300, 0).speaks(&[protocol]);
        b"Ff".iter().for_each(|letter| sample.0.flow.history.push(*letter));
        sample.0.flow.tcp.as_mut().unwrap().last_data[0] = Some(Moment::new(at(1.2), frame(4)));
        sample.0.flow.client.last = Some(at(1.2 + seconds));
        judge(sample)
    };
    expect(&gave_up("tls", 6.0), Outcome::ServerSilent, Confidence::Low, Some("D54"));
    expect(&gave_up("http", 12.0), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
    // The server has not closed its side when the capture ends, at 61 s.
    let mut half = tcp(CLIENT, SERVER).talked(300, 0).speaks(&["http"]);
    half.0.flow.ended = crate::flow::Ended::CaptureEnd;
    let story = half.0.flow.tcp.as_mut().unwrap();
    (story.fins, story.last_data[0]) = ([true, false], Some(Moment::new(at(52.0), frame(4))));
    half.0.flow.client.last = Some(at(56.0));
    half.0.flow.last = at(56.0);
    expect(&judge(half), Outcome::ServerSilent, Confidence::Low, Some("D54"));
    // Who leaves at once did not wait for an answer; and what is no question, such as a log, has none.
    assert_eq!(gave_up("http", 0.5).outcome, Outcome::Ok);
    assert_eq!(gave_up("syslog", 12.0).outcome, Outcome::Ok);
}

#[test]
fn d36_a_connection_in_which_nothing_is_said_is_just_that() {
    expect(&judge(tcp(CLIENT, SERVER).connected()), Outcome::ConnectedNoData, Confidence::High, Some("D36"));
}

// a mirror that lost the segments with data: acknowledgments and the FIN's sequence number tell of 319 bytes
#[test]
fn d35_d36_what_was_said_and_not_captured_is_not_nothing() {
    let mut gappy = tcp(CLIENT, SERVER).connected();
    gappy.0.flow.tcp.as_mut().unwrap().missed_bytes = [79, 240];
    expect(&judge(gappy), Outcome::Ok, Confidence::Medium, None);
    let mut torn = tcp(CLIENT, SERVER).syn_acks(2, 3.0);
    torn.0.flow.tcp.as_mut().unwrap().missed_bytes = [79, 0];
    expect(&judge(torn), Outcome::NotObservable, Confidence::Low, Some("D39"));
}

fn hello(port: u16, name: &str) -> Sample {
    tcp(&format!("10.1.0.2:{port}"), SERVER).talked(517, 0).speaks(&["tls"]).sni(name)
}

// The control: another name at the same address is served.
#[test]
fn d40_a_name_that_is_cut_where_another_is_served_is_cut_for_the_name() {
    let served = tcp("10.1.0.3:40000", SERVER).talked(517, 900).speaks(&["tls"]).sni("other.example");
    let judged = judge_among(Site::default(), &[hello(40000, "blocked.example").reset(1.3, 64)], &[served.clone(), background()]).remove(0);
    expect(&judged, Outcome::ResetByMiddlebox, Confidence::High, Some("D40"));
    assert!(judged.cause.unwrap().says.contains("other.example is served at the same address"));
    // Like the server's own, and at this one address: the server may not want the name.
    let judged = judge_among(Site::default(), &[hello(40000, "blocked.example").reset(1.3, 57)], &[served.clone(), background()]).remove(0);
    expect(&judged, Outcome::AppRefused, Confidence::Low, Some("D57"));
    // The same name at another address, too.
    let elsewhere = tcp("10.1.0.2:40001", "203.0.113.8:443").talked(517, 0).speaks(&["tls"]).sni("blocked.example").reset(1.3, 57);
    let judged = judge_among(Site::default(), &[hello(40000, "blocked.example").reset(1.3, 57)], &[served, elsewhere, background()]).remove(0);
    expect(&judged, Outcome::ResetByMiddlebox, Confidence::Medium, Some("D40"));
}

#[test]
fn d41_a_name_that_is_lost_where_another_is_served_is_lost_for_the_name() {
    let served = tcp("10.1.0.3:40000", SERVER).talked(517, 900).speaks(&["tls"]).sni("other.example");
    let lost = unacknowledged(Side::Client, 517, 5, 0).speaks(&["tls"]).sni("blocked.example");
    let judged = judge_among(Site::default(), &[lost], &[served, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D41"));
}

// The server's packets come with 57 where it talks.
#[test]
fn d31_a_syn_ack_from_elsewhere_and_nothing_more_is_somebody_in_between() {
    let talks = tcp("10.1.0.3:40000", "203.0.113.7:443").talked(100, 100);
    let accepted = |ttl: u8| {
        let mut accepted = tcp(CLIENT, SERVER).connected();
        let story = accepted.0.flow.tcp.as_mut().unwrap();
        (story.syn_ack_ttl, story.ttl[1]) = (Some(ttl), Some((ttl, ttl)));
        judge_among(Site::default(), &[accepted], &[talks.clone(), background()]).remove(0)
    };
    expect(&accepted(63), Outcome::ConnectedNoData, Confidence::Medium, Some("D31"));
    expect(&accepted(57), Outcome::ConnectedNoData, Confidence::High, Some("D36"));
}

fn idle(seconds: u64, again: u32) -> Sample {
    let mut sample = tcp(CLIENT, SERVER).talked(300, 300);
    let flow = &mut sample.0.flow;
    flow.ended = crate::flow::Ended::Idle;
    flow.client.last = Some(at(2.0 + seconds as f64 + 10.0));
    let story = flow.tcp.as_mut().unwrap();
    (story.open_segment[0], story.silence_before[0]) = (OpenSegment { len: 40, again, end: 341 }, seconds * 1_000_000_000);
    story.last_data[0] = Some(Moment::new(at(2.0 + seconds as f64 + 10.0), frame(20)));
    sample
}

#[test]
fn d62_data_after_a_long_silence_that_nobody_acknowledges_meets_a_forgotten_connection() {
    let judged = judge(idle(400, 5));
    expect(&judged, Outcome::IdleDropped, Confidence::Medium, Some("D62"));
    assert!(judged.cause.unwrap().says.contains("silent for 400 s"));
    for other in [idle(20, 5), idle(400, 1)] {
        assert_ne!(judge(other).outcome, Outcome::IdleDropped);
    }
}

// A server whose last words meet a client that has closed and gone.
#[test]
fn d62_what_comes_after_the_other_end_has_closed_is_no_forgotten_connection() {
    let mut late = idle(400, 5);
    late.0.flow.tcp.as_mut().unwrap().fins = [false, true];
    assert_ne!(judge(late).outcome, Outcome::IdleDropped);
}

#[test]
fn d62_a_reset_from_elsewhere_after_a_long_silence_is_of_who_forgot_the_connection() {
    let reset = |ttl: u8| {
        let mut sample = tcp(CLIENT, SERVER).talked(300, 300).reset(400.0, ttl);
        sample.0.flow.tcp.as_mut().unwrap().reset.as_mut().unwrap().after_silence = 350_000_000_000;
        judge(sample)
    };
    expect(&reset(64), Outcome::IdleDropped, Confidence::High, Some("D62"));
    assert_ne!(reset(57).outcome, Outcome::IdleDropped);
}

#[test]
fn d61_a_sender_that_does_not_heed_a_routers_word_on_sizes_is_named() {
    let mut sample = unacknowledged(Side::Server, 1448, 11, 237);
    let told = |n: u64| crate::flow::Rejection {
        by: "10.9.0.1".parse().unwrap(),
        to: Side::Server,
        v6: false,
        kind: 3,
        code: 4,
        mtu: Some(1400),
        quoted_ttl: 60,
        time: at(2.0),
        frame: frame(n),
    };
    sample.0.flow.rejections = [told(30), told(31)].into_iter().collect();
    let judged = judge(sample.clone());
    expect(&judged, Outcome::PmtuBlackhole, Confidence::High, Some("D61"));
    assert!(judged.cause.unwrap().says.contains("no more than 1400 bytes"));
    sample.0.flow.rejections.truncate(1);
    expect(&judge(sample), Outcome::PmtuBlackhole, Confidence::Medium, Some("D60"));
}

#[test]
fn d58_a_window_that_stays_closed_is_the_servers() {
    let mut sample = tcp(CLIENT, SERVER).talked(90_000, 10);
    sample.0.flow.ended = crate::flow::Ended::Idle;
    let story = sample.0.flow.tcp.as_mut().unwrap();
    (story.stalled, story.zero_windows) = ([false, true], [0, 6]);
    expect(&judge(sample.clone()), Outcome::ServerSilent, Confidence::Medium, Some("D58"));
    sample.0.flow.tcp.as_mut().unwrap().stalled = [false, false];
    expect(&judge(sample), Outcome::Ok, Confidence::High, None);
}

#[test]
fn d59_a_server_that_takes_the_first_message_and_closes_has_not_served() {
    let closed = |ends: &[u8]| {
        let mut sample = tcp(CLIENT, SERVER).talked(300, 0);
        ends.iter().for_each(|letter| sample.0.flow.history.push(*letter));
        sample.0.flow.tcp.as_mut().unwrap().fins = [true, true];
        judge(sample)
    };
    expect(&closed(b"fF"), Outcome::AppRefused, Confidence::Low, Some("D59"));
    // The client was through with it.
    assert_eq!(closed(b"Ff").outcome, Outcome::Ok);
    // The capture lost something: perhaps the client's close, perhaps the server's word.
    let mut gappy = tcp(CLIENT, SERVER).talked(300, 0);
    b"fF".iter().for_each(|letter| gappy.0.flow.history.push(*letter));
    let story = gappy.0.flow.tcp.as_mut().unwrap();
    (story.fins, story.missed_bytes) = ([true, true], [1, 0]);
    assert_eq!(judge(gappy).outcome, Outcome::Ok);
}

// curl, whose download a firewall cuts in its middle: there is nothing that the client could send again
#[test]
fn d94_a_download_that_stops_before_its_end_was_cut_or_its_server_hangs() {
    let stopped = |left: u64, seconds: f64| {
        let download = tcp("10.1.0.2:40000", SERVER).talked(90, 200_000).speaks(&["http"]).asks("GET", "/big.bin").fact(Fact::Unfinished(left));
        let mut sample = download.answer(Side::Server, crate::identify::AnswerKind::Accepted, 200, "OK");
        let flow = &mut sample.0.flow;
        let story = flow.tcp.as_mut().unwrap();
        story.last_data = [Some(crate::flow::Moment::new(at(1.1), frame(4))), Some(crate::flow::Moment::new(at(3.0), frame(200)))];
        story.fins = [true, false];
        flow.history.push(b'F');
        (flow.client.last, flow.last) = (Some(at(3.0 + seconds)), at(3.0 + seconds));
        sample
    };
    let judged = judge(stopped(1_800_000, 30.0));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D94"));
    // A server whose client has left closes, too.
    let mut closed = stopped(1_800_000, 30.0);
    closed.0.flow.history.push(b'f');
    closed.0.flow.tcp.as_mut().unwrap().fins = [true, true];
    expect(&judge(closed), Outcome::ServerSilent, Confidence::Low, Some("D94"));
    assert!(judged.cause.unwrap().says.contains("nothing came for 30 s, and 1800000 bytes were still to come"));
    // Who leaves at once has seen enough.
    assert_eq!(judge(stopped(1_800_000, 2.0)).outcome, Outcome::Ok);
    let changes: [fn(&mut crate::flow::TcpStory); 2] = [|story| story.zero_windows[0] = 1, |story| story.missed_bytes[1] = 1448];
    for change in changes {
        let mut spared = stopped(1_800_000, 30.0);
        change(spared.0.flow.tcp.as_mut().unwrap());
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
    // Outlook's stream from the server (MS-RPCH section 2.1.2.1.2) says that it is a gigabyte long.
    assert_eq!(judge(stopped(1_073_000_000, 60.0).asks("RPC_OUT_DATA", "/rpc/rpcproxy.dll")).outcome, Outcome::Ok);
}

/// As `nmap -O` asks an open port and a closed one: an acknowledgment of what nobody sent, answered with a reset.
#[test]
fn d02_what_a_scanners_probes_acknowledge_was_not_lost() {
    let mut probe = tcp("10.1.0.3:40000", "203.0.113.8:443").syns(&[1.0]).reset(1.1, 64);
    let story = probe.0.flow.tcp.as_mut().unwrap();
    (story.acknowledged, story.missed_bytes) = ([0, 1 << 30], [0, 1 << 30]);
    let judged = judge_among(Site::default(), &[tcp(CLIENT, SERVER).syns(&[1.0, 2.0])], &[probe, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D21"));
}

// a program whose server is stopped (SIGSTOP) between two requests on one connection: its kernel goes on to acknowledge
#[test]
fn d54_a_later_request_that_is_taken_and_never_answered_met_a_server_that_hangs() {
    let awaiting = |seconds: f64, method: &str| {
        let answered = tcp("10.1.0.2:40000", SERVER).talked(180, 900).speaks(&["http"]).asks(method, "/status").fact(Fact::Awaited);
        let mut sample = answered.answer(Side::Server, crate::identify::AnswerKind::Accepted, 200, "OK");
        let flow = &mut sample.0.flow;
        let story = flow.tcp.as_mut().unwrap();
        story.last_data = [Some(Moment::new(at(3.0), frame(8))), Some(Moment::new(at(1.2), frame(6)))];
        story.fins = [true, false];
        (flow.client.last, flow.last) = (Some(at(3.0 + seconds)), at(3.0 + seconds));
        sample
    };
    let judged = judge(awaiting(25.0, "GET"));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D54"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("had answered, took another request") && cause.says.contains("25 s later"), "{}", cause.says);
    assert!(cause.alternatives.iter().any(|other| other.contains("held on purpose")));
    // Who leaves soon, or asks for a stream, or was closed upon, or waits yet.
    let mut closed = awaiting(25.0, "GET");
    b"fF".iter().for_each(|letter| closed.0.flow.history.push(*letter));
    closed.0.flow.tcp.as_mut().unwrap().fins[1] = true;
    let mut waits = awaiting(25.0, "GET").cut_by_the_end();
    waits.0.flow.tcp.as_mut().unwrap().fins[0] = false;
    for spared in [awaiting(4.0, "GET"), awaiting(25.0, "RPC_IN_DATA"), closed, waits] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
}

// a firewall that lets sshd's handshake pass and drops all that it says: recorded at the server
#[test]
fn d95_what_the_server_repeats_to_a_client_that_is_heard_and_acknowledges_none_of_it_does_not_arrive() {
    let repeated = |again: u32, before: u32, seconds: f64| {
        let mut sample = unacknowledged(Side::Server, 800, again, before).speaks(&["ssh"]);
        let flow = &mut sample.0.flow;
        let story = flow.tcp.as_mut().unwrap();
        story.first_data[1] = Some(Moment::new(at(1.2), frame(5)));
        story.last_data[1] = Some(Moment::new(at(4.5), frame(9)));
        story.fins = [true, false];
        (flow.client.last, flow.last) = (Some(at(1.2 + seconds)), at(1.2 + seconds).max(at(4.5)));
        sample
    };
    let judged = judge(repeated(4, 0, 5.0));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D95"));
    assert!(judged.cause.unwrap().says.contains("4 times"));
    expect(&judge(repeated(3, 600, 5.0)), Outcome::ReturnPathBroken, Confidence::Low, Some("D95"));
    // The same at the client: what follows the first 600 bytes came, and these did not.
    let mut torn = repeated(0, 600, 5.0);
    let story = torn.0.flow.tcp.as_mut().unwrap();
    (story.acknowledged[1], story.payload[1]) = (0, 800);
    let judged = judge(torn);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D95"));
    assert!(judged.cause.unwrap().says.contains("the first 600 bytes that 203.0.113.7 said did not come"));
    // Loss; a client that is not heard any more; one that left as the last copy was on its way.
    for spared in [repeated(2, 0, 5.0), repeated(4, 0, 1.0), repeated(4, 600, 3.0)] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
    // Who resets is there, and wants no more; what was not captured may have been acknowledged.
    let changes: [fn(&mut TcpStory); 2] = [|story| story.missed_bytes[0] = 90, |story| story.stalled[0] = true];
    for change in changes {
        let mut spared = repeated(4, 0, 5.0);
        change(spared.0.flow.tcp.as_mut().unwrap());
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
    let reset = repeated(4, 0, 5.0).reset(6.2, 64);
    let by_client = |mut sample: Sample| {
        sample.0.flow.tcp.as_mut().unwrap().reset.as_mut().unwrap().from = Side::Client;
        sample
    };
    assert_ne!(judge(by_client(reset)).outcome, Outcome::ReturnPathBroken);
}

#[test]
fn d36_who_left_a_connection_in_which_nobody_spoke_and_when() {
    let silent = |fins: [bool; 2], letters: &str, seconds: f64| {
        let mut sample = tcp(CLIENT, SERVER).connected();
        let flow = &mut sample.0.flow;
        flow.tcp.as_mut().unwrap().fins = fins;
        letters.bytes().for_each(|letter| flow.history.push(letter));
        flow.ended = crate::flow::Ended::Closed;
        (flow.client.last, flow.last) = (Some(at(1.0 + seconds)), at(1.0 + seconds));
        let judged = judge(sample);
        expect(&judged, Outcome::ConnectedNoData, Confidence::High, Some("D36"));
        judged.cause.unwrap().says
    };
    assert!(silent([true, false], "F", 4.2).ends_with("; the client left after 4 s"));
    assert!(silent([true, false], "F", 0.2).ends_with("neither side sent anything"));
    assert!(silent([true, true], "fF", 5.1).contains("closed it within 6 s"));
    assert!(silent([true, true], "fF", 0.1).ends_with("closed it at once"));
}

#[test]
fn d06_a_connection_that_stands_when_the_capture_ends_may_have_been_greeted_later() {
    let open = |left: f64| {
        let sample = tcp(CLIENT, SERVER).connected().cut_by_the_end();
        judge_among(Site::default(), &[sample], &[tcp("10.1.0.9:40000", "10.9.0.9:9999").syns(&[1.1 + left])]).remove(0)
    };
    expect(&open(0.5), Outcome::NotObservable, Confidence::High, Some("D06"));
    expect(&open(5.0), Outcome::ConnectedNoData, Confidence::High, Some("D36"));
}
