//! A text that never grows beyond a budget, and says what did not fit.

/// What is kept free, to say what was left out and to close what is open.
const RESERVE: usize = 400;

pub struct Page {
    text: String,
    most: usize,
}

impl Page {
    pub fn new(most: usize) -> Self {
        Self { text: String::new(), most }
    }

    /// Rows as far as they fit; for the others, what `rest` says of their number.
    pub fn rows(&mut self, rows: impl Iterator<Item = String>, rest: impl FnOnce(usize) -> String) {
        let mut rows = rows;
        let left_out = loop {
            match rows.next() {
                None => return,
                Some(row) if self.fits(&row, RESERVE) => self.push(&row),
                Some(_) => break 1 + rows.count(),
            }
        };
        self.line(&rest(left_out));
    }

    pub fn heading(&mut self, title: &str) {
        self.line(&format!("\n#### {title}\n"));
    }

    /// Begins a part that readers open if they want to.
    pub fn fold(&mut self, title: &str) {
        self.line(&format!("\n<details><summary>{title}</summary>\n"));
    }

    pub fn unfold(&mut self) {
        self.line("\n</details>");
    }

    pub fn blank(&mut self) {
        self.line("");
    }

    /// A line, if even the reserve has room for it.
    pub fn line(&mut self, line: &str) {
        if self.fits(line, 0) {
            self.push(line);
        }
    }

    pub fn finished(self) -> String {
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
