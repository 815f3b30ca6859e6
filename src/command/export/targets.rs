//! Connects to the ticket systems.

use std::rc::Rc;

use crate::command::Usage;
use crate::config::Export;
use crate::export::jira::Jira;
use crate::export::servicenow::ServiceNow;
use crate::http::{Auth, Credentials, Http, Setup};
use crate::progress::Progress;
use crate::secret::{Token, Variables};
use crate::setup;
use crate::sources::Connection;
use crate::stop::Stop;

/// What all ticket systems are connected to with.
pub(super) struct Targets<'a> {
    pub(super) variables: &'a Variables,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a Rc<Progress>,
}

impl Targets<'_> {
    pub(super) fn jira<'s>(&self, settings: &'s Export) -> Result<Jira<'s>, Usage> {
        let jira = settings.jira.as_ref().ok_or_else(|| missing("jira"))?;
        let auth = |token| jira.auth(token, self.variables);
        Ok(Jira::new(jira, self.http("jira", &jira.connection, auth)?))
    }

    pub(super) fn servicenow<'s>(&self, settings: &'s Export) -> Result<ServiceNow<'s>, Usage> {
        let servicenow = settings.servicenow.as_ref().ok_or_else(|| missing("servicenow"))?;
        let auth = |token| servicenow.auth(token, self.variables);
        let http = self.http("servicenow", &servicenow.connection, auth)?;
        Ok(ServiceNow::new(servicenow, http))
    }

    fn http(
        &self,
        name: &str,
        connection: &Connection,
        auth: impl FnOnce(Token) -> Result<Auth, String>,
    ) -> Result<Http, String> {
        let connect = || {
            setup::check_origin(&connection.url, self.variables)?;
            let token = Token::read(&connection.token_variables, self.variables)?;
            let setup = Setup {
                source: name,
                base: &connection.url,
                credentials: Credentials::Fixed(auth(token)?),
                headers: connection.headers.clone(),
                timeout: connection.request_timeout,
                spacing: std::time::Duration::ZERO,
                tls: &connection.tls,
            };
            Http::new(setup, self.stop.clone(), Rc::clone(self.progress))
        };
        connect().map_err(|sentence| format!("{name}: {sentence}"))
    }
}

fn missing(key: &str) -> String {
    format!("`export` has no `{key}`, which says where tickets go")
}
