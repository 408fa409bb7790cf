//! portbook holds captured traffic against vendors' port documents.
//!
//! One way through the house, one noun a room:
//!
//! ```text
//! capture -Frame-> decode -Packet-> flow -Flow-> identify -Identified-> judge -Judged-> report
//!                                                   ^                    ^
//!                                              signature            signature, site
//! ```
//!
//! * [`capture`] lends the [`Frame`](capture::Frame)s of files and interfaces.
//! * [`decode`] says what one frame holds: a [`Packet`](decode::Packet), and the [`Fault`](decode::Fault) at which understanding stopped.
//! * [`flow`] gathers packets into [`Flow`](flow::Flow)s and lends their payload in order.
//! * [`signature`] holds the vendors' documents as data.
//! * [`identify`] says what the bytes of a flow are and which facts they state.
//! * [`judge`] holds an identified flow against the documents and says what became of it.
//! * [`report`] writes what was found, one writer a format.
//! * [`check`] compares what was found with what is expected.
//! * [`pipeline`] is the only file that names all the rooms; [`app`] turns arguments into a run of it.
//!
//! A room names only the rooms before it in this list; `tests/house.rs` checks that.

pub mod count;
pub mod limit;
pub mod net;
pub mod time;

pub mod capture;
pub mod check;
pub mod decode;
pub mod flow;
pub mod identify;
pub mod judge;
pub mod report;
pub mod signature;

pub mod app;
pub mod pipeline;
