//! What an expression will ask for, found without evaluating it.
//!
//! A body is collected before the evaluation only when some expression reads it; everything else keeps streaming.

use super::ast::{Expression, Key};
use std::ops::BitOr;

/// What has to be there before a template can be evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The whole body of the request.
    pub request_content: bool,
    /// The whole body of the response.
    pub response_content: bool,
    /// A message.
    pub message: bool,
}

impl BitOr for Needs {
    type Output = Needs;

    fn bitor(self, other: Needs) -> Needs {
        Needs {
            request_content: self.request_content || other.request_content,
            response_content: self.response_content || other.response_content,
            message: self.message || other.message,
        }
    }
}

/// Members that are made from the body.
const CONTENT: &[&str] = &["content", "jsonContent", "xmlContent"];

impl Needs {
    pub(super) fn of(expression: &Expression) -> Needs {
        match expression {
            Expression::Variable(name) => Needs::whole(name),
            Expression::Property { target, name, .. } => Needs::member(target, Some(name)),
            Expression::Index { target, index, .. } => {
                let name =
                    if let Expression::Text(name) = index.as_ref() { Some(name.as_ref()) } else { None };
                Needs::member(target, name) | Needs::of(index)
            }
            Expression::Method { target, arguments, .. } => Needs::of(target) | Needs::of_all(arguments),
            Expression::Function { arguments, .. } | Expression::New { arguments, .. } => {
                Needs::of_all(arguments)
            }
            Expression::List(items) => Needs::of_all(items),
            Expression::Map(entries) => entries.iter().fold(Needs::default(), |needs, (key, value)| {
                let key = match key {
                    Key::Name(_) => Needs::default(),
                    Key::Computed(key) => Needs::of(key),
                };
                needs | key | Needs::of(value)
            }),
            Expression::Select { target, predicate, .. } => Needs::of(target) | Needs::of(predicate),
            Expression::Unary(_, operand) => Needs::of(operand),
            Expression::Binary(_, left, right) | Expression::Elvis(left, right) => {
                Needs::of(left) | Needs::of(right)
            }
            Expression::Choice(condition, yes, no) => Needs::of(condition) | Needs::of(yes) | Needs::of(no),
            Expression::Null
            | Expression::Boolean(_)
            | Expression::Integer(_)
            | Expression::Real(_)
            | Expression::Text(_)
            | Expression::Type { .. }
            | Expression::Element => Needs::default(),
        }
    }

    fn of_all(expressions: &[Expression]) -> Needs {
        expressions.iter().fold(Needs::default(), |needs, expression| needs | Needs::of(expression))
    }

    /// A variable that goes somewhere as a whole: nobody knows which of its members are read there.
    fn whole(variable: &str) -> Needs {
        Needs {
            request_content: variable == "request",
            response_content: variable == "response",
            message: variable == "message",
        }
    }

    /// A member of a target; the name is absent when only the evaluation will tell.
    fn member(target: &Expression, name: Option<&str>) -> Needs {
        match (target, name) {
            (Expression::Variable(variable), Some(name)) if !CONTENT.contains(&name) => {
                Needs { message: variable.as_ref() == "message", ..Needs::default() }
            }
            _ => Needs::of(target),
        }
    }
}
