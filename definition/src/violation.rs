//! What is wrong with a document: a place, a stable code, a text that says how to mend it.

use serde::Serialize;
use serde_json::{Map, Value};

/// How the REST side answers when this violation is the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Severity {
    /// 400.
    Invalid,
    /// 404: the document names a connector that does not exist (`plugin.notFound`).
    UnknownPlugin,
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Place in the document as sent, dotted with indexes: `listeners[0].entrypoints[1].qos`. Empty: the document itself.
    pub path: String,
    /// Stable `technicalCode`; `data.invalid` when there is no better one.
    pub code: &'static str,
    /// Names the field, the reason and the fix.
    pub message: String,
    /// `parameters` of the error body; absent when the catalogue says "null".
    pub parameters: Option<Map<String, Value>>,
    /// The offending value, when it is short and not a secret.
    pub invalid_value: Option<Value>,
    /// Status class.
    pub severity: Severity,
}

impl Violation {
    /// A plain 400 with a code.
    pub fn new(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Violation {
            path: path.into(),
            code,
            message: message.into(),
            parameters: None,
            invalid_value: None,
            severity: Severity::Invalid,
        }
    }

    /// Adds the empty `parameters` object of the catalogue's `{}`.
    pub fn empty_parameters(mut self) -> Self {
        self.parameters.get_or_insert_with(Map::new);
        self
    }

    /// Adds one entry of `parameters`.
    pub fn parameter(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.get_or_insert_with(Map::new).insert(key.into(), value.into());
        self
    }

    /// Adds the offending value.
    pub fn value(mut self, value: impl Into<Value>) -> Self {
        self.invalid_value = Some(value.into());
        self
    }

    /// Marks the 404 of an unknown connector.
    pub fn unknown_plugin(mut self) -> Self {
        self.severity = Severity::UnknownPlugin;
        self
    }
}
