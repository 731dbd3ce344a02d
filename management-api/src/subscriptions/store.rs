//! Subscriptions in the store.

use super::list::Filter;
use super::{History, SubscriptionRecord};
use crate::db::{Db, Tx, on};
use crate::page::Page;
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::subscription::{ConsumerConfiguration, ConsumerStatus, SubscriptionStatus};
use sqlx::types::Json;
use sqlx::{Database, Encode, QueryBuilder, Type};
use std::collections::BTreeMap;
use uuid::Uuid;

type Row = (
    Uuid,
    Uuid,
    Uuid,
    Uuid,
    String,
    String,
    Option<Json<ConsumerConfiguration>>,
    Json<BTreeMap<String, String>>,
    Json<History>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
    DateTime<Utc>,
);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, api_id, plan_id, application_id, status, consumer_status, configuration, metadata, history, ",
            "starting_at, ending_at, created_at, updated_at from subscriptions ",
            $rest
        )
    };
}

/// Finds a subscription for reading.
pub(crate) async fn find(db: &Db, scope: &Scope, id: Uuid) -> sqlx::Result<Option<SubscriptionRecord>> {
    let row: Option<Row> = on!(db db, pool => {
        sqlx::query_as(select!("where organization_id = $1 and environment_id = $2 and id = $3"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(id)
            .fetch_optional(pool)
            .await?
    });
    row.map(record).transpose()
}

/// The same inside a transaction.
pub(crate) async fn find_in(
    tx: &mut Tx,
    scope: &Scope,
    id: Uuid,
) -> sqlx::Result<Option<SubscriptionRecord>> {
    let row: Option<Row> = on!(tx tx, connection => {
        sqlx::query_as(select!("where organization_id = $1 and environment_id = $2 and id = $3"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(id)
            .fetch_optional(connection)
            .await?
    });
    row.map(record).transpose()
}

/// Every subscription of an API. The caller holds the API.
pub(crate) async fn of_api(tx: &mut Tx, api: Uuid) -> sqlx::Result<Vec<SubscriptionRecord>> {
    let rows: Vec<Row> = on!(tx tx, connection => {
        sqlx::query_as(select!("where api_id = $1 order by created_at, id")).bind(api).fetch_all(connection).await?
    });
    rows.into_iter().map(record).collect()
}

/// Every subscription of an application. The caller holds the application.
pub(crate) async fn of_application(tx: &mut Tx, application: Uuid) -> sqlx::Result<Vec<SubscriptionRecord>> {
    let rows: Vec<Row> = on!(tx tx, connection => {
        sqlx::query_as(select!("where application_id = $1 order by api_id, created_at, id"))
            .bind(application)
            .fetch_all(connection)
            .await?
    });
    rows.into_iter().map(record).collect()
}

/// One page of the subscriptions that a filter lets through, latest first, and how many there are.
pub(crate) async fn list(
    db: &Db,
    scope: &Scope,
    filter: &Filter,
    page: Page,
) -> sqlx::Result<(Vec<SubscriptionRecord>, i64)> {
    let (rows, total): (Vec<Row>, i64) = on!(db db, pool => {
        let mut wanted = QueryBuilder::new(select!(""));
        push_filter(&mut wanted, scope, filter);
        wanted.push(" order by created_at desc, id limit ").push_bind(page.size);
        wanted.push(" offset ").push_bind(page.offset());
        let rows = wanted.build_query_as().fetch_all(pool).await?;
        let mut count = QueryBuilder::new("select count(*) from subscriptions");
        push_filter(&mut count, scope, filter);
        (rows, count.build_query_scalar().fetch_one(pool).await?)
    });
    Ok((rows.into_iter().map(record).collect::<sqlx::Result<_>>()?, total))
}

fn push_filter<D: Database>(query: &mut QueryBuilder<D>, scope: &Scope, filter: &Filter)
where
    for<'q> String: Encode<'q, D> + Type<D>,
    for<'q> Uuid: Encode<'q, D> + Type<D>,
{
    query.push(" where organization_id = ").push_bind(scope.organization.clone());
    query.push(" and environment_id = ").push_bind(scope.environment.clone());
    let ids =
        [("api_id", &filter.apis), ("plan_id", &filter.plans), ("application_id", &filter.applications)];
    for (column, ids) in ids {
        if let Some(ids) = ids {
            query.push(" and ").push(column);
            push_list(query, ids);
        }
    }
    query.push(" and status");
    let statuses: Vec<String> = filter.statuses.iter().map(|status| status.label().to_owned()).collect();
    push_list(query, &statuses);
    if let Some(hash) = &filter.key_hash {
        query
            .push(" and id in (select subscription_id from api_keys where hash = ")
            .push_bind(hash.clone())
            .push(")");
    }
}

/// ` in (…)`; an empty list matches nothing.
fn push_list<D: Database, T>(query: &mut QueryBuilder<D>, values: &[T])
where
    for<'q> T: Clone + Encode<'q, D> + Type<D>,
{
    query.push(" in (null");
    for value in values {
        query.push(", ").push_bind(value.clone());
    }
    query.push(")");
}

/// Subscriptions whose end has come and that are not closed yet, oldest first.
pub(super) async fn due(db: &Db, at: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<(Scope, Uuid)>> {
    let rows: Vec<(String, String, Uuid)> = on!(db db, pool => {
        sqlx::query_as(
            "select organization_id, environment_id, id from subscriptions
             where status in ('ACCEPTED', 'PAUSED') and ending_at <= $1 order by ending_at limit $2",
        )
        .bind(at)
        .bind(limit)
        .fetch_all(pool)
        .await?
    });
    let scoped = |(organization, environment, id)| (Scope { organization, environment }, id);
    Ok(rows.into_iter().map(scoped).collect())
}

/// True when an application has an API key of another subscription.
pub(crate) async fn has_other_keys(tx: &mut Tx, subscription: &SubscriptionRecord) -> sqlx::Result<bool> {
    let count: i64 = on!(tx tx, connection => {
        sqlx::query_scalar(
            "select count(*) from api_keys k join subscriptions s on s.id = k.subscription_id
             where s.application_id = $1 and s.id <> $2",
        )
        .bind(subscription.application_id)
        .bind(subscription.id)
        .fetch_one(connection)
        .await?
    });
    Ok(count > 0)
}

/// Adds a subscription.
pub(crate) async fn insert(
    tx: &mut Tx,
    scope: &Scope,
    subscription: &SubscriptionRecord,
) -> sqlx::Result<()> {
    let SubscriptionRecord {
        id,
        api_id,
        plan_id,
        application_id,
        status,
        consumer_status,
        configuration,
        metadata,
        history,
        starting_at,
        ending_at,
        created_at,
        updated_at,
    } = subscription;
    on!(tx tx, connection => {
        sqlx::query(
            "insert into subscriptions (id, organization_id, environment_id, api_id, plan_id, application_id, status,
                                        consumer_status, channel, configuration, metadata, history, starting_at,
                                        ending_at, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(id)
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(api_id)
        .bind(plan_id)
        .bind(application_id)
        .bind(status.label())
        .bind(consumer_status.label())
        .bind(subscription.channel())
        .bind(configuration.as_ref().map(Json))
        .bind(Json(metadata))
        .bind(Json(history))
        .bind(starting_at)
        .bind(ending_at)
        .bind(created_at)
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// Saves a changed subscription. The caller holds its application and its API.
pub(crate) async fn update(tx: &mut Tx, subscription: &SubscriptionRecord) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "update subscriptions set plan_id = $2, status = $3, consumer_status = $4, channel = $5,
                    configuration = $6, metadata = $7, history = $8, starting_at = $9, ending_at = $10,
                    updated_at = $11
             where id = $1",
        )
        .bind(subscription.id)
        .bind(subscription.plan_id)
        .bind(subscription.status.label())
        .bind(subscription.consumer_status.label())
        .bind(subscription.channel())
        .bind(subscription.configuration.as_ref().map(Json))
        .bind(Json(&subscription.metadata))
        .bind(Json(&subscription.history))
        .bind(subscription.starting_at)
        .bind(subscription.ending_at)
        .bind(subscription.updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

fn record(row: Row) -> sqlx::Result<SubscriptionRecord> {
    let (id, api_id, plan_id, application_id, status, consumer_status, configuration, metadata, history, ..) =
        &row;
    let corrupt =
        |what: &str| sqlx::Error::Decode(format!("subscription {id} has an unreadable {what}").into());
    Ok(SubscriptionRecord {
        id: *id,
        api_id: *api_id,
        plan_id: *plan_id,
        application_id: *application_id,
        status: SubscriptionStatus::parse(status).ok_or_else(|| corrupt("status"))?,
        consumer_status: ConsumerStatus::parse(consumer_status).ok_or_else(|| corrupt("consumer status"))?,
        configuration: configuration.as_ref().map(|Json(configuration)| configuration.clone()),
        metadata: metadata.0.clone(),
        history: history.0.clone(),
        starting_at: row.9,
        ending_at: row.10,
        created_at: row.11,
        updated_at: row.12,
    })
}
