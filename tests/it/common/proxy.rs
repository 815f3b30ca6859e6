//! A small HTTP proxy in front of the simulator that breaks answers the way networks do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::wait_until;

/// The header by which the simulator says what it is.
const MARK: &str = "x-simulated-by";

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is closed before anything is answered; the platform never sees it.
    Reset,
    /// The platform acts on the request, and its answer is lost.
    LoseAnswer,
    /// Nothing is answered, and the connection stays open.
    Stall,
    /// Half the body, and then nothing more.
    StallBody,
    /// Half the body under the whole length, and the connection is closed.
    CutBody,
    /// Half the body under half the length.
    ShortBody,
    /// Ten bytes a second.
    Drip,
    /// A list that does not end.
    Endless,
    /// These lines come first in the head of the answer.
    Headers(String),
    /// This answer instead, whole: head and body.
    Answer(String),
    /// The same, where it is not text.
    Bytes(Arc<[u8]>),
    /// The platform gets the request once this is set.
    Held(Arc<AtomicBool>),
    /// The answer without the header by which the simulator says what it is.
    Unmarked,
}

/// A fault for requests whose first line holds `path`: `times` of them after `skip`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub path: &'static str,
    pub skip: usize,
    pub times: usize,
    pub fault: Fault,
}

pub struct Proxy {
    pub origin: String,
    closed: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// A platform that is not known to be simulated.
    pub fn unmarked(upstream: &str) -> Self {
        let rule = Rule { path: "", skip: 0, times: usize::MAX, fault: Fault::Unmarked };
        Self::start(upstream, vec![rule])
    }

    pub fn start(upstream: &str, rules: Vec<Rule>) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let rules = Arc::new(Mutex::new(rules));
        let (stop, heads) = (Arc::clone(&closed), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (upstream, rules, heads) =
                    (upstream.clone(), Arc::clone(&rules), Arc::clone(&heads));
                std::thread::spawn(move || {
                    let _ = serve(client, &upstream, &rules, &heads);
                });
            }
        });
        Self { origin: format!("http://{address}"), closed, seen }
    }

    /// Request heads as they were sent, credentials included.
    pub fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.origin.trim_start_matches("http://"));
    }
}

fn serve(
    mut client: TcpStream,
    upstream: &str,
    rules: &Mutex<Vec<Rule>>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (head, body) = message(&mut reader)?;
    heads.lock().unwrap().push(head.clone());
    let fault = due(&mut rules.lock().unwrap(), head.lines().next().unwrap_or_default());
    match &fault {
        Some(Fault::Reset) => return client.shutdown(Shutdown::Both),
        Some(Fault::Stall) => return stall(),
        Some(Fault::Held(released)) => {
            wait_until("its release", || released.load(Ordering::Relaxed));
        }
        Some(Fault::Answer(answer)) => return client.write_all(answer.as_bytes()),
        Some(Fault::Bytes(answer)) => return client.write_all(answer),
        Some(Fault::Endless) => {
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")?;
            loop {
                client.write_all(&b"{},".repeat(4096))?;
            }
        }
        _ => {}
    }
    let mut server = TcpStream::connect(upstream)?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let start = find(&answer, b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let half = start + (answer.len() - start) / 2;
    match fault {
        Some(Fault::LoseAnswer) => client.shutdown(Shutdown::Both),
        Some(Fault::StallBody) => {
            client.write_all(&answer[..half])?;
            stall()
        }
        Some(Fault::CutBody) => client.write_all(&answer[..half]),
        Some(Fault::ShortBody) => {
            let length = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", half - start);
            client.write_all(length.as_bytes())?;
            client.write_all(&answer[start..half])
        }
        Some(Fault::Drip) => answer.iter().try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(100));
            client.write_all(&[*byte])
        }),
        Some(Fault::Headers(lines)) => {
            let status = find(&answer, b"\r\n").map_or(answer.len(), |at| at + 2);
            client.write_all(&answer[..status])?;
            client.write_all(lines.as_bytes())?;
            client.write_all(&answer[status..])
        }
        Some(Fault::Unmarked) => {
            let head = String::from_utf8_lossy(&answer[..start]).into_owned();
            let head: Vec<_> = head.lines().filter(|line| !line.starts_with(MARK)).collect();
            client.write_all((head.join("\r\n") + "\r\n").as_bytes())?;
            client.write_all(&answer[start..])
        }
        _ => client.write_all(&answer),
    }
}

/// Longer than any test waits.
fn stall() -> std::io::Result<()> {
    std::thread::sleep(Duration::from_secs(120));
    Ok(())
}

fn due(rules: &mut [Rule], line: &str) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| line.contains(rule.path) && rule.times > 0)?;
    if rule.skip > 0 {
        rule.skip -= 1;
        return None;
    }
    rule.times -= 1;
    Some(rule.fault.clone())
}

fn message(reader: &mut impl BufRead) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
