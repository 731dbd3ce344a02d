//! Verdicts over small sets of nodes: data in, text out.

use super::*;
use crate::sync::status::NodeProblem;
use chrono::TimeDelta;
use pretty_assertions::assert_eq;
use uuid::Uuid;

const DIGEST: [u8; 32] = [7; 32];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn node(id: &str, received: i64, active: i64) -> NodeRow {
    NodeRow {
        id: id.to_owned(),
        build: "1".to_owned(),
        hostname: "host".to_owned(),
        port: 8082,
        tags: Vec::new(),
        replica: "r".to_owned(),
        stopped: false,
        started_at: now(),
        seen_at: now(),
        stopped_at: None,
        received_revision: received,
        active_revision: active,
        head: 5,
        behind_since: None,
    }
}

fn lost(mut node: NodeRow) -> NodeRow {
    node.seen_at = now() - TimeDelta::seconds(31);
    node
}

fn problem(node: &str, level: &str, digest: [u8; 32]) -> ProblemRow {
    let problem = NodeProblem {
        node: node.to_owned(),
        kind: "api".to_owned(),
        id: "a".to_owned(),
        level: level.to_owned(),
        code: "CODE".to_owned(),
        path: String::new(),
        message: "because".to_owned(),
        at: now(),
    };
    ProblemRow { problem, digest: Some(digest.to_vec()) }
}

/// State and counts of deployment 5, made `age` seconds ago, as text.
fn check(age: i64, nodes: &[NodeRow], problems: Vec<ProblemRow>) -> String {
    let wanted = WantedRow { revision: 5, tags: vec!["eu".to_owned()] };
    let made = Deployment {
        id: Uuid::nil(),
        revision: 5,
        kind: "api".to_owned(),
        resource: "a".to_owned(),
        operation: "publish".to_owned(),
        digest: Some(DIGEST.to_vec()),
        label: None,
        actor: "admin".to_owned(),
        at: now() - TimeDelta::seconds(age),
    };
    let status = deployment(now(), made, &wanted, nodes, problems);
    let NodeCounts { matching, active, rejected, degraded, stale, offline } = status.nodes;
    format!("{} {matching}/{active}/{rejected}/{degraded}/{stale}/{offline}", status.state.as_str())
}

#[test]
fn no_online_node_is_not_a_success() {
    assert_eq!(check(0, &[], vec![]), "NO_NODES 0/0/0/0/0/0");
    assert_eq!(check(0, &[lost(node("n", 5, 5))], vec![]), "NO_NODES 1/0/0/0/0/1");
    let stopped = NodeRow { stopped: true, ..node("n", 5, 5) };
    assert_eq!(check(0, &[stopped], vec![]), "NO_NODES 0/0/0/0/0/0");
}

#[test]
fn a_deployment_goes_from_pending_over_rolling_to_converged() {
    assert_eq!(check(0, &[node("m", 4, 4), node("n", 4, 4)], vec![]), "PENDING 2/0/0/0/0/0");
    assert_eq!(check(0, &[node("m", 5, 4), node("n", 4, 4)], vec![]), "ROLLING 2/0/0/0/0/0");
    assert_eq!(check(0, &[node("m", 5, 5), node("n", 4, 4)], vec![]), "ROLLING 2/1/0/0/0/0");
    assert_eq!(check(0, &[node("m", 5, 5), node("n", 6, 6)], vec![]), "CONVERGED 2/2/0/0/0/0");
    assert_eq!(check(0, &[node("m", 5, 5), lost(node("n", 4, 4))], vec![]), "CONVERGED 2/1/0/0/0/1");
}

#[test]
fn refusals_and_laggards_are_counted() {
    let both = [node("m", 5, 5), node("n", 5, 5)];
    assert_eq!(check(0, &both, vec![problem("n", "rejected", DIGEST)]), "PARTIAL 2/1/1/0/0/0");
    assert_eq!(check(0, &both, vec![problem("n", "degraded", DIGEST)]), "PARTIAL 2/1/0/1/0/0");
    assert_eq!(check(0, &both, vec![problem("n", "rejected", [1; 32])]), "CONVERGED 2/2/0/0/0/0");
    let refused = vec![problem("m", "rejected", DIGEST), problem("n", "rejected", DIGEST)];
    assert_eq!(check(0, &both, refused), "FAILED 2/0/2/0/0/0");
    assert_eq!(check(31, &[node("m", 5, 5), node("n", 4, 4)], vec![]), "PARTIAL 2/1/0/0/1/0");
    assert_eq!(check(31, &[node("n", 4, 4)], vec![]), "PENDING 1/0/0/0/1/0");
}

#[test]
fn only_nodes_with_a_common_tag_match() {
    let tagged = |tag: &str| NodeRow { tags: vec![tag.to_owned()], ..node(tag, 5, 5) };
    assert_eq!(check(0, &[tagged("eu"), tagged("us")], vec![]), "CONVERGED 1/1/0/0/0/0");
}

#[test]
fn a_node_that_stays_behind_is_stale() {
    let behind =
        |seconds| NodeRow { behind_since: Some(now() - TimeDelta::seconds(seconds)), ..node("n", 4, 4) };
    let states: Vec<_> =
        instances(now(), vec![node("a", 5, 5), behind(29), behind(31), lost(node("b", 5, 5))], &[])
            .into_iter()
            .map(|instance| instance.state.as_str())
            .collect();
    assert_eq!(states, ["ONLINE", "ONLINE", "STALE", "OFFLINE"]);
}
