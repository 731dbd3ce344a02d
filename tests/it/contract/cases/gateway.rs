//! The gateway itself changes or goes, with requests and messages in flight.

use super::publish::accepted_of;
use crate::contract::scene::{HEALED, POST, Scene};
use crate::contract::subject::Subject;
use crate::harness::posts::Posts;
use crate::harness::wait::until;
use std::collections::BTreeMap;

/// Messages between two faults.
const BATCH: usize = 200;
/// How often every API is changed.
const ROUNDS: u64 = 3;
/// Publishers at once.
const PUBLISHERS: usize = 2;

/// Every API is changed and deployed while messages flow both ways: no post fails, readers come back and go on.
pub(crate) async fn a_redeployment_in_flight_loses_nothing<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    // Readers get what is posted, too; it is nobody's loss when they miss it.
    let posts = Posts::start(&scene.gateway().http(POST), "probe-posted-", PUBLISHERS);
    for round in 0..ROUNDS {
        let ids = scene.produce(BATCH).await;
        scene.on_their_way(&ids).await;
        scene.redeploy(round + 2).await;
    }
    let before = posts.accepted();
    until("posts to be accepted", HEALED, async || (posts.accepted() > before + 50).then_some(())).await;
    let answers = posts.stop().await;
    let failed: BTreeMap<_, _> = answers.iter().filter(|(_, status)| **status != 202).collect();
    assert!(failed.is_empty(), "posts that failed because of a redeployment: {failed:?}");
    scene.judged().await;
}

/// The gateway is asked to end, and later killed, while messages flow both ways. What it accepted is in the broker, what it
/// had not delivered is delivered by its successor.
pub(crate) async fn a_shutdown_in_flight_loses_nothing<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    scene.subject.keep(&scene.destination).await;
    for kill in [false, true] {
        let posts = Posts::start(&scene.gateway().http(POST), &format!("probe-{kill}-"), PUBLISHERS);
        until("posts to be accepted", HEALED, async || (posts.accepted() > 20).then_some(())).await;
        let ids = scene.produce(BATCH).await;
        scene.on_their_way(&ids).await;
        let gateway = &mut scene.stack.gateways[0];
        if kill {
            gateway.process.kill().await;
        } else {
            gateway.process.stop().await;
        }
        gateway.restart().await;
        scene.produce(BATCH).await;
        let before = posts.accepted();
        until("posts to be accepted again", HEALED, async || (posts.accepted() > before + 20).then_some(()))
            .await;
        let answers = posts.stop().await;
        let strange: Vec<_> =
            answers.iter().filter(|(_, status)| ![202, 503, 404, 0].contains(*status)).collect();
        assert!(strange.is_empty(), "answers of a gateway that ends and begins: {strange:?}");
        scene.subject.kept(&scene.destination, &accepted_of(&answers, &format!("probe-{kill}-"))).await;
        scene.judged().await;
    }
}
