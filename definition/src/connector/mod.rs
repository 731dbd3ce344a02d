//! Connectors: what each one is, and the one list per side that names them all.
//!
//! A connector is one file with its settings struct (source of schema, defaults and parser) and its `SPEC`, plus one
//! line in `ENTRYPOINTS` or `ENDPOINTS`. An id that only stands in a `KNOWN_…` list is refused at save as not
//! available; an id that stands nowhere does not exist.

use crate::api::{ApiType, ListenerType, Settings};
use crate::qos::{EndpointKind, EntrypointKind};
use crate::token::tokens;
use crate::violation::Violation;

pub mod http_get;
pub mod http_post;
pub mod http_proxy;
pub mod kafka;
pub mod mock;
pub mod mqtt5;
pub mod rabbitmq;
pub mod settings;
pub mod solace;
pub mod sse;
pub mod ssl;
mod titles;
pub mod webhook;
pub mod websocket;

use settings::SettingsSchema;

tokens! {
    /// Directions that a connector serves.
    pub enum Mode { Publish = "publish", Subscribe = "subscribe", RequestResponse = "request_response", Socket = "socket" }
}

tokens! {
    /// What a connector can do beyond its directions.
    pub enum Feature { Limit = "limit", Resume = "resume", Dlq = "dlq" }
}

/// An entrypoint connector of this build.
#[derive(Debug)]
pub struct EntrypointSpec {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub api_type: ApiType,
    pub listener: ListenerType,
    pub modes: &'static [Mode],
    pub features: &'static [Feature],
    /// Row of the quality matrix; `None`: the matrix is about messages, and this connector has none.
    pub kind: Option<EntrypointKind>,
    /// Schema of `configuration`.
    pub schema: fn() -> &'static SettingsSchema,
    /// Every fault of complete settings, with paths relative to them.
    pub check: fn(&Settings) -> Vec<Violation>,
    /// Schema of what each subscription configures; `None`: it is for callers, who configure nothing.
    pub subscription_schema: Option<fn() -> &'static SettingsSchema>,
}

/// An endpoint connector of this build.
#[derive(Debug)]
pub struct EndpointSpec {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub api_type: ApiType,
    pub modes: &'static [Mode],
    pub features: &'static [Feature],
    /// Column of the quality matrix; `None`: the matrix is about messages, and this connector has none.
    pub kind: Option<EndpointKind>,
    /// Schema of `configuration` and of the shared part.
    pub schema: fn() -> &'static SettingsSchema,
    /// Every fault of effective settings, with paths relative to them.
    pub check: fn(&Settings) -> Vec<Violation>,
    /// Those of `modes` that effective settings switch on; all of them for settings that have faults.
    pub enabled: fn(&Settings) -> Vec<Mode>,
}

/// Every entrypoint that this build runs.
pub static ENTRYPOINTS: &[&EntrypointSpec] = &[
    &http_get::SPEC,
    &http_post::SPEC,
    &http_proxy::ENTRYPOINT,
    &sse::SPEC,
    &sse::ADVANCED,
    &webhook::SPEC,
    &webhook::ADVANCED,
    &websocket::SPEC,
];

/// Every endpoint that this build runs.
pub static ENDPOINTS: &[&EndpointSpec] = &[
    &http_proxy::ENDPOINT,
    &kafka::SPEC,
    &kafka::ADVANCED,
    &mock::SPEC,
    &mqtt5::SPEC,
    &mqtt5::ADVANCED,
    &rabbitmq::SPEC,
    &solace::SPEC,
];

/// Entrypoints of the field that this build does not run.
pub static KNOWN_ENTRYPOINTS: &[(&str, ApiType)] = &[("tcp-proxy", ApiType::Proxy)];

/// Endpoints of the field that this build does not run.
pub static KNOWN_ENDPOINTS: &[(&str, ApiType)] = &[
    ("jms", ApiType::Message),
    ("asb", ApiType::Message),
    ("azure-service-bus", ApiType::Message),
    ("tcp-proxy", ApiType::Proxy),
];

/// What a connector id means.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<T: 'static> {
    Available(&'static T),
    /// Exists in the field, not in this build.
    Unavailable,
    Unknown,
}

impl<T> Lookup<T> {
    /// The specification, when this build runs the connector.
    pub fn available(self) -> Option<&'static T> {
        match self {
            Lookup::Available(spec) => Some(spec),
            Lookup::Unavailable | Lookup::Unknown => None,
        }
    }
}

/// Looks an entrypoint id up.
pub fn entrypoint(id: &str) -> Lookup<EntrypointSpec> {
    match ENTRYPOINTS.iter().find(|spec| spec.id == id) {
        Some(spec) => Lookup::Available(spec),
        None if KNOWN_ENTRYPOINTS.iter().any(|(known, _)| *known == id) => Lookup::Unavailable,
        None => Lookup::Unknown,
    }
}

/// Looks an endpoint id up.
pub fn endpoint(id: &str) -> Lookup<EndpointSpec> {
    match ENDPOINTS.iter().find(|spec| spec.id == id) {
        Some(spec) => Lookup::Available(spec),
        None if KNOWN_ENDPOINTS.iter().any(|(known, _)| *known == id) => Lookup::Unavailable,
        None => Lookup::Unknown,
    }
}

/// Whether an id names an entrypoint of message APIs, in this build or elsewhere.
pub fn is_message_entrypoint(id: &str) -> bool {
    let here = ENTRYPOINTS.iter().map(|spec| (spec.id, spec.api_type));
    here.chain(KNOWN_ENTRYPOINTS.iter().copied())
        .any(|(known, api_type)| known == id && api_type == ApiType::Message)
}

/// Fails when a member of a schema has no description, or a list holds secrets that nobody could tell apart.
#[cfg(test)]
pub(crate) fn described(place: &str, schema: &serde_json::Value) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        assert!(member["description"].is_string(), "{place}.{name} has no description");
        described(&format!("{place}.{name}"), member);
        let items = &member["items"];
        described(&format!("{place}.{name}[]"), items);
        let told_apart = !crate::secrets::holds_secrets(items) || crate::secrets::identity(items).is_some();
        assert!(told_apart, "items with secrets have no member that tells them apart: {place}.{name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_available_or_known_and_never_both() {
        for spec in ENTRYPOINTS {
            assert!(!KNOWN_ENTRYPOINTS.iter().any(|(id, _)| *id == spec.id), "{}", spec.id);
        }
        for spec in ENDPOINTS {
            assert!(!KNOWN_ENDPOINTS.iter().any(|(id, _)| *id == spec.id), "{}", spec.id);
        }
    }

    #[test]
    fn an_id_names_the_row_or_column_of_its_connector() {
        for spec in ENTRYPOINTS {
            assert_eq!(EntrypointKind::parse(spec.id), spec.kind, "{}", spec.id);
        }
        for spec in ENDPOINTS {
            assert_eq!(EndpointKind::parse(spec.id), spec.kind, "{}", spec.id);
        }
    }

    #[test]
    fn absent_settings_have_the_defaults_of_the_field() {
        let none = Settings::new();
        let get = http_get::HttpGet::parse(&none).unwrap();
        assert_eq!((get.messages_limit_count, get.messages_limit_duration_ms), (500, 5000));
        assert_eq!(get.limit_duration(), Some(std::time::Duration::from_secs(5)));
        assert!(!http_post::HttpPost::parse(&none).unwrap().request_headers_to_message);
        assert_eq!(sse::Sse::parse(&none).unwrap().heartbeat_interval_in_ms, 5000);
        let socket = websocket::WebSocket::parse(&none).unwrap();
        assert!(socket.publisher.enabled && socket.subscriber.enabled);
        let mock = mock::Mock::parse(&none).unwrap();
        assert_eq!((mock.message_interval, mock.message_content.as_str()), (1000, "mock message"));
        assert_eq!(mock.message_count, None);
    }

    #[test]
    fn every_schema_describes_its_members_and_hides_no_secret_in_a_list() {
        for spec in ENTRYPOINTS {
            described(spec.id, (spec.schema)().document());
        }
        for spec in ENDPOINTS {
            described(spec.id, (spec.schema)().document());
        }
    }
}
