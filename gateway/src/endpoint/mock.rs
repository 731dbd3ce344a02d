//! Endpoint `mock`: numbered messages at an interval, and a log line for each message it is sent.
//!
//! There is no broker: everything is confirmed at once, and messages need no acknowledgement.

use super::{Backend, Endpoint, FactoryError, PublishContext, Settings, Shared, SubscribeRequest};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use async_trait::async_trait;
use bytes::Bytes;
use definition::api::Qos;
use definition::connector::mock::{Mock, Pair};
use futures::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

/// Builds the endpoint.
pub(crate) fn build(name: &str, settings: &Settings, _shared: &Shared) -> Result<Backend, FactoryError> {
    let settings = Mock::parse(settings).map_err(|violations| {
        let first = violations.into_iter().next();
        first.map_or_else(
            || FactoryError { path: String::new(), message: "invalid settings".to_owned() },
            |violation| FactoryError { path: violation.path, message: violation.message },
        )
    })?;
    Ok(Backend::Messages(Arc::new(MockEndpoint {
        name: name.to_owned(),
        sample: Arc::new(Sample::of(settings)),
    })))
}

struct MockEndpoint {
    name: String,
    sample: Arc<Sample>,
}

/// What every message is made of.
struct Sample {
    interval: Duration,
    count: Option<u64>,
    content: Bytes,
    headers: Vec<(String, String)>,
    metadata: Vec<(String, Value)>,
}

impl Sample {
    fn of(settings: Mock) -> Self {
        let pairs = |pairs: Option<Vec<Pair>>| pairs.unwrap_or_default().into_iter();
        Sample {
            interval: Duration::from_millis(settings.message_interval),
            count: settings.message_count,
            content: settings.message_content.into(),
            headers: pairs(settings.headers).map(|pair| (pair.name, pair.value)).collect(),
            metadata: pairs(settings.metadata).map(|pair| (pair.name, pair.value.into())).collect(),
        }
    }

    fn message(&self, number: u64) -> Message {
        let mut message = Message::new(Some(self.content.clone()));
        message.id = Some(number.to_string());
        message.headers = self.headers.clone();
        let own = self.metadata.iter().map(|(name, value)| (name.clone().into(), value.clone()));
        let made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        let made = u64::try_from(made).unwrap_or(u64::MAX);
        message.metadata = own.chain([("sourceTimestamp".into(), made.into())]).collect();
        message
    }
}

#[async_trait]
impl Endpoint for MockEndpoint {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        let start = match request.recovery.as_deref().map(str::parse::<u64>) {
            None => 0,
            Some(Ok(last)) => last.saturating_add(1),
            Some(Err(_)) => {
                let text = "the cursor cannot be read: send back the last nextCursor or event id of this API unchanged";
                return Err(Failure::plain(StatusCode::BAD_REQUEST, text));
            }
        };
        // Numbers are absolute: a stream that resumes does not get more messages than one that read from the start.
        let own = self.sample.count.unwrap_or(u64::MAX);
        let limit = request.limit;
        let sample = Arc::clone(&self.sample);
        let messages = stream::unfold(start, move |number| {
            let sample = Arc::clone(&sample);
            let wanted = limit.as_ref().map_or(u64::MAX, |limit| start.saturating_add(limit.get() as u64));
            async move {
                (number < own.min(wanted)).then_some(())?;
                tokio::time::sleep(sample.interval).await;
                Some((Ok(sample.message(number)), number + 1))
            }
        });
        Ok(match request.limit_duration {
            Some(duration) => messages.take_until(sleep_until(Instant::now() + duration)).boxed(),
            None => messages.boxed(),
        })
    }

    async fn publish(&self, _context: &PublishContext, message: Message) -> Result<(), Failure> {
        let content = message.content.as_deref().unwrap_or_default();
        tracing::info!(endpoint = self.name, "Received message: {}", String::from_utf8_lossy(content));
        Ok(())
    }

    fn recovers(&self, _qos: Qos) -> bool {
        true
    }

    async fn probe(&self) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Limit;
    use serde_json::json;

    async fn check(settings: Value, recovery: Option<&str>, limit: Option<usize>, expected: &[&str]) {
        let settings = settings.as_object().unwrap().clone();
        let Ok(Backend::Messages(endpoint)) = build("api/group/mock", &settings, &Shared::default()) else {
            panic!("not built")
        };
        let request = SubscribeRequest {
            qos: Qos::Auto,
            client_identifier: "client".into(),
            recovery: recovery.map(str::to_owned),
            limit: limit.map(Limit::new),
            limit_duration: Some(Duration::from_millis(500)),
            starting_cursor: crate::endpoint::StartingCursor::default(),
            attributes: Arc::default(),
        };
        let messages: Vec<_> = endpoint.subscribe(request).await.unwrap().collect().await;
        let ids: Vec<_> =
            messages.iter().map(|message| message.as_ref().unwrap().id.clone().unwrap()).collect();
        assert_eq!(ids, expected);
    }

    #[tokio::test]
    async fn numbers_end_at_the_count_the_limit_or_the_time() {
        check(json!({"messageInterval": 1, "messageCount": 3}), None, None, &["0", "1", "2"]).await;
        check(json!({"messageInterval": 1, "messageCount": 3}), None, Some(2), &["0", "1"]).await;
        check(json!({"messageInterval": 1, "messageCount": 3}), Some("0"), Some(9), &["1", "2"]).await;
        check(json!({"messageInterval": 1, "messageCount": 3}), Some("7"), None, &[]).await;
        check(json!({"messageInterval": 86_400_000}), None, None, &[]).await;
    }

    #[tokio::test]
    async fn a_position_that_is_no_number_is_refused() {
        let settings = json!({});
        let built = build("n", settings.as_object().unwrap(), &Shared::default());
        let Ok(Backend::Messages(endpoint)) = built else { panic!("not built") };
        let request = SubscribeRequest {
            qos: Qos::AtLeastOnce,
            client_identifier: "c".into(),
            recovery: Some("x".to_owned()),
            limit: None,
            limit_duration: None,
            starting_cursor: crate::endpoint::StartingCursor::default(),
            attributes: crate::endpoint::Attributes::default(),
        };
        let refused = endpoint.subscribe(request).await.err().unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn messages_carry_what_is_configured() {
        let settings = json!({
            "messageContent": "{\"a\":1}",
            "headers": [{"name": "X-A", "value": "1"}],
            "metadata": [{"name": "k", "value": "v"}],
        });
        let sample = Sample::of(Mock::parse(settings.as_object().unwrap()).unwrap());
        let message = sample.message(5);
        assert_eq!(message.content.as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(message.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert_eq!(message.metadata[0], ("k".into(), json!("v")));
        assert_eq!(message.metadata[1].0, "sourceTimestamp");
    }

    #[test]
    fn settings_that_do_not_parse_are_refused_with_their_place() {
        let settings = json!({"messageInterval": "soon"});
        let error = build("n", settings.as_object().unwrap(), &Shared::default()).err().unwrap();
        assert_eq!(error.path, "messageInterval");
    }
}
