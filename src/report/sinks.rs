//! Where reports go: opened before the long work, written at its end, whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anstream::AutoStream;
use tempfile::NamedTempFile;

use compliance_gate_stdout::was_closed;

use super::closed::Closed;
use super::record::Record;
use super::{Format, View, attestation, former};
use crate::text;

/// How the names of temporary files begin and end.
const PREFIX: &str = ".compliance-gate-";
const SUFFIX: &str = ".partial";

/// So many findings are worth a thread for each report.
const MANY: usize = 5_000;

/// Reports that can be written: every path was tried, and no old report is left at any of them.
#[derive(Debug)]
pub struct Sinks {
    reports: Vec<Sink>,
    record: Option<Record>,
}

#[derive(Debug)]
struct Sink {
    format: &'static Format,
    /// As the user wrote it.
    path: PathBuf,
    to: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    /// The file is beside its place, under a name that no pattern for reports matches, until it
    /// is written.
    File {
        place: PathBuf,
        file: Option<NamedTempFile>,
    },
}

/// Where the result for people goes.
pub struct Output {
    pub people: Box<dyn Write>,
    /// The same stream without the filter that takes colours out.
    pub plain: Box<dyn Write>,
    /// The width of the terminal, where it is one.
    pub columns: Option<usize>,
}

#[cfg(unix)]
fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

#[cfg(windows)]
fn columns(stream: &impl std::os::windows::io::AsHandle) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0))
}

impl Sinks {
    /// Stdout, unless a report has it to itself.
    pub fn output(&self) -> Output {
        match self.use_stdout() {
            true => Output {
                people: Box::new(AutoStream::auto(stderr())),
                plain: Box::new(stderr()),
                columns: columns(&stderr()),
            },
            false if was_closed() => {
                Output { people: Box::new(Closed), plain: Box::new(Closed), columns: None }
            }
            false => Output {
                people: Box::new(AutoStream::auto(stdout())),
                plain: Box::new(stdout()),
                columns: columns(&stdout()),
            },
        }
    }

    /// Makes a place for each report: creates the directories, removes the old report, and opens
    /// a temporary file beside it. `-` is standard output. Dropped unwritten, it leaves nothing.
    ///
    /// # Errors
    /// A line for each report that has no place, naming the format and the path. The old reports
    /// of the others are removed too: none may pass for the report of this run.
    pub fn open(targets: &[(&'static Format, PathBuf)]) -> Result<Self, String> {
        let mut sinks: Vec<Sink> = Vec::new();
        let mut failures = Vec::new();
        for (format, path) in targets {
            let opened = Target::open(path).and_then(|to| {
                match sinks.iter().find(|sink| sink.to.place() == to.place()) {
                    None => Ok(to),
                    Some(other) => Err(format!(
                        "the {} report goes there too; give each a place of its own",
                        other.format.title
                    )),
                }
            });
            match opened {
                Ok(to) => sinks.push(Sink { format, path: path.clone(), to }),
                Err(why) => failures.push(sentence("open", format, path, &why)),
            }
        }
        match failures.is_empty() {
            true => Ok(Self { reports: sinks, record: None }),
            false => Err(failures.join("\n")),
        }
    }

    /// Also appends a record of the decision to a file.
    ///
    /// # Errors
    /// A sentence, if nothing can be appended to it, or if a report goes there.
    pub fn with_record(mut self, path: &Path) -> Result<Self, String> {
        let record = Record::open(path)?;
        let place = fs::canonicalize(path).map_err(|error| text::reason(&error))?;
        if let Some(sink) = self.reports.iter().find(|sink| sink.to.place() == place) {
            return Err(format!(
                "the {} report goes to the file of records {}; give each a place of its own",
                sink.format.title,
                path.display()
            ));
        }
        self.record = Some(record);
        Ok(self)
    }

    /// Why the attestation that is asked for has no result that lets artefacts through, if so.
    pub fn why_no_result(&self, view: &View<'_>) -> Option<String> {
        let is_asked = self.reports.iter().any(|sink| attestation::is_part(sink.format));
        let why = attestation::why_not(view).filter(|_| is_asked)?;
        Some(format!("the attestation contains no verification result (SVR): {why}"))
    }

    /// Appends the record, if one is asked for.
    ///
    /// # Errors
    /// A sentence.
    pub fn append_record(&mut self, view: &View<'_>) -> Result<(), String> {
        self.record.as_mut().map_or(Ok(()), |record| record.append(view))
    }

    /// Whether a report goes to standard output, where nothing else may go then.
    pub fn use_stdout(&self) -> bool {
        self.reports.iter().any(|sink| matches!(sink.to, Target::Stdout))
    }

    /// Whether a report has this format.
    pub fn has(&self, format: &Format) -> bool {
        self.reports.iter().any(|sink| sink.format.name == format.name)
    }

    /// Whether there is a report or a record that may show single findings.
    pub fn list_findings(&self) -> bool {
        self.record.is_some() || !self.reports.is_empty()
    }

    /// Where each report goes, standard output aside.
    pub fn places(&self) -> Vec<(&'static Format, PathBuf)> {
        let files = self.reports.iter().filter(|sink| !matches!(sink.to, Target::Stdout));
        files.map(|sink| (sink.format, sink.path.clone())).collect()
    }

    /// Writes the files, each into its place at once, and when all are there, what goes to
    /// standard output. Returns a sentence for each report that failed and is given up. What the
    /// others say may no longer be true then: write again until none fails.
    #[must_use = "a report that could not be written must not be a pass"]
    pub fn write(&mut self, view: &View<'_>) -> Vec<String> {
        let mut failures = Vec::new();
        let written: Vec<_> = match view.entries.len() < MANY {
            true => self.reports.iter_mut().map(|sink| sink.write(view)).collect(),
            false => side_by_side(&mut self.reports, view),
        };
        let mut written = written.into_iter();
        self.reports.retain(|Sink { format, path, .. }| {
            let error = written.next().and_then(Result::err);
            failures.extend(error.as_ref().map(|error| failed(format, path, error)));
            error.is_none()
        });
        if !failures.is_empty() {
            return failures;
        }
        let stdout = self.reports.iter().position(|sink| matches!(sink.to, Target::Stdout));
        if let Some(Sink { format, path, .. }) = stdout.map(|at| self.reports.remove(at)) {
            let written = match was_closed() {
                true => render(format, view, Closed),
                false => unless_reader_left(render(format, view, io::stdout().lock())),
            };
            failures.extend(written.err().map(|error| failed(format, &path, &error)));
        }
        failures
    }
}

/// Writes every file in a thread of its own.
fn side_by_side(reports: &mut [Sink], view: &View<'_>) -> Vec<io::Result<()>> {
    thread::scope(|scope| {
        let begin = |sink| thread::Builder::new().spawn_scoped(scope, || Sink::write(sink, view));
        let begun: Vec<_> = reports.iter_mut().map(begin).collect();
        let ended = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("its writing broke off")))
        };
        begun.into_iter().map(|thread| thread.and_then(ended)).collect()
    })
}

impl Sink {
    /// Writes its file, if it is one.
    fn write(&mut self, view: &View<'_>) -> io::Result<()> {
        match &mut self.to {
            Target::Stdout => Ok(()),
            Target::File { place, file } => fill(self.format, view, file.take(), place),
        }
    }
}

impl Target {
    fn open(path: &Path) -> Result<Self, String> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let text = path.to_string_lossy();
        if text.is_empty() {
            return Err("the path is empty".to_owned());
        }
        let (Some(name), false) = (path.file_name(), text.ends_with(std::path::is_separator))
        else {
            return Err("that names a directory; name a file".to_owned());
        };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| {
            format!("its directory could not be made: {}", text::reason(&error))
        })?;
        // The one name of the place, however it was written.
        let parent = fs::canonicalize(parent).map_err(|error| text::reason(&error))?;
        let place = parent.join(name);
        remove_old(&place)?;
        sweep(&parent);
        let file = temporary(&parent)
            .map_err(|error| format!("no file can be made there: {}", text::reason(&error)))?;
        Ok(Self::File { place, file: Some(file) })
    }

    /// What no two reports may share.
    fn place(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::File { place, .. } => place,
        }
    }
}

/// No error where the reader of stdout has read enough and left, as `head` does: what was not
/// written was not wanted.
///
/// # Errors
/// Every other error.
pub fn unless_reader_left(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Removes an old report, and nothing else: not a directory, not the target of a link, which
/// the author of the link may have chosen, and not a file that is not a report.
fn remove_old(place: &Path) -> Result<(), String> {
    let kind = match fs::symlink_metadata(place) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(text::reason(&error)),
    };
    if kind.is_dir() {
        return Err("a directory is there; name a file".to_owned());
    }
    if !kind.is_file() {
        let what = if kind.is_symlink() { "a symbolic link" } else { "no plain file" };
        return Err(format!(
            "{what} is there, and reports only replace plain files; for standard output use `-`"
        ));
    }
    if !former::is_report(place).map_err(|error| text::reason(&error))? {
        return Err("a file is there that is not a report of compliance-gate; remove it, or name \
                    another place"
            .to_owned());
    }
    fs::remove_file(place)
        .map_err(|error| format!("the old report could not be removed: {}", text::reason(&error)))
}

fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // Temporary files are for their owner only, but CI hosts read reports as another user. So
    // they are as readable as the umask allows for new files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(directory)?;
    // The lock ends with this process and shows that the file is in use. Where the file system has
    // no locks, leftovers stay.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes what a run left beside its reports that was killed before it could write them.
fn sweep(directory: &Path) {
    /// A file that was just made may not be locked yet.
    const YOUNG: Duration = Duration::from_secs(1);
    let is_ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_ours(&entry.file_name().to_string_lossy())) {
        let is_old = entry.metadata().is_ok_and(|metadata| {
            let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
            metadata.is_file() && age.is_some_and(|age| age > YOUNG)
        });
        let path = entry.path();
        if is_old && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            // One that cannot be removed does no harm.
            let _ = fs::remove_file(path);
        }
    }
}

fn fill(
    format: &Format,
    view: &View<'_>,
    file: Option<NamedTempFile>,
    place: &Path,
) -> io::Result<()> {
    let mut file = match file {
        Some(file) => file,
        // A report that was written before is no longer valid.
        None => {
            match fs::remove_file(place) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            temporary(place.parent().unwrap_or(place))?
        }
    };
    render(format, view, file.as_file_mut())?;
    if file.as_file().metadata()?.len() == 0 {
        // A format that writes nothing has no file on this decision.
        return Ok(());
    }
    // Some file systems report only now that the disk is full.
    File::sync_all(file.as_file())?;
    file.persist(place).map_err(|error| error.error)?;
    Ok(())
}

fn render(format: &Format, view: &View<'_>, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(64 * 1024, to);
    (format.render)(view, &mut to)?;
    to.flush()
}

fn failed(format: &Format, path: &Path, error: &io::Error) -> String {
    sentence("write", format, path, &text::reason(error))
}

fn sentence(what: &str, format: &Format, path: &Path, why: &str) -> String {
    format!(
        "failed to {what} the {} report (`--{} {}`): {why}",
        format.title,
        format.flag(),
        path.display()
    )
}
