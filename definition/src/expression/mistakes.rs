//! What can be read and can never work: roots and functions that do not exist, JSON paths, XPath expressions and patterns
//! that are written out and cannot be read.
//!
//! Looked for when a document is saved, and not when it is deployed: a gateway goes on with what was saved before.

use super::Template;
use super::ast::{Binary, Expression, Key};
use super::template::Part;
use crate::json_path::Path;
use crate::pattern::check_java;
use crate::reader::quote;
use crate::xpath;
use serde_json::Value;

/// Roots that some place or other has, `#this` and `#root` of selections included.
const ROOTS: &[&str] = &[
    "api",
    "calloutResponse",
    "context",
    "dictionaries",
    "endpoints",
    "error",
    "group",
    "groupName",
    "message",
    "node",
    "parameters",
    "properties",
    "request",
    "response",
    "root",
    "subscription",
    "this",
    "upstreamResponse",
];

/// Functions with the least and the greatest number of their arguments.
const FUNCTIONS: &[(&str, usize, usize)] =
    &[("jsonEscape", 1, 1), ("jsonPath", 2, 2), ("xmlEscape", 1, 1), ("xpath", 2, 3)];

/// Methods of texts whose first argument is a pattern.
const PATTERN_METHODS: &[&str] = &["matches", "replaceAll", "replaceFirst", "split"];

impl Template {
    /// Every mistake, in the order in which they were written.
    pub fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for part in self.parts() {
            if let Part::Expression(expression) = part {
                look(expression, &mut found);
            }
        }
        found
    }
}

/// The height of an expression is bounded, so that this may recurse.
fn look(expression: &Expression, found: &mut Vec<String>) {
    match expression {
        Expression::Variable(name) if !ROOTS.contains(&name.as_ref()) => {
            found.push(format!("there is no `#{name}`, use one of {}", ROOTS.join(", ")));
        }
        Expression::Function { name, arguments } => function(name, arguments, found),
        Expression::Method { name, arguments, .. } if PATTERN_METHODS.contains(&name.as_ref()) => {
            found.extend(arguments.first().and_then(pattern));
        }
        Expression::Binary(Binary::Matches, _, right) => found.extend(pattern(right)),
        Expression::Variable(_)
        | Expression::Method { .. }
        | Expression::Binary(..)
        | Expression::Null
        | Expression::Boolean(_)
        | Expression::Integer(_)
        | Expression::Real(_)
        | Expression::Text(_)
        | Expression::Type { .. }
        | Expression::New { .. }
        | Expression::List(_)
        | Expression::Map(_)
        | Expression::Element
        | Expression::Property { .. }
        | Expression::Index { .. }
        | Expression::Select { .. }
        | Expression::Unary(..)
        | Expression::Elvis(..)
        | Expression::Choice(..) => {}
    }
    for inner in inside(expression) {
        look(inner, found);
    }
}

fn function(name: &str, arguments: &[Expression], found: &mut Vec<String>) {
    let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, _, _)| *known == name) else {
        let names: Vec<&str> = FUNCTIONS.iter().map(|(known, _, _)| *known).collect();
        found.push(format!("there is no function `#{name}`, use one of {}", names.join(", ")));
        return;
    };
    if !(*least..=*most).contains(&arguments.len()) {
        found.push(format!("`#{name}` takes {least} to {most} arguments, found {}", arguments.len()));
    }
    if let Some(Expression::Text(path)) = arguments.get(1) {
        let fault = match name {
            "jsonPath" => Path::<Value>::parse(path).err().map(|error| error.to_string()),
            "xpath" => xpath::parse(path).err().map(|error| error.to_string()),
            _ => None,
        };
        found.extend(fault.map(|fault| format!("{}: {fault}", quote(path))));
    }
}

/// What is wrong with a pattern that is written out.
fn pattern(expression: &Expression) -> Option<String> {
    let Expression::Text(pattern) = expression else { return None };
    check_java(pattern).err().map(|_| format!("{} is no regular expression", quote(pattern)))
}

/// The parts of an expression.
fn inside(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::Null
        | Expression::Boolean(_)
        | Expression::Integer(_)
        | Expression::Real(_)
        | Expression::Text(_)
        | Expression::Variable(_)
        | Expression::Type { .. }
        | Expression::Element => Vec::new(),
        Expression::Function { arguments, .. } | Expression::New { arguments, .. } => {
            arguments.iter().collect()
        }
        Expression::List(items) => items.iter().collect(),
        Expression::Map(entries) => {
            let keys = entries.iter().filter_map(|(key, _)| match key {
                Key::Name(_) => None,
                Key::Computed(key) => Some(key),
            });
            keys.chain(entries.iter().map(|(_, value)| value)).collect()
        }
        Expression::Property { target, .. } => vec![target],
        Expression::Method { target, arguments, .. } => std::iter::once(&**target).chain(arguments).collect(),
        Expression::Index { target, index, .. } => vec![target, index],
        Expression::Select { target, predicate, .. } => vec![target, predicate],
        Expression::Unary(_, operand) => vec![operand],
        Expression::Binary(_, left, right) | Expression::Elvis(left, right) => vec![left, right],
        Expression::Choice(condition, yes, no) => vec![condition, yes, no],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(template: &str) -> Vec<String> {
        Template::parse(template).unwrap().mistakes()
    }

    #[test]
    fn what_works_is_no_mistake() {
        for template in [
            "plain {text}",
            "{#request.headers['x'][0]} and {#jsonPath(#message.content, '$..a[?(@.b > 1)].max()')}",
            "{#request.params['a'].?[#this matches '\\d+'].size() > 0}",
            "{#request.content.replaceAll('(?i)\\Qa.b\\E', #properties['x'])}",
            "{#xpath(#request.content, '//s:a[@b]', 'number')} {#xpath(#request.content, #properties['x'])} {T(java.lang.Math).max(1, 2)}",
            "{#request.content matches #properties['pattern']}",
        ] {
            assert_eq!(mistakes(template), [""; 0], "{template}");
        }
    }

    #[test]
    fn every_mistake_is_found_wherever_it_stands() {
        let begins = |template: &str, starts: &[&str]| {
            let found = mistakes(template);
            assert_eq!(found.len(), starts.len(), "{found:?}");
            for (found, start) in found.iter().zip(starts) {
                assert!(found.starts_with(start), "{found}");
            }
        };
        begins(
            "{#requset.id} {#request.headers[#hedaer]}",
            &["there is no `#requset`", "there is no `#hedaer`"],
        );
        begins(
            "{#jsonpath(#message.content, '$')}",
            &["there is no function `#jsonpath`, use one of jsonEscape"],
        );
        begins("{#jsonPath(#message.content)}", &["`#jsonPath` takes 2 to 2 arguments, found 1"]);
        begins(
            "{#jsonPath(#message.content, '$.a[') == 'x' ? {'k': #a} : null}",
            &["\"$.a[\": the JSON path is not valid at character 4", "there is no `#a`"],
        );
        begins(
            "{#xpath(#request.content, '//[') + #xpath(#request.content, 'a b', 'node')}",
            &["\"//[\": the XPath expression is not valid", "\"a b\": the XPath"],
        );
        begins(
            "{#request.path matches '(' or #request.path.split('[').size() == 2}",
            &["\"(\" is no", "\"[\" is no"],
        );
    }
}
