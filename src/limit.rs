//! Every bound of the house, each a named constant with its reason. What is dropped at a bound is counted and shown.

use std::ops::RangeInclusive;
use std::time::Duration;

// capture

/// Frames lent at once: enough to hide a cache miss behind the next lookup, few enough to stay in the first-level cache.
pub const BATCH: usize = 64;
/// Bytes asked of a capture file at a time. Measured: 64 KiB and 4 MiB both cost a tenth more a packet; this stays in the second-level cache.
pub const BLOCK_BYTES: usize = 256 * 1024;
/// The same where so many files overlap in time that the usual blocks would add up, and to look at a file's first frame.
pub const SMALL_BLOCK_BYTES: usize = 16 * 1024;
/// Files open at once that are read by full blocks; others by small ones. A compressed one holds seven blocks.
pub const FULL_BLOCKS: usize = 16;
/// Captured bytes of one frame: the most that libpcap and Wireshark write. A record that says more is damage, not a packet.
pub const FRAME_BYTES: u32 = 256 * 1024;
/// Bytes of one pcapng packet block: a frame and its options. One that says more is damage.
pub const PACKET_BLOCK_BYTES: u32 = FRAME_BYTES + 64 * 1024;
/// Bytes of any other record or block held at once, such as a table of names. Longer ones are passed over and counted.
pub const METADATA_BYTES: u32 = PACKET_BLOCK_BYTES;
/// Interfaces of one capture file. A host has dozens, a node full of containers some thousands; more is damage.
pub const CAPTURE_INTERFACES: usize = 8_192;
/// Interfaces of all files of a run together: two for each of as many files as one run takes.
pub const INTERFACES_OF_A_RUN: usize = 2 * CAPTURE_FILES;
/// Bytes kept of an interface's name, and of its filter.
pub const TEXT_OF_AN_INTERFACE: usize = 512;
/// Names from a capture's own records held until they are taken; those beyond are counted as passed over.
pub const NAMES_HELD: usize = 65_536;
/// Bytes of one such name: the longest that DNS has, in its text form.
pub const NAME_BYTES: usize = 254;
/// Comments kept of all captures of a run; those beyond are counted as passed over. People write dozens.
pub const COMMENTS_KEPT: usize = 4_096;
/// Bytes kept of one comment: a paragraph.
pub const COMMENT_BYTES: usize = 1_024;
/// Capture files of one run. A ring of one-minute files lasts six weeks; more is a folder named by mistake.
pub const CAPTURE_FILES: usize = 65_536;
/// Capture files open at once, where their times overlap: well below the usual 1,024 descriptors of a process. At the bound one is closed
/// and opened again when its turn comes.
pub const OPEN_CAPTURES: usize = 128;
/// Capture files that overlap in time: each holds a small block, or one block of a pcapng. More are hardly from one network.
pub const OVERLAPPING_CAPTURES: usize = 1_024;
/// Folders below a folder that was named. Deeper is a loop or a mistake.
pub const FOLDER_DEPTH: usize = 32;
/// Decompressed blocks on their way to the reader: enough that neither side waits for every block of the other.
pub const BLOCKS_AHEAD: usize = 4;

/// Bytes that all decompressors of a run hold together: twenty files with the windows that `zstd -19` makes, or one with the largest that is read.
pub const DECOMPRESSION_BYTES: usize = 160 << 20;
/// KiB that a compressed block may ask of the xz decoder: `xz -9` asks for a dictionary of 64 MiB and a little more. A block header can ask for 4 GiB.
pub const XZ_MEMORY_KIB: u32 = 96 * 1024;

// decode

/// VLAN tags kept of one frame. Provider bridges stack two; four leaves room for mirror feeds that add their own.
pub const VLAN_TAGS: usize = 4;
/// Encapsulations followed into one frame. Real paths nest two or three; more is a loop or an attack.
pub const TUNNEL_DEPTH: usize = 6;
/// Headers between link and IP that may hold any other (tags, LLC, labels). They recurse, so a frame made of nothing else must not exhaust the stack.
pub const HEADERS: u8 = 24;
/// IPv6 extension headers walked. RFC 8200 section 4.1 lists seven in its order; more than twice as many is an attack.
pub const IPV6_EXTENSIONS: usize = 16;

// flow

/// Letters of a history. Zeek's kinds are 12 a side with at most four repetitions of the counted ones; nothing honest is longer.
pub const HISTORY_LETTERS: usize = 64;
/// ICMP errors kept of one flow. Senders limit their rate; the first few name the sender and the code, the rest are counted.
pub const REJECTIONS_KEPT: usize = 8;
/// Bytes held of one side of a connection while bytes before them are missing: the receive window of an ordinary host.
pub const STREAM_BYTES_HELD: usize = 64 * 1024;
/// Separate pieces held of one side while bytes before them are missing: a window of full segments.
pub const STREAM_PIECES_HELD: usize = 64;
/// Bytes held of all connections of a table together, what each piece costs beside its bytes included. Loss in hundreds of connections at once fits; a flood
/// of holes does not eat the memory.
pub const STREAMS_BYTES_HELD: usize = 32 * 1024 * 1024;
/// Segments of one connection that wait for what they answer, as they were captured before it: a window of full segments. Their bytes count with those of streams.
pub const SEGMENTS_AHEAD: usize = 64;
/// Bytes that a live connection is counted with, without what its streams hold. One that is packed, as most are, takes some 300 with all that its bytes showed, where others showed the same; what has
/// no packed form (names that DNS told, announcements, details for records) comes to it.
pub const LIVE_FLOW_BYTES: usize = 900;
/// Bytes of a flow that is but one SYN so far, with its entries in index and agenda.
pub const LONE_FLOW_BYTES: usize = 128;
/// Flows of a table that lie open for their packets, at some 640 bytes each; others are packed. Those of an office that say something within some seconds. Few where
/// assertions are on, so that every test of flows with some more packs and takes out.
pub const FLOWS_AWAKE: usize = if cfg!(debug_assertions) { 4 } else { 1_024 };
/// The same where each flow is printed: so many that only flows which say nothing for very long are packed. Processors have enough to do there, and details are not
/// packed anyway.
pub const FLOWS_AWAKE_FOR_RECORDS: usize = if cfg!(debug_assertions) { FLOWS_AWAKE } else { LIVE_FLOWS };
/// Pairs of MAC addresses that packed flows of a table share, at some 40 bytes each; flows of others have their own. An office's tap sees some hundreds.
/// Few where assertions are on, so that tests meet flows of either kind.
pub const LINKS_SHARED: usize = if cfg!(debug_assertions) { 4 } else { 4_096 };
/// Flows that are packed, or ended, together, so that their cache misses overlap; they must stay in the first-level cache meanwhile.
pub const TOUCHED_AT_ONCE: usize = 64;
/// Flows live at once in a table of which nothing else is said; the pipeline shares [`MEMORY`] out. An office has some tens of thousands.
pub const LIVE_FLOWS: usize = 230_000;
/// SYN times kept of one connection: Linux tries at most 11 times.
pub const SYNS_KEPT: usize = 12;
/// How long fragments wait for the rest of their datagram: as long as Linux waits (ipfrag_time); RFC 8200 allows 60 s.
pub const FRAGMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of fragments held by one table. Linux holds 4 MiB; mirrors of many hosts need more.
pub const FRAGMENT_BYTES: usize = 16 << 20;
/// Incomplete datagrams of one table.
pub const DATAGRAMS_GATHERED: usize = 8192;
/// Length of a datagram after its IP header: what the 16-bit length fields can say. Fragments beyond are an attack ("ping of death").
pub const DATAGRAM_BYTES: u32 = 65_535;
/// Gaps of one datagram. Honest fragments come nearly in order.
pub const DATAGRAM_GAPS: usize = 64;
/// How far the times of packets may be apart from when they were on the wire: clocks of the two cards of a tap differ, and queues of one card are emptied in turn. Longer
/// than these, and shorter than the least retransmission timeout in use, which is 200 ms.
pub const CLOCKS_APART: Duration = Duration::from_millis(50);
/// How far times go back where frames lie in the order in which queues were emptied.
pub const QUEUES_APART: Duration = Duration::from_secs(1);
/// ICMP errors that are kept until what they quote comes, where both were captured in the wrong order.
pub const ERRORS_AHEAD: usize = 64;
/// Time between a packet and its copy. Mirrors and routers deliver within some milliseconds; the least retransmission timeout in use is 200 ms.
pub const DUPLICATE_WINDOW: Duration = Duration::from_millis(10);
/// Legs of a connection told apart where firewalls give it other sequence numbers. A path has one or two such firewalls.
pub const LEGS_KEPT: usize = 4;
/// Packets of such a connection remembered to know them again on another leg: what a gigabit brings in a quarter of the window of copies.
pub const LEG_PACKETS_REMEMBERED: usize = 256;
/// How long a connection that was there before the capture is looked at for such legs: its first packets tell.
pub const JOINED_LOOKED_AT: Duration = Duration::from_secs(1);
/// Packets remembered to recognise copies: the window and its patience at 1.6 million packets a second.
pub const DUPLICATES_REMEMBERED: usize = 65_536;
/// Places at which copies of one packet are told apart.
pub const COPIES_OF_A_PACKET: usize = 8;

// signature

/// Bytes of one signature file. The largest built-in one has a thousandth of it; a capture given by mistake is not read into memory.
pub const SIGNATURE_FILE_BYTES: u64 = 16 << 20;
/// Mistakes told of one entry: each costs a reading of the entry, and after so many the first ones are worth mending anyway.
pub const MISTAKES_PER_ENTRY: usize = 100;
/// Roles of all documents together: as many as a [`RoleId`](crate::signature::RoleId) can count.
pub const ROLES: usize = u16::MAX as usize;

// identify

/// Bytes held of flows that are not recognised yet and by the readers of others, in one shard of which nothing else is said.
pub const OPENINGS_BYTES_HELD: usize = 80 << 20;
/// Different kinds of what packed flows showed that are kept at hand, so that the next one like them takes nothing more: some hundred bytes each.
pub const SHOWN_ALIKE: usize = 4_096;
/// Opening bytes kept of each side for people to look at: two lines of a hex dump.
pub const OPENING_KEPT: usize = 32;
/// Bytes kept of the beginning of each datagram or piece of a flow that is not recognised yet: the fixed headers of RTP, uTP and SRT; a tick of TeaTime.
pub const HEAD_BYTES: usize = 32;
/// Opening bytes kept of a flow that is not recognised yet, both sides together: with all that is noted of them, room ahead included, a flow holds at most 4 KiB, however
/// it is made. ClientHellos are recognised by their first bytes; RTMP needs 1,537 of one side.
pub const OPENING_TRIED: usize = 2_680;
/// Datagrams, or pieces of a stream, after which a flow that nobody recognised is given up. RTP needs three, a text dialogue two exchanges.
pub const PIECES_TRIED: usize = 10;
/// Protocols found inside one another in one flow: a proxy, an upgrade, TLS and what ALPN names are four.
pub const LAYERS: usize = 6;
/// Bytes kept of one TLS or DTLS handshake message: ClientHellos with post-quantum keys take 2 KiB, certificate chains 3 to 8 KiB.
pub const HANDSHAKE_KEPT: usize = 16_384;
/// Greatest length that a hello may claim: 2^16 and something is no hello.
pub const HANDSHAKE_CLAIMED: u32 = 65_535;
/// Bytes of one HTTP head that are kept: servers refuse more than 8 to 16 KiB.
pub const HTTP_HEAD: usize = 16_384;
/// Bytes of a request body that are kept where they say what it is: an AddPortMapping takes 600.
pub const HTTP_BODY: usize = 2048;
/// Header fields of a product's own that are stated of a connection's first answer; a device has two or three.
pub const OWN_HEADERS: usize = 8;
/// HTTP messages read of one connection; a player that polls for days asks for nothing new.
pub const HTTP_MESSAGES: u16 = 256;
/// Bytes of one side of a JSON-RPC connection that are held until an object is whole: an ordinary call.
pub const JSONRPC_KEPT: usize = 2048;
/// Payload bytes of one WebSocket message that are kept: a CONNECT, a call, a stream header.
pub const WEBSOCKET_KEPT: usize = 1024;
/// WebSocket messages after which nobody will recognise what they carry.
pub const WEBSOCKET_MESSAGES: u16 = 8;
/// Datagrams of one QUIC flow that are read: a ClientHello takes two or three, Retry and version negotiation one more round each.
pub const QUIC_DATAGRAMS: u8 = 16;
/// Bytes of a DTLS connection id that are tried where the hellos were not seen: libraries use 1 to 8, gateways up to 16 (RFC 9146 allows 255).
pub const CONNECTION_ID: usize = 20;
/// Datagrams of one DTLS flow that are read: a handshake takes six flights of a few each, and some are sent again.
pub const DTLS_DATAGRAMS: u8 = 48;
/// Pieces of one STUN flow that are read: DTLS and RTP, if they come over the same ports, follow within seconds.
pub const STUN_PIECES: u16 = 64;
/// CoAP messages of one flow that are read; a sensor that reports for days says nothing new.
pub const COAP_MESSAGES: u16 = 128;
/// Greatest TeaTime frame whose checksum is worked out: logins take 16 to 48 bytes, island snapshots megabytes.
pub const TEATIME_FRAME: usize = 2048;
/// How long a name holds after it was heard, whatever its time to live: hosts keep answers longer than they should, and flows begin later.
pub const NAME_HOLDS: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(6 * 3600);
/// Packet time that one part of the name book spans. A name reaches over 13 parts.
pub const NAMES_EPOCH: Duration = Duration::from_secs(1800);
/// Names that one such part holds, at some 170 bytes each. A busy resolver answers nine new addresses a second.
pub const NAMES_AN_EPOCH: usize = 16_384;
/// Names of all parts together: 45 MB. Eight hours are kept whole at that pace; of a longer capture each part keeps its share.
pub const NAMES_IN_ALL: usize = 1 << 18;
/// Parts of the name book: twelve weeks. More is a capture with broken clocks.
pub const NAMES_EPOCHS: usize = 4096;
/// Hosts whose names a capture's own records give that are kept: the largest site's.
pub const HOSTS_RECORDED: usize = 65_536;
/// Names told of one host: the one asked for, its aliases, and a few others.
pub const NAMES_OF_A_HOST: usize = 8;
/// Longest time that a promise holds: port mappings and SSDP adverts last half an hour, and are renewed.
pub const PROMISE_HOLDS: Duration = Duration::from_secs(3600);
/// Packet time that one part of the book of promises spans.
pub const PROMISES_EPOCH: Duration = Duration::from_secs(600);
/// Promises that one such part holds: an FTP server announces a port a transfer.
pub const PROMISES_AN_EPOCH: usize = 8192;
/// Promises of all parts together, at some 300 bytes each: 40 MB.
pub const PROMISES_IN_ALL: usize = 1 << 17;
/// Parts of the book of promises: four weeks.
pub const PROMISES_EPOCHS: usize = 4096;
/// Bytes of one SIP or RTSP message of a stream that are held until it is whole: a description of a session fits.
pub const CALL_MESSAGE: usize = 4096;
/// Bytes of one side of a SOCKS dialogue that are held: greeting, credentials and request, each at most 515 bytes.
pub const SOCKS_KEPT: usize = 1600;
/// Media lines of one session description that become promises.
pub const MEDIA_KEPT: usize = 8;
/// Answers stated of one SIP or RTSP flow: a proxy's carries thousands.
pub const CALL_ANSWERS: u32 = 8;
/// Addresses of one service that become promises: a host has one or two of each family.
pub const SRV_ADDRESSES: usize = 4;
/// Bytes of one side of a .NET preamble or request that are held: a long address, encoding and upgrade.
pub const PREAMBLE_KEPT: usize = 1024;
/// Announcements read of one FTP control connection: a mirror run opens thousands, of which nobody needs more names than this.
pub const FTP_PROMISES: u32 = 4096;
/// HTTP/2 frames that are read of a connection that has not served yet: a service refuses one of its first requests.
pub const HTTP2_FRAMES: u16 = 256;
/// Bytes of a Java RMI registry's answer that are held: it holds one stub; JMX stubs are about 400 bytes.
pub const REGISTRY_KEPT: usize = 2048;
/// LDAP results stated of one connection; a busy one gives thousands.
pub const LDAP_RESULTS: u32 = 16;
/// Bytes of one side of a NetBIOS session opening that are held: 4 bytes and two encoded names fit.
pub const SESSION_KEPT: usize = 80;
/// Bytes of one side of an SSH opening that are held. A version line is at most 255 bytes; other lines may come before it.
pub const SSH_VERSION_KEPT: usize = 1024;
/// Bytes of one side of an RFB opening that are held: version, security types, reason.
pub const RFB_KEPT: usize = 512;
/// Instances of one SQL Server Browser answer that are read.
pub const SSRP_INSTANCES: usize = 16;
/// Bytes of a PostgreSQL server's first messages that are held: authentication, parameters, an error.
pub const POSTGRES_KEPT: usize = 1024;
/// Encrypted TLS records after which a side has nothing more to tell.
pub const TLS_RECORDS: u8 = 2;
/// The same as [`TLS_RECORDS`] where the other side is not seen.
pub const TLS_RECORDS_ONE_SIDED: u8 = 16;
/// Bytes of an SMB connection within which pipes are looked for: they are opened right after the login, bulk comes later.
pub const SMB_PIPES_WITHIN: u64 = 32 * 1024;
/// Bytes of one side of an XMPP stream that are held: headers, features and a login fit.
pub const XMPP_KEPT: usize = 6144;
/// Facts kept of one flow. A dialogue states a handful; a long HTTP connection states one a request. The latest answer has a place beyond them.
pub const FACTS_KEPT: usize = 64;
/// Details kept of one flow beside them: a protocol states some six, one that asks again and again one or two a question.
pub const DETAILS_KEPT: usize = 64;
/// Bytes of one text from the wire (banner, reason, product) that are kept: a line of a terminal or two.
pub const TEXT_KEPT: usize = 160;
/// Bytes of a line in the wrong protocol that are told: enough to know the protocol by.
pub const FOREIGN_LINE: usize = 32;
/// Values of one list from the wire that are told: ALPN names, security types.
pub const LIST_KEPT: usize = 16;
/// Bytes of one unfinished text line that a reader keeps. SMTP allows 512, IRC 512, FTP replies are shorter; SIP URIs may need more.
pub const LINE_KEPT: usize = 1024;
/// Bytes of one length-framed message that a reader looks at. Logins, greetings and errors fit; bulk data passes unread.
pub const MESSAGE_KEPT: usize = 2048;
/// Bytes after which a message must have told its length: BER and variable-length integers need fewer than 12.
pub const HEADER_TRIED: usize = 64;
/// Questions of one flow that wait for an answer, for telling a repeated one from a new one. A resolver seldom has more open on one port.
pub const QUESTIONS_OPEN: usize = 16;
/// Records of one DNS message that are read. Honest answers hold a dozen; a service browse some tens.
pub const DNS_RECORDS: usize = 96;
/// Aliases followed from one name to its addresses: resolvers give up after 8 to 16.
pub const DNS_ALIASES: usize = 16;
/// Addresses kept of one name: large pools answer with a dozen.
pub const ADDRESSES_OF_A_NAME: usize = 64;
/// Compression pointers followed in one DNS name: each label could be one, and a name has at most 127.
pub const DNS_POINTERS: usize = 127;

// pipeline

/// Bytes of memory that a run takes at most, unless `--memory` says otherwise: half of what the smallest machines have that run such tools.
pub const MEMORY: usize = 512 << 20;
/// What is learned takes its share whatever the traffic: books of names and promises, pairs and hosts remembered, the docket, findings, one table's fragments,
/// blocks of the capture, the program itself. The rest is shared among live flows.
pub const MEMORY_OF_KNOWLEDGE: usize = 192 << 20;
/// The least that `--memory` takes: some 46,000 live flows beside what is learned.
pub const MEMORY_LEAST: usize = 256 << 20;
/// Blocks that one worker may be ahead of the last one in the captures that they read together, some three rounds. Measured: eight take as long, forty a tenth longer, as they have
/// left the caches when the last one comes.
pub const PORTIONS_AHEAD: usize = 16;
/// Rounds of ended flows that a shard may be ahead of the judge.
pub const ROUNDS_AHEAD: usize = 8;

// judge

/// Ended flows that wait for their judgement, at some 1.2 KB each: an office's half hour. What is learned later than that of a tap, a server or a pair of
/// hosts comes too late for them.
pub const FLOWS_AWAITING: usize = 8_192;
/// Flows that are judged at once when their turn comes: a millisecond of work, worth sharing.
pub const FLOWS_CALLED: usize = 256;
/// Of these, flows that one thread judges before it takes the next ones: little enough that no other waits for it long.
pub const FLOWS_JUDGED_APART: usize = 16;
/// Frames cited of one flow: the opening, the answer, the end, and a few retries.
pub const FRAMES_CITED: usize = 8;
/// Hosts of which a draft of a site file is made: a large site's; at some 400 bytes each.
pub const HOSTS_LEARNED: usize = 1 << 16;
/// Clients and servers kept of one service that no document knows: roles are looked for among them.
pub const HOSTS_LEARNED_OF_A_SERVICE: usize = 256;
/// Entries of one kind that a draft of a site file proposes: more nobody reads through.
pub const LEARNED_ENTRIES: usize = 64;
/// Frames told of what shows that a firewall rule is missing: enough to look at.
pub const FRAMES_OF_A_RULE: usize = 4;
/// Characters of a document's sentence in a firewall rule's comment: its beginning names the row.
pub const QUOTE_OF_A_RULE: usize = 120;
/// Judged flows that are handed to the thread that prints at once, so that neither waits for the other often; some 2,000 bytes each.
pub const JUDGED_A_BATCH: usize = 256;
/// Such batches that may wait until they are printed: two megabytes, and then who judges waits. As many may wait for the worker that made them to free them.
pub const BATCHES_JUDGED_AHEAD: usize = 4;
/// Lists of TLS hellos of which a thread keeps what JA4 makes of them, at most 64 numbers each: some hundred makes of clients, with two lists each.
pub const JA4_LISTS: usize = 512;
/// Kinds of flows that are alike to the documents, of which it is kept how their rows were weighed, at some 2,000 bytes each: the ports of a
/// network with what is spoken there and who may ask whom.
pub const KINDS_WEIGHED: usize = 2_048;
/// Bytes of paths that a flow may have asked for if it is to be one of a kind: else the wire would choose how much is kept.
pub const PATHS_OF_A_KIND: usize = 256;
/// Rows shown beside the one that a flow belongs to. Cinegy's busiest port has five; more than that helps nobody.
pub const CANDIDATES_SHOWN: usize = 8;
/// Hosts of which it is remembered that they were heard or reached, by capture point: a large site's, at some 60 bytes each.
pub const HOSTS_REMEMBERED: usize = fill(17);
/// Pauses of the captures that are remembered, the last ones: at sixteen bytes each, for flows that are judged while they are.
pub const PAUSES_REMEMBERED: usize = 1 << 14;
/// Minutes of interfaces of which it is remembered what was lost in them, at some 60 bytes each: ten days of one.
pub const MINUTES_REMEMBERED: usize = fill(14);
/// Minutes over which what a flow carried is spread, the last ones of its life: live ones are learned from every few seconds.
pub const MINUTES_OF_A_FLOW: i64 = 256;
/// Minutes before and after a moment in which it is looked for what was lost, if fewer do not show it.
pub const MINUTES_AROUND: i64 = 63;
/// Pairs of client and server port of which it is remembered which ICMP error refused them, at some 120 bytes each: few are refused, but for a scanner's.
pub const REFUSALS_REMEMBERED: usize = fill(13);
/// Pairs of client and server port of which it is remembered whether they worked, at some 80 bytes each.
pub const PAIRS_REMEMBERED: usize = fill(16);
/// Who was asked for on a link by whom, and which hosts said that they are there: a large site's, at some 100 bytes each.
pub const NEIGHBOURS_REMEMBERED: usize = fill(14);
/// Groups of which it is remembered who receives them: more than a site has streams, at some 150 bytes each and a kilobyte at most.
pub const GROUPS_REMEMBERED: usize = fill(11);
/// Names by which clients are let in one at a time (MQTT's client identifiers), of which it is remembered whom the server sent away: more than a site has devices, at some 100 bytes each and two
/// kilobytes at most.
pub const NAMESAKES_REMEMBERED: usize = fill(12);
/// The latest connections by such a name: two that put each other out come again and again.
pub const STAYS_REMEMBERED: usize = 32;
/// The latest words about a group, and the latest questions for receivers: who is asked answers each time, and where nobody asks there are few.
pub const REPORTS_REMEMBERED: usize = 16;
/// What was said of neighbours and waits for the judge: no more packets lie between two of its turns.
pub const NEIGHBOURS_HELD: usize = 1 << 13;
/// Where a capture has no frame for so long, two may have been joined to it: hardly any network is so quiet.
pub const GAP_IN_A_CAPTURE: Duration = Duration::from_secs(3_600);
/// Hosts whose search for an address is followed in one flow: as many as start at once where the power comes back.
pub const SEARCHES: usize = 64;
/// Questions for one name, by one client to one resolver, whose times are remembered: enough to see that it asks again.
pub const QUESTIONS_TIMED: usize = 8;
/// Hellos of servers remembered of one client, and clients remembered of one name: as many as show that they are alike, or not.
pub const SHAPES_OF_A_HOST: usize = 8;
/// Places in a network at which captures are told apart, by interface and VLAN: the VLANs of a trunk.
pub const POINTS_REMEMBERED: usize = 4096;
/// Links (pairs of MAC addresses at a capture point) of which it is remembered whether answers came over them, at some 60 bytes each.
pub const LINKS_REMEMBERED: usize = fill(16);
/// Sources of which unanswered targets are remembered, at 2 KB each at worst: more hosts than fail at once in a large site.
pub const SOURCES_REMEMBERED: usize = fill(14);
/// Names of which it is remembered where they were served, cut, or looked up, at some 100 bytes each.
pub const NAMES_REMEMBERED: usize = fill(16);
/// Names remembered of one end, and addresses of one name: enough for a control.
pub const NAMES_AT_AN_END: usize = 4;
/// TLS hellos of one host for one name that are told apart: a browser opens half a dozen connections at once.
pub const HELLOS_OF_A_NAME: usize = 16;
/// Issuers and keys of certificates that are remembered, at some 150 bytes each: no site meets as many private authorities.
pub const VOUCHERS_REMEMBERED: usize = fill(14);
/// Hosts of which it is remembered by what they show which role they play: a large site's, at some 200 bytes each.
pub const HOSTS_SHOWN: usize = fill(16);
/// Marks remembered of one host: a device shows its hardware address, a name and a few headers.
pub const MARKS_OF_A_HOST: usize = 8;
/// Flows of late of which it is remembered what they began with: both sides of a router that translates addresses end within moments of each other. At some 100 bytes each.
pub const TRANSLATIONS_AWAITED: usize = fill(10);
/// Flows of which it is remembered that they were captured on both sides of such a router; hardly any capture has one.
pub const TRANSLATED_PAIRS_REMEMBERED: usize = fill(15);
/// Directions of live connections of which it is remembered how many of their SYNs and resets came on both sides of a router, at some 60 bytes each. Beyond that nothing is
/// said of where one died.
pub const CROSSINGS_REMEMBERED: usize = 1 << 15;
/// Unanswered targets remembered of one source: twice what makes it a scanner.
pub const TARGETS_REMEMBERED: usize = 64;
/// How long a product is watched using one service before it is told that it never tried another that belongs to it: many times the keep-alive of a
/// connection that may have begun before the capture.
pub const COMPANION_WITHIN: Duration = Duration::from_secs(1800);
/// Times at which flows between two hosts began that are remembered.
pub const MEETINGS_TIMED: usize = 64;
/// Flows of what is due once that are too many: a failed try or two is no habit.
pub const AGAIN_AND_AGAIN: usize = 3;
/// Documented rows shown beside an undocumented service.
pub const NEAREST_SHOWN: usize = 4;
/// Ports on which the same hosts speak the same undocumented protocol that are findings of their own; more are one finding.
pub const PORTS_TOLD_APART: usize = 4;
/// Pairs of hosts between which something fails that are kept apart while findings are gathered, at some 1 KB each, as one that worked at another time is told otherwise. The
/// first pair of each kind of failure finds room beyond it.
pub const PAIRS_GATHERED: usize = 1 << 14;
/// Kinds of what should not be that are kept apart while findings are gathered, at some 1 KB each; of what no document mentions a kind is a port, until there are too many.
pub const KINDS_GATHERED: usize = 1 << 14;
/// Hosts, ports and names told apart in one finding; more are a number.
pub const HOSTS_OF_A_FINDING: usize = 64;
/// Minutes remembered in which flows of one finding between two hosts began: half an hour of retries, or three days of hourly ones.
pub const MINUTES_OF_A_FINDING: usize = 32;
/// Frames cited of one finding: those of a few flows.
pub const FRAMES_OF_A_FINDING: usize = 32;
/// Flows that one finding cites: whose frames, Community IDs and display filter it has. Wireshark takes more, people do not paste more.
pub const FLOWS_SELECTED: usize = 32;
/// Different unanswered targets (host and port) that make a source a scanner, if hardly anything answers it. A device that cannot reach its clouds
/// tries a handful; a scanner tries a network.
pub const SCAN_TARGETS: usize = 32;

// live

/// How long a flow waits for its judgement after it ended, where more than that is seldom learned: what hosts show, and retries.
pub const LIVE_AWAITS: Duration = Duration::from_secs(60);
/// A live flow is judged like one that ended once it has gone on for this long, though it is never quiet.
pub const LIVE_SETTLES: Duration = Duration::from_secs(60);
/// Troubles that did not go on for this long are forgotten first where room is short.
pub const LIVE_FINDING_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Live flows looked at each second, of those with which something may be wrong and of the others, at some 1.2 KB each. The others are learned from when they
/// end: where there are so many, many end.
pub const LIVE_LOOKED_AT: usize = 8_192;
/// Ended flows that a worker hands over at once, or keeps while the judge is busy, at some 1.2 KB each: of 32,000 a second. More are counted as not judged.
pub const LIVE_ENDED_HELD: usize = 1 << 14;
/// Bytes of the kernel's ring for each interface and worker, unless `--buffer` says otherwise: half a second of a full gigabit line.
pub const LIVE_BUFFER: usize = 64 << 20;
/// Part of `--memory` in which packets are kept for `watch --evidence`: one in so many.
pub const MEMORY_OF_EVIDENCE: usize = 8;
/// Packets of a flow that are kept longer than others for its evidence, each minute: its opening and the answers to it.
pub const KEPT_OF_A_BEGINNING: u8 = 16;
/// Bytes that the evidence file of a watch grows to. What findings cite beyond is counted: a file that is to be opened must not be larger.
pub const EVIDENCE_BYTES: u64 = 256 << 20;
/// Packets remembered that were written to it.
pub const EVIDENCE_REMEMBERED: usize = 1 << 18;
/// Bytes of frames of several interfaces that wait for earlier ones: what a full gigabit line brings in the fifth of a second that a ring may be behind.
pub const LIVE_IN_ORDER: usize = 32 << 20;
/// Packets taken from the ring of one interface at a time: their bytes stay in a core's own cache.
pub const LIVE_TAKEN: usize = 256;
/// Records that wait for a slow output; what finds no room is counted.
pub const LIVE_LINES_AWAITING: usize = 16_384;

// app

/// Flows of one name that are told in full: each takes a page. More are a number.
pub const FLOWS_EXPLAINED: usize = 32;
/// Flows named where the one that was asked for is not there: a line or two.
pub const NEIGHBOURS_NAMED: usize = 8;

// report

/// Hosts that a text report lists because they showed what they are. More are a number.
pub const HOSTS_TOLD: usize = 16;
/// Letters of a finding's sentence that a comment in an evidence file has: Wireshark shows a comment on one line.
pub const SENTENCE_IN_A_COMMENT: usize = 240;
/// Findings that the comment on an evidence file lists; each packet names its own.
pub const FINDINGS_IN_A_COMMENT: usize = 32;
/// Addresses told apart of one service's clients or servers. A report says how many there are; beyond this, that there are more.
pub const ADDRESSES_TOLD_APART: usize = 4_096;
/// Rows of the table of flows in an HTML page, at some 400 bytes each: what people still filter, and a page that a browser opens at once and a mail takes.
pub const HTML_FLOWS: usize = 5_000;
/// Rows of a group of a Parquet file, which are held until it is full: some 16 MB of flows, and groups large enough that readers skip through them. Few where
/// assertions are on, so that tests' files have several.
#[cfg(feature = "parquet")]
pub const PARQUET_ROWS: usize = if cfg!(debug_assertions) { 8 } else { 16_384 };
/// Rows of an HTML page's table of services, and of findings beyond those told in full.
pub const HTML_ROWS: usize = 1_000;
/// Findings that it tells in full, at some 8 KB each with their time lines: more than anybody reads.
pub const HTML_FINDINGS: usize = 100;
/// Flows of one finding whose time lines are drawn.
pub const HTML_TIME_LINES: usize = 8;
/// Flows whose attempts and answers are kept for time lines, at some 250 bytes each. A finding of others shows when they began.
pub const HTML_SKETCHES: usize = 1 << 14;
/// Links between hosts or roles that are counted apart, at some 250 bytes each.
pub const HTML_LINKS: usize = 1 << 13;
/// Links that are drawn: a page of a screen. The worst and busiest; the others are counted.
pub const HTML_LINKS_DRAWN: usize = 24;
/// Hosts of one role that do the same and are drawn one by one; more are drawn as one with their number.
pub const HTML_HOSTS_APART: usize = 3;
/// Protocol stacks counted apart; all others are one.
pub const HTML_PROTOCOLS: usize = 1_024;
/// Protocol stacks drawn; the others are one bar.
pub const HTML_PROTOCOLS_DRAWN: usize = 12;
/// Hosts with a role by documented rows of which it is kept what came of them, at some 50 bytes each.
pub const HTML_HOST_ROWS: usize = 1 << 14;
/// Hosts of one role that have a column of the coverage matrix: as many as a page is wide.
pub const HTML_HOST_COLUMNS: usize = 12;

// check

/// Different ways in which the flows of one expectation differ that are told, each with an example; and findings that are like the one that is missing.
pub const DIFFERENCES_TOLD: usize = 8;
/// Rows between pairs of hosts that a baseline holds, at some 300 bytes each: a network of a thousand appliances has some ten thousand.
pub const BASELINE_PAIRS: usize = 1 << 16;
/// Bytes of a baseline file: twice what the most rows and findings take.
pub const BASELINE_BYTES: u64 = 64 << 20;

/// What two hash tables of together `1 << power` places take before they grow: seven eighths. One entry more would double what they cost.
const fn fill(power: u32) -> usize {
    (1 << power) / 8 * 7
}
