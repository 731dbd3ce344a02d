//! An endpoint as one connection sees it: with the steps for messages in between.
//!
//! Nothing is read ahead: a message is taken from the endpoint when the client can take one, and passes the steps then.

use super::messages::MessageChain;
use crate::call::Call;
use crate::endpoint::{Endpoint, PublishContext, SubscribeRequest};
use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use async_trait::async_trait;
use definition::api::Qos;
use futures::stream::{self, StreamExt as _};
use std::sync::{Arc, OnceLock};

/// Messages dropped in a row after which others get their turn on the thread.
const DROPPED_BEFORE_YIELD: usize = 64;

/// An endpoint behind steps.
pub(crate) struct Bridge {
    endpoint: Arc<dyn Endpoint>,
    publish: MessageChain,
    /// The call after the request flows.
    sent: Call,
    subscribe: Arc<MessageChain>,
    received: Received,
}

/// The call as messages to the client see it: after the response flows, which run when the response's head is made.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<OnceLock<Call>>);

impl Received {
    /// Makes the call known; what was set first stays.
    pub(crate) fn set(&self, call: Call) {
        self.0.set(call).ok();
    }
}

impl Bridge {
    pub(crate) fn new(
        endpoint: Arc<dyn Endpoint>,
        publish: MessageChain,
        subscribe: MessageChain,
        call: &Call,
        received: Received,
    ) -> Self {
        Bridge { endpoint, publish, sent: call.snapshot(), subscribe: Arc::new(subscribe), received }
    }
}

#[async_trait]
impl Endpoint for Bridge {
    async fn subscribe(&self, request: SubscribeRequest) -> Result<MessageStream, Failure> {
        if self.subscribe.is_empty() {
            return self.endpoint.subscribe(request).await;
        }
        let limit = request.limit.clone();
        let source = self.endpoint.subscribe(request).await?;
        let state = (source, Arc::clone(&self.subscribe), self.received.clone(), self.sent.snapshot());
        let messages = stream::unfold(Some(state), move |state| {
            let limit = limit.clone();
            async move {
                let (mut source, chain, received, sent) = state?;
                let mut dropped = 0;
                loop {
                    let message = match source.next().await? {
                        Ok(message) => message,
                        Err(failure) => return Some((Err(failure), None)),
                    };
                    let call = received.0.get().unwrap_or(&sent);
                    match chain.run(call, message).await {
                        Ok(Some(message)) => {
                            return Some((Ok(message), Some((source, chain, received, sent))));
                        }
                        Err(failure) => return Some((Err(failure), None)),
                        Ok(None) => {}
                    }
                    // What the client did not get does not count.
                    limit.iter().for_each(crate::endpoint::Limit::raise);
                    dropped += 1;
                    if dropped % DROPPED_BEFORE_YIELD == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        Ok(messages.boxed())
    }

    async fn publish(&self, context: &PublishContext, message: Message) -> Result<(), Failure> {
        match self.publish.run(&self.sent, message).await? {
            Some(message) => self.endpoint.publish(context, message).await,
            None => Ok(()),
        }
    }

    fn recovers(&self, qos: Qos) -> bool {
        self.endpoint.recovers(qos)
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.endpoint.probe().await
    }
}
