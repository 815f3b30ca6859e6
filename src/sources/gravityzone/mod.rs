use serde::Deserialize;

use crate::finding::Trouble;
use crate::selection::Field;
use crate::sources::settings::settings;
use crate::sources::{Connection, Later, Ready, Run, Source, System};

pub const SYSTEM: System = System {
    name: "gravityzone",
    title: "gravityzone",
    token_variables: &["GRAVITYZONE_API_KEY"],
    token_prefixes: &["GRAVITYZONE_"],
    selectors: &[Field::Framework],
    states_time: false,
    unit: "check",
};

settings! {
    /// The keys as written.
    pub struct Keys {
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Settings {
    #[cfg_attr(test, schemars(skip))]
    connection: Connection,
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        Ok(Self { connection: keys.connection(&SYSTEM)? })
    }
}

impl Source for Settings {
    fn system(&self) -> &'static System {
        &SYSTEM
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn preflight<'a>(
        &'a self,
        _run: &'a Run,
    ) -> Later<'a, Result<Box<dyn Ready + 'a>, Vec<Trouble>>> {
        todo!()
    }
}
