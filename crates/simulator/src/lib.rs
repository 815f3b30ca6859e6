//! The embedded platforms: real HTTP on loopback, with the quirks of the real ones.
//!
//! One port serves every platform:
//!
//! | platform | paths |
//! |---|---|
//! | OpenComply | `/main/…` |
//! | GravityZone | `/v1/cspm/…` |
//! | BigID | `/api/v1/…` |
//! | BigPanda | `/resources/v2.0/…` |
//! | Sysdig Secure | `/api/cspm/…`, `/api/scanning/…`, `/api/v1/secureEvents…`, and `/identity/token` of IBM Cloud IAM |
//! | Jira | `/rest/api/2/…`, `/rest/api/3/…` |
//! | ServiceNow | `/api/now/…` |
//!
//! Any other path answers like the web UI in front of OpenComply: 200 with HTML.
//!
//! A [`Scenario`] sets what the platforms do. It is a small parameter file whose defaults are
//! healthy platforms. Everything else is generated, or comes from the tables in `data/`, so the
//! same scenario gives the same answers apart from timestamps. Nothing runs in the background:
//! every state is computed from the time on the [`Clock`].
//!
//! The simulator shares no type with the clients that it tests, and does not depend on their crate.
//! It follows the platforms' documentation, as `docs/platforms/` describes it.

#![warn(unreachable_pub)]

mod bigid;
mod bigpanda;
mod clock;
mod data;
mod fault;
mod gravityzone;
mod gzip;
mod hostile;
mod ids;
mod jira;
mod opencomply;
mod reply;
mod scenario;
mod server;
mod servicenow;
mod sysdig;

pub use clock::Clock;
pub use opencomply::settings::Role;
pub use scenario::Scenario;
pub use server::{Access, Simulator, bind, serve};
