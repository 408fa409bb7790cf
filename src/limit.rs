//! Every bound of the house, each a named constant with its reason. What is dropped at a bound is counted and shown.

// capture

/// Frames lent at once: enough to hide a cache miss behind the next lookup, few enough to stay in the first-level cache.
pub const BATCH: usize = 64;

// decode

/// VLAN tags kept of one frame. Provider bridges stack two; four leaves room for mirror feeds that add their own.
pub const VLAN_TAGS: usize = 4;
/// Encapsulations followed into one frame. Real paths nest two or three; more is a loop or an attack.
pub const TUNNEL_DEPTH: usize = 6;

// flow

/// Letters of a history. Zeek's kinds are 12 a side with at most four repetitions of the counted ones; nothing honest is longer.
pub const HISTORY_LETTERS: usize = 64;
/// ICMP errors kept of one flow. Senders limit their rate; the first few name the sender and the code, the rest are counted.
pub const REJECTIONS_KEPT: usize = 8;
/// SYN times kept of one connection: Linux tries at most 11 times.
pub const SYNS_KEPT: usize = 12;

// signature

// identify

/// Opening bytes kept of each side for people to look at: two lines of a hex dump.
pub const OPENING_KEPT: usize = 32;
/// Facts kept of one flow. A dialogue states a handful; a long HTTP connection states one a request.
pub const FACTS_KEPT: usize = 64;

// judge

/// Frames cited of one flow: the opening, the answer, the end, and a few retries.
pub const FRAMES_CITED: usize = 8;
/// Community IDs cited of one finding: enough to look some up, not a dump.
pub const FLOW_IDS_CITED: usize = 16;

// report
