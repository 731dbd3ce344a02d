//! `default`: values for what is missing or null.

use super::{SpecError, object, path};
use serde_json::{Map, Value};

/// Members that get values.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultChild {
    pub keys: DefaultKeys,
    pub target: DefaultTarget,
}

/// Which members.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultKeys {
    /// The one of this name, also when it is missing.
    Literal(String),
    /// Those of these names that are there.
    Existing(Vec<String>),
    /// All that are there.
    All,
}

/// What they get.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultTarget {
    Value(Value),
    /// Members of their own. `list`: they are elements of a list, which is at least so long.
    Deeper {
        children: Vec<DefaultChild>,
        list: Option<usize>,
    },
}

/// Literal names first, then alternatives, then all.
pub(super) fn read(place: &str, spec: &Map<String, Value>) -> Result<Vec<DefaultChild>, SpecError> {
    let mut children =
        spec.iter().map(|(key, value)| child(place, key, value)).collect::<Result<Vec<_>, _>>()?;
    children.sort_by_key(|child| match &child.keys {
        DefaultKeys::Literal(_) => 0,
        DefaultKeys::Existing(names) => names.len(),
        DefaultKeys::All => usize::MAX,
    });
    Ok(children)
}

fn child(place: &str, key: &str, value: &Value) -> Result<DefaultChild, SpecError> {
    /// Longest list that a default makes, elements.
    const LIST_MAX: usize = 10_000;
    let place = format!("{place}.{key}");
    let (name, list) = key.strip_suffix("[]").map_or((key, false), |name| (name, true));
    let names: Vec<String> = path::alternatives(name).map(str::to_owned).collect();
    let keys = match (name, names.len()) {
        ("*", _) => DefaultKeys::All,
        (_, 1) => DefaultKeys::Literal(name.to_owned()),
        _ if names.iter().any(|name| name == "*") => {
            return Err(SpecError::new(&place, "* is no alternative"));
        }
        _ => DefaultKeys::Existing(names),
    };
    if !value.is_object() || (value.as_object().is_some_and(Map::is_empty) && !list) {
        return Ok(DefaultChild { keys, target: DefaultTarget::Value(value.clone()) });
    }
    let children = read(&place, object(&place, value)?)?;
    let mut length = 0;
    for child in children.iter().filter(|_| list) {
        if let DefaultKeys::Literal(name) = &child.keys {
            let index: usize =
                name.parse().map_err(|_| SpecError::new(&place, format!("`{name}` is no index")))?;
            if index >= LIST_MAX {
                return Err(SpecError::new(
                    &place,
                    format!("the index {index} is too great, use less than {LIST_MAX}"),
                ));
            }
            length = length.max(index + 1);
        }
    }
    Ok(DefaultChild { keys, target: DefaultTarget::Deeper { children, list: list.then_some(length) } })
}
