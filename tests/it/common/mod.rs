//! Drives the real binary as a pipeline would: its own folder, no variables but those given.

pub mod estate;
pub mod mutation;
pub mod proxy;
pub mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compliance_gate::sources::{Permit, Preflights};
use sha2::{Digest, Sha256};

pub const BINARY: &str = env!("CARGO_BIN_EXE_compliance-gate");

/// The seed's documented request: two integrations, one framework.
pub const DOCUMENTED: &str = "    frameworks: [baseline_security]
    integrations:
      - {integration_type: aws_cloud_account, provider_id: \"122814690049\"}
      - {integration_type: azure_subscription, provider_id: f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b}
    poll: {interval: 50ms}
";

/// A folder of its own for one run of the binary.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name))
            .unwrap_or_else(|error| panic!("{name} was not written: {error}"))
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The SHA-256 of a file, in hexadecimal digits.
    pub fn sha256(&self, name: &str) -> String {
        let bytes = std::fs::read(self.path().join(name)).unwrap();
        Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The binary with nothing in its environment but tokens that the simulator takes. It prints
    /// all that it knows, so that a test can look for it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("COMPLIANCE_GATE_VERBOSE", "1")
            .env("OPENCOMPLY_API_KEY", "test-token-of-opencomply")
            .env("GRAVITYZONE_API_KEY", "test-token-of-gravityzone")
            .env("BIGPANDA_API_KEY", "test-token-of-bigpanda")
            .env("SYSDIG_API_TOKEN", "test-token-of-sysdig")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::wait(self.command(arguments))
    }
}

/// The longest that a test waits for something that is on its way. A loaded machine may be slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks all cases of a test at the same time, since most of each is waiting.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Waits until the condition holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Looks again and again until a value is found.
pub async fn look_until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ended {
    pub fn wait(mut command: Command) -> Self {
        let started = Instant::now();
        let output = command.output().unwrap();
        Self::of(output, started)
    }

    pub fn of(output: std::process::Output, started: Instant) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: started.elapsed(),
        }
    }

    /// Asserts the exit code, and shows all output if it differs.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that this is printed, to either stream.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "missing: `{words}`\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn does_not_say(self, words: &str) -> Self {
        assert!(
            !self.stdout.contains(words) && !self.stderr.contains(words),
            "must not appear: `{words}`\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

/// The embedded platforms as their own process.
pub struct Platform {
    child: Child,
    pub origin: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Platform {
    /// A scenario by name.
    pub fn start(scenario: &str) -> Self {
        Self::start_at(scenario, "127.0.0.1:0")
    }

    /// A scenario by name, at an address.
    pub fn start_at(scenario: &str, listen: &str) -> Self {
        let mut child = Command::new(BINARY)
            .args(["simulate", "--listen", listen, "--scenario", scenario])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let Some(origin) = first.trim().strip_prefix("OpenComply at ").map(str::to_owned) else {
            panic!("the simulator did not start: {first}{:?}", log.lock().unwrap());
        };
        Self { child, origin, log }
    }

    /// A scenario as JSON.
    pub fn of(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("scenario.json");
        std::fs::write(&path, scenario).unwrap();
        Self::start(path.to_str().unwrap())
    }

    /// The requests so far: method, path and status. The log comes through a pipe, so it is whole
    /// only once a further request is in it.
    pub fn requests(&self) -> Vec<String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        const MARK: &str = "/end-of-the-log/";
        let mark = format!("{MARK}{} ", NUMBER.fetch_add(1, Ordering::Relaxed));
        if let Ok(mut stream) = TcpStream::connect(self.origin.trim_start_matches("http://")) {
            let request = format!("GET {mark}HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let answered = stream.write_all(request.as_bytes());
            if answered.and_then(|()| stream.read_to_end(&mut Vec::new())).is_ok() {
                let is_whole = || self.log.lock().unwrap().iter().any(|line| line.contains(&mark));
                wait_until("the end of the log", is_whole);
            }
        }
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| !line.contains(MARK)).cloned().collect()
    }

    /// How many requests hold this text.
    pub fn count(&self, text: &str) -> usize {
        self.requests().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until a request holds this text.
    pub fn wait_for(&self, text: &str) {
        let is_there = || self.log.lock().unwrap().iter().any(|line| line.contains(text));
        wait_until(&format!("a request for {text}"), is_there);
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The permit of a source that waits for no other.
pub fn permit() -> Permit {
    let preflights = Preflights::default();
    let permit = preflights.register();
    preflights.ended(false);
    permit
}

/// A policy over OpenComply with the documented request and these gates.
pub fn opencomply(origin: &str, gates: &str) -> String {
    format!("version: 1\nsources:\n  opencomply:\n    url: {origin}\n{DOCUMENTED}gates:\n{gates}")
}

/// A policy over GravityZone with these gates.
pub fn gravityzone(origin: &str, settings: &str, gates: &str) -> String {
    format!("version: 1\nsources:\n  gravityzone:\n    url: {origin}/v1\n{settings}gates:\n{gates}")
}

/// A policy over BigPanda with these gates.
pub fn bigpanda(origin: &str, settings: &str, gates: &str) -> String {
    format!("version: 1\nsources:\n  bigpanda:\n    url: {origin}\n{settings}gates:\n{gates}")
}
