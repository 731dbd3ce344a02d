//! The subscriptions of an API as a table, and whether a key could be used by an application.

use super::list::{ApiFilterParams, Filter, OF_PUBLISHERS, Pairs};
use super::{SubscriptionRecord, store};
use crate::apis;
use crate::app::AppState;
use crate::applications;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::Params;
use crate::page::Page;
use crate::plans;
use crate::scope::Scope;
use crate::wire::{self, InApi};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

/// Rows of one export; a larger one would be a report of its own.
const ROWS_MAX: i64 = 10_000;
const HEAD: &str = "Plan;Application;Creation date;Process date;Start date;End date;Status\n";

/// Exports the subscriptions of an API, latest first
#[utoipa::path(get, path = "/v4/apis/{api}/subscriptions/export", operation_id = "export_api_subscriptions",
    tag = "Subscriptions", params(InApi, ApiFilterParams),
    responses((status = 200, description = "At most 10000 rows, with their head", body = String, content_type = "text/csv"),
        wire::Invalid, wire::Refusals))]
pub(crate) async fn export_subscriptions(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    Params(pairs): Params<Pairs>,
) -> Result<Response> {
    let api = apis::handlers::find(&app, &scope, &path.api).await?;
    let filter = Filter { apis: Some(vec![api.id]), ..Filter::read(&pairs, OF_PUBLISHERS)? };
    let (found, total) = store::list(&app.db, &scope, &filter, Page { number: 1, size: ROWS_MAX }).await?;
    if total > ROWS_MAX {
        let message =
            format!("{total} subscriptions are more than {ROWS_MAX}: filter by plan, application or status");
        return Err(ApiError::bad_request(message));
    }
    let plans = plans::store::list(&app.db, &api).await?;
    let applications = applications::store::list_of_api(&app.db, &scope, api.id).await?;
    let mut table = String::from(HEAD);
    for subscription in &found {
        let plan = plans.iter().find(|plan| plan.id == subscription.plan_id);
        let application = applications.iter().find(|(id, _)| *id == subscription.application_id);
        let plan = plan.map_or("", |plan| plan.definition.name.as_str());
        table.push_str(&row(plan, application.map_or("", |(_, name)| name), subscription));
    }
    let file = format!("attachment;filename=subscriptions-{}.csv", api.id);
    Ok(([(CONTENT_TYPE, "text/csv".to_owned()), (CONTENT_DISPOSITION, file)], table).into_response())
}

fn row(plan: &str, application: &str, subscription: &SubscriptionRecord) -> String {
    let date = |date: Option<DateTime<Utc>>| {
        date.map(|date| date.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
    };
    let cells = [
        cell(plan),
        cell(application),
        date(Some(subscription.created_at)),
        date(subscription.history.processed_at),
        date(subscription.starting_at),
        date(subscription.ending_at),
        subscription.status.label().to_owned(),
    ];
    cells.join(";") + "\n"
}

/// A name as a cell. A spreadsheet must neither split it nor take it for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([';', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names_in_a_spreadsheet() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a;b", "\"a;b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-a;b", "\"'-a;b\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
