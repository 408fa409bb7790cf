//! PROFINET IO's context manager: connectionless DCE/RPC to UDP port 34964 (IEC 61158-6-10, "RPC interface UUIDs"). Its cyclic data and its DCP
//! are Ethernet frames without IP and make no flows.

/// Whether a connectionless DCE/RPC message is of one of PROFINET's interfaces: device, controller, supervisor, parameter server. The
/// identifier stands at byte 24, in the order of bytes that the data representation at byte 4 says (C706 section 12.5.1).
pub(super) fn is_context_manager(message: &[u8]) -> bool {
    let (Some(order), Some(interface)) = (message.get(4), message.get(24..40)) else { return false };
    match interface {
        [1..=4, 0, 0xa0, 0xde, 0x97, 0x6c, 0xd1, 0x11, rest @ ..] if order >> 4 == 1 => rest == NODE,
        [0xde, 0xa0, 0, 1..=4, 0x6c, 0x97, 0x11, 0xd1, rest @ ..] if order >> 4 == 0 => rest == NODE,
        _ => false,
    }
}

/// The end of `dea0000n-6c97-11d1-8271-00a02442df7d`, which is in one order only.
const NODE: [u8; 8] = [0x82, 0x71, 0x00, 0xa0, 0x24, 0x42, 0xdf, 0x7d];

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, hex, read};
    use super::super::windows::DCERPC;
    use super::*;
    use crate::identify::{Evidence, Fact};
    use crate::net::{Side, Transport};

    /// A connect request of a controller to a device's interface (version 4, request, little endian), with four bytes of body.
    fn connect() -> Vec<u8> {
        [
            hex("04 00 20 00 10 00 00 00"),
            hex("0000a0de 976c d111 8271 000100640101"),
            hex("0100a0de 976c d111 8271 00a02442df7d"),
            hex("11111111 2222 3333 4444 555555555555"),
            hex("00000000 01000000 00000000 0000 ffff ffff 0400 0000 00 00"),
            hex("01020304"),
        ]
        .concat()
    }

    #[test]
    fn a_connect_to_a_device_is_profinet_inside_dcerpc() {
        let ask = connect();
        assert_eq!(evidence(decide(&DCERPC, Transport::UDP, 34964, &ask, &[])), Evidence::OneOpening);
        assert!(read(&DCERPC, Transport::UDP, 34964, &[(Side::Client, &ask)]).says(&Fact::Inner("profinet")));
        let mut other = ask.clone();
        other[39] = 0;
        assert!(!read(&DCERPC, Transport::UDP, 34964, &[(Side::Client, &other)]).says(&Fact::Inner("profinet")));
        assert!(!is_context_manager(&ask[..39]));
    }
}
