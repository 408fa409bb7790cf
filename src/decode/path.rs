//! What a packet was wrapped in: VLAN tags and encapsulations.

use crate::limit::{TUNNEL_DEPTH, VLAN_TAGS};

/// VLAN identifiers (12 bits each), outermost first; those beyond the bound are dropped and counted as a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanStack {
    len: u8,
    ids: [u16; VLAN_TAGS],
}

impl VlanStack {
    /// Adds an inner tag; false where the stack is full.
    pub fn push(&mut self, id: u16) -> bool {
        let Some(place) = self.ids.get_mut(usize::from(self.len)) else { return false };
        *place = id;
        self.len += 1;
        true
    }

    /// The identifiers, outermost first.
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.len)).unwrap_or(&self.ids)
    }
}

/// An encapsulation that was passed on the way to the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// GRE v0 with an IP packet inside, RFC 2784 and 2890.
    Gre,
    /// NVGRE, RFC 7637.
    Nvgre,
    /// ERSPAN type I or II.
    Erspan,
    /// ERSPAN type III.
    Erspan3,
    /// VXLAN, RFC 7348.
    Vxlan,
    /// GENEVE, RFC 8926.
    Geneve,
    /// GTP-U, 3GPP TS 29.281.
    Gtpu,
    /// IP in IP: 4in4, 6in4, 4in6, 6in6 (RFC 2003, 4213, 2473).
    IpInIp,
    /// Teredo, RFC 4380.
    Teredo,
    /// L2TP, RFC 2661 and 3931.
    L2tp,
    /// CAPWAP data, RFC 5415.
    Capwap,
    /// TaZmen Sniffer Protocol.
    Tzsp,
    /// PPP over Ethernet, RFC 2516.
    Pppoe,
    /// MPLS, RFC 3032.
    Mpls,
    /// PPTP's GRE v1, RFC 2637.
    Pptp,
    /// IPsec AH, RFC 4302.
    Ah,
    /// Ethernet in IP, RFC 3378.
    EtherIp,
    /// Network Service Header, RFC 8300.
    Nsh,
    /// HP remote mirroring over UDP 7932 (ProCurve "Intelligent mirroring").
    HpMirror,
}

impl Tunnel {
    /// Whether nothing but Ethernet frames is in it, so that hardware addresses are those of the link inside.
    const fn carries_frames(self) -> bool {
        matches!(self, Self::Nvgre | Self::Erspan | Self::Erspan3 | Self::Vxlan | Self::EtherIp | Self::HpMirror)
    }

    /// The name that records print, as Wireshark names the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gre => "gre",
            Self::Nvgre => "nvgre",
            Self::Erspan => "erspan",
            Self::Erspan3 => "erspan3",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtpu => "gtpu",
            Self::IpInIp => "ipip",
            Self::Teredo => "teredo",
            Self::L2tp => "l2tp",
            Self::Capwap => "capwap",
            Self::Tzsp => "tzsp",
            Self::Pppoe => "pppoe",
            Self::Mpls => "mpls",
            Self::Pptp => "pptp",
            Self::Ah => "ah",
            Self::EtherIp => "etherip",
            Self::Nsh => "nsh",
            Self::HpMirror => "hp-mirror",
        }
    }
}

impl Tunnel {
    /// All of them, each at its own number.
    pub const ALL: [Self; 19] = [
        Self::Gre,
        Self::Nvgre,
        Self::Erspan,
        Self::Erspan3,
        Self::Vxlan,
        Self::Geneve,
        Self::Gtpu,
        Self::IpInIp,
        Self::Teredo,
        Self::L2tp,
        Self::Capwap,
        Self::Tzsp,
        Self::Pppoe,
        Self::Mpls,
        Self::Pptp,
        Self::Ah,
        Self::EtherIp,
        Self::Nsh,
        Self::HpMirror,
    ];
}

/// The encapsulations around a packet, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelPath {
    len: u8,
    path: [Option<Tunnel>; TUNNEL_DEPTH],
}

impl TunnelPath {
    /// Goes one encapsulation deeper; false where the bound is reached.
    pub fn push(&mut self, tunnel: Tunnel) -> bool {
        let Some(place) = self.path.get_mut(usize::from(self.len)) else { return false };
        *place = Some(tunnel);
        self.len += 1;
        true
    }

    /// The encapsulations, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = Tunnel> + '_ {
        self.path.iter().flatten().copied()
    }

    /// Whether hardware addresses are those of the link that the packet itself was on: it came bare, or in a frame inside the innermost encapsulation.
    pub fn ends_on_a_link(&self) -> bool {
        self.iter().last().is_none_or(Tunnel::carries_frames)
    }

    /// Whether the packet came bare.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encapsulation_stands_at_its_own_number() {
        assert!(Tunnel::ALL.iter().enumerate().all(|(number, tunnel)| *tunnel as usize == number), "{:?}", Tunnel::ALL);
    }
}
