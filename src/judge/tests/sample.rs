//! Hand-made flows for the tests of this room. Times are seconds after the start of the capture.

use std::net::SocketAddr;
use std::time::Duration;

use crate::capture::FrameId;
use crate::flow::{Direction, End, Ended, Flow, History, Rejection, Reset, TcpStory};
use crate::identify::{AnswerKind, Books, Evidence, Fact, Identified, NameSource, Promise};
use crate::judge::{Gatherer, Judge, Judged, Site};
use crate::net::{Endpoint, Mac, Side, Transport};
use crate::signature::{PromiseKind, Signatures};
use crate::time::Timestamp;

pub(in crate::judge) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

pub(in crate::judge) fn frame(number: u64) -> FrameId {
    FrameId::new(0, number)
}

pub(in crate::judge) fn endpoint(text: &str) -> Endpoint {
    let address: SocketAddr = text.parse().unwrap();
    Endpoint { ip: address.ip(), port: address.port() }
}

fn end(text: &str) -> End {
    End::blank(endpoint(text))
}

/// A flow in the making.
#[derive(Clone, Debug)]
pub(in crate::judge) struct Sample(pub(in crate::judge) Box<Identified>);

/// A connection that nobody answered yet: one SYN at second 1.
pub(in crate::judge) fn tcp(client: &str, server: &str) -> Sample {
    let mut sample = Sample(identified(Transport::TCP, client, server));
    sample.0.flow.tcp = Some(Box::new(TcpStory { same_isn: true, ..TcpStory::default() }));
    sample.syns(&[1.0])
}

/// One datagram of 40 bytes from the client at second 1.
pub(in crate::judge) fn udp(client: &str, server: &str) -> Sample {
    let mut sample = Sample(identified(Transport::UDP, client, server));
    sample.sent(Side::Client, 1, 40, 1.0);
    sample
}

fn identified(transport: Transport, client: &str, server: &str) -> Box<Identified> {
    let flow = Flow::blank(transport, end(client), end(server), at(1.0), frame(1));
    Box::new(Identified { flow, spoken: Default::default(), announced: None })
}

impl Sample {
    fn sent(&mut self, side: Side, packets: u64, payload: u64, time: f64) {
        let flow = &mut self.0.flow;
        let end = if side == Side::Client { &mut flow.client } else { &mut flow.server };
        end.packets += packets;
        end.payload_bytes += payload;
        end.bytes += packets * 40 + payload;
        end.first = end.first.or(Some(at(time)));
        end.last = Some(at(time));
        flow.last = flow.last.max(at(time));
    }

    fn story(&mut self) -> &mut TcpStory {
        self.0.flow.tcp.as_mut().unwrap()
    }

    /// SYNs at these seconds instead of the one.
    pub(in crate::judge) fn syns(mut self, times: &[f64]) -> Self {
        self.0.flow.client = End { packets: 0, bytes: 0, first: None, last: None, ..self.0.flow.client };
        self.0.flow.history = History::default();
        self.0.flow.history.push(b'S');
        for time in times {
            self.sent(Side::Client, 1, 0, *time);
        }
        let story = self.story();
        story.syns = times.len() as u32;
        story.syn_times = (1..).zip(times).map(|(number, time)| (at(*time), frame(number))).collect();
        self
    }

    /// SYN-ACKs that nobody acknowledged.
    pub(in crate::judge) fn syn_acks(mut self, count: u16, last: f64) -> Self {
        self.sent(Side::Server, u64::from(count), 0, last);
        self.0.flow.history.push(b'h');
        self.story().syn_acks = count;
        self
    }

    /// The three-way handshake.
    pub(in crate::judge) fn connected(self) -> Self {
        let mut sample = self.syn_acks(1, 1.01);
        sample.sent(Side::Client, 1, 0, 1.02);
        sample.0.flow.history.push(b'A');
        let story = sample.story();
        story.established = true;
        story.ttl = [Some((64, 64)), Some((57, 57))];
        sample
    }

    /// Payload of both sides; of a connection, after its handshake.
    pub(in crate::judge) fn talked(self, client: u64, server: u64) -> Self {
        let is_new = self.0.flow.tcp.as_ref().is_some_and(|story| !story.established && !story.midstream);
        let mut sample = if is_new { self.connected() } else { self };
        sample.sent(Side::Client, 1, client, 1.1);
        if server > 0 {
            sample.sent(Side::Server, 1, server, 1.2);
        }
        if let Some(story) = &mut sample.0.flow.tcp {
            story.acknowledged = [client, server];
            story.payload = [client, server];
        }
        sample.0.flow.ended = Ended::Closed;
        sample
    }

    /// Closed by a reset of the server; before anything else, it answers the SYN.
    pub(in crate::judge) fn reset(mut self, time: f64, ttl: u8) -> Self {
        let (client_payload, server_payload) = (self.0.flow.client.payload_bytes, self.0.flow.server.payload_bytes);
        let answers_syn = self.story().syn_acks == 0;
        let reset = Reset {
            from: Side::Server,
            time: at(time),
            frame: frame(9),
            ttl,
            ident: 0,
            ident_before: 0,
            after_silence: 0,
            answers_syn,
            client_payload,
            server_payload,
            sequence: 0,
            with_ack: true,
        };
        self.story().reset = Some(Box::new(reset));
        self.story().resets = 1;
        self.sent(Side::Server, 1, 0, time);
        self.0.flow.ended = Ended::Closed;
        self
    }

    /// An ICMP error that quotes the client's packet.
    pub(in crate::judge) fn icmp(mut self, by: &str, kind: u8, code: u8) -> Self {
        let by: std::net::IpAddr = by.parse().unwrap();
        let rejection = Rejection { by, to: Side::Client, v6: by.is_ipv6(), kind, code, mtu: None, quoted_ttl: 60, time: at(1.1), frame: frame(8) };
        self.0.flow.rejections.push(rejection);
        self
    }

    pub(in crate::judge) fn speaks(mut self, protocol: &[&'static str]) -> Self {
        self.0.protocol = protocol.into();
        self.0.evidence = Evidence::BothOpenings;
        self
    }

    /// First bytes of the client that nothing recognised.
    pub(in crate::judge) fn opening(mut self, bytes: &[u8]) -> Self {
        self.0.opening[0] = bytes.iter().copied().take(crate::limit::OPENING_KEPT).collect();
        self
    }

    pub(in crate::judge) fn fact(mut self, fact: Fact) -> Self {
        if fact == Fact::Retry {
            self.0.retries += 1;
            self.0.flow.client.packets += 1;
        }
        self.0.facts.push(fact);
        self
    }

    /// A name of the server that the flow itself states, as a capture file or another flow would.
    pub(in crate::judge) fn named(self, name: &str) -> Self {
        self.fact(Fact::Name { of: Side::Server, name: name.into(), source: NameSource::Dns })
    }

    /// The MAC addresses of the client's side and of where its packets go.
    pub(in crate::judge) fn link(mut self, from: [u8; 6], to: [u8; 6]) -> Self {
        self.0.flow.link = Some((Mac(from), Mac(to)));
        self.0.flow.client.mac = Some(Mac(from));
        self
    }

    /// Announces a flow to that end.
    pub(in crate::judge) fn promises(self, kind: PromiseKind, server: &str) -> Self {
        let (client, lasts) = (self.0.flow.client.endpoint, Duration::from_secs(60));
        let parent = (client, self.0.flow.server.endpoint);
        let (transport, server) = (Transport::TCP, endpoint(server));
        self.fact(Fact::Promise(Box::new(Promise {
            kind,
            transport,
            server,
            client: None,
            made: at(1.0),
            lasts,
            frame: frame(1),
            parent,
            over: Transport::TCP,
            begins: None,
            both_ways: false,
        })))
    }

    pub(in crate::judge) fn asks(self, method: &str, path: &str) -> Self {
        self.fact(Fact::request(method, path))
    }

    pub(in crate::judge) fn sni(self, name: &str) -> Self {
        self.fact(Fact::Name { of: Side::Server, name: name.into(), source: NameSource::Sni })
    }

    pub(in crate::judge) fn answer(self, by: Side, kind: AnswerKind, code: u32, text: &str) -> Self {
        self.fact(Fact::Answer { kind, code, text: text.into(), by })
    }

    pub(in crate::judge) fn announced_by(mut self, kind: PromiseKind) -> Self {
        let flow = &self.0.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let (transport, lasts, over) = (flow.transport, Duration::from_secs(60), Transport::TCP);
        let (client, parent) = (Some(client.ip), (client, server));
        let promise = Promise { kind, transport, server, client, made: at(0.5), lasts, frame: frame(1), parent, over, begins: None, both_ways: false };
        self.0.announced = Some(Box::new(promise));
        self
    }

    /// The same, where the announcement could not be read.
    pub(in crate::judge) fn announced_out_of_sight(self, kind: PromiseKind) -> Self {
        let mut sample = self.announced_by(kind);
        sample.0.announced.as_mut().unwrap().server.port = 0;
        sample
    }

    pub(in crate::judge) fn midstream(mut self) -> Self {
        self.0.flow.direction = Direction::Unknown;
        let story = self.story();
        (story.midstream, story.syns) = (true, 0);
        story.syn_times.clear();
        self
    }

    pub(in crate::judge) fn cut_by_the_end(mut self) -> Self {
        self.0.flow.ended = Ended::CaptureEnd;
        self
    }

    pub(in crate::judge) fn direction(mut self, direction: Direction) -> Self {
        self.0.flow.direction = direction;
        self
    }
}

/// A site of `role=network` words, as `--role` takes them.
pub(in crate::judge) fn site(roles: &[&str]) -> Site {
    let read = |word: &&str| {
        let (role, network) = word.split_once('=').unwrap();
        (Signatures::built_in().role_id(role).unwrap(), network.parse().unwrap())
    };
    Site { roles: roles.iter().map(read).collect(), ..Site::default() }
}

/// Something healthy at the end of the capture, between hosts that no test is about: the tap sees both ways, and the capture goes on for a minute.
pub(in crate::judge) fn background() -> Sample {
    let mut healthy = tcp("10.1.0.9:50000", "198.51.100.9:443").talked(500, 900).speaks(&["tls"]);
    healthy.0.flow.last = at(61.0);
    healthy
}

/// Judges the flows by the built-in documents; the background is learned from, and is not among them.
pub(in crate::judge) fn judge_all(site: Site, samples: &[Sample]) -> Vec<Judged> {
    judge_among(site, samples, &[background()])
}

/// The same with other surroundings.
pub(in crate::judge) fn judge_among(site: Site, samples: &[Sample], others: &[Sample]) -> Vec<Judged> {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), site, &books);
    samples.iter().chain(others).for_each(|sample| judge.learn(&sample.0));
    samples.iter().map(|sample| judge.judge(sample.0.clone())).collect()
}

/// The same where the capture says that it lost packets at the interface.
pub(in crate::judge) fn judge_after_loss(lost: u64, samples: &[Sample], others: &[Sample]) -> Vec<Judged> {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    samples.iter().chain(others).for_each(|sample| judge.learn(&sample.0));
    judge.capture_lost(0, lost);
    samples.iter().map(|sample| judge.judge(sample.0.clone())).collect()
}

pub(in crate::judge) fn judge_one(site: Site, sample: Sample) -> Judged {
    judge_all(site, &[sample]).remove(0)
}

/// The findings of these flows.
pub(in crate::judge) fn findings(site: Site, samples: &[Sample]) -> Vec<crate::judge::Finding> {
    findings_after_loss(0, site, samples)
}

/// The same where the capture says that it lost packets at the interface.
pub(in crate::judge) fn findings_after_loss(lost: u64, site: Site, samples: &[Sample]) -> Vec<crate::judge::Finding> {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), site, &books);
    let healthy = background();
    samples.iter().chain([&healthy]).for_each(|sample| judge.learn(&sample.0));
    judge.capture_lost(0, lost);
    let mut gatherer = Gatherer::new(Signatures::built_in());
    for sample in samples {
        gatherer.add(&judge.judge(sample.0.clone()));
    }
    gatherer.finish(&judge).0
}

/// The id of the row that a flow was given.
pub(in crate::judge) fn row(judged: &Judged) -> Option<&'static str> {
    judged.service.map(|id| Signatures::built_in().service(id).id.as_str())
}
