//! `compliance-gate simulate`: embedded platforms on this machine.

use compliance_gate_simulator::{self as simulator, Scenario};

use crate::cli::SimulateArguments;
use crate::command::{Usage, listen, print};
use crate::verdict::Verdict;

pub(super) async fn simulate(arguments: SimulateArguments) -> Result<u8, Usage> {
    let scenario = scenario(&arguments.scenario)?;
    let listener = simulator::bind(arguments.listen).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| format!("failed to listen: {error}"))?;
    let mut signal = listen()?;
    print(&format!(
        "OpenComply at http://{address}\n\
         GravityZone at http://{address}/v1\n\
         BigID, BigPanda, Sysdig Secure, Jira and ServiceNow at http://{address}\n\
         Any token is accepted, with every right; `viewer`, `editor` and `revoked` have fewer. Ctrl-C ends it.\n"
    ))?;
    let serve = simulator::serve(listener, scenario, |access| eprintln!("{access}"));
    tokio::select! {
        served = serve => {
            served.map_err(|error| format!("failed to serve: {error}"))?;
            Ok(Verdict::Passed.exit_code())
        }
        // Ending the simulator is the way to stop it.
        _ = signal.changed() => Ok(Verdict::Passed.exit_code()),
    }
}

/// A scenario that comes with the binary, or the user's file.
pub(super) fn scenario(name: &str) -> Result<Scenario, String> {
    if let Some(scenario) = Scenario::named(name) {
        return Ok(scenario);
    }
    match std::fs::read_to_string(name) {
        Ok(text) => Scenario::from_json(&text).map_err(|error| format!("{name}: {error}")),
        Err(_) => Err(format!(
            "scenario `{name}` is unknown{}\nKnown are:\n{}\nA JSON file of your own works too.",
            crate::text::did_you_mean(name, Scenario::names().map(|(name, _)| name)),
            Scenario::list()
        )),
    }
}
