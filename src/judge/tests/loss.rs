//! What the capture lost is weighed where and when it was lost.

use super::sample::*;
use crate::flow::{Ended, Missed, Moment};
use crate::identify::{Books, Identified};
use crate::judge::{Confidence, Gatherer, Judge, Judged, Outcome, Site, Vigil};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Minutes into the capture at which a mirror drops for a minute, and at which it does not.
const BURST: i64 = 30;
const AFTER: i64 = 45;

/// The same flow so many minutes later.
fn in_minute(minute: i64, mut sample: Sample) -> Sample {
    let later = |time: &mut Timestamp| *time = Timestamp::from_nanos(time.nanos() + minute * 60_000_000_000);
    let flow = &mut sample.0.flow;
    [&mut flow.first, &mut flow.last].into_iter().for_each(later);
    [&mut flow.client, &mut flow.server].into_iter().flat_map(|end| [&mut end.first, &mut end.last]).flatten().for_each(later);
    if let Some(story) = &mut flow.tcp {
        story.syn_times.iter_mut().for_each(|(time, _)| later(time));
        later(&mut story.last);
    }
    sample
}

/// A connection of a minute that carries so much, of which so much was never captured.
fn carried(number: u64, minute: i64, bytes: u64, missed: u64) -> Sample {
    let mut sample = in_minute(minute, tcp(&format!("10.1.0.3:{}", 40_000 + number % 20_000), "203.0.113.8:443").talked(bytes / 2, bytes / 2));
    if missed > 0 {
        let story = sample.0.flow.tcp.as_mut().unwrap();
        story.missed_bytes = [0, missed];
        story.missed.push(Missed { minutes: [minute; 2], bytes: missed, acknowledged: [bytes; 2] });
    }
    sample
}

/// An hour in which four connections a minute carry a megabyte together; those of one minute lost four tenths of it.
fn an_hour_with_a_burst(at_minute: i64) -> Vec<Sample> {
    let mut hour: Vec<Sample> = (0..240)
        .map(|number| carried(number, (number / 4).cast_signed(), 250_000, if (number / 4).cast_signed() == at_minute { 100_000 } else { 0 }))
        .collect();
    hour.push(in_minute(62, background()));
    hour
}

fn unreplied() -> Sample {
    let mut silent = tcp("10.1.0.2:41000", "203.0.113.7:8080").talked(300, 0);
    silent.0.flow.ended = Ended::Idle;
    silent
}

fn syns(times: &[f64]) -> Sample {
    tcp("10.1.0.2:40000", "203.0.113.7:8883").syns(times)
}

fn fate(judged: &Judged) -> (Outcome, Confidence, Option<&str>) {
    (judged.outcome, judged.confidence, judged.cause.as_ref().map(|cause| cause.rule))
}

#[test]
fn a_burst_of_loss_in_a_long_capture_explains_what_was_not_answered_in_that_minute_and_nothing_else() {
    let hour = an_hour_with_a_burst(BURST);
    for (sample, damaged, whole) in [
        (unreplied(), (Outcome::CaptureDamaged, Confidence::High, Some("D02")), (Outcome::ServerSilent, Confidence::Medium, Some("D54"))),
        (syns(&[1.0, 2.0]), (Outcome::CaptureDamaged, Confidence::High, Some("D02")), (Outcome::SilentDrop, Confidence::Medium, Some("D21"))),
        (syns(&[1.0, 2.0, 4.0]), (Outcome::SilentDrop, Confidence::Low, Some("D20")), (Outcome::SilentDrop, Confidence::High, Some("D20"))),
    ] {
        let judged = judge_among(Site::default(), &[in_minute(BURST, sample.clone()), in_minute(AFTER, sample)], &hour);
        assert_eq!((fate(&judged[0]), fate(&judged[1])), (damaged, whole));
    }
}

#[test]
fn one_bad_minute_at_the_beginning_taints_nothing_that_comes_later() {
    let mut hour = an_hour_with_a_burst(0);
    // It carried more than all the rest together.
    hour.extend((0..8).map(|number| carried(1_000 + number, 0, 100_000_000, 50_000_000)));
    let judged = judge_among(Site::default(), &[in_minute(0, unreplied()), in_minute(AFTER, unreplied())], &hour);
    assert_eq!(fate(&judged[0]), (Outcome::CaptureDamaged, Confidence::High, Some("D02")));
    assert_eq!(fate(&judged[1]), (Outcome::ServerSilent, Confidence::Medium, Some("D54")));
}

#[test]
fn of_a_network_that_says_little_a_burst_shows_where_several_connections_lost_something() {
    // Ten sensors that stay connected for the hour and send some hundred bytes a minute.
    let sensors = |torn: usize| -> Vec<Sample> {
        let sensor = |number: usize| {
            let mut sensor = tcp(&format!("10.1.0.{}:50000", 20 + number), "203.0.113.9:1883").talked(6_000, 6_000);
            sensor.0.flow.last = at(3_600.0);
            if number < torn {
                let story = sensor.0.flow.tcp.as_mut().unwrap();
                story.missed_bytes = [0, 100];
                story.missed.push(Missed { minutes: [BURST; 2], bytes: 100, acknowledged: [6_000, 6_000] });
            }
            sensor
        };
        (0..10).map(sensor).chain([in_minute(62, background())]).collect()
    };
    let told = |torn, minute| fate(&judge_among(Site::default(), &[in_minute(minute, unreplied())], &sensors(torn))[0]).0;
    assert_eq!([told(10, BURST), told(10, AFTER)], [Outcome::CaptureDamaged, Outcome::ServerSilent]);
    // One segment of one connection that was lost is no burst.
    assert_eq!(told(1, BURST), Outcome::ServerSilent);
}

#[test]
fn the_request_is_weighed_where_it_was_asked_however_long_its_connection_stays() {
    let mut asked = in_minute(BURST, unreplied());
    asked.0.flow.tcp.as_mut().unwrap().last_data[0] = Some(Moment::new(asked.0.flow.client.last.unwrap(), frame(7)));
    asked.0.flow.last = at(60.0 * 50.0);
    let hour = an_hour_with_a_burst(BURST);
    assert_eq!(fate(&judge_among(Site::default(), &[asked], &hour)[0]), (Outcome::CaptureDamaged, Confidence::High, Some("D02")));
}

#[test]
fn packets_that_the_kernel_dropped_belong_to_the_minute_in_which_it_counted_them() {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    let hour = an_hour_with_a_burst(-1);
    hour.iter().for_each(|sample| judge.learn(&sample.0));
    let [there, elsewhere] = [BURST, AFTER].map(|minute| in_minute(minute, syns(&[1.0, 2.0])));
    [&there, &elsewhere].into_iter().for_each(|sample| judge.learn(&sample.0));
    let at_minute = |seconds: f64| at(60.0 * BURST as f64 + seconds);
    // Of some twenty packets in that minute, of more than a thousand in that hour.
    judge.capture_dropped(0, [at_minute(1.0), at_minute(1.5)], 30);
    judge.capture_lost(0, 30);
    let [there, elsewhere] = [there, elsewhere].map(|sample| judge.judge(sample.0));
    assert_eq!(fate(&there), (Outcome::CaptureDamaged, Confidence::High, Some("D02")));
    assert_eq!(fate(&elsewhere), (Outcome::SilentDrop, Confidence::Medium, Some("D21")));
}

#[test]
fn what_is_counted_at_the_end_of_a_capture_may_have_been_lost_at_any_time() {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    an_hour_with_a_burst(-1).iter().for_each(|sample| judge.learn(&sample.0));
    let silent = in_minute(AFTER, syns(&[1.0, 2.0]));
    judge.learn(&silent.0);
    judge.capture_dropped(0, [at(0.0), at(3_700.0)], 5_000);
    judge.capture_lost(0, 5_000);
    assert_eq!(fate(&judge.judge(silent.0)).0, Outcome::CaptureDamaged);
}

#[test]
fn what_living_connections_lost_explains_what_is_judged_for_good_meanwhile() {
    let books = Books::default();
    let judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    let mut vigil = Vigil::new(judge, Gatherer::new(Signatures::built_in()));
    for sample in an_hour_with_a_burst(-1) {
        vigil.hear(sample.0, at(60.0 * 62.0));
    }
    vigil.hear(in_minute(BURST, unreplied()).0, at(60.0 * 63.0));
    let live: Vec<Box<Identified>> = (0..4).map(|number| carried(2_000 + number, BURST, 4_000_000, 2_000_000).cut_by_the_end().0).collect();
    let mut told = Vec::new();
    vigil.settle(&live, at(60.0 * 70.0), &mut |judged| told.push(fate(judged).0));
    assert_eq!(told.last(), Some(&Outcome::CaptureDamaged));
}
