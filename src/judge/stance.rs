//! The operator's word on a flow: what the site file allows, denies and ignores goes before what the documents say.

use crate::identify::Identified;
use crate::judge::{Confidence, Judged, Reason, Site, Stance, Verdict};
use crate::signature::RoleId;

/// Which of the site's entries decided about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stated {
    /// This one of [`Site::deny`].
    Denied(usize),
    /// A host of this one of [`Site::places`] asks for an address, though its addresses are static.
    Static(usize),
    /// This one of [`Site::allow`].
    Allowed(usize),
    /// This one of [`Site::ignore`].
    Ignored(usize),
    /// This one of [`Site::allow`], which holds no longer.
    Expired(usize),
}

/// Lets the site decide about the flow. What is both allowed and denied is denied; what is ignored is judged by the documents, and no
/// finding.
pub(super) fn apply(site: &Site, judged: &mut Judged) {
    judged.stance = stated(site, judged);
    match judged.stance {
        Some(Stated::Denied(_) | Stated::Static(_)) => {
            (judged.verdict, judged.reasons, judged.attribution) = (Verdict::Unexpected, vec![Reason::DeniedBySite], Confidence::High);
        }
        Some(Stated::Allowed(_)) => (judged.verdict, judged.reasons, judged.attribution) = (Verdict::Expected, Vec::new(), Confidence::High),
        Some(Stated::Ignored(_) | Stated::Expired(_)) | None => {}
    }
}

fn stated(site: &Site, judged: &Judged) -> Option<Stated> {
    let at = judged.identified.flow.first;
    let about = |entries: &[Stance], holds: bool| entries.iter().position(|entry| entry.holds(at) == holds && site.is_about(entry, judged));
    let ignored = || about(&site.ignore, true).map(Stated::Ignored);
    let asks = || asks_for_an_address(site, &judged.identified, &judged.roles[0]).map(Stated::Static);
    let denied = about(&site.deny, true).map(Stated::Denied);
    ignored().or(denied).or_else(|| about(&site.allow, true).map(Stated::Allowed)).or_else(asks).or_else(|| about(&site.allow, false).map(Stated::Expired))
}

/// The place of static addresses whose host sends DHCP requests, by its address or, as it may have none yet, its hardware address.
fn asks_for_an_address(site: &Site, identified: &Identified, roles: &[RoleId]) -> Option<usize> {
    if !identified.protocol.iter().any(|protocol| ["dhcp", "dhcpv6"].contains(protocol)) {
        return None;
    }
    let (client, mac) = (identified.flow.client.endpoint.ip, identified.flow.client.mac);
    let place = site.narrowest(client, |place| place.static_addresses.is_some()).or_else(|| site.place_of_mac(mac?)).filter(|place| {
        // A server or a relay of a static segment is asked, and asks for others: only the client's own port shows a client.
        place.static_addresses == Some(true) && (!roles.is_empty() || identified.flow.client.endpoint.port != DHCP_SERVER)
    })?;
    site.places.iter().position(|other| std::ptr::eq(other, place))
}

/// Port of DHCP servers and relays (RFC 2131, section 4.1).
const DHCP_SERVER: u16 = 67;
