//! What does not count because another image has it too, and what readers must know of that
//! (docs/platforms/sysdig.md#images).

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Severity};
use crate::text;

/// Leaves out what another image has too, of at least the same severity, in the same package and
/// path, whatever its version.
pub(super) fn leave_out(other: &[Finding], findings: &mut Vec<Finding>) {
    let mut known: BTreeMap<[String; 3], Vec<Severity>> = BTreeMap::new();
    for finding in other {
        known.entry(key(finding)).or_default().push(finding.subject.severity);
    }
    findings.retain(|finding| {
        let Some(known) = known.get_mut(&key(finding)) else { return true };
        let covers = |known: &Severity| match known {
            Severity::Unknown => finding.subject.severity == Severity::Unknown,
            known => *known >= finding.subject.severity,
        };
        let at = known.iter().position(covers);
        at.map(|at| known.swap_remove(at)).is_none()
    });
}

/// What makes a vulnerability the same in two images.
fn key(finding: &Finding) -> [String; 3] {
    let (package, path) = finding.image_part();
    [finding.rule_id(), package, path].map(str::to_owned)
}

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
