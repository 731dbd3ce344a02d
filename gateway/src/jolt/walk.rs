//! Matching keys, and what they refer to on the way from the root to the current place.

use definition::jolt::{Key, Lookup, Part, PathStep, Pattern};
use serde_json::Value;

/// A key that matched a pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Matched {
    pub(super) key: String,
    /// What each star stood for.
    groups: Vec<String>,
    /// How many keys below matched so far.
    pub(super) count: usize,
}

impl Matched {
    pub(super) fn whole(key: impl Into<String>) -> Self {
        Matched { key: key.into(), groups: Vec::new(), count: 0 }
    }

    /// Group 0 is the key.
    pub(super) fn group(&self, group: usize) -> Option<&str> {
        match group.checked_sub(1) {
            None => Some(&self.key),
            Some(star) => self.groups.get(star).map(String::as_str),
        }
    }
}

/// The way to the current place; level 0 is the place itself.
pub(super) trait Walk {
    fn matched(&self, level: usize) -> Option<&Matched>;
    fn value(&self, level: usize) -> Option<&Value>;
}

/// The key as a match of the pattern.
pub(super) fn matches(pattern: &Pattern, key: &str, walk: &impl Walk) -> Option<Matched> {
    match pattern {
        Pattern::Literal(name) => (name == key).then(|| Matched::whole(key)),
        Pattern::Star(texts) => stars(texts, key).map(|groups| Matched { groups, ..Matched::whole(key) }),
        Pattern::Computed(parts) => {
            text(parts, walk).filter(|computed| computed == key).map(|_| Matched::whole(key))
        }
    }
}

/// What each star stands for: as little as possible, and one character at least.
fn stars(texts: &[String], key: &str) -> Option<Vec<String>> {
    let (first, rest) = texts.split_first()?;
    let (last, between) = rest.split_last()?;
    let mut groups = Vec::new();
    let mut key = key.strip_prefix(first.as_str())?;
    for text in between {
        let least = key.chars().next()?.len_utf8();
        let at = least + key[least..].find(text.as_str())?;
        groups.push(key[..at].to_owned());
        key = &key[at + text.len()..];
    }
    let star = key.strip_suffix(last.as_str()).filter(|star| !star.is_empty())?;
    groups.push(star.to_owned());
    Some(groups)
}

fn text(parts: &[Part], walk: &impl Walk) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Reference { level, group } => text.push_str(walk.matched(*level)?.group(*group)?),
        }
    }
    Some(text)
}

/// The name that a key stands for; `None`: there is nothing that it could be made of.
pub(super) fn name(key: &Key, walk: &impl Walk) -> Option<String> {
    match key {
        Key::Parts(parts) => text(parts, walk),
        Key::Lookup(lookup) => match found(lookup, walk)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(truth) => Some(truth.to_string()),
            // Numbers are looked up to be indexes.
            Value::Number(number) => Some(match number.as_f64() {
                Some(real) if !number.is_i64() => (real as i64).to_string(),
                _ => number.to_string(),
            }),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        },
    }
}

/// The value that a look-up finds.
pub(super) fn found<'w>(lookup: &Lookup, walk: &'w impl Walk) -> Option<&'w Value> {
    lookup.path.iter().try_fold(walk.value(lookup.level)?, |value, step| {
        match (resolved(step, walk)?, value) {
            (Step::Member(name), Value::Object(members)) => members.get(&name),
            (Step::Index(index), Value::Array(items)) => items.get(index),
            _ => None,
        }
    })
}

/// A step whose name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Append,
    Index(usize),
}

/// Makes the name of a step known.
pub(super) fn resolved(step: &PathStep, walk: &impl Walk) -> Option<Step> {
    Some(match step {
        PathStep::Member(key) => Step::Member(name(key, walk)?),
        PathStep::Append => Step::Append,
        PathStep::Index(index) => Step::Index(*index),
        PathStep::IndexBy(key) => Step::Index(name(key, walk)?.parse().ok()?),
        PathStep::IndexCount(level) => Step::Index(walk.matched(*level)?.count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_one_character_or_more() {
        let check = |texts: &[&str], key: &str, expected: Option<&[&str]>| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            let found = stars(&texts, key);
            assert_eq!(
                found.as_ref().map(|found| found.iter().map(String::as_str).collect::<Vec<_>>()),
                expected.map(<[_]>::to_vec),
                "{texts:?} {key}"
            );
        };
        check(&["", ""], "abc", Some(&["abc"]));
        check(&["", ""], "", None);
        check(&["a", ""], "abc", Some(&["bc"]));
        check(&["a", ""], "a", None);
        check(&["a-", "-c"], "a-b-c", Some(&["b"]));
        check(&["a-", "-c"], "a--c", None);
        check(&["", "-", ""], "a-b-c", Some(&["a", "b-c"]));
        check(&["", "-", ""], "-b", None);
        check(&["", "é", ""], "éééé", Some(&["é", "éé"]));
    }
}
