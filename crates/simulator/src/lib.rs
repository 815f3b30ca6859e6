//! The embedded platforms: real HTTP on loopback, with the quirks of the real ones.
//!
//! One port serves OpenComply under `/main/…`, GravityZone under `/v1/cspm/…`, BigID under
//! `/api/v1/…`, BigPanda under `/resources/v2.0/…` and Sysdig Secure under `/api/…`, with IBM Cloud
//! IAM at `/identity/token`, and for the export Jira under `/rest/api/…` and ServiceNow under
//! `/api/now/…`; any other path answers like the web UI in front of OpenComply, 200 with HTML. What a
//! platform does is set by a [`Scenario`]: a small parameter file whose defaults are a healthy
//! platform. The rest is generated, so the same scenario gives the same answers apart from
//! timestamps.
//!
//! The simulator shares no type with the clients it is there to test. Its contract is the vendors'
//! documentation, as collected in the project's API fact sheets ("OC §3.2", "GZ §2.2", "BP §A2" in
//! comments).

pub mod bigid;
pub mod bigpanda;
mod clock;
mod data;
pub mod fault;
pub mod gravityzone;
mod hostile;
mod ids;
pub mod jira;
pub mod opencomply;
mod reply;
mod scenario;
mod server;
pub mod servicenow;
pub mod sysdig;

pub use scenario::Scenario;
pub use server::{Access, SIMULATED_BY, Simulator, bind, serve};
