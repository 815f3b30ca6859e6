//! The files of baselines that entries name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::baseline::{Baseline, BaselineFault};
use crate::config::source::{Files, Source as Text};
use crate::policy::Whose;

/// The most bytes of a baseline.
const MOST_BYTES_OF_BASELINE: u64 = 64 << 20;

/// The baselines of a policy, each read once.
#[derive(Debug)]
pub(in crate::config) struct Baselines {
    files: Files,
    /// Whose policy names them.
    whose: Whose,
    /// Whether one that is missing is no error.
    pub may_be_missing: bool,
    read: RefCell<BTreeMap<PathBuf, BaselineRead>>,
}

/// A baseline that was read, or what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct BaselineRead {
    pub file: Arc<Text>,
    pub baseline: Result<Arc<Baseline>, BaselineFault>,
}

impl Baselines {
    pub(in crate::config) fn of(files: Files, whose: Whose) -> Self {
        Self { files, whose, may_be_missing: false, read: RefCell::default() }
    }

    pub(in crate::config) const fn is_on_disk(&self) -> bool {
        self.files.is_on_disk()
    }

    pub(in crate::config) const fn files(&self) -> &Files {
        &self.files
    }

    /// The file at a path that another file names.
    ///
    /// # Errors
    /// A sentence, if it cannot be read. `None` if it is missing and may be.
    pub(super) fn read(
        &self,
        folder: &Path,
        written: &str,
    ) -> Result<Option<BaselineRead>, String> {
        let key = folder.join(written);
        if let Some(known) = self.read.borrow().get(&key) {
            return Ok(Some(known.clone()));
        }
        if self.may_be_missing
            && Text::place_named(folder, written, self.whose)?.symlink_metadata().is_err()
        {
            return Ok(None);
        }
        let file = self
            .files
            .read(folder, written, MOST_BYTES_OF_BASELINE, self.whose)
            .map_err(|why| format!("{why} (`compliance-gate baseline write` makes a baseline)"))?;
        if self.whose == Whose::Organisation && self.is_on_disk() && file.is_inside() {
            return Err(format!(
                "`{written}` is inside the workspace, where the repository can change it; name a file \
                 outside it, or let `accept_from_repository` take the repository's baseline"
            ));
        }
        let baseline = Baseline::parse(&file.text).map(Arc::new);
        let read = BaselineRead { file: Arc::new(file), baseline };
        self.read.borrow_mut().insert(key, read.clone());
        Ok(Some(read))
    }
}
