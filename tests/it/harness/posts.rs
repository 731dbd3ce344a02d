//! A publisher that never stops: numbered messages to one API, each sent until it was answered once, with the answers kept.

use super::wait::be_slow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// No answer at all within this time is the failure `0`: the gateway promises one within its request timeout.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// Pause of a publisher that got no answer: a gateway that is away refuses at once.
const AWAY_PAUSE: Duration = Duration::from_millis(50);

/// A running publisher.
pub(crate) struct Posts {
    stop: Arc<AtomicBool>,
    answers: Arc<Mutex<BTreeMap<u64, u16>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Posts {
    /// Sends `<prefix><number>` from `workers` connections at once. The status of each message is kept; 0 is no answer.
    pub(crate) fn start(url: &str, prefix: &str, workers: usize) -> Posts {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeMap::new())));
        let (next, http) = (Arc::new(AtomicU64::new(0)), reqwest::Client::new());
        let workers = (0..workers).map(|_| {
            let (stop, answers, next, http) =
                (Arc::clone(&stop), Arc::clone(&answers), Arc::clone(&next), http.clone());
            let (url, prefix) = (url.to_owned(), prefix.to_owned());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let sending =
                        http.post(&url).body(format!("{prefix}{number}")).timeout(ANSWER_LIMIT).send();
                    let status = sending.await.map_or(0, |answer| answer.status().as_u16());
                    answers.lock().unwrap_or_else(PoisonError::into_inner).insert(number, status);
                    if status == 0 {
                        be_slow(AWAY_PAUSE).await;
                    }
                }
            })
        });
        let workers = workers.collect();
        Posts { stop, answers, workers }
    }

    /// How often each status came so far.
    pub(crate) fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for status in self.answers.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *counts.entry(*status).or_default() += 1;
        }
        counts
    }

    /// How many messages were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.statuses().get(&202).copied().unwrap_or_default()
    }

    /// Waits for the messages under way and stops. The status of every message by its number.
    pub(crate) async fn stop(self) -> BTreeMap<u64, u16> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("a publisher does not fail");
        }
        std::mem::take(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
