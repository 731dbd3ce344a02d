//! Functions: `#jsonPath(…)`, `#xpath(…)`, `#xmlEscape(…)`, `#jsonEscape(…)`.

use super::convert;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::jsonpath;
use super::method::text::join;
use super::value::Value;
use super::xpath;
use std::fmt::Write as _;

/// `#name(arguments)`
pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Value, EvaluationError> {
    match (name, arguments) {
        ("jsonPath", [document, path]) => {
            let path = evaluator.argument(path)?;
            if let Value::Text(text) = document.single()
                && let Some(value) = jsonpath::in_text(evaluator, text, &path)?
            {
                return Ok(value);
            }
            let document = json_document(evaluator, document)?;
            jsonpath::evaluate(evaluator, &document, &path)
        }
        ("xpath", [document, expression, kind @ ..]) if kind.len() <= 1 => {
            let document = evaluator.argument(document)?;
            let expression = evaluator.argument(expression)?;
            let kind = kind.first().map(|kind| evaluator.argument(kind)).transpose()?;
            xpath::evaluate(evaluator, &document, &expression, kind.as_deref().unwrap_or("string"))
        }
        ("xmlEscape" | "jsonEscape", [Value::Null]) => Ok(Value::Null),
        ("xmlEscape" | "jsonEscape", [value]) => {
            let text = match value {
                list @ Value::List(_) => join(evaluator, " ", std::slice::from_ref(list))?,
                other => Value::text(convert::text(other, evaluator)?),
            };
            let Value::Text(text) = text else { return Ok(Value::Null) };
            let escaped = if name == "xmlEscape" { xml_escape(&text) } else { json_escape(&text) };
            evaluator.budget.spend_text(escaped.len())?;
            Ok(Value::text(escaped))
        }
        _ => {
            let count = arguments.len();
            Err(EvaluationError::new(format!("there is no function `#{name}` with {count} arguments")))
        }
    }
}

/// A text is parsed; members of the call are read; what is parsed already is taken as it is.
fn json_document(evaluator: &mut Evaluator<'_>, document: &Value) -> Result<Value, EvaluationError> {
    match document {
        Value::Null => Err(EvaluationError::new("the document of a JSON path is null")),
        Value::Text(text) => evaluator.parsed(text),
        Value::Bytes(bytes) => evaluator.parsed(&String::from_utf8_lossy(bytes).into()),
        Value::Pairs(_) | Value::Entries(_) => evaluator.members(document).map(Value::Map),
        // A header with one value is used like a text.
        Value::List(_) => match document.single() {
            Value::Text(text) => evaluator.parsed(text),
            _ => Ok(document.clone()),
        },
        other => Ok(other.clone()),
    }
}

fn xml_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// As it stands between the quotes of a JSON text.
fn json_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            // Writing to a string does not fail.
            control if control < ' ' => drop(write!(escaped, "\\u{:04x}", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}
