//! Numbers: whole ones stay whole as long as they fit, all others are doubles that are printed as people write them.

use std::cmp::Ordering;

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Real(f64),
}

/// Doubles are rounded to so many parts when they are printed, which hides what binary fractions cannot hold.
const PRINTED_PARTS: f64 = 1e12;

impl Number {
    pub(super) fn real(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Real(real) => real,
        }
    }

    /// The whole number that it is, if it is one.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Number::Integer(integer) => Some(integer),
            Number::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => Some(real as i64),
            Number::Real(_) => None,
        }
    }

    /// Whole when the exact result is known to be.
    pub(super) fn with(
        self,
        other: Number,
        whole: impl Fn(i64, i64) -> Option<i64>,
        real: impl Fn(f64, f64) -> f64,
    ) -> Number {
        if let (Number::Integer(a), Number::Integer(b)) = (self, other)
            && let Some(result) = whole(a, b)
        {
            return Number::Integer(result);
        }
        Number::Real(real(self.real(), other.real()))
    }

    pub(super) fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
            _ => self.real().partial_cmp(&other.real()).unwrap_or(Ordering::Equal),
        }
    }

    /// Reads a number as templates and JSON write it.
    pub(super) fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        if !plain {
            return None;
        }
        let integer = text.parse().map(Number::Integer);
        integer.ok().or_else(|| text.parse().ok().filter(|real: &f64| real.is_finite()).map(Number::Real))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Number::Integer(integer) => integer.fmt(f),
            Number::Real(real) => {
                let rounded = (real * PRINTED_PARTS).round() / PRINTED_PARTS;
                if rounded.is_finite() { rounded.fmt(f) } else { real.fmt(f) }
            }
        }
    }
}
