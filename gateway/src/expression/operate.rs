//! Operators between two values.

use super::compare;
use super::convert;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::java;
use super::number;
use super::pattern;
use super::value::Value;
use definition::expression::ast::{Binary, Expression, Unary};
use std::cmp::Ordering;

impl Evaluator<'_> {
    pub(super) fn binary(
        &mut self,
        operator: Binary,
        left: &Expression,
        right: &Expression,
    ) -> Result<Value, EvaluationError> {
        match operator {
            Binary::And => return Ok(Value::Boolean(self.holds(left)? && self.holds(right)?)),
            Binary::Or => return Ok(Value::Boolean(self.holds(left)? || self.holds(right)?)),
            _ => {}
        }
        let left = self.evaluate(left)?;
        let right = self.evaluate(right)?;
        let result = match operator {
            Binary::Equal => self.equal(&left, &right)?,
            Binary::NotEqual => !self.equal(&left, &right)?,
            Binary::Less => compare::order(&left, &right)? == Ordering::Less,
            Binary::LessOrEqual => compare::order(&left, &right)? != Ordering::Greater,
            Binary::Greater => compare::order(&left, &right)? == Ordering::Greater,
            Binary::GreaterOrEqual => compare::order(&left, &right)? != Ordering::Less,
            Binary::Matches => self.matches(&left, &right)?,
            Binary::InstanceOf => java::is_instance(&left, &right)?,
            Binary::Between => between(&left, &right)?,
            Binary::Add => return self.add(&left, &right),
            _ => return arithmetic(operator, &left, &right),
        };
        Ok(Value::Boolean(result))
    }

    /// An operand of `and`, `or` and `!`.
    pub(super) fn holds(&mut self, operand: &Expression) -> Result<bool, EvaluationError> {
        let value = self.evaluate(operand)?;
        convert::truth(&value)?.ok_or_else(|| EvaluationError::new("null cannot be used as a boolean"))
    }

    pub(super) fn unary(&mut self, operator: Unary, operand: &Expression) -> Result<Value, EvaluationError> {
        if operator == Unary::Not {
            return Ok(Value::Boolean(!self.holds(operand)?));
        }
        let value = self.evaluate(operand)?.single().clone();
        let result = match operator {
            Unary::Minus => number::negate(&value),
            _ => number::real(&value).map(|_| Ok(value.clone())),
        };
        let refused = || EvaluationError::new(format!("{} has no sign", value.kind()));
        result.unwrap_or_else(|| Err(refused()))
    }

    fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, EvaluationError> {
        // Texts are cheap enough; trees are paid for by their size at the first level.
        if let (Value::List(items), Value::List(_)) = (left, right) {
            self.budget.spend(items.len())?;
        }
        Ok(compare::equal(left, right))
    }

    fn matches(&mut self, left: &Value, right: &Value) -> Result<bool, EvaluationError> {
        match (left.single(), right.single()) {
            (Value::Null, _) => Ok(false),
            (Value::Text(text), Value::Text(pattern)) => {
                self.budget.spend_bytes(text.len())?;
                pattern::matches(pattern, text)
            }
            (left, right) => {
                let message =
                    format!("`matches` needs a text and a pattern, not {} and {}", left.kind(), right.kind());
                Err(EvaluationError::new(message))
            }
        }
    }

    /// Numbers are added; with a text on either side both are joined.
    fn add(&mut self, left: &Value, right: &Value) -> Result<Value, EvaluationError> {
        let is_text = |value: &Value| matches!(value.single(), Value::Text(_));
        if !is_text(left) && !is_text(right) {
            return arithmetic(Binary::Add, left, right);
        }
        let mut text = String::new();
        for side in [left, right] {
            match side {
                Value::Null => text.push_str("null"),
                side => convert::append(&mut text, side, self)?,
            }
        }
        self.budget.spend_text(text.len())?;
        Ok(Value::text(text))
    }
}

fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Result<Value, EvaluationError> {
    let (left, right) = (left.single(), right.single());
    number::compute(operator, left, right).unwrap_or_else(|| {
        let (sign, left, right) = (operator.spelling(), left.kind(), right.kind());
        Err(EvaluationError::new(format!("`{sign}` has no meaning between {left} and {right}")))
    })
}

fn between(value: &Value, limits: &Value) -> Result<bool, EvaluationError> {
    let Value::List(limits) = limits else {
        return Err(EvaluationError::new("`between` needs a list of two limits"));
    };
    let [least, greatest] = limits.as_slice() else {
        return Err(EvaluationError::new("`between` needs a list of two limits"));
    };
    let above = compare::order(value, least)? != Ordering::Less;
    Ok(above && compare::order(value, greatest)? != Ordering::Greater)
}
