//! A cursor over a JSON document that collects everything that is wrong with it instead of stopping.
//!
//! Every accessor answers with a usable value, so that reading goes on after a fault; the document is refused when
//! the report is not empty at the end. `null` counts as absent, as authors of definitions expect.

use crate::api::Settings;
use crate::token::Token;
use crate::violation::Violation;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// The checks in the order in which they answer: the first violation of the earliest stage decides the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Wrong JSON types, unknown values, missing members.
    Shape,
    Identity,
    Version,
    Type,
    Lifecycle,
    Listeners,
    EndpointGroups,
    Analytics,
    Flows,
    Plans,
    Resources,
}

/// What was found so far; shared by all cursors over one document.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: RefCell<Vec<(Stage, Violation)>>,
}

impl Report {
    pub(crate) fn add(&self, stage: Stage, violation: Violation) {
        self.found.borrow_mut().push((stage, violation));
    }

    /// The value when nothing was wrong, else every violation.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Violation>> {
        let violations = self.into_violations();
        if violations.is_empty() { Ok(value) } else { Err(violations) }
    }

    /// Every violation once, in the order of the stages.
    pub(crate) fn into_violations(self) -> Vec<Violation> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(stage, _)| *stage);
        let mut violations: Vec<Violation> = Vec::new();
        for (_, violation) in found {
            let known = violations.iter().any(|v| v.path == violation.path && v.message == violation.message);
            if !known {
                violations.push(violation);
            }
        }
        violations
    }
}

/// One place of the document, present or not.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) path: String,
    raw: Option<&'a Value>,
    report: &'a Report,
}

impl<'a> Node<'a> {
    pub(crate) fn root(document: &'a Value, report: &'a Report) -> Self {
        Node { path: String::new(), raw: Some(document), report }
    }

    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.raw.filter(|value| !value.is_null())
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.value().is_none()
    }

    /// `null` was written, which most members treat as absent.
    pub(crate) fn is_explicit_null(&self) -> bool {
        self.raw.is_some_and(Value::is_null)
    }

    /// The member of an object; absent when this is no object.
    pub(crate) fn get(&self, key: &str) -> Node<'a> {
        Node {
            path: join(&self.path, key),
            raw: self.raw.and_then(|value| value.get(key)),
            report: self.report,
        }
    }

    /// The place, as violations name it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// How the place is called in messages.
    pub(crate) fn name(&self) -> &str {
        if self.path.is_empty() { "the document" } else { &self.path }
    }

    pub(crate) fn fail(&self, stage: Stage, violation: Violation) {
        self.report.add(stage, violation);
    }

    /// A fault of the plain kind. `reason` follows the place: "must not be blank".
    pub(crate) fn wrong(&self, stage: Stage, reason: impl AsRef<str>) {
        self.refuse(stage, "data.invalid", reason);
    }

    /// A fault with a code of the catalogue and without parameters.
    pub(crate) fn refuse(&self, stage: Stage, code: &'static str, reason: impl AsRef<str>) {
        self.fail(stage, self.violation(code, reason));
    }

    /// A violation at this place, with the offending value when it is short.
    pub(crate) fn violation(&self, code: &'static str, reason: impl AsRef<str>) -> Violation {
        let violation =
            Violation::new(self.path.clone(), code, format!("{} {}", self.name(), reason.as_ref()));
        match self.value().and_then(short_value) {
            Some(value) => violation.value(value),
            None => violation,
        }
    }

    fn mismatch(&self, expected: &str) {
        if let Some(value) = self.value() {
            self.wrong(Stage::Shape, format!("must be {expected}, found {}", kind(value)));
        }
    }

    /// The members, when this is an object; anything else but absence is reported.
    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        let object = self.value().and_then(Value::as_object);
        if object.is_none() {
            self.mismatch("an object");
        }
        object
    }

    /// As `object`, and absence is reported too.
    pub(crate) fn required_object(&self) -> Option<&'a Map<String, Value>> {
        if self.is_absent() {
            self.wrong(Stage::Shape, "must not be null, an object is required");
        }
        self.object()
    }

    /// A string as it was written.
    pub(crate) fn text(&self) -> Option<String> {
        let text = self.value().and_then(Value::as_str);
        if text.is_none() {
            self.mismatch("a string");
        }
        text.map(str::to_owned)
    }

    /// A trimmed string; a blank one counts as absent.
    pub(crate) fn trimmed(&self) -> Option<String> {
        self.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A trimmed string that must be there.
    pub(crate) fn required_text(&self) -> String {
        self.required_text_or("data.invalid", |violation| violation)
    }

    /// A trimmed string that must be there; a missing one is reported under a code of its own.
    pub(crate) fn required_text_or(
        &self,
        code: &'static str,
        adorn: impl FnOnce(Violation) -> Violation,
    ) -> String {
        if matches!(self.value(), None | Some(Value::String(_))) && self.trimmed().is_none() {
            self.fail(Stage::Shape, adorn(self.violation(code, "must not be blank, a text is required")));
        }
        self.trimmed().unwrap_or_default()
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        let flag = self.value().and_then(Value::as_bool);
        if flag.is_none() {
            self.mismatch("true or false");
        }
        flag
    }

    /// A whole number within a range.
    pub(crate) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let number = self.value().and_then(whole);
        match number {
            None => self.mismatch("a whole number"),
            Some(number) if !range.contains(&number) => self.wrong(
                Stage::Shape,
                format!("must be between {} and {}, found {number}", range.start(), range.end()),
            ),
            Some(number) => return Some(number),
        }
        None
    }

    /// The elements of a list; an absent list has none.
    pub(crate) fn items(&self) -> Vec<Node<'a>> {
        let Some(items) = self.value().and_then(Value::as_array) else {
            self.mismatch("a list");
            return Vec::new();
        };
        let at = |(index, value)| Node {
            path: format!("{}[{index}]", self.path),
            raw: Some(value),
            report: self.report,
        };
        items.iter().enumerate().map(at).collect()
    }

    /// The elements of a list that must be objects; others are reported and left out.
    pub(crate) fn objects(&self) -> Vec<Node<'a>> {
        let mut items = self.items();
        items.retain(|item| item.required_object().is_some());
        items
    }

    /// A list of strings without repetitions, in the order written; blank elements are reported.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for item in self.items() {
            let text = item.required_text();
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// A value of a closed enumeration in any spelling; an unknown one is reported, never defaulted.
    pub(crate) fn token<T: Token>(&self) -> Option<T> {
        let text = self.text()?;
        let token = T::parse(&text);
        if token.is_none() {
            let labels = T::LABELS.join(", ");
            self.wrong(
                Stage::Shape,
                format!("has the unknown value {}, expected one of {labels}", quote(&text)),
            );
        }
        token
    }

    /// A set of enumeration values.
    pub(crate) fn tokens<T: Token + PartialEq>(&self) -> Vec<T> {
        let mut tokens: Vec<T> = Vec::new();
        for item in self.items() {
            if item.is_absent() {
                item.wrong(Stage::Shape, "must not be null");
            }
            tokens.extend(item.token::<T>().filter(|token| !tokens.contains(token)));
        }
        tokens
    }

    /// A free object, or a string that holds one as JSON text.
    pub(crate) fn settings(&self) -> Option<Settings> {
        let Some(Value::String(text)) = self.value() else {
            return self.object().cloned();
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(settings)) => Some(settings),
            Ok(other) => {
                self.report.add(
                    Stage::Shape,
                    Violation::new(
                        self.path.clone(),
                        "data.invalid",
                        format!("{} must hold a JSON object, found text with {}", self.name(), kind(&other)),
                    ),
                );
                None
            }
            Err(error) => {
                self.report.add(
                    Stage::Shape,
                    Violation::new(
                        self.path.clone(),
                        "data.invalid",
                        format!("{} must be an object or text that holds one as JSON: {error}", self.name()),
                    ),
                );
                None
            }
        }
    }
}

/// Appends a member name to a path.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A whole number, also when it was written with a fraction of zero.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    /// Doubles are exact up to here.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = || value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() <= EXACT_MAX).map(|f| f as i64);
    value.as_i64().or_else(float)
}

/// What kind of value was found, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Longest value that a violation repeats, characters.
const REPEATED_MAX_CHARS: usize = 100;

/// A text in quotes, cut when it is long.
pub(crate) fn quote(text: &str) -> String {
    let mut cut: String = text.chars().take(REPEATED_MAX_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

/// The value itself when it is short enough to be repeated.
fn short_value(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) if text.len() <= REPEATED_MAX_CHARS => Some(value.clone()),
        Value::Array(items) if items.is_empty() => Some(value.clone()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
