//! Which field of a JSON text a position belongs to. It is found only for errors, so that reading a
//! good answer costs nothing more.

/// The longest path that is shown, in steps.
const MOST_STEPS: usize = 16;

/// One level of nesting.
enum Step {
    /// The key whose value is being read; empty before the first key.
    Key(String),
    /// The position in a list.
    Index(usize),
}

/// The path at a line and a column, as serde_json counts them: `rows[1].count`.
pub(super) fn at(text: &str, line: usize, column: usize) -> Option<String> {
    let line_start = match line {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2)? + 1,
    };
    let bytes = text.as_bytes().get(..line_start.saturating_add(column).min(text.len()))?;
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let start = at;
                at = end_of_string(bytes, at);
                let colon = bytes.get(at..).unwrap_or_default().trim_ascii_start();
                if let (Some(b':'), Some(Step::Key(key))) = (colon.first(), steps.last_mut()) {
                    let written = bytes.get(start..at.saturating_sub(1)).unwrap_or_default();
                    *key = super::excerpt(&String::from_utf8_lossy(written), 60);
                }
            }
            b'{' => steps.push(Step::Key(String::new())),
            b'[' => steps.push(Step::Index(0)),
            // The position of a type error is right behind the value.
            b'}' | b']' if at < bytes.len() => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(key)) => key.clear(),
                None => {}
            },
            _ => {}
        }
    }
    let mut path = String::new();
    for step in steps.iter().take(MOST_STEPS) {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.push_str(&format!(".{key}")),
        }
    }
    (!path.is_empty()).then_some(path)
}

/// The position behind the quote that ends a string.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
