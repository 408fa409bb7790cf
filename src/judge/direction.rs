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
        return Some("content");
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

/// Which end is the server by what else is known, and by what.
fn by_surroundings(
    flow: &Flow,
    seen: &Seen,
    announced: impl Fn(Endpoint, Endpoint) -> bool,
    documented: impl Fn(Transport, u16) -> bool,
) -> Option<(Side, &'static str)> {
    let (a, b, transport) = (flow.client.endpoint, flow.server.endpoint, flow.transport);
    one_of(seen.is_server(transport, a), seen.is_server(transport, b), "another flow shows the server")
        .or_else(|| one_of(seen.meets_many(transport, a), seen.meets_many(transport, b), "several reach it"))
        .or_else(|| one_of(announced(b, a), announced(a, b), "announced"))
        .or_else(|| by_port(a.port, b.port, |port| documented(transport, port)))
}

fn by_port(a: u16, b: u16, documented: impl Fn(u16) -> bool) -> Option<(Side, &'static str)> {
    one_of(documented(a), documented(b), "documented port").or_else(|| match class(a).cmp(&class(b)) {
        std::cmp::Ordering::Less => Some((Side::Client, "port class")),
        std::cmp::Ordering::Greater => Some((Side::Server, "port class")),
        std::cmp::Ordering::Equal => None,
    })
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
        32_768..49_152 => 2,
        49_152.. => 3,
    }
}

#[cfg(test)]
mod tests {
    use crate::flow::Direction;
    use crate::judge::Site;
    use crate::judge::tests::sample::{background, judge_among, tcp, udp};
    use crate::judge::visibility::Seen;

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

    #[test]
    fn equal_ports_and_equal_classes_tell_nothing() {
        assert_eq!(settled("10.0.0.1:5000", "10.0.0.2:5000", &[]), (5000, Direction::Unknown, None));
        assert_eq!(settled("10.0.0.1:2000", "10.0.0.2:3000", &[]), (3000, Direction::Unknown, None));
    }
}
