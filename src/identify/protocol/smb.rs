//! SMB: the dialect, whether a login and a share are refused, and the pipes in which DCE/RPC travels (MS-SMB2, MS-CIFS).

use crate::identify::wire::{Cursor, Length, Messages, may_begin};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a session header and one of SMB's four signatures (MS-SMB2 2.1, MS-CIFS 2.2.3.1).
pub static SMB: Known = Known { name: "smb", over: Over::Streams, ask: smb, answer: None, strength: Strength::Magic, reader: || Box::<Session>::default() };

fn smb(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [0, _, _, _, 0xfc..=0xff, b'S', b'M', b'B', ..] => Look::Yes(4, 4, "SMB signature"),
        [0, rest @ ..]
            if rest.len() < 7
                && rest.get(3..).is_none_or(|magic| {
                    magic.is_empty() || matches!(magic.first(), Some(0xfc..=0xff)) && may_begin(magic.get(1..).unwrap_or_default(), b"SMB")
                }) =>
        {
            Look::Short
        }
        _ => Look::No,
    }
}

fn length(bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be32() {
        Some(len) if len >> 24 == 0 || len >> 24 == 0x85 => Length::Is(u64::from(len & 0x00ff_ffff) + 4),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// Reads the beginning of a connection: what follows within it is bulk.
#[derive(Debug, Default)]
struct Session {
    streams: [Messages; 2],
    /// A login was accepted: that alone serves who wants no share.
    let_in: bool,
    /// A share was refused.
    shut_out: bool,
}

impl Reader for Session {
    fn held(&self) -> usize {
        self.streams.iter().map(Messages::held).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return self.full(said);
        }
        let mut rest = piece.bytes;
        while let Some(message) = self.streams[piece.from as usize].next(&mut rest, length) {
            if self.message(&piece, &message, said).is_none() {
                return self.full(said);
            }
        }
        if self.streams[piece.from as usize].is_broken() { self.full(said) } else { Appetite::Hungry }
    }

    fn finish(&self, said: &mut Said<'_>) {
        // A share may be refused to whoever was let in.
        if self.let_in && !self.shut_out {
            said.say(Fact::answer(AnswerKind::Accepted, 0, SUCCESS));
        }
    }
}

impl Session {
    fn full(&self, said: &mut Said<'_>) -> Appetite {
        self.finish(said);
        Appetite::Full
    }

    /// Reads a message; none where no more are of use.
    fn message(&mut self, piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Option<()> {
        if carries_dcerpc(bytes) {
            said.say(Fact::Inner("dcerpc"));
        }
        if piece.offset > limit::SMB_PIPES_WITHIN {
            return None;
        }
        if piece.from == Side::Client || bytes.len() < 8 {
            return Some(());
        }
        said.believe(Evidence::Dialogue);
        let mut at = Cursor::new(bytes.get(8..).unwrap_or_default());
        match bytes.get(4) {
            Some(0xff) => {
                let command = at.u8();
                // Of the dialects that the client offered in SMB 1 the server takes none: one word, the index 0xffff (MS-CIFS 2.2.4.52.2).
                if command == Some(0x72) && bytes.get(36..39) == Some(&[1, 0xff, 0xff]) {
                    said.say(Fact::answer(AnswerKind::Refused, 0, "none of the dialects that the client offers"));
                    return None;
                }
                let status = at.le32()?;
                self.answer(Step::of_smb1(command?, status == 0 && opens_pipe_of_smb1(bytes)), status, said)
            }
            Some(0xfe) => {
                at.take(4);
                let (status, command) = (at.le32()?, at.le16()?);
                if command == 0 {
                    tell_dialect(bytes, said);
                }
                // The kind of share: a pipe is what every client opens first, for itself (MS-SMB2 2.2.10).
                let opens_pipe = status == 0 && bytes.get(4 + 64 + 2) == Some(&PIPE);
                self.answer(Step::of_smb2(command, opens_pipe), status, said)
            }
            Some(0xfd) => {
                said.say(Fact::Encrypted);
                None
            }
            _ => None,
        }
    }

    fn answer(&mut self, step: Step, status: u32, said: &mut Said<'_>) -> Option<()> {
        let kind = match (step, status) {
            (Step::Login, 0) => {
                self.let_in = true;
                return Some(());
            }
            (Step::Share, 0) => AnswerKind::Accepted,
            // More processing required: the login goes on.
            (Step::Other, _) | (_, MORE_PROCESSING) => return Some(()),
            (_, code) if code >> 30 == 3 => AnswerKind::Refused,
            _ => return Some(()),
        };
        self.shut_out |= step == Step::Share;
        let text: Box<str> = if status == 0 { SUCCESS.into() } else { format!("{}{status:#010x}", status_name(status)).into() };
        said.say(Fact::answer(kind, status, text));
        // Who is refused may try again, by another name or by none, in the same connection (MS-SMB2 3.2.4.2.3).
        Some(())
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Login,
    /// A share that holds something, or that is refused.
    Share,
    Other,
}

impl Step {
    /// Session setup and tree connect (MS-CIFS 2.2.4.53, 2.2.4.55).
    const fn of_smb1(command: u8, opens_pipe: bool) -> Self {
        match command {
            0x73 => Self::Login,
            0x75 if !opens_pipe => Self::Share,
            _ => Self::Other,
        }
    }

    /// The same of SMB 2 (MS-SMB2 2.2.1.2).
    const fn of_smb2(command: u16, opens_pipe: bool) -> Self {
        match command {
            1 => Self::Login,
            3 if !opens_pipe => Self::Share,
            _ => Self::Other,
        }
    }
}

/// Whether the answer to a tree connect names the share of pipes: behind the words, which are counted, and a length the kind of share as a text (MS-CIFS 2.2.4.55.2).
fn opens_pipe_of_smb1(bytes: &[u8]) -> bool {
    let words = bytes.get(4 + 32).map_or(0, |words| usize::from(*words) * 2);
    bytes.get(4 + 33 + words + 2..).is_some_and(|text| text.starts_with(b"IPC\0"))
}

/// A DCE/RPC bind or request through a named pipe, little endian, first and last fragment.
fn carries_dcerpc(bytes: &[u8]) -> bool {
    let before = |at: usize| at.checked_sub(3).and_then(|from| bytes.get(from..at));
    memchr::memmem::find_iter(bytes, &[3, 0x10, 0, 0, 0]).any(|at| matches!(before(at), Some([5, 0, 0 | 11])))
}

fn tell_dialect(bytes: &[u8], said: &mut Said<'_>) {
    let dialect = bytes.get(4 + 64 + 4..).and_then(|body| Cursor::new(body).le16());
    if let Some(dialect) = dialect.filter(|dialect| *dialect != 0x02ff) {
        said.detail("smb", "dialect", format!("{}.{}.{}", dialect >> 8, dialect >> 4 & 15, dialect & 15));
    }
}

/// MS-ERREF 2.3.1, those by which logins and shares are refused; a blank behind each.
const fn status_name(status: u32) -> &'static str {
    match status {
        0xc000_0022 => "STATUS_ACCESS_DENIED ",
        0xc000_005e => "STATUS_NO_LOGON_SERVERS ",
        0xc000_0064 => "STATUS_NO_SUCH_USER ",
        0xc000_006a => "STATUS_WRONG_PASSWORD ",
        0xc000_006d => "STATUS_LOGON_FAILURE ",
        0xc000_006e => "STATUS_ACCOUNT_RESTRICTION ",
        0xc000_006f => "STATUS_INVALID_LOGON_HOURS ",
        0xc000_0070 => "STATUS_INVALID_WORKSTATION ",
        0xc000_0071 => "STATUS_PASSWORD_EXPIRED ",
        0xc000_0072 => "STATUS_ACCOUNT_DISABLED ",
        0xc000_00bb => "STATUS_NOT_SUPPORTED ",
        0xc000_00ca => "STATUS_NETWORK_ACCESS_DENIED ",
        0xc000_00cc => "STATUS_BAD_NETWORK_NAME ",
        0xc000_00d0 => "STATUS_REQUEST_NOT_ACCEPTED ",
        0xc000_015b => "STATUS_LOGON_TYPE_NOT_GRANTED ",
        0xc000_018d => "STATUS_TRUSTED_RELATIONSHIP_FAILURE ",
        0xc000_0193 => "STATUS_ACCOUNT_EXPIRED ",
        0xc000_0224 => "STATUS_PASSWORD_MUST_CHANGE ",
        0xc000_0234 => "STATUS_ACCOUNT_LOCKED_OUT ",
        _ => "NTSTATUS ",
    }
}

const MORE_PROCESSING: u32 = 0xc000_0016;
const PIPE: u8 = 2;
const SUCCESS: &str = "success";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// Header of SMB 2 (MS-SMB2 2.2.1.2) with this command and status, and a body of 16 bytes that begins like this, behind the length of both.
    fn two(status: u32, command: u16, body: &str) -> Vec<u8> {
        let (head, mut body) = (hex("00000050 fe534d42 4000 0000"), hex(body));
        body.resize(16, 0);
        [head, status.to_le_bytes().to_vec(), command.to_le_bytes().to_vec(), vec![0; 50], body].concat()
    }

    fn kinds(answers: &[Vec<u8>]) -> Vec<(AnswerKind, String)> {
        let ask = two(0, 1, "1900");
        let dialogue: Vec<(Side, &[u8])> = answers.iter().flat_map(|answer| [(Client, &ask[..]), (Server, &answer[..])]).collect();
        survives(&SMB, Transport::TCP, 445, &dialogue);
        let heard = read(&SMB, Transport::TCP, 445, &dialogue).facts;
        heard.iter().filter_map(|fact| if let Fact::Answer { kind, text, .. } = fact { Some((*kind, text.to_string())) } else { None }).collect()
    }

    // Samba 4.17 to smbclient -m NT1, after the negotiation of SMB 1 alone
    #[test]
    fn a_server_that_takes_no_dialect_of_smb_1_refuses() {
        let ask =
            hex("0000003e ff534d4272000000001843c80000000000000000000000000000feff00000000 00 1b00 024e54204c414e4d414e20312e3000024e54204c4d20302e313200");
        let answer = |index: &str| hex(&format!("00000025 ff534d4272000000008803c00000000000000000000000000000feff00000000 01 {index} 0000"));
        let refused = Fact::answer(AnswerKind::Refused, 0, "none of the dialects that the client offers");
        assert_eq!(read(&SMB, Transport::TCP, 445, &[(Client, &ask), (Server, &answer("ffff"))]).facts, [refused]);
        assert!(read(&SMB, Transport::TCP, 445, &[(Client, &ask), (Server, &answer("0100"))]).facts.is_empty());
        survives(&SMB, Transport::TCP, 445, &[(Client, &ask), (Server, &answer("ffff"))]);
    }

    // smbclient -N to Samba: its own name is refused, then nobody's is let in
    #[test]
    fn a_second_login_in_the_same_connection_may_be_accepted() {
        let told = kinds(&[two(0xc000_0016, 1, "0900"), two(0xc000_006d, 1, "0900"), two(0, 1, "0900")]);
        assert_eq!(told, [(AnswerKind::Refused, "STATUS_LOGON_FAILURE 0xc000006d".into()), (AnswerKind::Accepted, "success".into())]);
    }

    // smbclient to Samba: a pipe for itself first, whose lookup of a path is refused, then the share; MS-SMB2 2.2.10: share types 1 disk, 2 pipe
    #[test]
    fn a_share_is_refused_to_who_was_let_in() {
        let let_in = || vec![two(0, 1, "0900"), two(0, 3, "1000 0200"), two(0xc000_0225, 11, "0900")];
        let denied = kinds(&[let_in(), vec![two(0xc000_0022, 3, "0900")]].concat());
        assert_eq!(denied, [(AnswerKind::Refused, "STATUS_ACCESS_DENIED 0xc0000022".into())]);
        let unknown = kinds(&[let_in(), vec![two(0xc000_00cc, 3, "0900")]].concat());
        assert_eq!(unknown, [(AnswerKind::Refused, "STATUS_BAD_NETWORK_NAME 0xc00000cc".into())]);
        // One that another share was opened to is served.
        let served = kinds(&[let_in(), vec![two(0xc000_0022, 3, "0900"), two(0, 3, "1000 0100")]].concat());
        assert_eq!(served.last(), Some(&(AnswerKind::Accepted, "success".into())));
        assert_eq!(kinds(&let_in()), [(AnswerKind::Accepted, "success".into())]);
    }

    // MS-CIFS 2.2.4.55.2: three words (no command behind, its place, options), a length, the kind of share
    #[test]
    fn a_share_of_smb_1_is_refused_until_another_is_opened() {
        let one = |status: &str, command: &str, service: &str| {
            let body =
                [hex(&format!("ff534d42 {command} {status} 00000000000000000000000000000000000000000000 00")), hex("03 ff00 0000 0000 0500"), service.into()]
                    .concat();
            [&(body.len() as u32).to_be_bytes()[..], &body].concat()
        };
        let (let_in, pipe) = (|| one("00000000", "73", ""), || one("00000000", "75", "IPC\0"));
        let refused = kinds(&[let_in(), pipe(), one("cc0000c0", "75", "")]);
        assert_eq!(refused, [(AnswerKind::Refused, "STATUS_BAD_NETWORK_NAME 0xc00000cc".into())]);
        let served = kinds(&[let_in(), pipe(), one("cc0000c0", "75", ""), one("00000000", "75", "A:\0")]);
        assert_eq!(served.last(), Some(&(AnswerKind::Accepted, "success".into())));
    }

    #[test]
    fn smb_is_told_by_its_signature_and_refuses_logins() {
        let (ask, refused) = (two(0, 1, "1900"), two(0xc000_006d, 1, "0900"));
        let dialogue: &[(Side, &[u8])] = &[(Client, &ask), (Server, &refused)];
        assert_eq!(evidence(decide(&SMB, Transport::TCP, 445, &ask, &refused)), Evidence::BothOpenings);
        let facts = read(&SMB, Transport::TCP, 445, dialogue).facts;
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, code: 0xc000_006d, .. })));
        assert_eq!(evidence(decide(&SMB, Transport::TCP, 445, &hex("00000040 fe534d43 40"), &[])), Evidence::None);
    }

    #[test]
    fn a_request_through_a_pipe_that_was_bound_before_names_dcerpc() {
        // SMB_COM_TRANSACTION to \\PIPE\\ with a DCE/RPC request, as in Zeek's "mapi".
        let body = [hex("ff534d42 25 00000000 18 0380 ed80 000000000000 0000 0e18 8063 03e8 40b1 10 00"), hex("05000003 10000000 9001 2000 98000000")].concat();
        let ask = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
        assert!(read(&SMB, Transport::TCP, 139, &[(Client, &ask)]).facts.contains(&Fact::Inner("dcerpc")));
    }
}
