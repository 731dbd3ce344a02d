//! Prints an expression so that reading it again gives the same tree.

use super::ast::{Expression, Key, Selection, Unary};
use std::fmt::{self, Display, Formatter};

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Null => f.write_str("null"),
            Expression::Boolean(value) => write!(f, "{value}"),
            Expression::Integer(value) => write!(f, "{value}"),
            // `{:?}` keeps the fraction of whole numbers, without which they would be integers.
            Expression::Real(value) => write!(f, "{value:?}"),
            Expression::Text(text) => quoted(f, text),
            Expression::Variable(name) => write!(f, "#{name}"),
            Expression::Function { name, arguments } => {
                write!(f, "#{name}")?;
                list(f, "(", arguments, ")")
            }
            Expression::Type { name, array } => write!(f, "T({name}{})", if *array { "[]" } else { "" }),
            Expression::New { name, arguments } => {
                write!(f, "new {name}")?;
                list(f, "(", arguments, ")")
            }
            Expression::List(items) => list(f, "{", items, "}"),
            Expression::Map(entries) => map(f, entries),
            Expression::Element => Ok(()),
            Expression::Property { .. }
            | Expression::Method { .. }
            | Expression::Index { .. }
            | Expression::Select { .. } => chained(self, f),
            Expression::Unary(operator, operand) => {
                let sign = match operator {
                    Unary::Not => "!",
                    Unary::Minus => "-",
                    Unary::Plus => "+",
                };
                write!(f, "{sign}{}", Operand(operand))
            }
            Expression::Binary(operator, left, right) => {
                write!(f, "{} {} {}", Operand(left), operator.spelling(), Operand(right))
            }
            Expression::Elvis(value, otherwise) => write!(f, "{} ?: {}", Operand(value), Operand(otherwise)),
            Expression::Choice(condition, yes, no) => {
                write!(f, "{} ? {} : {}", Operand(condition), Operand(yes), Operand(no))
            }
        }
    }
}

/// In parentheses when it contains an operator: the tree says what binds, whatever the levels of the operators.
struct Operand<'a>(&'a Expression);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if matches!(
            self.0,
            Expression::Unary(..) | Expression::Binary(..) | Expression::Elvis(..) | Expression::Choice(..)
        ) {
            write!(f, "({})", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

fn chained(expression: &Expression, f: &mut Formatter<'_>) -> fmt::Result {
    match expression {
        Expression::Property { target, name, safe } => {
            dotted(f, target, *safe)?;
            f.write_str(name)
        }
        Expression::Method { target, name, arguments, safe } => {
            dotted(f, target, *safe)?;
            f.write_str(name)?;
            list(f, "(", arguments, ")")
        }
        Expression::Index { target, index, safe } => {
            write!(f, "{}{}[{index}]", Operand(target), if *safe { "?." } else { "" })
        }
        Expression::Select { target, kind, predicate, safe } => {
            write!(f, "{}{}", Operand(target), dot(*safe))?;
            write!(f, "{}{predicate}]", Selection::symbol(*kind))
        }
        Expression::Null
        | Expression::Boolean(_)
        | Expression::Integer(_)
        | Expression::Real(_)
        | Expression::Text(_)
        | Expression::Variable(_)
        | Expression::Function { .. }
        | Expression::Type { .. }
        | Expression::New { .. }
        | Expression::List(_)
        | Expression::Map(_)
        | Expression::Element
        | Expression::Unary(..)
        | Expression::Binary(..)
        | Expression::Elvis(..)
        | Expression::Choice(..) => expression.fmt(f),
    }
}

fn dot(safe: bool) -> &'static str {
    if safe { "?." } else { "." }
}

/// The target with its dot; a property of the element is a bare name.
fn dotted(f: &mut Formatter<'_>, target: &Expression, safe: bool) -> fmt::Result {
    if *target == Expression::Element {
        return Ok(());
    }
    // The dot behind digits would be read as the beginning of a fraction when digits follow.
    if matches!(target, Expression::Integer(_) | Expression::Real(_)) {
        return write!(f, "({target}){}", dot(safe));
    }
    write!(f, "{}{}", Operand(target), dot(safe))
}

fn list(f: &mut Formatter<'_>, open: &str, items: &[Expression], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    f.write_str(close)
}

fn map(f: &mut Formatter<'_>, entries: &[(Key, Expression)]) -> fmt::Result {
    if entries.is_empty() {
        return f.write_str("{:}");
    }
    f.write_str("{")?;
    for (index, (key, value)) in entries.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        match key {
            Key::Name(name) => quoted(f, name)?,
            Key::Computed(key) => write!(f, "({key})")?,
        }
        // A choice keeps its parentheses: its colon would be taken for the one of the entry otherwise.
        write!(f, ": {}", Operand(value))?;
    }
    f.write_str("}")
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', "''"))
}
