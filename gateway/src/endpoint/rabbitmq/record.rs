//! Messages as RabbitMQ has them: properties, a table of headers and a body.

use crate::endpoint::fanout::Received;
use crate::failure::{Failure, key};
use crate::message::Message;
use bytes::Bytes;
use http::StatusCode;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// Delivery modes of the protocol: kept in memory, or written down before it is confirmed.
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;
const CONTENT_TYPE: &str = "content-type";

/// A message on its way to the broker.
pub(super) struct Outgoing {
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// What is sent of `message`. `persistent`: it outlives a restart of the broker.
    ///
    /// # Errors
    /// 400 for a header whose name is longer than AMQP can carry.
    pub(super) fn of(message: &Message, persistent: bool) -> Result<Outgoing, Failure> {
        let properties = properties(message, persistent)?;
        Ok(Outgoing { properties, body: message.content.clone().unwrap_or_default() })
    }
}

/// The properties of a message that is sent. Values of a header that comes several times become a list.
fn properties(message: &Message, persistent: bool) -> Result<BasicProperties, Failure> {
    let mut properties =
        BasicProperties::default().with_delivery_mode(if persistent { PERSISTENT } else { TRANSIENT });
    let mut grouped: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in &message.headers {
        match grouped.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value),
            None => grouped.push((name, vec![value])),
        }
    }
    let mut table = FieldTable::default();
    for (name, values) in grouped {
        if name.eq_ignore_ascii_case(CONTENT_TYPE)
            && let Some(first) = values.first()
            && let Ok(content_type) = ShortString::try_new(*first)
        {
            properties = properties.with_content_type(content_type);
        }
        let name = ShortString::try_new(name).map_err(|error| {
            let text = format!("a header cannot be published, its name is too long for AMQP: {error}");
            Failure::new(StatusCode::BAD_REQUEST, key::PUBLISH_FAILED, text)
        })?;
        let text = |value: &str| AMQPValue::LongString(LongString::from(value));
        let value = match values.as_slice() {
            [only] => text(only),
            several => AMQPValue::FieldArray(FieldArray::from(
                several.iter().map(|value| text(value)).collect::<Vec<_>>(),
            )),
        };
        table.insert(name, value);
    }
    if !table.inner().is_empty() {
        properties = properties.with_headers(table);
    }
    Ok(properties)
}

/// A message that came. Texts are read as UTF-8; what is not becomes U+FFFD.
pub(super) fn received(delivery: Delivery) -> Received {
    let headers = delivery.properties.headers().as_ref().map(headers).unwrap_or_default();
    let metadata = metadata(&delivery);
    Received { content: Some(Bytes::from(delivery.data)), headers, metadata }
}

/// The message for one client.
pub(super) fn message(received: Received) -> Message {
    let mut message = Message::new(received.content);
    message.headers = received.headers;
    message.metadata = received.metadata;
    message
}

fn headers(table: &FieldTable) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(table.inner().len());
    for (name, value) in table.inner() {
        if let AMQPValue::FieldArray(values) = value {
            headers.extend(values.as_slice().iter().map(|value| (name.to_string(), plain(value))));
        } else {
            headers.push((name.to_string(), plain(value)));
        }
    }
    headers
}

/// A header's value as text; lists and tables as JSON.
fn plain(value: &AMQPValue) -> String {
    match json(value) {
        Value::String(text) => text,
        Value::Null => String::new(),
        value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.to_string(),
    }
}

fn json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Float(value) => (*value).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => {
            (f64::from(value.value) / 10_f64.powi(i32::from(value.scale))).into()
        }
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json).collect(),
        AMQPValue::Timestamp(seconds) => (*seconds).into(),
        AMQPValue::FieldTable(table) => {
            let members = table.inner().iter().map(|(name, value)| (name.to_string(), json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into(),
        AMQPValue::Void => Value::Null,
    }
}

fn metadata(delivery: &Delivery) -> Vec<(Cow<'static, str>, Value)> {
    let properties = &delivery.properties;
    let mut metadata: Vec<(Cow<'static, str>, Value)> = vec![
        ("exchange".into(), delivery.exchange.as_str().into()),
        ("routingKey".into(), delivery.routing_key.as_str().into()),
        ("redelivered".into(), delivery.redelivered.into()),
    ];
    let texts = [
        ("contentType", properties.content_type()),
        ("contentEncoding", properties.content_encoding()),
        ("correlationId", properties.correlation_id()),
        ("messageId", properties.message_id()),
        ("replyTo", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("type", properties.kind()),
        ("appId", properties.app_id()),
        ("userId", properties.user_id()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            metadata.push((name.into(), text.as_str().into()));
        }
    }
    if let Some(priority) = properties.priority() {
        metadata.push(("priority".into(), (*priority).into()));
    }
    if let Some(seconds) = properties.timestamp() {
        metadata.push(("timestamp".into(), (*seconds).into()));
    }
    let source_ms = properties.timestamp().map_or_else(now_ms, |seconds| seconds.saturating_mul(1_000));
    metadata.push(("sourceTimestamp".into(), source_ms.into()));
    metadata
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    u64::try_from(elapsed).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// What a reader gets of a message that was sent with these headers.
    fn round(headers: &[(&str, &str)]) -> (Received, BasicProperties) {
        let mut message = Message::new(Some("body".into()));
        message.headers = pairs(headers);
        let properties = properties(&message, true).expect("short names");
        let mut delivery = Delivery::mock(1, "orders".into(), "orders.new".into(), true, b"body".to_vec());
        delivery.properties = properties.clone();
        (received(delivery), properties)
    }

    #[test]
    fn headers_come_back_as_they_were_sent() {
        let (back, properties) =
            round(&[("x-one", "1"), ("X-Many", "a"), ("x-many", "b"), ("Content-Type", "text/csv")]);
        let mut headers = back.headers;
        headers.sort();
        let sent = [("Content-Type", "text/csv"), ("X-Many", "a"), ("X-Many", "b"), ("x-one", "1")];
        assert_eq!(headers, pairs(&sent));
        assert_eq!(properties.delivery_mode(), &Some(PERSISTENT));
        let metadata: Map<String, Value> =
            back.metadata.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        assert_eq!(metadata["exchange"], "orders");
        assert_eq!(metadata["routingKey"], "orders.new");
        assert_eq!(metadata["redelivered"], true);
        assert_eq!(metadata["contentType"], "text/csv");
        assert!(metadata["sourceTimestamp"].is_u64());
    }

    #[test]
    fn headers_of_other_programs_are_readable() {
        let mut death = FieldTable::default();
        death.insert("count".into(), AMQPValue::LongLongInt(3));
        let mut table = FieldTable::default();
        table.insert("x-death".into(), AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into()));
        table.insert("flag".into(), AMQPValue::Boolean(true));
        table.insert("empty".into(), AMQPValue::Void);
        table.insert("bytes".into(), AMQPValue::LongString(vec![0x66, 0xff].into()));
        let expected =
            [("bytes", "f\u{fffd}"), ("empty", ""), ("flag", "true"), ("x-death", r#"{"count":3}"#)];
        assert_eq!(headers(&table), pairs(&expected));
    }

    #[test]
    fn the_time_of_the_source_is_the_one_it_gave() {
        let mut delivery = Delivery::mock(1, "e".into(), "k".into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_timestamp(1_700_000_000).with_priority(4);
        let metadata = metadata(&delivery);
        assert!(metadata.contains(&("sourceTimestamp".into(), json!(1_700_000_000_000_u64))), "{metadata:?}");
        assert!(metadata.contains(&("priority".into(), json!(4))), "{metadata:?}");
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let mut message = Message::new(None);
        message.headers = vec![("n".repeat(256), String::new())];
        let refused = properties(&message, false).expect_err("256 bytes");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
}
