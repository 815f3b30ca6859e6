//! Where reports go.

use std::fs;
use std::path::{Path, PathBuf};

use compliance_gate::report::{FORMATS, Format, Sinks};

use crate::common::estate;

fn format(name: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.name == name).unwrap()
}

fn targets(paths: &[(&str, &Path)]) -> Vec<(&'static Format, PathBuf)> {
    paths.iter().map(|(name, path)| (format(name), path.to_path_buf())).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(mut sinks: Sinks) -> Vec<String> {
    estate::blocked().report(|report| sinks.write(report))
}

#[test]
fn reports_appear_whole_in_folders_that_were_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("a/b/gate.xml");
    let sarif = folder.path().join("gate.sarif");
    let sinks = Sinks::open(&targets(&[("junit", &junit), ("sarif", &sarif)])).unwrap();
    assert!(!junit.exists() && !sarif.exists(), "nothing before the end");
    assert_eq!(write(sinks), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&junit).unwrap(), estate::blocked().render("junit"));
    assert_eq!(files(folder.path()), ["a", "gate.sarif"]);
    assert_eq!(files(&folder.path().join("a/b")), ["gate.xml"]);
}

#[test]
fn an_old_report_is_gone_from_the_start_and_an_unwritten_one_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.json");
    fs::write(&path, "COMPLIANCE_GATE_VERDICT=passed\n").unwrap();
    let sinks = Sinks::open(&targets(&[("json", &path)])).unwrap();
    assert!(!path.exists());
    drop(sinks);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn one_bad_path_does_not_leave_the_other_reports_of_yesterday() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("gate.json");
    fs::write(&good, "COMPLIANCE_GATE_VERDICT=passed\n").unwrap();
    let error = Sinks::open(&targets(&[("junit", folder.path()), ("json", &good)])).unwrap_err();
    assert!(error.starts_with("failed to open the JUnit report (`--junit "), "{error}");
    assert!(error.ends_with("a directory is there; name a file"), "{error}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_a_place_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, why) in [
        (PathBuf::new(), "the path is empty"),
        (folder.path().join("new/"), "that names a directory"),
        (folder.path().join(".."), "that names a directory"),
        (file.join("gate.xml"), "its directory could not be made"),
    ] {
        let error = Sinks::open(&targets(&[("junit", &path)])).unwrap_err();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("os error"), "{error}");
    }
    assert!(file.exists(), "a file that is in the way is left alone");
}

#[test]
fn two_reports_never_share_a_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("x")).unwrap();
    for (one, other) in
        [(folder.path().join("gate"), folder.path().join("x/../gate")), ("-".into(), "-".into())]
    {
        let error = Sinks::open(&targets(&[("junit", &one), ("sarif", &other)])).unwrap_err();
        assert!(
            error.contains("the SARIF report") && error.contains("the JUnit report"),
            "{error}"
        );
    }
}

#[test]
fn standard_output_is_taken_by_a_report_or_by_people() {
    assert!(Sinks::open(&targets(&[("json", Path::new("-"))])).unwrap().use_stdout());
    assert!(!Sinks::open(&[]).unwrap().use_stdout());
}

#[test]
fn a_report_that_fails_is_named_and_given_up_and_the_others_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("lost/gate.xml");
    let kept = folder.path().join("gate.json");
    let mut sinks = Sinks::open(&targets(&[("junit", &lost), ("json", &kept)])).unwrap();
    fs::remove_dir_all(folder.path().join("lost")).unwrap();
    let failures = estate::passed().report(|report| sinks.write(report));
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].starts_with("failed to write the JUnit report"), "{failures:?}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), estate::passed().render("json"));
    assert_eq!(write(sinks), Vec::<String>::new());
    assert_eq!(fs::read_to_string(&kept).unwrap(), estate::blocked().render("json"));
    assert_eq!(files(folder.path()), ["gate.json"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_and_what_it_points_at_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "x").unwrap();
    for target in ["precious", "precious/file", "nowhere"] {
        let link = folder.path().join("gate.xml");
        std::os::unix::fs::symlink(folder.path().join(target), &link).unwrap();
        let error = Sinks::open(&targets(&[("junit", &link)])).unwrap_err();
        assert!(error.contains("a symbolic link is there"), "{error}");
        fs::remove_file(link).unwrap();
    }
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "x");
    let error = Sinks::open(&targets(&[("junit", Path::new("/dev/null"))])).unwrap_err();
    assert!(error.contains("no plain file"), "{error}");
}

#[cfg(unix)]
#[test]
fn ci_hosts_can_read_reports_as_somebody_else() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.json");
    write(Sinks::open(&targets(&[("json", &path)])).unwrap());
    let usual = folder.path().join("usual");
    fs::write(&usual, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&usual));
}
