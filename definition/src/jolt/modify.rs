//! `modify-overwrite-beta`, `modify-default-beta`: values are computed where they stand.

use super::path::{self, Lookup, Pattern};
use super::{Function, SpecError, object};
use serde_json::{Map, Value};

/// When a computed value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Overwrite,
    /// When there is none, or null.
    Default,
    /// When there is none.
    Define,
}

/// Members of one object or list.
pub type Modifications = Vec<ModifyChild>;

/// A level of the specification.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifyContainer {
    /// `[0]`: elements of a list, which is at least so long. Absent: members of an object, or of whatever is there.
    pub list: Option<usize>,
    /// Whether an object is made where nothing is: only names say what it should be.
    pub makes_object: bool,
    /// Names and indexes first, then patterns from the narrowest to the widest.
    pub children: Modifications,
}

/// A member to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifyChild {
    pub key: ModifyKey,
    /// `+a`, `~a`, `_a`: a mode of its own.
    pub mode: Option<Mode>,
    /// `a?`: only when it is there.
    pub only_existing: bool,
    pub target: ModifyTarget,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ModifyKey {
    Pattern(Pattern),
    Index(usize),
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum ModifyTarget {
    Deeper(ModifyContainer),
    /// The first one that has a value.
    FirstOf(Vec<Source>),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    Literal(Value),
    Lookup(Lookup),
    /// Without arguments: of the value that is there.
    Call(Function, Option<Vec<Source>>),
}

pub(super) fn read(place: &str, spec: &Map<String, Value>) -> Result<ModifyContainer, SpecError> {
    /// Longest list that is made, elements.
    const LIST_MAX: usize = 10_000;
    let mut children = Vec::new();
    let mut length = 0;
    for (key, value) in spec {
        let place = format!("{place}.{key}");
        let mode = match key.chars().next() {
            Some('+') => Some(Mode::Overwrite),
            Some('~') => Some(Mode::Default),
            Some('_') => Some(Mode::Define),
            _ => None,
        };
        let name = if mode.is_some() { &key[1..] } else { key };
        let (name, only_existing) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        let target = target(&place, value)?;
        let index = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if let Some(index) = index.filter(|index| *index != "*") {
            let index = index.parse().ok().filter(|index| *index < LIST_MAX);
            let index: usize = index.ok_or_else(|| {
                SpecError::new(&place, format!("`{name}` is no index, use a number less than {LIST_MAX}"))
            })?;
            length = length.max(index + 1);
            children.push(ModifyChild { key: ModifyKey::Index(index), mode, only_existing, target });
            continue;
        }
        let name = if index.is_some() { "*" } else { name };
        for name in path::alternatives(name) {
            let key = ModifyKey::Pattern(Pattern::parse(&place, name)?);
            children.push(ModifyChild { key, mode, only_existing, target: target.clone() });
        }
    }
    let lists = children.iter().any(|child| matches!(child.key, ModifyKey::Index(_)));
    let names = children.iter().any(|child| matches!(child.key, ModifyKey::Pattern(Pattern::Literal(_))));
    if lists && names {
        return Err(SpecError::new(place, "names and indexes of one level exclude each other"));
    }
    children.sort_by_key(|child| match &child.key {
        ModifyKey::Index(_) | ModifyKey::Pattern(Pattern::Literal(_)) => (0, std::cmp::Reverse(0)),
        ModifyKey::Pattern(pattern) => pattern.rank(),
    });
    Ok(ModifyContainer { list: lists.then_some(length), makes_object: names, children })
}

fn target(place: &str, value: &Value) -> Result<ModifyTarget, SpecError> {
    match value {
        Value::Object(_) => read(place, object(place, value)?).map(ModifyTarget::Deeper),
        Value::Array(values) => {
            let sources = values.iter().map(|value| source(place, value));
            sources.collect::<Result<_, _>>().map(ModifyTarget::FirstOf)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Ok(ModifyTarget::FirstOf(vec![source(place, value)?]))
        }
    }
}

fn source(place: &str, value: &Value) -> Result<Source, SpecError> {
    let Value::String(text) = value else { return Ok(Source::Literal(value.clone())) };
    let Some(call) = text.strip_prefix('=') else { return argument(place, text, false) };
    let (name, arguments) = match call.split_once('(') {
        None => (call, None),
        Some((name, arguments)) => {
            let arguments = arguments
                .trim_end()
                .strip_suffix(')')
                .ok_or_else(|| SpecError::new(place, format!("`{text}` needs its closing parenthesis")))?;
            (name, Some(arguments))
        }
    };
    let function = Function::named(name.trim())
        .ok_or_else(|| SpecError::new(place, format!("the function `{}` is not supported", name.trim())))?;
    let arguments = arguments.map(|arguments| {
        let arguments = split(arguments).into_iter();
        arguments.map(|text| argument(place, text.trim(), true)).collect::<Result<Vec<_>, _>>()
    });
    Ok(Source::Call(function, arguments.transpose()?))
}

/// An argument of a function, or a text that stands alone and is taken as it is.
fn argument(place: &str, text: &str, parsed: bool) -> Result<Source, SpecError> {
    if let Some(rest) = text.strip_prefix('@') {
        return path::lookup(place, rest, 0).map(Source::Lookup);
    }
    if text.starts_with('^') {
        return Err(SpecError::new(place, "there is no context that ^ could name, use @"));
    }
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    Ok(Source::Literal(match (parsed, quoted) {
        (false, _) => Value::from(text),
        (true, Some(quoted)) => Value::from(quoted),
        (true, None) if text.is_empty() => Value::Null,
        (true, None) => match text.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => serde_json::from_str::<serde_json::Number>(text)
                .map_or_else(|_| Value::from(text), Value::Number),
        },
    }))
}

/// Arguments between commas that stand in no parentheses and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut arguments, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                arguments.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        arguments.push(&text[start..]);
    }
    arguments
}
