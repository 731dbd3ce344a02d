//! JOLT: chains of operations that turn one JSON document into another.
//!
//! A chain is read once, when an API is saved or deployed, into a form that needs no further interpretation. What an
//! operation cannot do is refused here with its place, so that documents only ever meet chains that work.

mod cardinality;
mod defaults;
mod function;
mod modify;
mod path;
mod remove;
mod shift;
#[cfg(test)]
mod tests;

pub use cardinality::{Cardinalities, Cardinality, CardinalityTarget};
pub use defaults::{DefaultChild, DefaultKeys, DefaultTarget};
pub use function::Function;
pub use modify::{Mode, Modifications, ModifyChild, ModifyContainer, ModifyKey, ModifyTarget, Source};
pub use path::{Key, Lookup, Part, Path, PathStep, Pattern};
pub use remove::Removals;
pub use shift::{Shift, ShiftTarget, Special};

use serde_json::{Map, Value};

/// A chain of operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// In the order in which they run.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Copies values to other places.
    Shift(Shift),
    /// Fills in what is missing.
    Default(Vec<DefaultChild>),
    /// Takes members away.
    Remove(Removals),
    /// Orders members by name.
    Sort,
    /// Makes one value of lists, or lists of one value.
    Cardinality(Cardinalities),
    /// Computes values.
    Modify(Mode, ModifyContainer),
}

/// What is wrong with a chain, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct SpecError {
    /// `[2].spec.a.b`, empty for the chain itself.
    pub place: String,
    pub message: String,
}

impl SpecError {
    fn new(place: &str, message: impl Into<String>) -> SpecError {
        SpecError { place: place.to_owned(), message: message.into() }
    }
}

impl Chain {
    /// Reads a chain from JSON text.
    pub fn parse(source: &str) -> Result<Chain, SpecError> {
        let document: Value = serde_json::from_str(source)
            .map_err(|error| SpecError::new("the specification", format!("is no JSON: {error}")))?;
        let Value::Array(operations) = &document else {
            return Err(SpecError::new("the specification", "must be a list of operations"));
        };
        let operations = operations.iter().enumerate();
        let operations = operations.map(|(index, operation)| read(&format!("[{index}]"), operation));
        Ok(Chain { operations: operations.collect::<Result<_, _>>()? })
    }
}

fn read(place: &str, operation: &Value) -> Result<Operation, SpecError> {
    let Some(name) = operation["operation"].as_str() else {
        return Err(SpecError::new(place, "an operation needs the member `operation` with its name"));
    };
    let place = format!("{place}.spec");
    let spec = &operation["spec"];
    match name {
        "shift" => Ok(Operation::Shift(shift::read(&place, object(&place, spec)?)?)),
        "default" => Ok(Operation::Default(defaults::read(&place, object(&place, spec)?)?)),
        "remove" => Ok(Operation::Remove(remove::read(&place, object(&place, spec)?)?)),
        "sort" => Ok(Operation::Sort),
        "cardinality" => Ok(Operation::Cardinality(cardinality::read(&place, object(&place, spec)?)?)),
        "modify-overwrite-beta" => modify(Mode::Overwrite, &place, spec),
        "modify-default-beta" => modify(Mode::Default, &place, spec),
        "modify-define-beta" => modify(Mode::Define, &place, spec),
        _ => {
            let known =
                "shift, default, remove, sort, cardinality, modify-default-beta, modify-overwrite-beta";
            Err(SpecError::new(
                &place,
                format!("the operation `{name}` is not supported, use one of {known}"),
            ))
        }
    }
}

fn modify(mode: Mode, place: &str, spec: &Value) -> Result<Operation, SpecError> {
    Ok(Operation::Modify(mode, modify::read(place, object(place, spec)?)?))
}

fn object<'v>(place: &str, spec: &'v Value) -> Result<&'v Map<String, Value>, SpecError> {
    spec.as_object().ok_or_else(|| SpecError::new(place, "must be an object"))
}
