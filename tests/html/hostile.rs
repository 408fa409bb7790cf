//! A capture whose every string is markup that would run a script: SNI, Host, DNS names, certificate fields, paths, banners, comments, interface and file names.

use std::path::{Path, PathBuf};

use crate::packets::{Opens, Speaker, Turns, Wire};

/// What would run if it were not escaped.
pub const MARKUP: &str = "\"'><script>window.pwned=1</script><img src=x onerror=window.pwned=1>";
/// The same as a name can hold it: names have no blanks, and a label ends after 63 bytes.
pub const NAME: &str = "\"><svg/onload=window.pwned=1>.<script>window.pwned=1</script>.example";

/// Writes the captures into a folder.
pub fn captures(folder: &Path) -> Vec<PathBuf> {
    let named = folder.join("'\"><img src=x onerror=window.pwned=1>.pcap");
    let noted = folder.join("noted.pcapng");
    std::fs::write(&named, traffic()).unwrap();
    std::fs::write(&noted, notes()).unwrap();
    vec![named, noted]
}

fn traffic() -> Vec<u8> {
    let mut wire = Wire::default();
    let opens =
        |tcp, number: u8, client_port, server_port| Opens { client: [10, 1, 0, 2].into(), server: [203, 0, 113, number].into(), tcp, client_port, server_port };
    wire.exchange(&opens(false, 53, 40_000, 53), &dns());
    for (number, port) in [(10, 443), (10, 8443), (11, 8883)] {
        wire.exchange(&opens(true, number, 41_000 + port, port), &tls());
    }
    for (number, port) in [(12, 80), (13, 8080)] {
        wire.exchange(&opens(true, number, 42_000, port), &http());
    }
    let banner = [(Speaker::Server, format!("SSH-2.0-{MARKUP}\r\n")), (Speaker::Client, format!("SSH-2.0-{MARKUP}\r\n"))];
    wire.exchange(&opens(true, 14, 43_000, 22), &banner.map(|(speaker, text)| (speaker, text.into_bytes())));
    let noise = [(Speaker::Client, MARKUP.as_bytes().to_vec()), (Speaker::Server, MARKUP.as_bytes().to_vec())];
    wire.exchange(&opens(true, 15, 44_000, 7_777), &noise);
    wire.pcap()
}

/// A question and its answer, each label as it stands (RFC 1035 section 3.1 lets it hold any byte).
fn dns() -> Turns {
    let mut name: Vec<u8> = Vec::new();
    for label in NAME.split('.') {
        name.push(u8::try_from(label.len()).unwrap());
        name.extend(label.as_bytes());
    }
    name.push(0);
    let message = |flags: [u8; 2], answers: u8, rest: &[u8]| {
        let header = [&[0x12, 0x34], flags.as_slice(), &[0, 1, 0, answers, 0, 0, 0, 0]].concat();
        [header, name.clone(), vec![0, 1, 0, 1], rest.to_vec()].concat()
    };
    let address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 15];
    vec![(Speaker::Client, message([1, 0], 0, &[])), (Speaker::Server, message([0x81, 0x80], 1, &address))]
}

fn http() -> Turns {
    let request = format!("GET /{MARKUP}?q={MARKUP} HTTP/1.1\r\nHost: {NAME}\r\nUser-Agent: {MARKUP}\r\nAccept: */*\r\n\r\n");
    let answer = format!("HTTP/1.1 200 {MARKUP}\r\nServer: {MARKUP}\r\nContent-Length: 0\r\n\r\n");
    vec![(Speaker::Client, request.into_bytes()), (Speaker::Server, answer.into_bytes())]
}

/// TLS 1.2 as far as the certificate (RFC 5246 sections 6.2.1 and 7.4).
fn tls() -> Turns {
    let name = [&[0_u8][..], &two(NAME.len()), NAME.as_bytes()].concat();
    let list = [&two(name.len())[..], &name].concat();
    let extension = [&[0, 0][..], &two(list.len()), &list].concat();
    let hello = [&[3, 3][..], &[7; 32], &[0], &two(2), &[0xc0, 0x2f], &[1, 0], &two(extension.len()), &extension].concat();
    let server_hello = [&[3, 3][..], &[8; 32], &[0], &[0xc0, 0x2f], &[0]].concat();
    let certificate = certificate();
    let chain = [&three(certificate.len())[..], &certificate].concat();
    let chain = [&three(chain.len())[..], &chain].concat();
    let answer = [handshake(2, &server_hello), handshake(11, &chain), handshake(14, &[])].concat();
    vec![(Speaker::Client, record(&handshake(1, &hello))), (Speaker::Server, record(&answer))]
}

fn record(content: &[u8]) -> Vec<u8> {
    [&[22, 3, 3][..], &two(content.len()), content].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &three(body.len()), body].concat()
}

/// X.509 in DER (RFC 5280 section 4.1), its key and signature of no use.
fn certificate() -> Vec<u8> {
    let algorithm = der(0x30, &der(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let attribute = |kind: u8, text: &str| der(0x31, &der(0x30, &[der(0x06, &[0x55, 4, kind]), der(0x0c, text.as_bytes())].concat()));
    let called = der(0x30, &[attribute(10, MARKUP), attribute(3, NAME)].concat());
    let valid = der(0x30, &[der(0x17, b"260101000000Z"), der(0x17, b"270101000000Z")].concat());
    let alternatives = der(0x30, &der(0x82, NAME.as_bytes()));
    let extensions = der(0xa3, &der(0x30, &der(0x30, &[der(0x06, &[0x55, 0x1d, 0x11]), der(0x04, &alternatives)].concat())));
    let key = der(0x30, &[algorithm.clone(), der(0x03, &[0, 1, 2, 3])].concat());
    let version = der(0xa0, &der(0x02, &[2]));
    let signed = der(0x30, &[version, der(0x02, &[1]), algorithm.clone(), called.clone(), valid, called, key, extensions].concat());
    der(0x30, &[signed, algorithm, der(0x03, &[0, 9, 9, 9])].concat())
}

/// Tag, length, value (X.690 section 8.1).
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..=127 => vec![u8::try_from(short).unwrap()],
        long => [&[0x82][..], &two(long)].concat(),
    };
    [&[tag][..], &length, value].concat()
}

fn two(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn three(number: usize) -> [u8; 3] {
    let [_, rest @ ..] = u32::try_from(number).unwrap().to_be_bytes();
    rest
}

/// A pcapng section (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3) with a comment, an interface whose name and filter are markup, and one empty packet with a comment.
fn notes() -> Vec<u8> {
    let end = option(0, &[]);
    let section =
        block(0x0a0d_0d0a, &[0x1a2b_3c4d_u32.to_le_bytes().to_vec(), vec![1, 0, 0, 0], vec![0xff; 8], option(1, MARKUP.as_bytes()), end.clone()].concat());
    let filter = [&[0][..], MARKUP.as_bytes()].concat();
    let interface = block(1, &[vec![1, 0, 0, 0, 0, 0, 4, 0], option(2, MARKUP.as_bytes()), option(11, &filter), end.clone()].concat());
    let packet = block(6, &[vec![0; 4], vec![0, 0, 6, 0], vec![0; 4], vec![0; 4], vec![0; 4], option(1, MARKUP.as_bytes()), end].concat());
    [section, interface, packet].concat()
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// An option, filled up to 32 bits. A block ends its list of options (section 3.5).
fn option(code: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_le_bytes();
    let fill = vec![0; value.len().wrapping_neg() % 4];
    [&[code, 0][..], &length, value, &fill].concat()
}
