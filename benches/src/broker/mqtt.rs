//! MQTT 5 with rumqttc: QoS 1, "confirmed" is the PUBACK.

use super::{Address, Confirmation, Messages, Publish};
use anyhow::Context;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use rumqttc::{AsyncClient, Broker, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

/// Requests of a client that wait for its connection.
const CAPACITY: usize = 1_000;

/// A client; its connection is driven by what follows.
fn client(address: &Address) -> (AsyncClient, EventLoop) {
    let id = format!("bench-{:016x}", rand::random::<u64>());
    let mut options = MqttOptions::new(id, Broker::tcp(address.host.clone(), address.port));
    options.set_unlimited_incoming_packet_size();
    if let Some((name, password)) = &address.user {
        options.set_credentials(name.clone(), password.clone());
    }
    AsyncClient::builder(options).capacity(CAPACITY).build()
}

pub(super) struct Publisher {
    client: AsyncClient,
    topic: String,
    driven: AbortHandle,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.driven.abort();
    }
}

impl Publisher {
    pub(super) async fn connect(address: &Address, topic: &str) -> anyhow::Result<Self> {
        let (client, mut events) = client(address);
        connected(&mut events).await?;
        // A broken connection shows in the confirmations.
        let driven = tokio::spawn(async move { while events.poll().await.is_ok() {} }).abort_handle();
        Ok(Self { client, topic: topic.to_owned(), driven })
    }
}

impl Publish for Publisher {
    fn send(&self, body: Bytes) -> BoxFuture<'_, anyhow::Result<Confirmation>> {
        async move {
            let sent =
                self.client.publish_tracked(self.topic.as_str(), body, PublishOptions::at_least_once());
            let notice = sent.await.context("the client ended")?;
            let confirmed = async move {
                notice.wait_completion_async().await.context("no PUBACK")?;
                Ok(())
            };
            Ok(confirmed.boxed())
        }
        .boxed()
    }
}

/// Drives a connection until the broker has accepted it.
async fn connected(events: &mut EventLoop) -> anyhow::Result<()> {
    loop {
        if let Event::Incoming(Incoming::ConnAck(_)) = events.poll().await.context("no MQTT connection")? {
            return Ok(());
        }
    }
}

pub(super) async fn messages(address: &Address, topic: &str) -> anyhow::Result<Messages> {
    let (client, mut events) = client(address);
    connected(&mut events).await?;
    client.subscribe(topic, QoS::AtMostOnce).await.context("the client ended")?;
    loop {
        if let Event::Incoming(Incoming::SubAck(_)) = events.poll().await.context("no subscription")? {
            break;
        }
    }
    Ok(Messages::of(|sender| async move {
        // The connection ends with its client.
        let _client = client;
        while let Ok(event) = events.poll().await {
            if let Event::Incoming(Incoming::Publish(publish)) = event
                && sender.send(publish.payload).await.is_err()
            {
                return;
            }
        }
    }))
}

/// The endpoint `solace` over MQTT 5, because `mqtt5` has no level that shares a subscription among SSE clients; the client
/// behind both is the same.
pub(super) fn endpoint(address: &Address, topic: &str) -> (&'static str, Value) {
    let (username, password) = address.credentials();
    let mut configuration = json!({ "url": format!("mqtt://{}", address.socket()),
        "consumer": { "enabled": true, "topics": [topic] }, "producer": { "enabled": true, "topics": [topic] } });
    if address.user.is_some() {
        configuration["security"] = json!({ "auth": { "username": username, "password": password } });
    }
    ("solace", configuration)
}
