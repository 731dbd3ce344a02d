//! Endpoint `solace`, over the open protocols of its brokers; the scheme of the URL says which one.
//!
//! Confirmed means what it means there: `accepted` over AMQP 1.0 (`amqp/publish.rs`), PUBACK over MQTT 5
//! (`endpoint/mqtt5`). Either way a client is answered when its subscription stands or cannot.

mod amqp;
mod mqtt;

use super::{Backend, FactoryError, Settings, Shared};
use crate::failure::{Failure, key};
use definition::connector::solace::{Protocol, Solace};
use http::StatusCode;
use std::sync::Arc;

/// Connections to Solace of one gateway; those over MQTT are among the ones of every MQTT broker.
#[derive(Default)]
pub struct Clients {
    amqp: Arc<amqp::Clients>,
}

/// Builds the endpoint. No connection is made.
///
/// # Errors
/// The first violation of the settings, or the store that cannot be used.
pub(crate) fn build(_name: &str, settings: &Settings, shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = Solace::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        let (path, message) =
            first.map_or_else(Default::default, |violation| (violation.path, violation.message));
        FactoryError { path, message }
    })?;
    Ok(Backend::Messages(match settings.server.protocol {
        Protocol::Amqp => Arc::new(amqp::AmqpEndpoint::new(settings, &shared.solace.amqp)?),
        Protocol::Mqtt => Arc::new(mqtt::MqttEndpoint::new(settings, &shared.mqtt)?),
    }))
}

/// Success would tell the client that the broker has what was thrown away.
fn no_producer() -> Failure {
    let text = "No endpoint available: the producer of this API's endpoint is not enabled";
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, text)
}
