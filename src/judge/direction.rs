//! Who is the client where no handshake was seen: other flows, announcements, documents, port classes, in this order; first that tells wins.

use crate::flow::{Direction, Flow};
use crate::identify::{Fact, Identified};
use crate::judge::visibility::Seen;
use crate::net::{Endpoint, Side, Transport, is_group};

/// Settles the direction of a flow whose opening was not seen, turning it round where needed, and says on what that rests.
/// `announced`: whether a promise names that end as a server. `documented`: whether a row has that server port.
pub(super) fn settle(
    identified: &mut Identified,
    seen: &Seen,
    announced: impl Fn(Endpoint, Endpoint) -> bool,
    documented: impl Fn(Transport, u16) -> bool,
) -> Option<&'static str> {
    let flow = &identified.flow;
    if flow.direction == Direction::Certain || !flow.transport.has_ports() {
        return None;
    }
    if identified.facts.iter().any(|fact| matches!(fact, Fact::Speaks { client: Side::Client })) {
        identified.flow.direction = Direction::Likely;
        return Some(CONTENT);
    }
    if is_group(flow.server.endpoint.ip) {
        identified.flow.direction = Direction::Likely;
        return Some("a group is never a server");
    }
    let (server, why) = by_surroundings(flow, seen, announced, documented)?;
    if server == Side::Client {
        identified.turn();
    }
    identified.flow.direction = Direction::Likely;
    Some(why)
}

/// Which end is the server by what else is known, and by what. Who sends the first datagram asks, unless the flow may be older than the capture.
fn by_surroundings(
    flow: &Flow,
    seen: &Seen,
    announced: impl Fn(Endpoint, Endpoint) -> bool,
    documented: impl Fn(Transport, u16) -> bool,
) -> Option<(Side, &'static str)> {
    let (a, b, transport) = (flow.client.endpoint, flow.server.endpoint, flow.transport);
    let guess = || transport == Transport::TCP || seen.may_be_older(flow);
    one_of(seen.is_server(transport, a), seen.is_server(transport, b), "another flow shows the server")
        .or_else(|| one_of(seen.meets_many(transport, a), seen.meets_many(transport, b), SEVERAL))
        .or_else(|| one_of(announced(b, a), announced(a, b), "announced"))
        .or_else(|| one_of(documented(transport, a.port), documented(transport, b.port), DOCUMENTED))
        .or_else(|| if guess() { by_class(transport, a.port, b.port) } else { None })
}

fn by_class(transport: Transport, a: u16, b: u16) -> Option<(Side, &'static str)> {
    // Peers talk from one ephemeral range to another; of a connection even that is better than nothing.
    let class = |port| if transport == Transport::TCP { class(port) } else { class(port).min(EPHEMERAL) };
    match class(a).cmp(&class(b)) {
        std::cmp::Ordering::Less => Some((Side::Client, CLASS)),
        std::cmp::Ordering::Greater => Some((Side::Server, CLASS)),
        std::cmp::Ordering::Equal => None,
    }
}

/// Whether a direction that rests on this is no more than a guess by the numbers of ports.
pub(super) fn is_guess(by: Option<&str>) -> bool {
    by.is_some_and(|by| [SEVERAL, DOCUMENTED, CLASS].contains(&by))
}

/// The side for which alone something speaks.
fn one_of(client: bool, server: bool, why: &'static str) -> Option<(Side, &'static str)> {
    match (client, server) {
        (true, false) => Some((Side::Client, why)),
        (false, true) => Some((Side::Server, why)),
        _ => None,
    }
}

/// System, registered, ephemeral by Linux, ephemeral by IANA: the end in the lower class is the server.
fn class(port: u16) -> u8 {
    match port {
        0..1024 => 0,
        1024..32_768 => 1,
        32_768..49_152 => EPHEMERAL,
        49_152.. => 3,
    }
}

/// The word for a direction that the bytes tell.
pub(super) const CONTENT: &str = "content";
const EPHEMERAL: u8 = 2;
const SEVERAL: &str = "several reach it";
const DOCUMENTED: &str = "documented port";
const CLASS: &str = "port class";

#[cfg(test)]
mod tests {
    use crate::flow::Direction;
    use crate::identify::{Detail, Fact};
    use crate::judge::Site;
    use crate::judge::tests::sample::{at, background, judge_among, tcp, udp};
    use crate::judge::visibility::Seen;
    use crate::net::Side;

    #[track_caller]
    fn settled(client: &str, server: &str, others: &[crate::judge::tests::sample::Sample]) -> (u16, Direction, Option<&'static str>) {
        let sample = tcp(client, server).midstream().talked(10, 10);
        let judged = judge_among(Site::default(), &[sample], others).remove(0);
        let flow = &judged.identified.flow;
        (flow.server.endpoint.port, flow.direction, judged.direction_by)
    }

    #[test]
    fn who_answered_a_syn_elsewhere_is_the_server() {
        let other = tcp("10.0.0.9:50000", "10.0.0.1:50001").talked(10, 10);
        assert_eq!(settled("10.0.0.1:50001", "10.0.0.2:40000", &[other]), (50001, Direction::Likely, Some("another flow shows the server")));
    }

    #[test]
    fn who_is_reached_from_several_ends_is_the_server_though_no_opening_was_seen() {
        let other = |client: &str| tcp(client, "10.0.0.1:50001").midstream().talked(10, 10);
        let several = "several reach it";
        assert_eq!(settled("10.0.0.1:50001", "10.0.0.2:40000", &[other("10.0.0.9:40100")]), (50001, Direction::Likely, Some(several)));
        assert_eq!(settled("10.0.0.1:50001", "10.0.0.2:40000", &[other("10.0.0.2:40001")]), (50001, Direction::Likely, Some(several)));
        // Members of a cluster reach each other: that tells nothing, and their ports are alike.
        let member = tcp("10.0.0.9:5701", "10.0.0.2:5701").midstream().talked(10, 10);
        let back = tcp("10.0.0.9:5701", "10.0.0.1:5701").midstream().talked(10, 10);
        assert_eq!(settled("10.0.0.1:5701", "10.0.0.2:5701", &[member, back]), (5701, Direction::Unknown, None));
    }

    #[test]
    fn what_was_announced_is_the_servers() {
        let sample = tcp("10.0.0.1:50001", "10.0.0.2:40000").midstream().talked(10, 10);
        let (client, server) = (sample.0.flow.client.endpoint, sample.0.flow.server.endpoint);
        let mut turned = sample.0.clone();
        let why = super::settle(&mut turned, &Seen::default(), |_, to| to == client, |_, _| false);
        assert_eq!((turned.flow.server.endpoint, why), (client, Some("announced")));
        let mut kept = sample.0;
        assert_eq!((super::settle(&mut kept, &Seen::default(), |_, to| to == server, |_, _| false), kept.flow.server.endpoint), (Some("announced"), server));
    }

    #[test]
    fn what_was_said_of_an_end_is_said_of_the_same_end_once_it_is_the_server() {
        let mut sample = tcp("10.0.0.1:9995", "10.0.0.2:5000").midstream().talked(10, 10);
        sample.0.details = [Detail { key: ("tls", "encrypted_alert"), value: Side::Client.into() }].into_iter().collect();
        let judged = judge_among(Site::default(), &[sample], &[background()]).remove(0);
        assert_eq!(judged.identified.flow.server.endpoint.port, 9995);
        assert_eq!(judged.identified.details[0].value.as_str(), Some("server"));
    }

    #[test]
    fn a_group_is_asked_and_never_asks() {
        let mut flow = udp("10.0.0.1:5000", "239.1.1.1:5000").0;
        flow.flow.direction = Direction::Likely;
        assert_eq!(super::settle(&mut flow, &Seen::default(), |_, _| false, |_, _| false), Some("a group is never a server"));
        assert_eq!(flow.flow.server.endpoint.ip.to_string(), "239.1.1.1");
    }

    #[test]
    fn a_port_that_a_document_claims_is_the_servers() {
        assert_eq!(settled("10.0.0.1:9995", "10.0.0.2:5000", &[background()]), (9995, Direction::Likely, Some("documented port")));
    }

    #[test]
    fn the_lower_class_of_ports_is_the_servers() {
        assert_eq!(settled("10.0.0.1:700", "10.0.0.2:5000", &[]), (700, Direction::Likely, Some("port class")));
        assert_eq!(settled("10.0.0.1:50000", "10.0.0.2:40000", &[]), (40000, Direction::Likely, Some("port class")));
    }

    /// Of a datagram flow whose first sender has the first port, beside another flow that began so many seconds earlier.
    #[track_caller]
    fn asked(first: &str, other: &str, after: f64) -> (u16, Option<&'static str>) {
        let mut sample = udp(first, other);
        sample.0.flow.direction = Direction::Likely;
        sample.0.flow.first = at(1.0 + after);
        let judged = judge_among(Site::default(), &[sample], &[udp("10.0.0.7:40000", "10.0.0.8:7000")]).remove(0);
        (judged.identified.flow.server.endpoint.port, judged.direction_by)
    }

    #[test]
    fn who_sends_the_first_datagram_asks_however_many_it_asks_from_that_port() {
        let peers = ["10.0.0.2:33441", "10.0.0.3:33442", "10.0.0.4:33443"].map(|peer| {
            let mut sample = udp("10.0.0.1:50007", peer).talked(10, 10);
            sample.0.flow.direction = Direction::Likely;
            sample
        });
        let judged = judge_among(Site::default(), &peers, &[]);
        let servers: Vec<u16> = judged.iter().map(|judged| judged.identified.flow.server.endpoint.port).collect();
        assert_eq!(servers, [33441, 33442, 33443]);
    }

    #[test]
    fn the_classes_of_ports_tell_of_datagrams_only_where_the_flow_may_be_older_than_the_capture() {
        assert_eq!(asked("10.0.0.1:3074", "10.0.0.2:40001", 59.0), (3074, Some("port class")));
        assert_eq!(asked("10.0.0.1:3074", "10.0.0.2:40001", 61.0), (40001, None));
    }

    #[test]
    fn two_ephemeral_ports_tell_nothing_of_datagrams() {
        assert_eq!(asked("10.0.0.1:43462", "10.0.0.2:51820", 1.0), (51820, None));
    }

    #[test]
    fn a_client_by_content_stays_one_whatever_its_port() {
        let mut sample = udp("10.0.0.1:123", "10.0.0.2:123").talked(48, 48);
        sample.0.flow.direction = Direction::Likely;
        sample.0.facts.push(Fact::Speaks { client: Side::Client });
        let other = udp("10.0.0.9:50000", "10.0.0.1:123").talked(48, 48);
        let judged = judge_among(Site::default(), &[sample], &[other]).remove(0);
        assert_eq!((judged.identified.flow.server.endpoint.ip.to_string(), judged.direction_by), ("10.0.0.2".to_owned(), Some("content")));
    }

    #[test]
    fn equal_ports_and_equal_classes_tell_nothing() {
        assert_eq!(settled("10.0.0.1:5000", "10.0.0.2:5000", &[]), (5000, Direction::Unknown, None));
        assert_eq!(settled("10.0.0.1:2000", "10.0.0.2:3000", &[]), (3000, Direction::Unknown, None));
    }
}
