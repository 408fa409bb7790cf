//! Findings on hosts that nobody found on their link (ARP, Neighbor Discovery). No flow follows such a question, so no flow can tell.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::judge::blocked::asked_in_vain;
use crate::judge::ends::End;
use crate::judge::visibility::Absent;
use crate::judge::{Confidence, Finding, Judge, Severity};
use crate::limit;
use crate::signature::{RoleId, Signatures};

/// Hosts that the site names and that are not there; and hosts of a role that ask for others in vain. Of those that `told` already has flows nothing is said again.
pub(super) fn findings(signatures: &Signatures, judge: &Judge<'_>, told: &[Finding]) -> Vec<Finding> {
    let is_told = |host: IpAddr| told.iter().any(|finding| finding.rule == RULE && finding.hosts[1].contains(&host));
    let absent: Vec<&Absent> = judge.absent().into_iter().filter(|absent| !is_told(absent.host)).collect();
    let (named, others): (Vec<&Absent>, Vec<&Absent>) = absent.into_iter().partition(|absent| !named_roles(judge, absent.host).is_empty());
    let mut findings: Vec<Finding> = named.into_iter().take(limit::HOSTS_OF_A_FINDING).map(|absent| missing(signatures, judge, absent)).collect();
    let askers: BTreeSet<IpAddr> = others.iter().map(|absent| absent.by).filter(|asker| !judge.roles_of(*asker).is_empty()).collect();
    for asker in askers.into_iter().take(limit::HOSTS_OF_A_FINDING) {
        let asked: Vec<&Absent> = others.iter().filter(|absent| absent.by == asker).copied().collect();
        // Whoever asks for many takes stock of the network.
        if asked.len() < limit::SCAN_TARGETS {
            findings.push(alone(judge, asker, &asked));
        }
    }
    for finding in &mut findings {
        finding.severity = judge.site().severity(RULE, None).unwrap_or(finding.severity);
    }
    findings
}

/// Roles that the site gives this host and not a whole network.
fn named_roles(judge: &Judge<'_>, host: IpAddr) -> Vec<RoleId> {
    let roles = judge.site().roles.iter();
    roles.filter(|(_, network)| network.prefix_len() == network.max_prefix_len() && network.addr() == host).map(|(role, _)| *role).collect()
}

fn missing(signatures: &Signatures, judge: &Judge<'_>, absent: &Absent) -> Finding {
    let roles = named_roles(judge, absent.host).into_iter().map(|role| signatures.role(role).id.as_str());
    let role = roles.collect::<Vec<_>>().join(", ");
    let says = format!("{}: it is switched off, or not on this link. The site has it as {role}", asked_in_vain(absent));
    let finding = finding(absent.by, &[absent], Severity::Medium, says);
    Finding {
        id: format!("{RULE}/link/any>{}", absent.host),
        server: absent.host.to_string(),
        consequence: Some("Nothing that the documents expect of it can work.".to_owned()),
        remedy: Some(End::Host(absent.host).switch_on()),
        ..finding
    }
}

fn alone(judge: &Judge<'_>, asker: IpAddr, asked: &[&Absent]) -> Finding {
    let first = asked.first().map_or_else(String::new, |absent| asked_in_vain(absent));
    let others: Vec<String> = asked.iter().skip(1).take(limit::FRAMES_CITED).map(|absent| absent.host.to_string()).collect();
    let others = if others.is_empty() { String::new() } else { format!("; nor did {}", others.join(", ")) };
    // Who reached somebody has its gateway, and a router asks for whoever others want: that it is a host with one gateway, the site must say.
    let lost = asked.len() == 1 && !judge.reaches_anybody(asker) && !named_roles(judge, asker).is_empty();
    let severity = if lost { Severity::Medium } else { Severity::Low };
    let gateway = if lost { ". It was not seen to reach anybody: if that is its gateway, nothing of it leaves this network" } else { "" };
    Finding {
        server: asked.iter().take(limit::FRAMES_CITED).map(|absent| absent.host.to_string()).collect::<Vec<_>>().join(", "),
        consequence: lost.then(|| "Nothing that goes through a missing gateway can work.".to_owned()),
        remedy: Some(format!("Check the addresses that {asker} is set to: gateway, name server, servers on its own network.")),
        ..finding(asker, asked, severity, format!("{first}{others}{gateway}"))
    }
}

fn finding(by: IpAddr, asked: &[&Absent], severity: Severity, says: String) -> Finding {
    let hosts: Vec<IpAddr> = asked.iter().map(|absent| absent.host).collect();
    let mut frames: Vec<_> = asked.iter().flat_map(|absent| absent.frames.iter().copied()).collect();
    frames.sort_unstable();
    frames.truncate(limit::FRAMES_OF_A_FINDING);
    let first = asked.iter().map(|absent| absent.since).min().unwrap_or_default();
    let last = asked.iter().map(|absent| absent.last).max().unwrap_or_default();
    let questions: Vec<String> = hosts.iter().take(limit::HOSTS_OF_A_FINDING).map(|host| display_filter(*host)).collect();
    Finding {
        id: format!("{RULE}/link/{by}>any"),
        rule: RULE.to_owned(),
        severity,
        service: None,
        rows: Vec::new(),
        client: by.to_string(),
        server: String::new(),
        hosts: [vec![by], hosts.into_iter().take(limit::HOSTS_OF_A_FINDING).collect()],
        flows: 0,
        attempts: asked.iter().map(|absent| u64::from(absent.times)).sum(),
        first,
        last,
        about: if asked.iter().all(|absent| absent.host.is_ipv4()) { "ARP" } else { "Neighbor Discovery" }.to_owned(),
        says,
        consequence: None,
        alternatives: vec!["the wrong address".to_owned(), "its switch port is in another network (VLAN)".to_owned()],
        remedy: None,
        citation: None,
        frames,
        display_filter: questions.join(" || "),
        flow_ids: Vec::new(),
        selected: 0,
        occurrences: Vec::new(),
        confidence: Confidence::High,
        unknown: None,
    }
}

/// Selects what the link was asked for a host.
pub(super) fn display_filter(host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => format!("arp.dst.proto_ipv4=={host}"),
        IpAddr::V6(host) => format!("icmpv6.nd.ns.target_address=={host}"),
    }
}

/// The contract's word for what it comes to.
const RULE: &str = "unreachable";
