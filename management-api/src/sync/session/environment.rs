//! One environment of one session: what the gateway was sent, and what comes next. Pure: pictures and messages in,
//! steps out; the session does the reading and the sending.
//!
//! At most one batch is under way. While it is, nothing is queued: when its answer comes, the difference between the
//! picture that was sent and the newest one is the next batch, however many changes happened in between.

use crate::sync::plan::{Change, delta, plan, removals_are_explained};
use crate::sync::state::{EnvState, Key, Summary};
use crate::sync::view::NodeView;
use definition::digest::Digest;
use definition::limits::SYNC_BATCH_MAX_BYTES;
use proto::sync::v1::BatchKind;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;
use uuid::Uuid;

/// Resources of one environment that a gateway may claim to hold; subscriptions and keys are counted too.
const INVENTORY_MAX: usize = 1_000_000;
/// Bytes of a change beside its body, about.
const CHANGE_OVERHEAD_BYTES: usize = 160;

/// What the session has to do next.
#[derive(Debug)]
pub(crate) enum Step {
    Nothing,
    AskInventory,
    /// The revision moved without anything for this gateway.
    Advance,
    Send(Outgoing),
}

/// A batch without its bodies.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) epoch: Uuid,
    pub(crate) kind: BatchKind,
    pub(crate) previous: u64,
    pub(crate) changes: Vec<Change>,
    pub(crate) target: Arc<EnvState>,
    pub(crate) more: bool,
    pub(crate) removals: u32,
    pub(crate) allow_mass_delete: bool,
    pub(crate) after: Summary,
}

/// What an answer of the gateway settled.
#[derive(Debug)]
pub(crate) enum Settled {
    /// An answer to something that is no longer under way.
    Stale,
    /// A part of a sequence.
    Part,
    /// The gateway finished with this picture, reached by batches of this kind.
    Reached(Arc<EnvState>, BatchKind),
}

enum Phase {
    /// The gateway is telling what it holds.
    Inventory(BTreeMap<Key, Digest>),
    Steady,
    Sending(Sequence),
}

struct Sequence {
    target: Arc<EnvState>,
    kind: BatchKind,
    previous: u64,
    queue: VecDeque<Change>,
    removals: u32,
    allow_mass_delete: bool,
}

/// The batch under way.
struct InFlight {
    nonce: u64,
    last: bool,
    /// When it was sent, or the gateway last said that it works on it.
    progress: Instant,
}

pub(crate) struct Environment {
    epoch: Uuid,
    /// The picture that the gateway holds completely.
    sent: Arc<EnvState>,
    phase: Phase,
    in_flight: Option<InFlight>,
}

impl Environment {
    /// The gateway holds exactly this picture.
    pub(crate) fn up_to_date(epoch: Uuid, sent: Arc<EnvState>) -> Self {
        Environment { epoch, sent, phase: Phase::Steady, in_flight: None }
    }

    /// The gateway was asked what it holds.
    pub(crate) fn unknown(epoch: Uuid) -> Self {
        let phase = Phase::Inventory(BTreeMap::new());
        Environment { epoch, sent: Arc::default(), phase, in_flight: None }
    }

    pub(crate) fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The picture that the gateway holds, if it holds one and nothing is under way.
    pub(crate) fn steady(&self) -> Option<&Arc<EnvState>> {
        match self.phase {
            Phase::Steady => Some(&self.sent),
            Phase::Inventory(_) | Phase::Sending(_) => None,
        }
    }

    /// When the batch under way last moved.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|batch| batch.progress)
    }

    /// Takes a part of the inventory. It may come unasked, when the gateway noticed that its chain broke; then
    /// whatever is under way is void. False: it is longer than any gateway's.
    pub(crate) fn inventory(
        &mut self,
        held: impl IntoIterator<Item = (Key, Digest)>,
        last: bool,
        epoch: Uuid,
        current: &Arc<EnvState>,
        view: &NodeView,
    ) -> bool {
        self.in_flight = None;
        let mut known = match std::mem::replace(&mut self.phase, Phase::Steady) {
            Phase::Inventory(known) => known,
            Phase::Steady | Phase::Sending(_) => BTreeMap::new(),
        };
        known.extend(held);
        if known.len() > INVENTORY_MAX {
            return false;
        }
        if !last {
            self.phase = Phase::Inventory(known);
            return true;
        }
        let desired = current.visible(view).map(|(key, content)| (key.clone(), content.digest));
        let changes = plan(desired, known);
        self.epoch = epoch;
        self.phase = Phase::Sending(Sequence {
            target: Arc::clone(current),
            kind: BatchKind::Reconcile,
            previous: 0,
            removals: removals(&changes),
            allow_mass_delete: removals_are_explained(&changes, current),
            queue: changes.into(),
        });
        true
    }

    /// The gateway is still working on the batch under way.
    pub(crate) fn progressed(&mut self, nonce: u64, now: Instant) {
        if let Some(batch) = self.in_flight.as_mut().filter(|batch| batch.nonce == nonce) {
            batch.progress = now;
        }
    }

    /// The gateway finished with a batch.
    pub(crate) fn acknowledged(&mut self, nonce: u64) -> Settled {
        match self.in_flight.take_if(|batch| batch.nonce == nonce) {
            None => Settled::Stale,
            Some(InFlight { last: false, .. }) => Settled::Part,
            Some(InFlight { last: true, .. }) => match std::mem::replace(&mut self.phase, Phase::Steady) {
                Phase::Sending(sequence) => {
                    self.sent = sequence.target;
                    Settled::Reached(Arc::clone(&self.sent), sequence.kind)
                }
                other @ (Phase::Inventory(_) | Phase::Steady) => {
                    self.phase = other;
                    Settled::Stale
                }
            },
        }
    }

    /// What to do next, given the newest picture. A batch counts as under way from here on.
    pub(crate) fn next(
        &mut self,
        nonce: u64,
        now: Instant,
        epoch: Uuid,
        current: &Arc<EnvState>,
        view: &NodeView,
    ) -> Step {
        if self.in_flight.is_some() {
            return Step::Nothing;
        }
        if self.epoch != epoch {
            self.epoch = epoch;
            self.phase = Phase::Inventory(BTreeMap::new());
            return Step::AskInventory;
        }
        if matches!(self.phase, Phase::Steady) && current.head > self.sent.head {
            let changes = delta(&self.sent, current, view);
            if changes.is_empty() {
                self.sent = Arc::clone(current);
                return Step::Advance;
            }
            self.phase = Phase::Sending(Sequence {
                target: Arc::clone(current),
                kind: BatchKind::Delta,
                previous: self.sent.head,
                removals: removals(&changes),
                allow_mass_delete: true,
                queue: changes.into(),
            });
        }
        let Phase::Sending(sequence) = &mut self.phase else { return Step::Nothing };
        let changes = sequence.chunk();
        let more = !sequence.queue.is_empty();
        self.in_flight = Some(InFlight { nonce, last: !more, progress: now });
        Step::Send(Outgoing {
            epoch,
            kind: sequence.kind,
            previous: sequence.previous,
            changes,
            more,
            removals: sequence.removals,
            allow_mass_delete: sequence.allow_mass_delete,
            after: sequence.target.summary(view),
            target: Arc::clone(&sequence.target),
        })
    }
}

impl Sequence {
    /// The next changes that fit into one batch, at least one if there are any.
    fn chunk(&mut self) -> Vec<Change> {
        let mut bytes = 0;
        let mut changes = Vec::new();
        while let Some(change) = self.queue.front() {
            let body = match change {
                Change::Upsert(key, _) => self
                    .target
                    .get(key)
                    .and_then(|entry| entry.content.as_ref())
                    .map_or(0, |content| content.size),
                Change::Delete(_) => 0,
            };
            bytes += body + change.key().id.len() + CHANGE_OVERHEAD_BYTES;
            if bytes > SYNC_BATCH_MAX_BYTES && !changes.is_empty() {
                break;
            }
            changes.extend(self.queue.pop_front());
        }
        changes
    }
}

fn removals(changes: &[Change]) -> u32 {
    let deletes = changes.iter().filter(|change| matches!(change, Change::Delete(_))).count();
    u32::try_from(deletes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
