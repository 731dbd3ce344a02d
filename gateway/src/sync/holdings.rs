//! What the gateway holds, and the rules by which a batch may change it. Pure: batches in, verdicts out.
//!
//! Inside an epoch nothing ever moves backwards, whoever sends it. A delta applies only on top of exactly the revision
//! it was made for; otherwise the gateway tells its inventory again. A removal of most of what is held needs an
//! explanation.

use super::status::EnvironmentStatus;
use super::{ApplyChange, ApplyOp, ApplyOutcome, Degraded, ENDPOINT_UNAVAILABLE, Level, Problem, READABLE};
use bytes::Bytes;
use definition::deployment::KIND_API;
use definition::digest::{Digest, resource_digest, set_digest};
use proto::sync::v1::{Batch, BatchKind, Change, Held as WireHeld, Operation, ResumePoint};
use std::collections::BTreeMap;

/// Removals from which the guard looks at a reconciliation.
const GUARD_MIN_REMOVALS: usize = 10;

/// Kind and id.
pub(super) type Key = (String, String);

/// One resource.
#[derive(Debug, Clone)]
struct Resource {
    revision: u64,
    /// Content that was sent last, refused or not.
    digest: Digest,
    /// Content that serves.
    serving: Option<Digest>,
    /// Why `digest` does not serve as it should.
    exception: Option<(Level, Problem)>,
}

/// One environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    epoch: Bytes,
    revision: u64,
    head: u64,
    resources: BTreeMap<Key, Resource>,
    /// Holdings were complete at least once.
    complete: bool,
    /// The sequence of batches under way: its revision, and whether its removals are held back.
    sequence: Option<(u64, bool)>,
}

/// Everything, by the name of the environment.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    environments: BTreeMap<String, Environment>,
}

/// What to do with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Apply(Checked),
    /// It does not fit on what is held: tell the inventory again.
    Resync(&'static str),
    /// It is older than what is held in the same epoch: whoever sent it is behind.
    Stale(Vec<ApplyOutcome>),
    /// It cannot be understood.
    Invalid(&'static str),
}

/// The changes of a batch: those for the applier, and the outcomes of those that need none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) changes: Vec<ApplyChange>,
    pub(super) settled: Vec<ApplyOutcome>,
}

/// How a sequence of batches ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finished {
    /// More batches follow.
    Part,
    Complete,
    /// Removals were held back.
    Guarded,
    /// Count or digest differ from management's.
    Mismatch,
}

impl Holdings {
    pub(super) fn environment(&mut self, name: &str) -> &mut Environment {
        self.environments.entry(name.to_owned()).or_default()
    }

    /// The environments in which something changed.
    pub(super) fn degrade(&mut self, degraded: &Degraded) -> Vec<String> {
        let changed = |(name, environment): (&String, &mut Environment)| {
            environment.degrade(degraded).then(|| name.clone())
        };
        self.environments.iter_mut().filter_map(changed).collect()
    }

    pub(super) fn resume(&self) -> Vec<ResumePoint> {
        let complete = self.environments.iter().filter(|(_, environment)| environment.complete);
        complete
            .map(|(name, environment)| ResumePoint {
                environment: name.clone(),
                epoch: environment.epoch.clone(),
                revision: environment.revision,
                held_digest: Bytes::copy_from_slice(&environment.digest()),
                count: environment.count(),
            })
            .collect()
    }

    /// True when there is an environment and each was complete once. A gateway that was offered none has nothing to
    /// serve and must not attract clients.
    pub(super) fn are_complete(&self) -> bool {
        !self.environments.is_empty() && self.environments.values().all(|environment| environment.complete)
    }

    pub(super) fn statuses(&self) -> Vec<EnvironmentStatus> {
        let status = |(name, environment): (&String, &Environment)| {
            let levels = |wanted| {
                let levels =
                    environment.resources.values().filter_map(|resource| resource.exception.as_ref());
                levels.filter(|(level, _)| *level == wanted).count()
            };
            EnvironmentStatus {
                name: name.clone(),
                revision: environment.revision,
                head: environment.head,
                resources: environment.resources.len(),
                rejected: levels(Level::Rejected),
                degraded: levels(Level::Degraded),
            }
        };
        self.environments.iter().map(status).collect()
    }
}

impl Environment {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    fn count(&self) -> u32 {
        u32::try_from(self.resources.len()).unwrap_or(u32::MAX)
    }

    /// Of everything that was sent, refused content included: what management compares.
    fn digest(&self) -> Digest {
        let rows = self.resources.iter();
        set_digest(rows.map(|((kind, id), resource)| (kind.as_str(), id.as_str(), &resource.digest[..])))
    }

    /// Of what serves.
    pub(super) fn active_digest(&self) -> Digest {
        let rows = self.resources.iter().filter_map(|((kind, id), resource)| {
            resource.serving.as_ref().map(|digest| (kind.as_str(), id.as_str(), &digest[..]))
        });
        set_digest(rows)
    }

    pub(super) fn serving(&self, kind: &str, id: &str) -> Option<Digest> {
        self.resources.get(&(kind.to_owned(), id.to_owned()))?.serving
    }

    pub(super) fn inventory(&self) -> Vec<WireHeld> {
        let rows = self.resources.iter();
        rows.map(|((kind, id), resource)| WireHeld {
            kind: kind.clone(),
            id: id.clone(),
            resource_revision: resource.revision,
            digest: Bytes::copy_from_slice(&resource.digest),
        })
        .collect()
    }

    /// Everything that does not serve as it should.
    pub(super) fn exceptions(&self) -> Vec<ApplyOutcome> {
        let rows = self.resources.iter().filter_map(|((kind, id), resource)| {
            let (level, problem) = resource.exception.clone()?;
            let (kind, id) = (kind.clone(), id.clone());
            Some(ApplyOutcome { kind, id, digest: Some(resource.digest), level, problem: Some(problem) })
        });
        rows.collect()
    }

    /// Takes in what shows after content was put in place; a problem of putting it in place says more. Answers whether
    /// anything changed.
    pub(super) fn degrade(&mut self, degraded: &Degraded) -> bool {
        let mut changed = false;
        for ((kind, id), resource) in self.resources.iter_mut().filter(|((kind, _), _)| kind == KIND_API) {
            let known = resource.exception.as_ref();
            if known.is_some_and(|(_, problem)| problem.code != ENDPOINT_UNAVAILABLE) {
                continue;
            }
            let found = degraded
                .get(id)
                .filter(|(digest, _)| resource.digest == *digest && resource.serving == Some(*digest))
                .map(|(_, problem)| (Level::Degraded, problem.clone()));
            if resource.exception != found {
                tracing::debug!(kind, id, degraded = found.is_some(), "how a resource serves has changed");
                resource.exception = found;
                changed = true;
            }
        }
        changed
    }

    /// What was under way is void: a session begins, or the inventory is told again.
    pub(super) fn restart(&mut self) {
        self.sequence = None;
    }

    /// Management says that nothing has to change. False if what is held says otherwise.
    pub(super) fn confirm(&mut self, epoch: Bytes, head: u64, count: u32, digest: &[u8]) -> bool {
        let confirmed = count == self.count() && digest == self.digest();
        if confirmed {
            (self.epoch, self.revision, self.complete) = (epoch, head, true);
        }
        confirmed
    }

    /// The head moved; up to `sent_up_to` nothing concerned this gateway.
    pub(super) fn advertised(&mut self, head: u64, sent_up_to: u64) {
        self.head = head;
        if self.complete && self.sequence.is_none() {
            self.revision = self.revision.max(sent_up_to);
        }
    }

    /// Judges a batch. Nothing changes except that its sequence is under way.
    pub(super) fn check(&mut self, batch: &Batch) -> Verdict {
        let same_epoch = batch.epoch == self.epoch;
        match batch.kind() {
            BatchKind::Unspecified => return Verdict::Invalid("a batch of unknown kind"),
            BatchKind::Delta if !self.complete || !same_epoch => return Verdict::Resync("epoch"),
            BatchKind::Delta if batch.previous_revision != self.revision => return Verdict::Resync("chain"),
            BatchKind::Delta | BatchKind::Reconcile if same_epoch && batch.revision < self.revision => {
                return Verdict::Stale(batch.changes.iter().map(|change| *stale(change)).collect());
            }
            BatchKind::Delta | BatchKind::Reconcile => {}
        }
        let guarded = match self.sequence {
            Some((revision, guarded)) if revision == batch.revision => guarded,
            Some(_) | None => self.must_guard(batch),
        };
        self.sequence = Some((batch.revision, guarded));
        let mut checked = Checked::default();
        for change in &batch.changes {
            match self.check_change(change, same_epoch, guarded) {
                Ok(change) => checked.changes.push(change),
                Err(outcome) => checked.settled.push(*outcome),
            }
        }
        Verdict::Apply(checked)
    }

    fn must_guard(&self, batch: &Batch) -> bool {
        let removals = batch.removals as usize;
        !batch.allow_mass_delete && removals >= GUARD_MIN_REMOVALS && removals * 2 > self.resources.len()
    }

    /// A change for the applier, or the outcome of one that needs none.
    fn check_change(
        &self,
        change: &Change,
        same_epoch: bool,
        guarded: bool,
    ) -> Result<ApplyChange, Box<ApplyOutcome>> {
        let key = (change.kind.clone(), change.id.clone());
        let held = self.resources.get(&key);
        if same_epoch && held.is_some_and(|held| held.revision > change.resource_revision) {
            return Err(stale(change));
        }
        let op = match change.operation() {
            Operation::Unspecified => {
                return Err(refused(
                    change,
                    UNKNOWN_OPERATION,
                    "this build does not know what to do with it",
                ));
            }
            Operation::Delete if guarded => {
                let fix = "most of what the gateway serves would be removed without an explanation, as after a \
                           restore of an old store: restart the gateway to accept it";
                return Err(refused(change, MASS_DELETE_GUARD, fix));
            }
            Operation::Delete if held.is_none() => return Err(outcome(change, Level::Removed, None)),
            Operation::Delete => ApplyOp::Delete,
            Operation::Upsert => upsert(change, held)?,
        };
        Ok(ApplyChange { kind: key.0, id: key.1, op })
    }

    /// Notes the outcomes of a batch's changes.
    pub(super) fn note(&mut self, batch: &Batch, outcomes: &[ApplyOutcome]) {
        let by_key: BTreeMap<(&str, &str), &ApplyOutcome> =
            outcomes.iter().map(|outcome| ((&*outcome.kind, &*outcome.id), outcome)).collect();
        for change in &batch.changes {
            let Some(outcome) = by_key.get(&(&*change.kind, &*change.id)) else { continue };
            self.note_change(change, outcome);
        }
    }

    fn note_change(&mut self, change: &Change, outcome: &ApplyOutcome) {
        let key = (change.kind.clone(), change.id.clone());
        let code = outcome.problem.as_ref().map(|problem| problem.code.as_str());
        // Nothing was taken in: what is held stays as it is.
        if matches!(code, Some(STALE | MASS_DELETE_GUARD | UNKNOWN_OPERATION)) {
            return;
        }
        if change.operation() == Operation::Delete {
            self.resources.remove(&key);
            return;
        }
        let Ok(digest) = Digest::try_from(&change.digest[..]) else { return };
        let before = self.resources.get(&key).and_then(|resource| resource.serving);
        let serving = match outcome.level {
            Level::Active | Level::Degraded => Some(digest),
            Level::Rejected => before,
            Level::Removed => None,
        };
        let exception = outcome.problem.clone().map(|problem| (outcome.level, problem));
        let revision = change.resource_revision;
        self.resources.insert(key, Resource { revision, digest, serving, exception });
    }

    /// Closes a batch that was applied.
    pub(super) fn finish(&mut self, batch: &Batch) -> Finished {
        if batch.more {
            return Finished::Part;
        }
        let guarded = self.sequence.take().is_some_and(|(_, guarded)| guarded);
        self.epoch = batch.epoch.clone();
        self.revision = batch.revision;
        self.head = self.head.max(batch.revision);
        if guarded {
            self.complete = true;
            return Finished::Guarded;
        }
        if batch.count_after != self.count() || batch.digest_after != self.digest()[..] {
            return Finished::Mismatch;
        }
        self.complete = true;
        Finished::Complete
    }
}

/// Code of changes that are older than what is held.
const STALE: &str = "STALE";
/// Code of removals that are held back.
const MASS_DELETE_GUARD: &str = "MASS_DELETE_GUARD";
/// Code of changes from a newer protocol.
const UNKNOWN_OPERATION: &str = "UNKNOWN_OPERATION";

fn upsert(change: &Change, held: Option<&Resource>) -> Result<ApplyOp, Box<ApplyOutcome>> {
    let Ok(digest) = Digest::try_from(&change.digest[..]) else {
        return Err(refused(
            change,
            "DIGEST_MISMATCH",
            "its digest is not a SHA-256: restart the gateway to get it again",
        ));
    };
    if let Some(held) = held.filter(|held| held.digest == digest) {
        let (level, problem) = held.exception.clone().unzip();
        return Err(outcome(change, level.unwrap_or(Level::Active), problem));
    }
    if !READABLE.contains(&(change.kind.as_str(), change.schema_version)) {
        let readable = READABLE.iter().map(|(kind, version)| format!("{kind} version {version}"));
        let message = format!(
            "this build reads {}, not {} version {}: upgrade the gateway",
            readable.collect::<Vec<_>>().join(", "),
            change.kind,
            change.schema_version
        );
        return Err(refused(change, "INCOMPATIBLE", &message));
    }
    if resource_digest(&change.kind, change.schema_version, &change.body) != digest {
        let message = "the content arrived damaged: deploy it again, or restart the gateway to get it again";
        return Err(refused(change, "DIGEST_MISMATCH", message));
    }
    Ok(ApplyOp::Upsert { digest, body: change.body.clone(), revision: change.resource_revision })
}

fn stale(change: &Change) -> Box<ApplyOutcome> {
    refused(change, STALE, "the gateway already has something newer")
}

fn refused(change: &Change, code: &str, message: &str) -> Box<ApplyOutcome> {
    let problem = Problem { code: code.to_owned(), path: String::new(), message: message.to_owned() };
    outcome(change, Level::Rejected, Some(problem))
}

fn outcome(change: &Change, level: Level, problem: Option<Problem>) -> Box<ApplyOutcome> {
    let digest = Digest::try_from(&change.digest[..]).ok();
    Box::new(ApplyOutcome { kind: change.kind.clone(), id: change.id.clone(), digest, level, problem })
}

#[cfg(test)]
mod tests;
