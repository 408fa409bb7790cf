//! Reckoning with networks: what is left of some without others, what two have in common, what lies outside of all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::judge::Site;

/// Merged where they touch, in order, each network once.
pub fn merged(networks: Vec<IpNet>) -> Vec<IpNet> {
    let mut merged = IpNet::aggregate(&networks);
    merged.sort_unstable();
    merged
}

/// What is left of the networks without the others.
pub fn without(networks: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    others.iter().fold(networks.to_vec(), |left, other| left.into_iter().flat_map(|network| without_one(network, *other)).collect())
}

fn without_one(network: IpNet, other: IpNet) -> Vec<IpNet> {
    if other.contains(&network) {
        return Vec::new();
    }
    // A network that holds another strictly can be halved.
    match network.subnets(network.prefix_len() + 1) {
        Ok(halves) if network.contains(&other) => halves.flat_map(|half| without_one(half, other)).collect(),
        _ => vec![network],
    }
}

/// What both have.
pub fn common(one: &[IpNet], other: &[IpNet]) -> Vec<IpNet> {
    let both = |a: &IpNet, b: &IpNet| if a.contains(b) { Some(*b) } else { Some(*a).filter(|a| b.contains(a)) };
    merged(one.iter().flat_map(|a| other.iter().filter_map(move |b| both(a, b))).collect())
}

/// Networks that are inside by the site's word: those of [`Site::is_local`], without addresses that no network between hosts carries.
pub fn local(site: &Site) -> Vec<IpNet> {
    let listed = if site.local.is_empty() { PRIVATE.to_vec() } else { site.local.clone() };
    merged(listed.into_iter().chain(site.places.iter().flat_map(|place| place.networks.iter().copied())).collect())
}

/// All addresses of one family outside of the networks, as first and last of each stretch.
pub fn outside(networks: &[IpNet], v6: bool) -> Vec<(IpAddr, IpAddr)> {
    let (all, width): (u128, u32) = if v6 { (u128::MAX, 128) } else { (u128::from(u32::MAX), 32) };
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let address = |number: u128| match u32::try_from(number) {
        Ok(number) if width == 32 => IpAddr::V4(Ipv4Addr::from_bits(number)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
    };
    let of_family = |network: &&IpNet| matches!(network, IpNet::V6(_)) == v6;
    let (mut next, mut stretches) = (Some(0_u128), Vec::new());
    for network in merged(networks.to_vec()).iter().filter(of_family) {
        let (first, last) = (number(network.network()), number(network.broadcast()));
        if let Some(start) = next.filter(|start| *start < first) {
            stretches.push((address(start), address(first - 1)));
        }
        next = last.checked_add(1).filter(|start| *start <= all);
    }
    stretches.extend(next.map(|start| (address(start), address(all))));
    stretches
}

/// All unicast addresses of one family outside of the networks, as networks: of IPv4 without multicast and what is reserved beside it, of IPv6 the global ones.
pub fn outside_networks(networks: &[IpNet], v6: bool) -> Vec<IpNet> {
    let all = if v6 { GLOBAL_V6 } else { ALL_V4 };
    merged(without(&without(all, NO_HOSTS), networks))
}

/// Global unicast (RFC 4291, section 2.4, as far as it is given out).
const GLOBAL_V6: &[IpNet] = &[IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3))];
const ALL_V4: &[IpNet] = &[IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))];
/// This network, the host itself, groups and what is reserved (RFC 6890, RFC 5771).
const NO_HOSTS: &[IpNet] = &[
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 3)),
];

/// Addresses that no public network uses: RFC 1918, RFC 6598, link-local, unique-local (RFC 4193).
const PRIVATE: &[IpNet] = &[
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::is_private;

    fn nets(words: &[&str]) -> Vec<IpNet> {
        words.iter().map(|word| word.parse().expect("a network")).collect()
    }

    #[test]
    fn a_network_without_one_of_its_hosts_is_all_the_others() {
        let left = without(&nets(&["10.0.0.0/29"]), &nets(&["10.0.0.2/32"]));
        assert_eq!(merged(left), nets(&["10.0.0.0/31", "10.0.0.3/32", "10.0.0.4/30"]));
        assert_eq!(without(&nets(&["10.0.0.0/24", "2001:db8::/64"]), &nets(&["10.0.0.0/8"])), nets(&["2001:db8::/64"]));
        assert_eq!(without(&nets(&["10.0.0.0/24"]), &nets(&["10.1.0.0/24"])), nets(&["10.0.0.0/24"]));
        assert_eq!(without(&nets(&["10.0.0.7/32"]), &nets(&["10.0.0.7/32"])), nets(&[]));
    }

    #[test]
    fn what_two_have_in_common_is_the_narrower_of_them() {
        assert_eq!(common(&nets(&["10.0.0.0/8", "192.168.1.0/24"]), &nets(&["10.1.0.0/16", "192.168.0.0/16"])), nets(&["10.1.0.0/16", "192.168.1.0/24"]));
        assert_eq!(common(&nets(&["10.0.0.0/8"]), &nets(&["2001:db8::/32"])), nets(&[]));
    }

    #[test]
    fn outside_is_what_lies_between_the_networks() {
        let told = |words: &[&str], v6| outside(&nets(words), v6).iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>();
        assert_eq!(told(&["10.0.0.0/8"], false), ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"]);
        assert_eq!(told(&["0.0.0.0/1", "192.0.0.0/2"], false), ["128.0.0.0-191.255.255.255"]);
        assert_eq!(told(&["fc00::/7"], true), ["::-fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
        assert_eq!(told(&["::/0"], true), [""; 0]);
    }

    #[test]
    fn what_is_inside_unless_the_site_says_otherwise_is_what_no_public_network_uses() {
        let site = Site::default();
        for word in [
            "10.255.0.1",
            "172.31.255.255",
            "172.32.0.0",
            "192.168.0.1",
            "192.169.0.0",
            "100.127.0.1",
            "100.128.0.0",
            "169.254.9.9",
            "8.8.8.8",
            "fd00::1",
            "fe80::1",
            "2001:db8::1",
        ] {
            let ip: IpAddr = word.parse().expect("an address");
            assert_eq!(local(&site).iter().any(|network| network.contains(&ip)), is_private(ip) && site.is_local(ip), "{word}");
        }
    }
}
