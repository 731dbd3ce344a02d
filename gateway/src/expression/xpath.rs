//! `#xpath(xml, 'expression', 'type')`: XPath 1.0, not aware of namespaces: `a:b` is a name with a colon in it.
//!
//! The engine cannot be interrupted, so that the costs are estimated before: how often the whole document may be gone
//! through, from the size of the document and the shape of the expression.

use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::value::Value;
use super::xml::{self, Element, Node};
use std::panic::{AssertUnwindSafe, catch_unwind};
use sxd_document::dom::{self, Document};
use sxd_document::{Package, QName};
use sxd_xpath::Context;

/// Greatest estimate of nodes that are visited; about a second.
const VISITS_MAX: u64 = 5_000_000;

/// Axes that may lead to every node of a document.
const FAR_AXES: &[&str] = &["//", "descendant", "following", "preceding"];

/// The result of an XPath expression on an XML document. `kind` is the type that is asked for.
pub(super) fn evaluate(
    evaluator: &mut Evaluator<'_>,
    text: &str,
    expression: &str,
    kind: &str,
) -> Result<Value, EvaluationError> {
    evaluator.budget.spend_bytes(text.len())?;
    let xpath =
        definition::xpath::parse(expression).map_err(|error| EvaluationError::new(error.to_string()))?;
    let (root, nodes) = xml::parse(text)?;
    check(expression, nodes)?;
    let package = Package::new();
    let document = package.as_document();
    document.root().append_child(build(document, &root));
    let mut context = Context::new();
    for prefix in prefixes(expression) {
        context.set_namespace(prefix, prefix);
    }
    let failed = |_| EvaluationError::new("the XPath expression cannot be evaluated on this document");
    // The engine gives up with a panic on what it did not foresee; that must not be more than a failed evaluation.
    let value = catch_unwind(AssertUnwindSafe(|| xpath.evaluate(&context, document.root())));
    let value =
        value.map_err(|_| EvaluationError::new("the XPath expression is not valid"))?.map_err(failed)?;
    let result = match kind.to_ascii_lowercase().as_str() {
        "string" => Value::text(value.string()),
        "boolean" => Value::Boolean(value.boolean()),
        "number" => Value::Real(value.number()),
        "node" | "node_list" | "document_list" => {
            let sxd_xpath::Value::Nodeset(found) = &value else {
                return Err(EvaluationError::new("the XPath expression does not lead to nodes"));
            };
            let texts: Vec<Value> =
                found.document_order().iter().map(|node| Value::text(node.string_value())).collect();
            evaluator.budget.spend_list(texts.len())?;
            if kind.eq_ignore_ascii_case("node") {
                texts.into_iter().next().unwrap_or_default()
            } else {
                Value::list(texts)
            }
        }
        _ => {
            return Err(EvaluationError::new(
                "the type of an XPath result is string, boolean, number, node or node_list",
            ));
        }
    };
    if let Value::Text(text) = &result {
        evaluator.budget.spend_text(text.len())?;
    }
    Ok(result)
}

/// Refuses expressions that are too expensive on this many nodes.
fn check(expression: &str, nodes: usize) -> Result<(), EvaluationError> {
    let (mut brackets, mut deepest) = (0_usize, 0);
    let mut before = ' ';
    // Each of these multiplies the work by the size of the document, the first one aside.
    let mut far: usize = FAR_AXES.iter().map(|axis| expression.matches(axis).count()).sum();
    for character in expression.chars() {
        match character {
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            // An absolute path inside of a predicate starts all over for each node.
            '/' if brackets > 0 && !before.is_alphanumeric() && !"])*./_-".contains(before) => far += 1,
            _ => {}
        }
        if !character.is_whitespace() {
            before = character;
        }
        deepest = deepest.max(brackets);
    }
    let exponent = u32::try_from(1 + deepest + far.saturating_sub(1)).unwrap_or(u32::MAX);
    let visits = u64::try_from(nodes.max(2)).unwrap_or(u64::MAX).saturating_pow(exponent);
    if visits > VISITS_MAX {
        return Err(EvaluationError::new("the XPath expression is too expensive on a document of this size"));
    }
    Ok(())
}

/// Names in front of a single colon.
fn prefixes(expression: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices(':') {
        let before = &expression[..at];
        let axis = expression[at + 1..].starts_with(':') || before.ends_with(':');
        let stops = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let start = before
            .rfind(stops)
            .map_or(0, |stop| stop + before[stop..].chars().next().map_or(1, char::len_utf8));
        // Digits, dashes and dots do not begin a name: in `-a:b` the dash is an operator.
        let name = before[start..].trim_start_matches(|c: char| !(c.is_alphabetic() || c == '_'));
        if !axis && !name.is_empty() {
            found.push(name);
        }
    }
    found
}

/// The prefix takes the place of the namespace.
fn name(qualified: &str) -> QName<'_> {
    match qualified.split_once(':') {
        Some((prefix, local)) if !prefix.is_empty() && !local.is_empty() => {
            QName::with_namespace_uri(Some(prefix), local)
        }
        _ => QName::new(qualified),
    }
}

fn build<'d>(document: Document<'d>, element: &Element) -> dom::Element<'d> {
    let built = document.create_element(name(&element.name));
    for (attribute, value) in &element.attributes {
        // Declarations of namespaces are no attributes.
        if attribute != "xmlns" && !attribute.starts_with("xmlns:") {
            built.set_attribute_value(name(attribute), value);
        }
    }
    for child in &element.children {
        match child {
            Node::Element(child) => built.append_child(build(document, child)),
            Node::Text(text) => built.append_child(document.create_text(text)),
        }
    }
    built
}
