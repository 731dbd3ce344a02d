//! QoS auto, at-most-once and at-least-once: a subscription that the broker keeps for each client identifier and topic,
//! read over one connection of the node for all connections of that client.
//!
//! - auto: a message is accepted when it is handed over.
//! - at-most-once: the broker settles a message before it sends it, so that no cut can make it come twice.
//! - at-least-once: a message is accepted when its client got it; what was not comes again, also after a reconnect.

use super::Remote;
use super::connection::{Connected, Reading, lasting_name};
use super::fault::Fault;
use super::group::{Client, Group, GroupKey};
use super::outage::Outage;
use crate::failure::{Failure, key as failure};
use definition::api::Qos;
use http::StatusCode;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Clients that went have this long to say what they got.
const LAST_ACKS: Duration = Duration::from_secs(5);
/// A task that has to leave the broker first gets this long.
const PREDECESSOR: Duration = Duration::from_secs(8);

/// Groups of one gateway; each has a connection.
const GROUPS_MAX: usize = 8_192;

/// The groups of a gateway.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<GroupKey, Arc<Group>>>);

/// Joins the group of `key`; there is one afterwards.
pub(super) fn join(groups: &Arc<Groups>, remote: &Arc<Remote>, key: GroupKey) -> Result<Client, Failure> {
    let mut known = groups.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = known.get(&key).and_then(Group::join) {
        return Ok(client);
    }
    if known.len() >= GROUPS_MAX {
        let text = format!(
            "this gateway already reads from Solace for {GROUPS_MAX} client identifiers: try again later, use qos none, which \
             shares one connection, or add gateways"
        );
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, failure::CONNECTION_FAILED, text));
    }
    let group = Arc::new(Group::new(key.clone()));
    let client = group.join().ok_or_else(|| Fault::Closed.failure())?;
    let predecessor = known.insert(key, Arc::clone(&group));
    tokio::spawn(run(Arc::clone(groups), Arc::clone(remote), group, predecessor));
    Ok(client)
}

async fn run(groups: Arc<Groups>, remote: Arc<Remote>, group: Arc<Group>, predecessor: Option<Arc<Group>>) {
    if let Some(predecessor) = predecessor
        && timeout(PREDECESSOR, predecessor.gone()).await.is_err()
    {
        tracing::warn!(client = &*group.key.client_identifier, "a subscription is still being left");
    }
    let outcome = serve(&remote, &group).await;
    if let Err(failure) = &outcome {
        let client = &*group.key.client_identifier;
        tracing::warn!(client, topics = ?group.key.topics, %failure, "a durable subscription is not read any more");
    }
    group.end(outcome.err());
    group.left();
    let mut known = groups.0.lock().unwrap_or_else(PoisonError::into_inner);
    if known.get(&group.key).is_some_and(|other| Arc::ptr_eq(other, &group)) {
        known.remove(&group.key);
    }
}

async fn serve(remote: &Remote, group: &Group) -> Result<(), Failure> {
    let mut outage = Outage::new();
    loop {
        let Err(fault) = serve_once(remote, group, &mut outage).await else { return Ok(()) };
        tracing::debug!(
            ?fault,
            client = &*group.key.client_identifier,
            "a durable subscription was interrupted"
        );
        group.down(fault.clone());
        tokio::select! {
            paused = outage.pause(fault) => paused.map_err(|fault| fault.failure())?,
            () = group.unwanted(LAST_ACKS) => return Ok(()),
        }
    }
}

async fn serve_once(remote: &Remote, group: &Group, outage: &mut Outage) -> Result<(), Fault> {
    let settled = group.key.level == Qos::AtMostOnce;
    let mut connected = Connected::open(remote, &lasting_name(&group.key.client_identifier)).await?;
    for topic in &group.key.topics {
        connected.attach(topic, Reading::Durable { settled }).await?;
    }
    group.live();
    outage.over();
    let mut unwanted = pin!(group.unwanted(LAST_ACKS));
    loop {
        connected.allow(group.room(), settled).await?;
        tokio::select! {
            incoming = connected.next() => {
                let incoming = incoming?;
                if settled {
                    // A broker that does not settle beforehand is told before the message is handed over.
                    connected.accept(incoming.link, incoming.info.clone()).await?;
                }
                group.push(incoming);
            }
            () = group.work() => accept(&connected, group).await?,
            () = &mut unwanted => break,
        }
    }
    accept(&connected, group).await?;
    connected.close().await;
    Ok(())
}

async fn accept(connected: &Connected, group: &Group) -> Result<(), Fault> {
    for (link, info) in group.take_settled() {
        connected.accept(link, info).await?;
    }
    Ok(())
}
