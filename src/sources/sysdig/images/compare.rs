//! What readers must know where images are compared: what does not count
//! (docs/platforms/sysdig.md#images).

use std::collections::BTreeSet;

use crate::text;

/// An image that was compared with another one.
pub(super) struct Compared {
    pub(super) image: String,
    pub(super) with: String,
    /// Vulnerabilities that the other one has too.
    pub(super) left_out: u64,
    /// Whether both names are those of one image, as where a release is deployed once more.
    pub(super) is_same: bool,
}

impl Compared {
    pub(super) fn note(&self) -> String {
        let count = text::count(self.left_out, "vulnerability");
        format!("{count} that image {} has too, not counted", self.with)
    }
}

/// What no report of a gate may leave out.
pub(super) fn remarks(all: &[Compared]) -> Vec<String> {
    let with: BTreeSet<_> = all.iter().map(|one| one.with.as_str()).collect();
    let left_out = all.iter().map(|one| one.left_out).sum();
    let counted = (left_out > 0).then(|| {
        let count = text::count(left_out, "vulnerability");
        let is = if left_out == 1 { "is" } else { "are" };
        format!("{count} that image {} has too {is} not counted", text::listed(with, ", ", 3))
    });
    let same: Vec<_> = all.iter().filter(|one| one.is_same).collect();
    let images = text::listed(same.iter().map(|one| one.image.as_str()), ", ", 3);
    let itself = (!same.is_empty()).then(|| {
        let names: BTreeSet<_> = same.iter().map(|one| one.with.as_str()).collect();
        format!(
            "image {images} is the very image that it is compared with ({}), so no vulnerability of \
             it counts",
            text::listed(names, ", ", 3)
        )
    });
    counted.into_iter().chain(itself).collect()
}
