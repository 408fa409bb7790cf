//! The place in a frame where the next header begins, and how far its surroundings reach: in captured bytes and on the wire.

use crate::decode::fault::{Fault, Layer, What};
use crate::decode::{Content, Packet, Tunnel};
use crate::limit;

/// What is left of a frame, bounded by the length fields passed so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    /// The captured bytes from here on.
    pub bytes: &'a [u8],
    /// Bytes from here on that were on the wire; at least as many as were captured.
    pub wire: u32,
    /// Bytes from the start of the frame to here.
    pub offset: u32,
    /// Headers passed that may hold any other header: bounds recursion.
    headers: u8,
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`, of which there were `wire_len` on the wire.
    #[inline]
    pub fn new(bytes: &'a [u8], wire_len: u32) -> Self {
        Self { bytes, wire: wire_len.max(captured(bytes)), offset: 0, headers: 0 }
    }

    /// The next `N` bytes, if all were captured.
    #[inline]
    pub fn head<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes.first_chunk()
    }

    /// The byte at `place`.
    #[inline]
    pub fn u8(&self, place: usize) -> Option<u8> {
        self.bytes.get(place).copied()
    }

    /// The 16 bits at `place`, network byte order.
    #[inline]
    pub fn u16(&self, place: usize) -> Option<u16> {
        self.bytes.get(place..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
    }

    /// The cursor `count` bytes further on; at the end where there are fewer.
    #[inline]
    pub fn skip(self, count: usize) -> Self {
        let step = u32::try_from(count).unwrap_or(u32::MAX).min(self.wire);
        Self { bytes: self.bytes.get(count..).unwrap_or_default(), wire: self.wire - step, offset: self.offset.saturating_add(step), ..self }
    }

    /// The cursor, ending after `length` bytes. A greater length than there is on the wire is left to the caller to judge.
    #[inline]
    pub fn limit(self, length: u32) -> Self {
        let kept = self.bytes.get(..length as usize).unwrap_or(self.bytes);
        Self { bytes: kept, wire: length.max(captured(kept)), ..self }
    }

    /// One more header that may hold any other.
    pub fn deeper(self) -> Option<Self> {
        let headers = self.headers.checked_add(1).filter(|count| *count <= limit::HEADERS)?;
        Some(Self { headers, ..self })
    }
}

impl<'a> Packet<'a> {
    /// Notes a fault, unless one is noted already. False: no IP packet was found, nor ARP.
    pub(super) fn stop(&mut self, layer: Layer, what: What, at: &Cursor<'_>) -> bool {
        self.fault.get_or_insert(Fault { layer, what, offset: at.offset });
        false
    }

    /// Notes that a header of `need` bytes does not fit into what was captured, or never did. False: no IP packet was found, nor ARP.
    pub(super) fn short(&mut self, layer: Layer, need: usize, at: &Cursor<'_>) -> bool {
        let what = if at.wire as usize >= need { What::Truncated } else { What::TooShort };
        self.stop(layer, what, at)
    }

    /// Goes into an encapsulation. Where no IP packet is found in it, nor ARP, its name and its tags leave no trace.
    pub(super) fn inside(&mut self, tunnel: Tunnel, at: Cursor<'a>, read: impl FnOnce(Cursor<'a>, &mut Self) -> bool) -> bool {
        let (mac, vlan, path) = (self.mac, self.vlan, self.tunnel);
        if !self.tunnel.push(tunnel) {
            return self.stop(Layer::Tunnel, What::TooDeep, &at);
        }
        if read(at, self) {
            return true;
        }
        (self.mac, self.vlan, self.tunnel) = (mac, vlan, path);
        false
    }

    /// Notes what the frame holds, unless an IP packet around it is known already. False: no IP packet was found, nor ARP.
    pub(super) fn other(&mut self, content: Content) -> bool {
        if self.content == Content::Nothing {
            self.content = content;
        }
        false
    }
}

#[inline]
fn captured(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
