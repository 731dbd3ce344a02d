//! `value.name` and `value[index]`.

use super::convert;
use super::document;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::method;
use super::roots::{Bean, Entries, Pairs};
use super::value::{Members, Value};
use super::xml;
use std::borrow::Cow;
use std::sync::Arc;

/// Names with their values.
pub(super) type Groups = Vec<(Arc<str>, Vec<Value>)>;

/// Documents of one evaluation that stay parsed.
const DOCUMENTS_MAX: usize = 8;

/// A member of a map or object, or what a getter of that name says.
pub(super) fn property(
    evaluator: &mut Evaluator<'_>,
    target: &Value,
    name: &str,
) -> Result<Value, EvaluationError> {
    match target {
        Value::Null => Err(EvaluationError::new(format!("null has no property `{name}`"))),
        Value::Map(members) => Ok(members.get(name).cloned().unwrap_or_default()),
        Value::Pairs(pairs) => Ok(evaluator.values(pairs, name)),
        Value::Entries(entries) => Ok(evaluator.entry(*entries, name)?),
        Value::Bean(bean) => evaluator.member(*bean, name),
        Value::List(items) if name == "length" => Ok(Value::from(items.len())),
        other => method::getter(evaluator, other, name),
    }
}

/// An element of a list or text by its place, a member of anything else by its name.
pub(super) fn index(
    evaluator: &mut Evaluator<'_>,
    target: &Value,
    index: &Value,
) -> Result<Value, EvaluationError> {
    match target {
        Value::Null => Err(EvaluationError::new("null has no elements")),
        Value::List(items) => {
            let place = place(index)?;
            items.get(place).cloned().ok_or_else(|| out_of_range(place, items.len()))
        }
        Value::Text(text) => {
            let place = place(index)?;
            evaluator.budget.spend_bytes(place)?;
            let found = text.chars().nth(place).map(|c| Value::text(c.to_string()));
            found.ok_or_else(|| out_of_range(place, text.chars().count()))
        }
        Value::Map(_) | Value::Pairs(_) | Value::Entries(_) | Value::Bean(_) => {
            let key = evaluator.key(index)?;
            property(evaluator, target, &key)
        }
        other => Err(EvaluationError::new(format!("{} has no elements", other.kind()))),
    }
}

fn place(index: &Value) -> Result<usize, EvaluationError> {
    let place = convert::integer(index)?.and_then(|place| usize::try_from(place).ok());
    place.ok_or_else(|| EvaluationError::new("the place of an element is a number from 0"))
}

fn out_of_range(place: usize, length: usize) -> EvaluationError {
    EvaluationError::new(format!("there is no element {place} in {length}"))
}

impl Evaluator<'_> {
    /// The name that a value is as a key. A list means its first element, as one does with headers.
    pub(super) fn key(&mut self, value: &Value) -> Result<Arc<str>, EvaluationError> {
        let value = match value {
            Value::List(items) => items.first().cloned().unwrap_or_default(),
            other => other.clone(),
        };
        match value {
            Value::Text(text) => Ok(text),
            Value::Null => Err(EvaluationError::new("null is not a key")),
            other => convert::text(&other, self).map(Into::into),
        }
    }

    /// Every value of a name as a list, null when there is none.
    pub(super) fn values(&self, pairs: &Pairs, name: &str) -> Value {
        let values = match pairs {
            Pairs::Owned(owned) => {
                let named = owned.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
                named.map(|(_, value)| Value::text(value.as_str())).collect()
            }
            pairs => self.roots.pair(pairs, name),
        };
        if values.is_empty() { Value::Null } else { Value::list(values) }
    }

    /// Names with their values; the first spelling of a header's name counts.
    pub(super) fn grouped(&mut self, pairs: &Pairs) -> Result<Groups, EvaluationError> {
        let all: Vec<(Cow<'_, str>, Cow<'_, str>)> = match pairs {
            Pairs::Owned(owned) => owned.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            pairs => self.roots.pairs(pairs),
        };
        self.budget.spend_list(all.len())?;
        let mut groups: indexmap::IndexMap<String, (Arc<str>, Vec<Value>)> = indexmap::IndexMap::new();
        for (name, value) in all {
            let known = if pairs.are_headers() { name.to_ascii_lowercase() } else { name.to_string() };
            let group = groups.entry(known).or_insert_with(|| (name.as_ref().into(), Vec::new()));
            group.1.push(Value::text(value));
        }
        Ok(groups.into_values().collect())
    }

    /// All members of a map-like value, read.
    pub(super) fn members(&mut self, value: &Value) -> Result<Arc<Members>, EvaluationError> {
        match value {
            Value::Map(members) => Ok(Arc::clone(members)),
            Value::Pairs(pairs) => {
                let groups = self.grouped(pairs)?;
                Ok(Arc::new(groups.into_iter().map(|(name, values)| (name, Value::list(values))).collect()))
            }
            Value::Entries(entries) => {
                let all = self.roots.entries(*entries);
                self.budget.spend_list(all.len())?;
                let names: Vec<Arc<str>> = all.iter().map(|(name, _)| name.as_ref().into()).collect();
                let mut members = Members::with_capacity(names.len());
                for (name, (_, value)) in names.into_iter().zip(all) {
                    // Properties name each other; only the read value is of use.
                    let value =
                        if *entries == Entries::Properties { self.entry(*entries, &name)? } else { value };
                    members.insert(name, value);
                }
                Ok(Arc::new(members))
            }
            other => Err(EvaluationError::new(format!("{} has no members", other.kind()))),
        }
    }

    /// A member of a root object.
    fn member(&mut self, bean: Bean, name: &str) -> Result<Value, EvaluationError> {
        let has_content = matches!(bean, Bean::Request | Bean::Response | Bean::Message);
        match name {
            "content" if has_content => return Ok(self.content(bean)),
            "contentLength" if bean == Bean::Message => {
                return Ok(Value::from(self.roots.content(bean).map_or(0, <[u8]>::len)));
            }
            "jsonContent" if has_content => return Ok(self.json_content(bean)),
            "xmlContent" if has_content => {
                let text = self.content(bean);
                let Value::Text(text) = text else { return Ok(Value::map::<&str>([])) };
                return Ok(xml::read(&text).unwrap_or_else(|_| Value::map::<&str>([])));
            }
            _ => {}
        }
        self.roots
            .member(bean, name)
            .ok_or_else(|| EvaluationError::new(format!("the object has no property `{name}`")))
    }

    /// The body as a text.
    fn content(&mut self, bean: Bean) -> Value {
        if let Some((_, content)) = self.contents.iter().find(|(of, _)| *of == bean) {
            return content.clone();
        }
        let content = self.roots.content(bean).map(|bytes| Value::text(String::from_utf8_lossy(bytes)));
        let content = content.unwrap_or_default();
        self.contents.push((bean, content.clone()));
        content
    }

    /// The body as members; whatever is not a JSON object has none.
    fn json_content(&mut self, bean: Bean) -> Value {
        let Value::Text(text) = self.content(bean) else { return Value::map::<&str>([]) };
        match self.parsed(&text) {
            Ok(document @ Value::Map(_)) => document,
            _ => Value::map::<&str>([]),
        }
    }

    /// Whether a text was parsed in this evaluation.
    pub(super) fn is_parsed(&self, text: &Arc<str>) -> bool {
        self.documents.iter().any(|(known, _)| Arc::ptr_eq(known, text))
    }

    /// A text as JSON, parsed at most once per evaluation.
    pub(super) fn parsed(&mut self, text: &Arc<str>) -> Result<Value, EvaluationError> {
        if let Some((_, document)) = self.documents.iter().find(|(known, _)| Arc::ptr_eq(known, text)) {
            return Ok(document.clone());
        }
        self.budget.spend_bytes(text.len())?;
        let document = document::parse(text)?;
        if self.documents.len() < DOCUMENTS_MAX {
            self.documents.push((Arc::clone(text), document.clone()));
        }
        Ok(document)
    }

    fn entry(&mut self, entries: Entries, key: &str) -> Result<Value, EvaluationError> {
        let value = self.roots.entry(entries, key).unwrap_or_default();
        match value {
            Value::Text(text) if entries == Entries::Properties => self.resolved(&text, 0).map(Value::text),
            value => Ok(value),
        }
    }

    /// A property's value with the other properties that it names as `{{name}}`.
    fn resolved(&mut self, text: &str, depth: usize) -> Result<String, EvaluationError> {
        const PROPERTY_MAX_DEPTH: usize = 16;
        if depth > PROPERTY_MAX_DEPTH {
            return Err(EvaluationError::new("the properties of the API name each other in a circle"));
        }
        self.budget.spend_text(text.len())?;
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, after)) = behind.split_once("}}") else { break };
            resolved.push_str(before);
            let Some(Value::Text(value)) = self.roots.entry(Entries::Properties, name.trim()) else {
                return Err(EvaluationError::new(
                    "a property of the API names another one that does not exist",
                ));
            };
            resolved.push_str(&self.resolved(&value, depth + 1)?);
            self.budget.spend_text(resolved.len())?;
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }
}
