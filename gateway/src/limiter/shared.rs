//! Counters in a store that speaks the Redis protocol, shared by all nodes that name it.
//!
//! One script per hit counts and tells the end of the window, so that no two nodes can take the last place. A store that
//! did not answer is left alone for a moment: requests must not queue up behind it.

use super::{Count, Key, Unavailable, now_ms};
use crate::seldom::warn_seldom;
use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, Script};
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for a connection, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 500;
/// Longest time that one request waits for the store, milliseconds.
const HIT_TIMEOUT_MS: u64 = 500;
/// Time after a failure in which the store is not asked, milliseconds.
const PAUSE_MS: i64 = 1_000;
/// Time between two lines of the log about a store that does not answer, milliseconds.
const COMPLAINT_INTERVAL_MS: i64 = 60_000;
/// Attempts to connect again within one request.
const RECONNECTS: usize = 1;
/// What every key in the store begins with.
const KEY_PREFIX: &str = "tidegate:limit:";

/// Adds to a counter; a new one gets the rest of its window as its life. Answers the count and the milliseconds left.
const COUNT: &str = "
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {count, left}";

/// Address of the store. It may hold a password, so it is never shown.
#[derive(Clone)]
pub struct StoreUrl(ConnectionInfo);

impl FromStr for StoreUrl {
    type Err = String;

    /// Reads `redis://[user:password@]host[:port][/database]`; errors do not repeat the text.
    fn from_str(url: &str) -> Result<Self, String> {
        let form = "use the form redis://[user:password@]host:6379[/database]";
        if url.trim_start().starts_with("rediss:") {
            return Err(format!("TLS towards the store is not available in this version; {form}"));
        }
        let read = url.trim().into_connection_info();
        let info = read.map_err(|_| format!("is not the address of a Redis server; {form}"))?;
        if matches!(info.addr(), ConnectionAddr::Tcp(..)) {
            Ok(StoreUrl(info))
        } else {
            Err(format!("is not the address of a host; {form}"))
        }
    }
}

impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreUrl({})", self.0.addr())
    }
}

/// The store.
pub(super) struct SharedCounters {
    client: Client,
    connection: ArcSwap<ConnectionManager>,
    script: Script,
    /// `host:port`, for the log.
    address: String,
    /// Not asked before, milliseconds since 1970.
    resumes: AtomicI64,
    /// No line of the log before, milliseconds since 1970.
    complains: AtomicI64,
}

impl SharedCounters {
    pub(super) fn new(url: &StoreUrl) -> anyhow::Result<Self> {
        let client = Client::open(url.0.clone())?;
        Ok(SharedCounters {
            connection: ArcSwap::from_pointee(connect(&client)?),
            client,
            script: Script::new(COUNT),
            address: url.0.addr().to_string(),
            resumes: AtomicI64::new(0),
            complains: AtomicI64::new(0),
        })
    }

    /// Adds to a counter, whose window would end at `reset` were it new.
    pub(super) async fn add(&self, key: Key, count: u64, now: i64, reset: i64) -> Result<Count, Unavailable> {
        if now_ms() < self.resumes.load(Ordering::Relaxed) {
            return Err(Unavailable);
        }
        let mut connection = ConnectionManager::clone(&self.connection.load());
        let mut invocation = self.script.key(stored_name(key));
        invocation.arg(count).arg(reset.saturating_sub(now).max(1));
        let asked = invocation.invoke_async::<(u64, i64)>(&mut connection);
        match timeout(Duration::from_millis(HIT_TIMEOUT_MS), asked).await {
            Ok(Ok((count, left))) => {
                if self.complains.swap(0, Ordering::Relaxed) != 0 {
                    tracing::info!(store = self.address, "the shared store of counters answers again");
                }
                Ok(Count { count, reset: now.saturating_add(left) })
            }
            Ok(Err(error)) => Err(self.failed(Some(&error))),
            Err(_) => {
                // The peer may be gone without a word; a connection like that is only noticed much later.
                if let Ok(fresh) = connect(&self.client) {
                    self.connection.store(Arc::new(fresh));
                }
                Err(self.failed(None))
            }
        }
    }

    fn failed(&self, error: Option<&RedisError>) -> Unavailable {
        let now = now_ms();
        self.resumes.store(now + PAUSE_MS, Ordering::Relaxed);
        let complains = self.complains.load(Ordering::Relaxed);
        let next = now + COMPLAINT_INTERVAL_MS;
        let mine = self.complains.compare_exchange(complains, next, Ordering::Relaxed, Ordering::Relaxed);
        if complains <= now && mine.is_ok() {
            let error = error.map_or_else(|| "it did not answer in time".to_owned(), ToString::to_string);
            warn_seldom!(store = self.address, error, "the shared store of counters cannot be used");
        }
        Unavailable
    }
}

/// Connects on first use.
fn connect(client: &Client) -> redis::RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(RECONNECTS)
        .set_connection_timeout(Some(Duration::from_millis(CONNECT_TIMEOUT_MS)))
        .set_response_timeout(Some(Duration::from_millis(HIT_TIMEOUT_MS)));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn stored_name(key: Key) -> String {
    let mut name = String::with_capacity(KEY_PREFIX.len() + 32);
    name.push_str(KEY_PREFIX);
    for byte in key.0 {
        // Writing to a string does not fail.
        write!(name, "{byte:02x}").ok();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_never_shown() {
        let url: StoreUrl = "redis://user:hush@store:6380/2".parse().unwrap();
        assert_eq!(format!("{url:?}"), "StoreUrl(store:6380)");
        for wrong in ["rediss://user:hush@store", "http://user:hush@store", "unix:///hush", "hush"] {
            let error = wrong.parse::<StoreUrl>().unwrap_err();
            assert!(!error.contains("hush") && error.contains("redis://"), "{error}");
        }
    }
}
