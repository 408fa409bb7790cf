//! `--filter`: libpcap's expressions, compiled by libpcap, one program for each link type met.

use pcap::{BpfProgram, Capture, Linktype};

use super::{LinkType, SourceError};

/// A filter expression and the programs compiled of it so far.
pub struct Filter {
    expression: String,
    programs: Vec<(LinkType, BpfProgram)>,
}

impl Filter {
    /// Checks an expression (man 7 pcap-filter). Programs are compiled when a link type is first met.
    ///
    /// `less` and `greater` compare captured lengths, which a snap length may have cut.
    ///
    /// # Errors
    /// No link type takes it; with libpcap's words.
    pub fn compile(expression: &str) -> Result<Self, SourceError> {
        let mut filter = Self { expression: expression.to_owned(), programs: Vec::new() };
        let refused = match filter.program(LinkType::ETHERNET) {
            Ok(_) => return Ok(filter),
            Err(refused) => refused,
        };
        // Some expressions only hold for another link, such as those on 802.11 frame types.
        if OTHER_LINKS.iter().any(|link| filter.program(LinkType(*link)).is_ok()) {
            return Ok(filter);
        }
        Err(refused)
    }

    /// Whether a frame that begins as `link` says passes.
    ///
    /// # Errors
    /// The expression makes no sense for this link type; with libpcap's words.
    pub fn passes(&mut self, link: LinkType, bytes: &[u8]) -> Result<bool, SourceError> {
        Ok(self.program(link)?.filter(bytes))
    }

    /// The program for a link type.
    pub(super) fn program(&mut self, link: LinkType) -> Result<&BpfProgram, SourceError> {
        let place = match self.programs.iter().position(|(known, _)| *known == link) {
            Some(place) => place,
            None => {
                let program = compile(&self.expression, link).map_err(|error| self.refused(link, &error))?;
                self.programs.push((link, program));
                self.programs.len() - 1
            }
        };
        match self.programs.get(place) {
            Some((_, program)) => Ok(program),
            None => Err(self.refused(link, &pcap::Error::InsufficientMemory)),
        }
    }

    fn refused(&self, link: LinkType, error: &pcap::Error) -> SourceError {
        let words = match error {
            pcap::Error::PcapError(words) => words.clone(),
            other => other.to_string(),
        };
        SourceError {
            path: format!("--filter '{}'", self.expression),
            what: format!("libpcap cannot compile it for link type {}: {words}", link.0),
            hint: syntax(&self.expression).to_owned(),
        }
    }
}

/// Where the syntax stands; of an expression that looks like a display filter, that it is none.
pub(super) fn syntax(expression: &str) -> &'static str {
    let looks = ["==", "!=", "tcp.", "udp.", "ip.addr", "ip.src", "ip.dst", "ipv6.", "eth.", "frame.", " eq ", " contains "];
    if looks.iter().any(|sign| expression.contains(sign)) {
        return "this is a display filter of Wireshark; write it as tcpdump takes it, such as 'tcp port 443 and host 10.1.0.2': man 7 pcap-filter";
    }
    "man 7 pcap-filter has the syntax"
}

fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, pcap::Error> {
    // Most numbers of files are those of libpcap's interface; raw IP is not (12 on Linux).
    let number = match link {
        LinkType::RAW | LinkType(14) => 12,
        LinkType(number) => i32::from(number),
    };
    Capture::dead(Linktype(number))?.compile(expression, true)
}

/// Tried in turn where Ethernet refuses an expression: radiotap, 802.11, cooked, raw IP, null, PPP.
const OTHER_LINKS: [u16; 6] = [127, 105, 113, 101, 0, 9];

#[cfg(test)]
mod tests {
    use super::*;

    const ARP: [u8; 42] = {
        let mut frame = [0; 42];
        frame[12] = 0x08;
        frame[13] = 0x06;
        frame
    };

    #[test]
    fn a_filter_passes_what_libpcap_says_it_passes() {
        let mut filter = Filter::compile("arp").unwrap();
        assert!(filter.passes(LinkType::ETHERNET, &ARP).unwrap());
        assert!(!Filter::compile("not arp").unwrap().passes(LinkType::ETHERNET, &ARP).unwrap());
    }

    #[test]
    fn one_expression_is_compiled_for_each_link_type() {
        // The same UDP/IPv4 header, bare and behind Ethernet; pcap-filter reads ports at different places.
        let ip = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0, 53, 0, 8, 0, 0];
        let ethernet = [&[0; 12][..], &[8, 0], &ip].concat();
        let mut filter = Filter::compile("udp port 53").unwrap();
        assert!(filter.passes(LinkType::RAW, &ip).unwrap());
        assert!(filter.passes(LinkType::ETHERNET, &ethernet).unwrap());
        assert!(!filter.passes(LinkType::ETHERNET, &ip).unwrap());
    }

    #[test]
    fn a_syntax_error_is_told_in_libpcaps_words() {
        let error = Filter::compile("prot 53").err().unwrap();
        assert!(error.to_string().starts_with("--filter 'prot 53': libpcap cannot compile it"), "{error}");
    }

    #[test]
    fn an_expression_for_another_link_only_is_refused_when_ethernet_is_met() {
        let mut filter = Filter::compile("wlan type mgt").unwrap();
        assert!(filter.passes(LinkType::ETHERNET, &ARP).is_err());
    }
}
