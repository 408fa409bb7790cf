//! The book of promises: which flows were announced, by whom, until when.

use std::net::IpAddr;

use crate::identify::Promise;
use crate::identify::ledger::{Ledger, Place, Room, Stamp};
use crate::limit;
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

/// Promises by transport and the endpoint that will accept.
#[derive(Debug)]
pub(super) struct Promises {
    made: Ledger<(Transport, Endpoint), Promise>,
}

impl Promises {
    pub(super) fn new() -> Self {
        Self { made: Ledger::new(ROOM) }
    }

    pub(super) fn add(&self, promise: Promise, stamp: Stamp) {
        self.made.add((promise.transport, promise.server), stamp, |_| promise);
    }

    /// The newest promise of a flow from `client` to `server` that holds at that moment; where there is none, the newest whose port could not be read; where there is none
    /// either, the same a little later: a promise may bear a later time than what it led to.
    pub(super) fn of(&self, transport: Transport, client: IpAddr, server: Endpoint, at: Timestamp) -> Option<Promise> {
        let of_end = |server| self.around(transport, client, server, at);
        let ([exactly, later], [hidden, hidden_later]) = (of_end(server), of_end(Endpoint { port: 0, ..server }));
        exactly.or(hidden).or(later).or(hidden_later)
    }

    /// The newest promise at that moment, and the newest a little later.
    fn around(&self, transport: Transport, client: IpAddr, server: Endpoint, at: Timestamp) -> [Option<Promise>; 2] {
        let later = at + limit::CLOCKS_APART;
        let newest = |made: &[(Place, Promise)]| {
            [at, later].map(|at| {
                let mut said = made.iter().rev().filter(|((said, _), _)| said.time() <= at).map(|(_, promise)| promise);
                said.find(|promise| at.since(promise.made) <= promise.lasts && promise.client.is_none_or(|known| known == client)).cloned()
            })
        };
        self.made.look_back((transport, server), later, limit::PROMISE_HOLDS + limit::CLOCKS_APART, newest).unwrap_or_default()
    }

    /// See [`Ledger::settle`].
    pub(super) fn settle(&self, now: Timestamp) {
        self.made.settle(now);
    }

    pub(super) fn lost(&self) -> u64 {
        self.made.lost()
    }
}

const ROOM: Room = Room { epoch: limit::PROMISES_EPOCH, an_epoch: limit::PROMISES_AN_EPOCH, in_all: limit::PROMISES_IN_ALL, epochs: limit::PROMISES_EPOCHS };

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capture::FrameId;
    use crate::signature::PromiseKind;

    fn end(text: &str) -> Endpoint {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    }

    fn book(client: Option<&str>) -> Promises {
        let (promises, made) = (Promises::new(), Timestamp::from_parts(100, 0));
        let (client, frame) = (client.map(|ip| ip.parse().unwrap()), FrameId::new(0, 7));
        let parent = (end("10.0.0.1:40000"), end("10.0.0.2:21"));
        let (server, lasts) = (end("10.0.0.2:20001"), Duration::from_secs(60));
        let promise = Promise {
            kind: PromiseKind::FtpPassive,
            transport: Transport::TCP,
            server,
            client,
            made,
            lasts,
            frame,
            parent,
            over: Transport::TCP,
            begins: None,
            both_ways: false,
        };
        promises.add(promise, (made, frame, 0));
        promises
    }

    #[test]
    fn s51_a_promise_holds_for_its_client_its_endpoint_and_its_time() {
        let promises = book(Some("10.0.0.1"));
        let of = |client: &str, server, second| promises.of(Transport::TCP, client.parse().unwrap(), end(server), Timestamp::from_parts(second, 0));
        assert_eq!(of("10.0.0.1", "10.0.0.2:20001", 160).map(|promise| promise.frame.number()), Some(7));
        assert_eq!(of("10.0.0.1", "10.0.0.2:20001", 161), None);
        assert_eq!(of("10.0.0.1", "10.0.0.2:20001", 99), None);
        assert_eq!(of("10.0.0.1", "10.0.0.2:20002", 110), None);
        assert_eq!(of("10.0.0.3", "10.0.0.2:20001", 110), None);
        assert_eq!(promises.of(Transport::UDP, "10.0.0.1".parse().unwrap(), end("10.0.0.2:20001"), Timestamp::from_parts(110, 0)), None);
    }

    #[test]
    fn a_promise_may_bear_a_slightly_later_time_than_what_it_led_to() {
        let of = |nanos| book(None).of(Transport::TCP, "10.0.0.1".parse().unwrap(), end("10.0.0.2:20001"), Timestamp::from_parts(99, nanos)).is_some();
        assert_eq!([of(960_000_000), of(940_000_000)], [true, false]);
    }

    #[test]
    fn where_the_port_could_not_be_read_any_port_of_that_host_may_be_meant() {
        let (promises, made) = (book(Some("10.0.0.1")), Timestamp::from_parts(90, 0));
        let known = promises.of(Transport::TCP, "10.0.0.1".parse().unwrap(), end("10.0.0.2:20001"), Timestamp::from_parts(110, 0)).unwrap();
        promises.add(Promise { server: end("10.0.0.2:0"), made, ..known }, (made, FrameId::new(0, 6), 0));
        let of = |client: &str, server| promises.of(Transport::TCP, client.parse().unwrap(), end(server), Timestamp::from_parts(110, 0));
        assert_eq!(of("10.0.0.1", "10.0.0.2:20002").map(|promise| promise.is_hidden()), Some(true));
        assert_eq!(of("10.0.0.1", "10.0.0.2:20001").map(|promise| promise.is_hidden()), Some(false));
        assert_eq!((of("10.0.0.3", "10.0.0.2:20002"), of("10.0.0.1", "10.0.0.3:20002")), (None, None));
    }

    #[test]
    fn a_promise_to_anyone_holds_for_anyone() {
        assert!(book(None).of(Transport::TCP, "10.0.0.3".parse().unwrap(), end("10.0.0.2:20001"), Timestamp::from_parts(110, 0)).is_some());
    }
}
