//! How a flow came to its judgement, told in full for the one flow that somebody asks about: each row that was held against it and what decided between
//! them, whence its ends have their roles, and whether an answer would have been seen.

use std::cmp::Reverse;

use serde::Serialize;

use crate::flow::End;
use crate::judge::candidate::{Case, Level, Rank, Weighed};
use crate::judge::role::{Plays, Roles};
use crate::judge::verdict::{Decision, in_order, moved, same_service};
use crate::judge::visibility::Sight;
use crate::judge::{Candidate, Reason, Shown};
use crate::signature::{RoleId, ServiceId, Signatures};

/// How a flow came to its judgement.
#[derive(Clone, Debug)]
pub struct Account {
    /// Every row that touches the flow: the one it belongs to or breaks, those that fit, those that nearly fit.
    pub rows: Vec<Considered>,
    /// Why client and server have the roles that they are judged by, a sentence each.
    pub roles: [Vec<(RoleId, String)>; 2],
    /// Whether an answer would have been seen where the flow was captured.
    pub sight: SightWords,
    /// Parts per thousand of the acknowledged bytes that were lost there.
    pub loss_per_mille: u64,
}

/// A row that was held against the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The row.
    pub service: ServiceId,
    /// What came of it.
    pub standing: Standing,
    /// What speaks for it.
    pub speaks_for: String,
    /// What decided against it; nothing against the flow's own.
    pub against: Option<String>,
}

/// What came of holding a row against a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The flow belongs to it.
    Own,
    /// It tells the flow's own service from another side.
    SameService,
    /// It is the row that the flow breaks, or meets in part.
    Broken,
    /// It fits as well as another, and nothing tells which is meant.
    Tied,
    /// It fits, and another fits better.
    LessSpecific,
    /// It fits by the number of its port, which does not suffice.
    PortAlone,
    /// The flow would have been its own, and was taken from it.
    Withdrawn,
    /// Something of it does not fit.
    Missed,
    /// It has the flow's protocol between such hosts, on another port.
    Elsewhere,
}

/// Whether an answer would have been seen, as a word and in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SightWords {
    /// `blind`, `open`, `likely`, `shown`.
    pub word: &'static str,
    /// What it rests on.
    pub says: &'static str,
}

impl Sight {
    pub(super) const fn words(self) -> SightWords {
        let (word, says) = match self {
            Self::Blind => ("blind", "no: answers to this host or over this path demonstrably pass elsewhere, so silence shows nothing"),
            Self::Open => ("open", "nothing shows it: no answer of that kind was seen at this place, and none that passed elsewhere"),
            Self::Likely => ("likely", "likely: answers of the same kind to other hosts, or over the same link, were seen at this place"),
            Self::Shown => ("shown", "yes: the server, or somebody beside it, was heard by this very client at this place"),
        };
        SightWords { word, says }
    }
}

/// The rows in the order in which they are told.
pub(super) fn rows(case: &Case<'_>, signatures: &Signatures, weighed: &[Weighed], decision: &Decision) -> Vec<Considered> {
    let (fitting, near) = in_order(case, weighed);
    let best = fitting.first().copied();
    let own = decision.service;
    let fits = fitting.iter().map(|row| {
        let (standing, against) = among_fitting(signatures, best, own, row);
        considered(signatures, case, row, standing, against)
    });
    let near = near.into_iter().map(|row| {
        let against = row.speaks_against(signatures, case);
        match (Some(row.service) == own, row.fits()) {
            (true, _) => considered(signatures, case, row, Standing::Broken, Some(against)),
            (false, true) => considered(signatures, case, row, Standing::PortAlone, Some(if row.claimed { CLAIMED_PORT } else { COMMON_PORT }.to_owned())),
            (false, false) => considered(signatures, case, row, Standing::Missed, Some(against)),
        }
    });
    let mut all: Vec<Considered> = fits.chain(near).collect();
    all.sort_by_key(|row| !matches!(row.standing, Standing::Own | Standing::Broken));
    if own.is_none() {
        let elsewhere = moved(case, signatures).into_iter().filter(|other| !weighed.iter().any(|row| row.service == other.service));
        all.extend(elsewhere.map(|Candidate { service, why, .. }| Considered {
            service,
            standing: Standing::Elsewhere,
            speaks_for: why,
            against: Some("the flow is on another port".to_owned()),
        }));
    }
    all
}

/// Marks the row that a scanner's flow was taken from.
pub(super) fn withdraw(rows: &mut [Considered], against: &str) {
    for row in rows.iter_mut().filter(|row| row.standing == Standing::Own) {
        row.standing = Standing::Withdrawn;
        row.against = Some(against.to_owned());
    }
}

/// Why each role is believed.
pub(super) fn roles(roles: &Roles<'_>, end: &End, given: &[RoleId], by_itself: bool, shown: &[Shown]) -> Vec<(RoleId, String)> {
    let why = |role: RoleId| match shown.iter().find(|shown| shown.counts && shown.role == role).filter(|_| by_itself) {
        Some(shown) => format!("the host shows it by its {}: {}", shown.by.replace('_', " "), shown.what),
        None if by_itself => "the host shows it".to_owned(),
        None => match roles
            .site()
            .narrowest(end.endpoint.ip, |place| place.roles.contains(&role))
            .or_else(|| end.mac.and_then(|mac| roles.site().place_of_mac(mac)))
        {
            Some(place) => format!("the site file has it in \"{}\"", place.name),
            None => "--role says so".to_owned(),
        },
    };
    given.iter().map(|role| (*role, why(*role))).collect()
}

fn considered(signatures: &Signatures, case: &Case<'_>, row: &Weighed, standing: Standing, against: Option<String>) -> Considered {
    Considered { service: row.service, standing, speaks_for: row.speaks_for(signatures, case), against }
}

/// What came of a row that fits.
fn among_fitting(signatures: &Signatures, best: Option<&Weighed>, own: Option<ServiceId>, row: &Weighed) -> (Standing, Option<String>) {
    let Some(best) = best.filter(|best| best.service != row.service || own.is_none()) else { return (Standing::Own, None) };
    if best.rank() == row.rank() {
        return match own {
            Some(own) if own == row.service => (Standing::Own, None),
            Some(own) if same_service(signatures, own, row.service) => {
                (Standing::SameService, Some("it tells the same service from another product's side; the earlier row stands".to_owned()))
            }
            _ => (Standing::Tied, Some("other rows fit as well, and nothing in the flow tells which is meant".to_owned())),
        };
    }
    let id = &signatures.service(best.service).id;
    (Standing::LessSpecific, Some(format!("{id} fits better: {}", better(best.rank(), row.rank()))))
}

/// By what one row outranks another: the first that differs, in the order of [`Rank`].
fn better(best: Rank, other: Rank) -> String {
    let (level, named, [stronger, weaker], _, path, word, Reverse(width)) = best;
    let (its_level, its_named, [its_stronger, its_weaker], _, its_path, its_word, Reverse(its_width)) = other;
    if level != its_level {
        return format!("{} tells more than {}", rests_on(level), rests_on(its_level));
    }
    if named != its_named {
        return "the server's name is one of its own".to_owned();
    }
    if (stronger, weaker) != (its_stronger, its_weaker) {
        let plays = if stronger == its_stronger { weaker } else { stronger };
        return match plays {
            Plays::Given => "it is about a host whose role is known".to_owned(),
            Plays::Kind => "its ends are of the kind that the document has, where those of this one are assumed".to_owned(),
            _ => "its ends are surer".to_owned(),
        };
    }
    if path != its_path {
        return "more of the path that was asked for is its own".to_owned();
    }
    if word != its_word {
        return if word == 2 { "your own file goes before the documents" } else { "the document goes before what other sources add" }.to_owned();
    }
    if width != its_width { format!("it is for {width} ports, this one for {its_width}") } else { "it comes first in the document".to_owned() }
}

/// By what a row found its flow.
const fn rests_on(level: Level) -> &'static str {
    match level {
        Level::Name => "a name or a protocol",
        Level::Range => "a range of ports",
        Level::Port => "the very port",
        Level::PortPath => "the port with the path",
        Level::Content => "the port with a protocol of the product's own",
        Level::Announced => "an announcement",
    }
}

impl Reason {
    /// What it means, as a clause about the flow.
    pub const fn says(self) -> &'static str {
        match self {
            Self::UndocumentedService => "an end has a role, and no row of the documents that apply covers what goes on",
            Self::WrongDirection => "the row exists, but the document has it opened from the other end",
            Self::WrongProtocol => "the port is documented for another protocol than the bytes show",
            Self::NotEncrypted => "documented as encrypted, seen in clear",
            Self::UnexpectedlyEncrypted => "documented in clear, seen encrypted",
            Self::UndocumentedPath => "a documented port, but a path that no row names",
            Self::OptionalServiceActive => "the service is off unless somebody switched it on, and it answered",
            Self::UnknownName => "the server's name fits no documented pattern",
            Self::OutsideAnnouncedRange => "announced, but outside the range that the document gives",
            Self::NotAnnounced => "in a range that needs an announcement, and none was seen",
            Self::LeftTheLan => "discovery that went beyond the local network",
            Self::InboundFromOutside => "opened from outside to a product that needs no inbound opening",
            Self::WrongRole => "an end plays another role than the row asks for, or may not be the host that the document means",
            Self::UnsupportedByProduct => "the product does not support it",
            Self::DeniedBySite => "the site file forbids it",
            Self::VersionTooOld => "the service came with a later version than the one in use",
            Self::DirectionUnknown => "nothing tells who opened it",
            Self::Midstream => "it began before the capture",
            Self::NotEnoughBytes => "too little was captured to tell",
            Self::SharedPort => "several documented rows fit equally",
            Self::NotCovered => "no document is about it: no row speaks of such traffic, or no end has a role that would bring its rows in",
        }
    }
}

const COMMON_PORT: &str = "only the number of the port speaks for it: no role of a host, no name, no bytes of its own, and others use that port too";
const CLAIMED_PORT: &str = "only the number of the port speaks for it, and what was seen there is not recognised, or it is not sure which end was asked";
