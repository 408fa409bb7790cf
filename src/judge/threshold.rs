//! Every number that a rule of the decision table decides by, with its reason. Bounds of memory are in `limit`.

use std::time::Duration;

/// A SYN this long after the one before it was sent again because nothing came: the shortest first timeout in use is 1 s (RFC 6298 section 2.1),
/// less what clocks and mirrors blur.
pub(super) const SYN_AGAIN: Duration = Duration::from_millis(900);
/// Equal SYNs from which on silence is sure: one may be lost, two in a row are seldom.
pub(super) const SURE_SYNS: u32 = 3;
/// Equal requests of a datagram protocol, likewise.
pub(super) const SURE_REQUESTS: u32 = 3;
/// An answer that has not come by then was not on its way: three times the longest usual round trip (satellite, 700 ms).
pub(super) const ANSWER_BY: Duration = Duration::from_secs(2);
/// Unrepeated attempts that together are as good as a repeated SYN, at low confidence.
pub(super) const MANY_ATTEMPTS: u32 = 5;
/// Packets of one probe of a scanner at most: SYN, a retry or two.
pub(super) const SCAN_PACKETS: u64 = 3;
/// A reset this many hops off comes from elsewhere; one hop may be a route that changed.
pub(super) const FOREIGN_HOPS: u8 = 2;
/// Up to this time to live a program chose it, and it tells no distance: routing protocols send to neighbours with 1 (RFC 4271 and RFC 5082 section 1), or little more.
/// What systems begin with by themselves, 32 and more, has no such rest on any route.
pub(super) const CHOSEN_TTL: u8 = 8;
/// A reset that comes in less than half the time of the host's fastest answer is early if it is also this much faster: hosts answer within fractions of
/// a millisecond, and below two nothing can be told.
pub(super) const CLEARLY_EARLIER: Duration = Duration::from_millis(2);
/// Steps between two identifications of one counter: a busy host that counts over all its connections sends some hundreds of packets meanwhile.
pub(super) const SAME_COUNTER: u16 = 2048;
/// Beyond 1 % loss, in parts per thousand, nothing blocked is more than likely.
pub(super) const SOME_LOSS: u64 = 10;
/// Beyond 10 % (where Zeek warns, too) it is no more than a hint, and a missing answer means nothing unless the client asked thrice.
pub(super) const HEAVY_LOSS: u64 = 100;
/// Acknowledged bytes by which a stretch of a capture shows how much of it was lost: a tenth of them are more than five large segments.
pub(super) const SAMPLE_BYTES: u64 = 64 << 10;
/// Or as many connections: of ten that a tenth of all packets is lost of, hardly one is whole.
pub(super) const SAMPLE_CONNECTIONS: u32 = 10;
/// Of so few bytes more than a tenth was lost only where so many connections lost something: one large segment may be half of what a minute has.
pub(super) const TORN_CONNECTIONS: u32 = 3;
/// Payload of a TCP segment that every path carries: the least that IPv6 asks of a link (1280 bytes, RFC 8200 section 5), less 40 of IPv6, 20 of TCP, and 12
/// of the timestamps that most segments have.
pub(super) const SURE_TO_FIT: u32 = 1208;
/// Bytes that IPv4 and TCP headers without options add to a segment's payload: what an ICMP error's MTU counts, and a segment's length does not.
pub(super) const LEAST_HEADERS: u32 = 40;
/// Retransmissions from which on a segment counts as lost for good: one is loss, two in a row are seldom.
pub(super) const AGAIN: u32 = 2;
/// With backoff three take over a second and a half (RFC 6298 sections 2.4 and 5.5, with the 200 ms floor in use): longer than queues hold anything,
/// or an acknowledgment of an earlier copy is on its way.
pub(super) const SURELY_AGAIN: u32 = 3;
/// Zero windows from which on a receiver is stalled: the first may open again at once, the next answers a probe (RFC 9293 section 3.8.6.1).
pub(super) const STALLED: u32 = 2;
/// A silence after which firewalls, address translators and load balancers may have forgotten a connection: the shortest timeouts in use are a minute.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// Datagrams after a longer pause are another flow (Zeek's `udp_inactivity_timeout`): one that begins that long after the capture did began there.
pub(super) const DATAGRAMS_PAUSE: Duration = Duration::from_secs(60);
/// The session id that opens TeaTime: 128 bits.
pub(super) const SESSION_ID: u64 = 16;
/// A service that has not replied to a whole request by then is silent; web servers and brokers allow themselves half a minute, people do not wait as long.
pub(super) const REPLY_BY: Duration = Duration::from_secs(10);
/// SYN-ACKs after which an opener that neither acknowledges nor asks again is gone: the server's first two repetitions take three seconds.
pub(super) const HALF_OPEN: u16 = 2;
/// Owners of names that share an issuer or a key, from which on that is no coincidence of one company's servers.
pub(super) const UNRELATED_NAMES: usize = 3;
/// Minutes in which a service failed after it last worked, and how many lie between them, from which on it is said since when it has not worked: a lossy path or a
/// busy server lets one of three tries through, and is over within minutes.
pub(super) const STOPPED_MINUTES: usize = 3;
/// See [`STOPPED_MINUTES`].
pub(super) const STOPPED_FOR: i64 = 10;
/// Networks in which servers lie that one device cannot be: no vendor's cloud has its servers for several owners in so many, and all of them alike.
pub(super) const UNRELATED_NETWORKS: usize = 3;
/// A proxy that is asked for a tunnel connects at once; a slow one within the time that its clients wait.
pub(super) const HANDED_ON_BY: Duration = Duration::from_secs(30);
/// Who asks otherwise as it was refused, by design, does so at once.
pub(super) const ASKED_OTHERWISE: Duration = Duration::from_secs(2);
/// Who ends a handshake of TLS and does not want what it leads to closes by then, slow paths and lists of revoked certificates included; who keeps a connection for later keeps it longer.
pub(super) const LEFT_AT_ONCE: Duration = Duration::from_secs(3);
/// A host asks its link again a second after it asked in vain (RFC 1122 section 2.3.2.1, RFC 4861 section 10); closer requests are copies, or another's.
pub(super) const NEIGHBOUR_AGAIN: Duration = Duration::from_millis(500);
/// Requests for a neighbour from which on its silence is sure: hosts give up after three (RFC 4861 section 10), each a second after the other.
pub(super) const SURE_NEIGHBOUR: u32 = 3;
/// What is known of a neighbour holds for so long (RFC 4861 section 10 takes it for true for half a minute, and asks again within as long).
pub(super) const NEIGHBOUR_HOLDS: Duration = Duration::from_secs(60);
/// A packet that waited for its neighbour's answer goes out by then.
pub(super) const SENT_AFTER_ASKING: Duration = Duration::from_secs(3);
/// How long a switch believes that a group is received on a port where nobody says so again: two questions, 125 s apart, and 10 s to answer (RFC 3376 section 8.4, RFC 3810 section
/// 9.4); few have another default.
pub(super) const MEMBERSHIP: Duration = Duration::from_secs(260);
/// Switches go through their tables every few seconds, and of a stream a packet may be due when its way ends.
pub(super) const MEMBERSHIP_BLUR: Duration = Duration::from_secs(5);
/// A stream has so many packets a second at least, and so many in all: announcements come seldom, and end at any time.
pub(super) const STREAMING: u64 = 1;
/// An end of a call that sent media all the time, and none for so long, does not just listen: who mutes it for a moment, or waits, is heard of by then.
pub(super) const MEDIA_GONE: Duration = Duration::from_secs(30);
/// Echo requests without an answer that are worth a word: many hosts ignore them, and one is lost now and then.
pub(super) const SURE_ECHOES: u64 = 3;
/// Packets sent through a tunnel that are worth a word where nothing comes back.
pub(super) const SURE_TUNNELLED: u64 = 10;
/// Packets of a client's connections from which on the share of those that came again says something about the path.
pub(super) const MANY_PACKETS: u32 = 50;
/// Such a share, in parts per thousand: where one packet in five is lost, acknowledgments included, about a tenth of all is sent again, and three questions in
/// twenty remain without an answer twice.
pub(super) const MUCH_AGAIN: u64 = 70;
/// What an error says of one packet it says of others to the same end that were sent so shortly before or after: errors are sent only so often (RFC 4443 section 2.4 (f); Linux sends each host a few and
/// then one a second).
pub(super) const REFUSED_ALIKE: Duration = Duration::from_secs(60);
/// Datagrams to a peer that had answered, and none of its own, from which on it is not just slow.
pub(super) const ALONE: u16 = 5;
/// How long a peer of QUIC or SRT may stay silent while it is spoken to: QUIC acknowledges within 25 ms and what the path takes (RFC 9000 section 13.2.1), SRT every 10 ms.
pub(super) const ACKNOWLEDGED_BY: Duration = Duration::from_secs(3);
/// For how long an agent of SNMP that answered at once may be asked in vain: managers ask again each second or two (Net-SNMP five times).
pub(super) const ASKED_BY: Duration = Duration::from_secs(4);
/// A peer of WireGuard that has nothing to say answers within ten seconds, and is asked for a new handshake after five more (its paper, section 6.5).
pub(super) const KEPT_ALIVE_BY: Duration = Duration::from_secs(15);
/// Packets of WireGuard that come so close are more than keep-alives, which its manual has each 25 s: content, or attempts at a handshake.
pub(super) const KEPT_ALIVE_EACH: Duration = Duration::from_secs(3);
/// Keys of WireGuard last 120 s for the end that agreed upon them first, 180 for the other one (its paper, section 6.1), and are renewed by the next packet after that.
pub(super) const KEYS_RENEWED_BY: Duration = Duration::from_secs(300);
/// Initial packets come in datagrams of so many bytes at least (RFC 9000 section 14.1); of those that follow, most are smaller.
pub(super) const INITIAL: u64 = 1200;
