//! The threads of the workers, and the thread that takes what they found. Rounds of ended flows go one way; flows that were judged go back to the worker that
//! made them.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, select};

use super::panel::{Panel, Part, send_or_judge};
use super::{Aside, Hearing, OnProgress, Plan, Read, read_shard};
use crate::capture::Share;
use crate::flow::{Neighbour, Shard};
use crate::identify::{Books, Identified};
use crate::judge::{Judge, Judged, put_in_order};
use crate::limit::{BATCHES_JUDGED_AHEAD, JUDGED_A_BATCH, ROUNDS_AHEAD};

/// What ended within one round of frames, in order of first packets, and what was learned beside.
type Round = (Vec<Box<Identified>>, Aside);

/// The way back for flows that were judged, to the threads that made them: memory that another thread frees costs the allocator several times as much, and there.
#[derive(Default)]
pub(super) struct Back {
    /// One to each shard.
    ways: Vec<Way>,
}

struct Way {
    sender: Sender<Vec<Box<Identified>>>,
    /// What was given since it last was sent.
    given: Vec<Box<Identified>>,
}

impl Back {
    /// Who made a flow: asked while it is at hand anyway, as it may be far when it is given back.
    pub fn maker(&self, judged: &Judged) -> usize {
        let flow = &judged.identified.flow;
        Shard::of_pair(flow.client.endpoint.ip, flow.server.endpoint.ip, self.ways.len())
    }

    /// Is done with a flow of this maker's.
    pub fn give(&mut self, number: usize, judged: Judged) {
        let Judged { identified, .. } = judged;
        if let Some(Way { sender, given }) = self.ways.get_mut(number) {
            given.push(identified);
            if given.len() >= JUDGED_A_BATCH {
                // Who has too much to do to take it finds it dropped here.
                let _ = sender.try_send(std::mem::replace(given, Vec::with_capacity(JUDGED_A_BATCH)));
            }
        }
    }
}

/// Reads with a worker for each share of the captures. Workers that have read all stay to judge and to free flows until the last one was judged.
pub(super) fn read<'a>(plan: &Plan<'a>, books: &Books, shares: Vec<Share>, progress: OnProgress<'_>, mut hearing: Hearing<'a, '_>) -> (Arc<Judge<'a>>, Read) {
    let shards = shares.len();
    std::thread::scope(|scope| {
        let (mut rounds, mut workers, mut back) = (Vec::with_capacity(shards), Vec::with_capacity(shards), Back::default());
        let (panel, parts) = Panel::with_others();
        for (number, share) in shares.into_iter().enumerate() {
            let (sender, receiver) = crossbeam_channel::bounded(ROUNDS_AHEAD);
            let (giver, given_back) = crossbeam_channel::bounded(BATCHES_JUDGED_AHEAD);
            let (teller, told) = crossbeam_channel::bounded(1);
            rounds.push(receiver);
            back.ways.push(Way { sender: giver, given: Vec::new() });
            let progress: OnProgress<'_> = if number == 0 { progress } else { &|_, _| {} };
            let parts = parts.clone();
            let worker = scope.spawn(move || {
                let read = read_shard(plan, books, share, Shard { number, of: shards }, progress, &mut |flows, aside| {
                    given_back.try_iter().for_each(drop);
                    send_or_judge(&sender, (std::mem::take(flows), aside), &parts);
                });
                drop(sender);
                let _ = teller.send(read);
                stay(&parts, &given_back);
            });
            workers.push((worker, told));
        }
        take_rounds(&rounds, &panel, &mut back, &mut hearing);
        let mut all = Read::default();
        for (number, (worker, told)) in workers.into_iter().enumerate() {
            // Who tells nothing has panicked.
            let read = told.recv().or_else(|_| worker.join().map(|()| Read::default())).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match number {
                0 => all = read,
                _ => all.losses.merge(read.losses),
            }
        }
        (hearing.close(&all, &panel, &mut back), all)
    })
}

/// What a worker does that has read all: judges, and frees what it made, until the last flow was judged.
fn stay(parts: &Receiver<Part<'_>>, given_back: &Receiver<Vec<Box<Identified>>>) {
    loop {
        select! {
            recv(parts) -> part => match part {
                Ok(part) => part.judge(),
                Err(_) => return,
            },
            recv(given_back) -> flows => match flows {
                Ok(flows) => drop(flows),
                Err(_) => return,
            },
        }
    }
}

/// Takes one round of every shard after the other, and hands its flows on as if one shard had had them all. All have the same number of rounds, unless
/// reading was ended early.
fn take_rounds<'a>(shards: &[Receiver<Round>], panel: &Panel<'a>, back: &mut Back, hearing: &mut Hearing<'a, '_>) {
    let mut flows = Vec::new();
    loop {
        let rounds: Vec<Round> = shards.iter().filter_map(|shard| shard.recv().ok()).collect();
        if rounds.is_empty() {
            return;
        }
        let mut aside = Aside::default();
        for (its_flows, its) in rounds {
            flows.extend(its_flows);
            aside.names.extend(its.names);
            aside.pauses.extend(its.pauses);
            aside.drops.extend(its.drops);
            aside.neighbours.extend(its.neighbours);
        }
        put_in_order(&mut flows);
        aside.neighbours.sort_by_key(Neighbour::order);
        hearing.round(&mut flows, &aside, panel, back);
    }
}
