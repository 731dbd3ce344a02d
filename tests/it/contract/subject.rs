//! What the contract needs to know about a broker.

use super::scene::HEALED;
use crate::harness::chaos::Chaos;
use crate::harness::definitions::Endpoint;
use crate::harness::wait::be_slow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Between two looks at what a broker kept.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where a reader without a position begins, for connectors that let the author choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With what comes from now on.
    Now,
    /// With everything that is kept.
    Earliest,
}

/// A broker of a test's own with a fault proxy before it. The gateway goes through the proxy; `produce`, `keep` and `kept` go
/// beside it, with a client library that is used the way its authors say.
pub(crate) trait Subject: Sized {
    /// Connector id of its endpoint.
    const ID: &'static str;
    /// Whether what the broker acknowledged survives `kill -9` at any moment; otherwise it saves before it is killed.
    const SURVIVES_KILL: bool;
    /// Whether a restarted broker knows the subscriptions of its sessions. What is sent to one that does not, before the gateway has
    /// subscribed again, is the broker's own loss.
    const KEEPS_SUBSCRIPTIONS: bool = true;

    /// Whether a broker that is killed may forget settlements that it has confirmed a moment before, and repeats those messages.
    const FORGETS_SETTLEMENTS: bool = false;
    /// Whether a broker may deliver what was settled moments before a connection ended once more: at-most-once is not promised then.
    #[allow(dead_code, reason = "only the soak asks; the contract ends connections at rest")]
    const REPEATS_SETTLED: bool = false;

    /// Starts the broker and the proxy.
    async fn start() -> Self;
    fn chaos(&self) -> &Chaos;
    /// Starts the stopped or killed broker again: same data, same ports.
    async fn restart(&mut self);
    /// SIGTERM.
    async fn stop(&mut self);
    /// `kill -9`, after saving where that is needed.
    async fn kill(&mut self);

    /// A topic that nobody used before.
    async fn destination(&self) -> String;
    /// An endpoint that writes to `destination` and reads from it, through the proxy.
    fn endpoint(&self, destination: &str, start: Start) -> Endpoint;
    /// Sends the payloads; the broker acknowledged all of them when this returns.
    async fn produce(&self, destination: &str, payloads: &[String]);
    /// Makes the broker keep everything that is sent to `destination` from now on.
    async fn keep(&self, destination: &str);
    /// What was kept, repeats included, once all of `wanted` is among it.
    async fn kept(&self, destination: &str, wanted: &BTreeSet<String>) -> Vec<String>;
}

/// Looks again and again until all of `wanted` is among what is there.
pub(crate) async fn all_among(
    broker: &str,
    wanted: &BTreeSet<String>,
    mut look: impl AsyncFnMut() -> Vec<String>,
) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let there = look().await;
        let seen: BTreeSet<&String> = there.iter().collect();
        let missing: Vec<_> = wanted.iter().filter(|id| !seen.contains(id)).collect();
        if missing.is_empty() {
            return there;
        }
        let (first, count) = (missing[0], missing.len());
        assert!(begun.elapsed() < HEALED, "accepted and not in {broker}: {count}, the first is {first}");
        be_slow(LOOK_AGAIN).await;
    }
}
