//! `shift`: keys on the left say what is taken, paths on the right say where it goes.

use super::path::{self, Lookup, Path, Pattern};
use super::{SpecError, object};
use serde_json::{Map, Value};

/// What is done with the members of one object or list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    /// Done once per object.
    pub specials: Vec<(Special, ShiftTarget)>,
    pub literals: Vec<(String, ShiftTarget)>,
    /// From the narrowest to the widest.
    pub computed: Vec<(Pattern, ShiftTarget)>,
}

/// A left side that matches no key.
#[derive(Debug, Clone, PartialEq)]
pub enum Special {
    /// `@`: the object itself.
    Itself,
    /// `@(1,a.b)`: another value.
    Lookup(Lookup),
    /// `$(1,2)`: a key that matched.
    Key { level: usize, group: usize },
    /// `#text`: a text.
    Text(String),
}

/// What becomes of a match.
#[derive(Debug, Clone, PartialEq)]
pub enum ShiftTarget {
    Deeper(Shift),
    /// The value is written to all of them; to none when there are none.
    Paths(Vec<Path>),
}

pub(super) fn read(place: &str, spec: &Map<String, Value>) -> Result<Shift, SpecError> {
    let mut shift = Shift::default();
    for (key, value) in spec {
        let place = format!("{place}.{key}");
        let target = target(&place, value)?;
        if let Some(special) = special(&place, key)? {
            shift.specials.push((special, target));
            continue;
        }
        for key in path::alternatives(key) {
            if key.starts_with('[') {
                return Err(SpecError::new(&place, "elements of lists are named without brackets here"));
            }
            match Pattern::parse(&place, key)? {
                Pattern::Literal(name) => shift.literals.push((name, target.clone())),
                pattern @ (Pattern::Star(_) | Pattern::Computed(_)) => {
                    shift.computed.push((pattern, target.clone()))
                }
            }
        }
    }
    shift.computed.sort_by_key(|(pattern, _)| pattern.rank());
    Ok(shift)
}

fn special(place: &str, key: &str) -> Result<Option<Special>, SpecError> {
    if key == "@" || key == "@0" {
        Ok(Some(Special::Itself))
    } else if let Some(rest) = key.strip_prefix('@') {
        path::lookup(place, rest, 0).map(|lookup| Some(Special::Lookup(lookup)))
    } else if let Some(rest) = key.strip_prefix('$') {
        match path::reference(place, rest)? {
            (level, group, "") => Ok(Some(Special::Key { level, group })),
            _ => Err(SpecError::new(place, format!("`{key}` is no reference to a key"))),
        }
    } else {
        Ok(key.strip_prefix('#').map(|text| Special::Text(text.to_owned())))
    }
}

fn target(place: &str, value: &Value) -> Result<ShiftTarget, SpecError> {
    let one = |value: &Value| {
        let wrong = "the right side must be a path, a list of paths, an object or null";
        value.as_str().map_or_else(|| Err(SpecError::new(place, wrong)), |text| path::parse(place, text))
    };
    match value {
        Value::Object(_) => read(place, object(place, value)?).map(ShiftTarget::Deeper),
        Value::Null => Ok(ShiftTarget::Paths(Vec::new())),
        Value::Array(paths) => paths.iter().map(one).collect::<Result<_, _>>().map(ShiftTarget::Paths),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(ShiftTarget::Paths(vec![one(value)?])),
    }
}
