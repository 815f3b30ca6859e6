//! CI hosts: how to recognise each, and what it reads. A folded log, annotations, outputs, a
//! summary, and what it calls the run and the commit.
//!
//! A new CI host is a file below `host/` and a row in the table below. A host does not affect the
//! verdict. The commands that are written here are the only live ones in the log: what they carry
//! from outside is escaped for the host, and [disarmed](crate::text::disarmed) too.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::evidence::CiRun;
use crate::report::issues::{self, Issue};
use crate::report::outputs::{self, Outputs};
use crate::report::terminal::{self, Detail, TerminalStyle};
use crate::report::{Format, View, markdown};
use crate::secret::Variables;
use crate::text;

mod azure;
mod bitbucket;
mod circleci;
mod github;
mod gitlab;
mod jenkins;

/// The table of CI hosts. The agent of one host may run as a job of another and see the variables
/// of both; the first row that recognises its variables wins. What only Jenkins sets may be set
/// for a whole machine, so Jenkins comes last.
pub const HOSTS: &[&Host] = &[
    &github::HOST,
    &gitlab::HOST,
    &azure::HOST,
    &bitbucket::HOST,
    &circleci::HOST,
    &jenkins::HOST,
];

/// A CI host.
pub struct Host {
    /// The word after `--ci`.
    pub name: &'static str,
    /// Whether these are the variables of a job of this host.
    detect: fn(&Variables) -> bool,
    /// The page of the run, or what else the host calls it.
    run: fn(&Variables) -> Option<String>,
    /// The commit that the job works on.
    commit: fn(&Variables) -> Option<String>,
    /// The variables that name the run by a number, the repository, and who started the run.
    names: RunVariables,
    fold: Option<Fold>,
    /// The command that shows an issue beside the policy and on the job's page.
    annotate: Option<fn(&Issue) -> String>,
    /// Writes outputs and a summary where the host looks for them.
    publish: Option<fn(&Variables, &Outputs, Summary<'_>) -> Published>,
}

/// The variables that name parts of a run; an empty name stands for none.
#[derive(Clone, Copy)]
struct RunVariables {
    id: &'static str,
    repository: fn(&Variables) -> Option<String>,
    actor: &'static str,
}

/// The marks before and after a folded part of the log, from its title and the time in seconds
/// since 1970.
type Fold = fn(&str, i64) -> (String, String);

/// Markdown of at most so many bytes, where so many are enough for a headline.
type Summary<'a> = &'a dyn Fn(usize) -> String;

/// The result of publishing.
#[derive(Default)]
struct Published {
    /// Commands for the log.
    log: String,
    /// A sentence for each thing that could not be written.
    notes: Vec<String>,
}

impl Host {
    /// No CI host, or an unknown one: plain text only. Rows start from this.
    pub const NONE: Self = Self {
        name: "none",
        detect: |_| false,
        run: |_| None,
        commit: |_| None,
        names: RunVariables { id: "", repository: |_| None, actor: "" },
        fold: None,
        annotate: None,
        publish: None,
    };
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}

/// The repository that the run is for, as the CI host names it.
pub fn repository(variables: &Variables) -> Option<String> {
    let host = HOSTS.iter().find(|host| (host.detect)(variables))?;
    (host.names.repository)(variables)
}

/// What the user chose with `--ci`.
#[derive(Clone, Copy, Debug, Default)]
pub enum Choice {
    /// The host whose variables are set.
    #[default]
    Auto,
    Is(&'static Host),
}

impl Choice {
    /// The words after `--ci`.
    pub fn words() -> impl Iterator<Item = &'static str> {
        ["auto", Host::NONE.name].into_iter().chain(HOSTS.iter().map(|host| host.name))
    }

    /// Reads a word after `--ci`.
    ///
    /// # Errors
    /// A sentence, if no host has that name.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::Is(&Host::NONE)),
            _ => {
                let host = HOSTS.iter().find(|host| host.name == word);
                host.map(|host| Self::Is(host)).ok_or_else(|| format!("`{word}` is not a CI host"))
            }
        }
    }
}

/// The job that this process is a part of: its host, and its variables.
#[derive(Clone, Copy)]
pub struct Ci<'v> {
    host: &'static Host,
    variables: &'v Variables,
}

impl<'v> Ci<'v> {
    pub fn new(choice: Choice, variables: &'v Variables) -> Self {
        let detected = || HOSTS.iter().find(|host| (host.detect)(variables));
        let host = match choice {
            Choice::Auto => detected().copied().unwrap_or(&Host::NONE),
            Choice::Is(host) => host,
        };
        Self { host, variables }
    }

    /// The run of the pipeline as its host names it, by the address of its page where it has one.
    pub fn run(&self) -> Option<String> {
        (self.host.run)(self.variables)
    }

    /// The commit that the job works on.
    pub fn commit(&self) -> Option<String> {
        (self.host.commit)(self.variables)
    }

    /// What the host says about the run.
    pub fn facts(&self) -> CiRun {
        let RunVariables { id, repository, actor } = self.host.names;
        CiRun {
            host: self.host.name.to_owned(),
            url: self.run(),
            id: value(self.variables, id),
            repository: repository(self.variables),
            commit: self.commit(),
            actor: value(self.variables, actor),
        }
    }

    /// Prints the result for people. `plain` writes to where `people` ends up, without the filter
    /// that removes escape sequences: the marks of some hosts need them. The variable `COLUMNS` replaces the width of the terminal.
    ///
    /// # Errors
    /// What a writer reports.
    pub fn print(
        &self,
        view: &View<'_>,
        look: TerminalStyle<'_>,
        people: &mut dyn Write,
        plain: &mut dyn Write,
    ) -> io::Result<()> {
        let columns = value(self.variables, "COLUMNS").and_then(|width| width.parse().ok());
        let look =
            TerminalStyle { columns: columns.filter(|width| *width > 0).or(look.columns), ..look };
        terminal::result(view, look, people)?;
        match self.host.fold.filter(|_| look.detail > Detail::Line) {
            Some(fold) => {
                let (open, close) = fold("Evidence", view.evidence.finished.timestamp());
                people.flush()?;
                write(plain, &open)?;
                terminal::evidence(view, TerminalStyle { detail: Detail::Full, ..look }, people)?;
                people.flush()?;
                write(plain, &close)?;
            }
            None => terminal::evidence(view, look, people)?,
        }
        if let Some(annotate) = self.host.annotate {
            let commands: String = issues::of(view).iter().map(annotate).collect();
            people.flush()?;
            write(plain, &commands)?;
        }
        terminal::last_line(view, look, people)?;
        people.flush()
    }

    /// Writes the summary and the outputs where the host looks for them, after the reports were
    /// written. Returns a sentence for each that could not be written. That is only
    /// a note: the verdict does not depend on it, and a missing output lets no later step pass.
    pub fn publish(
        &self,
        view: &View<'_>,
        reports: &[(&'static Format, PathBuf)],
        plain: &mut dyn Write,
    ) -> Vec<String> {
        // Old reports were removed at the start, so what is there now is whole and of this run.
        let written: Vec<_> = reports.iter().filter(|(_, path)| path.is_file()).cloned().collect();
        let mut outputs = outputs::of(view);
        outputs.extend(outputs::places(&written));
        self.leave(&outputs, &|most| markdown::within(view, most), plain)
    }

    /// Reports a run that could not start: in the log, in the summary, and as outputs. Returns
    /// what `publish` does.
    pub fn refuse(&self, error: &str, plain: &mut dyn Write) -> Vec<String> {
        let command = self.host.annotate.map(|annotate| annotate(&issues::refused(error)));
        let printed = write(plain, &command.unwrap_or_default());
        let mut notes = self.leave(&outputs::refused(), &|_| markdown::refused(error), plain);
        notes.extend(
            printed.err().map(|error| format!("failed to print: {}", text::reason(&error))),
        );
        notes
    }

    fn leave(&self, outputs: &Outputs, summary: Summary<'_>, plain: &mut dyn Write) -> Vec<String> {
        let Some(publish) = self.host.publish else { return Vec::new() };
        let Published { log, mut notes } = publish(self.variables, outputs, summary);
        let printed = write(plain, &log);
        notes.extend(
            printed.err().map(|error| format!("failed to print: {}", text::reason(&error))),
        );
        notes
    }
}

/// Whether this is a job of any CI host, also of an unknown one.
pub fn is_ci(variables: &Variables) -> bool {
    let says_no = |value: &String| value.eq_ignore_ascii_case("false") || value == "0";
    value(variables, "CI").is_some_and(|value| !says_no(&value))
        || HOSTS.iter().any(|host| (host.detect)(variables))
}

fn write(plain: &mut dyn Write, text: &str) -> io::Result<()> {
    plain.write_all(text.as_bytes()).and_then(|()| plain.flush())
}

/// The value of a variable; an empty one counts as unset.
fn value(variables: &Variables, name: &str) -> Option<String> {
    variables.get(name).filter(|value| !value.is_empty()).cloned()
}

fn is_true(variables: &Variables, name: &str) -> bool {
    variables.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Appends to a file of the host's, on a line of its own.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let begin = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{begin}{text}").as_bytes())?;
    file.flush()
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
            (&[][..], "none"),
            (&[("CI", "true")], "none"),
            (&[("GITHUB_ACTIONS", "true")], "github"),
            (&[("GITHUB_ACTIONS", "")], "none"),
            (&[("GITHUB_ACTIONS", "false")], "none"),
            (&[("GITLAB_CI", "true"), ("CI", "true")], "gitlab"),
            (&[("TF_BUILD", "True")], "azure"),
            (&[("CIRCLECI", "true")], "circleci"),
            (&[("BITBUCKET_BUILD_NUMBER", "17")], "bitbucket"),
            (&[jenkins], "jenkins"),
            (&[("JENKINS_URL", "")], "none"),
            (&[("GITHUB_ACTIONS", "true"), jenkins], "github"),
            (&[("CIRCLECI", "true"), jenkins], "circleci"),
        ] {
            assert_eq!(Ci::new(Choice::Auto, &variables(set)).host.name, host, "{set:?}");
        }
    }

    #[test]
    fn an_unknown_host_is_a_host_too() {
        for (set, expected) in [
            (("CI", "true"), true),
            (("CI", "woodpecker"), true),
            (("CI", "false"), false),
            (("CI", ""), false),
            (("TF_BUILD", "True"), true),
            (("HOME", "/"), false),
        ] {
            assert_eq!(is_ci(&variables(&[set])), expected, "{set:?}");
        }
    }

    #[test]
    fn a_choice_beats_the_variables() {
        let github = variables(&[("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "abc")]);
        let name = |word| Ci::new(Choice::parse(word).unwrap(), &github).host.name;
        assert_eq!(name("auto"), "github");
        for word in Choice::words().skip(1) {
            assert_eq!(name(word), word);
        }
        assert_eq!(Ci::new(Choice::Is(&Host::NONE), &github).commit(), None);
        assert!(Choice::parse("travis").is_err());
    }

    #[test]
    fn what_a_host_says_about_a_run_is_known() {
        let variables = variables(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "example/shop"),
            ("GITHUB_RUN_ID", "17"),
            ("GITHUB_SHA", "c0ffee"),
            ("GITHUB_ACTOR", "release-bot"),
        ]);
        let text = |text: &str| Some(text.to_owned());
        let expected = CiRun {
            host: "github".to_owned(),
            url: text("https://github.com/example/shop/actions/runs/17"),
            id: text("17"),
            repository: text("example/shop"),
            commit: text("c0ffee"),
            actor: text("release-bot"),
        };
        assert_eq!(Ci::new(Choice::Auto, &variables).facts(), expected);
        let nothing = CiRun { host: "none".to_owned(), ..CiRun::default() };
        assert_eq!(Ci::new(Choice::Is(&Host::NONE), &variables).facts(), nothing);
    }

    #[test]
    fn each_host_names_its_run_and_its_commit() {
        let run = |set: &[(&str, &str)]| {
            let variables = variables(set);
            let ci = Ci::new(Choice::Auto, &variables);
            (ci.run().unwrap_or_default(), ci.commit().unwrap_or_default())
        };
        let expected = |run: &str, commit: &str| (run.to_owned(), commit.to_owned());
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "example/shop"),
            ("GITHUB_RUN_ID", "17"),
            ("GITHUB_SHA", "c0ffee"),
        ];
        let page = "https://github.com/example/shop/actions/runs/17";
        assert_eq!(run(&github), expected(page, "c0ffee"));
        assert_eq!(run(&github[..3]), expected("", ""));
        let page = "https://gitlab.example.com/shop/-/pipelines/17";
        let gitlab =
            [("GITLAB_CI", "true"), ("CI_PIPELINE_URL", page), ("CI_COMMIT_SHA", "c0ffee")];
        assert_eq!(run(&gitlab), expected(page, "c0ffee"));
        let azure = [
            ("TF_BUILD", "True"),
            ("BUILD_BUILDID", "17"),
            ("BUILD_SOURCEVERSION", "c0ffee"),
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/example/"),
            ("SYSTEM_TEAMPROJECTID", "8f1c"),
        ];
        let page = "https://dev.azure.com/example/8f1c/_build/results?buildId=17";
        assert_eq!(run(&azure), expected(page, "c0ffee"));
        assert_eq!(run(&azure[..3]), expected("17", "c0ffee"));
        let bitbucket = [
            ("BITBUCKET_BUILD_NUMBER", "17"),
            ("BITBUCKET_REPO_FULL_NAME", "example/shop"),
            ("BITBUCKET_COMMIT", "c0ffee"),
        ];
        let page = "https://bitbucket.org/example/shop/pipelines/results/17";
        assert_eq!(run(&bitbucket), expected(page, "c0ffee"));
        let page = "https://circleci.example.com/17";
        let circleci =
            [("CIRCLECI", "true"), ("CIRCLE_BUILD_URL", page), ("CIRCLE_SHA1", "c0ffee")];
        assert_eq!(run(&circleci), expected(page, "c0ffee"));
        let page = "https://jenkins.example.com/job/shop/17/";
        let jenkins =
            [("JENKINS_URL", "https://x/"), ("BUILD_URL", page), ("GIT_COMMIT", "c0ffee")];
        assert_eq!(run(&jenkins), expected(page, "c0ffee"));
        assert_eq!(run(&[("CI", "true"), ("BUILD_URL", page)]), expected("", ""));
    }
}
