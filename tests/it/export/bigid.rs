//! A BigID whose cases a test can change while it runs, independent of the embedded one. Written
//! from docs/platforms/bigid.md.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web;

#[derive(Clone)]
pub struct BigId {
    pub origin: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cases: Vec<Value>,
    changes: Vec<Change>,
    /// Whether changes are refused with 500 after they were made.
    loses_answers: bool,
    /// Changes of many cases at once.
    bulks: usize,
}

/// A change of one case that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: String,
    pub status: String,
    pub reason: String,
}

/// The id of the case with this number.
pub fn id(number: usize) -> String {
    format!("66f1a2b3c4d5e6f7081{number:05x}")
}

/// An open case.
pub fn case(number: usize) -> Value {
    let severities = ["critical", "high", "medium", "low"];
    json!({
        "_id": id(number),
        "id": id(number),
        "caseId": format!("SPC-{number}"),
        "caseLabel": format!("Open bucket number {number}"),
        "caseStatus": "open",
        "severityLevel": severities[number % 4],
        "policyName": "Public access: storage",
        "policyDescription": "Outsiders must not read it.\nClose it.",
        "dataSourceName": format!("bucket-{number}"),
        "dataSourceType": "s3-v2",
        "assignee": "data-owner@example.com",
        "numberOfAffectedObjects": 3,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
    })
}

impl BigId {
    /// One with this many open cases.
    pub fn with(cases: usize) -> Self {
        let state = State { cases: (1..=cases).map(case).collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        let origin = web::serve(move |line, body| own.lock().unwrap().answer(line, body));
        Self { origin, state }
    }

    /// Changes the case with this number.
    pub fn set(&self, number: usize, field: &str, value: impl Into<Value>) {
        let mut state = self.state.lock().unwrap();
        let id = id(number);
        let case = state.cases.iter_mut().find(|case| case["_id"] == id.as_str()).unwrap();
        case[field] = value.into();
    }

    pub fn status(&self, number: usize) -> String {
        let state = self.state.lock().unwrap();
        let id = id(number);
        let case = state.cases.iter().find(|case| case["_id"] == id.as_str()).unwrap();
        case["caseStatus"].as_str().unwrap().to_owned()
    }

    pub fn lose_answers(&self) {
        self.state.lock().unwrap().loses_answers = true;
    }

    /// How many changes of many cases at once arrived.
    pub fn bulks(&self) -> usize {
        self.state.lock().unwrap().bulks
    }

    /// Every change that arrived.
    pub fn changes(&self) -> Vec<Change> {
        self.state.lock().unwrap().changes.clone()
    }
}

impl State {
    fn answer(&mut self, line: &str, body: &str) -> (u16, Value) {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let url = url::Url::parse("http://x").unwrap().join(target).unwrap();
        match (method, url.path().trim_start_matches("/api/v1/actionable-insights/")) {
            ("GET", "all-cases") => (200, self.page(&url)),
            ("PATCH", path) if path.starts_with("case-status/") => {
                let id = path.trim_start_matches("case-status/").to_owned();
                self.change(id, &serde_json::from_str(body).unwrap())
            }
            ("PATCH", "cases:update") => self.change_many(&serde_json::from_str(body).unwrap()),
            _ => (404, json!({"error": "not found"})),
        }
    }

    fn page(&self, url: &url::Url) -> Value {
        let parameter = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<usize>().ok());
        let filter: Value = parameter("filter")
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| json!([]));
        let terms = filter.as_array().unwrap();
        let meets = |case: &&Value| {
            terms.iter().all(|term| case[term["field"].as_str().unwrap()] == term["value"])
        };
        let found: Vec<_> = self.cases.iter().filter(meets).collect();
        let skip = number("skip").unwrap_or(0);
        let page: Vec<_> = found.iter().skip(skip).take(number("limit").unwrap_or(50)).collect();
        json!({"status": "success", "data": {"totalCount": found.len(), "cases": page}})
    }

    /// All cases of a policy, whatever they are like.
    fn change_many(&mut self, body: &Value) -> (u16, Value) {
        assert_eq!(body["type"], "CasesDB");
        let what = &body["additionalProperties"];
        assert_eq!(what["allCases"], false);
        let filter = &what["casesFilters"][0];
        assert_eq!(filter["filterField"], "policyName");
        let text = |field: &str| what[field].as_str().unwrap().to_owned();
        let (status, reason) = (text("newValue"), text("auditReason"));
        for case in &mut self.cases {
            if filter["filterValues"].as_array().unwrap().contains(&case["policyName"]) {
                case["caseStatus"] = status.clone().into();
                let id = case["_id"].as_str().unwrap().to_owned();
                self.changes.push(Change { id, status: status.clone(), reason: reason.clone() });
            }
        }
        self.bulks += 1;
        (200, json!({"status": "success"}))
    }

    fn change(&mut self, id: String, body: &Value) -> (u16, Value) {
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        let (status, reason) = (text("caseStatus"), text("auditReason"));
        let Some(case) = self.cases.iter_mut().find(|case| case["_id"] == id.as_str()) else {
            return (404, json!({"error": "no such case"}));
        };
        case["caseStatus"] = status.clone().into();
        self.changes.push(Change { id, status, reason });
        match self.loses_answers {
            true => (500, json!({"status": "error", "message": "server error"})),
            false => (200, json!({"status": "success"})),
        }
    }
}
