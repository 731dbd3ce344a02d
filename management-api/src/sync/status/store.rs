//! Statements of the node tables: the writer's batch and the questions behind the status.

use super::book::{Batch, EnvironmentUpdate, Issue, NodeFacts, NodeUpdate};
use super::{Deployment, NodeProblem};
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use crate::sync::state::Key;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::HashMap;
use uuid::Uuid;

/// A node of an environment with its watermark there.
#[derive(Debug, Clone)]
pub(super) struct NodeRow {
    pub(super) id: String,
    pub(super) build: String,
    pub(super) hostname: String,
    pub(super) port: u16,
    pub(super) tags: Vec<String>,
    pub(super) replica: String,
    pub(super) stopped: bool,
    pub(super) started_at: DateTime<Utc>,
    pub(super) seen_at: DateTime<Utc>,
    pub(super) stopped_at: Option<DateTime<Utc>>,
    pub(super) received_revision: i64,
    pub(super) active_revision: i64,
    pub(super) head: i64,
    /// Commit time of the first revision it has not finished.
    pub(super) behind_since: Option<DateTime<Utc>>,
}

/// A problem and the content it is about.
#[derive(Debug, Clone)]
pub(super) struct ProblemRow {
    pub(super) problem: NodeProblem,
    pub(super) digest: Option<Vec<u8>>,
}

/// What is wanted of a resource now.
pub(super) struct WantedRow {
    pub(super) revision: i64,
    pub(super) tags: Vec<String>,
}

fn stored(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// Writes a batch in one transaction.
pub(super) async fn write(db: &Db, batch: &Batch) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    for (node, update) in &batch.nodes {
        if update.connected {
            forget_other_process(&mut tx, node, update.facts.incarnation).await?;
        }
        upsert_node(&mut tx, node, update).await?;
        for (scope, environment) in &update.environments {
            write_environment(&mut tx, node, &update.facts.build, scope, environment).await?;
        }
    }
    tx.commit().await
}

/// What an earlier process of the same node reported says nothing about the new one.
async fn forget_other_process(tx: &mut Tx, node: &str, incarnation: u64) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "delete from gateway_env where node_id = $1
             and exists (select 1 from gateway_node where id = $1 and incarnation <> $2)",
        )
        .bind(node).bind(stored(incarnation)).execute(connection).await.map(|_| ())?
    });
    on!(tx tx, connection => {
        sqlx::query(
            "delete from gateway_issue where node_id = $1
             and exists (select 1 from gateway_node where id = $1 and incarnation <> $2)",
        )
        .bind(node).bind(stored(incarnation)).execute(connection).await.map(|_| ())
    })
}

async fn upsert_node(tx: &mut Tx, node: &str, update: &NodeUpdate) -> sqlx::Result<()> {
    let NodeFacts { incarnation, build, hostname, port, tags, replica, connected_at } = &*update.facts;
    let state = if update.stopped_at.is_some() { "STOPPED" } else { "STARTED" };
    on!(tx tx, connection => {
        sqlx::query(
            "insert into gateway_node (id, incarnation, build, hostname, port, tags, replica_id, state,
                                       started_at, seen_at, stopped_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (id) do update set
               incarnation = excluded.incarnation, build = excluded.build, hostname = excluded.hostname,
               port = excluded.port, tags = excluded.tags, replica_id = excluded.replica_id,
               state = excluded.state, seen_at = excluded.seen_at, stopped_at = excluded.stopped_at,
               started_at = case when gateway_node.incarnation = excluded.incarnation
                                 then gateway_node.started_at else excluded.started_at end",
        )
        .bind(node).bind(stored(*incarnation)).bind(build).bind(hostname).bind(i32::from(*port))
        .bind(Json(tags)).bind(replica).bind(state).bind(connected_at).bind(update.seen_at)
        .bind(update.stopped_at)
        .execute(connection).await.map(|_| ())
    })
}

async fn write_environment(
    tx: &mut Tx,
    node: &str,
    build: &str,
    scope: &Scope,
    update: &EnvironmentUpdate,
) -> sqlx::Result<()> {
    if let Some(mark) = &update.watermark {
        on!(tx tx, connection => {
            sqlx::query(
                "insert into gateway_env (node_id, organization_id, environment_id, received_rev, active_rev,
                                          active_digest, expected_digest, updated_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)
                 on conflict (node_id, organization_id, environment_id) do update set
                   received_rev = excluded.received_rev, active_rev = excluded.active_rev,
                   active_digest = excluded.active_digest, expected_digest = excluded.expected_digest,
                   updated_at = excluded.updated_at",
            )
            .bind(node).bind(&scope.organization).bind(&scope.environment)
            .bind(stored(mark.received_revision)).bind(stored(mark.active_revision))
            .bind(mark.active_digest.as_deref()).bind(mark.expected_digest.as_ref().map(<[u8; 32]>::as_slice))
            .bind(Utc::now())
            .execute(connection).await.map(|_| ())?
        });
    }
    if update.forget_issues {
        on!(tx tx, connection => {
            sqlx::query(
                "delete from gateway_issue
                 where node_id = $1 and organization_id = $2 and environment_id = $3",
            )
            .bind(node).bind(&scope.organization).bind(&scope.environment)
            .execute(connection).await.map(|_| ())?
        });
    }
    for (key, issue) in &update.issues {
        write_issue(tx, node, build, scope, key, issue.as_ref()).await?;
    }
    Ok(())
}

async fn write_issue(
    tx: &mut Tx,
    node: &str,
    build: &str,
    scope: &Scope,
    key: &Key,
    issue: Option<&Issue>,
) -> sqlx::Result<()> {
    let Some(issue) = issue else {
        return on!(tx tx, connection => {
            sqlx::query(
                "delete from gateway_issue where node_id = $1 and organization_id = $2
                 and environment_id = $3 and kind = $4 and id = $5",
            )
            .bind(node).bind(&scope.organization).bind(&scope.environment).bind(&*key.kind).bind(&*key.id)
            .execute(connection).await.map(|_| ())
        });
    };
    on!(tx tx, connection => {
        sqlx::query(
            "insert into gateway_issue (node_id, organization_id, environment_id, kind, id, digest, level,
                                        code, path, message, build, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             on conflict (node_id, organization_id, environment_id, kind, id) do update set
               digest = excluded.digest, level = excluded.level, code = excluded.code, path = excluded.path,
               message = excluded.message, build = excluded.build, at = excluded.at",
        )
        .bind(node).bind(&scope.organization).bind(&scope.environment).bind(&*key.kind).bind(&*key.id)
        .bind(issue.digest.as_deref()).bind(issue.level.as_str()).bind(&issue.code).bind(&issue.path)
        .bind(&issue.message).bind(build).bind(issue.at)
        .execute(connection).await.map(|_| ())
    })
}

/// Forgets nodes that were not seen since `before`, with everything they reported.
pub(super) async fn purge(db: &Db, before: DateTime<Utc>) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query("delete from gateway_node where seen_at < $1")
            .bind(before).execute(pool).await.map(|_| ())
    })
}

type DeploymentColumns =
    (Uuid, i64, String, String, String, Option<Vec<u8>>, Option<String>, String, DateTime<Utc>);

fn deployment_row(columns: DeploymentColumns) -> Deployment {
    let (id, revision, kind, resource, operation, digest, label, actor, at) = columns;
    Deployment { id, revision, kind, resource, operation, digest, label, actor, at }
}

pub(super) async fn deployment(db: &Db, scope: &Scope, id: Uuid) -> sqlx::Result<Option<Deployment>> {
    let row: Option<DeploymentColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select id, rev, kind, resource_id, op, digest, label, actor, at from deployment
             where organization_id = $1 and environment_id = $2 and id = $3",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(id)
        .fetch_optional(pool).await?
    });
    Ok(row.map(deployment_row))
}

pub(super) async fn deployments(
    db: &Db,
    scope: &Scope,
    kind: &str,
    resource: &str,
    offset: i64,
    limit: i64,
) -> sqlx::Result<Vec<Deployment>> {
    let rows: Vec<DeploymentColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select id, rev, kind, resource_id, op, digest, label, actor, at from deployment
             where organization_id = $1 and environment_id = $2 and kind = $3 and resource_id = $4
             order by rev desc limit $5 offset $6",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(kind).bind(resource)
        .bind(limit).bind(offset)
        .fetch_all(pool).await?
    });
    Ok(rows.into_iter().map(deployment_row).collect())
}

pub(super) async fn count_deployments(
    db: &Db,
    scope: &Scope,
    kind: &str,
    resource: &str,
) -> sqlx::Result<i64> {
    on!(db db, pool => {
        sqlx::query_scalar(
            "select count(*) from deployment
             where organization_id = $1 and environment_id = $2 and kind = $3 and resource_id = $4",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(kind).bind(resource)
        .fetch_one(pool).await
    })
}

/// The wanted state of a deployed resource.
pub(super) async fn wanted(db: &Db, scope: &Scope, kind: &str, id: &str) -> sqlx::Result<WantedRow> {
    let row: Option<(i64, Json<Vec<String>>)> = on!(db db, pool => {
        sqlx::query_as(
            "select rev, tags from deployed
             where organization_id = $1 and environment_id = $2 and kind = $3 and id = $4",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(kind).bind(id)
        .fetch_optional(pool).await?
    });
    let (revision, Json(tags)) = row.unwrap_or_default();
    Ok(WantedRow { revision, tags })
}

type IdentityColumns = (
    String,
    String,
    String,
    i32,
    Json<Vec<String>>,
    String,
    String,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
);
type MarkColumns = (String, i64, i64, Option<i64>, Option<DateTime<Utc>>);

/// The nodes that serve an environment, by id.
pub(super) async fn nodes(db: &Db, scope: &Scope) -> sqlx::Result<Vec<NodeRow>> {
    let identities: Vec<IdentityColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select n.id, n.build, n.hostname, n.port, n.tags, n.replica_id, n.state, n.started_at,
                    n.seen_at, n.stopped_at
             from gateway_node n join gateway_env e on e.node_id = n.id
             where e.organization_id = $1 and e.environment_id = $2 order by n.id",
        )
        .bind(&scope.organization).bind(&scope.environment).fetch_all(pool).await?
    });
    let marks: Vec<MarkColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select e.node_id, e.received_rev, e.active_rev, h.head_rev,
                    (select l.at from deploy_log l where l.organization_id = e.organization_id
                     and l.environment_id = e.environment_id and l.rev > e.active_rev
                     order by l.rev, l.ord limit 1)
             from gateway_env e left join env_head h
               on h.organization_id = e.organization_id and h.environment_id = e.environment_id
             where e.organization_id = $1 and e.environment_id = $2",
        )
        .bind(&scope.organization).bind(&scope.environment).fetch_all(pool).await?
    });
    let mut marks: HashMap<String, MarkColumns> =
        marks.into_iter().map(|mark| (mark.0.clone(), mark)).collect();
    let rows = identities.into_iter().filter_map(|identity| {
        let (id, build, hostname, port, Json(tags), replica, state, started_at, seen_at, stopped_at) =
            identity;
        let (_, received_revision, active_revision, head, behind_since) = marks.remove(&id)?;
        Some(NodeRow {
            id,
            build,
            hostname,
            port: u16::try_from(port).unwrap_or(0),
            tags,
            replica,
            stopped: state == "STOPPED",
            started_at,
            seen_at,
            stopped_at,
            received_revision,
            active_revision,
            head: head.unwrap_or(0),
            behind_since,
        })
    });
    Ok(rows.collect())
}

type ProblemColumns =
    (String, String, String, Option<Vec<u8>>, String, String, String, String, DateTime<Utc>);

/// Problems of an environment, or those of one resource `(kind, id)`.
pub(super) async fn problems(
    db: &Db,
    scope: &Scope,
    resource: Option<(&str, &str)>,
) -> sqlx::Result<Vec<ProblemRow>> {
    let (kind, id) = resource.unzip();
    let rows: Vec<ProblemColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select node_id, kind, id, digest, level, code, path, message, at from gateway_issue
             where organization_id = $1 and environment_id = $2
               and (cast($3 as text) is null or (kind = $3 and id = $4))
             order by node_id, kind, id",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(kind).bind(id)
        .fetch_all(pool).await?
    });
    let row = |(node, kind, id, digest, level, code, path, message, at): ProblemColumns| ProblemRow {
        problem: NodeProblem { node, kind, id, level, code, path, message, at },
        digest,
    };
    Ok(rows.into_iter().map(row).collect())
}
