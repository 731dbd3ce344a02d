//! Expressions: names, members, operators.

use super::number::Number;
use super::value::Value;
use super::{RenderError, Run, describe};
use definition::freemarker::{Expr, Operator, RangeKind};
use indexmap::IndexMap;
use std::cmp::Ordering;
use std::sync::Arc;

impl Run<'_> {
    /// A value that must be there.
    pub(super) fn present(&mut self, expr: &Expr) -> Result<Value, RenderError> {
        self.value(expr)?.ok_or_else(|| RenderError::Missing(describe(expr)))
    }

    /// Whether an expression is true; nothing else than true and false is either.
    pub(super) fn truth(&mut self, expr: &Expr) -> Result<bool, RenderError> {
        match self.present(expr)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(other.unexpected(|| describe(expr), "true or false")),
        }
    }

    /// The value of an expression; `None`: it is missing.
    pub(super) fn value(&mut self, expr: &Expr) -> Result<Option<Value>, RenderError> {
        self.spend(1)?;
        let value = match expr {
            Expr::Text(text) => Value::text_of(text.as_str()),
            Expr::Integer(integer) => Value::Number(Number::Integer(*integer)),
            Expr::Real(real) => Value::Number(Number::Real(*real)),
            Expr::Bool(truth) => Value::Bool(*truth),
            Expr::Joined(parts) => {
                let mut joined = String::new();
                for part in parts {
                    joined.push_str(&self.present(part)?.text(|| describe(part))?);
                }
                self.made(joined)?
            }
            Expr::List(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.present(item)).collect();
                Value::list_of(items?)
            }
            Expr::Hash(entries) => {
                let mut hash = IndexMap::new();
                for (key, value) in entries {
                    let key_value = self.present(key)?;
                    hash.insert(key_value.text(|| describe(key))?.into_owned(), self.present(value)?);
                }
                Value::Hash(Arc::new(hash))
            }
            Expr::Range { from, to, kind } => self.range(from, to.as_deref(), *kind)?,
            Expr::Name(name) => return Ok(self.name(name)),
            Expr::Member(of, name) => {
                let of_value = self.present(of)?;
                return self.member(&of_value, name, || describe(of));
            }
            Expr::Index(of, index) => return self.index(of, index),
            Expr::Builtin { of, name, arguments } => return self.builtin(of, *name, arguments),
            Expr::Default(of, default) => return self.default(of, default.as_deref()),
            Expr::Exists(of) => Value::Bool(self.forgiving(of)?.is_some()),
            Expr::Parentheses(inner) => return self.value(inner),
            Expr::Not(of) => Value::Bool(!self.truth(of)?),
            Expr::Negative(of) => {
                let number = self.present(of)?.number(|| describe(of))?;
                Value::Number(Number::Integer(0).with(number, i64::checked_sub, |a, b| a - b))
            }
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right)?,
        };
        Ok(Some(value))
    }

    fn name(&self, name: &str) -> Option<Value> {
        match self.loop_variable(name) {
            Some(value) => value.filter(|value| !matches!(value, Value::Null)),
            None => self.variables.get(name).cloned().or_else(|| self.root(name)),
        }
    }

    /// A value whose last step may be missing; in parentheses every step may.
    fn forgiving(&mut self, of: &Expr) -> Result<Option<Value>, RenderError> {
        match self.value(of) {
            Err(RenderError::Missing(_)) if matches!(of, Expr::Parentheses(_)) => Ok(None),
            other => other,
        }
    }

    fn default(&mut self, of: &Expr, default: Option<&Expr>) -> Result<Option<Value>, RenderError> {
        match (self.forgiving(of)?, default) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(default)) => self.value(default),
            (None, None) => Ok(Some(Value::text_of(""))),
        }
    }

    /// A member of a hash.
    pub(super) fn member(
        &mut self,
        of: &Value,
        name: &str,
        place: impl FnOnce() -> String,
    ) -> Result<Option<Value>, RenderError> {
        let found = match of {
            Value::Hash(hash) => hash.get(name).cloned(),
            Value::Headers(headers) => {
                let mut same = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
                same.next().map(|(_, value)| value.clone())
            }
            Value::Root(root) => {
                let found = self.root_member(*root, name);
                if let Some(Value::Text(text)) = &found {
                    self.spend(text.len() / 64)?;
                }
                found
            }
            _ => return Err(of.unexpected(place, "a hash")),
        };
        Ok(found.filter(|value| !matches!(value, Value::Null)))
    }

    fn index(&mut self, of: &Expr, index: &Expr) -> Result<Option<Value>, RenderError> {
        let of_value = self.present(of)?;
        if let Expr::Range { from, to, kind } = index {
            return self.slice(&of_value, of, (from, to.as_deref(), *kind)).map(Some);
        }
        let index_value = self.present(index)?;
        match (&of_value, &index_value) {
            (Value::List(items), Value::Number(number)) => {
                let at = number.integer().and_then(|at| usize::try_from(at).ok());
                Ok(at.and_then(|at| items.get(at)).filter(|value| !matches!(value, Value::Null)).cloned())
            }
            (Value::Text(text), Value::Number(number)) => {
                let at = number.integer().and_then(|at| usize::try_from(at).ok());
                self.spend(text.len() / 64)?;
                let letter = at.and_then(|at| text.chars().nth(at));
                Ok(letter.map(|letter| Value::text_of(letter.to_string())))
            }
            (_, key) => {
                let key = key.text(|| describe(index))?;
                self.member(&of_value, &key, || describe(of))
            }
        }
    }

    fn bound(&mut self, expr: &Expr) -> Result<i64, RenderError> {
        let number = self.present(expr)?.number(|| describe(expr))?;
        number.integer().ok_or(RenderError::Other("a range needs whole numbers"))
    }

    /// First and last of a range, both included; `None`: it is empty. Without an end it goes to `open_end`.
    fn bounds(
        &mut self,
        (from, to, kind): (&Expr, Option<&Expr>, RangeKind),
        open_end: Option<i64>,
    ) -> Result<Option<(i64, i64)>, RenderError> {
        let from = self.bound(from)?;
        let Some(to) = to else {
            let end =
                open_end.ok_or(RenderError::Other("a range without an end is possible as an index only"))?;
            return Ok((from <= end).then_some((from, end)));
        };
        let to = self.bound(to)?;
        Ok(match kind {
            RangeKind::Inclusive => Some((from, to)),
            RangeKind::Exclusive if from == to => None,
            RangeKind::Exclusive => Some((from, if to > from { to - 1 } else { to.saturating_add(1) })),
            RangeKind::Length if to == 0 => None,
            RangeKind::Length if to > 0 => Some((from, from.saturating_add(to - 1))),
            RangeKind::Length => Some((from, from.saturating_add(to).saturating_add(1))),
        })
    }

    fn range(&mut self, from: &Expr, to: Option<&Expr>, kind: RangeKind) -> Result<Value, RenderError> {
        let Some((first, last)) = self.bounds((from, to, kind), None)? else { return Ok(Value::list_of([])) };
        let count = usize::try_from(first.abs_diff(last)).unwrap_or(usize::MAX);
        self.spend(count)?;
        let number = |integer| Value::Number(Number::Integer(integer));
        Ok(match first <= last {
            true => Value::list_of((first..=last).map(number)),
            false => Value::list_of((last..=first).rev().map(number)),
        })
    }

    /// Part of a list or of a text.
    fn slice(
        &mut self,
        of: &Value,
        place: &Expr,
        range: (&Expr, Option<&Expr>, RangeKind),
    ) -> Result<Value, RenderError> {
        const OUTSIDE: RenderError = RenderError::Other("a range reaches outside of what it is taken from");
        let letters: Vec<char> = match of {
            Value::Text(text) => text.chars().collect(),
            _ => Vec::new(),
        };
        let length = match of {
            Value::Text(_) => letters.len(),
            Value::List(items) => items.len(),
            _ => return Err(of.unexpected(|| describe(place), "a list or a text")),
        };
        self.spend(length / 8)?;
        let end = i64::try_from(length).unwrap_or(i64::MAX) - 1;
        let clipped = range.2 == RangeKind::Length;
        let Some((first, last)) = self.bounds(range, Some(end))? else {
            return Ok(if matches!(of, Value::List(_)) { Value::list_of([]) } else { Value::text_of("") });
        };
        let last = if clipped { last.min(end) } else { last };
        let (first, last) =
            (usize::try_from(first).map_err(|_| OUTSIDE)?, usize::try_from(last + 1).map_err(|_| OUTSIDE)?);
        match of {
            Value::List(items) => items.get(first..last).map(|part| Value::List(part.into())).ok_or(OUTSIDE),
            _ => letters
                .get(first..last)
                .map(|part| Value::text_of(part.iter().collect::<String>()))
                .ok_or(OUTSIDE),
        }
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Result<Value, RenderError> {
        use Operator as O;
        match operator {
            O::Or => return Ok(Value::Bool(self.truth(left)? || self.truth(right)?)),
            O::And => return Ok(Value::Bool(self.truth(left)? && self.truth(right)?)),
            _ => {}
        }
        let (a, b) = (self.present(left)?, self.present(right)?);
        let ordering =
            |wanted: &[Ordering]| Ok(Value::Bool(wanted.contains(&compared(&a, &b, left, right)?)));
        match operator {
            O::Equal => return Ok(Value::Bool(equal(&a, &b, left)?)),
            O::NotEqual => return Ok(Value::Bool(!equal(&a, &b, left)?)),
            O::Less => return ordering(&[Ordering::Less]),
            O::LessOrEqual => return ordering(&[Ordering::Less, Ordering::Equal]),
            O::Greater => return ordering(&[Ordering::Greater]),
            O::GreaterOrEqual => return ordering(&[Ordering::Greater, Ordering::Equal]),
            O::Add => return self.sum(&a, &b, left, right),
            O::Or | O::And | O::Subtract | O::Multiply | O::Divide | O::Remainder => {}
        }
        let (a, b) = (a.number(|| describe(left))?, b.number(|| describe(right))?);
        if matches!(operator, O::Divide | O::Remainder) && b.real() == 0.0 {
            return Err(RenderError::Other("a division by zero"));
        }
        Ok(Value::Number(match operator {
            O::Subtract => a.with(b, i64::checked_sub, |a, b| a - b),
            O::Multiply => a.with(b, i64::checked_mul, |a, b| a * b),
            O::Remainder => a.with(b, i64::checked_rem, |a, b| a % b),
            _ => a.with(b, |a, b| (a % b == 0).then_some(a / b), |a, b| a / b),
        }))
    }

    /// Numbers are added, lists and hashes joined; everything else is joined as text.
    fn sum(&mut self, a: &Value, b: &Value, left: &Expr, right: &Expr) -> Result<Value, RenderError> {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => {
                Ok(Value::Number(a.with(*b, i64::checked_add, |a, b| a + b)))
            }
            (Value::List(a), Value::List(b)) => {
                self.spend(a.len() + b.len())?;
                Ok(Value::list_of(a.iter().chain(b.iter()).cloned()))
            }
            (Value::Hash(a), Value::Hash(b)) => {
                self.spend(a.len() + b.len())?;
                let mut joined = IndexMap::clone(a);
                joined.extend(b.iter().map(|(name, value)| (name.clone(), value.clone())));
                Ok(Value::Hash(Arc::new(joined)))
            }
            _ => {
                let joined = format!("{}{}", a.text(|| describe(left))?, b.text(|| describe(right))?);
                self.made(joined)
            }
        }
    }
}

fn equal(a: &Value, b: &Value, place: &Expr) -> Result<bool, RenderError> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(a.compare(*b) == Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::List(items), other) | (other, Value::List(items)) if items.len() == 1 => {
            equal(&items[0], other, place)
        }
        _ => Err(a.unexpected(|| describe(place), b.kind())),
    }
}

fn compared(a: &Value, b: &Value, left: &Expr, right: &Expr) -> Result<Ordering, RenderError> {
    Ok(a.number(|| describe(left))?.compare(b.number(|| describe(right))?))
}
