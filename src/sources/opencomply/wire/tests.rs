use super::value::moment;
use super::*;

#[test]
fn times_are_read_leniently() {
    for (text, expected) in [
        ("2025-05-08T10:00:00Z", Some("2025-05-08T10:00:00+00:00")),
        ("2025-05-08T10:00:00.1Z", Some("2025-05-08T10:00:00.100+00:00")),
        ("2025-05-08T12:00:00.123456789+02:00", Some("2025-05-08T10:00:00.123456789+00:00")),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+00:00", None),
        ("", None),
        ("yesterday", None),
    ] {
        assert_eq!(moment(text).map(|time| time.to_rfc3339()).as_deref(), expected, "{text}");
    }
}

#[test]
fn ids_are_numbers_or_texts() {
    let id = |text: &str| serde_json::from_str::<Option<Id>>(text).ok();
    assert_eq!(id("136"), Some(Some(Id(136))));
    assert_eq!(id("\"136\""), Some(Some(Id(136))));
    assert_eq!(id("136.0"), Some(Some(Id(136))));
    assert_eq!(id("18446744073709551615"), Some(Some(Id(u64::MAX))));
    assert_eq!(id("null"), Some(None));
    for bad in ["-1", "1.5", "\"x\"", "[]", "18446744073709551616"] {
        assert_eq!(id(bad), None, "{bad}");
    }
}

#[test]
fn everything_may_be_null_or_missing() {
    let empty: Status = serde_json::from_str("{}").unwrap();
    assert_eq!(empty.state(), "");
    let nulls: Status = serde_json::from_str(
        r#"{"job_id":null,"frameworks":null,"integrations":null,"runners_status":null,
            "incidents":{"summary":null,"alarms_breakdown":{"high":null}},"end_time":null,
            "new_field":{"a":[1]}}"#,
    )
    .unwrap();
    assert!(nulls.end_time.is_none());
}

#[test]
fn a_list_is_distinguished_from_other_answers() {
    let length = |text: &str| {
        let list: Listed<FrameworkItem> = serde_json::from_str(text).unwrap();
        list.page().map(|page| page.items.len())
    };
    for (text, expected) in [
        (r#"{"items":[{}],"total_count":1}"#, 1),
        (r#"{"integrations":[{},{}],"total_count":2}"#, 2),
        (r#"{"items":[{}]}"#, 1),
        (r#"{"items":[],"total_count":7}"#, 0),
        (r#"{"items":null,"total_count":0}"#, 0),
        (r#"{"items":null}"#, 0),
        (r#"{"total_count":0}"#, 0),
    ] {
        assert_eq!(length(text), Ok(expected), "{text}");
    }
    for (text, words) in [
        (r#"{"message":"error"}"#, "neither items nor"),
        ("{}", "neither items nor"),
        (r#"{"items":null,"total_count":3}"#, "`total_count` is 3"),
        (r#"{"total_count":3}"#, "`total_count` is 3"),
    ] {
        assert!(length(text).is_err_and(|why| why.contains(words)), "{text}");
    }
}

#[test]
fn only_final_states_have_an_end() {
    let status = |state: &str, end: &str| -> Status {
        serde_json::from_str(&format!(
            r#"{{"job_status":"{state}","end_time":{end},"updated_at":"2025-05-08T10:00:00Z"}}"#
        ))
        .unwrap()
    };
    assert!(status("RUNNERS_IN_PROGRESS", "null").ended_at().is_none());
    assert!(status("SOMETHING_NEW", "null").ended_at().is_none());
    assert!(status("CANCELED", "null").ended_at().is_some());
    let ended = status("SUCCEEDED", "\"2025-05-08T11:00:00Z\"").ended_at().unwrap();
    assert_eq!(ended.to_rfc3339(), "2025-05-08T11:00:00+00:00");
}

#[test]
fn counts_may_be_written_with_a_decimal_point() {
    let total = |text: &str| {
        let counts = serde_json::from_str::<RunnerCounts>(&format!(r#"{{"total_count":{text}}}"#));
        counts.ok().map(|counts| counts.total_count)
    };
    for (text, expected) in [
        ("12", Some(Some(12))),
        ("12.0", Some(Some(12))),
        ("-1", Some(Some(-1))),
        ("null", Some(None)),
        ("12.5", None),
        ("\"12\"", None),
        ("1e300", None),
    ] {
        assert_eq!(total(text), expected, "{text}");
    }
}
