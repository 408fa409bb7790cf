//! Several handles on one interface, each with its share of the address pairs (Linux, packet(7): PACKET_FANOUT).
//!
//! The kernel hands each packet to one of the handles, by a program in classic BPF that works out a number from both addresses: both directions of a pair, and
//! its fragments, go to one handle, and so do ICMP errors about them. What is no IP goes by the kernel's own hash of the flow.

use std::io;
use std::os::fd::AsFd;

use super::socket::set;

/// Joins a group of this process. Members are numbered in the order in which they join.
///
/// # Errors
/// Those of the kernel: too old, or an interface that cannot.
pub(super) fn join(handle: &impl AsFd, group: u16) -> io::Result<()> {
    let what: libc::c_int = libc::c_int::from(group) | (BY_PROGRAM << 16);
    set(handle, libc::PACKET_FANOUT, &what)?;
    let mut program = PROGRAM.map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
    let len = libc::c_ushort::try_from(program.len()).unwrap_or(libc::c_ushort::MAX);
    set(handle, FANOUT_DATA, &libc::sock_fprog { len, filter: program.as_mut_ptr() })
}

/// `PACKET_FANOUT_CBPF` of linux/if_packet.h.
const BY_PROGRAM: libc::c_int = 6;
/// `PACKET_FANOUT_DATA`.
const FANOUT_DATA: libc::c_int = 22;

const LOAD_BYTE: u16 = 0x30;
const LOAD_BYTE_FROM_X: u16 = 0x50;
const LOAD_WORD_FROM_X: u16 = 0x40;
const STORE: u16 = 0x02;
const LOAD_STORED: u16 = 0x60;
const SHIFT_LEFT: u16 = 0x64;
const IF_BIT: u16 = 0x45;
const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const XOR_X: u16 = 0xac;
const MULTIPLY: u16 = 0x24;
const SHIFT_RIGHT: u16 = 0x74;
const TO_X: u16 = 0x07;
const IF_EQUAL: u16 = 0x15;
const JUMP: u16 = 0x05;
const RETURN_A: u16 = 0x16;
/// `SKF_NET_OFF`: offsets from here on count from the network header.
const NETWORK: u32 = 0xfff0_0000;
/// `SKF_AD_OFF + SKF_AD_RXHASH`: the kernel's hash of the flow.
const FLOW_HASH: u32 = 0xffff_f000 + 32;

/// Both addresses, exclusive-ored word by word, spread by a multiplication (Knuth's golden ratio); the kernel takes the rest by the number of members.
const PROGRAM: [(u16, u8, u8, u32); 79] = [
    (LOAD_BYTE, 0, 0, NETWORK),
    (AND, 0, 0, 0xf0),
    (IF_EQUAL, 3, 0, 0x40),
    (IF_EQUAL, 24, 0, 0x60),
    (LOAD_WORD, 0, 0, FLOW_HASH),
    (RETURN_A, 0, 0, 0),
    // IPv4. An ICMP error goes where the packet goes that it quotes.
    (LOAD_BYTE, 0, 0, NETWORK + 9),
    (IF_EQUAL, 0, 16, 1),
    (LOAD_BYTE, 0, 0, NETWORK),
    (AND, 0, 0, 0x0f),
    (SHIFT_LEFT, 0, 0, 2),
    (TO_X, 0, 0, 0),
    (LOAD_BYTE_FROM_X, 0, 0, NETWORK),
    (IF_EQUAL, 4, 0, 3),
    (IF_EQUAL, 3, 0, 4),
    (IF_EQUAL, 2, 0, 5),
    (IF_EQUAL, 1, 0, 11),
    (IF_EQUAL, 0, 6, 12),
    (LOAD_WORD_FROM_X, 0, 0, NETWORK + 20),
    (STORE, 0, 0, 0),
    (LOAD_WORD_FROM_X, 0, 0, NETWORK + 24),
    (TO_X, 0, 0, 0),
    (LOAD_STORED, 0, 0, 0),
    (JUMP, 0, 0, 51),
    (LOAD_WORD, 0, 0, NETWORK + 12),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 16),
    (JUMP, 0, 0, 47),
    // IPv6, likewise. Types below 128 are errors.
    (LOAD_BYTE, 0, 0, NETWORK + 6),
    (IF_EQUAL, 0, 24, 58),
    (LOAD_BYTE, 0, 0, NETWORK + 40),
    (IF_BIT, 22, 0, 0x80),
    (LOAD_WORD, 0, 0, NETWORK + 56),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 60),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 64),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 68),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 72),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 76),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 80),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 84),
    (JUMP, 0, 0, 21),
    (LOAD_WORD, 0, 0, NETWORK + 8),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 12),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 16),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 20),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 24),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 28),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 32),
    (XOR_X, 0, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_WORD, 0, 0, NETWORK + 36),
    // Of all: the last two words.
    (XOR_X, 0, 0, 0),
    (MULTIPLY, 0, 0, 0x9e37_79b1),
    (SHIFT_RIGHT, 0, 0, 16),
    (RETURN_A, 0, 0, 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program makes of a packet whose network header is `ip`.
    fn run(ip: &[u8]) -> u32 {
        let (mut a, mut x, mut at, mut stored) = (0_u32, 0_u32, 0_usize, 0_u32);
        loop {
            let (code, jt, jf, k) = PROGRAM[at];
            let place = k.wrapping_sub(NETWORK) as usize;
            at += 1;
            match code {
                LOAD_WORD if k == FLOW_HASH => a = 7,
                LOAD_BYTE => a = u32::from(ip[place]),
                LOAD_BYTE_FROM_X => a = u32::from(ip[place + x as usize]),
                LOAD_WORD_FROM_X => a = u32::from_be_bytes(ip[place + x as usize..][..4].try_into().unwrap()),
                STORE => stored = a,
                LOAD_STORED => a = stored,
                SHIFT_LEFT => a <<= k,
                IF_BIT => at += usize::from(if a & k != 0 { jt } else { jf }),
                LOAD_WORD => a = u32::from_be_bytes(ip[place..place + 4].try_into().unwrap()),
                AND => a &= k,
                XOR_X => a ^= x,
                MULTIPLY => a = a.wrapping_mul(k),
                SHIFT_RIGHT => a >>= k,
                TO_X => x = a,
                IF_EQUAL => at += usize::from(if a == k { jt } else { jf }),
                JUMP => at += k as usize,
                RETURN_A => return a,
                _ => panic!("{code:#x}"),
            }
        }
    }

    fn v4(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        [&[0x45; 1][..], &[0; 11], &from, &to].concat()
    }

    fn v6(from: [u8; 16], to: [u8; 16]) -> Vec<u8> {
        [&[0x60; 1][..], &[0; 7], &from, &to].concat()
    }

    #[test]
    fn both_directions_of_a_pair_have_one_number_and_pairs_are_spread() {
        let mut shares = [[0_u32; 4]; 2];
        for host in 0..=255_u8 {
            let (near, far) = ([10, 1, 0, host], [203, 0, 113, 10]);
            assert_eq!(run(&v4(near, far)), run(&v4(far, near)));
            shares[0][run(&v4(near, far)) as usize % 4] += 1;
            let (mut near6, mut far6) = ([0x20; 16], [0x2a; 16]);
            (near6[15], far6[0]) = (host, 0x2a);
            assert_eq!(run(&v6(near6, far6)), run(&v6(far6, near6)));
            shares[1][run(&v6(near6, far6)) as usize % 4] += 1;
        }
        assert!(shares.iter().flatten().all(|share| *share > 32), "{shares:?}");
    }

    #[test]
    fn an_icmp_error_goes_where_the_packet_goes_that_it_quotes() {
        let (host, gateway, server) = ([10, 1, 0, 2], [10, 1, 0, 1], [203, 0, 113, 10]);
        let quoted = v4(host, server);
        for (kind, is_error) in [(3, true), (11, true), (12, true), (8, false), (0, false)] {
            // With options in front, too.
            for words in [5, 7] {
                let mut error = v4(gateway, host);
                (error[0], error[9]) = (0x40 | words, 1);
                error.resize(usize::from(words) * 4, 0);
                error.extend([kind, 13, 0, 0, 0, 0, 0, 0]);
                error.extend(&quoted);
                let due = if is_error { &quoted } else { &v4(gateway, host) };
                assert_eq!(run(&error), run(due), "type {kind}, {words} words");
            }
        }
        let (host, gateway, server) = ([0x20; 16], [0x21; 16], [0x2a; 16]);
        let quoted = v6(host, server);
        for (kind, is_error) in [(1, true), (3, true), (128, false), (135, false)] {
            let mut error = v6(gateway, host);
            error[6] = 58;
            error.extend([kind, 1, 0, 0, 0, 0, 0, 0]);
            error.extend(&quoted);
            let due = if is_error { &quoted } else { &v6(gateway, host) };
            assert_eq!(run(&error), run(due), "type {kind}");
        }
    }

    #[test]
    fn what_is_no_ip_goes_by_the_flow() {
        assert_eq!(run(&[0, 1, 8, 0, 6, 4, 0, 1]), 7);
    }
}
