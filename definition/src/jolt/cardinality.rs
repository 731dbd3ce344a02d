//! `cardinality`: `ONE` makes a list its first element, `MANY` makes a value a list.

use super::path::{self, Pattern};
use super::{SpecError, object};
use serde_json::{Map, Value};

/// One value or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    One,
    Many,
}

/// What is done with the members of one object or list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cardinalities {
    /// `@`: what is done with the object itself before.
    pub own: Option<Cardinality>,
    /// The first pattern that a key matches decides, from the narrowest to the widest.
    pub members: Vec<(Pattern, CardinalityTarget)>,
}

/// What becomes of a match.
#[derive(Debug, Clone, PartialEq)]
pub enum CardinalityTarget {
    Becomes(Cardinality),
    Deeper(Cardinalities),
}

pub(super) fn read(place: &str, spec: &Map<String, Value>) -> Result<Cardinalities, SpecError> {
    let mut cardinalities = Cardinalities::default();
    for (key, value) in spec {
        let place = format!("{place}.{key}");
        let target = match value {
            Value::Object(_) => CardinalityTarget::Deeper(read(&place, object(&place, value)?)?),
            Value::String(text) if text.eq_ignore_ascii_case("ONE") => {
                CardinalityTarget::Becomes(Cardinality::One)
            }
            Value::String(text) if text.eq_ignore_ascii_case("MANY") => {
                CardinalityTarget::Becomes(Cardinality::Many)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(SpecError::new(&place, "the right side must be ONE, MANY or an object"));
            }
        };
        match (key.as_str(), target) {
            ("@", CardinalityTarget::Becomes(cardinality)) => cardinalities.own = Some(cardinality),
            ("@", CardinalityTarget::Deeper(_)) => {
                return Err(SpecError::new(&place, "@ must be ONE or MANY"));
            }
            (key, target) => {
                for key in path::alternatives(key) {
                    let pattern = Pattern::parse(&place, key)?;
                    if matches!(pattern, Pattern::Computed(_)) {
                        return Err(SpecError::new(&place, "& is not possible here"));
                    }
                    cardinalities.members.push((pattern, target.clone()));
                }
            }
        }
    }
    cardinalities.members.sort_by_key(|(pattern, _)| pattern.rank());
    Ok(cardinalities)
}
