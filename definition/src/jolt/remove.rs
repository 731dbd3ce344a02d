//! `remove`: keys of members to take away, each with an empty text.

use super::path::{self, Pattern};
use super::{SpecError, object};
use serde_json::{Map, Value};

/// Members to take away, or (`Some`) what to take away inside of them.
pub type Removals = Vec<Removal>;
type Removal = (Pattern, Option<RemovalsWithin>);

/// A level below.
#[derive(Debug, Clone, PartialEq)]
pub struct RemovalsWithin(pub Removals);

pub(super) fn read(place: &str, spec: &Map<String, Value>) -> Result<Removals, SpecError> {
    let mut removals = Removals::new();
    for (key, value) in spec {
        let place = format!("{place}.{key}");
        let within = match value {
            Value::String(text) if text.trim().is_empty() => None,
            Value::Object(_) => Some(RemovalsWithin(read(&place, object(&place, value)?)?)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(SpecError::new(&place, "the right side must be an empty text or an object"));
            }
        };
        for key in path::alternatives(key) {
            let pattern = Pattern::parse(&place, key)?;
            if matches!(pattern, Pattern::Computed(_)) {
                return Err(SpecError::new(&place, "& is not possible here"));
            }
            removals.push((pattern, within.clone()));
        }
    }
    Ok(removals)
}
