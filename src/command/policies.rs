//! The policy files that a command is about: that of the repository, and that of the organisation.

use std::path::{Path, PathBuf};

use crate::cli::ConfigArguments;
use crate::command::Usage;
use crate::config::{self, Config, Written};
use crate::host;
use crate::policy::Whose;
use crate::secret::Variables;

const ORG_POLICY: &str = "COMPLIANCE_GATE_ORG_POLICY";
const ORG_POLICY_SHA256: &str = "COMPLIANCE_GATE_ORG_POLICY_SHA256";

/// The files, read and not yet resolved.
pub(super) struct Policies {
    /// Missing, if the repository has none and its organisation has one.
    pub own: Option<Written>,
    pub organisation: Option<Written>,
    /// The repository's policy as it was recorded with evidence.
    pub recorded: Option<Written>,
    /// Where they were read from.
    pub paths: Vec<PathBuf>,
}

impl Policies {
    /// # Errors
    /// A file that is missing or cannot be read, or that is not the one that the pipeline promises.
    pub(super) fn read(arguments: &ConfigArguments, variables: &Variables) -> Result<Self, Usage> {
        let path = organisation_path(arguments, variables)?;
        let organisation = path.as_deref().map(|path| organisation(path, variables)).transpose()?;
        let repository = host::repository(variables);
        let organisation = organisation.map(|one| one.of_repository(repository.as_deref()));
        let own = match (config::find(arguments.config.as_deref()), &organisation) {
            (Ok(path), _) => Some(path),
            (Err(config::NotFound::None(_)), Some(_)) => None,
            (Err(error), _) => return Err(error.into()),
        };
        Ok(Self {
            own: own.as_deref().map(|path| Written::read(path, Whose::Repository)).transpose()?,
            organisation,
            recorded: None,
            paths: own.into_iter().chain(path).collect(),
        })
    }

    /// The organisation's policy, whatever the repository has.
    ///
    /// # Errors
    /// As for `read`.
    pub(super) fn organisation_alone(
        arguments: &ConfigArguments,
        variables: &Variables,
    ) -> Result<Self, Usage> {
        let path = organisation_path(arguments, variables)?;
        let organisation = path.as_deref().map(|path| organisation(path, variables)).transpose()?;
        Ok(Self { own: None, organisation, recorded: None, paths: path.into_iter().collect() })
    }

    /// For the command that writes baselines: one that is missing has no findings.
    pub(super) fn with_baselines_to_write(self) -> Self {
        Self { own: self.own.map(Written::with_baselines_to_write), ..self }
    }

    /// Both as one configuration.
    ///
    /// # Errors
    /// What is wrong with either file.
    pub(super) fn resolve(&self, environment: Option<&str>) -> Result<Config, Usage> {
        match (&self.own, &self.organisation) {
            (own, Some(organisation)) => {
                let recorded = self.recorded.as_ref();
                Ok(Written::beside(own.as_ref(), recorded, organisation, environment)?)
            }
            (Some(own), None) => Ok(own.resolve(environment)?),
            (None, None) => Err("the evidence does not contain its policy".to_owned().into()),
        }
    }

    /// The files, so that no report replaces one.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.paths.iter().map(|path| ("policy", path.as_path()))
    }
}

/// The path of the organisation's policy. A flag in a repository's own script must not replace what
/// the pipeline says.
fn organisation_path(
    arguments: &ConfigArguments,
    variables: &Variables,
) -> Result<Option<PathBuf>, String> {
    let path = arguments.org_policy.clone();
    let variable = variables.get(ORG_POLICY).filter(|value| !value.is_empty());
    if let (Some(path), Some(variable)) = (&path, variable)
        && path != Path::new(variable)
    {
        return Err(format!(
            "`--org-policy {}` is not what {ORG_POLICY} says ({variable}); use one of them",
            path.display()
        ));
    }
    if path.is_none() && promised(variables).is_some() {
        return Err(format!(
            "{ORG_POLICY_SHA256} is set and there is no policy of an organisation; set {ORG_POLICY} \
             or `--org-policy`, or remove the digest"
        ));
    }
    Ok(path)
}

fn promised(variables: &Variables) -> Option<&str> {
    let digests = variables.get(ORG_POLICY_SHA256).map(String::as_str);
    digests.filter(|digests| !digests.trim().is_empty())
}

/// Reads the organisation's policy, if it is the one that the pipeline promises.
fn organisation(path: &Path, variables: &Variables) -> Result<Written, Usage> {
    let written = Written::read(path, Whose::Organisation)?;
    let Some(promised) = promised(variables) else { return Ok(written) };
    let is_separator = |character: char| character == ',' || character.is_whitespace();
    let digests: Vec<_> = promised.split(is_separator).filter(|word| !word.is_empty()).collect();
    let is_digest = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    if digests.is_empty() || digests.len() > 2 || !digests.iter().all(is_digest) {
        return Err(format!(
            "{ORG_POLICY_SHA256} is not one or two SHA-256 digests of 64 hexadecimal digits, \
             separated by a comma or a space"
        )
        .into());
    }
    let own = written.document().sha256;
    if !digests.iter().any(|digest| digest.eq_ignore_ascii_case(&own)) {
        return Err(format!(
            "{} has SHA-256 {own}, and {ORG_POLICY_SHA256} promises {}; nothing is decided by it",
            path.display(),
            digests.join(" or ")
        )
        .into());
    }
    Ok(written)
}
