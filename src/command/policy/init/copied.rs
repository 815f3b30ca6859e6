//! What a new policy takes over from the one that evidence was collected for: its sources, as they
//! are written.

/// The keys at the top of a file that are taken over, and those that begin with `x-`.
const KEYS: [&str; 4] = ["deadline", "sources", "reports", "export"];

/// The lines of these keys, in the order of the file.
///
/// # Errors
/// A sentence, if the sources are not written as lines of their own.
pub(super) fn of(policy: &str) -> Result<String, String> {
    let mut copied = String::new();
    let mut is_kept = false;
    let mut has_sources = false;
    for line in policy.lines() {
        let is_inner = line.is_empty() || line.starts_with([' ', '\t', '#', '-']);
        if !is_inner {
            let key = line.split(':').next().unwrap_or_default().trim_matches(['"', '\'', ' ']);
            is_kept = KEYS.contains(&key) || key.starts_with("x-");
            has_sources |= key == "sources";
        }
        // Comments at the beginning of a line may belong to the next key.
        if is_kept && !line.starts_with('#') && !line.trim().is_empty() {
            copied.push_str(line);
            copied.push('\n');
        }
    }
    match has_sources {
        true => Ok(copied),
        false => Err("the policy in the evidence has no `sources:` on a line of its own, so they \
                      cannot be taken over"
            .to_owned()),
    }
}
