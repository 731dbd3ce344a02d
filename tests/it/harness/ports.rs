//! Free loopback ports for servers that cannot take port 0 because others must know their port beforehand.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Below the range that the system gives to outgoing connections, so that none of them can take a port between this
/// look and the server's bind.
const FIRST: u16 = 20_000;
const COUNT: u64 = 12_000;

static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port that nothing listens on and that no other test of this process was given.
pub(crate) fn free_port() -> u16 {
    draw(COUNT, &[0])
}

/// A free port whose like `above` it is free too.
pub(crate) fn free_port_with(above: u16) -> u16 {
    draw(COUNT - u64::from(above), &[0, above])
}

fn draw(count: u64, offsets: &[u16]) -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let drawn = RandomState::new().build_hasher().finish() % count;
        let port = FIRST + u16::try_from(drawn).expect("below 12,000");
        let wanted = offsets.iter().map(|offset| port + offset);
        if wanted.clone().all(|port| !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok())
        {
            given.extend(wanted);
            return port;
        }
    }
}
