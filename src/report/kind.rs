//! What kind of finding one is, for formats that sort findings into categories.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::judge::{Finding, Outcome, Reason};

/// A kind of finding, by its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service is blocked on its way.
    Blocked,
    /// A service fails otherwise, or now and then.
    Failed,
    /// A flow is there that should not be, or not so.
    Unexpected,
    /// A rule of a document that ties rows together.
    Tied,
}

impl Kind {
    /// The finding's.
    pub fn of(finding: &Finding) -> Self {
        match parsed::<Outcome>(&finding.rule) {
            Some(outcome) if outcome.is_blocked() => Self::Blocked,
            Some(_) => Self::Failed,
            None if finding.rule == "intermittent" => Self::Failed,
            None if parsed::<Reason>(&finding.rule).is_some() => Self::Unexpected,
            None => Self::Tied,
        }
    }

    /// In words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Blocked => "Service does not get through",
            Self::Failed => "Service fails",
            Self::Unexpected => "Traffic that the documents do not expect",
            Self::Tied => "Traffic that does not fit together",
        }
    }
}

/// The value of a closed list that has this word.
fn parsed<'de, T: Deserialize<'de>>(word: &'de str) -> Option<T> {
    let word: StrDeserializer<'de, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}
