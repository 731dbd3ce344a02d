//! What the schema cannot say about Solace settings, and the view that connectors use.

use super::server::{Protocol, Server};
use super::settings::{ConsumerSettings, ProducerSettings, SolaceSettings};
use super::{Credentials, DeliveryMode, Solace, SolaceConsumer, SolaceProducer};
use crate::connector::ssl::SslSettings;
use crate::reader::quote;
use crate::violation::Violation;

/// Solace's own limit, bytes.
const TOPIC_MAX_BYTES: usize = 250;
/// A name that no broker could take is refused at save, bytes.
const VPN_NAME_MAX_BYTES: usize = 255;

/// Checks the settings; with no violation they become the view.
pub(super) fn merge(settings: SolaceSettings) -> Result<Solace, Vec<Violation>> {
    let mut found = Vec::new();
    let server = Server::parse(&settings.url);
    let server = server.map_err(|message| found.push(invalid("url", message))).ok();
    let protocol = server.as_ref().map(|server| server.protocol);
    let vpn_name = text(settings.vpn_name);
    if vpn_name.as_ref().is_some_and(|name| name.len() > VPN_NAME_MAX_BYTES) {
        found.push(invalid("vpnName", format!("vpnName must be at most {VPN_NAME_MAX_BYTES} bytes long")));
    }
    let (auth, ssl) = settings.security.map_or((None, None), |security| (security.auth, security.ssl));
    found.extend(ssl.iter().flat_map(|ssl| ssl.violations("security.ssl")));
    let credentials = match auth.map(|auth| (text(auth.username), auth.password)) {
        Some((Some(username), password)) => {
            Some(Credentials { username, password: password.unwrap_or_default() })
        }
        Some((None, Some(password))) if !password.is_empty() => {
            let message =
                "security.auth.username is required with a password: name the user or remove the password";
            found.push(invalid("security.auth.username", message));
            None
        }
        Some((None, _)) | None => None,
    };
    let consumer = consumer(settings.consumer, protocol, &mut found);
    let producer = producer(settings.producer, protocol, &mut found);
    match server {
        Some(server) if found.is_empty() => Ok(Solace {
            server,
            vpn_name,
            credentials,
            ssl: ssl.map(SslSettings::merge).unwrap_or_default(),
            consumer,
            producer,
        }),
        Some(_) | None => Err(found),
    }
}

fn invalid(path: &str, message: impl Into<String>) -> Violation {
    Violation::new(path, "data.invalid", message.into())
}

/// Forms send blank texts for what was left out.
fn text(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn consumer(
    block: Option<ConsumerSettings>,
    protocol: Option<Protocol>,
    found: &mut Vec<Violation>,
) -> SolaceConsumer {
    let Some(block) = block else { return SolaceConsumer { enabled: false, topics: Vec::new() } };
    if block.enabled && block.topics.is_none() {
        found.push(no_topics("consumer"));
    }
    let topics = block.topics.unwrap_or_default();
    for (index, topic) in topics.iter().enumerate() {
        let path = format!("consumer.topics[{index}]");
        if let Err(reason) = subscription(topic).and_then(|()| spelled(topic, protocol)) {
            found.push(invalid(&path, format!("{path}: {} {reason}", quote(topic))));
        }
    }
    SolaceConsumer { enabled: block.enabled, topics: distinct(topics) }
}

fn producer(
    block: Option<ProducerSettings>,
    protocol: Option<Protocol>,
    found: &mut Vec<Violation>,
) -> SolaceProducer {
    let Some(block) = block else {
        return SolaceProducer {
            enabled: false,
            topics: Vec::new(),
            delivery_mode: None,
            retained: false,
            message_expiry_interval: None,
            response_topic: None,
        };
    };
    if block.enabled && block.topics.is_none() {
        found.push(no_topics("producer"));
    }
    let topics = block.topics.unwrap_or_default();
    for (index, topic) in topics.iter().enumerate() {
        target(&format!("producer.topics[{index}]"), topic, protocol, found);
    }
    let response_topic = text(block.response_topic);
    if let Some(topic) = &response_topic {
        target("producer.responseTopic", topic, protocol, found);
    }
    if block.retained && protocol == Some(Protocol::Amqp) {
        let message = "producer.retained: AMQP 1.0 has no retained messages, set it to false or remove it";
        found.push(invalid("producer.retained", message));
    }
    if block.delivery_mode == Some(DeliveryMode::Direct) && protocol == Some(Protocol::Mqtt) {
        let message = "producer.deliveryMode: over MQTT every message is confirmed as a persistent one, remove it or use an \
                       amqp:// url";
        found.push(invalid("producer.deliveryMode", message));
    }
    if block.message_expiry_interval == 0 {
        let message = "producer.messageExpiryInterval: messages would expire at once, use seconds from 1 on, or -1 for never";
        found.push(invalid("producer.messageExpiryInterval", message));
    }
    SolaceProducer {
        enabled: block.enabled,
        topics: distinct(topics),
        delivery_mode: block.delivery_mode,
        retained: block.retained,
        message_expiry_interval: u32::try_from(block.message_expiry_interval)
            .ok()
            .filter(|seconds| *seconds > 0),
        response_topic,
    }
}

fn no_topics(side: &str) -> Violation {
    let message =
        format!("{side}.topics is required while the {side} is enabled: name a topic or disable it");
    Violation::new(format!("{side}.topics"), "data.invalid", message)
}

/// A topic to read: `*` only ends a level, `>` only stands alone in the last one.
fn subscription(topic: &str) -> Result<(), &'static str> {
    plain(topic)?;
    let mut levels = topic.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.strip_suffix('*').unwrap_or(level).contains('*') {
            return Err("is no topic to read: '*' may only end a level");
        }
        if level.contains('>') && (level != ">" || levels.peek().is_some()) {
            return Err("is no topic to read: '>' must be the whole last level");
        }
    }
    Ok(())
}

/// What MQTT has no spelling for.
fn spelled(topic: &str, protocol: Option<Protocol>) -> Result<(), &'static str> {
    if protocol != Some(Protocol::Mqtt) {
        return Ok(());
    }
    if topic.contains(['+', '#']) {
        return Err("cannot be used over MQTT, where '+' and '#' are wildcards: use an amqp:// url");
    }
    if topic.split('/').any(|level| level.len() > 1 && level.ends_with('*')) {
        return Err("cannot be used over MQTT, where '*' must be a whole level: use an amqp:// url");
    }
    Ok(())
}

/// A topic to write to.
fn target(path: &str, topic: &str, protocol: Option<Protocol>, found: &mut Vec<Violation>) {
    let wild = |level: &str| level.ends_with('*') || level == ">";
    let reason = match plain(topic) {
        Ok(()) if topic.split('/').any(wild) => {
            Err("is a pattern: name one topic without the wildcards '*' and '>'")
        }
        checked => checked.and_then(|()| spelled(topic, protocol)),
    };
    if let Err(reason) = reason {
        found.push(invalid(path, format!("{path}: {} {reason}", quote(topic))));
    }
}

fn plain(topic: &str) -> Result<(), &'static str> {
    if topic.is_empty() || topic.len() > TOPIC_MAX_BYTES || topic.chars().any(char::is_control) {
        return Err("is no topic: use 1 to 250 bytes of text, with '/' between levels");
    }
    if topic.split('/').any(str::is_empty) {
        return Err("has an empty level: remove the '/' at its begin, its end or beside another one");
    }
    if topic.contains("://") {
        return Err("is a URL: name the topic alone, without topic:// before it");
    }
    Ok(())
}

/// A topic that is named twice is read and written once.
fn distinct(topics: Vec<String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(topics.len());
    for topic in topics {
        if !distinct.contains(&topic) {
            distinct.push(topic);
        }
    }
    distinct
}
