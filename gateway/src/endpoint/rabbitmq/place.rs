//! Where one exchange of messages goes: exchange and routing key, from the settings or from the call's attributes, and
//! the queue of a client identifier.

use crate::endpoint::Attributes;
use crate::failure::{Failure, key};
use definition::connector::rabbitmq::{Exchange, NAME_MAX_BYTES, Route};
use http::StatusCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const EXCHANGE: &str = "rabbitmq.exchange";
const ROUTING_KEY: &str = "rabbitmq.routingKey";
/// Every queue of a gateway begins like this, so that a policy of the broker can be about them.
pub(super) const QUEUE_PREFIX: &str = "gravitee/gio-gateway/";
/// Hexadecimal digits that tell the bindings of one client identifier apart.
const BINDING_DIGITS: usize = 12;

/// An exchange and a routing key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) exchange: Exchange,
    /// An attribute named the exchange: one that exists is used as it is.
    pub(super) named_by_call: bool,
    pub(super) routing_key: String,
}

impl Place {
    /// The settings, with what the call's attributes put in their place.
    ///
    /// # Errors
    /// 400 for an attribute that cannot be a name.
    pub(super) fn of(route: &Route, attributes: &Attributes) -> Result<Place, Failure> {
        let mut exchange = route.exchange.clone();
        let named = attribute(attributes, EXCHANGE)?;
        let named_by_call = named.as_ref().is_some_and(|named| *named != exchange.name);
        if let Some(named) = named {
            exchange.name = named;
        }
        let routing_key = attribute(attributes, ROUTING_KEY)?.unwrap_or_else(|| route.routing_key.clone());
        Ok(Place { exchange, named_by_call, routing_key })
    }

    /// The durable queue in which messages wait for a client identifier.
    ///
    /// The identifier alone would make one queue of everything that it reads anywhere, so what the queue is bound to
    /// is part of the name.
    pub(super) fn queue(&self, client_identifier: &str) -> String {
        let bound = format!("{}\0{}", self.exchange.name, self.routing_key);
        let binding = &hex(bound.as_bytes())[..BINDING_DIGITS];
        let name = format!("{QUEUE_PREFIX}{client_identifier}/{binding}");
        if name.len() <= NAME_MAX_BYTES {
            return name;
        }
        format!("{QUEUE_PREFIX}{}/{binding}", hex(client_identifier.as_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text that is not blank; numbers and the like in their usual form.
fn attribute(attributes: &Attributes, name: &str) -> Result<Option<String>, Failure> {
    let text = match attributes.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            value.to_string()
        }
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    if text.len() > NAME_MAX_BYTES || text.chars().any(char::is_control) {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            key::UNKNOWN_ERROR,
            format!(
                "the attribute {name} must have at most {NAME_MAX_BYTES} bytes and no control characters"
            ),
        ));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use definition::connector::rabbitmq::ExchangeType;
    use serde_json::json;
    use std::sync::Arc;

    fn place(attributes: Value) -> Result<Place, Failure> {
        let exchange =
            Exchange { name: "orders".into(), kind: ExchangeType::Topic, durable: true, auto_delete: false };
        let attributes = Arc::new(serde_json::from_value(attributes).expect("an object"));
        Place::of(&Route { exchange, routing_key: "orders.#".into() }, &attributes)
    }

    #[test]
    fn attributes_take_the_place_of_settings() {
        let check = |attributes, exchange: &str, named_by_call, routing_key: &str| {
            let place = place(attributes).expect("valid");
            let found = (place.exchange.name.as_str(), place.named_by_call, place.routing_key.as_str());
            assert_eq!(found, (exchange, named_by_call, routing_key));
        };
        check(json!({}), "orders", false, "orders.#");
        check(json!({"rabbitmq.exchange": " ", "rabbitmq.routingKey": null}), "orders", false, "orders.#");
        check(json!({"rabbitmq.exchange": "orders"}), "orders", false, "orders.#");
        check(json!({"rabbitmq.exchange": "other", "rabbitmq.routingKey": 7}), "other", true, "7");
        let refused = place(json!({"rabbitmq.routingKey": "k".repeat(256)})).expect_err("too long");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.message.contains("rabbitmq.routingKey"), "{refused}");
    }

    #[test]
    fn a_queue_belongs_to_one_identifier_and_one_binding() {
        let orders = place(json!({})).expect("valid");
        let name = orders.queue("me");
        assert!(name.starts_with("gravitee/gio-gateway/me/"), "{name}");
        assert_eq!(name, orders.queue("me"), "the same on every gateway");
        for attributes in [json!({"rabbitmq.exchange": "x"}), json!({"rabbitmq.routingKey": "x"})] {
            assert_ne!(name, place(attributes).expect("valid").queue("me"));
        }
        let long = orders.queue(&"x".repeat(1_000));
        assert!(long.len() <= NAME_MAX_BYTES && long.starts_with(QUEUE_PREFIX), "{long}");
        assert_ne!(long, orders.queue(&"x".repeat(1_001)));
    }
}
