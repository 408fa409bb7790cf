//! `--format html`: what the page holds, that nothing of a capture becomes markup in it, that it asks for nothing, and that a real browser agrees (`make lab`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests stop the test")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

#[path = "html/browser.rs"]
mod browser;
#[path = "html/hostile.rs"]
mod hostile;
#[path = "scenario/packets.rs"]
#[allow(dead_code, reason = "scenarios use the rest")]
mod packets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use browser::Browser;
use packets::{Opens, Speaker, Wire};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[test]
fn every_finding_is_told_with_all_that_its_record_says() {
    let page = html(&[DEMO]);
    let records = analyze("ndjson", &[DEMO]);
    let findings: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|record: &Value| record["type"] == "finding").collect();
    assert!(findings.len() > 2 && page.matches("<article ").count() == findings.len());
    for (finding, article) in findings.iter().zip(page.split("<article ").skip(1)) {
        let cited = &finding["citation"];
        let told = [&finding["says"], &finding["consequence"], &finding["remedy"], &finding["evidence"]["display_filter"]];
        for text in told.into_iter().chain([&cited["document"], &cited["section"], &cited["quote"], &cited["url"]]).filter_map(Value::as_str) {
            assert!(article.contains(&escaped(text)), "{text} in {article}");
        }
        for frame in finding["evidence"]["frames"].as_array().unwrap() {
            assert!(article.contains(&frame["number"].to_string()), "frame {frame}");
        }
    }
    for picture in ["links-name", "time-1-name", "protocols-picture-name"] {
        assert!(page.contains(&format!("<title id=\"{picture}\">")), "a picture has a name: {picture}");
    }
    assert_eq!(page.matches("<svg ").count(), page.matches("<desc ").count(), "and is described");
    assert!(page.contains("link expected blocked"), "the dropped service is a broken line");
    assert!(page.contains("24 flows: 12 expected, 11 unexpected, 1 not judged; 4 of documented services blocked."));
}

#[test]
fn the_page_asks_for_nothing_and_lets_nothing_but_its_own_script_run() {
    let page = html(&[DEMO]);
    for word in ["src=", "<link", "<img", "<iframe", "@import", "url(", "javascript:", "style="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')), "links lead nowhere else");
    let inside = |name: &str| {
        let begin = page.find(&format!("<{name}>")).unwrap() + name.len() + 2;
        &page[begin..begin + page[begin..].find(&format!("</{name}>")).unwrap()]
    };
    let digest = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src &#39;none&#39;; style-src &#39;sha256-{}&#39;; script-src &#39;sha256-{}&#39;;",
        digest(inside("style")),
        digest(inside("script"))
    );
    assert!(page.contains(&policy), "{policy}");
}

#[test]
fn no_string_of_a_capture_becomes_markup() {
    let folder = tempfile::tempdir().unwrap();
    let page = html(&paths(&hostile::captures(folder.path())));
    // What is harmless must be there to be so. Host names with such letters are none already for `identify`.
    assert_eq!(page.matches(&escaped(hostile::MARKUP)).count(), 3, "two comments and the filter");
    assert!(page.matches("&lt;script&gt;window.pwned=").count() > 6, "and the first bytes of flows");
    assert!(page.matches(&escaped("<img src=x onerror=window.pwned=1>.pcap")).count() >= 2, "the file's name");
    let found = elements(&page);
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let strange: Vec<_> = names.iter().filter(|name| !ELEMENTS.contains(name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let attributes: BTreeSet<&str> = found.iter().flat_map(|(_, attributes)| attributes.iter().map(String::as_str)).collect();
    let strange: Vec<_> = attributes.iter().filter(|name| !ATTRIBUTES.contains(name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert_eq!(found.iter().filter(|(name, _)| name == "script").count(), 1);
}

#[test]
fn elements_are_closed_in_the_order_in_which_they_were_opened() {
    let folder = tempfile::tempdir().unwrap();
    let mut pages = vec![html(&paths(&hostile::captures(folder.path())))];
    pages.extend([DEMO, "fixtures/captures/dns-names/capture.pcap", "fixtures/captures/ftp-tls-passive/capture.pcap"].map(|capture| html(&[capture])));
    for page in pages {
        let mut open: Vec<&str> = Vec::new();
        for tag in tags(&page) {
            let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap();
            match tag.strip_prefix('/') {
                Some(_) => assert_eq!(open.pop(), Some(name)),
                None if ["meta", "br", "!DOCTYPE"].contains(&name) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
        let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is there once");
        let aims = page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        aims.for_each(|aim| assert!(ids.contains(&aim), "{aim} is there"));
    }
}

#[test]
fn a_long_capture_leaves_flows_out_and_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let page = html(&paths(&[many_flows(folder.path(), 6_000)]));
    let table = page.split("id=\"flows\"").nth(1).unwrap().split("</table>").next().unwrap();
    assert_eq!(table.matches("<tr>").count(), 1 + 5_000);
    assert!(table.contains("; 1,000 more are left out here</caption>"));
    assert!(page.len() < 5_000_000, "{}", page.len());
}

#[test]
fn quiet_leaves_the_findings_and_an_empty_capture_says_so() {
    let quiet = html(&["-q", DEMO]);
    assert!(quiet.contains("id=\"findings\"") && !quiet.contains("id=\"flows\"") && !quiet.contains("<nav"));
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pcap");
    std::fs::write(&empty, Wire::default().pcap()).unwrap();
    let page = html(&paths(&[empty]));
    assert!(page.contains("No findings. 0 flows: 0 expected, 0 unexpected, 0 not judged.") && page.contains("No flow was seen."));
}

#[test]
fn every_text_can_be_read_in_both_themes() {
    let style = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/html/page.css")).unwrap();
    let themes: Vec<&str> = style.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(themes.len(), 2, "light and dark");
    for theme in themes {
        let color = |name: &str| theme.split(&format!("--{name}: #")).nth(1).and_then(|rest| rest.get(..6)).unwrap_or_else(|| panic!("--{name}"));
        for ground in ["paper", "wash"] {
            for text in ["ink", "soft", "link", "good", "odd", "bad", "none"] {
                assert!(contrast(color(text), color(ground)) >= 4.5, "{text} on {ground}: {}", contrast(color(text), color(ground)));
            }
        }
        for shape in ["mine", "theirs"] {
            assert!(contrast(color(shape), color("paper")) >= 3.0, "{shape}: {}", contrast(color(shape), color("paper")));
        }
    }
}

#[test]
fn a_browser_shows_the_pages_and_runs_nothing_of_the_wire() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile::captures(folder.path());
    let pages = [
        paths(&[PathBuf::from(DEMO)]),
        paths(&[PathBuf::from("fixtures/captures/dns-names/capture.pcap")]),
        paths(&[PathBuf::from("fixtures/captures/ftp-tls-passive/capture.pcap")]),
        paths(&hostile),
    ];
    for (place, captures) in pages.iter().enumerate() {
        let file = folder.path().join(format!("{place}.html"));
        std::fs::write(&file, html(captures)).unwrap();
        let address = browser.open(&file);
        assert_eq!(
            browser.run(
                "return window.pwned === undefined && document.scripts.length === 1 && !document.querySelector('img, iframe, object, embed, link, base, form')"
            ),
            true
        );
        assert_eq!(browser.run("return document.querySelectorAll('article h3').length > 0 && document.querySelectorAll('svg title').length > 0"), true);
        sorts(&browser);
        filters(&browser);
        copies(&browser);
        let requests: Vec<String> = browser.requests().into_iter().filter(|asked| *asked != address).collect();
        assert!(requests.is_empty(), "{requests:?}");
        assert_eq!(browser.console(), Vec::<String>::new());
    }
}

#[test]
fn a_page_of_a_hundred_thousand_flows_stays_small_and_opens() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = html(&paths(&[many_flows(folder.path(), 100_000)]));
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    let file = folder.path().join("long.html");
    std::fs::write(&file, &page).unwrap();
    browser.open(&file);
    let opened = browser.run("return Math.round(performance.getEntriesByType('navigation')[0].loadEventEnd)");
    println!("100,000 flows: {} bytes, opened in {opened} ms", page.len());
    assert!(opened.as_u64().unwrap() < 10_000, "even a busy machine opens it");
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// A heading's button, pressed by the keyboard, sorts upwards, then downwards.
fn sorts(browser: &Browser) {
    let column = "return Array.from(document.querySelectorAll('#flows tbody tr'), row => parseFloat(row.lastElementChild.textContent.replace(/,/g, '')))";
    let bytes = |times: &str| {
        browser.press("#flows th:last-child button", times);
        browser.run(column).as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect::<Vec<_>>()
    };
    let rising = bytes(ENTER);
    assert!(rising.len() > 1 && rising.is_sorted(), "{rising:?}");
    assert_eq!(browser.run("return document.querySelector('#flows th:last-child').getAttribute('aria-sort')"), "ascending");
    assert!(bytes(ENTER).is_sorted_by(|a, b| a >= b));
}

/// What is typed into the field hides rows without it, and the number of rows is told.
fn filters(browser: &Browser) {
    if browser.run("return document.querySelector('#flows input') === null") == true {
        return;
    }
    let shown = "return Array.from(document.querySelectorAll('#flows tbody tr')).filter(row => row.getClientRects().length > 0).map(row => row.textContent)";
    let all = browser.run(shown).as_array().unwrap().len();
    browser.press("#flows input", "TCP 10.1.0.2");
    let rows: Vec<String> = browser.run(shown).as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_lowercase()).collect();
    assert!(rows.len() < all && rows.iter().all(|row| row.contains("tcp") && row.contains("10.1.0.2")), "{rows:?}");
    assert_eq!(browser.run("return document.querySelector('#flows output').textContent"), format!("{} of {all} rows", rows.len()));
}

fn copies(browser: &Browser) {
    browser.press(".filter button", ENTER);
    let said = "return document.querySelector('.filter button').textContent";
    let done = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        ["Copied", "Selected"].iter().any(|word| browser.run(said) == *word)
    });
    assert!(done, "{}", browser.run(said));
}

/// As many flows as wanted, from hosts of a product and others, to many servers.
fn many_flows(folder: &Path, many: u32) -> PathBuf {
    let mut wire = Wire::default();
    for number in 0..many {
        let [.., high, low] = number.to_be_bytes();
        let opens = Opens {
            client: [10, 1, high % 16, low].into(),
            server: [203, 0, 113, low].into(),
            tcp: false,
            client_port: 1024 + u16::try_from(number % 60_000).unwrap(),
            server_port: 1_000 + u16::from(high),
        };
        wire.exchange(&opens, &[(Speaker::Client, b"what is this?".to_vec()), (Speaker::Server, b"nobody knows".to_vec())]);
    }
    let path = folder.join("many.pcap");
    std::fs::write(&path, wire.pcap()).unwrap();
    path
}

/// Names of elements with those of their attributes, as a browser would read them outside style and script.
fn elements(page: &str) -> Vec<(String, Vec<String>)> {
    let element = |tag: &str| {
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((attribute, value)) = rest.split_once('=') {
            attributes.push(attribute.trim().to_owned());
            rest = value.strip_prefix('"').and_then(|value| value.split_once('"')).unwrap_or_else(|| panic!("a value in quotes: {tag}")).1;
        }
        attributes.extend(rest.split_whitespace().map(str::to_owned));
        (name.to_owned(), attributes)
    };
    tags(page).into_iter().filter(|tag| !tag.starts_with(['/', '!'])).map(element).collect()
}

/// All between `<` and `>`, outside style and script.
fn tags(page: &str) -> Vec<&str> {
    let (mut all, mut rest) = (Vec::new(), page);
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, behind) = after.split_once('>').unwrap_or_else(|| panic!("an open tag: {after}"));
        all.push(tag);
        rest = match tag {
            "style" | "script" => &behind[behind.find(&format!("</{tag}>")).unwrap()..],
            _ => behind,
        };
    }
    all
}

/// Contrast of two colours (WCAG 2.2, "contrast ratio" and "relative luminance").
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |color: &str| {
        let part = |place: usize| {
            let value = f64::from(u8::from_str_radix(&color[place..place + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn html<T: AsRef<str>>(arguments: &[T]) -> String {
    analyze("html", arguments)
}

fn analyze<T: AsRef<str>>(format: &str, arguments: &[T]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
    command.args(["analyze", "--format", format, "--role", "spinetix.player=10.1.0.0/24"]).args(arguments.iter().map(AsRef::as_ref));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("portbook runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn paths(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.display().to_string()).collect()
}

const DEMO: &str = "fixtures/captures/demo/capture.pcap";
/// The enter key, as WebDriver spells it.
const ENTER: &str = "\u{e007}";
const ELEMENTS: &[&str] = &[
    "a",
    "article",
    "body",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "desc",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "li",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "path",
    "pre",
    "q",
    "rect",
    "script",
    "section",
    "small",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];
const ATTRIBUTES: &[&str] = &[
    "aria-describedby",
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "charset",
    "class",
    "content",
    "d",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "open",
    "role",
    "scope",
    "tabindex",
    "viewBox",
    "width",
    "x",
    "y",
];
