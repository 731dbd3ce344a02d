//! The link between gateway and broker breaks in every way, with messages on it.

use crate::contract::scene::Scene;
use crate::contract::subject::Subject;
use crate::harness::chaos::Mode;
use crate::harness::wait::{SOON, throughout, within};
use std::time::{Duration, Instant};

/// Messages between two faults.
const BATCH: usize = 150;
const CUTS: usize = 5;
/// How long the link is down in one way.
const DOWN: Duration = Duration::from_secs(4);
/// Connections that one reader may try to make per second while nobody serves it, with those that its client asks for.
const ATTEMPTS_PER_SECOND_MAX: f64 = 12.0;
/// Share of one CPU that a gateway may use while it waits for a broker.
const IDLE_CPU_MAX: f64 = 0.6;

/// Every connection is reset, again and again, in the middle of a delivery.
pub(crate) async fn cuts_lose_and_repeat_nothing<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    for _ in 0..CUTS {
        let ids = scene.produce(BATCH).await;
        scene.on_their_way(&ids).await;
        scene.subject.chaos().cut();
    }
    scene.produce(BATCH).await;
    scene.judged().await;
}

/// The link stalls, then refuses, each for some seconds, and everybody goes on afterwards. Meanwhile the gateway neither
/// hammers the broker nor burns a CPU.
pub(crate) async fn a_broken_link_is_no_busy_loop<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    let ids = scene.produce(BATCH).await;
    scene.on_their_way(&ids).await;
    scene.subject.chaos().set(Mode::Stall);
    scene.produce(BATCH).await;
    quiet(&scene, "the link stalls").await;
    scene.subject.chaos().set(Mode::Pass);
    scene.produce(BATCH).await;
    scene.judged().await;

    scene.subject.chaos().set(Mode::Refuse);
    scene.subject.chaos().cut();
    scene.produce(BATCH).await;
    quiet(&scene, "the link refuses").await;
    scene.subject.chaos().set(Mode::Pass);
    scene.produce(BATCH).await;
    scene.judged().await;
    within("the gateway to be ready still", SOON, async {
        assert!(crate::harness::stack::ready(scene.gateway().node).await);
    })
    .await;
}

/// Watches what the gateway does while the link is down.
async fn quiet<S: Subject>(scene: &Scene<S>, what: &str) {
    let (begun, attempts) = (Instant::now(), scene.subject.chaos().accepted());
    let (cpu, process) = (scene.gateway().process.cpu(), &scene.gateway().process);
    let pid = process.pid();
    throughout("the gateway running", DOWN, async || process.pid() == pid).await;
    let seconds = begun.elapsed().as_secs_f64();
    let attempts = (scene.subject.chaos().accepted() - attempts) as f64 / seconds;
    let most = ATTEMPTS_PER_SECOND_MAX * scene.readers.len() as f64;
    assert!(
        attempts <= most,
        "{attempts:.0} connections per second while {what}, at most {most:.0} are no busy loop"
    );
    let used = (process.cpu() - cpu).as_secs_f64() / seconds;
    assert!(used <= IDLE_CPU_MAX, "{used:.2} of a CPU while {what}");
}
