//! Reads YAML into a tree, with a sentence for each usual slip.

use std::collections::BTreeMap;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StructureStyle, Tag, options,
};

use super::diagnostic::{Diagnostic, line_of};
use super::node::{Key, Mark, Node, Value};
use super::slips::{self, ValueKind};
use crate::text;

/// A policy is a few levels deep.
const DEEPEST: usize = 64;

/// What aliases may add to a file, so that a small file stays small.
const MOST_COPIED_NODES: usize = 50_000;

/// Reads the only document of a file. Everything that is wrong is added to `diagnostics`; there is
/// no tree if the syntax is wrong.
pub(super) fn read(text: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let options = options! { emit_unresolved_aliases: true };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::new(diagnostics);
    while let Some(event) = parser.next_event() {
        let taken = match event {
            Ok((event, span)) => {
                let start = span.tag_start().unwrap_or(span.start);
                builder.take(event, mark(&start))
            }
            Err(error) => Err(syntax(&error, text, &builder.open)),
        };
        if let Err(diagnostic) = taken {
            builder.diagnostics.push(diagnostic);
            return None;
        }
    }
    let (root, diagnostics) = (builder.root, builder.diagnostics);
    match &root {
        Some(node) if node.is_map() => return root,
        Some(node) if !node.is_null() => {
            let message = slips::wrong_shape("", ValueKind::Map, &node.value);
            diagnostics.push(Diagnostic::at(node.mark, message));
        }
        _ => diagnostics.push(Diagnostic::somewhere(
            "the file is empty; `compliance-gate policy init` writes a starter policy",
        )),
    }
    None
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}

struct Builder<'d> {
    diagnostics: &'d mut Vec<Diagnostic>,
    /// The collections that are not closed yet, outermost first.
    open: Vec<Open>,
    /// Nodes with an anchor, and how many nodes each is.
    anchors: BTreeMap<usize, (Node, usize)>,
    copied: usize,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

struct Open {
    id: usize,
    mark: Mark,
    anchor: usize,
    /// The bracket that closes it, in the notation with brackets.
    bracket: Option<char>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Map),
}

#[derive(Default)]
struct Map {
    entries: Vec<(Key, Node)>,
    /// The key whose value comes next, and whether it is written without quotes.
    key: Option<(Key, bool)>,
    /// What `<<` takes over.
    merged: Vec<Node>,
}

impl<'d> Builder<'d> {
    fn new(diagnostics: &'d mut Vec<Diagnostic>) -> Self {
        Self {
            diagnostics,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            copied: 0,
            nodes: 0,
            documents: 0,
            root: None,
        }
    }

    /// Fails where reading on would be of no use.
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here (`---`); a policy is one document";
                    return Err(Diagnostic::at(mark, message));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let id = self.next_id();
                let plain = style == ScalarStyle::Plain;
                let value = self.scalar(text.into_owned(), plain, tag.as_deref(), mark);
                self.finish(Node { id, mark, value }, anchor);
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    let message = "an alias cannot refer to what contains it";
                    return Err(Diagnostic::at(mark, message));
                };
                self.copied += size;
                if self.copied > MOST_COPIED_NODES {
                    let message =
                        "the aliases (`*name`) of this file repeat too much; write it out";
                    return Err(Diagnostic::at(mark, message));
                }
                let node = node.clone();
                self.put(node);
            }
            Event::UnresolvedAlias(name) => {
                self.diagnostics.push(Diagnostic::at(
                    mark,
                    format!(
                        "an unquoted `*` begins a YAML alias, and there is no anchor `&{name}`; \
                         write the value in quotes: `\"*{name}\"`"
                    ),
                ));
                let id = self.next_id();
                let value = Value::Scalar { text: format!("*{name}"), plain: false };
                self.put(Node { id, mark, value });
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), mark);
                self.begin(mark, anchor, style, ']', Content::List(Vec::new()))?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), mark);
                self.begin(mark, anchor, style, '}', Content::Map(Map::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
        Ok(())
    }

    fn next_id(&mut self) -> usize {
        self.nodes += 1;
        self.nodes
    }

    fn scalar(&mut self, text: String, plain: bool, tag: Option<&Tag>, mark: Mark) -> Value {
        match tag {
            None => Value::Scalar { text, plain },
            Some(tag) if tag.is_yaml_core_schema_tag("str") => Value::Scalar { text, plain: false },
            Some(tag) => {
                self.refuse_tag(Some(tag), mark);
                Value::Scalar { text: tag.original(), plain: false }
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, mark: Mark) {
        if let Some(tag) = tag {
            self.diagnostics.push(Diagnostic::at(
                mark,
                format!(
                    "an unquoted `!` begins a YAML tag, and tags such as `{}` have no meaning \
                     here; write the value in quotes (a selector cannot be negated: use \
                     `except`)",
                    tag.original()
                ),
            ));
        }
    }

    fn begin(
        &mut self,
        mark: Mark,
        anchor: usize,
        style: StructureStyle,
        bracket: char,
        content: Content,
    ) -> Result<(), Diagnostic> {
        if self.open.len() == DEEPEST {
            return Err(too_deep(mark));
        }
        let id = self.next_id();
        let bracket = (style == StructureStyle::Flow).then_some(bracket);
        self.open.push(Open { id, mark, anchor, bracket, content });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open { id, mark, anchor, content, .. }) = self.open.pop() else { return };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(self.merge(map)),
        };
        self.finish(Node { id, mark, value }, anchor);
    }

    /// Takes over the keys of `<<`. Keys written beside it win, then the maps named first.
    fn merge(&mut self, map: Map) -> Vec<(Key, Node)> {
        let Map { mut entries, merged, .. } = map;
        for node in merged {
            let maps = match &node.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(&node),
            };
            if let Some(other) = maps.iter().find(|node| !node.is_map()) {
                let message = "`<<` takes over the keys of another map; write `<<: *name`, with \
                               `&name` at that map";
                self.diagnostics.push(Diagnostic::at(other.mark, message));
            }
            for (key, value) in maps.iter().flat_map(Node::entries) {
                if !entries.iter().any(|(own, _)| own.name == key.name) {
                    entries.push((key.clone(), value.clone()));
                }
            }
        }
        entries
    }

    fn finish(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node);
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(map)) => {
                let problem = map.put(node);
                self.diagnostics.extend(problem);
            }
        }
    }
}

impl Map {
    fn put(&mut self, mut node: Node) -> Option<Diagnostic> {
        let Some((key, plain)) = self.key.take() else {
            let Node { mark, value, .. } = node;
            let (name, plain) = match value {
                Value::Scalar { text, plain } => (text, plain),
                _ => (String::new(), false),
            };
            let problem = name.is_empty().then(|| Diagnostic::at(mark, "a key is a word"));
            self.key = Some((Key { name, mark }, plain));
            return problem;
        };
        if key.name.is_empty() {
            return None;
        }
        // An empty value has no place of its own. The parser hands it over as `~`.
        if matches!(&node.value, Value::Scalar { text, plain: true } if text == "~") {
            node.mark = key.mark;
        }
        let is_merge = key.name == "<<" && plain;
        if (is_merge && !self.merged.is_empty())
            || self.entries.iter().any(|(other, _)| other.name == key.name)
        {
            let message =
                format!("key `{}` is given twice; only one of them could count", key.name);
            return Some(Diagnostic::at(key.mark, message));
        }
        match is_merge {
            true => self.merged.push(node),
            false => self.entries.push((key, node)),
        }
        None
    }
}

fn too_deep(mark: Mark) -> Diagnostic {
    Diagnostic::at(mark, format!("lists and maps are nested more than {DEEPEST} levels deep here"))
}

/// What the parser refused, in words for the author of a policy.
fn syntax(error: &ScanError, text: &str, open: &[Open]) -> Diagnostic {
    let mark = mark(error.marker());
    let line = line_of(text, mark).unwrap_or_default();
    let unclosed = open.iter().rev().find_map(|open| open.bracket.map(|bracket| (open, bracket)));
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(mark),
        ErrorKind::UnclosedQuotedScalar => Diagnostic::at(mark, "the quotes here are not closed"),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => {
            Diagnostic::at(mark, "there is a tab here; YAML is indented with spaces only")
        }
        _ if let Some(value) = block_scalar(line) => {
            let (key, _) = line.split_once(':').unwrap_or((line, ""));
            let key = key.trim().trim_start_matches("- ").trim();
            Diagnostic::at(
                mark,
                format!(
                    "an unquoted `>` begins a YAML block text; write it in quotes: `{key}: \
                     \"{value}\"`"
                ),
            )
        }
        ErrorKind::MissingAnchorOrAliasName => Diagnostic::at(
            mark,
            "an unquoted `*` or `&` begins a YAML alias or anchor; write the value in quotes, as \
             in `\"*\"`",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            Diagnostic::at(mark, format!("the `{open}` here is not closed{}", comment(line)))
        }
        _ if let Some((open, bracket)) = unclosed => {
            let other = if bracket == ']' { '[' } else { '{' };
            let comment = comment(line_of(text, open.mark).unwrap_or_default());
            Diagnostic::at(
                open.mark,
                format!(
                    "the `{other}` here is not closed before line {}; add `{bracket}`, or a comma \
                     between two items{comment}",
                    mark.line
                ),
            )
        }
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            Diagnostic::at(mark, "this bracket closes none that is open")
        }
        ErrorKind::UnexpectedCharacter { character } => Diagnostic::at(
            mark,
            format!("a value cannot begin with `{character}`; write it in quotes"),
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => Diagnostic::at(
            mark,
            "a second `: ` on one line; write the value in quotes, or the keys on lines of their \
             own",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            Diagnostic::at(mark, "a key and `: ` are expected here, as in `key: value`")
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidIndentation => {
            let message = "the indentation does not fit; keys of one map, and the `-` of one list, \
                           begin in the same column";
            Diagnostic::at(mark, message)
        }
        other => {
            let message = text::one_line(&other.to_string(), 500);
            Diagnostic::at(mark, format!("this is not YAML: {message}"))
        }
    }
}

/// What a `#` in a line may have done.
fn comment(line: &str) -> &'static str {
    match line.contains(" #") {
        true => "; an unquoted ` #` begins a comment, so a value with it needs quotes",
        false => "",
    }
}

/// The value of a line such as `severity: >= high`, where YAML expects a block text.
fn block_scalar(line: &str) -> Option<&str> {
    let value = line.split_once(':')?.1.trim();
    value.starts_with('>').then_some(value)
}
