//! What 202 means: the broker has confirmed this message.

use crate::contract::scene::{HEALED, POST, Scene};
use crate::contract::subject::Subject;
use crate::harness::chaos::Mode;
use crate::harness::client::http;
use crate::harness::posts::Posts;
use crate::harness::wait::{throughout, until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Publishers at once.
const PUBLISHERS: usize = 4;
/// A stall that nobody could miss, and far shorter than what a publish may take.
const STALL: Duration = Duration::from_secs(3);

/// Nothing that is sent while the link stalls is accepted before it is mended; what is accepted is there, once.
pub(crate) async fn is_accepted_only_after_the_broker_confirmed<S: Subject>() {
    let scene = Scene::<S>::empty().await;
    scene.subject.keep(&scene.destination).await;
    let url = scene.gateway().http(POST);
    let posts = Posts::start(&url, "flow-", PUBLISHERS);
    until("posts to be accepted", HEALED, async || (posts.accepted() > 50).then_some(())).await;

    scene.subject.chaos().set(Mode::Stall);
    let stalled: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let sending = http().post(&url).body(format!("stalled-{number}")).send();
            tokio::spawn(async move { sending.await.map(|answer| answer.status().as_u16()) })
        })
        .collect();
    throughout("posts waiting for a stalled broker", STALL, async || {
        stalled.iter().all(|post| !post.is_finished())
    })
    .await;
    scene.subject.chaos().set(Mode::Pass);
    let mut accepted = BTreeSet::new();
    for (number, post) in stalled.into_iter().enumerate() {
        let status = post.await.expect("a publisher does not fail").expect("the gateway answers");
        assert!([202, 503].contains(&status), "a mended link is accepted or refused, not {status}");
        if status == 202 {
            accepted.insert(format!("stalled-{number}"));
        }
    }
    let before = posts.accepted();
    until("posts to be accepted again", HEALED, async || (posts.accepted() > before + 50).then_some(()))
        .await;
    let answers = posts.stop().await;
    assert!(answers.values().all(|status| [202, 503].contains(status)), "strange answers: {answers:?}");
    accepted.extend(accepted_of(&answers, "flow-"));

    let kept = scene.subject.kept(&scene.destination, &accepted).await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    kept.iter().for_each(|payload| *counts.entry(payload).or_default() += 1);
    let repeated: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(repeated.is_empty(), "a stall repeats nothing: {repeated:?}");
    let strange: Vec<_> =
        kept.iter().filter(|id| !id.starts_with("flow-") && !id.starts_with("stalled-")).collect();
    assert!(strange.is_empty(), "never sent: {strange:?}");
}

/// The messages that were answered 202.
pub(crate) fn accepted_of(answers: &BTreeMap<u64, u16>, prefix: &str) -> BTreeSet<String> {
    answers
        .iter()
        .filter(|(_, status)| **status == 202)
        .map(|(number, _)| format!("{prefix}{number}"))
        .collect()
}

/// Publishers go on over cuts, a stop and a kill of the broker: refused meanwhile, accepted afterwards, nothing accepted is lost.
pub(crate) async fn what_was_accepted_survives_cuts_and_restarts<S: Subject>() {
    let mut scene = Scene::<S>::empty().await;
    scene.subject.keep(&scene.destination).await;
    let posts = Posts::start(&scene.gateway().http(POST), "post-", PUBLISHERS);
    let more = async |what: &str| {
        let before = posts.accepted();
        until(what, HEALED, async || (posts.accepted() > before + 50).then_some(())).await;
    };
    more("posts to be accepted").await;
    for _ in 0..3 {
        scene.subject.chaos().cut();
        more("posts to be accepted after a cut").await;
    }
    scene.subject.stop().await;
    until("a post to be refused", HEALED, async || posts.statuses().contains_key(&503).then_some(())).await;
    scene.subject.restart().await;
    more("posts to be accepted after a stop of the broker").await;
    if S::SURVIVES_KILL {
        scene.subject.kill().await;
        scene.subject.restart().await;
        more("posts to be accepted after a kill of the broker").await;
    }
    let answers = posts.stop().await;
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![202, 503].contains(*status)).collect();
    assert!(strange.is_empty(), "only 202 and 503 are answers here: {strange:?}");
    // A refused message may be there, its confirmation was lost; an accepted one must be, once or more.
    let kept: BTreeSet<String> =
        scene.subject.kept(&scene.destination, &accepted_of(&answers, "post-")).await.into_iter().collect();
    let strange: Vec<_> = kept.iter().filter(|id| !id.starts_with("post-")).collect();
    assert!(strange.is_empty(), "never sent: {strange:?}");
}
