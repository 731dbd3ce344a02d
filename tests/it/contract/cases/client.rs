//! Clients that go in the middle, and clients that take nothing.

use crate::contract::ledger::is_probe;
use crate::contract::reader::{Reader, Stream, Target, Way, ways};
use crate::contract::scene::{HEALED, Scene, at_rest};
use crate::contract::subject::Subject;
use crate::harness::streams::{CLIENT, Stalled};
use crate::harness::wait::until;
use definition::api::Qos;
use definition::qos::EntrypointKind;

/// What a slow client does not take: far more than sockets and windows hold.
const LARGE_BYTES: usize = 60 * 1024;
const LARGE: usize = 500;
/// Share of what waits that a gateway may have fetched for a client that takes nothing: most of it lies in the system's buffers of
/// the client's socket and of the fault proxy's.
const FETCHED_SHARE_MAX: f64 = 0.8;
/// What the gateway may grow by for all slow clients together, bytes; everything would be 32 MiB each.
const GROWTH_MAX_BYTES: usize = 72 * 1024 * 1024;
/// Messages for a client that goes while they are delivered, and their size: more than its socket takes.
const LEFT_BEHIND: usize = 1_000;
const LEFT_BEHIND_BYTES: usize = 24 * 1024;

/// The acknowledged levels that SSE clients have.
fn acknowledged<S: Subject>() -> Vec<Way> {
    let mut ways = ways(S::ID);
    ways.retain(|way| {
        way.entrypoint == EntrypointKind::Sse && matches!(way.qos, Qos::AtMostOnce | Qos::AtLeastOnce)
    });
    ways
}

/// A client stops to read, and goes. What was not written to its socket comes to the next client of its name, and at
/// at-most-once nothing comes that it got already.
pub(crate) async fn what_a_client_did_not_take_comes_back<S: Subject>() {
    let mut scene = Scene::<S>::empty().await;
    for way in acknowledged::<S>() {
        scene.join(way, &format!("goer-{}", way.qos)).await;
    }
    if scene.readers.is_empty() {
        return;
    }
    scene.alive().await;
    for reader in &mut scene.readers {
        reader.leave().await;
    }
    scene.produce_large(LEFT_BEHIND, LEFT_BEHIND_BYTES).await;
    let mut stalled = Vec::new();
    for reader in &scene.readers {
        let Target { way, identifier, .. } = &reader.target;
        let path = format!("{}?{CLIENT}={identifier}", way.path());
        stalled.push(Stalled::open(scene.gateway().port, &path).await);
    }
    at_rest("what is fetched for stalled clients", || scene.subject.chaos().bytes().1).await;
    for (reader, stalled) in scene.readers.iter().zip(stalled) {
        let got = stalled.leave().await;
        let name = &reader.target.identifier;
        assert!(!got.is_empty() && got.len() < LEFT_BEHIND, "{name} got {} before it went", got.len());
        reader.also_got(got);
    }
    scene.readers.iter_mut().for_each(Reader::come_back);
    scene.judged().await;
}

/// Clients at every level open their streams and read nothing: what is fetched for them is bounded, and the gateway's memory.
/// When they read again, they get everything.
pub(crate) async fn a_slow_client_stops_the_pull<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    for reader in &mut scene.readers {
        reader.leave().await;
    }
    let mut streams = Vec::new();
    for reader in &scene.readers {
        // One that is called refuses every message meanwhile.
        streams.push(if reader.target.way.is_stream() {
            let opening = async || Stream::open(&reader.target).await;
            Some(until("a slow client's stream", HEALED, opening).await)
        } else {
            None
        });
    }
    let (before, memory) = (scene.subject.chaos().bytes().1, scene.gateway().process.memory_bytes());
    scene.produce_large(LARGE, LARGE_BYTES).await;
    let after = at_rest("what is fetched for slow clients", || scene.subject.chaos().bytes().1).await;

    // At none one fetch serves all; a client that is too slow for it is told so.
    let shared = scene.readers.iter().filter(|reader| reader.qos() == Qos::None).count() as f64;
    let own = scene.readers.len() as f64 - shared;
    let waiting = (LARGE * LARGE_BYTES) as f64;
    let fetched = (after - before) as f64;
    let most = waiting * (shared * 1.2 + own * FETCHED_SHARE_MAX);
    assert!(
        fetched <= most,
        "{fetched} bytes were fetched for {} slow clients, at most {most}",
        streams.len()
    );
    let growth = scene.gateway().process.memory_bytes().saturating_sub(memory);
    assert!(growth <= GROWTH_MAX_BYTES, "the gateway grew by {growth} bytes for slow clients");

    for (reader, stream) in scene.readers.iter_mut().zip(streams) {
        match stream {
            Some(stream) => reader.go_on(stream),
            None => reader.come_back(),
        }
    }
    scene.judged().await;
    for reader in scene.readers.iter().filter(|reader| reader.qos() == Qos::AtMostOnce) {
        let got = reader.seen().iter().filter(|payload| !is_probe(payload)).count();
        assert!(got >= LARGE / 2, "slowness alone loses nothing, yet only {got} of {LARGE} came");
    }
}
