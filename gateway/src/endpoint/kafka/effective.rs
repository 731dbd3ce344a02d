//! Settings that depend on a call: what its attributes and the endpoint's expressions put over the deployed ones.
//!
//! The attribute `gravitee.attributes.endpoint.kafka.<path>` takes the place of the setting at that path. Each
//! combination of values is read and checked once, and keeps its clients for as long as it is used; how many are kept
//! is bounded, and what they run counts against the gateway's limits on clients.

use super::attributes;
use super::connection::Connection;
use super::produce::Publisher;
use super::{Clients, connection_of};
use crate::endpoint::{Attributes, FactoryError};
use crate::failure::{Failure, key};
use definition::api::Settings;
use definition::connector::kafka::{Kafka, SPEC, SaslMechanism};
use definition::violation::Violation;
use http::StatusCode;
use moka::future::Cache;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Names of attributes that take the place of settings begin with this.
pub(super) const OVERRIDE: &str = "gravitee.attributes.endpoint.kafka.";
/// A token of the caller, for the mechanism OAUTHBEARER.
const TOKEN: &str = "kafka.oauthbearer.token";
const JAAS: &str = "security.sasl.saslJaasConfig";
/// The one setting that calls cannot change: a reader that was promised an error must not miss records.
const FIXED: &str = "consumer.autoOffsetReset";
/// Combinations that one gateway keeps.
const COMBINATIONS_MAX: u64 = 256;
/// One that nobody used for this long is forgotten, its producers with it.
const UNUSED: Duration = Duration::from_secs(120);
/// Files of stores are read again after this time.
const OLDEST: Duration = Duration::from_secs(600);

/// Settings as a call has them.
pub(super) struct Effective {
    pub(super) settings: Kafka,
    pub(super) connection: Connection,
    pub(super) publisher: Publisher,
}

impl Effective {
    /// Reads the stores. No connection is made.
    pub(super) fn build(settings: Kafka, clients: &Clients) -> Result<Effective, FactoryError> {
        let connection = connection_of(&settings, clients)?;
        let publisher = Publisher::new(connection.clone(), settings.producer.clone());
        Ok(Effective { settings, connection, publisher })
    }
}

/// The combinations in use, by their digests.
pub(super) struct Combinations(Cache<[u8; 32], Arc<Effective>>);

impl Default for Combinations {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(COMBINATIONS_MAX).time_to_idle(UNUSED).time_to_live(OLDEST);
        Combinations(cache.build())
    }
}

/// What a call puts over the settings of an endpoint, by path.
pub(super) fn overrides(attributes: &Attributes, deployed: &Settings) -> BTreeMap<String, Value> {
    let named = attributes.iter().filter_map(|(name, value)| Some((name.strip_prefix(OVERRIDE)?, value)));
    let mut overrides: BTreeMap<String, Value> = named
        .filter(|(_, value)| !value.is_null())
        .map(|(path, value)| (path.to_owned(), value.clone()))
        .collect();
    if let Some(token) = attributes.get(TOKEN).and_then(Value::as_str)
        && !overrides.contains_key(JAAS)
        && takes_tokens(deployed)
    {
        let token = token.trim().replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("OAuthBearerLoginModule required access_token=\"{token}\";");
        overrides.insert(JAAS.to_owned(), line.into());
    }
    overrides
}

fn takes_tokens(deployed: &Settings) -> bool {
    let mechanism = deployed.get("security").and_then(|security| security["sasl"]["saslMechanism"].as_str());
    mechanism.and_then(SaslMechanism::parse) == Some(SaslMechanism::Oauthbearer)
}

impl Combinations {
    /// The settings of an endpoint under `overrides`.
    ///
    /// # Errors
    /// 500: they cannot be used; the text names what and why, and no secret.
    pub(super) async fn get(
        &self,
        clients: &Arc<Clients>,
        deployed: &Arc<Settings>,
        overrides: BTreeMap<String, Value>,
    ) -> Result<Arc<Effective>, Failure> {
        let identity = json!([&**deployed, overrides]).to_string();
        let digest: [u8; 32] = Sha256::digest(identity.as_bytes()).into();
        if let Some(known) = self.0.get(&digest).await {
            return Ok(known);
        }
        let (clients, deployed) = (Arc::clone(clients), Arc::clone(deployed));
        let built = self.0.try_get_with(digest, async move {
            // Stores may be files.
            let building = tokio::task::spawn_blocking(move || build(&clients, &deployed, &overrides));
            building.await.unwrap_or_else(|_| Err(Failure::unexpected())).map(Arc::new)
        });
        built.await.map_err(|failure| (*failure).clone())
    }
}

fn build(
    clients: &Clients,
    deployed: &Settings,
    overrides: &BTreeMap<String, Value>,
) -> Result<Effective, Failure> {
    let settings = laid_over(deployed, overrides).map_err(invalid)?;
    let settings = Kafka::evaluated(&settings).map_err(|violations| {
        let messages = violations.into_iter().map(|Violation { message, .. }| message);
        invalid(messages.collect::<Vec<_>>().join("; "))
    })?;
    Effective::build(settings, clients).map_err(|error| invalid(error.to_string()))
}

pub(super) fn invalid(reason: String) -> Failure {
    tracing::warn!(reason, "a call gave a kafka endpoint settings that cannot be used");
    let text = format!("Invalid configuration: {reason}");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION, text)
}

/// The deployed settings with values in other places. The error names the place.
fn laid_over(deployed: &Settings, overrides: &BTreeMap<String, Value>) -> Result<Settings, String> {
    let mut settings = deployed.clone();
    for (path, value) in overrides {
        if path == FIXED {
            return Err(format!("{FIXED} cannot be set by an attribute"));
        }
        let schema = (SPEC.schema)().setting(path);
        let Some(schema) = schema.filter(|schema| schema["type"] != "object") else {
            return Err(format!("an attribute names {:?}, which is no setting", shortened(path)));
        };
        let value = match (schema["type"].as_str(), value) {
            (Some("array"), value) => attributes::list(value).into(),
            (Some("boolean"), Value::String(text)) => match text.trim() {
                "true" => true.into(),
                "false" => false.into(),
                _ => return Err(format!("{path} must be true or false")),
            },
            (_, value) => value.clone(),
        };
        if path == "consumer.topics"
            && let Some(Value::Object(consumer)) = settings.get_mut("consumer")
        {
            consumer.remove("topicPattern");
        }
        put(&mut settings, path, value);
    }
    Ok(settings)
}

fn shortened(path: &str) -> String {
    path.chars().take(100).collect()
}

fn put(settings: &mut Settings, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        settings.insert(path.to_owned(), value);
        return;
    };
    let below = settings.entry(first).or_insert_with(|| json!({}));
    if !below.is_object() {
        *below = json!({});
    }
    if let Value::Object(below) = below {
        put(below, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn deployed() -> Settings {
        let settings = json!({
            "bootstrapServers": "k:1", "consumer": {"topicPattern": "a.*"}, "producer": {"topics": ["p"]},
            "security": {"protocol": "SASL_PLAINTEXT", "sasl": {"saslMechanism": "OAUTHBEARER"}},
        });
        settings.as_object().expect("an object").clone()
    }

    fn under(attributes: Value) -> Result<Kafka, String> {
        let attributes: HashMap<String, Value> = serde_json::from_value(attributes).expect("an object");
        let overrides = overrides(&Arc::new(attributes), &deployed());
        build(&Clients::default(), &deployed(), &overrides)
            .map(|effective| effective.settings)
            .map_err(|failure| failure.message.into_owned())
    }

    #[test]
    fn attributes_take_the_place_of_settings() {
        let kafka = under(json!({
            "gravitee.attributes.endpoint.kafka.bootstrapServers": "other:2",
            "gravitee.attributes.endpoint.kafka.consumer.topics": "x, y",
            "gravitee.attributes.endpoint.kafka.consumer.encodeMessageId": "false",
            "gravitee.attributes.endpoint.kafka.producer.compressionType": "ZSTD",
            "gravitee.attributes.endpoint.kafka.security.protocol": "PLAINTEXT",
            "gravitee.attributes.endpoint.mqtt5.serverHost": "ignored",
            "kafka.topics": "not a setting",
        }))
        .expect("valid");
        assert_eq!(kafka.bootstrap_servers, "other:2");
        assert_eq!(kafka.consumer.topics, ["x", "y"]);
        assert_eq!(kafka.consumer.topic_pattern, None, "topics take its place");
        assert!(!kafka.consumer.encode_message_id);
        assert_eq!(kafka.producer.compression_type.label(), "zstd");
        assert_eq!(kafka.security.sasl, None);
    }

    #[test]
    fn a_token_comes_with_the_call() {
        use definition::connector::kafka::Login;
        let login = |attributes| under(attributes).expect("valid").security.sasl.and_then(|sasl| sasl.login);
        let token = r#"a"b\c"#;
        assert_eq!(login(json!({ "kafka.oauthbearer.token": token })), Some(Login::Token(token.into())));
        let line = "O.OAuthBearerLoginModule required access_token=\"own\";";
        let both = json!({ "kafka.oauthbearer.token": "x", "gravitee.attributes.endpoint.kafka.security.sasl.saslJaasConfig": line });
        assert_eq!(login(both), Some(Login::Token("own".into())));
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let check = |path: &str, value: Value, expected: &str| {
            let refused = under(json!({ (format!("{OVERRIDE}{path}")): value })).expect_err(path);
            assert!(refused.contains(expected), "{refused}");
            assert!(!refused.contains("hush"), "{refused}");
        };
        check("consumer.autoOffsetReset", "latest".into(), "cannot be set by an attribute");
        check("consumer.toppics", "a".into(), "no setting");
        check("consumer", "a".into(), "no setting");
        check("consumer.encodeMessageId", "maybe".into(), "true or false");
        check("bootstrapServers", "{#request.id}".into(), "host:port pairs");
        check("security.sasl.saslJaasConfig", "X required password=\"hush".into(), "not closed");
        check("security.protocol", "hush-not-echoed".replace("hush-", "").into(), "not a valid enum value");
    }
}
