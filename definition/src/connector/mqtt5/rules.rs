//! What the schema cannot say about MQTT settings, and how the two spellings become one view.

use super::settings::{AuthSettings, ConsumerSettings, Mqtt5Settings, ProducerSettings};
use super::{Auth, Consumer, Mqtt5, Producer, TOPIC_MAX_BYTES, is_topic_filter, is_topic_name};
use crate::reader::quote;
use crate::violation::Violation;

/// Attempts to connect again when the settings do not say.
const RECONNECT_ATTEMPTS: u32 = 3;

/// Every fault beyond the schema.
pub(super) fn violations(settings: &Mqtt5Settings) -> Vec<Violation> {
    let mut found = Vec::new();
    host(&settings.server_host, &mut found);
    filter("topic", &settings.topic, &mut found);
    let shared = given(&settings.topic);
    if let Some(consumer) = &settings.consumer {
        filter("consumer.topic", &consumer.topic, &mut found);
        if consumer.enabled && given(&consumer.topic).or(shared).is_none() {
            found.push(no_topic("consumer"));
        }
    }
    if let Some(producer) = &settings.producer {
        name("producer.topic", &producer.topic, &mut found);
        name("producer.responseTopic", &producer.response_topic, &mut found);
        let topic = given(&producer.topic);
        match topic.or(shared) {
            None if producer.enabled => found.push(no_topic("producer")),
            Some(wild) if producer.enabled && topic.is_none() && !is_topic_name(wild) => {
                let message = format!(
                    "topic: {} has wildcards, so nothing can be sent to it: name producer.topic or disable the producer",
                    quote(wild)
                );
                found.push(Violation::new("topic", "data.invalid", message));
            }
            Some(_) | None => {}
        }
    }
    if let Some(security) = &settings.security {
        if let Some(ssl) = &security.ssl {
            found.extend(ssl.violations("security.ssl"));
        }
        if let Some(auth) = &security.auth
            && given(&auth.username).is_none()
            && given(&auth.password).is_some()
        {
            let message = "security.auth.username is required with a password: name the user";
            found.push(Violation::new("security.auth.username", "data.invalid", message));
        }
    }
    found
}

fn no_topic(side: &str) -> Violation {
    let message = format!("{side}.topic is required while the {side} is enabled: name a topic or disable it");
    Violation::new(format!("{side}.topic"), "data.invalid", message)
}

fn host(host: &str, found: &mut Vec<Violation>) {
    let bare = bare(host);
    let named = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if !named && bare.parse::<std::net::Ipv6Addr>().is_err() {
        let message = format!(
            "serverHost: {} is no host, give a name or an address, without a scheme and without a port",
            quote(host)
        );
        found.push(Violation::new("serverHost", "data.invalid", message));
    }
}

/// Brackets are how URLs write IPv6 addresses.
fn bare(host: &str) -> &str {
    let host = host.trim();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn filter(path: &str, topic: &Option<String>, found: &mut Vec<Violation>) {
    if let Some(topic) = given(topic)
        && !is_topic_filter(topic)
    {
        let message = format!(
            "{path}: {} is no topic filter: use at most {TOPIC_MAX_BYTES} bytes, + for a whole level, # for all further \
             levels at the end, and no $share (readers with one client identifier share by themselves)",
            quote(topic)
        );
        found.push(Violation::new(path, "data.invalid", message));
    }
}

fn name(path: &str, topic: &Option<String>, found: &mut Vec<Violation>) {
    if let Some(topic) = given(topic)
        && !is_topic_name(topic)
    {
        let message = format!(
            "{path}: {} is no topic name: use at most {TOPIC_MAX_BYTES} bytes and neither + nor #",
            quote(topic)
        );
        found.push(Violation::new(path, "data.invalid", message));
    }
}

/// Forms send empty texts for what was left out.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// The one view of both spellings. Call it on settings without violations.
pub(super) fn merge(settings: Mqtt5Settings) -> Mqtt5 {
    let topic = given(&settings.topic);
    let attempts = settings.reconnect_attempts.or(settings.reconnect_attempt);
    let (consumer, producer) = (consumer(settings.consumer, topic), producer(settings.producer, topic));
    let (auth, ssl) = settings.security.map_or((None, None), |security| (security.auth, security.ssl));
    Mqtt5 {
        server_host: bare(&settings.server_host).to_owned(),
        server_port: settings.server_port,
        reconnect_attempts: attempts.unwrap_or(RECONNECT_ATTEMPTS),
        session_expiry_interval: settings
            .session_expiry_interval
            .map(|seconds| seconds_or(seconds).unwrap_or(u32::MAX)),
        clean_start: settings.clean_start,
        consumer,
        producer,
        auth: auth.and_then(credentials),
        ssl: ssl.filter(|ssl| ssl.is_wanted()).map(|ssl| ssl.merge()),
    }
}

fn credentials(auth: AuthSettings) -> Option<Auth> {
    let username = auth.username.filter(|name| !name.is_empty())?;
    Some(Auth { username, password: auth.password.filter(|password| !password.is_empty()) })
}

/// `None`: without end, which is any negative number.
fn seconds_or(seconds: i64) -> Option<u32> {
    u32::try_from(seconds).ok()
}

fn consumer(block: Option<ConsumerSettings>, shared: Option<&str>) -> Consumer {
    let shared = shared.map(str::to_owned);
    match block {
        None => Consumer { enabled: shared.is_some(), topic: shared },
        Some(block) => {
            Consumer { enabled: block.enabled, topic: given(&block.topic).map(str::to_owned).or(shared) }
        }
    }
}

fn producer(block: Option<ProducerSettings>, shared: Option<&str>) -> Producer {
    let shared = shared.filter(|topic| is_topic_name(topic)).map(str::to_owned);
    match block {
        None => Producer {
            enabled: shared.is_some(),
            topic: shared,
            retained: false,
            response_topic: None,
            message_expiry_interval: None,
        },
        Some(block) => Producer {
            enabled: block.enabled,
            topic: given(&block.topic).map(str::to_owned).or(shared),
            retained: block.retained,
            response_topic: given(&block.response_topic).map(str::to_owned),
            message_expiry_interval: block.message_expiry_interval.and_then(seconds_or),
        },
    }
}
