//! Evaluation without a call, for benchmarks and fuzzing: a message with headers, or a document.

use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::roots::{Bean, Entries, Pairs, Roots};
use super::value::Value;
use super::{document, jsonpath};
use definition::expression::Template;
use http::HeaderMap;
use std::borrow::Cow;

/// The plainest thing that expressions can look at: headers and a content, which are the request's and the message's.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Of request and message.
    pub headers: HeaderMap,
    /// Of request and message.
    pub content: Vec<u8>,
}

impl Probe {
    /// The template's value as a text; `None` when it is null. The error is the reason in words.
    pub fn text<'t>(&self, template: &'t Template) -> Result<Option<Cow<'t, str>>, String> {
        super::text_of(template, self).map_err(|error| error.to_string())
    }

    /// What a JSON path leads to in the content, as a text.
    pub fn json_path(&self, path: &str) -> Result<String, String> {
        self.json_path_value(path).map_err(|error| error.to_string())
    }

    fn json_path_value(&self, path: &str) -> Result<String, EvaluationError> {
        let mut evaluator = Evaluator::new(self);
        let document = document::parse(&String::from_utf8_lossy(&self.content))?;
        let found = jsonpath::evaluate(&mut evaluator, &document, path)?;
        super::convert::json(&found, &mut evaluator).map(|json| json.to_string())
    }
}

impl Roots for Probe {
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "request" => Some(Value::Bean(Bean::Request)),
            "message" => Some(Value::Bean(Bean::Message)),
            _ => None,
        }
    }

    fn member(&self, _: Bean, name: &str) -> Option<Value> {
        (name == "headers").then_some(Value::Pairs(Pairs::RequestHeaders))
    }

    fn content(&self, _: Bean) -> Option<&[u8]> {
        Some(&self.content)
    }

    fn pairs(&self, _: &Pairs) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        super::scope::headers(&self.headers)
    }

    fn pair(&self, _: &Pairs, name: &str) -> Vec<Value> {
        super::scope::header(&self.headers, name)
    }

    fn entry(&self, _: Entries, _: &str) -> Option<Value> {
        None
    }

    fn entries(&self, _: Entries) -> Vec<(Cow<'_, str>, Value)> {
        Vec::new()
    }
}
