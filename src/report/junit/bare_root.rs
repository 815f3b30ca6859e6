//! A writer that removes the attributes of `<testsuites>`: Windy Road's schema allows none, and
//! quick-junit always writes the totals there. Readers count the cases themselves.

use std::io::{self, Write};

const ROOT: &[u8] = b"<testsuites";

pub(super) struct BareRoot<W> {
    out: W,
    /// What has come up to the end of the root's tag; `None` after it.
    head: Option<Vec<u8>>,
}

impl<W: Write> BareRoot<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, head: Some(Vec::new()) }
    }
}

impl<W: Write> Write for BareRoot<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(head) = &mut self.head else { return self.out.write(bytes) };
        head.extend_from_slice(bytes);
        // Within attributes `>` is always escaped.
        let name_end = memchr::memmem::find(head, ROOT).map(|start| start + ROOT.len());
        let tag_end = name_end.and_then(|end| Some(end + memchr::memchr(b'>', &head[end..])?));
        if let (Some(name_end), Some(tag_end)) = (name_end, tag_end) {
            self.out.write_all(&head[..name_end])?;
            self.out.write_all(&head[tag_end..])?;
            self.head = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_roots_attributes_go_whatever_the_size_of_the_writes() {
        let given = b"<?xml version=\"1.0\"?>\n<testsuites tests=\"1\" name=\"&gt;\">\n<testsuite id=\"0\"/>";
        let bare = "<?xml version=\"1.0\"?>\n<testsuites>\n<testsuite id=\"0\"/>";
        for size in 1..given.len() {
            let mut out = Vec::new();
            let mut writer = BareRoot::new(&mut out);
            given.chunks(size).for_each(|chunk| writer.write_all(chunk).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), bare, "in writes of {size} bytes");
        }
    }
}
