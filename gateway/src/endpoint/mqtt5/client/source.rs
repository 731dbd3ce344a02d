//! QoS none: one subscription per broker and topic filter, whatever the number of readers.
//!
//! Messages come with the protocol's QoS 0 and nobody acknowledges anything. Retained messages are not asked for: only the
//! first of the readers would get them.

use super::fault::{Cause, closed};
use super::line::{self, End, Next, Wire};
use super::received::received;
use super::session::{Wish, refusal};
use super::{Broker, BrokerKey, Clients, random_client_id};
use crate::endpoint::fanout::Feed;
use crate::failure::Failure;
use crate::message::MessageStream;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use rumqttc::{AsyncClient, ConnAck, Publish, QoS, RetainForwardRule, SubAck, SubscribeFilterInput};
use std::sync::Arc;

/// What makes two readers share a source.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    broker: BrokerKey,
    filter: Arc<str>,
    expiry_s: u32,
}

struct Source {
    client: AsyncClient,
    feed: Feed,
    filter: Arc<str>,
}

impl Wire for Source {
    fn connected(&self, connack: &ConnAck, _away: bool) {
        if connack.session_present {
            return self.feed.live();
        }
        let filter = SubscribeFilterInput::new(&*self.filter, QoS::AtMostOnce)
            .preserve_retain(true)
            .retain_forward_rule(RetainForwardRule::Never);
        if let Err(error) = self.client.try_subscribe_many([filter]) {
            tracing::warn!(%error, "a subscription was not sent");
        }
    }

    fn subscribed(&self, suback: &SubAck) -> Result<Next, Failure> {
        refusal(suback).map_or(Ok(()), Err)?;
        self.feed.live();
        Ok(Next::GoOn)
    }

    fn received(&self, publish: Publish) {
        self.feed.push(received(publish));
    }

    fn lost(&self) {}
}

async fn run(source: Source, mut events: rumqttc::EventLoop, attempts: u32) -> Result<(), Failure> {
    let end = tokio::select! {
        end = line::drive(&mut events, &source, attempts) => end,
        () = source.feed.unwanted() => End::Closed,
    };
    if matches!(end, End::Closed | End::Refused(_)) {
        line::goodbye(&source.client, &mut events, &source, true).await;
    }
    end.failure().map_or(Ok(()), Err)
}

impl Clients {
    /// The messages of a topic filter from now on, shared with everybody who reads the same.
    ///
    /// # Errors
    /// Why the broker cannot be read.
    pub(crate) async fn broadcast(&self, broker: &Broker, wish: &Wish) -> Result<MessageStream, Failure> {
        let key = Key { broker: broker.key, filter: Arc::clone(&wish.filter), expiry_s: wish.expiry_s };
        let reader = self.sources.join(key, |feed| {
            // With an expiry the broker keeps the session over a cut; its goodbye ends it in any case.
            let options = broker.reader(&random_client_id("client"), wish.expiry_s, true);
            let (client, events) = line::client(options);
            let source = Source { client, feed, filter: Arc::clone(&wish.filter) };
            run(source, events, broker.reconnect_attempts)
        });
        started(reader).await
    }
}

/// A source that ended before it began is an answer and no stream.
async fn started(mut reader: crate::endpoint::fanout::Reader) -> Result<MessageStream, Failure> {
    if tokio::time::timeout(super::session::START, reader.started()).await.is_err() {
        return Err(Cause::Unreachable.failure());
    }
    let mut messages = reader.into_stream();
    match messages.next().now_or_never() {
        Some(Some(Err(failure))) => Err(failure),
        Some(None) => Err(closed()),
        Some(Some(Ok(first))) => Ok(stream::iter([Ok(first)]).chain(messages).boxed()),
        None => Ok(messages),
    }
}
