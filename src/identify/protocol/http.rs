//! HTTP/1 (RFC 9112), and what is told apart by its methods and headers: WebDAV, SOAP, UPnP, JSON-RPC, WebSocket, proxies.

use smallvec::SmallVec;

use crate::identify::wire::{Held, begins, host_name_of, host_of_url, printable_text, shown_text};

use super::http_body::{Asked, Body, BodyKind, Messages, is_json_rpc};
use super::http_head::{Fields, First, Head, head_end};
use super::http_opening::{Look, is_document, is_request, is_status, later, line_len, look};
use super::upnp;
use super::websocket::WebSocket;
use super::{Appetite, Evidence, Fact, Hit, NameSource, Opening, Piece, Probe, Protocol, Reader, Said, Side, Strength, Transport, Waiting};
use crate::identify::{ANOTHER_PROTOCOL, AnswerKind};
use crate::limit;

/// HTTP/1.0 and HTTP/1.1.
#[derive(Debug)]
pub struct Http;

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::TCP]
    }

    fn strength(&self) -> Strength {
        Strength::Text
    }

    /// A request line of which the end was never seen.
    fn is_told_late(&self) -> bool {
        true
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let sides = [Side::Client, Side::Server].map(|side| (side, look(opening.side(side), opening.complete)));
        let says = |wanted: Look| sides.iter().find(|(_, seen)| *seen == wanted).map(|(side, _)| *side);
        let found = |side: Side, evidence, len, rule, client| Probe::Found { evidence, hit: Hit { side, offset: 0, len, rule }, client: Some(client) };
        match (says(Look::Request), says(Look::Response)) {
            (Some(client), Some(server)) if client != server => found(client, Evidence::BothOpenings, line_len(opening.side(client)), REQUEST, client),
            (Some(client), _) => found(client, Evidence::OneOpening, line_len(opening.side(client)), REQUEST, client),
            (None, Some(server)) => found(server, Evidence::OneOpening, 13, RESPONSE, server.other()),
            (None, None) if says(Look::Simple) == Some(Side::Client) => match opening.server {
                [] if !opening.complete => Probe::NeedMore,
                document if is_document(document) => found(Side::Client, Evidence::BothOpenings, line_len(opening.client), SIMPLE, Side::Client),
                _ => Probe::NotForUs,
            },
            (None, None) if opening.midstream => later(opening),
            // Whatever the client said: a status line alone shows the server.
            _ if sides.iter().any(|(_, seen)| *seen == Look::Short) && !opening.complete => Probe::NeedMore,
            _ => Probe::NotForUs,
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<HttpReader>::default()
    }
}

/// Reads the heads of requests and responses and passes their bodies.
#[derive(Default)]
struct HttpReader {
    sides: [Messages; 2],
    /// What was asked and is not answered yet.
    asked: SmallVec<[Asked; 1]>,
    /// The server's own header fields were told.
    own_told: bool,
    messages: u16,
    /// Whether requests come from the flow's server.
    reversed: bool,
    /// What reads on after an upgrade.
    socket: Option<Box<WebSocket>>,
}

impl Reader for HttpReader {
    fn held(&self) -> usize {
        let [client, server] = &self.sides;
        self.socket.as_ref().map_or(0, |socket| socket.held()) + client.held() + server.held()
    }

    fn passes(&self, from: Side, missing: u64) -> bool {
        self.socket.is_none() && self.sides[from as usize].has_in_body(missing)
    }

    fn waiting(&self) -> Option<Waiting> {
        let Self { sides: [client, server], asked, own_told, messages, reversed, socket } = self;
        let is_between = socket.is_none() && client.is_between() && server.is_between();
        let marks = [*own_told, *reversed, client.lost, server.lost].iter().rev().fold(0, |marks, mark| marks << 1 | u64::from(*mark));
        let known = Asked::packed(asked).filter(|_| is_between)? | u64::from(*messages) << 16 | marks;
        Some(Waiting { again: |known| Box::new(Self::again(known)), known })
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if let Some(socket) = &mut self.socket {
            return socket.read(piece, said);
        }
        let mut rest = piece.bytes;
        let side = piece.from as usize;
        if self.sides[side].is_inside(&piece) {
            return Appetite::Hungry;
        }
        self.sides[side].miss(piece.missing);
        if self.sides[side].lost {
            if !(is_status(rest) || is_request(rest)) {
                return Appetite::Hungry;
            }
            self.sides[side].lost = false;
        }
        while !rest.is_empty() {
            let body = self.sides[side].body;
            if body != Body::None {
                rest = self.sides[side].pass(rest);
                self.body_is_there(&piece, said);
                continue;
            }
            let (taken, appetite) = self.head(&piece, rest, said);
            rest = rest.get(taken..).unwrap_or_default();
            if appetite != Appetite::Hungry {
                return appetite;
            }
            if let Some(socket) = &mut self.socket {
                return socket.read(Piece { bytes: rest, missing: 0, ..piece }, said);
            }
            if self.sides[side].lost {
                break;
            }
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        let awaits = || !self.asked.is_empty() && self.messages > 0 && self.sides.iter().all(|side| side.is_between() && !side.lost);
        let left = || Messages::unfinished(&self.sides, self.reversed).or_else(|| awaits().then_some(Fact::Awaited));
        if self.socket.is_none() {
            left().into_iter().for_each(|fact| said.say(fact));
        }
    }
}

impl HttpReader {
    /// The reader that knew this between messages.
    fn again(known: u64) -> Self {
        let [own_told, reversed, client_lost, server_lost] = [0, 1, 2, 3].map(|bit| known >> bit & 1 == 1);
        let sides = [client_lost, server_lost].map(|lost| Messages { lost, ..Messages::default() });
        Self { sides, asked: Asked::taken_out(known).into_iter().collect(), own_told, messages: (known >> 16) as u16, reversed, socket: None }
    }

    /// Reads a head that is now whole; says how many bytes belong to it.
    fn head(&mut self, piece: &Piece<'_>, rest: &[u8], said: &mut Said<'_>) -> (usize, Appetite) {
        let side = &mut self.sides[piece.from as usize];
        let before = side.head.len();
        let room = limit::HTTP_HEAD.saturating_sub(before);
        let there = rest.get(..room).unwrap_or(rest);
        // Most heads come whole: they are read where they are.
        if before == 0 {
            let mut head = Head::new();
            if let Some(end) = head.read(there).or_else(|| head_end(there, 0)) {
                return self.whole_head(piece, rest, &head, there.get(..end).unwrap_or(there), end, said);
            }
        }
        side.head.extend_from_slice(there);
        let end = head_end(&side.head, before);
        if end.is_none() && side.head.len() < limit::HTTP_HEAD {
            return (rest.len(), Appetite::Hungry);
        }
        let mut bytes = std::mem::take(&mut side.head);
        let mut head = Head::new();
        let Some(end) = end else {
            side.lost = true;
            head.read(&bytes);
            self.message(piece, &head, piece.offset, said);
            return (rest.len(), Appetite::Hungry);
        };
        bytes.truncate(end);
        head.read(&bytes);
        self.whole_head(piece, rest, &head, &bytes, end.saturating_sub(before), said)
    }

    /// Takes in a head of which the last `taken` bytes are the first of `rest`.
    fn whole_head(&mut self, piece: &Piece<'_>, rest: &[u8], head: &Head<'_>, bytes: &[u8], taken: usize, said: &mut Said<'_>) -> (usize, Appetite) {
        if head.first.is_none() && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return (taken.max(1), Appetite::Hungry);
        }
        let past = piece.bytes.len() - rest.len() + taken;
        (taken, self.message(piece, head, piece.offset.saturating_add(past as u64), said))
    }

    fn message(&mut self, piece: &Piece<'_>, head: &Head<'_>, end: u64, said: &mut Said<'_>) -> Appetite {
        self.messages = self.messages.saturating_add(1);
        let appetite = match head.first {
            Some(First::Response { code, reason }) => self.response(piece.from, code, reason, &head.fields, end, said),
            Some(First::Request { method, target }) => self.request(piece.from, method, target, &head.fields, end, said),
            None => {
                self.sides[piece.from as usize].lost = true;
                Appetite::Hungry
            }
        };
        if self.messages >= limit::HTTP_MESSAGES { Appetite::Full } else { appetite }
    }

    fn request(&mut self, from: Side, method: &str, target: &str, headers: &Fields<'_>, end: u64, said: &mut Said<'_>) -> Appetite {
        self.reversed = from == Side::Server;
        let server = from.other();
        let (host, path) = split_target(method, target);
        said.say(Fact::request(&shown_text(method), &shown_text(path)));
        if let Some(host) = host.or_else(|| headers.text("host")).and_then(host_only).filter(|_| method != "CONNECT") {
            said.named(server, host, NameSource::Host);
        }
        headers.software(&["user-agent"], from, said);
        let kept = headers.classify(method, said);
        let connect = method == "CONNECT";
        let upgrade = headers.text("upgrade").is_some();
        if self.asked.len() < limit::QUESTIONS_OPEN {
            self.asked.push(Asked { head: method == "HEAD", connect, upgrade, end });
        }
        let side = &mut self.sides[from as usize];
        side.body = if connect { Body::ToTheEnd } else { headers.body(Body::None) };
        side.kept = kept.filter(|_| side.body != Body::None).map(|kind| Box::new((kind, Held::new())));
        Appetite::Hungry
    }

    fn response(&mut self, from: Side, code: u16, reason: &str, headers: &Fields<'_>, end: u64, said: &mut Said<'_>) -> Appetite {
        let interim = (100..200).contains(&code) && code != 101;
        let asked = if interim { self.asked.first().copied() } else { (!self.asked.is_empty()).then(|| self.asked.remove(0)) };
        // Who closes behind this answer gives no other (RFC 9112 section 9.6).
        if !interim && !self.asked.is_empty() && headers.has("connection", "close") {
            self.asked.clear();
        }
        said.believe(if asked.is_some() { Evidence::Dialogue } else { Evidence::OneOpening });
        if !interim {
            said.say(Fact::Answer { kind: answer_kind(code), code: u32::from(code), text: printable_text(reason), by: from });
        }
        // A redirection bears a product's name as any answer may; squid's own field says that squid made it up.
        let made_up = code >= 400 || (300..400).contains(&code) && headers.text("x-squid-error").is_some();
        if let Some(mark) = made_up.then(|| headers.proxy_mark()).flatten() {
            said.say(Fact::Proxied { mark });
        }
        if let Some(host) = headers.text("location").and_then(host_of_url).filter(|_| (300..400).contains(&code)) {
            said.say(Fact::SentTo { host });
        }
        headers.software(&["server", "x-powered-by"], from, said);
        if !interim && !std::mem::replace(&mut self.own_told, true) {
            headers.own(from, said);
        }
        if code == 207 || headers.text("dav").is_some() {
            said.say(Fact::Inner("webdav"));
        }
        let hand_over = |asked: Asked| match from {
            Side::Server => Appetite::HandOver { client: asked.end, server: end },
            Side::Client => Appetite::HandOver { client: end, server: asked.end },
        };
        match asked {
            Some(asked) if asked.connect && (200..300).contains(&code) => return hand_over(asked),
            Some(asked) if code == 101 => {
                self.socket = headers.upgraded(said);
                return if self.socket.is_some() { Appetite::Hungry } else { hand_over(asked) };
            }
            Some(asked) if asked.connect => self.sides[from.other() as usize].body = Body::None,
            _ => {}
        }
        let without = interim || matches!(code, 101 | 204 | 304) || asked.is_some_and(|asked| asked.head);
        let side = &mut self.sides[from as usize];
        side.body = if without { Body::None } else { headers.body(Body::ToTheEnd) };
        side.endless = asked.is_none() || matches!(side.body, Body::ChunkSize(..)) && ENDLESS.iter().any(|kind| headers.has("content-type", kind));
        side.kept = (code == 400 && side.body != Body::None).then(|| Box::new((BodyKind::BadRequest, Held::new())));
        Appetite::Hungry
    }

    fn body_is_there(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) {
        let side = &mut self.sides[piece.from as usize];
        let over = side.body == Body::None;
        let wants_tls = |kept: &(BodyKind, Held)| kept.0 == BodyKind::BadRequest && WANT_TLS.iter().any(|words| memchr::memmem::find(&kept.1, words).is_some());
        let Some(kept) = side.kept.take_if(|kept| over || kept.1.len() >= limit::HTTP_BODY || wants_tls(kept)) else { return };
        let (kind, body) = &*kept;
        match kind {
            BodyKind::Upnp => upnp::port_mapping(body, piece, said),
            BodyKind::Json if is_json_rpc(body) => said.say(Fact::Inner("jsonrpc")),
            // The server speaks TLS, and answers what came in clear in its sender's language.
            BodyKind::BadRequest if wants_tls(&kept) => {
                let text = "HTTP/1.1 400, and asks for HTTPS".into();
                said.say(Fact::Answer { kind: AnswerKind::Refused, code: ANOTHER_PROTOCOL, text, by: piece.from });
            }
            BodyKind::Json | BodyKind::BadRequest => {}
        }
    }
}

impl Fields<'_> {
    fn software(&self, names: &[&str], of: Side, said: &mut Said<'_>) {
        for value in names.iter().filter_map(|name| self.text(name)).filter(|value| !value.is_empty()) {
            said.say(Fact::Software { of, text: printable_text(value) });
        }
    }

    /// Fields that a product made up for itself, name and value: documents may know them.
    fn own(&self, of: Side, said: &mut Said<'_>) {
        let made_up = |name: &[u8]| begins(name, b"x-") && !EVERYBODYS.iter().any(|known| begins(name, known.as_bytes()));
        for (name, value) in self.iter().filter(|(name, _)| made_up(name)).take(limit::OWN_HEADERS) {
            let (name, value) = (String::from_utf8_lossy(name).to_ascii_lowercase(), String::from_utf8_lossy(value));
            said.say(Fact::Software { of, text: printable_text(&format!("{name} {}", value.trim())) });
        }
    }

    /// By which fields an answer shows that a proxy or filter made it up itself; only a proxy asks for a login to itself (RFC 9110 section 11.7.1). `Via` alone does not: it stands in what is passed on, too.
    fn proxy_mark(&self) -> Option<Box<str>> {
        let field = |name: &str| self.text(name).map(|value| format!("{name}: {value}"));
        let product = self.text("server").is_some_and(|server| FILTERS.iter().any(|name| server.to_ascii_lowercase().contains(name)));
        let own = field("X-Squid-Error").or_else(|| field("Proxy-Authenticate")).or_else(|| field("Server").filter(|_| product))?;
        let words = [Some(own), field("Via")].into_iter().flatten().collect::<Vec<_>>().join(", ");
        Some(printable_text(&words))
    }

    /// Says which protocol inside HTTP a request belongs to; whether its body is of use.
    fn classify(&self, method: &str, said: &mut Said<'_>) -> Option<BodyKind> {
        if DAV_METHODS.contains(&method) {
            said.say(Fact::Inner("webdav"));
        }
        let action = self.text("soapaction");
        if let Some(action) = action {
            said.detail("soap", "action", printable_text(action.trim_matches('"')));
        }
        if action.is_some_and(|action| action.contains("urn:schemas-upnp-org:")) {
            said.say(Fact::Inner("upnp"));
            return Some(BodyKind::Upnp);
        }
        if self.has("nt", "upnp:event") || (matches!(method, "SUBSCRIBE" | "UNSUBSCRIBE") && (self.has("sid", "uuid:") || self.text("callback").is_some())) {
            said.say(Fact::Inner("upnp"));
        }
        if method != "POST" {
            return None;
        }
        let is_soap = || ["application/soap+xml", "application/soap+msbin", "application/xop+xml"].iter().any(|kind| self.has("content-type", kind));
        if action.is_some() || is_soap() {
            said.say(Fact::Inner("soap"));
        }
        self.has("content-type", "json").then_some(BodyKind::Json)
    }

    /// After 101: a WebSocket, with what it is agreed to carry. None where the bytes themselves will tell.
    fn upgraded(&self, said: &mut Said<'_>) -> Option<Box<WebSocket>> {
        self.has("upgrade", "websocket").then(|| Box::new(WebSocket::of(self.text("sec-websocket-protocol").unwrap_or_default(), said)))
    }

    /// RFC 9112 section 6.3; `otherwise` where neither field is there.
    fn body(&self, otherwise: Body) -> Body {
        if self.has("transfer-encoding", "chunked") {
            return Body::ChunkSize(0, false);
        }
        match self.text("content-length").map(str::parse) {
            Some(Ok(0)) => Body::None,
            Some(Ok(len)) => Body::Left(len),
            _ => otherwise,
        }
    }
}

/// Host of an absolute target, and the path without query.
fn split_target<'a>(method: &str, target: &'a str) -> (Option<&'a str>, &'a str) {
    if method == "CONNECT" {
        return (None, target);
    }
    let absolute = ["http://", "https://"].iter().find(|scheme| begins(target.as_bytes(), scheme.as_bytes()));
    let (host, path) = match absolute.and_then(|scheme| target.get(scheme.len()..)) {
        Some(rest) => rest.find('/').map_or((Some(rest), "/"), |slash| (rest.get(..slash), rest.get(slash..).unwrap_or("/"))),
        None => (None, target),
    };
    (host, memchr::memchr2(b'?', b'#', path.as_bytes()).and_then(|end| path.get(..end)).unwrap_or(path))
}

/// A host name without its port; none for an address.
pub(super) fn host_only(host: &str) -> Option<Box<str>> {
    let name = memchr::memrchr(b'@', host.as_bytes()).and_then(|at| host.get(at + 1..)).unwrap_or(host);
    let name = memchr::memrchr(b':', name.as_bytes()).and_then(|at| name.get(..at)).unwrap_or(name);
    let address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
    host_name_of(name).filter(|_| !address)
}

pub(super) fn answer_kind(code: u16) -> AnswerKind {
    match code {
        300..400 => AnswerKind::Redirected,
        400..500 => AnswerKind::Refused,
        500.. => AnswerKind::Failed,
        _ => AnswerKind::Accepted,
    }
}

/// Forward proxies and filters that name themselves as the server of the pages they make up: Squid, Blue Coat ProxySG, McAfee Web Gateway and
/// Netsweeper (Dalek et al., IMC 2013, table 2), Zscaler. Content delivery networks and application firewalls, which stand before servers, are not among them.
const FILTERS: &[&str] = &["squid/", "bluecoat", "proxysg", "mcafee web gateway", "netsweeper", "zscaler"];
/// What is sent until somebody closes: events (HTML section 9.2), which clients then ask for anew, and the pictures of a camera.
const ENDLESS: [&str; 2] = ["text/event-stream", "multipart/x-mixed-replace"];
/// Beginnings of header fields that many servers and the caches before them send.
#[rustfmt::skip]
const EVERYBODYS: &[&str] = &[
    "x-accel", "x-amz", "x-aspnet", "x-azure", "x-cache", "x-content", "x-csrf", "x-dns", "x-download", "x-forwarded", "x-frame", "x-goog", "x-ms",
    "x-permitted", "x-powered-by", "x-ratelimit", "x-request", "x-robots", "x-served", "x-squid", "x-timer", "x-token", "x-trace", "x-ua-",
    "x-varnish", "x-xss",
];
/// What nginx, Apache, Go and Tomcat say where HTTP comes to a port of HTTPS.
const WANT_TLS: &[&[u8]] = &[
    b"The plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"sent an HTTP request to an HTTPS server",
    b"requires TLS",
];
const REQUEST: &str = "HTTP/1 request line";
const SIMPLE: &str = "HTTP/0.9 request, answered with a document";
const RESPONSE: &str = "HTTP/1 status line";

/// RFC 4918 section 9, RFC 3253, RFC 3744, RFC 4791, RFC 5323, RFC 5842.
#[rustfmt::skip]
const DAV_METHODS: &[&str] = &[
    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "ACL", "MKCALENDAR", "VERSION-CONTROL", "CHECKOUT",
    "CHECKIN", "MKWORKSPACE", "BIND", "UNBIND", "REBIND",
];

#[cfg(test)]
mod tests {
    use super::super::Head as Late;
    use super::super::testing::{prefixes_never_match_anything_else, read_all, read_torn, survives};
    use super::*;

    const GET: &[u8] = b"GET /gateway/status?x=1 HTTP/1.1\r\nHost: Player.Example:8097\r\nUser-Agent: curl/8\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: Microsoft-HTTPAPI/2.0\r\nX-spinetix-firmware: 4.7.1\r\nContent-Length: 2\r\n\r\nhi";

    fn request(method: &str, path: &str) -> Fact {
        Fact::request(method, path)
    }

    // nginx 1.22 with its length, Go's net/http without
    #[test]
    fn a_server_of_https_says_so_to_who_speaks_in_clear() {
        let page = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>";
        let nginx = format!("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
        let told = |answer: &str| {
            let dialogue: &[(Side, &[u8])] = &[(Side::Client, GET), (Side::Server, answer.as_bytes())];
            survives(&Http, Transport::TCP, 443, dialogue);
            read_all(&Http, dialogue).facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, code: ANOTHER_PROTOCOL, .. }))
        };
        assert!(told(&nginx) && told("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"));
        assert!(!told("HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nbad field") && !told(&nginx.replace(" 400 Bad", " 200 OK")));
    }

    #[test]
    fn a_request_and_its_answer_are_read_however_they_are_split() {
        for cut in 1..GET.len() {
            let told = read_all(&Http, &[(Side::Client, &GET[..cut]), (Side::Client, &GET[cut..]), (Side::Server, OK)]);
            assert!(told.says(&request("GET", "/gateway/status")));
            assert!(told.says(&Fact::Name { of: Side::Server, name: "player.example".into(), source: NameSource::Host }));
            assert!(told.says(&Fact::answer(AnswerKind::Accepted, 200, "OK")));
            assert!(told.says(&Fact::Software { of: Side::Server, text: "Microsoft-HTTPAPI/2.0".into() }));
            assert!(told.says(&Fact::Software { of: Side::Server, text: "x-spinetix-firmware 4.7.1".into() }));
            assert_eq!(told.evidence, Evidence::Dialogue);
        }
    }

    #[test]
    fn requests_after_bodies_of_every_framing_are_found() {
        let posts = b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nGET \r\n0\r\nT: 1\r\n\r\nGET /c HTTP/1.0\r\n\r\n";
        for size in 1..posts.len() {
            let pieces: Vec<_> = posts.chunks(size).map(|chunk| (Side::Client, chunk)).collect();
            let told = read_all(&Http, &pieces);
            let paths: Vec<_> = told.facts.iter().filter(|fact| matches!(fact, Fact::Request { .. })).cloned().collect();
            assert_eq!(paths, [request("POST", "/a"), request("PUT", "/b"), request("GET", "/c")], "pieces of {size}");
        }
    }

    #[test]
    fn requests_go_on_after_a_gap_however_short_their_lines_are() {
        let far = format!("/{}", "c".repeat(100));
        for path in ["/", far.as_str()] {
            let next = format!("GET {path} HTTP/1.1\r\nHost: c\r\n\r\n");
            let torn = [(Side::Client, 0, GET), (Side::Client, 7, b"GET /text\r\n\r\n"), (Side::Client, 0, next.as_bytes())];
            let told = read_torn(&Http, Transport::TCP, 80, &torn);
            let requests: Vec<_> = told.facts.iter().filter_map(Fact::as_request).collect();
            assert_eq!(requests, [("GET", "/gateway/status"), ("GET", path)]);
        }
    }

    #[test]
    fn a_request_that_is_met_late_may_have_the_shortest_line() {
        let heads = [b"nonsense".as_slice(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].map(|bytes| Late::of(Side::Client, bytes, bytes.len()));
        let opening = Opening { midstream: true, heads: &heads, ..Opening::of(Transport::TCP, b"nonsense", &[]) };
        assert!(matches!(Http.probe(&opening), Probe::Found { client: Some(Side::Client), .. }));
    }

    #[test]
    fn webdav_soap_and_json_rpc_are_named_inside_http() {
        let inner = |bytes: &[u8]| {
            let told = read_all(&Http, &[(Side::Client, bytes)]);
            told.facts.iter().filter_map(|fact| if let Fact::Inner(name) = fact { Some(*name) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(inner(b"PROPFIND /dav HTTP/1.1\r\nDepth: 1\r\n\r\n"), ["webdav"]);
        assert_eq!(inner(b"POST /s HTTP/1.1\r\nContent-Type: text/xml\r\nSOAPAction: \"\"\r\n\r\n"), ["soap"]);
        assert_eq!(
            inner(b"POST /r HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 33\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\",1}"),
            Vec::<&str>::new()
        );
        assert_eq!(
            inner(b"POST /r HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\",1}"),
            ["jsonrpc"]
        );
        assert_eq!(inner(b"PUT /file HTTP/1.1\r\n\r\n"), Vec::<&str>::new());
    }

    #[test]
    fn after_connect_another_protocol_speaks() {
        let ask = b"CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n";
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
        let told = read_all(&Http, &[(Side::Client, ask), (Side::Server, answer)]);
        assert_eq!(told.appetite, Appetite::HandOver { client: ask.len() as u64, server: answer.len() as u64 });
        assert!(told.says(&request("CONNECT", "broker.example:8883")));
        let refused = read_all(
            &Http,
            &[(Side::Client, ask), (Side::Server, b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), (Side::Client, GET)],
        );
        assert!(refused.says(&request("GET", "/gateway/status")));
    }

    #[test]
    fn a_websocket_names_what_it_carries() {
        let ask = b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        let told = read_all(&Http, &[(Side::Client, ask), (Side::Server, answer)]);
        assert!(told.says(&Fact::Inner("websocket")) && told.says(&Fact::Inner("mqtt")));
        assert_eq!(told.appetite, Appetite::Hungry);
    }

    #[test]
    fn an_error_page_of_a_proxy_is_marked_and_what_a_proxy_passes_on_is_not() {
        let marks = |answer: &str| {
            let told = read_all(&Http, &[(Side::Client, GET), (Side::Server, answer.as_bytes())]);
            told.facts.iter().filter_map(|fact| if let Fact::Proxied { mark } = fact { Some(mark.to_string()) } else { None }).collect::<Vec<_>>()
        };
        let own = "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nVia: 1.1 proxy (squid/5.7)\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(marks(own), ["X-Squid-Error: ERR_ACCESS_DENIED 0, Via: 1.1 proxy (squid/5.7)"]);
        let sent = |more: &str| marks(&format!("HTTP/1.1 302 Found\r\nServer: squid/5.7\r\nLocation: http://portal.example/login\r\n{more}\r\n"));
        assert_eq!((sent("X-Squid-Error: 302 Access Denied\r\n").len(), sent("").len()), (1, 0));
        assert_eq!(marks("HTTP/1.0 403 Forbidden\r\nServer: Zscaler/6.2\r\n\r\n"), ["Server: Zscaler/6.2"]);
        for passed_on in ["HTTP/1.1 403 Forbidden\r\nVia: 1.1 varnish\r\n\r\n", "HTTP/1.1 200 OK\r\nServer: squid/5.7\r\n\r\n"] {
            assert_eq!(marks(passed_on), Vec::<String>::new());
        }
    }

    #[test]
    fn a_redirection_to_another_host_tells_which() {
        let told = |answer: &str| read_all(&Http, &[(Side::Client, GET), (Side::Server, answer.as_bytes())]);
        let sent = Fact::SentTo { host: "portal.example".into() };
        assert!(told("HTTP/1.1 302 Found\r\nLocation: http://Portal.example:8080/login\r\nContent-Length: 0\r\n\r\n").says(&sent));
        for other in ["HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "HTTP/1.1 201 Created\r\nLocation: http://portal.example/1\r\n\r\n"] {
            assert!(!told(other).facts.iter().any(|fact| matches!(fact, Fact::SentTo { .. })));
        }
    }

    #[test]
    fn other_text_protocols_are_not_http() {
        for text in ["OPTIONS rtsp://a/ RTSP/1.0\r\n", "INVITE sip:a@b SIP/2.0\r\n", "220 HTTP/1.1 ready\r\n", "GET\r\n", "HTTP/2 200\r\n", "EHLO a\r\n"] {
            let opening = Opening { complete: true, ..Opening::of(Transport::TCP, text.as_bytes(), &[]) };
            assert_eq!(Http.probe(&opening), Probe::NotForUs, "{text}");
        }
    }

    #[test]
    fn a_response_alone_says_who_is_the_client() {
        let opening = Opening { midstream: true, ..Opening::of(Transport::TCP, OK, &[]) };
        assert!(matches!(Http.probe(&opening), Probe::Found { client: Some(Side::Server), .. }));
    }

    #[test]
    fn no_prefix_of_a_request_is_anything_else() {
        survives(&Http, Transport::TCP, 80, &[(Side::Client, GET), (Side::Server, OK)]);
        prefixes_never_match_anything_else("http", Transport::TCP, GET, OK);
    }

    #[test]
    fn a_request_without_version_needs_a_document_for_its_answer() {
        let probe = |client: &[u8], server: &[u8]| Http.probe(&Opening { complete: true, ..Opening::of(Transport::TCP, client, server) });
        let document = b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\">\n<HTML>";
        assert!(matches!(probe(b"GET /\r\n\r\n", document), Probe::Found { evidence: Evidence::BothOpenings, .. }));
        for (client, server) in [(b"GET /\r\n".as_slice(), b"".as_slice()), (b"GET /\r\n", b"+OK\r\n"), (b"GET / a\r\n", document), (b"PUT /\r\n", document)] {
            assert_eq!(probe(client, server), Probe::NotForUs);
        }
    }
}
