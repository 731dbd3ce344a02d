//! Messages of AMQP 1.0 and ours: bodies are content, application properties are headers, the rest is metadata.

use super::connection::address;
use crate::endpoint::fanout::Received;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Batch, Body, Data, Header, Message, MessageId, Properties,
};
use fe2o3_amqp::types::primitives::{Binary, SimpleValue, Symbol, Timestamp, Value};
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// How addresses of topics begin.
const TOPIC_PREFIX: &str = "topic://";
/// The header that has a place of its own in AMQP.
const CONTENT_TYPE: &str = "content-type";

/// A message on its way out.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) headers: &'a [(String, String)],
    /// `None`: a tombstone.
    pub(super) content: Option<&'a Bytes>,
    /// Whether the broker keeps it through a restart.
    pub(super) persistent: bool,
    /// Seconds.
    pub(super) expiry: Option<u32>,
    pub(super) response_topic: Option<&'a str>,
}

impl Outgoing<'_> {
    /// The message as the broker gets it.
    pub(super) fn encode(&self) -> Message<Body<Value>> {
        let header = Header {
            durable: self.persistent,
            ttl: self.expiry.map(|seconds| seconds.saturating_mul(1_000)),
            ..Header::default()
        };
        let mut properties = Properties::new();
        properties.to = Some(address(self.topic));
        properties.reply_to = self.response_topic.map(address);
        properties.creation_time = Some(Timestamp::from_milliseconds(now_ms()));
        let mut builder = ApplicationProperties::builder();
        for (name, value) in joined(self.headers) {
            if name.eq_ignore_ascii_case(CONTENT_TYPE) && value.is_ascii() {
                properties.content_type = Some(Symbol::from(value.as_str()));
            }
            builder = builder.insert(name, value);
        }
        let body = match self.content {
            Some(content) => Body::Data(Batch::new(vec![Data(Binary::from(content.to_vec()))])),
            None => Body::Value(AmqpValue(Value::Null)),
        };
        Message {
            header: Some(header),
            delivery_annotations: None,
            message_annotations: None,
            properties: Some(properties),
            application_properties: Some(builder.build()),
            body,
            footer: None,
        }
    }
}

fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Application properties have one value per name: several of a header are one list, as in HTTP.
fn joined(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match joined.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => joined.push((name.clone(), value.clone())),
        }
    }
    joined
}

/// A message that came. `subscribed`: its topic unless it says so itself.
pub(super) fn received(message: Message<Body<Value>>, subscribed: &str) -> Received {
    let properties = message.application_properties.map(|properties| properties.0).unwrap_or_default();
    let headers =
        properties.into_inner().into_iter().filter_map(|(name, value)| Some((name, simple(value)?)));
    let headers = headers.collect();
    let metadata = metadata(message.header.as_ref(), message.properties, subscribed);
    Received { content: content(message.body), headers, metadata }
}

fn metadata(
    header: Option<&Header>,
    properties: Option<Properties>,
    subscribed: &str,
) -> Vec<(Cow<'static, str>, Json)> {
    let properties = properties.unwrap_or_default();
    let topic = |address: String| address.strip_prefix(TOPIC_PREFIX).map(str::to_owned).unwrap_or(address);
    let created = properties.creation_time.map(|time| time.milliseconds());
    let mut metadata: Vec<(Cow<'static, str>, Json)> = Vec::new();
    let mut say = |name: &'static str, value: Option<Json>| {
        if let Some(value) = value {
            metadata.push((Cow::Borrowed(name), value));
        }
    };
    say("topic", Some(properties.to.map_or_else(|| subscribed.to_owned(), topic).into()));
    say("messageId", properties.message_id.map(identifier));
    say("correlationId", properties.correlation_id.map(identifier));
    say("contentType", properties.content_type.map(|kind| kind.0.into()));
    say("replyTo", properties.reply_to.map(|address| topic(address).into()));
    say("creationTime", created.map(Json::from));
    say("priority", header.map(|header| header.priority.0.into()));
    say("ttl", header.and_then(|header| header.ttl).map(Json::from));
    say("sourceTimestamp", Some(created.unwrap_or_else(now_ms).into()));
    metadata
}

fn identifier(id: MessageId) -> Json {
    match id {
        MessageId::Ulong(number) => number.into(),
        MessageId::Uuid(id) => uuid::Uuid::from_bytes(id.into_inner()).to_string().into(),
        MessageId::Binary(bytes) => STANDARD.encode(bytes).into(),
        MessageId::String(text) => text.into(),
    }
}

/// Data is the bytes, a text is its bytes, `null` is no content; everything else is JSON.
fn content(body: Body<Value>) -> Option<Bytes> {
    match body {
        Body::Empty => None,
        Body::Data(sections) => {
            let mut sections = sections.into_iter().map(|data| data.0.into_vec());
            let mut content = sections.next().unwrap_or_default();
            sections.for_each(|section| content.extend(section));
            Some(content.into())
        }
        Body::Value(AmqpValue(Value::Null)) => None,
        Body::Value(AmqpValue(Value::String(text))) => Some(text.into()),
        Body::Value(AmqpValue(Value::Binary(bytes))) => Some(bytes.into_vec().into()),
        Body::Value(AmqpValue(value)) => Some(plain(value).to_string().into()),
        Body::Sequence(sections) => {
            let items: Vec<Json> = sections.into_iter().flat_map(|section| section.0).map(plain).collect();
            Some(Json::Array(items).to_string().into())
        }
    }
}

/// A header's text; nothing for `null`.
fn simple(value: SimpleValue) -> Option<String> {
    match plain(value.into()) {
        Json::Null => None,
        Json::String(text) => Some(text),
        other @ (Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
            Some(other.to_string())
        }
    }
}

/// The JSON that says the same.
fn plain(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Ubyte(value) => value.into(),
        Value::Ushort(value) => value.into(),
        Value::Uint(value) => value.into(),
        Value::Ulong(value) => value.into(),
        Value::Byte(value) => value.into(),
        Value::Short(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Float(value) => json!(value.0),
        Value::Double(value) => json!(value.0),
        Value::Decimal32(value) => STANDARD.encode(value.into_inner()).into(),
        Value::Decimal64(value) => STANDARD.encode(value.into_inner()).into(),
        Value::Decimal128(value) => STANDARD.encode(value.into_inner()).into(),
        Value::Char(value) => value.to_string().into(),
        Value::Timestamp(value) => value.milliseconds().into(),
        Value::Uuid(value) => uuid::Uuid::from_bytes(value.into_inner()).to_string().into(),
        Value::Binary(bytes) => STANDARD.encode(bytes).into(),
        Value::String(text) => text.into(),
        Value::Symbol(symbol) => symbol.0.into(),
        Value::List(items) => items.into_iter().map(plain).collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Map(entries) => Json::Object(
            entries
                .into_inner()
                .into_iter()
                .map(|(name, value)| {
                    let name = match plain(name) {
                        Json::String(text) => text,
                        other @ (Json::Null
                        | Json::Bool(_)
                        | Json::Number(_)
                        | Json::Array(_)
                        | Json::Object(_)) => other.to_string(),
                    };
                    (name, plain(value))
                })
                .collect(),
        ),
        Value::Described(described) => plain(described.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message as Ours;
    use pretty_assertions::assert_eq;

    fn ours(content: Option<&str>, headers: &[(&str, &str)]) -> Ours {
        let mut message = Ours::new(content.map(|text| Bytes::copy_from_slice(text.as_bytes())));
        message.headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        message
    }

    fn sent(message: &Ours) -> Message<Body<Value>> {
        let outgoing = Outgoing {
            topic: "a/b",
            headers: &message.headers,
            content: message.content.as_ref(),
            persistent: true,
            expiry: Some(60),
            response_topic: Some("answers"),
        };
        outgoing.encode()
    }

    #[test]
    fn what_is_sent_comes_back_the_same() {
        let message = ours(Some("hello"), &[("X-A", "1"), ("x-a", "2"), ("Content-Type", "text/plain")]);
        let sent = sent(&message);
        let header = sent.header.as_ref().unwrap();
        assert_eq!((header.durable, header.ttl), (true, Some(60_000)));
        let back = received(sent, "a/*");
        assert_eq!(back.content.as_deref(), Some(&b"hello"[..]));
        let headers =
            [("X-A".to_owned(), "1, 2".to_owned()), ("Content-Type".to_owned(), "text/plain".to_owned())];
        assert_eq!(back.headers, headers);
        let names: Vec<&str> = back.metadata.iter().map(|(name, _)| &**name).collect();
        let expected =
            ["topic", "contentType", "replyTo", "creationTime", "priority", "ttl", "sourceTimestamp"];
        assert_eq!(names, expected);
        assert_eq!((&back.metadata[0].1, &back.metadata[2].1), (&json!("a/b"), &json!("answers")));
    }

    #[test]
    fn a_message_without_content_stays_one() {
        assert_eq!(received(sent(&ours(None, &[])), "t").content, None);
        assert_eq!(received(sent(&ours(Some(""), &[])), "t").content.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn every_kind_of_body_becomes_content() {
        let check = |body: Body<Value>, expected: Option<&str>| {
            let expected = expected.map(|text| Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(content(body), expected);
        };
        let value = |value: Value| Body::Value(AmqpValue(value));
        let data = |text: &str| Data(Binary::from(text.as_bytes().to_vec()));
        check(Body::Data(Batch::new(vec![data("a"), data("b")])), Some("ab"));
        check(value(Value::String("text".into())), Some("text"));
        check(value(Value::Binary(Binary::from(b"raw".to_vec()))), Some("raw"));
        check(value(Value::Long(7)), Some("7"));
        check(value(Value::List(vec![Value::Bool(true), Value::Null])), Some("[true,null]"));
        check(value(Value::Null), None);
        check(Body::Empty, None);
    }
}
