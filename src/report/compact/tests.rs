//! Compact JSON is held against what serde_json writes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
struct Wrapped(i64);

#[derive(Serialize)]
enum Kind {
    Plain,
    New(u32),
    Tuple(u8, u8),
    Fields { a: Option<u8>, b: () },
}

#[derive(Serialize)]
struct All<'a> {
    kinds: [Kind; 4],
    #[serde(flatten)]
    map: BTreeMap<&'static str, f64>,
    text: &'a str,
    letter: char,
    numbers: (i8, i16, i32, i64, u8, u16, u32, u64, f32),
    flags: Vec<bool>,
    nothing: [Option<Pair>; 2],
    empty: ([u8; 0], Unit, Wrapped),
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
}

fn all(text: &str) -> All<'_> {
    All {
        kinds: [Kind::Plain, Kind::New(7), Kind::Tuple(1, 2), Kind::Fields { a: None, b: () }],
        map: [("x", 0.5), ("y", f64::NAN), ("z", 1e300)].into(),
        text,
        letter: '"',
        numbers: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, u8::MAX, u16::MAX, u32::MAX, u64::MAX, 1.5),
        flags: vec![true, false],
        nothing: [None, Some(Pair(3, "three"))],
        empty: ([], Unit, Wrapped(-1)),
        address: "2001:db8::1".parse().unwrap(),
        left_out: None,
    }
}

#[test]
fn every_kind_of_value_is_written_as_serde_json_writes_it() {
    for text in ["", "plain", "say \"hi\"\\", "\u{0}\t\n\u{1f}\u{7f}", "gr\u{fc}n \u{1f4a1} \u{2028}"] {
        assert_eq!(compact(&all(text)).unwrap(), serde_json::to_string(&all(text)).unwrap());
    }
    let value = serde_json::json!({"a": [1, -2, 3.25, null, {}], "b\n": {"c": "d\"", "e": [], "f": true}});
    assert_eq!(compact(&value).unwrap(), value.to_string());
}

#[test]
fn what_is_ready_is_copied_here_and_made_anew_for_others() {
    let ready = || Ready { value: || ["made", "anew"], json: "[\"ready\"]" };
    let both = (ready(), "said", [ready()]);
    assert_eq!(compact(&both).unwrap(), r#"[["ready"],"said",[["ready"]]]"#);
    assert_eq!(serde_json::to_string(&both).unwrap(), r#"[["made","anew"],"said",[["made","anew"]]]"#);
}

#[test]
fn every_byte_that_needs_an_escape_is_found_wherever_it_stands() {
    for (len, at) in (1..40).flat_map(|len| (0..len).map(move |at| (len, at))) {
        for byte in 0..=0x7f {
            let mut text = vec![b' '; len];
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            assert_eq!(compact(&text).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}

#[test]
fn a_key_that_is_no_text_is_an_error() {
    assert!(compact(&BTreeMap::from([(1, 2)])).is_err());
}

proptest! {
    #[test]
    fn any_text_is_escaped_as_serde_json_escapes_it(text in ".*") {
        prop_assert_eq!(compact(&text).unwrap(), serde_json::to_string(&text).unwrap());
    }
}
