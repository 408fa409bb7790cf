//! Servers of files and sources: rsync, Git, Subversion, CVS. Each says who it is in its first line.

use crate::identify::wire::{Held, begins, hold, may_begin, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Side;

use super::talk::Talk;
use super::{Appetite, Known, Look, Over, Piece, Reader, Said, Strength};

/// The daemon of rsync: both sides begin with a line of its name and version (rsync's `csprotocol.txt`).
pub static RSYNC: Known = Known {
    name: "rsync",
    over: Over::Streams,
    ask: |_, bytes| Look::word(bytes, b"@RSYNCD: ", "rsync greeting"),
    answer: None,
    strength: Strength::Magic,
    reader: || Box::<Modules>::default(),
};

/// Git's own daemon: a counted line with the service that is asked for (git's `protocol-pack`, "Git Transport").
pub static GIT: Known = Known {
    name: "git",
    over: Over::Streams,
    ask: |_, bytes| {
        let Some((digits, rest)) = bytes.split_first_chunk::<4>() else {
            return if bytes.iter().all(u8::is_ascii_hexdigit) { Look::Short } else { Look::No };
        };
        match digits.iter().all(u8::is_ascii_hexdigit) && may_begin(rest, b"git-") {
            true if GIT_SERVICES.iter().any(|service| begins(rest, service)) => Look::Yes(0, 12, "Git service request"),
            true if GIT_SERVICES.iter().any(|service| may_begin(rest, service)) => Look::Short,
            _ => Look::No,
        }
    },
    answer: Some(|_, bytes| match bytes.first_chunk::<4>() {
        Some(digits) => Look::when(digits.iter().all(u8::is_ascii_hexdigit), 4, "Git packet line").weak(),
        None if bytes.iter().all(u8::is_ascii_hexdigit) => Look::Short,
        None => Look::No,
    }),
    strength: Strength::Magic,
    reader: || Box::<Repository>::default(),
};

/// Subversion's own daemon: the server greets with a list that says success and its versions (Subversion's `libsvn_ra_svn/protocol`).
pub static SVN: Known = Known {
    name: "svn",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [b'(', b' ', b'1'..=b'9', b' ', b'(', ..] => Look::Weak(0, 5, "Subversion client's greeting"),
        [b'('] | [b'(', b' '] | [b'(', b' ', b'1'..=b'9'] | [b'(', b' ', b'1'..=b'9', b' '] => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| Look::word(bytes, b"( success ( ", "Subversion greeting")),
    strength: Strength::Magic,
    reader: || Box::<Lists>::default(),
};

/// The password server of CVS (CVS client/server protocol, "Connecting and Authentication").
pub static CVS: Known = Known {
    name: "cvs",
    over: Over::Streams,
    ask: |_, bytes| {
        let looks = [b"BEGIN AUTH REQUEST\n".as_slice(), b"BEGIN VERIFICATION REQUEST\n"].map(|line| Look::word(bytes, line, "CVS login"));
        if looks.contains(&Look::Short) { Look::Short } else { looks.into_iter().find(|look| *look != Look::No).unwrap_or(Look::No) }
    },
    answer: Some(|_, bytes| {
        let looks = [b"I LOVE YOU\n".as_slice(), b"I HATE YOU\n", b"E ", b"error "].map(|line| Look::word(bytes, line, "CVS answer"));
        if looks.contains(&Look::Short) { Look::Short } else { looks.into_iter().find(|look| *look != Look::No).map_or(Look::No, Look::weak) }
    }),
    strength: Strength::Magic,
    reader: || Box::<Login>::default(),
};

fn refused(code: u32, text: &[u8], said: &mut Said<'_>) -> Appetite {
    said.say(Fact::answer(AnswerKind::Refused, code, printable(text)));
    Appetite::Full
}

fn accepted(said: &mut Said<'_>) -> Appetite {
    said.say(Fact::answer(AnswerKind::Accepted, 0, "ok"));
    Appetite::Full
}

/// Reads rsync's lines until the module is open, or refused.
#[derive(Debug, Default)]
struct Modules {
    talk: Talk,
    greeted: [bool; 2],
    asked: bool,
}

impl Reader for Modules {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        for (line, _) in self.talk.hear(&piece) {
            let line = line.trim_ascii_end();
            let greeted = std::mem::replace(&mut self.greeted[piece.from as usize], true);
            if self.greeted == [true, true] {
                said.believe(Evidence::BothOpenings);
            }
            match (piece.from, line) {
                _ if !greeted => (),
                (Side::Client, module) if !std::mem::replace(&mut self.asked, true) => said.say(Fact::request("module", &shown(module))),
                // An answer to a challenge names the user and is nobody's business.
                (Side::Client, _) => (),
                (Side::Server, b"@RSYNCD: OK" | b"@RSYNCD: EXIT") => {
                    said.believe(Evidence::Dialogue);
                    return accepted(said);
                }
                (Side::Server, line) => {
                    if let Some(reason) = line.strip_prefix(b"@ERROR: ").or_else(|| line.strip_prefix(b"@ERROR")) {
                        said.believe(Evidence::Dialogue);
                        return refused(0, reason, said);
                    }
                }
            }
        }
        Appetite::Hungry
    }
}

/// Reads what Git's daemon is asked for, and how its answer begins.
#[derive(Debug, Default)]
struct Repository {
    held: [Held; 2],
    asked: bool,
}

impl Reader for Repository {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let held = &mut self.held[piece.from as usize];
        hold(held, piece.bytes, limit::LINE_KEPT);
        let Some((digits, rest)) = held.as_slice().split_first_chunk::<4>() else { return Appetite::Hungry };
        let Some(len) = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok()) else { return Appetite::Full };
        let body = len.saturating_sub(4).min(limit::LINE_KEPT - 4);
        let Some(line) = rest.get(..body) else { return Appetite::Hungry };
        match piece.from {
            Side::Client if !std::mem::replace(&mut self.asked, true) => {
                // The service, a blank, the path, a zero, and the host (git's `protocol-pack`).
                let path = line.split(|byte| *byte == 0).next().unwrap_or_default();
                let at = path.iter().position(|byte| *byte == b' ').unwrap_or(path.len());
                let (service, path) = path.split_at_checked(at).unwrap_or((path, &[]));
                said.say(Fact::request(&shown(service), &shown(path.trim_ascii())));
                Appetite::Hungry
            }
            Side::Client => Appetite::Hungry,
            Side::Server => {
                said.believe(Evidence::Dialogue);
                match line.strip_prefix(b"ERR ") {
                    Some(reason) => refused(0, reason.trim_ascii_end(), said),
                    None => accepted(said),
                }
            }
        }
    }
}

/// Reads Subversion's lists as far as a failure among the first of them.
#[derive(Debug, Default)]
struct Lists {
    held: Held,
    greeted: bool,
    /// Behind the last failure of a login that was told.
    failed: usize,
}

impl Reader for Lists {
    fn held(&self) -> usize {
        self.held.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        if piece.from == Side::Client {
            if !std::mem::replace(&mut self.greeted, true) {
                said.believe(Evidence::BothOpenings);
            }
            return Appetite::Hungry;
        }
        let room = hold(&mut self.held, piece.bytes, limit::MESSAGE_KEPT);
        let bytes = self.held.as_slice();
        // "( failure ( ( code length:message ..." (Subversion's `libsvn_ra_svn/protocol`, section 2).
        let failure = memchr::memmem::find(bytes, FAILURE).and_then(|at| bytes.get(at + FAILURE.len()..));
        if let Some(rest) = failure {
            let mut parts = rest.splitn(3, |byte| matches!(byte, b' ' | b':'));
            let number = |part: Option<&[u8]>| part.and_then(|part| std::str::from_utf8(part).ok()?.parse::<u32>().ok());
            if let (Some(code), Some(len), Some(text)) = (number(parts.next()), number(parts.next()), parts.next()) {
                let len = (len as usize).min(limit::LINE_KEPT);
                if let Some(text) = text.get(..len) {
                    said.believe(Evidence::Dialogue);
                    return refused(code, text, said);
                }
            }
        }
        // A login that fails may be followed by one that does not (`libsvn_ra_svn/protocol`, section 2.1: "failure" with a message alone).
        if let Some((behind, text)) = login_failure(bytes) {
            said.believe(Evidence::Dialogue);
            if behind > std::mem::replace(&mut self.failed, behind) {
                said.say(Fact::answer(AnswerKind::Refused, 0, printable(text)));
            }
            if bytes.get(behind..).is_some_and(|rest| memchr::memmem::find(rest, SUCCESS).is_some()) {
                return accepted(said);
            }
        }
        if room < piece.bytes.len() { Appetite::Full } else { Appetite::Hungry }
    }
}

/// What follows where the last login that failed is told, and why.
fn login_failure(bytes: &[u8]) -> Option<(usize, &[u8])> {
    memchr::memmem::rfind(bytes, LOGIN_FAILURE).and_then(|at| {
        let rest = bytes.get(at + LOGIN_FAILURE.len()..)?;
        let (digits, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b':')?)?;
        let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some((at + LOGIN_FAILURE.len(), rest.get(1..)?.get(..len.min(limit::LINE_KEPT))?))
    })
}

/// Reads how CVS takes a login.
#[derive(Debug, Default)]
struct Login {
    talk: Talk,
}

impl Reader for Login {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        // What is missing may have been the answer; errors that follow it are everyday.
        if piece.from == Side::Server && piece.missing > 0 {
            return Appetite::Full;
        }
        for (line, _) in self.talk.hear(&piece) {
            if piece.from == Side::Client {
                continue;
            }
            said.believe(Evidence::Dialogue);
            return match &*line {
                b"I LOVE YOU" => accepted(said),
                // The reason comes before, or is none of the client's business.
                other => refused(0, other.strip_prefix(b"error ").or_else(|| other.strip_prefix(b"E ")).unwrap_or(other), said),
            };
        }
        Appetite::Hungry
    }
}

const GIT_SERVICES: &[&[u8]] = &[b"git-upload-pack ", b"git-receive-pack ", b"git-upload-archive "];
const FAILURE: &[u8] = b"( failure ( ( ";
const LOGIN_FAILURE: &[u8] = b"( failure ( ";
const SUCCESS: &[u8] = b"( success ( ) ) ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::Protocol;
    use crate::identify::protocol::testing::{Heard, decide, evidence, prefixes_never_match_anything_else, read, read_torn, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    type Dialogue<'a> = &'a [(Side, &'a [u8])];

    fn heard(protocol: &dyn Protocol, dialogue: Dialogue<'_>) -> Heard {
        survives(protocol, Transport::TCP, 50_001, dialogue);
        read(protocol, Transport::TCP, 50_001, dialogue)
    }

    fn refusal(code: u32, text: &str) -> Fact {
        Fact::answer(AnswerKind::Refused, code, text)
    }

    #[test]
    fn rsync_tells_the_module_and_why_it_is_not_to_be_had() {
        let greeting: &[u8] = b"@RSYNCD: 31.0\n";
        assert_eq!(evidence(decide(&RSYNC, Transport::TCP, 50_001, b"", greeting)), Evidence::OneOpening);
        assert_eq!(evidence(decide(&RSYNC, Transport::TCP, 50_001, greeting, greeting)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&RSYNC, Transport::TCP, 873, b"@RSYNC", b"")), Evidence::None);
        let open: Dialogue<'_> = &[(Server, greeting), (Client, greeting), (Client, b"pub\n"), (Server, b"welcome\n@RSYNCD: OK\n")];
        let served = heard(&RSYNC, open);
        assert!(served.says(&Fact::request("module", "pub")) && served.evidence == Evidence::Dialogue);
        assert!(!served.facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, .. })));
        let login: Dialogue<'_> = &[
            (Server, greeting),
            (Client, greeting),
            (Client, b"sec\n"),
            (Server, b"@RSYNCD: AUTHREQD xyz\n"),
            (Client, b"bu hash\n"),
            (Server, b"@ERROR: auth failed on module sec\n"),
        ];
        let told = heard(&RSYNC, login);
        assert!(told.says(&refusal(0, "auth failed on module sec")) && !told.says(&Fact::request("module", "bu hash")));
        prefixes_never_match_anything_else("rsync", Transport::TCP, greeting, greeting);
    }

    #[test]
    fn git_tells_the_repository_and_an_error() {
        let ask: &[u8] = b"0027git-upload-pack /g.git\0host=example\0";
        assert_eq!(evidence(decide(&GIT, Transport::TCP, 50_001, ask, b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&GIT, Transport::TCP, 50_001, ask, b"003eabc")), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&GIT, Transport::TCP, 9418, b"0027git-", b"")), Evidence::None);
        let told = heard(&GIT, &[(Client, ask), (Server, b"0013ERR not found\n\n")]);
        assert!(told.says(&Fact::request("git-upload-pack", "/g.git")) && told.says(&refusal(0, "not found")));
        let served = heard(&GIT, &[(Client, ask), (Server, b"0008abcd0000")]);
        assert!(served.says(&Fact::answer(AnswerKind::Accepted, 0, "ok")));
        prefixes_never_match_anything_else("git", Transport::TCP, ask, b"");
    }

    #[test]
    fn subversion_greets_and_tells_a_failure() {
        let greeting: &[u8] = b"( success ( 2 2 ( ) ( edit-pipeline svndiff1 ) ) ) ";
        let client: &[u8] = b"( 2 ( edit-pipeline svndiff1 ) 18:svn://example/none ( ) ) ";
        assert_eq!(evidence(decide(&SVN, Transport::TCP, 50_001, b"", greeting)), Evidence::OneOpening);
        assert_eq!(evidence(decide(&SVN, Transport::TCP, 50_001, client, greeting)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&SVN, Transport::TCP, 3690, client, b"")), Evidence::None);
        let told = heard(&SVN, &[(Server, greeting), (Client, client), (Server, b"( failure ( ( 210005 7:no repo 0: 0 ) ) ) ")]);
        assert!(told.says(&refusal(210_005, "no repo")));
        prefixes_never_match_anything_else("svn", Transport::TCP, client, greeting);
    }

    // svnserve 1.14 to a client that wants to commit with a wrong password, after a login without a name
    #[test]
    fn subversion_refuses_a_later_login_or_takes_one() {
        let greeting: &[u8] = b"( success ( 2 2 ( ) ( edit-pipeline svndiff1 ) ) ) ";
        let client: &[u8] = b"( 2 ( edit-pipeline svndiff1 ) 18:svn://example/none ( ) ) ";
        let wrong: &[u8] = b"( success ( ) ) ( success ( ( CRAM-MD5 ) 1:x ) ) ( step ( 3:<1> ) ) ( failure ( 18:Password incorrect ) ) ";
        let told = heard(&SVN, &[(Server, greeting), (Client, client), (Server, wrong)]);
        assert!(told.says(&refusal(0, "Password incorrect")) && told.evidence == Evidence::Dialogue);
        let again: Dialogue<'_> = &[(Server, greeting), (Client, client), (Server, wrong), (Server, b"( step ( 3:<2> ) ) ( success ( ) ) ")];
        assert!(heard(&SVN, again).says(&Fact::answer(AnswerKind::Accepted, 0, "ok")));
    }

    #[test]
    fn cvs_loves_or_hates_whoever_logs_in() {
        let ask: &[u8] = b"BEGIN AUTH REQUEST\n/cvsr\nbu\nAy=0=h\nEND AUTH REQUEST\n";
        assert_eq!(evidence(decide(&CVS, Transport::TCP, 50_001, ask, b"I LOVE YOU\n")), Evidence::BothOpenings);
        let told = heard(&CVS, &[(Client, ask), (Server, b"I HATE YOU\n")]);
        assert!(told.says(&refusal(0, "I HATE YOU")));
        let torn = read_torn(&CVS, Transport::TCP, 2401, &[(Client, 0, ask), (Server, 11, b"E cvs rls: listing\nok\n")]);
        assert!(torn.facts.is_empty());
        let told = heard(&CVS, &[(Client, ask), (Server, b"error 0 root not allowed\n")]);
        assert!(told.says(&refusal(0, "0 root not allowed")));
        prefixes_never_match_anything_else("cvs", Transport::TCP, ask, b"I HATE YOU\n");
    }
}
