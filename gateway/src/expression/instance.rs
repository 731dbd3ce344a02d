//! The few Java-like instances that expressions can hold: types, dates, formatters, coders.

use super::java::Type;
use super::java::date_pattern::DatePattern;
use super::java::moment::Moment;
use super::value::Value;
use std::cmp::Ordering;
use std::sync::Arc;
use uuid::Uuid;

/// An instance.
#[derive(Debug, Clone)]
pub(crate) enum Instance {
    Type {
        of: Type,
        array: bool,
    },
    /// An entry of a map that is selected from or listed.
    Entry(Arc<str>, Value),
    Uuid(Uuid),
    Moment(Moment),
    Formatter(Arc<DatePattern>),
    /// Whether base64 uses the alphabet for URLs, and whether it pads.
    Encoder {
        url: bool,
        padding: bool,
    },
    Decoder {
        url: bool,
    },
    Random,
}

impl Instance {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Instance::Type { .. } => "a type",
            Instance::Entry(..) => "an entry of a map",
            Instance::Uuid(_) => "a UUID",
            Instance::Moment(_) => "a date",
            Instance::Formatter(_) => "a date format",
            Instance::Encoder { .. } | Instance::Decoder { .. } => "a base64 coder",
            Instance::Random => "a random generator",
        }
    }

    /// As a text.
    pub(super) fn print(&self) -> String {
        match self {
            Instance::Uuid(id) => id.to_string(),
            Instance::Moment(moment) => moment.print(),
            other => other.kind().to_owned(),
        }
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Instance::Uuid(left), Instance::Uuid(right)) => left == right,
            (Instance::Type { of, array }, Instance::Type { of: other, array: others }) => {
                of == other && array == others
            }
            (left, right) => left.partial_cmp(right) == Some(Ordering::Equal),
        }
    }
}

impl PartialOrd for Instance {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Instance::Moment(left), Instance::Moment(right)) => left.partial_cmp(right),
            _ => None,
        }
    }
}
