//! Changes single fields of a platform's answers, and shows what a source makes of them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use compliance_gate::acceptance::Acceptance;
use compliance_gate::evaluate;
use compliance_gate::evidence::{Evidence, Outcome};
use compliance_gate::finding::{Problem, Severity};
use compliance_gate::http::{Http, Setup, Tls};
use compliance_gate::policy::{Gate, Policy};
use compliance_gate::progress::{Progress, Verbosity};
use compliance_gate::secret::{Token, Variables};
use compliance_gate::sources::{Session, Source};
use compliance_gate::stop::Stop;
use compliance_gate_simulator::{Scenario, Simulator};
use futures_util::future::join_all;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::estate::{self, Scene};

/// How many changed platforms are asked at the same time.
const AT_ONCE: usize = 16;

/// A run that a change makes endless is watched this long.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a source collected, or why its preflight refused.
pub type Collected = Result<Outcome, Vec<Problem>>;

/// A red estate: what its platform is like, how it is asked, and what the gate on it is.
pub struct Red {
    /// The system, as `sources` names it.
    pub system: &'static str,
    pub scenario: Value,
    /// The path of `url` at the platform's origin.
    pub path: &'static str,
    pub settings: Value,
    pub gate: Gate,
    pub accept: Vec<Acceptance>,
    /// A part of the labels of all changes that are made: a request, a field.
    pub of: &'static str,
    /// Whether it is red because its evidence is in doubt, and not by a failure.
    pub in_doubt: bool,
    /// Entries of large lists and maps that are changed besides the first [`Red::entries`], by key, or
    /// by `id` or `name`.
    pub named: &'static [&'static str],
    pub entries: usize,
    /// Ends of labels of changes after which a pass is right.
    pub harmless: &'static [&'static str],
    /// A floor for the number of changes, so that the test cannot become empty.
    pub at_least: usize,
}

impl Red {
    /// No failure above the severity.
    pub fn gate(system: &str, least: Severity) -> Gate {
        let mut gate = estate::gate("red", &[system], 1, estate::max(0));
        let all = Severity::NAMED.into_iter();
        gate.selection.severity = Some(all.filter(|severity| *severity >= least).collect());
        gate
    }

    /// Asserts that the estate is red, and that no change of a field makes it green.
    pub async fn stays_red(self) {
        let green = RefCell::new(Vec::new());
        let check = |label: &str, outcome: &Collected| {
            if self.is_green(outcome) {
                green.borrow_mut().push(label.to_owned());
            }
        };
        let count = self.each_change("a-token-for-tests", changed, check).await;
        let green = green.into_inner();
        let is_harmless = |label: &String| self.harmless.iter().any(|end| label.ends_with(end));
        let wrong: Vec<_> = green.iter().filter(|label| !is_harmless(label)).collect();
        assert!(count >= self.at_least, "{count} changes");
        assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
    }

    /// Collects once for every change of every field. Returns the number of changes.
    pub async fn each_change(
        &self,
        token: &str,
        change: impl Fn(&Value, &str) -> Vec<(&'static str, Value)>,
        check: impl Fn(&str, &Collected),
    ) -> usize {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scenario = Scenario::from_json(&self.scenario.to_string()).unwrap();
        let address = ([127, 0, 0, 1], 0).into();
        let simulator = Simulator::start(address, scenario, |_| {}).await.unwrap();
        let upstream = Arc::new(Upstream {
            origin: simulator.origin(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        });
        let recorder = Changed::start(&upstream, Answers::default()).await;
        let red = self.collect(&recorder.origin, token).await;
        let is_clean = red.as_ref().is_ok_and(|outcome| {
            let mut parts = outcome.parts.iter();
            outcome.problems.is_empty() && parts.all(|part| part.problems.is_empty())
        });
        assert!(is_clean != self.in_doubt, "{red:#?}");
        let answers = recorder.state.lock().unwrap().answers.clone();
        let again = self.collect(&recorder.origin, token).await;
        assert!(!self.is_green(&red) && !self.is_green(&again), "the estate is not red: {red:#?}");
        let values: BTreeMap<_, Value> = answers
            .iter()
            .map(|(request, answer)| (request, serde_json::from_slice(answer).unwrap()))
            .collect();
        let queue = RefCell::new(self.places(&values));
        let count = Cell::new(0);
        let workers = (0..AT_ONCE).map(async |_| {
            let platform = Changed::start(&upstream, answers.clone()).await;
            loop {
                let Some((request, pointer)) = queue.borrow_mut().pop_front() else { break };
                for (kind, answer) in change(&values[&request], &pointer) {
                    let label = format!("{request} {pointer} {kind}");
                    if !label.contains(self.of) {
                        continue;
                    }
                    let answer = serde_json::to_vec(&answer).unwrap().into();
                    platform.state.lock().unwrap().change = Some((request.clone(), answer));
                    let collected = self.collect(&platform.origin, token).await;
                    check(&label, &collected);
                    count.set(count.get() + 1);
                }
            }
        });
        join_all(workers).await;
        count.get()
    }

    fn is_green(&self, outcome: &Collected) -> bool {
        let Ok(outcome) = outcome else { return false };
        let now = Utc::now();
        let evidence = Evidence { started: now, finished: now, outcomes: vec![outcome.clone()] };
        evaluate::decide(&self.policy(), &evidence, None, now).verdict.is_pass()
    }

    fn policy(&self) -> Policy {
        let policy = Scene::new(vec![self.gate.clone()], Vec::new()).policy;
        Policy { accept: self.accept.clone(), ..policy }
    }

    /// What the source collects, as a run would, or why its preflight refuses.
    async fn collect(&self, origin: &str, token: &str) -> Collected {
        let mut settings = self.settings.clone();
        settings["url"] = format!("{origin}{}", self.path).into();
        let source = Source::read(self.system, settings).unwrap();
        let (_sender, signal) = watch::channel(None);
        let stop = Stop::new(DEADLINE, signal);
        let progress = Rc::new(Progress::new(Verbosity::Quiet));
        let connection = source.connection();
        let variable = connection.token_variables[0].clone();
        let variables = Variables::from([(variable, token.to_owned())]);
        let token = Token::read(&connection.token_variables, &variables).unwrap();
        let setup = Setup {
            source: self.system,
            base: &connection.url,
            credentials: source.credentials(token, &stop, &progress).unwrap(),
            headers: source.headers(),
            timeout: connection.request_timeout,
            spacing: Duration::ZERO,
            tls: &Tls::default(),
        };
        let http = Http::new(setup, stop.clone(), Rc::clone(&progress)).unwrap();
        let wanted = self.policy().wanted(self.system);
        let (name, permit) = (self.system.to_owned(), super::permit());
        let session = Session { name, http, wanted, permit, previous: None, stop, progress };
        let ready = source.preflight(&session).await?;
        Ok(ready.collect().await)
    }

    /// The pointers to all values, of lists and large maps only to some.
    fn pointers(&self, value: &Value, at: &str, all: &mut Vec<String>) {
        let entries: Vec<(String, &Value)> = match value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
            }
            Value::Object(fields) => {
                fields.iter().map(|(key, field)| (key.clone(), field)).collect()
            }
            _ => Vec::new(),
        };
        let is_large = value.is_array() || entries.len() > 25;
        for (number, (key, entry)) in entries.iter().enumerate() {
            let has_name =
                |name: &&str| key == name || entry["id"] == **name || entry["name"] == **name;
            if is_large && number >= self.entries && !self.named.iter().any(has_name) {
                continue;
            }
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.pointers(entry, &at, all);
            all.push(at);
        }
    }

    /// Every request, with the pointers to what is changed in its answer.
    fn places(&self, answers: &BTreeMap<&String, Value>) -> VecDeque<(String, String)> {
        let mut places = VecDeque::new();
        for (request, answer) in answers {
            let mut pointers = vec![String::new()];
            self.pointers(answer, "", &mut pointers);
            places.extend(pointers.into_iter().map(|pointer| ((*request).clone(), pointer)));
        }
        places
    }
}

/// The answer with the value at the pointer made null, empty, of a wrong type, and missing.
fn changed(answer: &Value, pointer: &str) -> Vec<(&'static str, Value)> {
    let was = answer.pointer(pointer).unwrap();
    let empty = match was {
        Value::String(_) => json!(""),
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
        Value::Number(_) => json!(0),
        Value::Bool(_) | Value::Null => json!(false),
    };
    // A number in a text may be a number as well.
    let is_word = was.as_str().is_some_and(|text| text.parse::<f64>().is_err());
    let wrong = if is_word { json!(7) } else { json!("seven") };
    let with = |(kind, new): (&'static str, Value)| {
        let mut answer = answer.clone();
        *answer.pointer_mut(pointer).unwrap() = new;
        (kind, answer)
    };
    let mut all: Vec<_> =
        [("null", Value::Null), ("empty", empty), ("wrong", wrong)].map(with).into();
    if let Some((parent, key)) = pointer.rsplit_once('/') {
        let mut answer = answer.clone();
        match answer.pointer_mut(parent).unwrap() {
            Value::Object(fields) => {
                fields.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
            Value::Array(items) => {
                items.remove(key.parse().unwrap());
            }
            _ => unreachable!("{pointer} is inside a list or a map"),
        }
        all.push(("missing", answer));
    }
    all
}

/// The answers of a platform, by request.
type Answers = BTreeMap<String, Bytes>;

/// The platform that answers what was never asked before.
struct Upstream {
    origin: String,
    client: reqwest::Client,
}

#[derive(Default)]
struct Recording {
    answers: Answers,
    /// A request, and its changed answer.
    change: Option<(String, Bytes)>,
}

/// A platform that answers as another one did, but for one change. What it was never asked is
/// forwarded, and its answer is kept.
struct Changed {
    origin: String,
    state: Arc<Mutex<Recording>>,
}

impl Changed {
    async fn start(upstream: &Arc<Upstream>, answers: Answers) -> Self {
        let state = Arc::new(Mutex::new(Recording { answers, change: None }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let shared = (Arc::clone(upstream), Arc::clone(&state));
        let service = axum::Router::new().fallback(serve).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { origin, state }
    }
}

async fn serve(
    State((upstream, state)): State<(Arc<Upstream>, Arc<Mutex<Recording>>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().unwrap().as_str();
    let request = format!("{method} {} {}", timeless(path), String::from_utf8_lossy(&body));
    {
        let state = state.lock().unwrap();
        let change = state.change.as_ref().filter(|(changed, _)| *changed == request);
        let answer = change.map(|(_, answer)| answer).or_else(|| state.answers.get(&request));
        if let Some(answer) = answer {
            return as_json(answer.clone());
        }
    }
    let mut headers = headers;
    for name in [header::HOST, header::ACCEPT_ENCODING, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let url = format!("{}{path}", upstream.origin);
    let sent = upstream.client.request(method, url).headers(headers).body(body);
    let answer = sent.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let body = answer.bytes().await.unwrap();
    if !status.is_success() || serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        return (status, body).into_response();
    }
    state.lock().unwrap().answers.insert(request, body.clone());
    as_json(body)
}

fn as_json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A path whose query does not state the moment of a request.
fn timeless(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let is_time = |pair: &&str| {
        pair.split_once('=').is_some_and(|(key, _)| ["from", "to", "start", "end"].contains(&key))
    };
    let pairs: Vec<_> = query.split('&').filter(|pair| !is_time(pair)).collect();
    format!("{path}?{}", pairs.join("&"))
}
