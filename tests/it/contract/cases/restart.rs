//! The broker goes and comes back, politely and not.

use crate::contract::scene::Scene;
use crate::contract::subject::Subject;

/// Messages between two faults.
const BATCH: usize = 300;

/// A stop and a kill in the middle of a delivery. A broker that writes down late, what it was sent or what was settled, is killed
/// after it wrote: what it loses by itself is no fault of the gateway.
pub(crate) async fn readers_go_on_when_the_broker_is_back<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    let ids = scene.produce(BATCH).await;
    scene.on_their_way(&ids).await;
    scene.subject.stop().await;
    scene.restart_broker().await;
    let ids = scene.produce(BATCH).await;
    if S::SURVIVES_KILL && !S::FORGETS_SETTLEMENTS {
        scene.on_their_way(&ids).await;
    } else {
        scene.judged().await;
    }
    scene.subject.kill().await;
    scene.restart_broker().await;
    scene.produce(BATCH).await;
    scene.judged().await;
}
