//! Which flow is meant: by its Community ID, or by its two ends.

use std::net::{IpAddr, SocketAddr};

use crate::flow::{Flow, community_id};
use crate::net::{Endpoint, Transport};

/// A flow, as somebody names it.
#[derive(Debug, PartialEq, Eq)]
pub enum Query {
    /// Its Community ID.
    Id(String),
    /// Its ends, in any order; of any transport where none is said.
    Ends([Endpoint; 2], Option<Transport>),
}

impl Query {
    /// `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`, `10.1.0.2:40000,10.2.0.5:8883`, `[2001:db8::1]:40000,[2001:db8::2]:443/tcp`.
    ///
    /// # Errors
    /// What would be right.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if let Some(hash) = text.strip_prefix("1:").filter(|hash| !hash.contains(',')) {
            let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
            return if hash.bytes().all(is_base64) { Ok(Self::Id(text.to_owned())) } else { Err(RIGHT) };
        }
        let (ends, transport) = match text.rsplit_once('/') {
            Some((ends, transport)) => (ends, Some(Transport::from_name(transport).ok_or(RIGHT)?)),
            None => (text, None),
        };
        let (one, other) = ends.split_once(',').ok_or(RIGHT)?;
        Ok(Self::Ends([end(one).ok_or(RIGHT)?, end(other).ok_or(RIGHT)?], transport))
    }

    /// Whether it means this flow.
    pub fn means(&self, flow: &Flow) -> bool {
        match self {
            Self::Id(id) => *community_id(flow) == **id,
            Self::Ends([one, other], transport) => {
                let (client, server) = (flow.client.endpoint, flow.server.endpoint);
                transport.is_none_or(|transport| transport == flow.transport) && ((*one, *other) == (client, server) || (*other, *one) == (client, server))
            }
        }
    }

    /// How far a flow is from what was asked for, where somebody may have meant it: one between the same hosts, or whose id is like the one that was typed.
    pub fn distance(&self, flow: &Flow) -> Option<usize> {
        match self {
            Self::Id(id) => {
                let other = community_id(flow);
                let alike = id.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
                let slips = strsim::levenshtein(id, &other);
                (alike >= ALIKE || slips <= SLIPS).then_some(slips)
            }
            Self::Ends([one, other], _) => {
                let ends = [flow.client.endpoint, flow.server.endpoint];
                let hosts: [IpAddr; 2] = ends.map(|end| end.ip);
                let between = hosts == [one.ip, other.ip] || hosts == [other.ip, one.ip];
                between.then(|| [one, other].iter().filter(|end| !ends.contains(end)).count())
            }
        }
    }

    /// What the near ones have in common with it.
    pub const fn nearness(&self) -> &'static str {
        match self {
            Self::Id(_) => "ids like it",
            Self::Ends(..) => "between these hosts there are",
        }
    }
}

fn end(text: &str) -> Option<Endpoint> {
    let address: SocketAddr = text.trim().parse().ok()?;
    Some(Endpoint { ip: address.ip(), port: address.port() })
}

const RIGHT: &str = "write a Community ID (1:... as reports and Wireshark show it) or both ends, e.g. 10.1.0.2:40000,10.2.0.5:8883 or [2001:db8::1]:40000,[2001:db8::2]:443/tcp";
/// Letters at the beginning of an id, `1:` included, that somebody copied before the rest was lost.
const ALIKE: usize = 6;
/// Letters of an id that somebody typed wrong.
const SLIPS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(one: &str, other: &str, transport: Option<Transport>) -> Result<Query, &'static str> {
        Ok(Query::Ends([one, other].map(|text| end(text).unwrap()), transport))
    }

    #[test]
    fn a_flow_is_named_by_its_community_id_or_by_its_ends() {
        assert_eq!(Query::read("1:LQU9qZlK+B5F3KDmev6m5PMibrg="), Ok(Query::Id("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_owned())));
        assert_eq!(Query::read("10.1.0.2:40000,10.2.0.5:8883"), ends("10.1.0.2:40000", "10.2.0.5:8883", None));
        assert_eq!(Query::read("[2001:db8::1]:5, [2001:db8::2]:53/udp"), ends("[2001:db8::1]:5", "[2001:db8::2]:53", Some(Transport::UDP)));
        assert_eq!(Query::read("1.0.0.1:5,1.0.0.2:6"), ends("1.0.0.1:5", "1.0.0.2:6", None), "an address may begin with 1");
        for wrong in ["", "8883/tcp", "10.1.0.2,10.2.0.5", "10.1.0.2:1,10.2.0.5:2/tpc", "1:not base64", "1:a,b"] {
            assert_eq!(Query::read(wrong), Err(RIGHT), "{wrong}");
        }
    }
}
