//! Servers that hang, clients that leave, and messages that are lost on the way behind a greeting. One test a rule of the decision table, named after it.

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::flow::{Ended, Moment, OpenSegment, TcpStory};
use crate::identify::Fact;
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::Side;

/// Of the sample's connection, changed.
fn with(mut sample: Sample, change: impl FnOnce(&mut TcpStory)) -> Sample {
    change(sample.0.flow.tcp.as_mut().unwrap());
    sample
}

/// The letters of who closed, in order.
fn closed(mut sample: Sample, letters: &[u8]) -> Sample {
    letters.iter().for_each(|letter| sample.0.flow.history.push(*letter));
    let fins = [b'F', b'f'].map(|fin| letters.contains(&fin));
    sample.0.flow.ended = if fins == [true, true] { Ended::Closed } else { Ended::CaptureEnd };
    with(sample, |story| story.fins = fins)
}

/// The capture ends so many seconds after the last packet of the sample's flow.
fn judge_until(sample: Sample, left: f64) -> Judged {
    let end = sample.0.flow.last.since(at(0.0)).as_secs_f64() + left;
    judge_among(Site::default(), &[sample.cut_by_the_end()], &[tcp("10.1.0.9:40000", "10.9.0.9:9999").syns(&[end])]).remove(0)
}

fn moment(seconds: f64, number: u64) -> Moment {
    Moment::new(at(seconds), frame(number))
}

// sshd behind a filter that drops what its client says: its version comes, the client's never arrives
#[test]
fn d41_the_first_message_to_a_server_that_greets_is_lost_like_any_other() {
    let lost = |again: u32| {
        let greeted = tcp(CLIENT, SERVER).talked(41, 41).speaks(&["ssh"]).cut_by_the_end();
        judge(with(greeted, |story| {
            (story.acknowledged, story.retransmissions) = ([0, 41], [again, 0]);
            story.open_segment = [OpenSegment { len: 41, again, end: 42 }, OpenSegment::default()];
        }))
    };
    expect(&lost(5), Outcome::SilentDrop, Confidence::Medium, Some("D41"));
    assert_eq!(lost(1).outcome, Outcome::Ok);
    // A server that has said all it will say, and closed before it heard a word, hears none.
    let closed = closed(tcp(CLIENT, SERVER).talked(41, 41).speaks(&["http"]), b"f");
    let judged = judge(with(closed, |story| (story.acknowledged, story.open_segment[0]) = ([0, 41], OpenSegment { len: 41, again: 5, end: 42 })));
    assert_eq!(judged.outcome, Outcome::Ok);
}

// the same at the server
#[test]
fn d36_a_client_that_takes_a_greeting_and_says_nothing_was_not_heard() {
    let greeted = |protocol: &'static str| {
        let sample = tcp(CLIENT, SERVER).talked(0, 41).speaks(&[protocol]);
        with(sample, |story| (story.acknowledged, story.last_data) = ([0, 41], [None, Some(moment(1.2, 5))]))
    };
    let judged = judge_until(greeted("ssh"), 30.0);
    expect(&judged, Outcome::ConnectedNoData, Confidence::Low, Some("D36"));
    assert!(judged.cause.unwrap().says.contains("said who it is, and 10.1.0.2, which took that, said nothing for 30 s"));
    // Who types a name takes a while; whoever looks at the greeting alone closes.
    for (spared, left) in [(greeted("ssh"), 5.0), (greeted("ftp"), 30.0), (closed(greeted("ssh"), b"F"), 30.0)] {
        assert_eq!(judge_until(spared, left).outcome, Outcome::Ok);
    }
}

#[test]
fn d06_what_was_asked_may_be_answered_for_ten_seconds() {
    let asked = || with(tcp(CLIENT, SERVER).talked(300, 0).speaks(&["http"]), |story| story.acknowledged = [300, 0]);
    expect(&judge_until(asked(), 5.0), Outcome::NotObservable, Confidence::High, Some("D06"));
    expect(&judge_until(asked(), 12.0), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
    let data = with(tcp(CLIENT, SERVER).talked(300, 0), |story| story.acknowledged = [300, 0]);
    assert_eq!(judge_until(data, 5.0).outcome, Outcome::Ok, "nobody knows whether an answer is due");
    // What is sent again is not on its way any more.
    let lost = with(tcp(CLIENT, SERVER).talked(300, 0), |story| {
        (story.acknowledged, story.open_segment[0]) = ([0, 0], OpenSegment { len: 300, again: 4, end: 301 });
    });
    expect(&judge_until(lost, 5.0), Outcome::SilentDrop, Confidence::Medium, Some("D41"));
}

#[test]
fn d06_a_greeting_that_was_just_sent_may_be_acknowledged_yet() {
    let greeted = || {
        with(tcp(CLIENT, SERVER).talked(41, 41).speaks(&["ssh"]), |story| {
            (story.acknowledged, story.open_segment[1]) = ([41, 0], OpenSegment { len: 41, again: 1, end: 42 });
            (story.first_data[1], story.last_data[1]) = (Some(moment(1.2, 5)), Some(moment(1.2, 5)));
        })
    };
    expect(&judge_until(greeted(), 0.5), Outcome::NotObservable, Confidence::High, Some("D06"));
    assert_eq!(judge_until(greeted(), 5.0).outcome, Outcome::Ok);
    let once = with(greeted(), |story| story.open_segment[1].again = 0);
    assert_eq!(judge_until(once, 0.5).outcome, Outcome::Ok, "nothing speaks against it");
    let deaf = with(greeted(), |story| story.repeats[0].acknowledged = 3);
    expect(&judge_until(deaf, 0.5), Outcome::ReturnPathBroken, Confidence::Medium, Some("D68"));
}

// nginx that was stopped (SIGSTOP) while curl waited, and goes on when curl has left
#[test]
fn d54_a_reply_that_comes_when_the_client_has_left_came_too_late() {
    let late = |seconds: f64| {
        let mut sample = closed(tcp(CLIENT, SERVER).talked(80, 200).speaks(&["http"]), b"F").reset(1.2 + seconds, 64);
        sample.0.flow.ended = Ended::Closed;
        with(sample, |story| {
            (story.acknowledged, story.last_data[0], story.first_data[1]) = ([80, 0], Some(moment(1.2, 4)), Some(moment(1.2 + seconds, 9)));
            let reset = story.reset.as_mut().unwrap();
            (reset.from, reset.server_payload, reset.answers_syn) = (Side::Client, 200, false);
        })
    };
    let judged = judge(late(5.0));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D54"));
    assert!(judged.cause.unwrap().says.contains("replied 5 s later, when the client had left"));
    expect(&judge(late(12.0)), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
    // Who leaves at once; whoever took a part of the reply; a client that had only ended its own part.
    let took = with(late(12.0), |story| story.acknowledged[1] = 100);
    let half = with(late(12.0), |story| story.reset = None);
    for spared in [late(0.5), took, half] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
}

// a web server whose program hangs behind the handshake
#[test]
fn d54_a_request_behind_a_tls_handshake_that_is_never_answered_met_a_server_that_hangs() {
    let awaiting = |protocol: &[&'static str], seconds: f64, letters: &[u8]| {
        let mut sample = closed(tcp(CLIENT, SERVER).talked(700, 1300).speaks(protocol).fact(Fact::Awaited), letters);
        let end = 1.2 + seconds;
        (sample.0.flow.client.last, sample.0.flow.last) = (Some(at(end)), at(end));
        with(sample, |story| story.last_data = [Some(moment(end, 19)), Some(moment(1.2, 6))])
    };
    let judged = judge(awaiting(&["tls", "http"], 12.0, b"Ff"));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D54"));
    assert!(judged.cause.unwrap().says.contains("took a request and did not reply; nothing had come when the client left, 12 s later"));
    // Nobody knows what is inside; who leaves soon; the server closes, as it does with whom it has not heard for long.
    for spared in [awaiting(&["tls"], 12.0, b"Ff"), awaiting(&["tls", "http"], 4.0, b"Ff"), awaiting(&["tls", "http"], 12.0, b"fF")] {
        expect(&judge(spared), Outcome::Ok, Confidence::Medium, None);
    }
}

/// An upload of which so much was taken.
fn upload(due: u64) -> Sample {
    let sample = tcp(CLIENT, SERVER).talked(65_641, 0).speaks(&["http"]).asks("PUT", "/report").fact(Fact::HalfAsked(due));
    with(sample, |story| (story.acknowledged, story.last_data[0]) = ([65_641, 0], Some(moment(3.0, 90))))
}

// nginx behind a firewall that cuts an upload in its middle: it waits, closes, and closes again, and nothing answers
#[test]
fn d97_a_client_that_stops_in_its_request_and_answers_no_close_is_not_heard() {
    let mut sample = closed(upload(334_359), b"f");
    (sample.0.flow.server.last, sample.0.flow.last) = (Some(at(40.0)), at(40.0));
    let judged = judge(with(sample, |story| story.repeats[1].unanswered = 5));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Low, Some("D97"));
    assert!(judged.cause.unwrap().says.contains("the last 334359 bytes of its request"));
    // No reply is due to half a request.
    expect(&judge_until(upload(334_359), 20.0), Outcome::NotObservable, Confidence::High, Some("D06"));
    // What waits for leave to be sent (`Expect: 100-continue`) was not cut.
    let waits = with(upload(334_359), |story| story.last_data[0] = story.first_data[0]);
    expect(&judge_until(waits, 20.0), Outcome::ServerSilent, Confidence::Medium, Some("D54"));
}

// the same at the client, where the server's close still comes
#[test]
fn d65_a_server_that_closes_while_its_client_repeats_itself_was_not_told_the_rest() {
    let mut sample = closed(upload(334_359), b"f");
    sample.0.flow.server.last = sample.0.flow.client.last;
    let repeats = OpenSegment { len: 1448, again: 6, end: 65_642 + 1448 };
    let judged = judge(with(sample, |story| (story.open_segment[0], story.largest_acknowledged) = (repeats, [1448, 0])));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D65"));
    assert!(judged.cause.unwrap().says.contains("the server waited for the rest, and closed"));
}

// vsftpd behind a filter that passes small packets: of a file only the close that follows it comes, and curl waits
#[test]
fn d95_and_d41_a_close_tells_of_content_that_never_came() {
    let left = |side: usize, letters: &[u8], seconds: f64| {
        let mut sample = closed(tcp(CLIENT, "203.0.113.7:40009").connected(), letters);
        let flow = &mut sample.0.flow;
        let end = at(1.0 + seconds);
        (flow.client.last, flow.server.last, flow.last) = (Some(end), Some(end), end);
        judge(with(sample, |story| story.untold[side] = 10_240))
    };
    let judged = left(1, b"fF", 20.0);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Low, Some("D95"));
    assert!(judged.cause.unwrap().says.contains("the first 10240 bytes that 203.0.113.7 said did not come this far"));
    let judged = left(0, b"Ff", 20.0);
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D41"));
    assert!(judged.cause.unwrap().says.contains("of 10240 bytes that the client said none came"));
    // Soon after, the rest may come yet; and who was not heard after that close may be gone.
    for spared in [left(0, b"Ff", 0.5), left(1, b"fF", 0.5), left(1, b"Ff", 20.0), left(0, b"fF", 20.0)] {
        assert_eq!(spared.outcome, Outcome::Ok);
    }
}

// curl's download through a firewall that drops what the server sends from then on, recorded beside the server
#[test]
fn d95_a_size_that_has_passed_before_is_no_reason_for_what_is_lost() {
    let lost = |passed: u32| {
        let mut sample = closed(tcp(CLIENT, SERVER).talked(90, 40_000).speaks(&["http"]), b"F");
        (sample.0.flow.client.last, sample.0.flow.last) = (Some(at(20.0)), at(20.0));
        judge(with(sample, |story| {
            (story.acknowledged, story.largest_acknowledged) = ([90, 20_000], [90, passed]);
            story.open_segment[1] = OpenSegment { len: 1448, again: 6, end: 20_001 + 1448 };
            (story.first_data[1], story.last_data) = (Some(moment(1.2, 5)), [Some(moment(1.1, 4)), Some(moment(12.0, 80))]);
        }))
    };
    expect(&lost(1448), Outcome::ReturnPathBroken, Confidence::Low, Some("D95"));
    assert_eq!(lost(500).outcome, Outcome::PmtuBlackhole);
}

// a SYN proxy before a server that is off: it keeps its window closed until the server has accepted, too
#[test]
fn d58_a_window_that_was_closed_from_the_beginning_is_told() {
    let accepted = |packets: u64, last: f64, zero_windows: u32| {
        let mut sample = tcp(CLIENT, SERVER).connected();
        let flow = &mut sample.0.flow;
        (flow.client.packets, flow.client.last, flow.last) = (packets, Some(at(last)), at(last));
        with(sample, |story| (story.stalled, story.zero_windows) = ([false, zero_windows > 0], [0, zero_windows]))
    };
    let judged = judge_until(accepted(9, 27.0, 1), 1.0);
    expect(&judged, Outcome::ServerSilent, Confidence::Medium, Some("D58"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("with a closed window and was not heard again, though 10.1.0.2 asked 7 times over 26 s"), "{says}");
    // It may open yet; and of an open window none of it is true.
    assert_eq!(judge_until(accepted(4, 1.6, 1), 0.5).cause.map(|cause| cause.rule), Some("D06"));
    assert_eq!(judge_until(accepted(9, 27.0, 0), 9.0).cause.map(|cause| cause.rule), Some("D36"));
}

/// What a client asks from a new port each time, beginning at those seconds.
fn asked_anew(protocol: &'static str, times: &[f64]) -> Vec<Sample> {
    let one = |(port, second): (u16, &f64)| {
        let mut sample = udp(&format!("10.1.0.2:{port}"), "203.0.113.7:123").speaks(&[protocol]);
        let flow = &mut sample.0.flow;
        (flow.first, flow.last, flow.client.first, flow.client.last) = (at(*second), at(*second), Some(at(*second)), Some(at(*second)));
        sample
    };
    (41_000..).zip(times).map(one).collect()
}

// chronyd, which asks from a new port each time, behind a firewall that drops what it sends from some moment on: each question was said to have been asked once
#[test]
fn d32_a_service_that_is_asked_anew_each_time_and_does_not_answer_any_more_is_told() {
    let stops = |protocol: &'static str, times: &[f64], heard: f64| {
        let mut answered = udp("10.1.0.2:40999", "203.0.113.7:123").talked(48, 48).speaks(&[protocol]);
        answered.0.flow.server.last = Some(at(heard));
        judge_among(Site::default(), &asked_anew(protocol, times), &[answered, background()]).remove(0)
    };
    let judged = stops("ntp", &[5.0, 9.0, 13.0, 17.0, 21.0], 2.0);
    expect(&judged, Outcome::Unreachable, Confidence::Low, Some("D32"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("203.0.113.7:123 had answered 10.1.0.2, and then none of 5 that it asked over 16 s"), "{says}");
    let is_spared = |judged: Judged| assert_eq!(judged.cause.map(|cause| cause.rule), Some("D33"));
    // Four, or all of them within a moment; or it was heard again; or no answer is due.
    is_spared(stops("ntp", &[5.0, 9.0, 13.0, 17.0], 2.0));
    is_spared(stops("ntp", &[5.0, 5.1, 5.2, 5.3, 5.4, 5.5], 2.0));
    is_spared(stops("ntp", &[5.0, 9.0, 13.0, 17.0, 21.0], 18.0));
    is_spared(stops("rtp", &[5.0, 9.0, 13.0, 17.0, 21.0], 2.0));
}

// a service that was there before the capture, told of first by its server, and whose port is no usual one
#[test]
fn d32_what_worked_is_known_though_nothing_had_told_yet_who_of_the_two_is_the_server() {
    let worked = tcp("203.0.113.7:8883", "10.1.0.2:39999").talked(100, 100).midstream();
    let silent = tcp("10.1.0.2:40000", "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0]);
    let judged = judge_among(Site::default(), &[silent], &[worked, background()]).remove(0);
    expect(&judged, Outcome::Unreachable, Confidence::Medium, Some("D32"));
}

/// A connection of HTTP that had served once, and what is known of its end: the last words of client and server at these seconds.
fn served(last_data: [f64; 2], left: Fact, letters: &[u8]) -> Sample {
    let mut sample = closed(tcp(CLIENT, SERVER).talked(180, 20_000).speaks(&["http"]).asks("GET", "/big").fact(left), letters);
    sample = sample.answer(Side::Server, crate::identify::AnswerKind::Accepted, 200, "OK");
    let last = last_data[0].max(last_data[1]) + 0.1;
    (sample.0.flow.client.last, sample.0.flow.last) = (Some(at(last)), at(last));
    with(sample, |story| (story.last_data, story.heard_out) = (last_data.map(|seconds| Some(moment(seconds, 9))), true))
}

// gunicorn whose program fails in the middle of a page; a proxy whose own server was killed in the middle of a file
#[test]
fn d90_a_server_that_closes_in_the_middle_of_an_answer_has_not_given_it() {
    let judged = judge(served([1.1, 3.0], Fact::Unfinished(1_800), b"fF"));
    expect(&judged, Outcome::AppRefused, Confidence::Low, Some("D90"));
    assert!(judged.cause.unwrap().says.ends_with("closed in the middle of an answer: 1800 bytes were still to come"));
    let judged = judge(served([1.1, 3.0], Fact::Unfinished(0), b"fF"));
    assert!(judged.cause.is_some_and(|cause| cause.rule == "D90" && cause.says.ends_with("closed in the middle of an answer, before its last chunk")));
    // Who reads a part and leaves, as one that looks for a place in a film; who takes no more; what was not all captured.
    let left = served([1.1, 3.0], Fact::Unfinished(1_800), b"Ff");
    let slow = with(served([1.1, 3.0], Fact::Unfinished(1_800), b"fF"), |story| story.zero_windows[0] = 3);
    let gappy = with(served([1.1, 3.0], Fact::Unfinished(1_800), b"fF"), |story| story.missed_bytes[1] = 1_448);
    for spared in [left, slow, gappy] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
}

#[test]
fn d90_a_server_that_resets_in_the_middle_of_an_answer_has_not_given_it() {
    let reset = |from: Side| {
        let sample = served([1.1, 3.0], Fact::Unfinished(1_800), b"").reset(3.1, 57);
        with(sample, |story| {
            let reset = story.reset.as_mut().unwrap();
            (reset.from, reset.ttl) = (from, if from == Side::Client { 64 } else { 57 });
            (reset.answers_syn, reset.client_payload, reset.server_payload) = (false, 180, 20_000);
        })
    };
    let judged = judge(reset(Side::Server));
    expect(&judged, Outcome::AppRefused, Confidence::Low, Some("D90"));
    assert!(judged.cause.unwrap().says.contains("reset the connection in the middle of an answer"));
    assert_eq!(judge(reset(Side::Client)).outcome, Outcome::Ok);
}

// gunicorn whose worker dies of a later request; curl calls it an empty reply
#[test]
fn d90_a_server_that_takes_a_later_request_and_closes_has_not_answered_it() {
    let judged = judge(served([3.0, 1.2], Fact::Awaited, b"fF"));
    expect(&judged, Outcome::AppRefused, Confidence::Low, Some("D90"));
    assert!(judged.cause.unwrap().says.ends_with("had answered, took another request, and closed without a word"));
    // It closed while the request was on its way, and the client asks anew; the client left first, or asks for a stream.
    let crossed = with(served([3.0, 1.2], Fact::Awaited, b"fF"), |story| story.heard_out = false);
    let stream = served([3.0, 1.2], Fact::Awaited, b"fF").asks("RPC_IN_DATA", "/rpc/rpcproxy.dll");
    for spared in [crossed, served([3.0, 1.2], Fact::Awaited, b"Ff"), stream] {
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
}

/// A connection of MQTT by a name, from one second to another; the letters of who closed.
fn stay(client: &str, name: &str, [began, ended]: [f64; 2], letters: &[u8]) -> Sample {
    let mut sample = closed(tcp(client, "10.2.0.1:1883").talked(60, 9).speaks(&["mqtt"]).fact(Fact::Session(name.into())), letters);
    sample = sample.answer(Side::Server, crate::identify::AnswerKind::Accepted, 0, "accepted");
    let flow = &mut sample.0.flow;
    (flow.first, flow.last, flow.client.last, flow.server.last) = (at(began), at(ended), Some(at(ended)), Some(at(ended)));
    sample
}

// two players of which one is a copy of the other, at mosquitto: each comes again a second after it was put out
#[test]
fn d64_two_clients_of_one_name_put_each_other_out() {
    let duel = |name: [&str; 2], letters: &[u8], times: u32| {
        let ends = [["10.1.0.2", name[0]], ["10.1.0.3", name[1]]];
        let all: Vec<Sample> = (0..=times)
            .map(|turn| {
                let ([ip, name], began) = (ends[turn as usize % 2], 1.0 + f64::from(turn) * 30.0);
                stay(&format!("{ip}:{}", 40_000 + turn), name, [began, began + 30.001], letters)
            })
            .collect();
        judge_among(Site::default(), &all, &[background()]).remove(0)
    };
    let judged = duel(["player-1"; 2], b"fF", 4);
    expect(&judged, Outcome::AppRefused, Confidence::Medium, Some("D64"));
    let says = judged.cause.unwrap().says;
    assert_eq!(
        says,
        "10.2.0.1 let 10.1.0.2 in as \"player-1\", and put it out when 10.1.0.3 came by the same name, as it did 4 times or more: there are two of this name"
    );
    expect(&duel(["player-1"; 2], b"fF", 2), Outcome::AppRefused, Confidence::Low, Some("D64"));
    // One that goes over to another network; two of different names; clients that leave by themselves.
    for spared in [duel(["player-1"; 2], b"fF", 1), duel(["player-1", "player-2"], b"fF", 4), duel(["player-1"; 2], b"Ff", 4)] {
        assert_eq!(spared.outcome, Outcome::Ok);
    }
}
