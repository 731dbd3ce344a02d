//! Statements of the lease tables. No transaction here holds two leases, so that nobody waits in a circle with those
//! that change subscriptions, who hold leases after their API.

use super::Owner;
use super::assign::{Lease, Move, Node};
use super::roll::Report;
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::consumer::PushState;
use sqlx::QueryBuilder;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Channel of the empty notifications that owners changed.
pub(crate) const CHANNEL: &str = "tidegate_push";
/// Rows of one statement: engines bound the number of parameters.
const ROWS_MAX: usize = 500;

/// A living gateway on its way into the store.
#[derive(Debug)]
pub(super) struct NodeRow {
    pub(super) owner: Owner,
    pub(super) incarnation: u64,
    pub(super) tags: BTreeSet<String>,
    pub(super) environments: BTreeSet<String>,
    pub(super) ready: bool,
    pub(super) draining: bool,
    pub(super) alive_until: DateTime<Utc>,
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// The store's time: the only clock by which gateways live and die.
pub(super) async fn now(db: &Db) -> sqlx::Result<DateTime<Utc>> {
    match db {
        Db::Postgres(pool) => sqlx::query_scalar("select clock_timestamp()").fetch_one(pool).await,
        // The store is a file of this machine.
        Db::Sqlite(_) => Ok(Utc::now()),
    }
}

/// Says who lives. Of two rows of one process the one that was heard of later counts; a newer process replaces an
/// older one, and any process a dead one.
pub(super) async fn renew(db: &Db, now: DateTime<Utc>, rows: &[NodeRow]) -> sqlx::Result<()> {
    for rows in rows.chunks(ROWS_MAX) {
        on!(db db, pool => {
            let mut query = QueryBuilder::new(
                "insert into push_node (node_id, process_id, incarnation, tags, environments, ready, draining,
                                        alive_until) ",
            );
            query.push_values(rows, |mut values, row| {
                values
                    .push_bind(&row.owner.node)
                    .push_bind(&row.owner.process)
                    .push_bind(stored(row.incarnation))
                    .push_bind(Json(&row.tags))
                    .push_bind(Json(&row.environments))
                    .push_bind(row.ready)
                    .push_bind(row.draining)
                    .push_bind(row.alive_until);
            });
            query.push(
                " on conflict (node_id) do update set
                    process_id = excluded.process_id, incarnation = excluded.incarnation, tags = excluded.tags,
                    environments = excluded.environments, ready = excluded.ready, draining = excluded.draining,
                    alive_until = excluded.alive_until
                  where excluded.incarnation > push_node.incarnation
                    or (excluded.process_id = push_node.process_id
                        and excluded.alive_until >= push_node.alive_until)
                    or push_node.alive_until < ",
            );
            query.push_bind(now);
            query.build().execute(pool).await.map(|_| ())?
        });
    }
    Ok(())
}

/// Forgets a gateway process that said good-bye.
pub(super) async fn forget(db: &Db, owner: &Owner) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query("delete from push_node where node_id = $1 and process_id = $2")
            .bind(&owner.node).bind(&owner.process).execute(pool).await.map(|_| ())
    })
}

/// Forgets gateways that nobody heard of since `before`.
pub(super) async fn purge(db: &Db, before: DateTime<Utc>) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query("delete from push_node where alive_until < $1").bind(before).execute(pool).await.map(|_| ())
    })
}

/// Everything that a decision is made of.
pub(super) async fn read(db: &Db, now: DateTime<Utc>) -> sqlx::Result<(Vec<Node>, Vec<Lease>)> {
    type NodeColumns =
        (String, String, Json<BTreeSet<String>>, Json<BTreeSet<String>>, bool, bool, DateTime<Utc>);
    type LeaseColumns =
        (Uuid, String, String, String, bool, i64, Option<String>, Option<String>, Option<Json<Vec<String>>>);
    let nodes: Vec<NodeColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select node_id, process_id, tags, environments, ready, draining, alive_until from push_node",
        )
        .fetch_all(pool).await?
    });
    let leases: Vec<LeaseColumns> = on!(db db, pool => {
        sqlx::query_as(
            "select l.subscription_id, l.organization_id, l.environment_id, l.api_id, l.wanted, l.generation, l.node_id,
                    l.process_id, d.tags
             from push_lease l
             left join deployed d on d.organization_id = l.organization_id and d.environment_id = l.environment_id
               and d.kind = 'api' and d.id = l.api_id and d.digest is not null
             where l.wanted or l.node_id is not null
             order by l.subscription_id",
        )
        .fetch_all(pool).await?
    });
    let refusals: Vec<(String, String)> = on!(db db, pool => {
        sqlx::query_as("select node_id, id from gateway_issue where kind = 'api' and level = 'rejected'")
            .fetch_all(pool).await?
    });
    let mut refused: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (node, api) in refusals {
        refused.entry(node).or_default().insert(api);
    }
    let node =
        |(node, process, Json(tags), Json(environments), ready, draining, alive_until): NodeColumns| Node {
            refused: refused.get(&node).cloned().unwrap_or_default(),
            owner: Owner { node, process },
            tags,
            environments,
            ready,
            draining,
            alive: alive_until > now,
        };
    let lease = |columns: LeaseColumns| {
        let (subscription, organization, environment, api, wanted, generation, node, process, tags) = columns;
        Lease {
            subscription,
            environment: crate::sync::environment_name(&Scope { organization, environment }),
            api,
            tags: tags.map(|Json(tags)| tags),
            wanted,
            owner: node.zip(process).map(|(node, process)| Owner { node, process }),
            generation: number(generation),
        }
    };
    Ok((nodes.into_iter().map(node).collect(), leases.into_iter().map(lease).collect()))
}

/// Gives a subscription to somebody, or takes it away, unless it changed since it was decided. False: it did.
pub(super) async fn give(db: &Db, change: &Move, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let Move { subscription, generation, to } = change;
    let changed = match to {
        Some(to) => on!(db db, pool => {
            sqlx::query(
                "update push_lease set node_id = $3, process_id = $4, generation = generation + 1, state = $5,
                                       reason = '', changed_at = $6
                 where subscription_id = $1 and generation = $2 and wanted",
            )
            .bind(subscription).bind(stored(*generation)).bind(&to.node).bind(&to.process)
            .bind(PushState::Waiting.label()).bind(now)
            .execute(pool).await?.rows_affected()
        }),
        None => on!(db db, pool => {
            sqlx::query(
                "update push_lease set node_id = null, process_id = null, state = $3, changed_at = $4
                 where subscription_id = $1 and generation = $2 and node_id is not null",
            )
            .bind(subscription).bind(stored(*generation)).bind(PushState::Waiting.label()).bind(now)
            .execute(pool).await?.rows_affected()
        }),
    };
    Ok(changed > 0)
}

/// What the owner said, if it still is the owner. One that gives its subscription back is none from then on.
pub(super) async fn note(db: &Db, report: &Report, now: DateTime<Utc>) -> sqlx::Result<()> {
    let Report { subscription, environment: _, owner, generation, state, reason } = report;
    let kept = *state != PushState::Released;
    let state = if kept { *state } else { PushState::Waiting };
    on!(db db, pool => {
        sqlx::query(
            "update push_lease set state = $5, reason = $6, changed_at = $7,
                    node_id = case when $8 then node_id end, process_id = case when $8 then process_id end
             where subscription_id = $1 and generation = $2 and node_id = $3 and process_id = $4",
        )
        .bind(subscription).bind(stored(*generation)).bind(&owner.node).bind(&owner.process)
        .bind(state.label()).bind(reason).bind(now).bind(kept)
        .execute(pool).await.map(|_| ())
    })
}

/// Takes a subscription from its owner for good, because that one gave up. False: it is no longer the owner.
pub(crate) async fn fail(tx: &mut Tx, report: &Report, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let Report { subscription, owner, generation, reason, environment: _, state: _ } = report;
    let changed = on!(tx tx, connection => {
        sqlx::query(
            "update push_lease set state = $5, reason = $6, changed_at = $7, wanted = false, node_id = null,
                                   process_id = null
             where subscription_id = $1 and generation = $2 and node_id = $3 and process_id = $4",
        )
        .bind(subscription).bind(stored(*generation)).bind(&owner.node).bind(&owner.process)
        .bind(PushState::Failed.label()).bind(reason).bind(now)
        .execute(connection).await?.rows_affected()
    });
    Ok(changed > 0)
}

/// A push subscription as its own table says that it is. The generation outlives every pause.
pub(crate) async fn want(
    tx: &mut Tx,
    scope: &Scope,
    subscription: Uuid,
    api: &str,
    wanted: bool,
) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "insert into push_lease (subscription_id, organization_id, environment_id, api_id, wanted, generation,
                                     state, reason, changed_at)
             values ($1, $2, $3, $4, $5, 0, $6, '', $7)
             on conflict (subscription_id) do update set wanted = excluded.wanted,
               node_id = case when excluded.wanted then push_lease.node_id end,
               process_id = case when excluded.wanted then push_lease.process_id end,
               changed_at = excluded.changed_at
             where push_lease.wanted <> excluded.wanted",
        )
        .bind(subscription).bind(&scope.organization).bind(&scope.environment).bind(api).bind(wanted)
        .bind(PushState::Waiting.label()).bind(Utc::now())
        .execute(connection).await.map(|_| ())
    })
}

/// Nobody is to run a subscription any more, if it is one that is pushed.
pub(crate) async fn unwant(tx: &mut Tx, subscription: Uuid) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "update push_lease set wanted = false, node_id = null, process_id = null, changed_at = $2
             where subscription_id = $1 and wanted",
        )
        .bind(subscription).bind(Utc::now())
        .execute(connection).await.map(|_| ())
    })
}

/// The hint for the other management nodes.
pub(super) async fn notify(db: &Db) -> sqlx::Result<()> {
    if let Db::Postgres(pool) = db {
        sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(pool).await?;
    }
    Ok(())
}
