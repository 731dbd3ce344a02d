//! What users are told about deployments and nodes.

use super::probe::{Probe, hello};
use super::{Plane, scope, until};
use crate::sync::status::{DeploymentState, deployment_status, deployments, instances};
use pretty_assertions::assert_eq;
use uuid::Uuid;

async fn state(plane: &Plane, deployment: Uuid) -> DeploymentState {
    deployment_status(&plane.db, &scope(), deployment).await.unwrap().unwrap().state
}

async fn reaches(plane: &Plane, deployment: Uuid, wanted: DeploymentState) {
    until(wanted.as_str(), || async { (state(plane, deployment).await == wanted).then_some(()) }).await;
}

#[tokio::test]
async fn a_deployment_is_followed_to_convergence() {
    let plane = Plane::start().await;
    let first = plane.deploy("a", "{}").await.deployment;
    assert_eq!(state(&plane, first).await, DeploymentState::NoNodes);

    let mut probe = Probe::converged(&plane, hello("n")).await;
    reaches(&plane, first, DeploymentState::Converged).await;
    let second = plane.deploy("a", "[]").await.deployment;
    let (nonce, batch) = probe.receive().await;
    assert_eq!(state(&plane, second).await, DeploymentState::Pending);
    probe.finish(nonce, &batch, &["a"]).await;
    reaches(&plane, second, DeploymentState::Failed).await;
    let status = deployment_status(&plane.db, &scope(), second).await.unwrap().unwrap();
    assert_eq!((status.problems[0].code.as_str(), status.problems[0].path.as_str()), ("NOT_TODAY", "/name"));
    assert_eq!(status.superseded_by, None);

    let stopped = plane.stop("a").await.deployment;
    probe.take_batch().await;
    reaches(&plane, stopped, DeploymentState::Converged).await;
    let status = deployment_status(&plane.db, &scope(), first).await.unwrap().unwrap();
    assert_eq!(status.superseded_by, Some(3));

    let history = deployments(&plane.db, &scope(), "api", "a", 0, 10).await.unwrap();
    let history: Vec<_> = history.iter().map(|row| (row.revision, row.operation.as_str())).collect();
    assert_eq!(history, [(3, "stop"), (2, "publish"), (1, "publish")]);
}

#[tokio::test]
async fn a_deployment_for_other_tags_converges_without_touching_the_node() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let tagged = proto::sync::v1::Hello { sharding_tags: vec!["eu".to_owned()], ..hello("n") };
    let mut probe = Probe::converged(&plane, tagged).await;
    let other = plane.change("b", super::Operation::Publish, Some("{}"), &["us"]).await;
    let seen = plane.deploy("c", "{}").await;
    let mut sent: Vec<_> = probe.take_batch().await.changes.into_iter().map(|change| change.id).collect();
    sent.sort();
    assert_eq!(sent, ["c"]);
    reaches(&plane, seen.deployment, DeploymentState::Converged).await;
    assert_eq!(state(&plane, other.deployment).await, DeploymentState::NoNodes);
}

#[tokio::test]
async fn nodes_come_and_say_good_bye() {
    let mut plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    let probe = Probe::converged(&plane, hello("n")).await;
    let listed = |plane: &Plane| {
        let db = plane.db.clone();
        async move {
            let nodes = instances(&db, &scope()).await.unwrap();
            let text = |node: &crate::sync::status::Instance| {
                format!("{} {} {}/{}", node.id, node.state.as_str(), node.active_revision, node.head)
            };
            nodes.iter().map(text).collect::<Vec<_>>()
        }
    };
    let shows = async |plane: &Plane, wanted: &str| {
        until(wanted, || async { (listed(plane).await == [wanted]).then_some(()) }).await;
    };
    shows(&plane, "n ONLINE 1/1").await;
    // A restart of management is no good-bye: the node stays online and is welcome again.
    plane.restart().await;
    assert_eq!(listed(&plane).await, ["n ONLINE 1/1"]);
    let probe = probe.reconnected(&plane, hello("n")).await;
    probe.send_snapshot().await;
    plane.deploy("a", "{}").await;
    shows(&plane, "n ONLINE 1/1").await;
    probe.drain().await;
    shows(&plane, "n STOPPED 1/1").await;
    let _next = Probe::converged(&plane, proto::sync::v1::Hello { incarnation: 2, ..hello("n") }).await;
    shows(&plane, "n ONLINE 1/1").await;
}
