//! What the levels mean when nothing breaks.

use crate::contract::ledger::is_probe;
use crate::contract::reader::{Reader, Target, ways};
use crate::contract::scene::{HEALED, Scene, at_rest};
use crate::contract::subject::Subject;
use definition::api::Qos;
use std::collections::BTreeSet;

/// Messages of a part.
const BATCH: usize = 60;
/// Clients of one API at none.
const MANY: usize = 10;

/// At none a reader begins now. At the acknowledged levels the broker keeps what an absent reader did not get.
pub(crate) async fn an_absent_reader_finds_what_came_meanwhile<S: Subject>() {
    let mut scene = Scene::<S>::empty().await;
    // They may come again to those whose position lags behind, so they count as probes.
    let old: BTreeSet<String> = (0..BATCH).map(|_| scene.ledger.probe()).collect();
    scene.subject.produce(&scene.destination, &old.iter().cloned().collect::<Vec<_>>()).await;
    for way in ways(S::ID) {
        scene.join(way, &format!("reader-{}", way.qos)).await;
    }
    scene.alive().await;
    for reader in scene.readers.iter().filter(|reader| reader.qos() == Qos::None) {
        let seen: BTreeSet<String> = reader.seen().into_iter().collect();
        assert!(old.is_disjoint(&seen), "none begins now, and yet old messages came");
    }
    // Where the author chose the beginning, the others got what was there. It is of no interest here.
    let ways = ways(S::ID);
    for reader in &mut scene.readers {
        reader.leave().await;
        reader.forget();
    }
    scene.produce(BATCH).await;
    // What a shared subscription was sent while nobody read is behind it then; a reader that comes begins after that.
    at_rest("what the broker sends", || scene.subject.chaos().bytes().1).await;
    scene.readers.iter_mut().for_each(Reader::come_back);
    scene.alive().await;
    scene.complete(Qos::AtLeastOnce, HEALED).await;
    at_rest("the readers", || scene.readers.iter().map(|reader| reader.count() as u64).sum()).await;
    assert_eq!(scene.readers.len(), ways.len());
    for reader in &scene.readers {
        let verdict = scene.ledger.verdict(&reader.seen());
        match reader.qos() {
            // What was still on its way when it came back is new to it.
            Qos::None => {}
            // Both may lose what was on its way to a client that left; the broker keeps the rest.
            Qos::Auto | Qos::AtMostOnce => {
                assert!(verdict.keeps(reader.qos()), "{}: {verdict}", reader.qos());
                assert!(verdict.lost.len() < BATCH / 2, "{} keeps nothing: {verdict}", reader.qos());
            }
            Qos::AtLeastOnce => assert!(verdict.keeps(Qos::AtLeastOnce), "{verdict}"),
        }
    }
}

/// At none everybody gets everything, over one subscription at the broker. At the other levels readers of one identifier
/// share, and readers of different ones do not.
pub(crate) async fn readers_share_as_their_level_says<S: Subject>() {
    let mut scene = Scene::<S>::start().await;
    let ways = ways(S::ID);
    if let Some(none) = ways.iter().find(|way| way.qos == Qos::None) {
        let before = scene.subject.chaos().accepted();
        for number in 0..MANY {
            scene.join(*none, &format!("many-{number}")).await;
        }
        scene.alive().await;
        let after = scene.subject.chaos().accepted();
        assert_eq!(
            after,
            before,
            "{MANY} more clients at none cost the broker {} connections",
            after - before
        );
    }
    for way in ways.iter().filter(|way| way.qos != Qos::None && way.is_stream()) {
        scene.join(*way, &format!("other-{}", way.qos)).await;
    }
    scene.alive().await;
    // A second one of each of those identifiers; which of the two gets what is nobody's business.
    let shared: Vec<Target> = scene.readers.iter().map(|reader| reader.target.clone()).collect();
    let shared = shared.into_iter().filter(|target| target.identifier.starts_with("other-"));
    let seconds: Vec<Reader> = shared.map(Reader::start).collect();
    at_rest("the readers", || scene.readers.iter().chain(&seconds).map(|reader| reader.count() as u64).sum())
        .await;
    let wanted: BTreeSet<String> = scene.produce(BATCH).await.into_iter().collect();
    let everything = |readers: &[Reader], way: &Target| -> Vec<String> {
        let same = readers.iter().filter(|reader| reader.target.identifier == way.identifier);
        same.flat_map(Reader::seen).filter(|payload| !is_probe(payload)).collect()
    };
    for reader in &scene.readers {
        let target = &reader.target;
        let name = &target.identifier;
        let got = || [everything(&scene.readers, target), everything(&seconds, target)].concat();
        crate::harness::wait::until(&format!("everything at {name}"), HEALED, async || {
            (got().into_iter().collect::<BTreeSet<_>>() == wanted).then_some(())
        })
        .await;
        assert_eq!(got().len(), wanted.len(), "{name} got messages twice");
    }
}
