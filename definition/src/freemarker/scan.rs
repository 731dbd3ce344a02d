//! From text to a flat list of items: text, interpolations and tags, each with its place.

use super::expression::{Parser, is_name_start};
use super::{Expr, Fault};

/// An item and the byte it begins at.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) kind: ItemKind,
}

#[derive(Debug)]
pub(super) enum ItemKind {
    Text(String),
    Output(Expr),
    /// Leaves nothing behind, but makes its line one of tags.
    Comment,
    Open(Directive),
    Close(String),
}

/// The start of a directive.
#[derive(Debug)]
pub(super) enum Directive {
    If(Expr),
    ElseIf(Expr),
    Else,
    List { over: Expr, names: Vec<String> },
    Sep,
    Assign(Vec<(String, Expr)>),
    Capture(String),
    Break,
    Continue,
}

/// Directives that have an end tag.
const BLOCKS: &[&str] = &["if", "list", "sep", "assign"];

/// Reads a whole template.
pub(super) fn items(source: &str) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let start = next_mark(source, at);
        if start > at {
            items.push(Item { at, kind: ItemKind::Text(source[at..start].to_owned()) });
        }
        at = start;
        if at < source.len() {
            let (kind, end) = marked(source, at)?;
            items.push(Item { at, kind });
            at = end;
        }
    }
    Ok(items)
}

/// The next byte where something other than text begins.
fn next_mark(source: &str, from: usize) -> usize {
    let marks = ["${", "#{", "<#", "</#", "<@", "</@"];
    let bytes = source.as_bytes();
    (from..bytes.len())
        .find(|at| marks.iter().any(|mark| bytes[*at..].starts_with(mark.as_bytes())))
        .unwrap_or(source.len())
}

/// The item at a mark, and the byte after it.
fn marked(source: &str, at: usize) -> Result<(ItemKind, usize), Fault> {
    let rest = &source[at..];
    if rest.starts_with("${") {
        let mut parser = Parser::new(source, at + 2);
        let expr = parser.expression()?;
        parser.expect("}", "the interpolation needs its closing brace")?;
        return Ok((ItemKind::Output(expr), parser.at));
    }
    if let Some(comment) = rest.strip_prefix("<#--") {
        let end =
            comment.find("-->").ok_or_else(|| Fault::new(at, "the comment is not closed, write -->"))?;
        return Ok((ItemKind::Comment, at + 4 + end + 3));
    }
    if let Some(raw) = rest.strip_prefix("<#noparse>") {
        let end = raw.find("</#noparse>").ok_or_else(|| Fault::new(at, "noparse is not closed"))?;
        let text = raw[..end].to_owned();
        return Ok((ItemKind::Text(text), at + "<#noparse>".len() + end + "</#noparse>".len()));
    }
    if rest.starts_with("#{") {
        return Err(Fault::new(at, "#{…} is not supported, write ${…}"));
    }
    if rest.starts_with("<@") || rest.starts_with("</@") {
        return Err(Fault::new(at, "macros are not supported"));
    }
    if let Some(closing) = rest.strip_prefix("</#") {
        let name: String = closing.chars().take_while(char::is_ascii_alphanumeric).collect();
        if !BLOCKS.contains(&name.as_str()) {
            return Err(Fault::new(at, format!("the end tag </#{name}> is not supported")));
        }
        let mut parser = Parser::tag(source, at + 3 + name.len());
        parser.expect(">", "the end tag needs its closing >")?;
        return Ok((ItemKind::Close(name), parser.at));
    }
    tag(source, at)
}

/// The start tag `<#name …>` at a byte.
fn tag(source: &str, at: usize) -> Result<(ItemKind, usize), Fault> {
    let name: String = source[at + 2..].chars().take_while(char::is_ascii_alphabetic).collect();
    let mut parser = Parser::tag(source, at + 2 + name.len());
    let directive = match name.as_str() {
        "if" => Directive::If(parser.expression()?),
        "elseif" | "elseIf" => Directive::ElseIf(parser.expression()?),
        "else" => Directive::Else,
        "list" => list(&mut parser)?,
        "sep" => Directive::Sep,
        "assign" | "global" | "local" => assign(&mut parser)?,
        "break" => Directive::Break,
        "continue" => Directive::Continue,
        "" => return Err(Fault::new(at, "a directive needs a name")),
        _ => {
            let known = "if, elseif, else, list, sep, assign, break, continue and noparse";
            return Err(Fault::new(at, format!("the directive <#{name}> is not supported, use {known}")));
        }
    };
    parser.skip_space();
    if parser.rest().starts_with("/>") {
        parser.at += 1;
    }
    parser.expect(
        ">",
        &format!("the tag <#{name}> needs its closing > here (in expressions write gt, or parentheses)"),
    )?;
    Ok((ItemKind::Open(directive), parser.at))
}

/// `items as item`, or `hash as key, value`.
fn list(parser: &mut Parser<'_>) -> Result<Directive, Fault> {
    let over = parser.expression()?;
    parser.skip_space();
    if !parser.word("as") {
        return Err(Fault::new(parser.at, "a list needs a name for its elements: <#list items as item>"));
    }
    let mut names = vec![parser.name()?];
    parser.skip_space();
    if parser.rest().starts_with(',') {
        parser.at += 1;
        names.push(parser.name()?);
    }
    Ok(Directive::List { over, names })
}

/// `a = 1 b = 2`, or a name alone whose value is what follows up to the end tag.
fn assign(parser: &mut Parser<'_>) -> Result<Directive, Fault> {
    let mut assigned = Vec::new();
    loop {
        parser.skip_space();
        match parser.rest().chars().next() {
            Some(c) if is_name_start(c) || matches!(c, '"' | '\'') => {}
            _ if assigned.is_empty() => return Err(Fault::new(parser.at, "an assignment needs a name")),
            _ => return Ok(Directive::Assign(assigned)),
        }
        let name = parser.name_or_text()?;
        parser.skip_space();
        let rest = parser.rest();
        if rest.starts_with('=') && !rest.starts_with("==") {
            parser.at += 1;
            assigned.push((name, parser.expression()?));
        } else if assigned.is_empty() && (rest.starts_with('>') || rest.starts_with("/>")) {
            return Ok(Directive::Capture(name));
        } else {
            return Err(Fault::new(parser.at, "an assignment is written name = value"));
        }
    }
}
