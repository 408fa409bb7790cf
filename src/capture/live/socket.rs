//! What is asked of a packet socket beside libpcap (Linux, packet(7)): a place in a group, another interface, packets to others.
//!
//! This is the one place where portbook is `unsafe` itself. libpcap has no calls for these, nor has any library that lends its safety to a descriptor that is not
//! its own. Calls of setsockopt(2), bind(2) and getsockname(2) are made, with pointers to values that live until they return. None of them asks for a
//! right: who has an open packet socket may bind it anew, so an interface that was made anew is captured on again after all rights were given up.

#![allow(unsafe_code, reason = "calls on libpcap's descriptor: see above")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The number of an interface at present.
///
/// # Errors
/// There is none of that name.
pub(super) fn index_of(handle: &impl AsFd, name: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(handle, name)?)
}

/// Captures on that interface from now on, whatever the socket captured on before. A socket that is in a group cannot.
///
/// # Errors
/// Those of the kernel.
pub(super) fn bind(handle: &impl AsFd, index: u32) -> io::Result<()> {
    let mut address = nowhere();
    address.sll_ifindex = index.cast_signed();
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel reads the address, which is as long as is said.
    answered(unsafe { libc::bind(handle.as_fd().as_raw_fd(), std::ptr::from_ref(&address).cast(), ADDRESS_LENGTH) })
}

/// Which kind of link the socket's interface is (`ARPHRD_`, linux/if_arp.h).
///
/// # Errors
/// Those of the kernel.
pub(super) fn hardware(handle: &impl AsFd) -> io::Result<u16> {
    let (mut address, mut length) = (nowhere(), ADDRESS_LENGTH);
    // SAFETY: as above; the kernel writes no more than `length` bytes, and any bytes are a valid address.
    answered(unsafe { libc::getsockname(handle.as_fd().as_raw_fd(), std::ptr::from_mut(&mut address).cast(), &raw mut length) })?;
    Ok(address.sll_hatype)
}

/// Asks the interface for packets to others, too, for as long as the socket is bound to it.
///
/// # Errors
/// Those of the kernel.
pub(super) fn promiscuous(handle: &impl AsFd, index: u32) -> io::Result<()> {
    let request = libc::packet_mreq { mr_ifindex: index.cast_signed(), mr_type: PROMISCUOUS, mr_alen: 0, mr_address: [0; 8] };
    set(handle, libc::PACKET_ADD_MEMBERSHIP, &request)
}

/// Sets an option of packet sockets.
///
/// # Errors
/// Those of the kernel.
pub(super) fn set<T>(handle: &impl AsFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the descriptor is open for as long as it is borrowed; `value` is a plain value of `size` bytes, and what it points to outlives the call; the
    // kernel only reads both.
    answered(unsafe { libc::setsockopt(handle.as_fd().as_raw_fd(), libc::SOL_PACKET, option, std::ptr::from_ref(value).cast(), size) })
}

/// An address of no interface; the protocol stays the socket's own.
const fn nowhere() -> libc::sockaddr_ll {
    libc::sockaddr_ll { sll_family: libc::AF_PACKET as u16, sll_protocol: 0, sll_ifindex: 0, sll_hatype: 0, sll_pkttype: 0, sll_halen: 0, sll_addr: [0; 8] }
}

fn answered(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
const PROMISCUOUS: libc::c_ushort = libc::PACKET_MR_PROMISC as libc::c_ushort;
