//! Changes of a case, as the export makes them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compliance_gate::finding::Cause;
use compliance_gate::http::{Http, Setup};
use compliance_gate::progress::{Progress, Verbosity};
use compliance_gate::secret::{Token, Variables};
use compliance_gate::selection::Wanted;
use compliance_gate::sources::bigid::{self, Case, Settings};
use compliance_gate::sources::{Session, Source};
use compliance_gate::stop::Stop;
use compliance_gate_simulator::{Scenario, Simulator};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::common::permit;

/// A platform, and a source that speaks to it.
struct Desk {
    _simulator: Simulator,
    source: Source,
    run: Session,
    log: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    async fn of(bigid: Value) -> Self {
        Self::with(bigid, json!({})).await
    }

    /// With further keys of the source.
    async fn with(bigid: Value, mut settings: Value) -> Self {
        let scenario = Scenario::from_json(&json!({ "bigid": bigid }).to_string()).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let simulator =
            Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0)), scenario, move |one| {
                lines.lock().unwrap().push(one.to_string());
            })
            .await
            .unwrap();
        settings["url"] = simulator.origin().into();
        let source = Source::read("bigid", settings).unwrap();
        let (_, signal) = watch::channel(None);
        let stop = Stop::new(Duration::from_secs(60), signal);
        let progress = Rc::new(Progress::new(Verbosity::Quiet));
        let variables = Variables::from([("BIGID_TOKEN".to_owned(), "a-token".to_owned())]);
        let connection = source.connection();
        let token = Token::read(&connection.token_variables, &variables).unwrap();
        let setup = Setup {
            source: "bigid",
            base: &connection.url,
            credentials: source.credentials(token, &stop, &progress).unwrap(),
            headers: source.headers(),
            timeout: connection.request_timeout,
            spacing: Duration::ZERO,
            tls: &compliance_gate::http::Tls::default(),
        };
        let http = Http::new(setup, stop.clone(), Rc::clone(&progress)).unwrap();
        let (name, wanted) = ("bigid".to_owned(), Wanted::default());
        let run = Session { name, http, wanted, permit: permit(), previous: None, stop, progress };
        Self { _simulator: simulator, source, run, log }
    }

    fn settings(&self) -> &Settings {
        let Source::BigId(settings) = &self.source else { panic!("a source of BigID") };
        settings
    }

    async fn an_open_case(&self) -> Case {
        let cases = bigid::cases(self.settings(), &self.run).await.unwrap();
        cases.into_iter().find(|case| case.open).unwrap()
    }

    async fn set(&self, id: &str, status: &str) -> Result<(), Cause> {
        let reason = "ticket DP-1, pipeline 7";
        bigid::set_status(self.settings(), &self.run.http, id, status, reason)
            .await
            .map_err(|problem| problem.cause)
    }

    async fn status_of(&self, id: &str) -> Option<String> {
        let case = bigid::case(self.settings(), &self.run.http, id).await.unwrap();
        case.map(|case| case.status)
    }

    fn patches(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.starts_with("PATCH")).count()
    }
}

#[tokio::test]
async fn a_case_is_changed_and_read_back() {
    let desk = Desk::of(json!({})).await;
    let case = desk.an_open_case().await;
    assert_eq!(desk.set(&case.id, "acknowledged").await, Ok(()));
    assert_eq!(desk.status_of(&case.id).await.as_deref(), Some("acknowledged"));
    assert_eq!(desk.patches(), 1);
}

#[tokio::test]
async fn what_the_export_maps_is_all_there() {
    let desk = Desk::of(json!({})).await;
    let case = desk.an_open_case().await;
    assert!(case.alias.as_deref().is_some_and(|alias| alias.starts_with("SPC-")), "{case:?}");
    assert!(case.link.ends_with(&format!("/#/actionable-insights/case/{}", case.id)));
    assert!(case.label.starts_with(&case.policy), "{case:?}");
    assert!(case.policy_description.is_some() && case.created_at.is_some());
    assert!(case.data_source.is_some() && case.data_source_type.is_some());
    assert!(case.affected_objects.is_some_and(|count| count > 0) && !case.is_verified_fixed());
    assert_eq!(case.ticket, None);
}

#[tokio::test]
async fn a_change_that_looks_failed_is_read_back_and_never_sent_again() {
    let desk = Desk::of(json!({"patch": "applies-and-fails"})).await;
    let case = desk.an_open_case().await;
    assert_eq!(desk.set(&case.id, "acknowledged").await, Ok(()));
    assert_eq!(desk.patches(), 1);

    let desk = Desk::of(json!({"patch": "fails"})).await;
    let case = desk.an_open_case().await;
    assert_eq!(desk.set(&case.id, "acknowledged").await, Err(Cause::Unreachable));
    assert_eq!((desk.patches(), desk.status_of(&case.id).await.as_deref()), (1, Some("open")));
}

#[tokio::test]
async fn what_is_no_case_is_not_changed() {
    let desk = Desk::of(json!({})).await;
    assert_eq!(desk.set("000000000000000000000000", "resolved").await, Err(Cause::Protocol));
    assert_eq!(desk.patches(), 1);
    for id in ["", "..", "a/b", "a?b", "a b"] {
        assert_eq!(desk.set(id, "resolved").await, Err(Cause::Protocol), "{id}");
    }
    assert_eq!(desk.patches(), 1);
}

/// A filter is only a short cut: whatever the platform makes of it, the answer is the case.
#[tokio::test]
async fn a_case_is_found_whatever_the_platform_makes_of_the_filter() {
    let platforms = [
        json!({"ignore_filter": true}),
        json!({"ignore_filter": true, "largest_page": 2}),
        json!({"encoding": "csv"}),
        json!({"ids": "id"}),
    ];
    let looks = platforms.map(|bigid| async move {
        let desk = Desk::of(bigid.clone()).await;
        let case = desk.an_open_case().await;
        assert_eq!(desk.status_of(&case.id).await.as_deref(), Some("open"), "{bigid}");
        assert_eq!(desk.status_of("000000000000000000000000").await, None, "{bigid}");
    });
    futures_util::future::join_all(looks).await;
}

/// The platform answers with the cases of a policy, changed; whichever way it counts them.
#[tokio::test]
async fn a_change_of_many_cases_is_counted_before_and_read_back_after() {
    let bulk = json!({"bulk": {"action_type": "update", "max": 40}});
    let estate = |extra: Value| {
        let mut estate =
            json!({"open": {"high": 40}, "acknowledged": {}, "silenced": {}, "resolved": 0});
        estate.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        estate
    };
    let off = json!({});
    let small = json!({"bulk": {"action_type": "update", "max": 1}});
    let unknown = json!({"bulk": {"action_type": "resolve", "max": 40}});
    // What is added to the plan or left out of it, and the result.
    for (settings, platform, plan_all, expected) in [
        (&bulk, json!({}), true, Ok(0)),
        (&bulk, json!({"bulk_loses": 2}), true, Ok(2)),
        (&bulk, json!({}), false, Err((Cause::Invalid, "instead of the planned"))),
        (&off, json!({}), true, Err((Cause::Invalid, "`bulk` is not set"))),
        (&small, json!({}), true, Err((Cause::Invalid, "bulk.max is 1"))),
        (&unknown, json!({}), true, Err((Cause::Protocol, "answered 404"))),
    ] {
        let desk = Desk::with(estate(platform.clone()), settings.clone()).await;
        let cases = bigid::cases(desk.settings(), &desk.run).await.unwrap();
        let policy = cases[0].policy.clone();
        let mut planned: BTreeSet<_> =
            cases.iter().filter(|case| case.policy == policy).map(|case| case.id.clone()).collect();
        assert!(planned.len() > 3, "{planned:?}");
        if !plan_all {
            planned.pop_first();
        }
        let (settings, http) = (desk.settings(), &desk.run.http);
        let changed =
            bigid::set_status_of_policy(settings, http, &policy, &planned, "acknowledged", "DP-1")
                .await;
        match (changed, expected) {
            (Ok(changed), Ok(left)) => {
                assert_eq!(changed.left.len(), left);
                assert_eq!(changed.set.len(), planned.len() - left);
                assert_eq!(desk.patches(), 1);
            }
            (Err(problem), Err((cause, words))) => {
                assert_eq!(problem.cause, cause, "{}", problem.message);
                assert!(problem.message.contains(words), "{}", problem.message);
                assert_eq!(desk.patches(), usize::from(cause == Cause::Protocol));
            }
            (changed, expected) => panic!("{changed:?} where {expected:?} was expected"),
        }
    }
}
