//! Reports that third-party programs check: `tests/conformance/reports.sh`.

use std::fs;
use std::path::Path;

use compliance_gate::policy::Mode;
use compliance_gate::report::{FORMATS, Sinks};

use crate::common::estate;

#[test]
fn samples_are_written_for_the_conformance_script() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sample-reports");
    let mut observed = estate::blocked();
    observed.policy.mode = Mode::Observe;
    for (name, scene) in [
        ("blocked", estate::blocked()),
        ("observed", observed),
        ("passed", estate::passed()),
        ("inconclusive", estate::inconclusive()),
        ("forgiven", estate::forgiven()),
        ("interrupted", estate::interrupted()),
        ("window", estate::window()),
        ("hostile", estate::hostile(estate::HOSTILE)),
        ("many", estate::big(25_001)),
    ] {
        let path = |extension: &str| folder.join(format!("{name}.{extension}"));
        let targets: Vec<_> =
            FORMATS.iter().map(|format| (format, path(format.extension))).collect();
        let mut sinks = Sinks::open(&targets).unwrap();
        assert_eq!(scene.report(|report| sinks.write(report)), Vec::<String>::new());
        fs::write(path("txt"), scene.read()).unwrap();
    }
}
