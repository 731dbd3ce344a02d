//! Context attributes: what policies leave for each other, for expressions and for connectors.
//!
//! Authors may write the long form of a name (`gravitee.attribute.x`); it names the same attribute as the short one.

use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Prefix of the long form.
const PREFIX: &str = "gravitee.attribute.";

/// Attributes by their short names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(Arc<HashMap<String, Value>>);

impl Attributes {
    /// The value of an attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(short(name))
    }

    /// The value of an attribute that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        Arc::make_mut(&mut self.0).insert(short(name).to_owned(), value.into());
    }

    /// Takes an attribute away.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.0.contains_key(short(name)) {
            Arc::make_mut(&mut self.0).remove(short(name));
        }
    }

    /// All of them, shared.
    pub(crate) fn shared(&self) -> Arc<HashMap<String, Value>> {
        Arc::clone(&self.0)
    }
}

/// The short form of a name.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_are_one_attribute() {
        let mut attributes = Attributes::default();
        attributes.set("gravitee.attribute.kafka.topics", "a");
        let earlier = attributes.shared();
        assert_eq!(attributes.text("kafka.topics"), Some("a"));
        attributes.set("kafka.topics", "b");
        assert_eq!(attributes.text("gravitee.attribute.kafka.topics"), Some("b"));
        assert_eq!(earlier["kafka.topics"], "a", "what was handed out does not change");
        attributes.remove("gravitee.attribute.kafka.topics");
        assert_eq!(attributes.get("kafka.topics"), None);
    }
}
