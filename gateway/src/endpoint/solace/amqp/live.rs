//! QoS none: one connection reads the topics for every client of the node, without anything that the broker keeps.
//!
//! Messages are settled before the broker sends them. What is sent while the connection is away is lost.

use super::Remote;
use super::connection::{Connected, Reading, passing_name};
use super::fault::Fault;
use super::message;
use super::outage::Outage;
use crate::endpoint::fanout::Feed;
use crate::failure::Failure;
use std::pin::pin;

/// Messages that the broker may send ahead, per topic.
const AHEAD: u32 = 256;

/// Feeds the readers until there are none, over absences of the broker.
pub(super) async fn read(
    remote: std::sync::Arc<Remote>,
    topics: Vec<String>,
    feed: Feed,
) -> Result<(), Failure> {
    let mut outage = Outage::new();
    loop {
        let Err(fault) = read_once(&remote, &topics, &feed, &mut outage).await else { return Ok(()) };
        tracing::debug!(?fault, ?topics, "reading from a broker was interrupted");
        tokio::select! {
            paused = outage.pause(fault) => paused.map_err(|fault| fault.failure())?,
            () = feed.unwanted() => return Ok(()),
        }
    }
}

async fn read_once(
    remote: &Remote,
    topics: &[String],
    feed: &Feed,
    outage: &mut Outage,
) -> Result<(), Fault> {
    let mut connected = Connected::open(remote, &passing_name()).await?;
    for topic in topics {
        connected.attach(topic, Reading::Live).await?;
    }
    connected.allow(AHEAD, true).await?;
    feed.live();
    outage.over();
    let mut unwanted = pin!(feed.unwanted());
    loop {
        tokio::select! {
            incoming = connected.next() => {
                let incoming = incoming?;
                feed.push(message::received(incoming.message, &topics[incoming.link]));
                // A broker that does not settle beforehand is told all the same.
                connected.accept(incoming.link, incoming.info).await?;
                connected.allow(AHEAD, false).await?;
            }
            () = &mut unwanted => break,
        }
    }
    connected.close().await;
    Ok(())
}
