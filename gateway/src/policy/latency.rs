//! Policy `latency`: delays requests, or each message. Messages are pulled, so that a delay keeps their order and slows
//! down whoever sends them.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::Phase;
use definition::policy::latency::Latency;
use definition::violation::Violation;
use std::sync::Arc;
use std::time::Duration;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Delay(Latency::parse(settings)?.delay())))
}

struct Delay(Duration);

#[async_trait]
impl Policy for Delay {
    async fn on_request(&self, _call: &mut Call) -> Result<Flow, Failure> {
        tokio::time::sleep(self.0).await;
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        _call: &Call,
        message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        tokio::time::sleep(self.0).await;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Instant;

    #[tokio::test]
    async fn requests_and_messages_wait() {
        let policy = super::super::sample::build(build, json!({"time": 30}));
        let mut call = Call::sample("GET /ctx", &[], "");
        let begun = Instant::now();
        policy.on_request(&mut call).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(30));
        let kept = policy.on_message(&call, Message::new(None), Phase::Publish).await.unwrap();
        assert!(kept.is_some() && begun.elapsed() >= Duration::from_millis(60));
    }
}
