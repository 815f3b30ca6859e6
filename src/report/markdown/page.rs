//! A text that never grows beyond a budget, and counts what did not fit.

/// What rows keep free for the line that counts what was left out.
const RESERVE: usize = 400;

/// The end of a page that is too small for all its parts.
const CUT: &str =
    "\nThis page was cut to the size that the host accepts; `--json FILE` has everything.\n";

pub(super) struct Page {
    text: String,
    most: usize,
    /// Whether something is missing that no line speaks of.
    cut: bool,
}

impl Page {
    pub(super) fn new(most: usize) -> Self {
        Self { text: String::new(), most: most.saturating_sub(CUT.len()), cut: false }
    }

    /// A row for each item as far as they fit; for the others, what `rest` says of their number.
    pub(super) fn rows<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        row: impl Fn(T) -> String,
        rest: impl FnOnce(usize) -> String,
    ) {
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            let row = row(item);
            if self.fits(&row, RESERVE) {
                self.push(&row);
                continue;
            }
            // The others are only counted: there may be very many.
            self.line(&rest(1 + items.count()));
            return;
        }
    }

    pub(super) fn heading(&mut self, title: &str) {
        self.line(&format!("\n#### {title}\n"));
    }

    /// A part that readers can open, if any of it fits.
    pub(super) fn fold(&mut self, title: &str, inside: impl FnOnce(&mut Self)) {
        const END: &str = "\n</details>";
        let begin = format!("\n<details><summary>{title}</summary>\n");
        if !self.fits(&begin, RESERVE + END.len()) {
            self.cut = true;
            return;
        }
        self.push(&begin);
        self.most -= END.len() + 1;
        inside(self);
        self.most += END.len() + 1;
        self.push(END);
    }

    pub(super) fn blank(&mut self) {
        self.line("");
    }

    /// A line, if it fits into the reserve.
    pub(super) fn line(&mut self, line: &str) {
        if self.fits(line, 0) {
            self.push(line);
        } else {
            self.cut = true;
        }
    }

    pub(super) fn finished(mut self) -> String {
        if self.cut {
            self.text.push_str(CUT);
        }
        self.text
    }

    fn fits(&self, line: &str, reserve: usize) -> bool {
        self.text.len() + line.len() + 1 + reserve <= self.most
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}
