//! Which qualities of service fit together: one matrix, used when an API is saved and again per connection.
//!
//! The matrix names every connector of the field from the start, also those that this build does not run yet.
//! Documents of the 4.x family see the advanced column for `kafka` and may keep `auto` everywhere.

use crate::api::{Api, Dlq, EndpointGroup, Entrypoint, Family, Listener, Qos};
use crate::token::tokens;

tokens! {
    /// Rows of the matrix.
    pub enum EntrypointKind {
        Sse = "sse" | "sse-advanced",
        HttpPost = "http-post",
        HttpGet = "http-get",
        WebSocket = "websocket",
        Webhook = "webhook" | "webhook-advanced",
    }
}

tokens! {
    /// Columns of the matrix.
    pub enum EndpointKind {
        Mqtt5 = "mqtt5" | "mqtt5-advanced",
        Kafka = "kafka",
        KafkaAdvanced = "kafka-advanced",
        RabbitMq = "rabbitmq",
        Solace = "solace",
        Mock = "mock",
    }
}

tokens! {
    /// What an endpoint must be able to do so that an entrypoint can keep its promise.
    pub enum Capability { AutoAck = "auto-ack", ManualAck = "manual-ack", Recover = "recover" }
}

/// The levels that an entrypoint may have over an endpoint, in the order of preference of an absent `qos`.
pub fn cell(entrypoint: EntrypointKind, endpoint: EndpointKind) -> &'static [Qos] {
    use EndpointKind as P;
    use EntrypointKind as E;
    use Qos::{AtLeastOnce as L, AtMostOnce as M, Auto as A, None as N};
    match (entrypoint, endpoint) {
        (E::Sse, P::Mqtt5) => &[L, M],
        (E::Sse, P::Kafka | P::RabbitMq | P::Solace) => &[A, N],
        (E::Sse, P::KafkaAdvanced | P::Mock) => &[A, L, M, N],
        (E::HttpPost, P::Mqtt5 | P::Kafka | P::KafkaAdvanced | P::RabbitMq | P::Solace | P::Mock) => &[A, N],
        (E::HttpGet, P::Mqtt5 | P::Kafka | P::RabbitMq | P::Solace) => &[A],
        (E::HttpGet, P::KafkaAdvanced | P::Mock) => &[A, L, M],
        (E::WebSocket, P::Mqtt5 | P::Kafka | P::KafkaAdvanced | P::RabbitMq | P::Solace | P::Mock) => &[A, N],
        (E::Webhook, P::Mqtt5) => &[L, M],
        (E::Webhook, P::Kafka) => &[A, N],
        (E::Webhook, P::KafkaAdvanced | P::RabbitMq | P::Solace | P::Mock) => &[A, L, M, N],
    }
}

/// The levels that a document of a family may use, most wanted first.
pub fn allowed(family: Family, entrypoint: EntrypointKind, endpoint: EndpointKind) -> Vec<Qos> {
    let endpoint = column(family, endpoint);
    let mut levels = cell(entrypoint, endpoint).to_vec();
    if family == Family::V4 && !levels.contains(&Qos::Auto) {
        levels.insert(0, Qos::Auto);
    }
    levels
}

fn column(family: Family, endpoint: EndpointKind) -> EndpointKind {
    match (family, endpoint) {
        (Family::V4, EndpointKind::Kafka) => EndpointKind::KafkaAdvanced,
        (Family::Beta | Family::V4, endpoint) => endpoint,
    }
}

/// What an entrypoint at a level needs from an endpoint.
pub fn requirement(entrypoint: EntrypointKind, qos: Qos) -> &'static [Capability] {
    use EntrypointKind as E;
    match (entrypoint, qos) {
        (E::HttpGet, Qos::AtMostOnce | Qos::AtLeastOnce) => &[Capability::Recover],
        (E::Sse | E::WebSocket, Qos::Auto) => &[Capability::AutoAck],
        (E::Sse | E::Webhook, Qos::AtMostOnce | Qos::AtLeastOnce) => &[Capability::ManualAck],
        (E::HttpGet | E::HttpPost | E::Webhook, Qos::None | Qos::Auto)
        | (E::Sse | E::WebSocket, Qos::None)
        | (E::HttpPost | E::WebSocket, Qos::AtMostOnce | Qos::AtLeastOnce) => &[],
    }
}

/// What an endpoint can do for documents of a family.
pub fn capabilities(family: Family, endpoint: EndpointKind) -> &'static [Capability] {
    use Capability::{AutoAck, ManualAck, Recover};
    match column(family, endpoint) {
        EndpointKind::Kafka => &[AutoAck],
        EndpointKind::KafkaAdvanced | EndpointKind::Mock => &[AutoAck, ManualAck, Recover],
        EndpointKind::Mqtt5 | EndpointKind::RabbitMq | EndpointKind::Solace => &[AutoAck, ManualAck],
    }
}

/// Why a connection between an entrypoint and an endpoint is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The level is not in the cell (`INCOMPATIBLE_QOS`).
    #[error("Incompatible Qos between entrypoint and endpoint")]
    Level,
    /// The endpoint lacks a capability (`INCOMPATIBLE_QOS_CAPABILITIES`).
    #[error("Incompatible Qos capabilities between entrypoint requirements and endpoint supports")]
    Capabilities,
}

/// The check of one connection. `resuming`: the client asked to go on after a message (`Last-Event-ID`, `cursor`),
/// which only endpoints that recover can do at the acknowledged levels.
pub fn check_connection(
    family: Family,
    entrypoint: EntrypointKind,
    endpoint: EndpointKind,
    qos: Qos,
    resuming: bool,
) -> Result<(), Mismatch> {
    if !allowed(family, entrypoint, endpoint).contains(&qos) {
        return Err(Mismatch::Level);
    }
    let offered = capabilities(family, endpoint);
    let acknowledged = matches!(qos, Qos::AtMostOnce | Qos::AtLeastOnce);
    let recovers = offered.contains(&Capability::Recover);
    let met = requirement(entrypoint, qos).iter().all(|needed| offered.contains(needed));
    if met && (recovers || !(resuming && acknowledged)) { Ok(()) } else { Err(Mismatch::Capabilities) }
}

/// Every level that some endpoint allows an entrypoint; the beta's column is the narrow one and adds nothing.
pub fn entrypoint_levels(entrypoint: EntrypointKind) -> Vec<Qos> {
    let offered =
        |qos: &Qos| EndpointKind::ALL.iter().any(|endpoint| cell(entrypoint, *endpoint).contains(qos));
    Qos::ALL.iter().copied().filter(offered).collect()
}

/// Every level that an endpoint allows some entrypoint.
pub fn endpoint_levels(endpoint: EndpointKind) -> Vec<Qos> {
    let offered =
        |qos: &Qos| EntrypointKind::ALL.iter().any(|entrypoint| cell(*entrypoint, endpoint).contains(qos));
    Qos::ALL.iter().copied().filter(offered).collect()
}

/// An endpoint group that an entrypoint can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub group: String,
    /// Connector id of the group.
    pub connector: String,
    pub kind: EndpointKind,
}

/// The groups that entrypoints deliver from and to. A group that is only a dead-letter target is not among them.
pub fn delivering<'a>(listeners: &[Listener], groups: &'a [EndpointGroup]) -> Vec<&'a EndpointGroup> {
    let entrypoints = || listeners.iter().flat_map(|listener| &listener.entrypoints);
    let targets: Vec<&str> = entrypoints()
        .filter_map(|e: &Entrypoint| e.dlq.as_ref())
        .map(|dlq: &Dlq| dlq.endpoint.as_str())
        .collect();
    let only_dead_letters = |group: &&EndpointGroup| {
        let all_targets = !group.endpoints.is_empty()
            && group.endpoints.iter().all(|endpoint| targets.contains(&endpoint.name.as_str()));
        targets.contains(&group.name.as_str()) || all_targets
    };
    let delivering: Vec<_> = groups.iter().filter(|group| !only_dead_letters(group)).collect();
    // With one group for everything, naming it as the target does not make it unreachable.
    if delivering.is_empty() { groups.iter().collect() } else { delivering }
}

/// The same groups, as the matrix sees them.
pub fn reached(api: &Api) -> Vec<Reached> {
    let reach = |group: &EndpointGroup| {
        let kind = EndpointKind::parse(&group.connector)?;
        Some(Reached { group: group.name.clone(), connector: group.connector.clone(), kind })
    };
    delivering(&api.listeners, &api.endpoint_groups).into_iter().filter_map(reach).collect()
}

/// The level of an entrypoint whose author named none: the first of auto, at-least-once, at-most-once, none that
/// every group allows. `None`: there is no such level.
pub fn resolve(family: Family, entrypoint: EntrypointKind, reached: &[Reached]) -> Option<Qos> {
    [Qos::Auto, Qos::AtLeastOnce, Qos::AtMostOnce, Qos::None]
        .into_iter()
        .find(|qos| reached.iter().all(|group| allowed(family, entrypoint, group.kind).contains(qos)))
}

#[cfg(test)]
mod tests;
