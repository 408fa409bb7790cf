//! Workers on threads of their own, and the thread that takes what they found: rounds go one way, flows that were judged the other.

use std::net::IpAddr;

use crossbeam_channel::{Receiver, Sender};

use super::{OnProgress, Plan, Read, Sink, read_shard};
use crate::capture::Captures;
use crate::flow::{Neighbour, Shard};
use crate::identify::{Books, Identified};
use crate::judge::{Judged, put_in_order};
use crate::limit::ROUNDS_AHEAD;

/// What ended within one round of frames, in order of first packets, names that the capture itself records, and what was said of neighbours.
type Round = (Vec<Box<Identified>>, Vec<(IpAddr, String)>, Vec<Neighbour>);

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
    /// Is done with a flow.
    pub fn give(&mut self, judged: Judged) {
        let Judged { identified, .. } = judged;
        let (client, server) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let number = Shard::of_pair(client, server, self.ways.len());
        if let Some(way) = self.ways.get_mut(number) {
            way.given.push(identified);
        }
    }

    /// Sends what was given. Who has too much to do to take it finds it dropped here.
    fn send(&mut self) {
        for Way { sender, given } in self.ways.iter_mut().filter(|way| !way.given.is_empty()) {
            let next = Vec::with_capacity(given.len());
            let _ = sender.try_send(std::mem::replace(given, next));
        }
    }
}

/// Reads with a worker for each of the sources, which are all the same captures.
pub(super) fn read(plan: &Plan<'_>, books: &Books, sources: Vec<Captures>, progress: OnProgress<'_>, sink: Sink<'_>) -> Read {
    let shards = sources.len();
    std::thread::scope(|scope| {
        let (mut rounds, mut workers, mut back) = (Vec::with_capacity(shards), Vec::with_capacity(shards), Back::default());
        for (number, source) in sources.into_iter().enumerate() {
            let (sender, receiver) = crossbeam_channel::bounded(ROUNDS_AHEAD);
            let (giver, given_back) = crossbeam_channel::bounded(ROUNDS_AHEAD);
            rounds.push(receiver);
            back.ways.push(Way { sender: giver, given: Vec::new() });
            let told: OnProgress<'_> = if number == 0 { progress } else { &|_, _| {} };
            workers.push(scope.spawn(move || {
                read_shard(plan, books, source, Shard { number, of: shards }, told, &mut |flows, names, neighbours| {
                    given_back.try_iter().for_each(drop);
                    hand_over(&sender, flows, names, neighbours);
                })
            }));
        }
        take_rounds(&rounds, &mut back, sink);
        let mut all = Read::default();
        for (number, worker) in workers.into_iter().enumerate() {
            let read = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match number {
                0 => all = read,
                _ => all.losses.merge(read.losses),
            }
        }
        all
    })
}

/// Where the taker is gone it has panicked, and its panic is the one to tell.
fn hand_over(sender: &Sender<Round>, flows: &mut Vec<Box<Identified>>, names: &[(IpAddr, String)], neighbours: &[Neighbour]) {
    let _ = sender.send((std::mem::take(flows), names.to_vec(), neighbours.to_vec()));
}

/// Takes one round of every shard after the other, and hands its flows on as if one shard had had them all. All have the same number of rounds, unless
/// reading was ended early.
fn take_rounds(shards: &[Receiver<Round>], back: &mut Back, sink: Sink<'_>) {
    let mut flows = Vec::new();
    loop {
        let rounds: Vec<Round> = shards.iter().filter_map(|shard| shard.recv().ok()).collect();
        if rounds.is_empty() {
            return;
        }
        let (mut names, mut neighbours) = (Vec::new(), Vec::new());
        for (its_flows, its_names, its_neighbours) in rounds {
            flows.extend(its_flows);
            names.extend(its_names);
            neighbours.extend(its_neighbours);
        }
        put_in_order(&mut flows);
        neighbours.sort_by_key(Neighbour::order);
        sink(&mut flows, &names, &neighbours, back);
        back.send();
    }
}
