//! Walks the tree of an expression.

use super::access;
use super::budget::Budget;
use super::error::EvaluationError;
use super::functions;
use super::java;
use super::method;
use super::roots::{Bean, Roots};
use super::value::{Members, Value};
use definition::expression::ast::{Expression, Key};
use std::sync::Arc;

/// One evaluation: what is left of its budget and what it read so far.
pub(super) struct Evaluator<'a> {
    pub(super) roots: &'a dyn Roots,
    pub(super) budget: Budget,
    /// The elements of the selections that are being evaluated, innermost last.
    pub(super) elements: Vec<Value>,
    /// Bodies that were read as texts, so that they are copied once.
    pub(super) contents: Vec<(Bean, Value)>,
    /// Texts that were read as JSON, so that each is parsed once. Few: found by address.
    pub(super) documents: Vec<(Arc<str>, Value)>,
    /// The text that a JSON path was looked for in last, without parsing all of it.
    pub(super) scanned: Option<Arc<str>>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(roots: &'a dyn Roots) -> Self {
        Evaluator {
            roots,
            budget: Budget::new(),
            elements: Vec::new(),
            contents: Vec::new(),
            documents: Vec::new(),
            scanned: None,
        }
    }

    pub(super) fn evaluate(&mut self, expression: &Expression) -> Result<Value, EvaluationError> {
        self.budget.spend(1)?;
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Boolean(value) => Ok(Value::Boolean(*value)),
            Expression::Integer(value) => Ok(Value::Integer(*value)),
            Expression::Real(value) => Ok(Value::Real(*value)),
            Expression::Text(text) => Ok(Value::Text(Arc::clone(text))),
            Expression::Variable(name) => Ok(self.variable(name)),
            Expression::Element => Ok(self.element()),
            Expression::Type { name, array } => java::named(name, *array),
            Expression::List(items) => self.all(items).map(Value::list),
            Expression::Map(entries) => self.map(entries),
            Expression::Function { name, arguments } => {
                let arguments = self.all(arguments)?;
                functions::call(self, name, &arguments)
            }
            Expression::New { name, arguments } => {
                let arguments = self.all(arguments)?;
                java::construct(self, name, &arguments)
            }
            Expression::Property { target, name, safe } => self.property(target, name, *safe),
            Expression::Method { target, name, arguments, safe } => {
                self.method(target, name, arguments, *safe)
            }
            Expression::Index { target, index, safe } => self.index(target, index, *safe),
            Expression::Select { target, kind, predicate, safe } => {
                self.select(target, *kind, predicate, *safe)
            }
            Expression::Unary(operator, operand) => self.unary(*operator, operand),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expression::Elvis(value, otherwise) => self.elvis(value, otherwise),
            Expression::Choice(condition, yes, no) => {
                if self.holds(condition)? {
                    self.evaluate(yes)
                } else {
                    self.evaluate(no)
                }
            }
        }
    }

    fn all(&mut self, expressions: &[Expression]) -> Result<Vec<Value>, EvaluationError> {
        expressions.iter().map(|expression| self.evaluate(expression)).collect()
    }

    /// The element of the innermost selection; null outside of one.
    pub(super) fn element(&self) -> Value {
        self.elements.last().cloned().unwrap_or_default()
    }

    fn variable(&mut self, name: &str) -> Value {
        match name {
            "this" => self.element(),
            "root" => Value::Null,
            name => self.roots.variable(name).unwrap_or_default(),
        }
    }

    fn map(&mut self, entries: &[(Key, Expression)]) -> Result<Value, EvaluationError> {
        let mut members = Members::with_capacity(entries.len());
        for (key, value) in entries {
            let key = match key {
                Key::Name(name) => Arc::clone(name),
                Key::Computed(key) => {
                    let key = self.evaluate(key)?;
                    self.key(&key)?
                }
            };
            let value = self.evaluate(value)?;
            members.insert(key, value);
        }
        Ok(Value::Map(Arc::new(members)))
    }

    fn elvis(&mut self, value: &Expression, otherwise: &Expression) -> Result<Value, EvaluationError> {
        let value = self.evaluate(value)?;
        let absent = match value.single() {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            _ => false,
        };
        if absent { self.evaluate(otherwise) } else { Ok(value) }
    }

    fn property(&mut self, target: &Expression, name: &str, safe: bool) -> Result<Value, EvaluationError> {
        let target = self.evaluate(target)?;
        if safe && target.is_null() {
            return Ok(Value::Null);
        }
        access::property(self, &target, name)
    }

    fn index(
        &mut self,
        target: &Expression,
        index: &Expression,
        safe: bool,
    ) -> Result<Value, EvaluationError> {
        let target = self.evaluate(target)?;
        if safe && target.is_null() {
            return Ok(Value::Null);
        }
        // A bare name in the brackets of a map is the key itself.
        let index = match index {
            Expression::Property { target: element, name, safe: false }
                if **element == Expression::Element && target.has_members() =>
            {
                Value::text(name.as_ref())
            }
            index => self.evaluate(index)?,
        };
        access::index(self, &target, &index)
    }

    fn method(
        &mut self,
        target: &Expression,
        name: &str,
        arguments: &[Expression],
        safe: bool,
    ) -> Result<Value, EvaluationError> {
        let target = self.evaluate(target)?;
        if safe && target.is_null() {
            return Ok(Value::Null);
        }
        let arguments = self.all(arguments)?;
        method::call(self, &target, name, &arguments)
    }
}
