//! What the schema cannot say about Kafka settings, and how the two spellings become one view.

use super::security::{JAAS, Security};
use super::settings::{ConsumerSettings, KafkaSettings, ProducerSettings, SecurityProtocol};
use super::{AutoOffsetReset, CompressionType, Kafka, KafkaConsumer, KafkaProducer, TopicPattern};
use crate::expression::Template;
use crate::reader::quote;
use crate::violation::Violation;

/// Kafka's own limit, characters.
const TOPIC_NAME_MAX: usize = 249;

/// Path of the addresses.
const SERVERS: &str = "bootstrapServers";

/// Every fault beyond the schema. `evaluated`: what looks like an expression is text.
pub(super) fn violations(settings: &KafkaSettings, evaluated: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    match Template::parse(&settings.bootstrap_servers) {
        Ok(template) if !evaluated && template.literal().is_none() => {}
        Err(error) if !evaluated => {
            let message = format!("{SERVERS}: the expression cannot be read: {error}");
            found.push(Violation::new(SERVERS, "data.invalid", message));
        }
        Ok(_) | Err(_) => bootstrap_servers(&settings.bootstrap_servers, &mut found),
    }
    topics("topics", settings.topics.as_deref(), &mut found);
    if let Some(consumer) = &settings.consumer {
        consumer_rules(consumer, settings.topics.is_some(), &mut found);
    }
    if let Some(producer) = &settings.producer {
        topics("producer.topics", producer.topics.as_deref(), &mut found);
        if producer.enabled && producer.topics.is_none() && settings.topics.is_none() {
            found.push(no_topics("producer"));
        }
    }
    if let Some(security) = &settings.security {
        security.violations(evaluated, &mut found);
    }
    found
}

/// Settings that hold expressions, by their paths.
pub(super) fn templates(settings: &KafkaSettings) -> Vec<(&'static str, Template)> {
    let servers = Template::parse(&settings.bootstrap_servers).ok();
    let servers = servers.filter(|template| template.literal().is_none());
    let line = settings.security.as_ref().and_then(|security| security.jaas_template());
    servers.map(|servers| (SERVERS, servers)).into_iter().chain(line.map(|line| (JAAS, line))).collect()
}

fn consumer_rules(consumer: &ConsumerSettings, shared_topics: bool, found: &mut Vec<Violation>) {
    topics("consumer.topics", consumer.topics.as_deref(), found);
    if let Some(pattern) = &consumer.topic_pattern {
        if consumer.topics.is_some() {
            let message = "consumer.topics and consumer.topicPattern exclude each other, remove one of them";
            found.push(Violation::new("consumer.topics", "data.invalid", message));
        }
        if let Err(error) = TopicPattern::parse(pattern) {
            let path = "consumer.topicPattern";
            let message = format!("{path}: {error}");
            found.push(Violation::new(path, "data.invalid", message));
        }
    }
    let named = consumer.topics.is_some() || consumer.topic_pattern.is_some() || shared_topics;
    if consumer.enabled && !named {
        found.push(no_topics("consumer"));
    }
}

fn no_topics(side: &str) -> Violation {
    let message =
        format!("{side}.topics is required while the {side} is enabled: name a topic or disable it");
    Violation::new(format!("{side}.topics"), "data.invalid", message)
}

fn bootstrap_servers(servers: &str, found: &mut Vec<Violation>) {
    for server in servers.split(',').map(str::trim) {
        if !is_address(server) {
            // In front of an `@` somebody may have written a password.
            let shown = if server.contains('@') { "one with an @".to_owned() } else { quote(server) };
            let message =
                format!("bootstrapServers must list host:port pairs separated by commas, found {shown}");
            found.push(Violation::new("bootstrapServers", "data.invalid", message));
        }
    }
}

/// `host:port`, where a host is a name, an IPv4 address or an IPv6 address in brackets.
fn is_address(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
    };
    host && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn topics(path: &str, topics: Option<&[String]>, found: &mut Vec<Violation>) {
    for (index, topic) in topics.unwrap_or_default().iter().enumerate() {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let named = !topic.is_empty() && topic != "." && topic != ".." && topic.len() <= TOPIC_NAME_MAX;
        if !named || !topic.chars().all(legal) {
            let path = format!("{path}[{index}]");
            let message = format!(
                "{path}: {} is no topic name, use 1 to {TOPIC_NAME_MAX} letters, digits, '.', '_' or '-'",
                quote(topic)
            );
            found.push(Violation::new(path, "data.invalid", message));
        }
    }
}

/// The one view of both spellings. Call it on settings without violations.
pub(super) fn merge(settings: KafkaSettings, evaluated: bool) -> Kafka {
    let shared = distinct(settings.topics.unwrap_or_default());
    let literal = |text: &str| Template::parse(text).is_ok_and(|template| template.literal().is_some());
    let bootstrap_servers = match evaluated || literal(&settings.bootstrap_servers) {
        true => settings.bootstrap_servers.split(',').map(str::trim).collect::<Vec<_>>().join(","),
        // Commas may be a part of an expression.
        false => settings.bootstrap_servers,
    };
    Kafka {
        bootstrap_servers,
        consumer: consumer(settings.consumer, &shared),
        producer: producer(settings.producer, &shared),
        security: settings
            .security
            .map_or(Security { protocol: SecurityProtocol::Plaintext, sasl: None, ssl: None }, |security| {
                security.merge(evaluated)
            }),
    }
}

fn consumer(block: Option<ConsumerSettings>, shared: &[String]) -> KafkaConsumer {
    let Some(block) = block else {
        return KafkaConsumer {
            enabled: !shared.is_empty(),
            topics: shared.to_vec(),
            topic_pattern: None,
            encode_message_id: true,
            auto_offset_reset: AutoOffsetReset::Latest,
            check_topic_existence: false,
            remove_confluent_header: false,
        };
    };
    let topics = match (&block.topic_pattern, block.topics) {
        (_, Some(topics)) => distinct(topics),
        (Some(_), None) => Vec::new(),
        (None, None) => shared.to_vec(),
    };
    KafkaConsumer {
        enabled: block.enabled,
        topics,
        topic_pattern: block.topic_pattern.and_then(|pattern| TopicPattern::parse(&pattern).ok()),
        encode_message_id: block.encode_message_id,
        auto_offset_reset: block.auto_offset_reset,
        check_topic_existence: block.check_topic_existence.unwrap_or(false),
        remove_confluent_header: block.remove_confluent_header.unwrap_or(false),
    }
}

fn producer(block: Option<ProducerSettings>, shared: &[String]) -> KafkaProducer {
    let Some(block) = block else {
        return KafkaProducer {
            enabled: !shared.is_empty(),
            topics: shared.to_vec(),
            compression_type: CompressionType::None,
        };
    };
    KafkaProducer {
        enabled: block.enabled,
        topics: block.topics.map_or_else(|| shared.to_vec(), distinct),
        compression_type: block.compression_type.unwrap_or(CompressionType::None),
    }
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
