use super::*;

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// Twelve integrations, as the platform splits them: ten and two.
fn twelve() -> (BTreeSet<String>, Vec<String>, Vec<String>) {
    let all: Vec<_> = (1..=12).map(|number| format!("i{number:02}")).collect();
    (all.iter().cloned().collect(), all[..10].to_vec(), all[10..].to_vec())
}

fn item(id: u64, state: &str, minute: u32, integrations: &[impl AsRef<str>]) -> String {
    let infos: Vec<_> = integrations
        .iter()
        .map(|id| format!(r#"{{"integration_id":"{}"}}"#, id.as_ref()))
        .collect();
    format!(
        r#"{{"job_id":{id},"with_incidents":true,"benchmark_id":"a","job_status":"{state}",
            "created_at":"2025-05-08T10:{minute:02}:00Z","integration_info":[{}],
            "number_of_integrations":{}}}"#,
        infos.join(","),
        infos.len()
    )
}

fn history(items: &[String]) -> History {
    let mut history = History::default();
    history.add(page(items, items.len()), "a", &BTreeSet::new());
    history
}

fn page(items: &[String], total: usize) -> Page<HistoryItem> {
    let items = serde_json::from_str(&format!("[{}]", items.join(","))).unwrap();
    Page { items, total: i64::try_from(total).ok() }
}

fn now() -> DateTime<Utc> {
    "2025-05-08T10:10:00Z".parse().unwrap()
}

fn found(history: &History, wanted: &BTreeSet<String>) -> Vec<Vec<u64>> {
    let ids = |run: PastRun| run.jobs.iter().map(|job| job.id).collect();
    history.runs(wanted).into_iter().map(ids).collect()
}

#[test]
fn a_run_is_a_job_over_exactly_the_wanted_integrations() {
    let history = history(&[
        item(1, "SUCCEEDED", 0, &["x", "y"]),
        item(2, "SUCCEEDED", 1, &["x"]),
        item(3, "SUCCEEDED", 1, &["y"]),
        item(4, "FAILED", 2, &["y", "x"]),
        item(5, "SUCCEEDED", 2, &["x", "y", "z"]),
    ]);
    assert_eq!(found(&history, &ids(&["x", "y"])), [[4], [1]]);
    assert_eq!(history.newest(), 5);
}

#[test]
fn a_split_run_is_put_together_again() {
    let (all, ten, two) = twelve();
    let split = history(&[item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 1, &two)]);
    assert_eq!(found(&split, &all), [[7, 9]]);
    // Two gates at once.
    let twice = history(&[
        item(1, "SUCCEEDED", 0, &ten),
        item(2, "SUCCEEDED", 0, &ten),
        item(3, "SUCCEEDED", 0, &two),
        item(4, "SUCCEEDED", 0, &two),
    ]);
    assert_eq!(found(&twice, &all), [[2, 4], [1, 3]]);
}

#[test]
fn what_does_not_belong_together_is_no_run() {
    let (all, ten, two) = twelve();
    let apart = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 3, &two)];
    let half = [item(7, "SUCCEEDED", 0, &ten)];
    let overlapping = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 0, &ten[5..])];
    for items in [&apart[..], &half, &overlapping] {
        assert!(found(&history(items), &all).is_empty(), "{items:?}");
    }
}

#[test]
fn a_job_that_lost_an_integration_is_not_equal() {
    let shrunk = item(1, "SUCCEEDED", 0, &["x"])
        .replace("\"number_of_integrations\":1", "\"number_of_integrations\":2");
    assert!(found(&history(&[shrunk]), &ids(&["x"])).is_empty());
    let nulls = r#"{"job_id":"2","job_status":null,"integration_info":null}"#.to_owned();
    let history = history(&[nulls]);
    assert!(found(&history, &BTreeSet::new()).is_empty());
    assert!(
        matches!(history.advice(&ids(&["x"]), &BTreeSet::new()), Advice::WaitFor(job) if job.id == 2)
    );
}

#[test]
fn the_advice_is_to_join_to_wait_or_to_start() {
    let wanted = ids(&["x"]);
    let advice = |items: &[String]| match history(items).advice(&wanted, &BTreeSet::new()) {
        Advice::Join(run) => format!("join {}", run.newest()),
        Advice::WaitFor(job) => format!("wait for {}", job.id),
        Advice::Start => "start".to_owned(),
    };
    let done = item(1, "SUCCEEDED", 0, &["x"]);
    let equal = item(2, "RUNNERS_IN_PROGRESS", 1, &["x"]);
    let other = item(3, "A_NEW_WORD", 2, &["y"]);
    let quick = item(4, "IN_PROGRESS", 2, &["y"]).replace("true", "false");
    assert_eq!(advice(&[]), "start");
    assert_eq!(advice(std::slice::from_ref(&done)), "start");
    assert_eq!(advice(&[done.clone(), equal.clone()]), "join 2");
    assert_eq!(advice(&[done.clone(), other.clone()]), "wait for 3");
    assert_eq!(advice(&[done, quick]), "start");
    // The newer one has deleted the runners of the equal one.
    assert_eq!(advice(&[equal, other.clone()]), "wait for 3");
    let newer_equal = item(5, "SINK_IN_PROGRESS", 2, &["x"]);
    assert_eq!(advice(&[other.clone(), newer_equal.clone()]), "join 5");
    // Started at once: the oldest stays.
    let also_equal = item(6, "CREATED", 2, &["x"]);
    assert_eq!(advice(&[other, also_equal, newer_equal]), "join 5");
}

#[test]
fn a_rival_started_between_our_look_and_our_start() {
    let jobs = [
        item(1, "RUNNERS_IN_PROGRESS", 9, &["y"]),
        item(3, "CREATED", 9, &["x"]),
        item(4, "FAILED", 9, &["x"]),
        item(5, "CREATED", 9, &["x"]),
        item(7, "CREATED", 9, &["x"]),
    ];
    let rival = |after, before| history(&jobs).rival(after, before, now()).map(|job| job.id);
    assert_eq!(rival(2, 5), Some(3));
    assert_eq!(rival(2, 3), None);
    assert_eq!(rival(3, 5), None);
}

#[test]
fn pages_are_read_while_there_are_more() {
    let wanted = ids(&["x"]);
    let mut read = History::default();
    assert_eq!(read.next_page(None), Some(1));
    read.add(
        page(&[item(3, "FAILED", 9, &["y"]), item(2, "FAILED", 8, &["y"])], 3),
        "a",
        &BTreeSet::new(),
    );
    assert_eq!((read.next_page(None), found(&read, &wanted).len()), (Some(2), 0));
    read.add(page(&[item(1, "SUCCEEDED", 7, &["x"])], 3), "a", &BTreeSet::new());
    assert_eq!((read.next_page(None), found(&read, &wanted)), (None, vec![vec![1]]));
    assert_eq!(read.shows(), "the history shows");
    // A platform that repeats itself, or has none of what it promised, is not asked for ever.
    let mut stuck = History::default();
    while stuck.next_page(None).is_some() {
        stuck.add(page(&[item(3, "FAILED", 9, &["y"])], 1000), "a", &BTreeSet::new());
    }
    assert_eq!((stuck.jobs.len(), stuck.pages), (1, MOST_PAGES));
    assert_eq!(stuck.shows(), "the newest 20 jobs of its history show");
    let mut purged = history(&[]);
    purged.add(page(&[], 1000), "a", &BTreeSet::new());
    assert_eq!(purged.next_page(None), None);
}

#[test]
fn no_page_is_read_for_jobs_that_are_too_old() {
    let changed = |minute| {
        let item = item(1, "FAILED", minute, &["y"]);
        item.replace("created_at", "updated_at")
    };
    let mut history = History::default();
    history.add(page(&[changed(5)], 9), "a", &BTreeSet::new());
    let at = |text: &str| Some(text.parse().unwrap());
    assert_eq!(history.next_page(at("2025-05-08T10:00:00Z")), Some(2));
    assert_eq!(history.next_page(at("2025-05-08T10:06:00Z")), None);
}

#[test]
fn a_job_that_stands_still_is_neither_waited_for_nor_joined() {
    let wanted = ids(&["x"]);
    for state in ["CREATED", "SINK_IN_PROGRESS", "A_NEW_WORD"] {
        for integration in ["x", "y"] {
            let job = item(1, state, 0, &[integration]).replace("05-08T10:00", "05-06T09:00");
            let history = history(&[job]);
            let still: BTreeSet<_> = history.suspects(now()).map(|job| job.id).collect();
            assert_eq!(still, [1].into(), "{state}");
            assert_eq!(history.advice(&wanted, &still), Advice::Start);
            assert_ne!(history.advice(&wanted, &BTreeSet::new()), Advice::Start);
        }
    }
}

#[test]
fn a_living_run_is_waited_for_however_old_it_is() {
    let job = item(1, "RUNNERS_IN_PROGRESS", 0, &["y"]).replace("05-08T10:00", "05-01T09:00");
    let job =
        job.replace("\"created_at\"", "\"updated_at\":\"2025-05-08T10:09:30Z\",\"created_at\"");
    let history = history(&[job]);
    assert_eq!(history.suspects(now()).count(), 0);
    let past = &history.jobs[0];
    assert_eq!(past.age(now()), ", created 7days 1h 10m ago");
}

#[test]
fn a_finished_run_over_more_integrations_serves_too() {
    let (all, ten, two) = twelve();
    let finished = |items: &[String], wanted: &[&str]| -> Vec<Vec<u64>> {
        let ids = |run: PastRun| run.jobs.iter().map(|job| job.id).collect();
        history(items).finished(&self::ids(wanted)).into_iter().map(ids).collect()
    };
    let both = item(1, "SUCCEEDED", 0, &["x", "y"]);
    let exact = item(2, "SUCCEEDED", 0, &["x"]);
    assert_eq!(finished(&[both.clone(), exact], &["x"]), [[2], [1]]);
    assert!(finished(std::slice::from_ref(&both), &["x", "z"]).is_empty());
    assert!(finished(&[both.replace("SUCCEEDED", "CREATED")], &["x"]).is_empty());
    // Of a split run the jobs that matter.
    let split = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 1, &two)];
    assert_eq!(finished(&split, &["i03"]), [[7]]);
    assert_eq!(finished(&split, &["i11"]), [[9]]);
    assert_eq!(finished(&split, &["i03", "i11"]), [[7, 9]]);
    assert_eq!(history(&split).finished(&all).len(), 1);
    // Two small runs are not parts of one.
    let apart = [item(7, "SUCCEEDED", 0, &["x", "a"]), item(9, "SUCCEEDED", 1, &["y", "b"])];
    assert!(finished(&apart, &["x", "y"]).is_empty());
}
