//! What was answered instead of a service: by TLS, resolvers, web servers, the service itself. One test a rule of the decision table, named after it.

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::identify::{ANOTHER_PROTOCOL, AnswerKind, Certified, Fact, HIDDEN_ALERT, IN_CLEAR, NO_TLS, NameSource, Resolved, Step};
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::Side;

#[test]
fn d46_d47_an_alert_says_who_ended_the_handshake() {
    let hello = || tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]);
    let by_client = judge(hello().answer(Side::Client, AnswerKind::Refused, 48, "unknown_ca"));
    expect(&by_client, Outcome::TlsFailed, Confidence::High, Some("D46"));
    let by_server = judge(hello().answer(Side::Server, AnswerKind::Refused, 40, "handshake_failure"));
    expect(&by_server, Outcome::TlsFailed, Confidence::High, Some("D47"));
    assert!(by_server.cause.unwrap().says.contains("handshake_failure"));
}

// STARTTLS: curl to Dovecot, whose certificate it does not trust; openssl with TLS 1.1 alone; psql to a server of another name
#[test]
fn an_alert_inside_another_protocol_ended_the_handshake_whatever_was_served_before() {
    let secured = || tcp(CLIENT, SERVER).talked(300, 900).speaks(&["ldap", "tls"]).answer(Side::Server, AnswerKind::Accepted, 0, "success");
    expect(&judge(secured().answer(Side::Client, AnswerKind::Refused, 48, "unknown_ca")), Outcome::TlsFailed, Confidence::High, Some("D46"));
    expect(&judge(secured().answer(Side::Server, AnswerKind::Refused, 70, "protocol_version")), Outcome::TlsFailed, Confidence::High, Some("D48"));
    expect(
        &judge(secured().answer(Side::Server, AnswerKind::Refused, HIDDEN_ALERT, "an encrypted alert")),
        Outcome::TlsFailed,
        Confidence::Medium,
        Some("D50"),
    );
    // Its own refusals are no alerts, though the numbers be alike.
    expect(&judge(secured().answer(Side::Server, AnswerKind::Refused, 48, "inappropriateAuthentication")), Outcome::Ok, Confidence::High, None);
}

const DOCUMENTED: &str = "feeds.services.spinetix.com";
const RESOLVER: &str = "10.1.0.1:53";

fn lookup(client: &str) -> Sample {
    udp(client, RESOLVER).talked(40, 40).speaks(&["dns"])
}

fn denied(name: &str, code: u16, filtered: Option<u16>) -> Sample {
    lookup(CLIENT).fact(Fact::Unresolved { name: name.into(), code, filtered })
}

fn resolved(client: &str, name: &str, address: &str) -> Sample {
    let (addresses, ttl) = (vec![address.parse().unwrap()], std::time::Duration::from_secs(60));
    lookup(client).fact(Fact::Resolved(Box::new(Resolved { name: name.into(), reverse: false, aliases: Vec::new(), addresses, ttl, source: NameSource::Dns })))
}

fn judge_with_control(sample: Sample) -> Judged {
    judge_among(Site::default(), &[sample], &[resolved("10.1.0.5:40000", "other.example", "198.51.100.1"), background()]).remove(0)
}

#[test]
fn d10_a_documented_name_that_does_not_exist_where_others_do_is_denied() {
    let judged = judge_with_control(denied(DOCUMENTED, 3, None));
    expect(&judged, Outcome::DnsBlocked, Confidence::Medium, Some("D10"));
    assert!(judged.cause.unwrap().says.contains(DOCUMENTED) && judged.denied.is_some());
}

// what must not be called denied
#[test]
fn d10_nxdomain_of_any_other_name_and_of_a_resolver_without_control_is_an_answer() {
    expect(&judge_with_control(denied("other.example", 3, None)), Outcome::Ok, Confidence::High, None);
    expect(&judge_with_control(denied("feeds.services.spinetix.com.corp.example", 3, None)), Outcome::Ok, Confidence::High, None);
    expect(&judge(denied(DOCUMENTED, 3, None)), Outcome::Ok, Confidence::Medium, None);
}

#[test]
fn a_documented_name_that_the_client_got_from_anybody_was_not_denied() {
    let got = resolved(CLIENT, DOCUMENTED, "203.0.113.7");
    let judged = judge_among(Site::default(), &[denied(DOCUMENTED, 5, None)], &[got, background()]).remove(0);
    expect(&judged, Outcome::Ok, Confidence::High, None);
}

#[test]
fn d11_a_resolver_that_says_it_filters_is_taken_at_its_word() {
    expect(&judge(denied("other.example", 3, Some(15))), Outcome::DnsBlocked, Confidence::High, Some("D11"));
}

// RFC 5782, blocklists answer with loopback addresses
#[test]
fn d11_an_address_that_no_host_has_is_a_filters_but_loopback_only_for_documented_names() {
    let gives = |name: &str, address: &str| judge(resolved(CLIENT, name, address));
    for address in ["0.0.0.0", "127.0.0.1", "::", "::1"] {
        expect(&gives(DOCUMENTED, address), Outcome::DnsBlocked, Confidence::Medium, Some("D11"));
    }
    expect(&gives("ads.example", "0.0.0.0"), Outcome::DnsBlocked, Confidence::Medium, Some("D11"));
    expect(&gives("2.0.0.127.list.example", "127.0.0.2"), Outcome::Ok, Confidence::High, None);
    expect(&gives(DOCUMENTED, "10.9.9.9"), Outcome::Ok, Confidence::High, None);
}

#[test]
fn an_address_that_was_asked_about_is_not_what_the_resolver_gave() {
    let asked = |client: &str, name: &str, address: &str| {
        let (name, addresses, ttl) = (name.into(), vec![address.parse().unwrap()], std::time::Duration::from_secs(60));
        lookup(client).fact(Fact::Resolved(Box::new(Resolved { name, reverse: true, aliases: Vec::new(), addresses, ttl, source: NameSource::Dns })))
    };
    for address in ["0.0.0.0", "127.0.0.1"] {
        expect(&judge(asked(CLIENT, DOCUMENTED, address)), Outcome::Ok, Confidence::High, None);
    }
    // It is none to whom the resolver gives addresses, either: whether it can is not shown.
    let others = [asked("10.1.0.5:40000", "other.example", "198.51.100.1"), background()];
    let judged = judge_among(Site::default(), &[denied(DOCUMENTED, 3, None)], &others).remove(0);
    expect(&judged, Outcome::Ok, Confidence::Medium, None);
}

#[test]
fn d12_a_resolver_that_refuses_a_documented_name_and_gives_others_denies_it() {
    expect(&judge_with_control(denied(DOCUMENTED, 5, None)), Outcome::DnsBlocked, Confidence::Medium, Some("D12"));
    expect(&judge(denied(DOCUMENTED, 5, None)), Outcome::DnsBlocked, Confidence::Low, Some("D12"));
    expect(&judge_with_control(denied("other.example", 5, None)), Outcome::DnsBlocked, Confidence::Low, Some("D12"));
}

#[test]
fn d14_a_resolver_that_fails_is_not_a_filter() {
    expect(&judge(denied("other.example", 2, None)), Outcome::DnsFailed, Confidence::Medium, Some("D14"));
}

#[test]
fn d42_a_page_that_a_proxy_made_up_is_a_block_page() {
    let page = |code| {
        let asked = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, code, "Refused");
        judge(asked.fact(Fact::Proxied { mark: "X-Squid-Error: ERR_ACCESS_DENIED 0".into() }))
    };
    let judged = page(403);
    expect(&judged, Outcome::BlockedByProxy, Confidence::Medium, Some("D42"));
    assert!(judged.cause.unwrap().says.contains("X-Squid-Error"));
    // A proxy that cannot reach the server blocks nothing.
    expect(&page(503), Outcome::AppRefused, Confidence::Medium, Some("D56"));
}

#[test]
fn d53_a_refusal_in_the_services_own_protocol_is_its_own() {
    let refused = tcp(CLIENT, SERVER).talked(90, 90).speaks(&["mqtt"]).answer(Side::Server, AnswerKind::Refused, 5, "not authorized");
    expect(&judge(refused.clone()), Outcome::AppRefused, Confidence::High, Some("D53"));
    let mut gappy = refused;
    gappy.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 900];
    expect(&judge(gappy), Outcome::AppRefused, Confidence::Medium, Some("D53"));
}

// RFC 959: 425 and 426 are about the data connection, 421 ends the session. A file that is not there (550) and a transfer that ends well (226) are everyday.
#[test]
fn d64_a_service_that_served_and_then_refused_is_told_by_its_last_word() {
    let served = || tcp(CLIENT, SERVER).talked(90, 300).speaks(&["ftp"]).answer(Side::Server, AnswerKind::Accepted, 230, "Login successful.");
    let session = |code: u32, text: &str| judge(served().answer(Side::Server, AnswerKind::Failed, code, text));
    for (code, text, says) in [
        (425, "Failed to establish connection.", "the data connection does not: 425 Failed to establish connection."),
        (426, "Failure writing network stream.", "the data connection does not: 426"),
        (421, "Timeout.", "served and then took its leave: 421 Timeout."),
    ] {
        let judged = session(code, text);
        expect(&judged, Outcome::AppRefused, Confidence::Medium, Some("D64"));
        assert!(judged.cause.as_ref().unwrap().says.contains(says), "{:?}", judged.cause);
    }
    expect(&session(550, "Failed to open file."), Outcome::Ok, Confidence::High, None);
    let again = served().answer(Side::Server, AnswerKind::Failed, 425, "no").answer(Side::Server, AnswerKind::Accepted, 226, "Transfer complete.");
    expect(&judge(again), Outcome::Ok, Confidence::High, None);
}

// Each in its own numbers: MQTT 3.1.1 CONNACK 5, CoAP 4.01 and 5.03, SRT 1010, FTP 530, SMTP 550, LDAP 49, XMPP, Hazelcast's HZX, SQL Server 18456.
#[test]
fn d53_every_service_that_answers_and_refuses_is_told_by_its_own_number_and_word() {
    let tcp_refusals = [
        ("mqtt", AnswerKind::Refused, 5, "not authorized"),
        ("ftp", AnswerKind::Refused, 530, "Login incorrect."),
        ("smtp", AnswerKind::Refused, 550, "relaying denied"),
        ("ldap", AnswerKind::Refused, 49, "invalidCredentials"),
        ("xmpp", AnswerKind::Refused, 0, "host-unknown"),
        ("hazelcast", AnswerKind::Refused, 0, "HZX: unexpected protocol"),
        ("tds", AnswerKind::Refused, 18456, "Login failed for user"),
    ];
    let udp_refusals = [
        ("coap", AnswerKind::Refused, 0x81, "4.01"),
        ("coap", AnswerKind::Failed, 0xa3, "5.03"),
        ("srt", AnswerKind::Refused, 1010, "bad passphrase"),
        ("snmp", AnswerKind::Refused, 16, "authorizationError"),
    ];
    let over = |open: fn(&str, &str) -> Sample, (name, kind, code, text): (&'static str, AnswerKind, u32, &str)| {
        let judged = judge(open(CLIENT, SERVER).talked(90, 90).speaks(&[name]).answer(Side::Server, kind, code, text));
        expect(&judged, Outcome::AppRefused, Confidence::High, Some("D53"));
        let says = judged.cause.unwrap().says;
        // Who refuses in words has no number that would say anything.
        assert!(says.contains(text) && (code == 0) != says.contains(&format!("answered {code} ")), "{says}");
    };
    tcp_refusals.into_iter().for_each(|refusal| over(tcp, refusal));
    udp_refusals.into_iter().for_each(|refusal| over(udp, refusal));
}

#[test]
fn d43_d44_d56_http_refusals_are_read_by_their_code() {
    let ask = |code, text: &str| judge(tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, code, text));
    expect(&ask(407, "Proxy Authentication Required"), Outcome::AppRefused, Confidence::Medium, Some("D56"));
    let login = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 407, "Proxy Authentication Required");
    let login = login.fact(Fact::Proxied { mark: "Proxy-Authenticate: Basic realm=\"proxy\"".into() });
    expect(&judge(login), Outcome::BlockedByProxy, Confidence::High, Some("D43"));
    expect(&ask(511, "Network Authentication Required"), Outcome::BlockedByProxy, Confidence::High, Some("D44"));
    let forbidden = ask(403, "Forbidden");
    expect(&forbidden, Outcome::AppRefused, Confidence::Medium, Some("D56"));
    let cause = forbidden.cause.unwrap();
    assert!(!cause.says.contains("itself") && cause.alternatives.iter().any(|other| other.contains("filter")));
    expect(&ask(404, "Not Found"), Outcome::Ok, Confidence::High, None);
}

/// One visit: who, which name, at which address, how the server's hello looks.
fn visit((client, name, server, answered): (&str, &str, &str, u64)) -> Sample {
    tcp(&format!("{client}:40000"), &format!("{server}:443")).talked(300, 900).speaks(&["tls"]).sni(name).fact(Fact::Shapes { asked: 7, answered })
}

const THREE: [(&str, &str); 3] = [("a.example.com", "198.51.100.1"), ("b.example.net", "203.0.113.2"), ("c.example.org", "192.0.2.3")];

fn visits(client: &str, shapes: [u64; 3]) -> Vec<Sample> {
    THREE.iter().zip(shapes).map(|((name, server), shape)| visit((client, name, server, shape))).collect()
}

#[test]
fn d45_all_servers_that_answer_one_client_alike_and_another_not_are_one_device() {
    let (behind, direct) = ("10.1.0.3", "10.1.0.2");
    let all = [visits(behind, [1, 1, 1]), visits(direct, [2, 3, 2])].concat();
    let judged = judge_all(Site::default(), &all);
    judged[..3].iter().for_each(|judged| expect(judged, Outcome::TlsIntercepted, Confidence::Low, Some("D45")));
    judged[3..].iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::Ok));
    assert!(judged[0].cause.as_ref().unwrap().says.contains("may open TLS"));
}

// One content network answers for many owners, and changes its software from one day to the next.
#[test]
fn servers_that_look_alike_are_no_device_in_between() {
    let (one, other) = ("10.1.0.3", "10.1.0.2");
    let innocent = |all: Vec<Sample>| {
        let outcomes: Vec<Outcome> = judge_all(Site::default(), &all).iter().map(|judged| judged.outcome).collect();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Ok), "{outcomes:?}");
    };
    innocent(visits(one, [1, 1, 1]));
    innocent([visits(one, [1, 1, 1]), visits(other, [1, 1, 1])].concat());
    // New software everywhere at once: the other client met it, too.
    innocent([visits(one, [1, 1, 1]), visits(other, [2, 2, 2])].concat());
    // This client got another answer from somewhere.
    innocent([visits(one, [1, 1, 1]), visits(other, [2, 3, 2]), vec![visit((one, "d.example.de", "192.0.3.4", 5))]].concat());
    // One owner, or one network: a vendor's cloud.
    let cloud = |client: &str, shapes: [u64; 3]| {
        let names = [("a.example.com", "198.51.100.1"), ("b.example.net", "198.51.100.2"), ("c.example.org", "198.51.100.3")];
        names.iter().zip(shapes).map(|((name, server), shape)| visit((client, name, server, shape))).collect::<Vec<_>>()
    };
    innocent([cloud(one, [1, 1, 1]), cloud(other, [2, 3, 2])].concat());
    // Another kind of hello gets another answer.
    let newer = visits(other, [2, 3, 2]).into_iter().map(|mut sample| {
        sample.0.facts.iter_mut().for_each(|fact| {
            if let Fact::Shapes { asked, .. } = fact {
                *asked = 8
            }
        });
        sample
    });
    innocent(visits(one, [1, 1, 1]).into_iter().chain(newer).collect());
}

// RFC 9110 section 15.5.2, RFC 3261 section 22: 401 and 407 ask who the client is, and the answer to that follows at once.
#[test]
fn d53_d43_a_demand_for_a_login_at_the_very_end_of_the_capture_is_no_refusal() {
    let asked = |protocol: &'static str, code: u32, ended_by: f64| {
        let mut sample = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&[protocol]).answer(Side::Server, AnswerKind::Refused, code, "Unauthorized");
        sample = sample.fact(Fact::Proxied { mark: "Proxy-Authenticate: NTLM".into() }).cut_by_the_end();
        let mut healthy = background();
        healthy.0.flow.last = at(ended_by);
        judge_among(Site::default(), &[sample], &[healthy]).remove(0).outcome
    };
    assert_eq!([asked("sip", 401, 2.0), asked("http", 407, 2.0), asked("http", 401, 2.0)], [Outcome::Ok; 3]);
    assert_eq!([asked("sip", 401, 61.0), asked("http", 407, 61.0)], [Outcome::AppRefused, Outcome::BlockedByProxy]);
    assert_eq!(asked("sip", 403, 2.0), Outcome::AppRefused);
    // Who closed does not answer any more.
    let mut left =
        tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized").cut_by_the_end();
    left.0.flow.tcp.as_mut().unwrap().fins[0] = true;
    assert_eq!(judge_among(Site::default(), &[left], &[]).remove(0).outcome, Outcome::AppRefused);
}

#[test]
fn a_service_that_served_once_in_the_flow_did_not_refuse() {
    let sample = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]);
    let judged = judge(sample.answer(Side::Server, AnswerKind::Refused, 401, "Unauthorized").answer(Side::Server, AnswerKind::Accepted, 200, "OK"));
    expect(&judged, Outcome::Ok, Confidence::High, None);
}

// the server's packets come with a time to live of 57

fn alert(by: Side, code: u32, text: &str) -> Judged {
    judge(tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]).sni("broker.example").answer(by, AnswerKind::Refused, code, text))
}

#[test]
fn d48_no_common_version_is_told_apart_from_certificates() {
    expect(&alert(Side::Server, 70, "protocol_version"), Outcome::TlsFailed, Confidence::High, Some("D48"));
    expect(&alert(Side::Client, 71, "insufficient_security"), Outcome::TlsFailed, Confidence::High, Some("D48"));
}

#[test]
fn d49_a_server_that_does_not_know_the_name_says_so() {
    let judged = alert(Side::Server, 112, "unrecognized_name");
    expect(&judged, Outcome::TlsFailed, Confidence::High, Some("D49"));
    assert!(judged.cause.unwrap().says.contains("broker.example"));
    expect(&alert(Side::Server, 120, "no_application_protocol"), Outcome::TlsFailed, Confidence::High, Some("D49"));
}

#[test]
fn d47_a_client_certificate_that_is_demanded_is_named() {
    assert!(alert(Side::Server, 116, "certificate_required").cause.unwrap().says.contains("demands a client certificate"));
    let asked = tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]).fact(Fact::Reached(Step::CertificateAsked));
    let asked = asked.answer(Side::Server, AnswerKind::Refused, 40, "handshake_failure");
    let says = judge(asked).cause.unwrap().says;
    assert!(says.contains("had asked for a client certificate") && says.contains("after the server's certificate"), "{says}");
}

#[test]
fn d50_an_alert_that_is_not_visible_is_told_as_that() {
    let hidden = || tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]).answer(Side::Client, AnswerKind::Refused, HIDDEN_ALERT, "an encrypted alert");
    let judged = judge(hidden());
    expect(&judged, Outcome::TlsFailed, Confidence::Medium, Some("D50"));
    assert!(judged.cause.unwrap().says.contains("not visible"));
    let bare = tcp(CLIENT, SERVER).talked(300, 900).speaks(&["tls"]).fact(Fact::Reached(Step::ClientCertificate));
    let judged = judge(bare.answer(Side::Server, AnswerKind::Refused, HIDDEN_ALERT, "an encrypted alert"));
    assert!(judged.cause.unwrap().says.contains("asked for a client certificate and got none"));
    let mut open = hidden();
    open.0.flow.ended = crate::flow::Ended::CaptureEnd;
    assert_ne!(judge(open).outcome, Outcome::TlsFailed);
}

#[test]
fn d85_an_answer_that_is_no_tls_is_told_with_its_first_words() {
    let judged = judge(tcp(CLIENT, SERVER).talked(517, 309).speaks(&["tls"]).answer(Side::Server, AnswerKind::Refused, NO_TLS, "HTTP/1.1 400 Bad Request"));
    expect(&judged, Outcome::TlsFailed, Confidence::High, Some("D85"));
    assert!(judged.cause.unwrap().says.contains("no TLS: \"HTTP/1.1 400 Bad Request\""));
    // How the server began was not captured.
    let changes: [fn(&mut crate::flow::TcpStory); 3] = [|story| story.midstream = true, |story| story.syn_acks = 0, |story| story.missed_bytes = [0, 900]];
    for change in changes {
        let mut unsure = tcp(CLIENT, SERVER).talked(517, 309).speaks(&["tls"]).answer(Side::Server, AnswerKind::Refused, NO_TLS, "x");
        change(unsure.0.flow.tcp.as_mut().unwrap());
        assert_ne!(judge(unsure).outcome, Outcome::TlsFailed);
    }
}

#[test]
fn d88_two_ends_that_speak_different_protocols_do_not_understand_each_other() {
    let into_ssh = || tcp(CLIENT, SERVER).talked(78, 79).speaks(&["http"]).answer(Side::Server, AnswerKind::Refused, ANOTHER_PROTOCOL, "SSH-2.0-x");
    let judged = judge(into_ssh());
    expect(&judged, Outcome::AppRefused, Confidence::High, Some("D88"));
    assert!(judged.cause.unwrap().says.contains("another protocol than its client: it began with \"SSH-2.0-x\""));
    let mut unsure = into_ssh();
    unsure.0.flow.tcp.as_mut().unwrap().syn_acks = 0;
    assert_ne!(judge(unsure).outcome, Outcome::AppRefused);
    // The server greeted before the hello came.
    let greeted = tcp(CLIENT, SERVER).talked(517, 90).speaks(&["smtp"]).answer(Side::Server, AnswerKind::Refused, IN_CLEAR, "220 mail.example");
    let judged = judge(greeted);
    expect(&judged, Outcome::TlsFailed, Confidence::High, Some("D85"));
    assert!(judged.cause.unwrap().says.contains("no TLS: \"220 mail.example\""));
}

// gRPC's and Python's clients close without an alert where they do not trust a certificate
#[test]
fn d86_a_client_that_leaves_after_the_servers_hello_has_not_ended_the_handshake() {
    let left = |letters: &[u8]| {
        let mut sample = tcp(CLIENT, SERVER).talked(517, 1377).speaks(&["tls"]).fact(Fact::Reached(Step::ServerHello));
        letters.iter().for_each(|letter| sample.0.flow.history.push(*letter));
        sample.0.flow.tcp.as_mut().unwrap().fins = [true, true];
        sample
    };
    expect(&judge(left(b"Ff")), Outcome::TlsFailed, Confidence::Medium, Some("D86"));
    // The server closed first; or what would have followed was not captured, or did not arrive.
    assert_eq!(judge(left(b"fF")).outcome, Outcome::Ok);
    let changes: [fn(&mut crate::flow::TcpStory); 2] =
        [|story| story.missed_bytes = [64, 0], |story| story.open_segment[1] = crate::flow::OpenSegment { len: 900, again: 1, end: 1378 }];
    for change in changes {
        let mut unsure = left(b"Ff");
        change(unsure.0.flow.tcp.as_mut().unwrap());
        assert_eq!(judge(unsure).outcome, Outcome::Ok);
    }
    // node: the server's close_notify meets a socket that is gone.
    let mut late = left(b"Ffr").reset(1.3, 64);
    let story = late.0.flow.tcp.as_mut().unwrap();
    (story.fins, story.open_segment[1]) = ([true, false], crate::flow::OpenSegment { len: 24, again: 0, end: 1402 });
    story.reset.as_mut().unwrap().from = Side::Client;
    expect(&judge(late.clone()), Outcome::TlsFailed, Confidence::Medium, Some("D86"));
    // A browser that closes the slower of two connections, to which the hello comes late.
    let story = late.0.flow.tcp.as_mut().unwrap();
    (story.acknowledged[1], story.open_segment[1]) = (0, crate::flow::OpenSegment { len: 1377, again: 0, end: 1378 });
    assert_eq!(judge(late).outcome, Outcome::Ok);
}

// curl, whom the name of the certificate does not suit; wget and node, who do not trust it; but browsers, too, open more connections than they need
#[test]
fn d86_a_client_that_leaves_right_after_the_handshake_and_asks_nothing_anywhere_may_not_trust_the_certificate() {
    let ended = |step: Step, letters: &[u8], last: f64| {
        let mut sample = tcp(CLIENT, SERVER).talked(600, 1800).speaks(&["tls"]).fact(Fact::Reached(step));
        letters.iter().for_each(|letter| sample.0.flow.history.push(*letter));
        let flow = &mut sample.0.flow;
        (flow.last, flow.client.last) = (at(last), Some(at(last)));
        let story = flow.tcp.as_mut().unwrap();
        (story.fins, story.first_data[0]) = ([true, true], Some(crate::flow::Moment::new(at(1.1), frame(4))));
        sample
    };
    let left = || ended(Step::ClientFinished, b"Ff", 1.3);
    let judged = judge(left());
    expect(&judged, Outcome::TlsFailed, Confidence::Low, Some("D86"));
    assert!(judged.cause.unwrap().says.contains("without having asked anything"));
    expect(&judge(ended(Step::ClientLeft, b"fF", 1.3)), Outcome::TlsFailed, Confidence::Low, Some("D86"));
    // Closed by the server, or later; or another connection of the same client is served.
    assert_eq!(judge(ended(Step::ClientFinished, b"fF", 1.3)).outcome, Outcome::Ok);
    assert_eq!(judge(ended(Step::ClientFinished, b"Ff", 9.0)).outcome, Outcome::Ok);
    let (served, other) = (tcp("10.1.0.2:40999", SERVER).talked(900, 9000), tcp("10.1.0.77:40999", SERVER).talked(900, 9000));
    let beside = |others: &[Sample]| judge_among(Site::default(), &[left()], others).remove(0).outcome;
    assert_eq!((beside(&[served]), beside(&[other, left()])), (Outcome::Ok, Outcome::TlsFailed));
}

// mosquitto's WebSockets, with allow_anonymous switched off
#[test]
fn d53_what_is_refused_inside_a_websocket_is_refused_by_the_service() {
    let upgraded =
        tcp(CLIENT, SERVER).talked(300, 200).speaks(&["http", "websocket", "mqtt"]).answer(Side::Server, AnswerKind::Accepted, 101, "Switching Protocols");
    assert_eq!(judge(upgraded.clone()).outcome, Outcome::Ok);
    let judged = judge(upgraded.answer(Side::Server, AnswerKind::Refused, 5, "not authorized"));
    expect(&judged, Outcome::AppRefused, Confidence::High, Some("D53"));
}

fn certified(port: u16, name: &str, (issuer, key, whole): (&str, u64, u64)) -> Sample {
    let flow = tcp(&format!("10.1.0.2:{port}"), &format!("203.0.113.{}:443", port % 200)).talked(300, 900).speaks(&["tls"]).sni(name);
    flow.fact(Fact::Certified(Box::new(Certified { issuer: issuer.into(), key, whole, public: false })))
}

#[test]
fn d45_one_key_or_one_private_issuer_for_several_owners_opens_tls() {
    let names = ["www.example.com", "shop.example.net", "mail.example.org"];
    let made = |key: fn(u64) -> u64| (1..).zip(names).map(|(n, name)| certified(40000 + n as u16, name, ("Filter CA", key(n), n))).collect::<Vec<_>>();
    for judged in judge_all(Site::default(), &made(|_| 7)) {
        expect(&judged, Outcome::TlsIntercepted, Confidence::High, Some("D45"));
    }
    for judged in judge_all(Site::default(), &made(|n| n)) {
        expect(&judged, Outcome::TlsIntercepted, Confidence::Medium, Some("D45"));
        assert!(judged.cause.unwrap().says.contains("Filter CA"));
    }
}

// TLS 1.3 too: what a proxy that was asked for a tunnel sends on is the client's hello, or its own.
#[test]
fn d45_a_proxy_that_sends_a_hello_of_its_own_opens_tls() {
    let tunnel = || tcp("10.1.0.2:40000", "10.3.0.9:3128").talked(300, 900).speaks(&["http", "tls"]).asks("CONNECT", "feeds.example.com:443");
    let asked = || tunnel().sni("feeds.example.com").fact(Fact::Hello(1));
    let handed_on = |name: &str, mark: u64| tcp("10.3.0.9:50000", SERVER).talked(300, 900).speaks(&["tls"]).sni(name).fact(Fact::Hello(mark));
    let opened = judge_among(Site::default(), &[asked()], &[handed_on("feeds.example.com", 2), background()]).remove(0);
    expect(&opened, Outcome::TlsIntercepted, Confidence::Medium, Some("D45"));
    assert!(opened.cause.unwrap().says.contains("the proxy 10.3.0.9 sent a TLS hello of its own"));
    // Handed on as it is; for another name; the proxy's other side is not captured; two clients of one server.
    let passed = [handed_on("feeds.example.com", 2), handed_on("feeds.example.com", 1)];
    for others in [&passed[..], &[handed_on("other.example", 2)], &[background()]] {
        expect(&judge_among(Site::default(), &[asked()], others).remove(0), Outcome::Ok, Confidence::High, None);
    }
    let direct = tcp("10.1.0.2:40000", SERVER).talked(300, 900).speaks(&["tls"]).sni("feeds.example.com").fact(Fact::Hello(1));
    expect(&judge_among(Site::default(), &[direct], &[handed_on("feeds.example.com", 2)]).remove(0), Outcome::Ok, Confidence::High, None);
}

// A company's own servers under its own name; one certificate for several names; an authority that everybody trusts.
#[test]
fn d45_one_owner_one_certificate_or_a_public_authority_open_nothing() {
    let own: Vec<Sample> = (1..5).map(|n| certified(40000 + n, &format!("host{n}.example.com"), ("Example CA", 7, u64::from(n)))).collect();
    let one: Vec<Sample> = (1..5).map(|n| certified(40000 + n, &format!("www.example{n}.com"), ("Example CA", 7, 7))).collect();
    let public = |n: u64| Fact::Certified(Box::new(Certified { issuer: "R11".into(), key: 7, whole: n, public: true }));
    let trusted: Vec<Sample> =
        (1..5).map(|n| tcp(&format!("10.1.0.2:{}", 40000 + n), SERVER).talked(9, 9).sni(&format!("www.example{n}.com")).fact(public(n))).collect();
    for samples in [own, one, trusted] {
        assert!(judge_all(Site::default(), &samples).iter().all(|judged| judged.outcome == Outcome::Ok));
    }
}

#[test]
fn d44_a_portal_that_answers_in_the_servers_place_is_told_by_where_it_sends() {
    let sent = |asked: &str, to: &str| {
        let flow = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Redirected, 302, "Found");
        let named = flow.fact(Fact::Name { of: Side::Server, name: asked.into(), source: NameSource::Host });
        judge(named.fact(Fact::SentTo { host: to.into() }))
    };
    expect(&sent("connectivitycheck.gstatic.com", "portal.example"), Outcome::BlockedByProxy, Confidence::High, Some("D44"));
    expect(&sent("feeds.example", "10.1.0.1"), Outcome::BlockedByProxy, Confidence::Medium, Some("D44"));
    let by_squid = tcp(CLIENT, "203.0.113.7:80").talked(90, 90).speaks(&["http"]).answer(Side::Server, AnswerKind::Redirected, 302, "Found");
    let by_squid = by_squid.fact(Fact::Name { of: Side::Server, name: "feeds.example".into(), source: NameSource::Host });
    let by_squid = by_squid.fact(Fact::SentTo { host: "login.example".into() }).fact(Fact::Proxied { mark: "X-Squid-Error: 302 Access Denied".into() });
    expect(&judge(by_squid), Outcome::BlockedByProxy, Confidence::Medium, Some("D44"));
    // Everyday redirections.
    expect(&sent("example.com", "www.example.com"), Outcome::Ok, Confidence::High, None);
    expect(&sent("feeds.example", "login.example"), Outcome::Ok, Confidence::High, None);
}

fn unanswered(resolver: &str, name: &str, retries: u32) -> Sample {
    let asked = udp(CLIENT, resolver).speaks(&["dns"]).fact(Fact::Unanswered { name: name.into() });
    (0..retries).fold(asked, |asked, _| asked.fact(Fact::Retry))
}

#[test]
fn d13_a_resolver_that_never_answers_denies_the_documented_name() {
    let judged = judge(unanswered(RESOLVER, DOCUMENTED, 2));
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D13"));
    assert!(judged.denied.is_some() && judged.cause.unwrap().says.contains(DOCUMENTED));
    let two = judge_all(Site::default(), &[unanswered(RESOLVER, "a.example", 1), unanswered("10.1.0.3:53", "a.example", 1)]);
    two.iter().for_each(|judged| expect(judged, Outcome::SilentDrop, Confidence::High, Some("D13")));
    expect(&judge(unanswered(RESOLVER, "a.example", 1)), Outcome::SilentDrop, Confidence::Low, Some("D13"));
    // As dig asks again: the same from a new port each time.
    let again = |names: [&str; 3], gap: f64| {
        let asked = |(place, name): (u32, &&str)| {
            let mut asked = udp(&format!("10.1.0.2:{}", 40001 + place), RESOLVER).speaks(&["dns"]).fact(Fact::Unanswered { name: (*name).into() });
            asked.0.flow.first = at(1.0 + gap * f64::from(place));
            asked
        };
        (0..).zip(&names).map(asked).collect::<Vec<_>>()
    };
    let same = again(["a.example"; 3], 5.0);
    judge_all(Site::default(), &same).iter().for_each(|judged| expect(judged, Outcome::SilentDrop, Confidence::Medium, Some("D13")));
    judge_all(Site::default(), &same[..2]).iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::NotObservable));
    // Whoever reaches others may have got its names, where this tap does not see it.
    let reached = tcp("10.1.0.2:45000", "198.51.100.9:443").talked(500, 900);
    judge_among(Site::default(), &same, &[reached, background()]).iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::NotObservable));
    let inside = tcp("10.1.0.2:45000", "10.1.0.7:443").talked(500, 900);
    judge_among(Site::default(), &same, &[inside, background()]).iter().for_each(|judged| expect(judged, Outcome::SilentDrop, Confidence::Medium, Some("D13")));
    // Five names, one after the other, of which none is answered.
    let many: Vec<Sample> = ["a.example", "b.example", "c.example", "d.example", "e.example"]
        .chunks(1)
        .zip(0..)
        .map(|(name, place)| {
            let mut asked = again([name[0]; 3], 5.0).remove(0);
            asked.0.flow.client.endpoint.port += place;
            asked.0.flow.first = at(1.0 + f64::from(place) * 3.0);
            asked
        })
        .collect();
    for judged in judge_all(Site::default(), &many) {
        expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D13"));
        assert!(judged.cause.as_ref().unwrap().says.contains("one name or another 5 times"), "{judged:?}");
    }
    judge_all(Site::default(), &many[..4]).iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::NotObservable));
    // Three names, or the kinds of address of one, are asked for at once: nothing was asked again.
    for once in [again(["a.example", "b.example", "c.example"], 5.0), again(["a.example"; 3], 0.01)] {
        judge_all(Site::default(), &once).iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::NotObservable));
    }
}

// glibc, whose first resolver is gone: it waits five seconds each time, and asks the next one
#[test]
fn d13_a_first_resolver_that_never_answers_is_told_though_the_next_one_gives_the_names() {
    let names = ["a.example", "b.example", "c.example", "d.example", "e.example"];
    let asked = |resolver: &str, place: u16| {
        let mut asked = udp(&format!("10.1.0.2:{}", 40001 + place), resolver).speaks(&["dns"]);
        asked.0.flow.first = at(1.0 + 5.0 * f64::from(place));
        asked
    };
    let vain = |resolver: &str, place: u16| asked(resolver, place).fact(Fact::Unanswered { name: names[usize::from(place)].into() });
    let mut given = resolved("10.1.0.2:40006", "a.example", "198.51.100.9");
    given.0.flow.server.endpoint = endpoint("10.1.0.9:53");
    let reached = tcp("10.1.0.2:45000", "198.51.100.9:443").talked(500, 900);
    let silent: Vec<Sample> = (0..5).map(|place| vain(RESOLVER, place)).collect();
    let others = [given, reached, background()];
    judge_among(Site::default(), &silent, &others).iter().for_each(|judged| expect(judged, Outcome::SilentDrop, Confidence::Low, Some("D13")));
    judge_among(Site::default(), &silent[..4], &others).iter().for_each(|judged| assert_eq!(judged.outcome, Outcome::NotObservable));
    // It answered once.
    let once = asked(RESOLVER, 6).talked(40, 40);
    judge_among(Site::default(), &silent, &[others.as_slice(), &[once]].concat())
        .iter()
        .for_each(|judged| assert_ne!(judged.cause.as_ref().unwrap().rule, "D13"));
}

#[test]
fn d13_a_name_that_another_resolver_gave_is_not_denied() {
    let other = Fact::Resolved(Box::new(Resolved {
        name: DOCUMENTED.into(),
        reverse: false,
        aliases: Vec::new(),
        addresses: vec!["203.0.113.7".parse().unwrap()],
        ttl: std::time::Duration::from_secs(60),
        source: NameSource::Dns,
    }));
    let given = udp(CLIENT, "10.1.0.3:53").talked(40, 40).speaks(&["dns"]).fact(other);
    let judged = judge_among(Site::default(), &[unanswered(RESOLVER, DOCUMENTED, 2)], &[given, background()]).remove(0);
    expect(&judged, Outcome::SilentDrop, Confidence::Medium, Some("D13"));
    assert!(judged.denied.is_none());
}

#[test]
fn d11_one_private_address_for_names_of_many_owners_is_a_filters() {
    let sink = |name: &str| resolved(CLIENT, name, "10.9.9.9");
    let names = ["ads.example", "track.example.net", DOCUMENTED];
    let judged = judge_all(Site::default(), &names.map(sink));
    expect(&judged[2], Outcome::DnsBlocked, Confidence::Medium, Some("D11"));
    // Names that no document knows may share a server inside on purpose.
    expect(&judged[0], Outcome::Ok, Confidence::High, None);
}
