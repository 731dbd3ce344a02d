//! What a gateway is sent, and when it is sent nothing.

use super::probe::{Probe, changes, hello, refusal, status_with_token};
use super::{Operation, Plane};
use pretty_assertions::{assert_eq, assert_ne};
use proto::sync::v1::{BatchKind, EnvironmentState, Hello, RefuseCode, ResumePoint, down};
use tonic::Code;

#[tokio::test]
async fn only_the_right_token_opens_a_session() {
    let plane = Plane::start().await;
    for token in [None, Some(""), Some("a-token-for-test"), Some("a-token-for-tests ")] {
        assert_eq!(status_with_token(&plane, token).await.code(), Code::Unauthenticated, "{token:?}");
    }
}

#[tokio::test]
async fn a_cold_gateway_gets_everything_and_a_warm_one_nothing() {
    let mut plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    plane.deploy("b", "[]").await;

    let mut cold = Probe::connect(&plane, hello("n")).await;
    assert_eq!(cold.welcome.environments[0].state(), EnvironmentState::NeedInventory);
    assert_eq!(cold.welcome.environments[0].expected_count, 2);
    cold.send_inventory().await;
    let batch = cold.take_batch().await;
    assert_eq!(batch.kind(), BatchKind::Reconcile);
    assert_eq!(changes(&batch), ["upsert a", "upsert b"]);

    plane.restart().await;
    let mut warm = cold.reconnected(&plane, hello("n")).await;
    assert_eq!(warm.welcome.environments[0].state(), EnvironmentState::UpToDate);
    // The first batch is the next deployment: nothing was sent before it.
    plane.deploy("c", "1").await;
    let batch = warm.take_batch().await;
    assert_eq!(batch.kind(), BatchKind::Delta);
    assert_eq!((batch.previous_revision, batch.revision), (2, 3));
    assert_eq!(changes(&batch), ["upsert c"]);
}

#[tokio::test]
async fn deltas_follow_each_other_and_removals_are_explicit() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let mut probe = Probe::converged(&plane, hello("n")).await;

    plane.deploy("a", "[]").await;
    let batch = probe.take_batch().await;
    assert_eq!(changes(&batch), ["upsert a"]);
    assert_eq!((batch.previous_revision, batch.revision), (1, 2));

    plane.stop("a").await;
    let batch = probe.take_batch().await;
    assert_eq!(changes(&batch), ["delete a"]);
    assert_eq!((batch.previous_revision, batch.revision, batch.count_after), (2, 3, 0));
    assert!(batch.allow_mass_delete);
}

#[tokio::test]
async fn what_a_gateway_missed_is_found_by_comparison() {
    let plane = Plane::start().await;
    plane.deploy("kept", "{}").await;
    plane.deploy("changed", "{}").await;
    plane.deploy("stopped", "{}").await;
    let probe = Probe::converged(&plane, hello("n")).await;
    plane.deploy("changed", "[]").await;
    plane.stop("stopped").await;
    plane.deploy("new", "{}").await;

    let mut probe = probe.reconnected(&plane, hello("n")).await;
    assert_eq!(probe.welcome.environments[0].state(), EnvironmentState::NeedInventory);
    probe.send_inventory().await;
    assert_eq!(changes(&probe.take_batch().await), ["upsert changed", "upsert new", "delete stopped"]);
}

#[tokio::test]
async fn a_busy_gateway_gets_the_newest_of_each_resource_once() {
    let plane = Plane::start().await;
    plane.deploy("a", "0").await;
    let mut probe = Probe::converged(&plane, hello("n")).await;

    plane.deploy("a", "1").await;
    let (nonce, first) = probe.receive().await;
    for body in ["2", "3", "4"] {
        plane.deploy("a", body).await;
    }
    plane.deploy("b", "{}").await;
    plane.deploy("gone", "{}").await;
    let last = plane.stop("gone").await;
    probe.finish(nonce, &first, &[]).await;
    let batch = probe.take_batch().await;
    assert_eq!(changes(&batch), ["upsert a", "upsert b"]);
    assert_eq!((batch.previous_revision, batch.revision), (2, last.revision as u64));
}

#[tokio::test]
async fn refused_content_is_not_sent_again_and_hurts_no_other() {
    let plane = Plane::start().await;
    plane.deploy("bad", "{}").await;
    let mut probe = Probe::connect(&plane, hello("n")).await;
    probe.send_inventory().await;
    let (nonce, batch) = probe.receive().await;
    probe.finish(nonce, &batch, &["bad"]).await;

    plane.deploy("good", "{}").await;
    assert_eq!(changes(&probe.take_batch().await), ["upsert good"]);

    let mut again = probe.reconnected(&plane, hello("n")).await;
    assert_eq!(again.welcome.environments[0].state(), EnvironmentState::UpToDate);
    again.send_inventory().await;
    assert_eq!(changes(&again.take_batch().await), Vec::<String>::new());

    plane.deploy("bad", "[]").await;
    assert_eq!(changes(&again.take_batch().await), ["upsert bad"]);
}

#[tokio::test]
async fn tags_decide_who_gets_what_and_losing_a_tag_is_a_removal() {
    let plane = Plane::start().await;
    plane.change("eu", Operation::Publish, Some("{}"), &["eu"]).await;
    plane.change("us", Operation::Publish, Some("{}"), &["us"]).await;
    plane.change("all", Operation::Publish, Some("{}"), &[]).await;
    let tagged = Hello { sharding_tags: vec!["eu".to_owned(), "x".to_owned()], ..hello("eu") };
    let mut eu = Probe::converged(&plane, tagged).await;
    assert_eq!(eu.held.keys().collect::<Vec<_>>(), ["all", "eu"]);
    assert_eq!(Probe::converged(&plane, hello("any")).await.held.len(), 3);

    plane.change("eu", Operation::Publish, Some("{}"), &["us"]).await;
    assert_eq!(changes(&eu.take_batch().await), ["delete eu"]);
    plane.change("us", Operation::Publish, Some("{}"), &["us", "eu"]).await;
    assert_eq!(changes(&eu.take_batch().await), ["upsert us"]);
}

#[tokio::test]
async fn content_that_a_build_cannot_read_is_announced_without_its_body() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let old = Hello { capabilities: Vec::new(), ..hello("n") };
    let mut probe = Probe::connect(&plane, old).await;
    probe.send_inventory().await;
    let (_, batch) = probe.receive().await;
    assert_eq!(changes(&batch), ["upsert a"]);
    assert!(batch.changes[0].body.is_empty() && batch.changes[0].digest.len() == 32);
}

#[tokio::test]
async fn much_content_comes_in_small_batches() {
    let plane = Plane::start().await;
    for n in 0..5 {
        let body = format!("\"{n}{}\"", "x".repeat(100_000));
        plane.deploy(&n.to_string(), &body).await;
    }
    let mut probe = Probe::connect(&plane, hello("n")).await;
    probe.send_inventory().await;
    let mut sizes = Vec::new();
    loop {
        let batch = probe.take_batch().await;
        sizes.push(batch.changes.len());
        if !batch.more {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test]
async fn foreign_protocols_and_second_copies_are_refused() {
    let plane = Plane::start().await;
    let skewed = refusal(&plane, Hello { proto_major: 2, ..hello("n") }).await;
    assert_eq!(skewed.code(), RefuseCode::Skew);

    let mut first = Probe::connect(&plane, hello("n")).await;
    let copy = Hello { process_id: "another".to_owned(), ..hello("n") };
    assert_eq!(refusal(&plane, copy.clone()).await.code(), RefuseCode::DuplicateNode);
    // A process that started later is the node from now on; the old session ends.
    let _second = Probe::connect(&plane, Hello { incarnation: 2, ..copy }).await;
    let ended = tokio::time::timeout(super::PATIENCE, first.ended()).await.unwrap();
    assert_eq!(ended, Code::Aborted);
}

#[tokio::test]
async fn a_gateway_from_the_future_begins_a_new_epoch() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let probe = Probe::converged(&plane, hello("n")).await;
    let (old_epoch, resume) = (probe.epoch.clone(), probe.resume());
    let ahead = Hello { resume: vec![ResumePoint { revision: 7, ..resume }], ..hello("n") };
    let mut probe = Probe::connect(&plane, ahead).await;
    let plan = &probe.welcome.environments[0];
    assert_eq!(plan.state(), EnvironmentState::NeedInventory);
    assert_ne!(plan.epoch, old_epoch);
    probe.send_inventory().await;
    assert_eq!(probe.take_batch().await.revision, 1);
}

#[tokio::test]
async fn an_environment_that_appears_later_is_offered() {
    let plane = Plane::start().await;
    let mut probe = Probe::connect(&plane, hello("n")).await;
    assert_eq!(probe.welcome.environments, []);
    plane.deploy("a", "{}").await;
    match probe.next().await {
        Some(down::Message::NeedInventory(need)) => assert_eq!(need.environment, "DEFAULT/DEFAULT"),
        other => panic!("expected a question for the inventory, got {other:?}"),
    }
    probe.send_inventory().await;
    assert_eq!(changes(&probe.take_batch().await), ["upsert a"]);
}

#[tokio::test]
async fn a_gateway_that_does_not_get_on_with_a_batch_is_cut() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let mut stuck = Probe::connect(&plane, hello("stuck")).await;
    stuck.send_inventory().await;
    stuck.receive().await;
    let ended = tokio::time::timeout(super::PATIENCE, stuck.ended()).await.unwrap();
    assert_eq!(ended, Code::DeadlineExceeded);
    // Its batch was not taken for applied.
    let nodes = crate::sync::status::instances(&plane.db, &super::scope()).await.unwrap();
    assert_eq!((nodes[0].active_revision, nodes[0].head), (0, 1));
}
