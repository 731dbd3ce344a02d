//! One session with management: takes batches in, one after the other, and reports what became of them.

mod owned;

use super::holdings::{Checked, Finished, Holdings, Verdict};
use super::status::Publisher;
use super::{Applier, ApplyOutcome, Degraded, Identity, Level, READABLE, apply};
use bytes::Bytes;
use definition::consumer::{CAPABILITY_PUSH, PUSH_LEASE_MS, PUSH_VERSION};
use owned::news;
use proto::sync::v1::{
    self, ApplyReport, Batch, BatchKind, BootSource, Capability, Down, Drain, EnvironmentState, Health,
    Hello, Inventory, Up, Welcome, down, up,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tracing::{info, warn};

/// Generation of the protocol.
const PROTO: (u32, u32) = (1, 0);
/// Signs of life to management: several per lease, so that one late one costs no push subscription.
const HEARTBEAT: Duration = Duration::from_millis(PUSH_LEASE_MS / 4);
/// Share by which they differ.
const HEARTBEAT_JITTER: f64 = 0.1;
/// Silence after which management is lost.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How often management hears that a batch is still being applied.
const PROGRESS_PERIOD: Duration = Duration::from_secs(3);
/// A send that blocks for longer ends the session.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the good-bye to arrive.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Resources in one message of the inventory.
const INVENTORY_CHUNK: usize = 10_000;

/// Why there is no session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) reason: String,
    /// Management asked for a pause.
    pub(super) retry_after: Option<Duration>,
    /// There was one.
    pub(super) welcomed: bool,
}

impl Ended {
    pub(super) fn because(reason: String) -> Self {
        Ended { reason, retry_after: None, welcomed: false }
    }
}

/// The way to management.
pub(super) struct Upward {
    sender: mpsc::Sender<Up>,
    seq: u64,
}

/// Both ways.
pub(super) struct Link {
    pub(super) up: Upward,
    pub(super) down: Streaming<Down>,
}

pub(super) struct Session<'a, A> {
    identity: &'a Identity,
    applier: &'a A,
    publisher: &'a Publisher,
    holdings: &'a mut Holdings,
    up: Upward,
    down: Streaming<Down>,
    welcomed: bool,
    /// When management hears from here again.
    heartbeat: Instant,
    /// What shows after content was put in place; `None`: nothing ever will.
    degraded: Option<watch::Receiver<Arc<Degraded>>>,
}

impl Upward {
    pub(super) fn new(sender: mpsc::Sender<Up>) -> Self {
        Upward { sender, seq: 0 }
    }

    async fn send(&mut self, message: up::Message) -> Result<(), Ended> {
        self.seq += 1;
        let up = Up { seq: self.seq, message: Some(message) };
        let sent = self.sender.send_timeout(up, SEND_TIMEOUT).await;
        sent.map_err(|_| Ended::because("management takes no more messages".to_owned()))
    }

    pub(super) async fn greet(
        &mut self,
        identity: &Identity,
        holdings: &Holdings,
        pushes: bool,
    ) -> Result<(), Ended> {
        let push = pushes.then_some(&(CAPABILITY_PUSH, PUSH_VERSION));
        let config = &identity.config;
        let resume = holdings.resume();
        let boot = if resume.is_empty() { BootSource::Empty } else { BootSource::Live };
        let hello = Hello {
            proto_major: PROTO.0,
            proto_minor: PROTO.1,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            node_id: identity.node_id.clone(),
            process_id: identity.process_id.clone(),
            incarnation: identity.incarnation,
            organization: config.organization.clone(),
            environments: config.environments.clone(),
            sharding_tags: config.tags.clone(),
            capabilities: READABLE
                .iter()
                .chain(push)
                .map(|(kind, version)| Capability {
                    kind: (*kind).to_owned(),
                    schema_version_min: *version,
                    schema_version_max: *version,
                })
                .collect(),
            resume,
            boot: boot.into(),
            hostname: config.hostname.clone(),
            port: config.port.into(),
        };
        self.send(up::Message::Hello(hello)).await
    }

    async fn health(&mut self, draining: bool) -> Result<(), Ended> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since_1970.as_millis()).unwrap_or(0);
        self.send(up::Message::Health(Health { unix_ms, draining, ..Health::default() })).await
    }
}

impl<'a, A: Applier> Session<'a, A> {
    pub(super) fn new(
        identity: &'a Identity,
        applier: &'a A,
        publisher: &'a Publisher,
        holdings: &'a mut Holdings,
        link: Link,
    ) -> Self {
        let Link { up, down } = link;
        let heartbeat = Instant::now() + heartbeat_period();
        let mut degraded = applier.degraded();
        // What changed while there was no session.
        degraded.mark_changed();
        let degraded = Some(degraded);
        Session { identity, applier, publisher, holdings, up, down, welcomed: false, heartbeat, degraded }
    }

    /// Runs until the session ends or `shutdown`, then says good-bye.
    pub(super) async fn run(mut self, address: &str, shutdown: &CancellationToken) -> Ended {
        let exchange = async {
            loop {
                if let Err(ended) = self.exchange(address).await {
                    return ended;
                }
            }
        };
        let ended = tokio::select! {
            () = shutdown.cancelled() => None,
            ended = exchange => Some(ended),
        };
        match ended {
            Some(ended) => Ended { welcomed: self.welcomed, ..ended },
            None => self.drain().await,
        }
    }

    async fn drain(mut self) -> Ended {
        let ended = Ended { welcomed: true, ..Ended::because("the gateway stops".to_owned()) };
        if self.tell_news().await.is_err() {
            return ended;
        }
        if self.up.send(up::Message::Drain(Drain { reason: ended.reason.clone() })).await.is_err() {
            return ended;
        }
        // Management ends the stream when it has read the good-bye.
        let closed = async { while let Ok(Some(_)) = self.down.message().await {} };
        tokio::time::timeout(DRAIN_TIMEOUT, closed).await.ok();
        ended
    }

    /// Waits for the next message and takes it in.
    async fn exchange(&mut self, address: &str) -> Result<(), Ended> {
        let lost = Instant::now() + LOST_AFTER;
        let message = loop {
            tokio::select! {
                message = self.down.message() => break message,
                found = degraded(&mut self.degraded), if self.welcomed => self.degrade(&found).await?,
                () = tokio::time::sleep_until(self.heartbeat) => {
                    self.up.health(self.applier.owns().is_some_and(|owns| owns.is_draining())).await?;
                    self.heartbeat = Instant::now() + heartbeat_period();
                }
                () = news(self.applier.owns()), if self.welcomed => self.tell_news().await?,
                () = tokio::time::sleep_until(lost) => {
                    return Err(Ended::because(format!("management was silent for {LOST_AFTER:?}")));
                }
            }
        };
        self.publisher.heard();
        let down = match message {
            Ok(Some(down)) => down,
            Ok(None) => return Err(Ended::because("management closed the session".to_owned())),
            Err(status) => return Err(Ended::because(format!("the session broke: {}", status.message()))),
        };
        match down.message {
            Some(down::Message::Welcome(welcome)) => self.welcome(welcome, address).await,
            Some(down::Message::NeedInventory(need)) => self.send_inventory(&need.environment, "asked").await,
            Some(down::Message::Batch(batch)) => self.batch(down.nonce, batch).await,
            Some(down::Message::Head(head)) => {
                if !head.environment.is_empty() {
                    self.holdings.environment(&head.environment).advertised(head.head, head.sent_up_to);
                    self.publisher.held(self.holdings);
                }
                Ok(())
            }
            Some(down::Message::Refuse(refuse)) => {
                let retry_after = Some(Duration::from_millis(refuse.retry_after_ms.into()));
                Err(Ended {
                    retry_after,
                    ..Ended::because(format!("management refuses: {}", refuse.message))
                })
            }
            Some(down::Message::Assign(assign)) => {
                self.assigned(assign);
                Ok(())
            }
            Some(down::Message::Revoke(revoke)) => {
                self.revoked(&revoke);
                Ok(())
            }
            // Moves between management nodes: not in this version.
            Some(down::Message::Redirect(_)) | None => Ok(()),
        }
    }

    /// Tells management how things serve that were put in place.
    async fn degrade(&mut self, found: &Degraded) -> Result<(), Ended> {
        for name in self.holdings.degrade(found) {
            self.send_snapshot(&name).await?;
        }
        self.publisher.held(self.holdings);
        Ok(())
    }

    async fn welcome(&mut self, welcome: Welcome, address: &str) -> Result<(), Ended> {
        self.publisher.connected(address);
        info!(
            management = address,
            replica = welcome.replica_id,
            node = self.identity.node_id,
            "connected to management"
        );
        for plan in &welcome.environments {
            let name = &plan.environment;
            let environment = self.holdings.environment(name);
            environment.restart();
            let up_to_date = plan.state() == EnvironmentState::UpToDate
                && environment.confirm(
                    plan.epoch.clone(),
                    plan.head,
                    plan.expected_count,
                    &plan.expected_digest,
                );
            environment.advertised(plan.head, 0);
            self.send_snapshot(name).await?;
            if !up_to_date {
                self.send_inventory(name, "connect").await?;
            }
        }
        self.welcomed = true;
        self.note_progress();
        if let Some(owns) = self.applier.owns() {
            owns.begin();
        }
        self.tell_news().await
    }

    /// Everything that does not serve as it should, which management may have forgotten.
    async fn send_snapshot(&mut self, name: &str) -> Result<(), Ended> {
        let environment = self.holdings.environment(name);
        let report = ApplyReport {
            environment: name.to_owned(),
            received_revision: environment.revision(),
            active_revision: environment.revision(),
            active_digest: Bytes::copy_from_slice(&environment.active_digest()),
            results: environment.exceptions().into_iter().map(|outcome| self.result(name, outcome)).collect(),
            snapshot: true,
            ..ApplyReport::default()
        };
        self.up.send(up::Message::Report(report)).await
    }

    async fn send_inventory(&mut self, name: &str, reason: &'static str) -> Result<(), Ended> {
        metrics::counter!("tidegate_sync_inventories_total", "reason" => reason).increment(1);
        let environment = self.holdings.environment(name);
        environment.restart();
        let mut held = environment.inventory();
        loop {
            let rest = held.split_off(held.len().min(INVENTORY_CHUNK));
            let last = rest.is_empty();
            let inventory = Inventory { environment: name.to_owned(), held, last };
            self.up.send(up::Message::Inventory(inventory)).await?;
            if last {
                return Ok(());
            }
            held = rest;
        }
    }

    async fn batch(&mut self, nonce: u64, batch: Batch) -> Result<(), Ended> {
        let name = batch.environment.clone();
        match self.holdings.environment(&name).check(&batch) {
            Verdict::Apply(checked) => self.apply(nonce, batch, checked).await,
            Verdict::Resync(reason) => {
                warn!(
                    environment = name,
                    reason, "a batch does not fit on what is held: comparing everything"
                );
                self.send_inventory(&name, reason).await
            }
            Verdict::Stale(outcomes) => {
                self.report(nonce, &batch, outcomes).await?;
                Err(Ended::because("this management node is behind what the gateway already has".to_owned()))
            }
            Verdict::Invalid(what) => Err(Ended::because(format!("management sent {what}"))),
        }
    }

    async fn apply(&mut self, nonce: u64, batch: Batch, checked: Checked) -> Result<(), Ended> {
        let Checked { changes, settled } = checked;
        let outcomes = self.apply_in_touch(nonce, &batch, changes).await?;
        let environment = self.holdings.environment(&batch.environment);
        log(&batch, &settled, &outcomes);
        let outcomes: Vec<ApplyOutcome> = settled.into_iter().chain(outcomes).collect();
        environment.note(&batch, &outcomes);
        let finished = environment.finish(&batch);
        self.report(nonce, &batch, outcomes).await?;
        self.note_progress();
        match finished {
            Finished::Part | Finished::Complete => Ok(()),
            Finished::Guarded => {
                warn!(environment = batch.environment, "most of what is held would be removed: held back");
                Ok(())
            }
            Finished::Mismatch if batch.kind() == BatchKind::Delta => {
                self.send_inventory(&batch.environment, "mismatch").await
            }
            Finished::Mismatch => Err(Ended::because(
                "after a full comparison the gateway holds something else than told".to_owned(),
            )),
        }
    }

    /// Applies while management hears that the work goes on.
    async fn apply_in_touch(
        &mut self,
        nonce: u64,
        batch: &Batch,
        changes: Vec<super::ApplyChange>,
    ) -> Result<Vec<ApplyOutcome>, Ended> {
        let environment = self.holdings.environment(&batch.environment);
        let received = ApplyReport {
            environment: batch.environment.clone(),
            nonce,
            received_revision: batch.revision,
            active_revision: environment.revision(),
            active_digest: Bytes::copy_from_slice(&environment.active_digest()),
            ..ApplyReport::default()
        };
        let mut progress = tokio::time::interval(PROGRESS_PERIOD);
        let applying = apply::apply(self.applier, changes);
        tokio::pin!(applying);
        // A session that breaks meanwhile still waits for the work, and keeps what came of it.
        let mut broken = None;
        loop {
            tokio::select! {
                biased;
                _ = progress.tick(), if broken.is_none() => {
                    broken = self.up.send(up::Message::Report(received.clone())).await.err();
                }
                outcomes = &mut applying => return match broken {
                    None => Ok(outcomes),
                    Some(ended) => {
                        self.holdings.environment(&batch.environment).note(batch, &outcomes);
                        Err(ended)
                    }
                },
            }
        }
    }

    async fn report(&mut self, nonce: u64, batch: &Batch, outcomes: Vec<ApplyOutcome>) -> Result<(), Ended> {
        let name = &batch.environment;
        let results = outcomes.into_iter().map(|outcome| self.result(name, outcome)).collect();
        let environment = self.holdings.environment(name);
        let report = ApplyReport {
            environment: name.clone(),
            nonce,
            received_revision: batch.revision,
            active_revision: environment.revision(),
            active_digest: Bytes::copy_from_slice(&environment.active_digest()),
            results,
            done: true,
            snapshot: false,
        };
        self.up.send(up::Message::Report(report)).await
    }

    fn result(&mut self, name: &str, outcome: ApplyOutcome) -> v1::Result {
        let serving = self.holdings.environment(name).serving(&outcome.kind, &outcome.id);
        let bytes = |digest: Option<definition::digest::Digest>| {
            digest.map(|digest| Bytes::copy_from_slice(&digest)).unwrap_or_default()
        };
        v1::Result {
            digest: bytes(outcome.digest),
            serving_digest: bytes(serving),
            level: wire_level(outcome.level).into(),
            problem: outcome.problem.map(|problem| v1::Problem {
                code: problem.code,
                path: problem.path,
                message: problem.message,
                retryable: outcome.level == Level::Degraded,
            }),
            kind: outcome.kind,
            id: outcome.id,
            took_ms: 0,
        }
    }

    fn note_progress(&self) {
        self.publisher.held(self.holdings);
        if self.welcomed && self.holdings.are_complete() {
            self.publisher.ready();
        }
    }
}

/// The next news of what shows later.
async fn degraded(news: &mut Option<watch::Receiver<Arc<Degraded>>>) -> Arc<Degraded> {
    if let Some(receiver) = news {
        if receiver.changed().await.is_ok() {
            return Arc::clone(&receiver.borrow_and_update());
        }
        *news = None;
    }
    std::future::pending().await
}

fn wire_level(level: Level) -> v1::Level {
    match level {
        Level::Active => v1::Level::Active,
        Level::Degraded => v1::Level::Degraded,
        Level::Rejected => v1::Level::Rejected,
        Level::Removed => v1::Level::Removed,
    }
}

/// One line per batch; whoever refuses a resource says why, so only refusals made here are told one by one.
fn log(batch: &Batch, settled: &[ApplyOutcome], outcomes: &[ApplyOutcome]) {
    for outcome in settled {
        if let (Level::Rejected, Some(problem)) = (outcome.level, &outcome.problem) {
            warn!(
                kind = outcome.kind,
                id = outcome.id,
                code = problem.code,
                "a change was not taken in: {}",
                problem.message
            );
        }
    }
    let count = |level| outcomes.iter().filter(|outcome| outcome.level == level).count();
    info!(
        environment = batch.environment,
        revision = batch.revision,
        active = count(Level::Active),
        degraded = count(Level::Degraded),
        removed = count(Level::Removed),
        rejected = count(Level::Rejected) + settled.iter().filter(|o| o.level == Level::Rejected).count(),
        "applied"
    );
}

fn heartbeat_period() -> Duration {
    HEARTBEAT.mul_f64(1.0 + HEARTBEAT_JITTER * rand::random_range(-1.0..=1.0))
}
