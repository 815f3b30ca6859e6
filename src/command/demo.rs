//! `compliance-gate demo`: all of it, with no account.

use std::path::Path;

use compliance_gate_simulator::Simulator;

use crate::cli::DemoArguments;
use crate::command::{Context, Usage, listen, print, run, simulate};
use crate::config::Written;
use crate::host::{Choice, Ci, Host};
use crate::policy::Whose;
use crate::report::{self, EvidenceFile, Sinks};
use crate::secret::Variables;
use crate::sources::SYSTEMS;
use crate::text;

/// The policy that the demo writes down, runs, and leaves for reading.
const POLICY: &str = include_str!("../../fixtures/policies/demo.yaml");

/// How it begins, by which it is known again.
const MARK: &str = "# The policy of `compliance-gate demo`";

/// Where the bundled policy says that its platforms are.
const PLACEHOLDER: &str = "http://127.0.0.1:8080";

pub(super) async fn demo(arguments: DemoArguments, context: &Context) -> Result<u8, Usage> {
    let scenario = simulate::scenario(&arguments.scenario)?;
    let address = ([127, 0, 0, 1], 0).into();
    let simulator = Simulator::start(address, scenario, |_| ())
        .await
        .map_err(|error| format!("failed to start the simulator: {error}"))?;
    let policy = POLICY.replace(PLACEHOLDER, &simulator.origin());
    let folder = &arguments.out;
    let path = folder.join("compliance-gate.yaml");
    if std::fs::read_to_string(&path).is_ok_and(|there| !there.starts_with(MARK)) {
        return Err(format!(
            "{} is there and is not the demo's; choose another folder with --out",
            path.display()
        )
        .into());
    }
    write(folder, &path, &policy)?;
    let config = Written::read(&path, Whose::Repository)?.resolve(None)?;
    let targets: Vec<_> = report::FORMATS
        .iter()
        .map(|format| (format, folder.join(format!("report.{}", format.extension))))
        .chain([(&report::EVIDENCE, folder.join("evidence.jsonl"))])
        .collect();
    let sinks = Sinks::open(&targets)?;
    context.progress().note(&format!(
        "simulated platforms at {}, scenario `{}`; the policy is {}",
        simulator.origin(),
        arguments.scenario,
        path.display()
    ));
    // The demo's platforms take any token, and none of the caller's may reach them.
    let tokens = SYSTEMS.iter().filter_map(|system| system.token_variables.first());
    let columns = context.variables.get_key_value("COLUMNS");
    let variables: Variables = tokens
        .map(|name| ((*name).to_owned(), "demo-token".to_owned()))
        .chain(columns.map(|(name, width)| (name.clone(), width.clone())))
        .collect();
    let context = Context { variables, ..*context };
    let ci = Ci::new(Choice::Is(&Host::NONE), &context.variables);
    let delivery = run::Delivery {
        sinks,
        ci,
        evidence_file: EvidenceFile::Saved,
        evidence_path: None,
        warn_exit_code: None,
        break_glass: None,
        progress: &context.progress(),
    };
    let code = run::collected(&config, None, &context, listen()?, delivery).await;
    print(&format!("Open {}\n", folder.join("report.html").display()))?;
    Ok(code)
}

fn write(folder: &Path, path: &Path, policy: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, policy))
        .map_err(|error| format!("failed to write {}: {}", path.display(), text::reason(&error)))
}
