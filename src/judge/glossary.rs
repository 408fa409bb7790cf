//! What the words of reports mean: outcomes, reasons, coverage, findings. GUIDE.md prints the same sentences in its tables, `portbook explain` tells them one by one.

/// Where a word stands in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What became of a flow.
    Outcome,
    /// What is held against a flow: a finding of that name.
    Finding,
    /// Why nothing is said of a flow.
    Open,
    /// Whether the documents expect a flow.
    Verdict,
    /// What a capture says of a documented row.
    Coverage,
}

impl Place {
    /// The place as a heading names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "an outcome: what became of a flow",
            Self::Finding => "a finding: what is held against a flow",
            Self::Open => "a reason why nothing is held against a flow",
            Self::Verdict => "a verdict: whether the documents expect a flow",
            Self::Coverage => "coverage: what the capture says of a documented row",
        }
    }
}

/// A word of reports.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// As reports print it.
    pub word: &'static str,
    /// Where it stands.
    pub place: Place,
    /// When it is given: of an outcome what was seen.
    pub when: &'static str,
    /// What it must not be taken for; empty but for outcomes.
    pub is_not: &'static str,
    /// What to do about it.
    pub next: &'static str,
}

/// What a word means; one that stands in two places means two things.
pub fn meanings(word: &str) -> impl Iterator<Item = &'static Term> {
    TERMS.iter().filter(move |term| term.word == word)
}

/// All words, in the order in which the guide has them.
pub fn terms() -> impl Iterator<Item = &'static Term> {
    TERMS.iter()
}

/// Rules of failure diagnosis that are no outcome of a flow, with the place where they are told.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("D03", "copies of a packet are taken out before flows are counted (`flow`), and told by kind"),
    ("D51", "the verdict: reason `wrong_protocol`"),
    ("D52", "the verdict: reason `undocumented_service`, with the row that has the protocol among the candidates"),
    ("D82", "coverage: `never_attempted`"),
    ("D83", "findings: the row that takes over is named beside the one that is blocked"),
];

const fn outcome(word: &'static str, when: &'static str, is_not: &'static str, next: &'static str) -> Term {
    Term { word, place: Place::Outcome, when, is_not, next }
}

const fn term(place: Place, word: &'static str, when: &'static str, next: &'static str) -> Term {
    Term { word, place, when, is_not: "", next }
}

#[rustfmt::skip]
const TERMS: &[Term] = &[
    outcome("ok", "both ends talked, and nothing was refused",
        "proof that the service did what it should", "nothing on the network; what still fails is in the service's own log"),
    outcome("ok_degraded", "this way is silent or refused, and another one works for the same host: TCP for QUIC, IPv4 for IPv6",
        "an outage", "open that way too, or switch it off, if the wait before each fallback is felt"),
    outcome("connected_no_data", "a connection was made or begun, and nobody said anything",
        "proof that the service itself answered: a proxy may have", "capture while it is really used"),
    outcome("server_silent", "the request arrived, and no reply came, or the server takes no more, or it fell silent in the middle of a connection or stream",
        "proof of a firewall, though one may have cut off the last of these", "whoever runs the server: is it overloaded or hung; then capture beside it"),
    outcome("silent_drop", "the client tried again, nothing answered, and answers of that host or path can be seen from this tap",
        "proof of a firewall: the host may be off", "is the host on; then whoever runs the firewall: a rule, as `do` words it"),
    outcome("refused_by_host", "a reset or \"port unreachable\" that looks like the host's own",
        "a drop", "whoever runs the server: start the service, or correct the port"),
    outcome("rejected_by_network", "an ICMP error by a device or a firewall on the host, or a reset that is not the host's; the report names its sender and the code",
        "the service's own refusal", "whoever runs the device that is named: a rule, as `do` words it"),
    outcome("unreachable", "a router knows no route, or the host did not answer ARP; or it fails now and then",
        "policy", "is the host on and its address right; then routes, gateways, cables"),
    outcome("return_path_broken", "the server answered and the client did not hear it, or not all of it; or in the middle of a session one end repeats what the other has acknowledged",
        "a fault of the service", "whoever runs routers and firewalls: answers must come back by the way of the requests"),
    outcome("reset_by_middlebox", "a reset right after the client named what it wants, from another distance or for this name alone; or one from another distance in a connection that had been served",
        "the server's own reset", "whoever runs content filters: an exemption; the port is open"),
    outcome("blocked_by_proxy", "a proxy asks for a login, or a portal or a filter's page answers in the server's place",
        "the service's own answer", "whoever runs the proxy or portal: a login or an exemption for this client"),
    outcome("dns_blocked", "the resolver refused to answer, or gave a filter's address",
        "a fault of the service asked for", "whoever runs the resolver or its filter: let it give the name its addresses"),
    outcome("dns_failed", "the resolver could not answer",
        "a fault of the service asked for", "whoever runs the resolver: what it asks in turn does not answer it"),
    outcome("tls_failed", "an alert ended the handshake (the report says whose, which, and after what), or the client left in its middle, or the answer was no TLS",
        "a blocked port", "whoever runs the end that the report names: certificate, trusted authorities, clock, versions"),
    outcome("tls_intercepted", "certificates of unrelated owners share a private issuer or one key (up to TLS 1.2; in 1.3 they are encrypted); or a proxy that was asked for a tunnel sent a hello of its own, where both its sides are captured",
        "a refusal: the connection may work, but not where a client certificate is asked for", "whoever runs TLS inspection: an exemption, where the document asks for one"),
    outcome("app_refused", "the service answered and refused, or closed without a word or in the middle of its answer",
        "a firewall finding", "whoever runs the service: logins, rights, settings; no rule to open"),
    outcome("pmtu_blackhole", "large packets or fragments vanish, small ones pass",
        "a closed port", "whoever runs routers and tunnels: let \"fragmentation needed\" pass, or clamp the segment size"),
    outcome("idle_dropped", "after a minute of silence or more, what was sent met nobody, or a reset from elsewhere",
        "a connection that was closed in order", "keep-alives more often than the shortest idle timeout on the way, or a longer one"),
    outcome("one_way_by_design", "announcements, traps, logs, discovery: no answer is due",
        "a fault", "nothing; whether it arrives shows only at the receiver"),
    outcome("scan_noise", "one host asks many, or somebody from outside asks unbidden",
        "a fault", "see that the scanner is yours"),
    outcome("midstream", "the flow began before the capture; it is alive",
        "a judgement of its opening", "nothing; to see how it opens, capture before it starts"),
    outcome("not_observable", "answers cannot be seen from this tap, the capture ended too early, or it was asked only once",
        "a fault", "capture longer, or where both directions pass"),
    outcome("capture_damaged", "packets are missing from the capture itself",
        "a fault of the network", "capture again: a larger buffer, a filter, a mirror port that is not overloaded"),

    term(Place::Finding, "intermittent", "it failed, and the same client reached the same service at another time",
        "look at the times shown: loss, rate limits, timeouts; where it says since when, what was changed then"),
    term(Place::Finding, "undocumented_service", "an end plays a product's role, and no row of the documents that apply covers what it does",
        "find out what it is: wanted, write it down (`[[allow]]`, or a row of your own); if not, close it"),
    term(Place::Finding, "wrong_direction", "the row is there, but the document has it opened from the other end",
        "close this direction; only the other one is documented"),
    term(Place::Finding, "wrong_protocol", "the port is a row's, and the bytes are another protocol's",
        "see what listens there; a port that was moved goes into the site file"),
    term(Place::Finding, "not_encrypted", "documented as encrypted, seen in clear",
        "switch encryption on at both ends"),
    term(Place::Finding, "unexpectedly_encrypted", "documented in clear, seen encrypted",
        "see what listens there, and whether the row's secure port was meant"),
    term(Place::Finding, "undocumented_path", "the port is a row's, and the URL asked for is no row's",
        "see who asks; other programs may use the same port"),
    term(Place::Finding, "optional_service_active", "the service is off unless switched on, or needs opening only where it is wanted, and it was answered",
        "switch it off where nobody uses it, else name it in `services_on` of the site file"),
    term(Place::Finding, "unknown_name", "the row is for certain host names, and this server has another one",
        "a name that belongs there may be new: ask the vendor before closing it"),
    term(Place::Finding, "outside_announced_range", "the port was announced by another flow, and lies outside the range that the document gives",
        "set the server's range as documented, or a firewall that opens the range alone stops it"),
    term(Place::Finding, "not_announced", "a port of a range for announced transfers, and nothing that was captured announced it",
        "see what listens there"),
    term(Place::Finding, "left_the_lan", "discovery that belongs to one network segment was sent to another",
        "keep it within its segment"),
    term(Place::Finding, "inbound_from_outside", "opened from the Internet or another segment to a product that needs no inbound opening",
        "close it, unless it is wanted: then `[[allow]]` it"),
    term(Place::Finding, "wrong_role", "the document has this row between other hosts",
        "give both ends their roles; if they have them, find out what it is for"),
    term(Place::Finding, "unsupported_by_product", "a sentence about the product says that it does not have this, or not in this edition",
        "find out what answers there, or what the client looks for"),
    term(Place::Finding, "denied_by_site", "a `[[deny]]` entry or `static_addresses` of the site file forbids it",
        "close it, or correct the site file"),
    term(Place::Finding, "version_too_old", "the document added the service in a later version than the site file or the host gives",
        "correct the version in the site file, or find out which product it is"),

    term(Place::Open, "direction_unknown", "neither the opening nor the bytes tell who asked", "capture from before it starts"),
    term(Place::Open, "midstream", "the flow began before the capture, so its first bytes are missing", "capture from before it starts"),
    term(Place::Open, "not_enough_bytes", "too little was said, or what was said is of no known form", "`portbook why` shows the bytes; a longer capture may show more"),
    term(Place::Open, "shared_port", "several rows fit, and nothing that was captured tells them apart", "give both ends their roles (`--role`, site file)"),
    term(Place::Open, "not_covered", "no document is about either end", "give hosts a role with `--role` to hold them against one"),

    term(Place::Verdict, "expected", "a row covers it: this direction, these ends, this content", "nothing; whether it got through is the outcome"),
    term(Place::Verdict, "unexpected", "an end has a role and no row covers it, or the row it belongs to is broken", "the reasons beside it say which"),
    term(Place::Verdict, "undecided", "nothing can be held against it", "the reasons beside it say what is missing"),

    term(Place::Coverage, "seen", "it got through at least once", "nothing; where it fails now and then there is a finding"),
    term(Place::Coverage, "blocked", "it was tried and never got through, and at least one flow of it has an outcome that counts as blocked", "see its finding"),
    term(Place::Coverage, "attempted", "it was tried and never got through, and nothing shows that it was blocked", "see its flows with `-v`"),
    term(Place::Coverage, "never_attempted", "hosts that would use it show here, and none tried", "capture while it is used; a host that never tries meets no firewall"),
    term(Place::Coverage, "not_visible_here", "no host that would use it shows at this tap", "capture where they are"),
];
