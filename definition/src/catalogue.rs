//! What this build offers, as data for the catalogue routes. Everything comes from the connectors' specifications and
//! from the quality matrix, so the catalogue cannot promise what a save would refuse.

use crate::api::Qos;
use crate::connector::{ENDPOINTS, ENTRYPOINTS, EndpointSpec, EntrypointSpec, Feature, Mode};
use crate::qos;
use serde::Serialize;
use serde_json::Value;

/// One connector.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// The beta's word: `async` or `sync`.
    pub supported_api_type: &'static str,
    pub supported_modes: &'static [Mode],
    pub supported_qos: Vec<Qos>,
    pub available_features: &'static [Feature],
    /// JSON Schema, draft 7, of the settings.
    pub schema: &'static Value,
    /// The same of what each subscription configures; `None`: nothing.
    pub subscription_schema: Option<&'static Value>,
}

/// Every connector, sorted by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    pub entrypoints: Vec<Connector>,
    pub endpoints: Vec<Connector>,
}

/// The catalogue of this build.
pub fn catalogue() -> Catalogue {
    let mut entrypoints: Vec<Connector> = ENTRYPOINTS.iter().map(|spec| of_entrypoint(spec)).collect();
    let mut endpoints: Vec<Connector> = ENDPOINTS.iter().map(|spec| of_endpoint(spec)).collect();
    entrypoints.sort_by_key(|connector| connector.name);
    endpoints.sort_by_key(|connector| connector.name);
    Catalogue { entrypoints, endpoints }
}

fn of_entrypoint(spec: &EntrypointSpec) -> Connector {
    Connector {
        id: spec.id,
        name: spec.name,
        description: spec.description,
        supported_api_type: spec.api_type.beta_label(),
        supported_modes: spec.modes,
        supported_qos: spec.kind.map(qos::entrypoint_levels).unwrap_or_default(),
        available_features: spec.features,
        schema: (spec.schema)().document(),
        subscription_schema: spec.subscription_schema.map(|schema| schema().document()),
    }
}

fn of_endpoint(spec: &EndpointSpec) -> Connector {
    Connector {
        id: spec.id,
        name: spec.name,
        description: spec.description,
        supported_api_type: spec.api_type.beta_label(),
        supported_modes: spec.modes,
        supported_qos: spec.kind.map(qos::endpoint_levels).unwrap_or_default(),
        available_features: spec.features,
        schema: (spec.schema)().document(),
        subscription_schema: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connector_is_listed_by_name() {
        let catalogue = catalogue();
        let show = |connectors: &[Connector]| {
            let line = |c: &Connector| {
                let words = |values: &Value| values.to_string().replace(['"', '[', ']'], "");
                let modes = words(&serde_json::json!(c.supported_modes));
                let qos = words(&serde_json::json!(c.supported_qos));
                format!("{}: {modes}; {qos}", c.id)
            };
            connectors.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        pretty_assertions::assert_eq!(
            show(&catalogue.entrypoints),
            "http-get: subscribe; auto,at-most-once,at-least-once\n\
             http-post: publish; none,auto\n\
             http-proxy: request_response; \n\
             sse: subscribe; none,auto,at-most-once,at-least-once\n\
             sse-advanced: subscribe; none,auto,at-most-once,at-least-once\n\
             websocket: publish,subscribe; none,auto\n\
             webhook: subscribe; none,auto,at-most-once,at-least-once\n\
             webhook-advanced: subscribe; none,auto,at-most-once,at-least-once"
        );
        pretty_assertions::assert_eq!(
            show(&catalogue.endpoints),
            "http-proxy: request_response; \n\
             kafka: publish,subscribe; none,auto\n\
             kafka-advanced: publish,subscribe; none,auto,at-most-once,at-least-once\n\
             mqtt5: publish,subscribe; none,auto,at-most-once,at-least-once\n\
             mqtt5-advanced: publish,subscribe; none,auto,at-most-once,at-least-once\n\
             mock: publish,subscribe; none,auto,at-most-once,at-least-once\n\
             rabbitmq: publish,subscribe; none,auto,at-most-once,at-least-once\n\
             solace: publish,subscribe; none,auto,at-most-once,at-least-once"
        );
    }

    #[test]
    fn a_schema_is_plain_json_schema() {
        let catalogue = catalogue();
        let sse = catalogue.entrypoints.iter().find(|c| c.id == "sse").unwrap();
        let heartbeat = &sse.schema["properties"]["heartbeatIntervalInMs"];
        assert_eq!(heartbeat["type"], "integer");
        assert_eq!(heartbeat["minimum"], 2000);
        assert_eq!(heartbeat["default"], 5000);
        let kafka = catalogue.endpoints.iter().find(|c| c.id == "kafka").unwrap().schema;
        assert_eq!(kafka["required"], serde_json::json!(["bootstrapServers"]));
        let consumer = &kafka["properties"]["consumer"];
        assert_eq!(consumer["type"], "object");
        assert_eq!(
            consumer["properties"]["autoOffsetReset"]["enum"],
            serde_json::json!(["latest", "earliest", "none"])
        );
        let sasl = &kafka["properties"]["security"]["properties"]["sasl"]["properties"];
        assert_eq!(sasl["saslJaasConfig"]["x-secret"], true);
    }
}
