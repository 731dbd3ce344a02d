//! RabbitMQ settings as authors write them: where the broker is in `configuration`, the rest in the shared part.

use super::ExchangeType;
use crate::connector::ssl::SslSettings;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of a RabbitMQ endpoint.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "RabbitMQ")]
pub(super) struct RabbitMqSettings {
    /// Host name or address of the broker.
    #[schemars(length(min = 1), extend("x-secret-address" = true))]
    pub(super) server_host: String,
    /// Port of the broker. Absent: 5672, with `security.ssl` 5671.
    #[schemars(range(min = 1, max = 65_535), extend("x-secret-address" = true))]
    pub(super) server_port: Option<u16>,
    /// Virtual host.
    #[serde(default = "root")]
    pub(super) virtual_host: String,
    /// Who connects, and how the connection is secured.
    pub(super) security: Option<SecuritySettings>,
    /// Reading from RabbitMQ.
    pub(super) consumer: Option<SideSettings>,
    /// Writing to RabbitMQ.
    pub(super) producer: Option<SideSettings>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySettings {
    /// Credentials.
    pub(super) auth: Option<AuthSettings>,
    /// TLS. Absent: the connection is not encrypted; an empty object: TLS with the public certificate authorities.
    pub(super) ssl: Option<SslSettings>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuthSettings {
    /// User.
    pub(super) username: Option<String>,
    /// Password.
    #[schemars(extend("x-secret" = true))]
    pub(super) password: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SideSettings {
    /// Whether this side is used.
    #[serde(default)]
    pub(super) enabled: bool,
    /// Exchange; it is declared, and has to be the same where it exists.
    pub(super) exchange: Option<ExchangeSettings>,
    /// Routing key: of the binding for the consumer (wildcards `*` and `#` at a topic exchange), of messages for the
    /// producer. Exchanges of the types fanout and headers need none.
    pub(super) routing_key: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExchangeSettings {
    /// Name.
    pub(super) name: Option<String>,
    /// Type.
    #[serde(rename = "type")]
    pub(super) kind: Option<ExchangeType>,
    /// Whether the exchange outlives a restart of the broker.
    #[serde(default = "yes")]
    pub(super) durable: bool,
    /// Whether the exchange goes when its last queue is unbound.
    #[serde(default)]
    pub(super) auto_delete: bool,
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}
