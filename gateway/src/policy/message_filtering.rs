//! Policy `message-filtering`: keeps the messages for which an expression holds.
//!
//! The expression is asked once when a client connects, without a message. A text that comes out of it then, such as a
//! value of the subscription's metadata, is itself the expression for this connection. When the metadata changes while the
//! client is connected, it is asked again.

use super::{Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::message::Message;
use crate::seldom::warn_seldom;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::message_filtering::MessageFiltering;
use definition::violation::Violation;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = MessageFiltering::parse(settings)?;
    Ok(Arc::new(Filter {
        written: settings.filter,
        connected: None,
        acknowledges: settings.ack_filtered_message,
        drops_on_error: settings.filter_message_on_filtering_error,
    }))
}

struct Filter {
    /// By the author of the API.
    written: Template,
    /// Of one connection; locked for as long as it takes to look.
    connected: Option<Mutex<Connected>>,
    acknowledges: bool,
    drops_on_error: bool,
}

/// The filter of one connection.
struct Connected {
    /// `None`: what came out is no expression, so that every message is an error.
    filter: Option<Template>,
    /// The metadata that it was made with.
    metadata: Seen,
}

/// The metadata of the caller's subscription at one time.
type Seen = Option<Arc<BTreeMap<String, String>>>;

fn metadata(call: &Call) -> Seen {
    call.consumer.as_ref().map(|consumer| consumer.metadata.all())
}

#[async_trait]
impl Policy for Filter {
    fn needs(&self, _phase: Phase) -> Needs {
        self.written.needs()
    }

    fn connect(&self, call: &Call, _phase: Phase) -> Option<Arc<dyn Policy>> {
        let metadata = metadata(call);
        let connected = Mutex::new(Connected { filter: self.filter(call), metadata });
        Some(Arc::new(Filter {
            written: self.written.clone(),
            connected: Some(connected),
            acknowledges: self.acknowledges,
            drops_on_error: self.drops_on_error,
        }))
    }

    async fn on_message(
        &self,
        call: &Call,
        message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        let scope = Scope::of_message(call, &message);
        let filter = self.current(call);
        let keeps = match filter.as_ref().map(|filter| expression::truth(filter, &scope)) {
            Some(Ok(truth)) => truth == Some(true),
            Some(Err(_)) | None => !self.drops_on_error,
        };
        if keeps {
            return Ok(Some(message));
        }
        if self.acknowledges {
            message.ack.delivered();
        }
        Ok(None)
    }
}

impl Filter {
    /// What decides about the messages of a connection; `None`: that is no expression.
    fn filter(&self, call: &Call) -> Option<Template> {
        let value = expression::json(&self.written, &Scope::of(call));
        let Ok(Some(Value::String(source))) = value else { return Some(self.written.clone()) };
        let parsed = Template::condition(&source);
        if let Err(error) = &parsed {
            let position = error.position;
            warn_seldom!(api.id = &*call.api.id, position, "the message filter of a client is no expression");
        }
        parsed.ok()
    }

    fn current(&self, call: &Call) -> Option<Template> {
        let Some(connected) = &self.connected else { return Some(self.written.clone()) };
        let mut connected = connected.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = metadata(call);
        let same = match (&connected.metadata, &metadata) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        if !same {
            *connected = Connected { filter: self.filter(call), metadata };
        }
        connected.filter.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Consumer;
    use crate::message::{Ack, Outcome};
    use serde_json::json;

    /// What becomes of a message with this filter and these other settings: kept, and how it was settled.
    async fn fate(filter: &str, other: Value, content: &str) -> (bool, Option<Outcome>) {
        let mut settings = other;
        settings["filter"] = filter.into();
        let mut call = Call::sample("GET /ctx", &[], "");
        call.attributes.set("own", "{#message.content == 'a'}");
        call.attributes.set("broken", "{#");
        let shared = super::super::sample::build(build, settings);
        let policy = shared.connect(&call, Phase::Subscribe).unwrap_or(shared);
        let settled = Arc::new(Mutex::new(None));
        let mut message = Message::new(Some(content.to_owned().into()));
        message.ack = Ack::new({
            let settled = Arc::clone(&settled);
            move |outcome| *settled.lock().unwrap() = Some(outcome)
        });
        let kept = policy.on_message(&call, message, Phase::Subscribe).await.unwrap();
        let outcome = *settled.lock().unwrap();
        (kept.is_some(), outcome)
    }

    #[tokio::test]
    async fn a_message_is_kept_or_acknowledged() {
        const KEPT: (bool, Option<Outcome>) = (true, None);
        const DROPPED: (bool, Option<Outcome>) = (false, Some(Outcome::Delivered));
        const LOST: (bool, Option<Outcome>) = (false, Some(Outcome::Failed));
        assert_eq!(fate("true", json!({}), "a").await, KEPT);
        assert_eq!(fate("false", json!({}), "a").await, DROPPED);
        assert_eq!(fate("false", json!({"ackFilteredMessage": false}), "a").await, LOST);
    }

    #[tokio::test]
    async fn content_and_context_decide() {
        const CONTENT: &str = "{#message.content == 'a'}";
        assert!(fate(CONTENT, json!({}), "a").await.0 && !fate(CONTENT, json!({}), "b").await.0);
        assert!(!fate("{#context.attributes['none']}", json!({}), "a").await.0, "null is not true");
        const BROKEN: &str = "{#jsonPath(#message.content, '$.a.b') == 1}";
        assert_eq!(fate(BROKEN, json!({}), "no json").await, (false, Some(Outcome::Delivered)));
        assert!(fate(BROKEN, json!({"filterMessageOnFilteringError": false}), "no json").await.0);
    }

    #[tokio::test]
    async fn a_filter_in_the_metadata_follows_the_metadata() {
        let shared = super::super::sample::build(build, json!({"filter": "{#subscription.metadata['f']}"}));
        let mut call = Call::sample("GET /ctx", &[], "");
        let consumer = Arc::new(Consumer::default());
        call.consumer = Some(Arc::clone(&consumer));
        let policy = shared.connect(&call, Phase::Subscribe).unwrap();
        for (filter, kept) in [("false", false), ("true", true), ("{#message.content == 'b'}", false)] {
            consumer.metadata.replace([("f".to_owned(), filter.to_owned())].into());
            let message = Message::new(Some("a".into()));
            let passed = policy.on_message(&call, message, Phase::Subscribe).await.unwrap();
            assert_eq!(passed.is_some(), kept, "{filter}");
        }
    }

    #[tokio::test]
    async fn a_text_that_comes_out_at_connection_is_the_filter() {
        const OWN: &str = "{#context.attributes['own']}";
        assert!(fate(OWN, json!({}), "a").await.0 && !fate(OWN, json!({}), "b").await.0);
        const UNREADABLE: &str = "{#context.attributes['broken']}";
        assert_eq!(fate(UNREADABLE, json!({}), "a").await, (false, Some(Outcome::Delivered)));
        assert!(fate(UNREADABLE, json!({"filterMessageOnFilteringError": false}), "a").await.0);
    }
}
