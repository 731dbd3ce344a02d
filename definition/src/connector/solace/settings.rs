//! Solace settings as authors write them.

use super::DeliveryMode;
use crate::connector::ssl::SslSettings;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of a Solace endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Solace")]
pub(super) struct SolaceSettings {
    /// Where the broker is: `amqp://`, `amqps://`, `mqtt://` or `mqtts://`, host and port.
    #[schemars(length(min = 1), extend("x-secret-address" = true))]
    pub(super) url: String,
    /// Message VPN; over MQTT the port or the user name chooses it. Absent: the broker's default.
    pub(super) vpn_name: Option<String>,
    /// How connections are secured.
    pub(super) security: Option<SecuritySettings>,
    /// Reading from Solace.
    pub(super) consumer: Option<ConsumerSettings>,
    /// Writing to Solace.
    pub(super) producer: Option<ProducerSettings>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySettings {
    /// Who the gateway is. Absent: anonymous.
    pub(super) auth: Option<AuthSettings>,
    /// Certificates, for `amqps://` and `mqtts://`.
    pub(super) ssl: Option<SslSettings>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuthSettings {
    /// User name.
    pub(super) username: Option<String>,
    /// Password.
    #[schemars(extend("x-secret" = true))]
    pub(super) password: Option<String>,
}

impl std::fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthSettings").field("username", &self.username).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConsumerSettings {
    /// Whether messages are read.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topics to read; `*` ends a level of any name, `>` is every level below.
    #[schemars(length(min = 1))]
    pub(super) topics: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProducerSettings {
    /// Whether messages are written.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topics to write to; each message goes to every one of them.
    #[schemars(length(min = 1))]
    pub(super) topics: Option<Vec<String>>,
    /// What a confirmation is worth. Absent: DIRECT at QoS none, PERSISTENT at the others.
    pub(super) delivery_mode: Option<DeliveryMode>,
    /// Whether the broker keeps the last message of a topic for new readers (MQTT only).
    #[serde(default)]
    pub(super) retained: bool,
    /// Seconds until a message that nobody read expires; -1: never.
    #[serde(default = "never")]
    #[schemars(range(min = -1, max = 4_294_967))]
    pub(super) message_expiry_interval: i64,
    /// Topic that readers are asked to answer to.
    pub(super) response_topic: Option<String>,
}

fn yes() -> bool {
    true
}

fn never() -> i64 {
    -1
}
