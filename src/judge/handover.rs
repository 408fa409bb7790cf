//! What outlives a change of documents or site while the traffic goes on: knowledge of the network, flows that wait, coverage.
//!
//! Findings are gathered anew, as they rest on documents and roles. No flow is lost: those that wait are judged by what is in force when their turn comes.

use std::collections::{BTreeMap, VecDeque};

use crate::identify::Identified;
use crate::judge::announcer::Announcers;
use crate::judge::coverage::Tried;
use crate::judge::resolver::Resolvers;
use crate::judge::visibility::Seen;
use crate::signature::{RoleId, ServiceId, Signatures};
use crate::time::Timestamp;

/// Knowledge that does not rest on documents.
pub(super) struct Knowledge {
    pub(super) seen: Seen,
    pub(super) resolvers: Resolvers,
    pub(super) announcers: Announcers,
}

/// Everything that is handed from one judge of live traffic to the next.
pub struct Handover {
    pub(super) knowledge: Knowledge,
    pub(super) waiting: VecDeque<(Timestamp, Box<Identified>)>,
    pub(super) covered: Covered,
}

/// What was seen of documented rows, by their names: numbers change with the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    pub(super) rows: BTreeMap<String, Tried>,
    /// By role and row.
    pub(super) by_role: BTreeMap<(String, String), Tried>,
}

impl Covered {
    /// Names what was seen of the rows of these documents.
    pub(super) fn of(signatures: &Signatures, tried: &[Tried], by_role: &BTreeMap<(RoleId, ServiceId), Tried>) -> Self {
        let names = |role: RoleId, row: ServiceId| (signatures.role(role).id.clone(), signatures.service(row).id.clone());
        let rows = signatures.services.iter().zip(tried).filter(|(_, tried)| **tried != Tried::default());
        Self {
            rows: rows.map(|(row, tried)| (row.id.clone(), *tried)).collect(),
            by_role: by_role.iter().map(|((role, row), tried)| (names(*role, *row), *tried)).collect(),
        }
    }

    /// The words in which a journal keeps it: what was seen of each row, and of each row by each role.
    pub fn words(&self) -> impl Iterator<Item = (String, String)> {
        let rows = self.rows.iter().map(|(row, tried)| (row.clone(), tried.word()));
        let by_role = self.by_role.iter().map(|((role, row), tried)| (format!("{role} {row}"), tried.word()));
        rows.chain(by_role)
    }

    /// Takes in what a journal kept; whether it could be understood.
    pub fn read(&mut self, name: &str, word: &str) -> bool {
        let Some(tried) = Tried::of_word(word) else { return false };
        match name.split_once(' ') {
            Some((role, row)) => self.by_role.entry((role.to_owned(), row.to_owned())).or_default().merge(tried),
            None => self.rows.entry(name.to_owned()).or_default().merge(tried),
        }
        true
    }
}
