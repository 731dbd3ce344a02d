//! The way to the gateway: numbers the messages, attaches bodies and bounds how long a send may block.

use super::End;
use super::environment::Outgoing;
use crate::sync::bodies::Bodies;
use crate::sync::plan::Change;
use crate::sync::view::Capabilities;
use bytes::Bytes;
use chrono::Utc;
use proto::sync::v1::{Batch, BatchKind, Down, HeadAdvert, NeedInventory, Operation, down};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tonic::Status;
use tracing::error;

/// A send that blocks for longer ends the session.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Outbound {
    sender: mpsc::Sender<Result<Down, Status>>,
    nonce: u64,
}

/// The last word of a session.
pub(super) struct Closing(mpsc::Sender<Result<Down, Status>>);

impl Closing {
    /// Says why the stream ends, if there is room for it; the stream ends either way.
    pub(super) fn finish(self, status: Option<Status>) {
        if let Some(status) = status {
            self.0.try_send(Err(status)).ok();
        }
    }
}

impl Outbound {
    pub(super) fn new(sender: mpsc::Sender<Result<Down, Status>>) -> Self {
        Outbound { sender, nonce: 0 }
    }

    pub(super) fn closing(&self) -> Closing {
        Closing(self.sender.clone())
    }

    /// The nonce of the next message.
    pub(super) fn next_nonce(&self) -> u64 {
        self.nonce + 1
    }

    pub(super) async fn send(&mut self, message: down::Message) -> Result<(), End> {
        self.nonce += 1;
        let down = Down { nonce: self.nonce, message: Some(message) };
        match self.sender.send_timeout(Ok(down), SEND_TIMEOUT).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(End::Blocked),
            Err(SendTimeoutError::Closed(_)) => Err(End::Closed),
        }
    }

    pub(super) async fn ask_inventory(&mut self, environment: String) -> Result<(), End> {
        metrics::counter!("tidegate_sync_reconciles_total", "cause" => "asked").increment(1);
        self.send(down::Message::NeedInventory(NeedInventory { environment })).await
    }

    pub(super) async fn head(
        &mut self,
        environment: String,
        head: u64,
        sent_up_to: u64,
        store_unreachable: bool,
    ) -> Result<(), End> {
        let unix_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
        let advert = HeadAdvert { environment, head, sent_up_to, unix_ms, store_unreachable };
        self.send(down::Message::Head(advert)).await
    }

    pub(super) async fn batch(
        &mut self,
        environment: String,
        outgoing: Outgoing,
        bodies: &Bodies,
        capabilities: &Capabilities,
    ) -> Result<(), End> {
        let mut changes = Vec::with_capacity(outgoing.changes.len());
        let mut bytes = 0;
        for change in &outgoing.changes {
            let change = wire(change, &outgoing, bodies, capabilities).await?;
            bytes += change.body.len();
            changes.push(change);
        }
        if outgoing.kind == BatchKind::Reconcile {
            metrics::counter!("tidegate_sync_reconcile_bytes_total").increment(bytes as u64);
        }
        let batch = Batch {
            environment,
            epoch: Bytes::copy_from_slice(outgoing.epoch.as_bytes()),
            previous_revision: outgoing.previous,
            revision: outgoing.target.head,
            changes,
            more: outgoing.more,
            kind: outgoing.kind.into(),
            digest_after: Bytes::copy_from_slice(&outgoing.after.digest),
            count_after: outgoing.after.count,
            committed_unix_ms: outgoing.target.committed_unix_ms,
            allow_mass_delete: outgoing.allow_mass_delete,
            removals: outgoing.removals,
        };
        self.send(down::Message::Batch(batch)).await
    }
}

async fn wire(
    change: &Change,
    outgoing: &Outgoing,
    bodies: &Bodies,
    capabilities: &Capabilities,
) -> Result<proto::sync::v1::Change, End> {
    let key = change.key();
    let entry = outgoing.target.get(key);
    let mut wire = proto::sync::v1::Change {
        kind: key.kind.to_string(),
        id: key.id.to_string(),
        operation: Operation::Delete.into(),
        resource_revision: entry.map_or(outgoing.target.head, |entry| entry.revision),
        deployment_id: entry.and_then(|entry| entry.deployment).map(|id| id.to_string()).unwrap_or_default(),
        ..proto::sync::v1::Change::default()
    };
    if let (Change::Upsert(_, digest), Some(content)) =
        (change, entry.and_then(|entry| entry.content.as_ref()))
    {
        wire.operation = Operation::Upsert.into();
        wire.digest = Bytes::copy_from_slice(digest);
        wire.schema_version = content.schema_version;
        if capabilities.can_read(&key.kind, content.schema_version) {
            wire.body = bodies.get(digest).await.map_err(|error| {
                error!(
                    kind = &*key.kind,
                    id = &*key.id,
                    error = format!("{error:#}"),
                    "content cannot be read"
                );
                End::Store
            })?;
        }
    }
    Ok(wire)
}
