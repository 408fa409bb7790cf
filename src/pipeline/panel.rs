//! Who judges flows that were called: the thread that learns from flows, and every worker that has nothing else to do, as it is ahead or has read all.
//! The judge learns from one flow after the other; what comes of them is told in that order, whoever judged them.

use crossbeam_channel::{Receiver, Select, Sender, TrySendError};

use crate::judge::{Called, Judged};
use crate::limit::FLOWS_JUDGED_APART;

/// Some flows to judge, and who waits for that.
pub(super) struct Part<'a> {
    called: Called<'a>,
    number: usize,
    reply: Sender<(usize, Vec<Judged>)>,
}

impl Part<'_> {
    /// Judges them. Where nobody waits for it any more, who did has panicked, and its panic is the one to tell.
    pub fn judge(self) {
        let Self { called, number, reply } = self;
        let mut all = Vec::with_capacity(FLOWS_JUDGED_APART);
        called.judge(&mut |judged| all.push(judged));
        let _ = reply.send((number, all));
    }
}

/// Those who judge together; alone, where there are no others.
#[derive(Default)]
pub(super) struct Panel<'a> {
    parts: Option<(Sender<Part<'a>>, Receiver<Part<'a>>)>,
}

impl<'a> Panel<'a> {
    /// With others, who take parts from there.
    pub fn with_others() -> (Self, Receiver<Part<'a>>) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        (Self { parts: Some((sender, receiver.clone())) }, receiver)
    }

    /// Judges flows and tells them in their order.
    pub fn judge(&self, called: Called<'a>, each: &mut dyn FnMut(Judged)) {
        let Some((sender, parts)) = &self.parts else { return called.judge(each) };
        let (reply, replies) = crossbeam_channel::unbounded();
        for (number, called) in called.in_parts(FLOWS_JUDGED_APART).into_iter().enumerate() {
            let _ = sender.send(Part { called, number, reply: reply.clone() });
        }
        drop(reply);
        parts.try_iter().for_each(Part::judge);
        // A part that a worker took is missing only where that worker has panicked.
        let mut judged: Vec<_> = replies.iter().collect();
        judged.sort_unstable_by_key(|(number, _)| *number);
        judged.into_iter().flat_map(|(_, judged)| judged).for_each(each);
    }
}

/// Hands something on, and judges as long as there is no room for it. Where the taker is gone it has panicked, and its panic is the one to tell.
pub(super) fn send_or_judge<T>(sender: &Sender<T>, mut message: T, parts: &Receiver<Part<'_>>) {
    while let Err(TrySendError::Full(kept)) = sender.try_send(message) {
        message = kept;
        let mut either = Select::new();
        either.send(sender);
        either.recv(parts);
        either.ready();
        parts.try_recv().into_iter().for_each(Part::judge);
    }
}

#[cfg(test)]
mod tests {
    use super::super::push;
    use super::*;
    use crate::capture::{Frame, FrameId, LinkType};
    use crate::flow::{FlowTable, Settings};
    use crate::identify::{Books, Identifier};
    use crate::judge::{Docket, Judge, Site};
    use crate::signature::Signatures;
    use crate::time::Timestamp;

    const FLOWS: u16 = 1_000;

    /// As many flows as there are, one after the other, from a port each.
    fn docket<'a>(signatures: &'a Signatures, books: &'a Books) -> Docket<'a> {
        let (mut table, mut identifier) = (FlowTable::new(Settings::default()), Identifier::new(books));
        for port in 1..=FLOWS {
            let mut bytes = Vec::new();
            etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 1, 0, 2], [10, 1, 0, 3], 64).udp(port, 5_684).write(&mut bytes, &[7; 20]).unwrap();
            let (id, time) = (FrameId::new(0, port.into()), Timestamp::from_nanos(i64::from(port)));
            let frame = Frame { id, interface: 0, link: LinkType::ETHERNET, time, wire_len: bytes.len() as u32, bytes: &bytes };
            push(&[frame], &mut table, &mut identifier);
        }
        table.finish(&mut identifier);
        let mut docket = Docket::new(Judge::new(signatures, Site::default(), books));
        identifier.ended().drain(..).for_each(|identified| assert!(docket.hear(identified).is_none()));
        docket
    }

    #[test]
    fn flows_that_others_judge_are_told_in_the_order_they_were_called() {
        let (signatures, books) = (Signatures::built_in(), Books::default());
        let mut ports = Vec::new();
        let (called, _judge) = docket(signatures, &books).close();
        std::thread::scope(|scope| {
            let (panel, parts) = Panel::with_others();
            for _ in 0..3 {
                let parts = parts.clone();
                scope.spawn(move || parts.iter().for_each(Part::judge));
            }
            drop(parts);
            called.into_iter().for_each(|called| panel.judge(called, &mut |judged| ports.push(judged.identified.flow.client.endpoint.port)));
        });
        assert_eq!(ports, (1..=FLOWS).collect::<Vec<_>>());
    }

    #[test]
    fn who_has_no_room_to_hand_on_judges_meanwhile() {
        let (signatures, books) = (Signatures::built_in(), Books::default());
        let (called, _judge) = docket(signatures, &books).close();
        let (panel, parts) = Panel::with_others();
        let (reply, replies) = crossbeam_channel::unbounded();
        let (sender, receiver) = crossbeam_channel::bounded(1);
        sender.send(0).unwrap();
        let number_of_parts = called.len();
        for (number, called) in called.into_iter().enumerate() {
            let (to_all, _) = panel.parts.as_ref().unwrap();
            assert!(to_all.send(Part { called, number, reply: reply.clone() }).is_ok());
        }
        std::thread::scope(|scope| {
            scope.spawn(|| send_or_judge(&sender, 1, &parts));
            // There is no room until all are judged.
            let judged: usize = replies.iter().take(number_of_parts).map(|(_, judged)| judged.len()).sum();
            assert_eq!(judged, usize::from(FLOWS));
            assert_eq!((receiver.recv(), receiver.recv()), (Ok(0), Ok(1)));
        });
    }
}
