//! From rows to verdicts, without a store and without a clock of its own.

use super::store::{NodeRow, ProblemRow, WantedRow};
use super::{Deployment, DeploymentState, DeploymentStatus, Instance, InstanceState, LOST_AFTER, NodeCounts};
use crate::sync::view::tags_match;
use chrono::{DateTime, Utc};

fn state(now: DateTime<Utc>, node: &NodeRow) -> InstanceState {
    if node.stopped {
        InstanceState::Stopped
    } else if now - node.seen_at > LOST_AFTER {
        InstanceState::Offline
    } else if node.behind_since.is_some_and(|since| now - since > LOST_AFTER) {
        InstanceState::Stale
    } else {
        InstanceState::Online
    }
}

/// How far a deployment got on the nodes whose tags match the resource.
pub(super) fn deployment(
    now: DateTime<Utc>,
    deployment: Deployment,
    wanted: &WantedRow,
    nodes: &[NodeRow],
    problems: Vec<ProblemRow>,
) -> DeploymentStatus {
    let superseded_by = Some(wanted.revision).filter(|revision| *revision > deployment.revision);
    let mut counts = NodeCounts::default();
    let mut shown = Vec::new();
    let (mut online, mut received) = (0, 0);
    for node in nodes {
        let state = state(now, node);
        if state == InstanceState::Stopped || !tags_match(&node.tags.iter().cloned().collect(), &wanted.tags)
        {
            continue;
        }
        counts.matching += 1;
        if state == InstanceState::Offline {
            counts.offline += 1;
            continue;
        }
        online += 1;
        if node.received_revision >= deployment.revision {
            received += 1;
        }
        let problem = problems.iter().find(|row| {
            row.problem.node == node.id && (superseded_by.is_some() || row.digest == deployment.digest)
        });
        match problem {
            Some(row) => {
                shown.push(row.problem.clone());
                if row.problem.level == "degraded" { counts.degraded += 1 } else { counts.rejected += 1 }
            }
            None if node.active_revision >= deployment.revision => counts.active += 1,
            None if now - deployment.at > LOST_AFTER => counts.stale += 1,
            None => {}
        }
    }
    let state = verdict(online, received, counts);
    DeploymentStatus { deployment, state, nodes: counts, problems: shown, superseded_by }
}

fn verdict(online: u32, received: u32, counts: NodeCounts) -> DeploymentState {
    let settled = counts.active + counts.rejected + counts.degraded + counts.stale;
    if online == 0 {
        DeploymentState::NoNodes
    } else if counts.active == online {
        DeploymentState::Converged
    } else if counts.rejected == online {
        DeploymentState::Failed
    } else if settled == online && counts.stale < online {
        DeploymentState::Partial
    } else if received == 0 {
        DeploymentState::Pending
    } else {
        DeploymentState::Rolling
    }
}

pub(super) fn instances(now: DateTime<Utc>, nodes: Vec<NodeRow>, problems: &[ProblemRow]) -> Vec<Instance> {
    nodes
        .into_iter()
        .map(|node| Instance {
            state: state(now, &node),
            problems: problems
                .iter()
                .filter(|row| row.problem.node == node.id)
                .map(|row| row.problem.clone())
                .collect(),
            id: node.id,
            build: node.build,
            hostname: node.hostname,
            port: node.port,
            tags: node.tags,
            replica: node.replica,
            started_at: node.started_at,
            seen_at: node.seen_at,
            stopped_at: node.stopped_at,
            received_revision: node.received_revision,
            active_revision: node.active_revision,
            head: node.head,
        })
        .collect()
}

#[cfg(test)]
mod tests;
