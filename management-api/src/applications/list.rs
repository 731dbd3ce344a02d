//! Lists of applications: all of an environment, or page by page.

use super::view::application_view;
use super::{ApplicationRecord, store};
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::Params;
use crate::page::PageParams;
use crate::scope::Scope;
use crate::wire::{self, InEnvironment};
use axum::Json;
use axum::extract::State;
use definition::application::ApplicationStatus;
use definition::violation::Violation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;
use utoipa::IntoParams;

/// Items per page when nothing is asked for.
const SIZE_DEFAULT: i64 = 10;

/// Which applications, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Part of the name, any case.
    query: Option<String>,
    /// `ACTIVE` or `ARCHIVED`.
    #[param(default = "ACTIVE")]
    status: Option<String>,
    /// Ids, separated by commas.
    ids: Option<String>,
    /// Name of a group that the application names.
    group: Option<String>,
    /// `name`, `-name`, `updated_at` or `-updated_at`.
    #[param(default = "name")]
    order: Option<String>,
}

/// Lists the applications of an environment
#[utoipa::path(get, path = "/applications", operation_id = "list_applications", tag = "Applications",
    params(InEnvironment, ListParams),
    responses((status = 200, description = "The applications", body = Vec<wire::Application>), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_applications(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<Value>>> {
    Ok(Json(params.find(&app, &scope).await?.iter().map(application_view).collect()))
}

/// Lists the applications of an environment page by page
#[utoipa::path(get, path = "/applications/_paged", operation_id = "list_applications_paged", tag = "Applications",
    params(InEnvironment, ListParams, PageParams),
    responses((status = 200, description = "One page", body = wire::ApplicationPage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_applications_paged(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Params(params): Params<ListParams>,
    Params(page): Params<PageParams>,
) -> Result<Json<Value>> {
    let page = page.page_of(SIZE_DEFAULT)?;
    let found = params.find(&app, &scope).await?;
    let total = found.len();
    let (offset, size) = (usize::try_from(page.offset()), usize::try_from(page.size));
    let (offset, size) = (offset.unwrap_or(usize::MAX), size.unwrap_or(usize::MAX));
    let data: Vec<Value> = found.iter().skip(offset).take(size).map(application_view).collect();
    let shown = data.len();
    Ok(Json(json!({
        "data": data,
        "page": {
            "current": page.number,
            "size": shown,
            "per_page": page.size,
            "total_pages": total.div_ceil(size),
            "total_elements": total,
        },
    })))
}

impl ListParams {
    async fn find(&self, app: &AppState, scope: &Scope) -> Result<Vec<ApplicationRecord>> {
        let status = self.status.as_deref().unwrap_or("ACTIVE");
        let status = ApplicationStatus::parse(status).ok_or_else(|| {
            let message = "query parameter `status` must be ACTIVE or ARCHIVED";
            Violation::new("status", "data.invalid", message).value(status)
        })?;
        let order = order(self.order.as_deref().unwrap_or("name"))?;
        let mut found = store::list(&app.db, scope, status).await?;
        found.retain(|application| self.matches(application));
        found.sort_by(order);
        Ok(found)
    }

    fn matches(&self, application: &ApplicationRecord) -> bool {
        let name = application.definition.name.to_lowercase();
        let id = application.id.to_string();
        let in_ids = |ids: &str| ids.split(',').any(|wanted| wanted.trim().eq_ignore_ascii_case(&id));
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        given(&self.query).is_none_or(|query| name.contains(&query.trim().to_lowercase()))
            && given(&self.ids).is_none_or(|ids| in_ids(&ids))
            && given(&self.group).is_none_or(|group| application.definition.groups.contains(&group))
    }
}

type Compare = fn(&ApplicationRecord, &ApplicationRecord) -> Ordering;

fn order(text: &str) -> Result<Compare> {
    let by_name: Compare = |a, b| (&a.definition.name, a.id).cmp(&(&b.definition.name, b.id));
    match text {
        "name" => Ok(by_name),
        "-name" => Ok(|a, b| (&b.definition.name, b.id).cmp(&(&a.definition.name, a.id))),
        "updated_at" => Ok(|a, b| (a.updated_at, a.id).cmp(&(b.updated_at, b.id))),
        "-updated_at" => Ok(|a, b| (b.updated_at, b.id).cmp(&(a.updated_at, a.id))),
        _ => {
            let message = "query parameter `order` must be one of name, -name, updated_at, -updated_at";
            Err(Violation::new("order", "data.invalid", message).value(text).into())
        }
    }
}
