//! Single statements of a flow's protocols, for formats that have a field of their own for each.

use crate::identify::{DetailValue, Fact};
use crate::judge::Judged;
use crate::net::Side;

/// Requests for resources: method and path.
pub(super) fn requests(facts: &[Fact]) -> impl Iterator<Item = (&str, &str)> {
    facts.iter().filter_map(Fact::as_request)
}

/// What the client says it is; not what header fields of its own say.
pub(super) fn user_agent(facts: &[Fact]) -> Option<&str> {
    facts.iter().find_map(|fact| match fact {
        Fact::Software { of: Side::Client, text } if !text.starts_with("x-") => Some(&**text),
        _ => None,
    })
}

/// The first answer of the server.
pub(super) fn answer(facts: &[Fact]) -> Option<u32> {
    facts.iter().find_map(|fact| if let Fact::Answer { code, by: Side::Server, .. } = fact { Some(*code) } else { None })
}

/// All that was stated under a field of a protocol.
pub(super) fn details<'a>(judged: &'a Judged, protocol: &'static str, field: &'static str) -> impl Iterator<Item = &'a DetailValue> {
    judged.identified.details.iter().filter(move |detail| detail.key == (protocol, field)).map(|detail| &detail.value)
}

/// The server's name by that source, as this flow states it: others may have told another one of the same address.
pub(super) fn server_name<'a>(judged: &'a Judged, source: &str) -> Option<&'a str> {
    judged.names[Side::Server as usize].iter().find(|named| named.source == source && named.age.is_none()).map(|named| named.name.as_str())
}

/// `2026-12-21T00:50:27` of a certificate's UTCTime or GeneralizedTime (RFC 5280, section 4.1.2.5: years from 50 on are of the last century).
pub(super) fn certificate_time(text: &str) -> Option<String> {
    let (century, rest) = match text.len() {
        13 => (if text < "5" { "20" } else { "19" }, text),
        15 => (text.get(..2)?, text.get(2..)?),
        _ => return None,
    };
    let part = |place: usize| rest.get(place..place + 2).filter(|part| part.bytes().all(|digit| digit.is_ascii_digit()));
    Some(format!("{century}{}-{}-{}T{}:{}:{}", part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, part(10)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_of_certificates_are_read() {
        assert_eq!(certificate_time("261221005027Z").as_deref(), Some("2026-12-21T00:50:27"));
        assert_eq!(certificate_time("991231235959Z").as_deref(), Some("1999-12-31T23:59:59"));
        assert_eq!(certificate_time("20501221005027Z").as_deref(), Some("2050-12-21T00:50:27"));
        assert_eq!(certificate_time("soon"), None);
        assert_eq!(certificate_time("\u{e9}61221005027"), None);
    }
}
