//! Captures read, rewritten and written for tests.

use std::fs::File;
use std::path::{Path, PathBuf};

use portbook::capture::write::Writer;
use portbook::capture::{Captures, LinkType, Options, Progress, Source, open};
use portbook::time::Timestamp;

/// A frame that was taken out of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub number: u64,
    pub time: Timestamp,
    pub link: LinkType,
    pub wire_len: u32,
    pub bytes: Vec<u8>,
}

/// All frames of a capture, and the source when all is read.
pub fn read(path: &Path) -> (Vec<Taken>, Captures) {
    let mut captures = open(&[path.to_owned()], Options::default()).unwrap();
    let mut taken = Vec::new();
    while captures.read(&mut |frames| {
        taken.extend(frames.iter().map(|frame| Taken {
            number: frame.id.number(),
            time: frame.time,
            link: frame.link,
            wire_len: frame.wire_len,
            bytes: frame.bytes.to_vec(),
        }));
    }) == Ok(Progress::More)
    {}
    (taken, captures)
}

/// Writes frames of one link type.
pub fn write(path: &Path, frames: &[Taken]) -> PathBuf {
    let mut writer = Writer::new(File::create(path).unwrap()).unwrap();
    let interface = writer.interface(frames.first().map_or(LinkType::ETHERNET, |frame| frame.link), 0, Some("tap0")).unwrap();
    for frame in frames {
        writer.frame(interface, frame.time, frame.bytes.len() as u32, &frame.bytes, &[]).unwrap();
    }
    writer.finish().unwrap();
    path.to_owned()
}

/// The same frames with what each is made into.
pub fn rewritten(frames: &[Taken], mut make: impl FnMut(&mut Taken)) -> Vec<Taken> {
    frames.iter().cloned().map(|mut frame| (make(&mut frame), frame).1).collect()
}

/// Puts bytes behind the two MAC addresses of an Ethernet frame: a tag.
pub fn tagged(frame: &mut Taken, tag: &[u8]) {
    frame.bytes.splice(12..12, tag.iter().copied());
}

/// Puts an Ethernet frame into UDP over IPv4, behind eight bytes of VXLAN (RFC 7348 section 5).
pub fn in_vxlan(frame: &mut Taken) {
    let inner = std::mem::take(&mut frame.bytes);
    let udp_len = (inner.len() + 16) as u16;
    let vxlan = [8, 0, 0, 0, 0, 0, 42, 0];
    let udp = [&50_000_u16.to_be_bytes()[..], &4789_u16.to_be_bytes(), &udp_len.to_be_bytes(), &[0, 0]].concat();
    frame.bytes = [&MACS[..], &[8, 0], &ipv4(17, udp_len), &udp, &vxlan, &inner].concat();
}

/// Puts the packet of an Ethernet frame into GRE over IPv4 (RFC 2784).
pub fn in_gre(frame: &mut Taken) {
    let inner = frame.bytes.split_off(14);
    let gre = [0, 0, frame.bytes[12], frame.bytes[13]];
    frame.bytes = [&MACS[..], &[8, 0], &ipv4(47, (inner.len() + 4) as u16), &gre, &inner].concat();
}

/// An IPv4 header from one tunnel's end to the other; a checksum of zero is not looked at.
fn ipv4(protocol: u8, payload: u16) -> Vec<u8> {
    let len = (payload + 20).to_be_bytes();
    [&[0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0][..], &[192, 0, 2, 1], &[192, 0, 2, 2]].concat()
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
