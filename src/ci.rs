//! Which CI host this is: decided here and nowhere else, from a map of variables.

use std::path::PathBuf;

use crate::secret::Variables;

/// A CI host whose conventions we know. The last three want nothing but plain output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// No host, or one that we know nothing about.
    None,
    Github,
    Gitlab,
    Azure,
    Jenkins,
    Bitbucket,
    Circleci,
}

impl Host {
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Github,
        Self::Gitlab,
        Self::Azure,
        Self::Jenkins,
        Self::Bitbucket,
        Self::Circleci,
    ];

    /// The word behind `--ci`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Azure => "azure",
            Self::Jenkins => "jenkins",
            Self::Bitbucket => "bitbucket",
            Self::Circleci => "circleci",
        }
    }

    /// The host whose variables are set. One host's agent may run as a job of another, and sees
    /// the variables of both: what only Jenkins sets is set on whole machines, so it comes last.
    fn detect(variables: &Variables) -> Self {
        let is_true = |name: &str| {
            variables.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        };
        let is_set = |name: &str| set(variables, name).is_some();
        let signs = [
            (Self::Github, is_true("GITHUB_ACTIONS")),
            (Self::Gitlab, is_true("GITLAB_CI")),
            (Self::Azure, is_true("TF_BUILD")),
            (Self::Circleci, is_true("CIRCLECI")),
            (Self::Bitbucket, is_set("BITBUCKET_BUILD_NUMBER")),
            (Self::Jenkins, is_set("JENKINS_URL")),
        ];
        signs.into_iter().find(|(_, is_it)| *is_it).map_or(Self::None, |(host, _)| host)
    }
}

/// What the user chose with `--ci`: a host, or to look which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    Auto,
    Is(Host),
}

impl Choice {
    pub const AUTO: &'static str = "auto";

    /// Reads a word behind `--ci`.
    ///
    /// # Errors
    /// A sentence, if no host has that name.
    pub fn parse(word: &str) -> Result<Self, String> {
        let host = Host::ALL.into_iter().find(|host| host.word() == word).map(Self::Is);
        let auto = (word == Self::AUTO).then_some(Self::Auto);
        host.or(auto).ok_or_else(|| format!("`{word}` is no CI host"))
    }
}

/// The host, and the places that it gives us to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ci {
    pub host: Host,
    /// Markdown that is appended here is shown with the job (GitHub).
    pub summary: Option<PathBuf>,
    /// Outputs of the step are appended here (GitHub).
    pub outputs: Option<PathBuf>,
    /// Files left here live as long as the job (Azure).
    pub scratch: Option<PathBuf>,
}

impl Ci {
    pub const NONE: Self = Self { host: Host::None, summary: None, outputs: None, scratch: None };

    pub fn of(choice: Choice, variables: &Variables) -> Self {
        let host = match choice {
            Choice::Auto => Host::detect(variables),
            Choice::Is(host) => host,
        };
        let place = |of: Host, name| set(variables, name).filter(|_| host == of).map(PathBuf::from);
        Self {
            host,
            summary: place(Host::Github, "GITHUB_STEP_SUMMARY"),
            outputs: place(Host::Github, "GITHUB_OUTPUT"),
            scratch: place(Host::Azure, "AGENT_TEMPDIRECTORY"),
        }
    }
}

/// An empty variable counts as unset.
fn set<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_host_is_known_by_its_own_variables() {
        let jenkins = ("JENKINS_URL", "https://jenkins.example.com/");
        for (set, host) in [
            (&[][..], Host::None),
            (&[("CI", "true")], Host::None),
            (&[("GITHUB_ACTIONS", "true")], Host::Github),
            (&[("GITHUB_ACTIONS", "")], Host::None),
            (&[("GITHUB_ACTIONS", "false")], Host::None),
            (&[("GITLAB_CI", "true"), ("CI", "true")], Host::Gitlab),
            (&[("TF_BUILD", "True")], Host::Azure),
            (&[("CIRCLECI", "true")], Host::Circleci),
            (&[("BITBUCKET_BUILD_NUMBER", "17")], Host::Bitbucket),
            (&[jenkins], Host::Jenkins),
            (&[("JENKINS_URL", "")], Host::None),
            (&[("GITHUB_ACTIONS", "true"), jenkins], Host::Github),
        ] {
            assert_eq!(Ci::of(Choice::Auto, &variables(set)).host, host, "{set:?}");
        }
    }

    #[test]
    fn a_choice_beats_the_variables() {
        let github = variables(&[("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", "/o"), ("X", "y")]);
        let auto = Ci::of(Choice::Auto, &github);
        assert_eq!((auto.outputs, auto.summary), (Some("/o".into()), None));
        assert_eq!(Ci::of(Choice::Is(Host::None), &github), Ci::NONE);
        for host in Host::ALL {
            assert_eq!(Choice::parse(host.word()), Ok(Choice::Is(host)));
        }
        assert_eq!(Choice::parse("auto"), Ok(Choice::Auto));
        assert!(Choice::parse("travis").is_err());
    }
}
