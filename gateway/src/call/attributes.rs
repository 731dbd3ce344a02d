//! Context attributes: what policies leave for each other, for expressions and for connectors.
//!
//! Authors may write the long form of a name (`gravitee.attribute.x`); it names the same attribute as the short one.

use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Prefix of the long form.
const PREFIX: &str = "gravitee.attribute.";

/// Attributes by their short names: those that calls share, and above them what was set for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    /// What every call of the same caller begins with; `None`: nothing.
    base: Option<Arc<HashMap<String, Value>>>,
    /// `None`: taken away.
    own: HashMap<String, Option<Value>>,
}

impl Attributes {
    /// The value of an attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let name = short(name);
        if !self.own.is_empty()
            && let Some(own) = self.own.get(name)
        {
            return own.as_ref();
        }
        self.base.as_ref()?.get(name)
    }

    /// The value of an attribute that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.own.insert(short(name).to_owned(), Some(value.into()));
    }

    /// Takes an attribute away.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            self.own.insert(short(name).to_owned(), None);
        }
    }

    /// The same ones, as what calls begin with: copies of it share them.
    pub(crate) fn into_base(self) -> Self {
        Attributes { base: Some(self.shared()), own: HashMap::new() }
    }

    /// All of them, shared.
    pub(crate) fn shared(&self) -> Arc<HashMap<String, Value>> {
        match &self.base {
            Some(base) if self.own.is_empty() => Arc::clone(base),
            base => {
                let mut all = base.as_deref().cloned().unwrap_or_default();
                for (name, value) in &self.own {
                    match value {
                        Some(value) => drop(all.insert(name.clone(), value.clone())),
                        None => drop(all.remove(name)),
                    }
                }
                Arc::new(all)
            }
        }
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
