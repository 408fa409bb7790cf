//! What captures show to be missing of a site's rules.

use super::sample::*;
use crate::judge::policy::{Found, Gaps, Policy};
use crate::judge::{Outcome, Site};
use crate::signature::Signatures;

fn found(site: &Site, samples: &[Sample]) -> Found {
    let mut gaps = Gaps::new(Policy::of(Signatures::built_in(), site));
    samples.iter().for_each(|sample| gaps.add(&judge_one(site.clone(), sample.clone())));
    gaps.finish().1
}

fn rows(found: &Found) -> Vec<Vec<&str>> {
    found.missing.iter().map(|gap| gap.opening.whys.iter().map(|why| why.id.as_str()).collect()).collect()
}

// 5321 + N: the rule for the first engine is no rule for the second.
#[test]
fn a_range_that_is_opened_for_one_port_is_missing_for_another() {
    let engine = site(&["cinegy.playout-engine=10.5.0.1/32"]);
    let rpc = |port: u16| tcp("10.9.0.1:40000", &format!("10.5.0.1:{port}"));
    let first = || rpc(5321).talked(60, 60);
    assert_eq!(rows(&found(&engine, &[first(), rpc(5322).syns(&[11.0, 12.0, 14.0])])), [["cinegy-playout-rpc"]]);
    // What worked once at the same port fails now and then.
    assert!(rows(&found(&engine, &[first(), rpc(5321).syns(&[11.0, 12.0, 14.0])])).is_empty());
}

// A23
#[test]
fn a_port_that_two_rows_share_is_missing_for_both() {
    let silent = tcp("10.9.0.1:40000", "10.3.0.1:8097").syns(&[1.0, 2.0, 4.0]);
    assert_eq!(rows(&found(&site(&["cinegy.traffic-gateway=10.3.0.1/32"]), &[silent])), [["cinegy-tg-main", "cinegy-tg-license"]]);
}

#[test]
fn what_does_not_get_through_and_has_no_rule_is_told_all_the_same() {
    let mams = site(&["cinegy.mams=10.3.0.2/32"]);
    let sql = |port: u16| tcp("10.3.0.2:40000", &format!("10.3.0.9:{port}")).syns(&[1.0, 2.0, 4.0]);
    let told = found(&mams, &[sql(1433), sql(1433)]);
    assert!(told.missing.is_empty());
    let [without] = told.ruleless.as_slice() else { panic!("{:?}", told.ruleless) };
    assert_eq!(Signatures::built_in().service(without.service).id, "cinegy-sqlserver");
    assert_eq!((without.flows, without.pairs, without.outcome), (2, 1, Outcome::SilentDrop));
    // With the server's role there is a rule.
    let known = found(&site(&["cinegy.mams=10.3.0.2/32", "cinegy.sql-server=10.3.0.9/32"]), &[sql(1433)]);
    assert_eq!((rows(&known).len(), known.ruleless.len()), (1, 0));
}
