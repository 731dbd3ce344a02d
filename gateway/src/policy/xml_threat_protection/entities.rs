//! Entities that a document defines: read from its document type and measured.

use super::{DETECTED, EXTERNAL_ENTITY, MAX_ENTITIES, MAX_ENTITY_DEPTH, Threat, within};
use definition::policy::xml_threat_protection::XmlThreatProtection;
use std::collections::HashMap;

/// Greatest depth of entities within entities, when the settings name none.
const DEPTH_MAX: usize = 256;
/// Entities of every document.
const PREDEFINED: [&str; 5] = ["amp", "lt", "gt", "apos", "quot"];

/// Lengths of entities when they are expanded, bytes.
#[derive(Default)]
pub(super) struct Entities(HashMap<String, usize>);

impl Entities {
    /// Reads what stands between `<!DOCTYPE` and `>`.
    pub(super) fn read(text: &str, settings: &XmlThreatProtection) -> Result<Self, Threat> {
        let (head, subset) = text.split_once('[').unwrap_or((text, ""));
        let external = head.split_whitespace().any(|word| word == "SYSTEM" || word == "PUBLIC");
        if external && !settings.allow_external_entities {
            return Err(EXTERNAL_ENTITY);
        }
        let mut values = HashMap::new();
        let mut rest = subset;
        while let Some((declaration, after)) = next_declaration(rest)? {
            rest = after;
            let Some((name, value)) = entity(declaration)? else { continue };
            if value.is_none() && !settings.allow_external_entities {
                return Err(EXTERNAL_ENTITY);
            }
            // The first definition of a name counts.
            values.entry(name).or_insert(value.unwrap_or_default());
            within(values.len(), settings.max_entities, MAX_ENTITIES)?;
        }
        let mut measure = Measure { values: &values, known: HashMap::new(), settings };
        for name in values.keys() {
            measure.entity(name, 1)?;
        }
        let known = measure.known.into_iter().map(|(name, (length, _))| (name.to_owned(), length));
        Ok(Entities(known.collect()))
    }

    /// Length of what a reference stands for.
    pub(super) fn length(&self, name: &str) -> Result<usize, Threat> {
        match self.0.get(name) {
            Some(length) => Ok(*length),
            None if name.starts_with('#') || PREDEFINED.contains(&name) => Ok(1),
            None => Err(DETECTED),
        }
    }

    /// Length of a text with its references expanded.
    pub(super) fn expanded(&self, text: &str) -> Result<usize, Threat> {
        let (plain, names) = references(text)?;
        names.into_iter().try_fold(plain, |length, name| Ok(length.saturating_add(self.length(name)?)))
    }
}

/// The length of a text without its references, and the names of those.
fn references(text: &str) -> Result<(usize, Vec<&str>), Threat> {
    let (mut plain, mut names) = (0, Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';').ok_or(DETECTED)?;
        plain += before.len();
        names.push(name);
        rest = after;
    }
    Ok((plain + rest.len(), names))
}

struct Measure<'a> {
    values: &'a HashMap<&'a str, &'a str>,
    /// Length and depth; 0 while the entity is being measured.
    known: HashMap<&'a str, (usize, usize)>,
    settings: &'a XmlThreatProtection,
}

impl<'a> Measure<'a> {
    /// Length and depth of an entity. `depth` is how deep the search for it is.
    fn entity(&mut self, name: &'a str, depth: usize) -> Result<(usize, usize), Threat> {
        if name.starts_with('#') || (PREDEFINED.contains(&name) && !self.values.contains_key(name)) {
            return Ok((1, 0));
        }
        match self.known.get(name) {
            Some((_, 0)) => return Err(DETECTED),
            Some(known) => return Ok(*known),
            None if depth > DEPTH_MAX => return Err(MAX_ENTITY_DEPTH),
            None => {}
        }
        let value = *self.values.get(name).ok_or(DETECTED)?;
        self.known.insert(name, (0, 0));
        let (mut length, names) = references(value)?;
        let mut deepest = 0;
        for inner in names {
            let (inner_length, inner_depth) = self.entity(inner, depth + 1)?;
            length = length.saturating_add(inner_length);
            deepest = deepest.max(inner_depth);
        }
        within(deepest + 1, self.settings.max_entity_depth, MAX_ENTITY_DEPTH)?;
        self.known.insert(name, (length, deepest + 1));
        Ok((length, deepest + 1))
    }
}

/// The next declaration of an internal subset without its brackets, and what follows it; comments and instructions are
/// skipped.
fn next_declaration(subset: &str) -> Result<Option<(&str, &str)>, Threat> {
    let mut rest = subset.trim_start();
    loop {
        let skipped = match rest {
            _ if rest.starts_with("<!--") => rest[4..].split_once("-->"),
            _ if rest.starts_with("<?") => rest[2..].split_once("?>"),
            _ => break,
        };
        rest = skipped.ok_or(DETECTED)?.1.trim_start();
    }
    if rest.is_empty() || rest.starts_with(']') {
        return Ok(None);
    }
    // References to parameter entities would bring in declarations that are not seen here.
    let inner = rest.strip_prefix("<!").ok_or(DETECTED)?;
    let mut quote = None;
    for (place, character) in inner.char_indices() {
        match (quote, character) {
            (None, '>') => return Ok(Some((&inner[..place], &inner[place + 1..]))),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            (None | Some(_), _) => {}
        }
    }
    Err(DETECTED)
}

/// Name and value of an entity; no value: it lies elsewhere. `None`: the declaration is of something else.
fn entity(declaration: &str) -> Result<Option<(&str, Option<&str>)>, Threat> {
    let Some(rest) = declaration.strip_prefix("ENTITY") else { return Ok(None) };
    let (name, rest) = rest.trim_start().split_once(char::is_whitespace).ok_or(DETECTED)?;
    if name.starts_with('%') {
        return Err(DETECTED);
    }
    let rest = rest.trim();
    if rest.starts_with("SYSTEM") || rest.starts_with("PUBLIC") {
        return Ok(Some((name, None)));
    }
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')).ok_or(DETECTED)?;
    let value = rest[1..].strip_suffix(quote).filter(|value| !value.contains(quote)).ok_or(DETECTED)?;
    if value.contains('%') {
        return Err(DETECTED);
    }
    Ok(Some((name, Some(value))))
}
