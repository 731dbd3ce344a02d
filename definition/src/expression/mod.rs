//! Templates: text with expressions in braces, parsed once when an API is saved or deployed and never per call.
//!
//! Placeholder of the first skeleton: only text without expressions is read.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Text with expressions in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
}

/// Which deferred values evaluation reads: whoever evaluates makes them available first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The whole body of the request.
    pub request_content: bool,
    /// The whole body of the response.
    pub response_content: bool,
    /// A message.
    pub message: bool,
}

impl std::ops::BitOr for Needs {
    type Output = Needs;

    fn bitor(self, other: Needs) -> Needs {
        Needs {
            request_content: self.request_content || other.request_content,
            response_content: self.response_content || other.response_content,
            message: self.message || other.message,
        }
    }
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {position}")]
pub struct SyntaxError {
    /// Characters from 0 in the template.
    pub position: usize,
    pub message: String,
}

impl Template {
    /// Parses.
    pub fn parse(source: &str) -> Result<Template, SyntaxError> {
        Ok(Template { source: source.to_owned() })
    }

    /// Parses a rule, which may be written without its braces.
    pub fn condition(source: &str) -> Result<Template, SyntaxError> {
        Template::parse(source)
    }

    /// The whole text, when it holds no expression.
    pub fn literal(&self) -> Option<&str> {
        Some(&self.source)
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What its expressions read.
    pub fn needs(&self) -> Needs {
        Needs::default()
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = Cow::<'de, str>::deserialize(deserializer)?;
        Template::parse(&source).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "x-expression": true })
    }
}
