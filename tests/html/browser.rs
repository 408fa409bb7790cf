//! A browser driven as its users drive it: WebDriver (W3C), spoken to Debian's chromedriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A browser with one window. Closed when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Its user data: a fresh one each time.
    _data: tempfile::TempDir,
}

impl Browser {
    /// Starts one; none where it is not installed, or this is not the laboratory.
    pub fn start() -> Option<Self> {
        if std::env::var_os("PORTBOOK_BROWSER").is_none() {
            println!("skipped: make lab opens pages in a browser");
            return None;
        }
        let mut driver = match Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
            Ok(driver) => driver,
            Err(error) => {
                println!("skipped: chromedriver does not start ({error}); fixtures/record/install installs it");
                return None;
            }
        };
        let told = BufReader::new(driver.stdout.take().expect("its output is piped")).lines().map_while(Result::ok);
        let port =
            told.filter_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()).next().expect("chromedriver says its port");
        let data = tempfile::tempdir().expect("a folder");
        let mut browser = Self { driver, port, session: String::new(), _data: data };
        let profile = format!("--user-data-dir={}", browser._data.path().display());
        let arguments = [&ARGUMENTS[..], &[&profile]].concat();
        let options = json!({"binary": "/usr/bin/chromium", "args": arguments});
        let logs = json!({"browser": "ALL", "performance": "ALL"});
        let wanted = json!({"browserName": "chrome", "goog:loggingPrefs": logs, "goog:chromeOptions": options});
        let opened = browser.ask("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = opened["sessionId"].as_str().unwrap_or_else(|| panic!("a session: {opened}")).to_owned();
        Some(browser)
    }

    /// Opens a file. What was said and asked for before is forgotten.
    pub fn open(&self, page: &Path) -> String {
        self.log("browser");
        self.log("performance");
        let address = format!("file://{}", page.display());
        self.command("url", &json!({"url": address}));
        address
    }

    /// Runs a script in the page; what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Types into the element that a selector finds, as a keyboard does.
    pub fn press(&self, selector: &str, keys: &str) {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        let element = found.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str).unwrap_or_else(|| panic!("{selector}: {found}"));
        self.command(&format!("element/{element}/value"), &json!({"text": keys}));
    }

    /// What the page wrote to the console, errors included.
    pub fn console(&self) -> Vec<String> {
        self.log("browser").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that were asked for.
    pub fn requests(&self) -> Vec<String> {
        let told = self.log("performance");
        let messages = told.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        let requests = sent.map(|message| message["message"]["params"].clone());
        // The browser's own empty page may still be loading.
        let of_pages = requests.filter(|request| !request["documentURL"].as_str().unwrap_or_default().starts_with("chrome://"));
        of_pages.map(|request| request["request"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        self.command("se/log", &json!({"type": kind})).as_array().cloned().unwrap_or_default()
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{path}", self.session), body)
    }

    /// One request, one connection (RFC 9112).
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .expect("chromedriver takes it");
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("a header line");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        answer.read_exact(&mut text).expect("the whole answer");
        let answer: Value = serde_json::from_slice(&text).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also after a failure: a driver that is killed leaves its browser running. A second panic would end all tests, so nothing is asked of the answer.
        if let (false, Ok(mut stream)) = (self.session.is_empty(), TcpStream::connect(("127.0.0.1", self.port))) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
            let _ = write!(stream, "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", self.session);
            let _ = stream.read(&mut [0]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const ARGUMENTS: [&str; 7] =
    ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update", "--disable-sync"];
