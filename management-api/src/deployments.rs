//! The resource `…/v4/apis/{api}/deployments`: what was deployed, and how far the gateways are with it.

use crate::apis::handlers::find;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::{Params, id};
use crate::page::{PageParams, Paged};
use crate::scope::Scope;
use crate::sync::status::{self, DeploymentStatus};
use crate::urls;
use crate::wire::{self, InApi, InDeployment};
use axum::Json;
use axum::extract::{Path, State};
use definition::deployment::KIND_API;
use definition::violation::Violation;
use http::HeaderMap;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use utoipa::IntoParams;
use uuid::Uuid;

const NOT_FOUND: &str = "deployment.notFound";
/// Longest wait for gateways.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A store that takes longer is away.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a waiting request looks. Gateways answer within a tenth of a second, so most wait for one look.
const LOOK: Duration = Duration::from_millis(100);

/// Lists the deployments of an API, latest first
#[utoipa::path(get, path = "/v4/apis/{api}/deployments", operation_id = "list_deployments", tag = "Deployments",
    params(InApi, PageParams),
    responses((status = 200, description = "One page", body = wire::DeploymentPage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_deployments(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    Params(params): Params<PageParams>,
) -> Result<Json<Paged<wire::Deployment>>> {
    let page = params.page()?;
    let api = find(&app, &scope, &path.api).await?;
    let resource = api.id.to_string();
    let total = status::count_deployments(&app.db, &scope, KIND_API, &resource).await?;
    let listed = status::deployments(&app.db, &scope, KIND_API, &resource, page.offset(), page.size).await?;
    let mut data = Vec::with_capacity(listed.len());
    for deployment in listed {
        let status = status::deployment_status(&app.db, &scope, deployment.id).await?;
        data.extend(status.map(wire::Deployment::from));
    }
    let list = format!("{}/deployments", urls::api(&scope, api.id));
    Ok(Json(page.of(data, total, &urls::absolute(&headers, &list))))
}

/// How long to wait, and for what.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParams {
    /// Answer later, at most after this time (`30s`, `500ms`; up to 60s), once `until` is reached or cannot be.
    #[param(example = "30s")]
    wait: Option<String>,
    /// `converged`: every gateway that is online and meant runs it.
    #[param(example = "converged")]
    until: Option<String>,
}

/// Reads a deployment with its progress
///
/// A pipeline waits with `?wait=30s&until=converged` and looks at `state`. The answer comes early when gateways refuse
/// the definition, because waiting longer would not change that.
#[utoipa::path(get, path = "/v4/apis/{api}/deployments/{deployment}", operation_id = "get_deployment",
    tag = "Deployments", params(InDeployment, WaitParams),
    responses((status = 200, description = "The deployment", body = wire::Deployment), wire::Invalid, wire::Refusals))]
pub(crate) async fn get_deployment(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InDeployment>,
    Params(params): Params<WaitParams>,
) -> Result<Json<wire::Deployment>> {
    let wait = params.wait()?;
    let api = find(&app, &scope, &path.api).await?;
    let id = id(&path.deployment, NOT_FOUND, "deployment")?;
    let deadline = Instant::now() + wait;
    loop {
        let status = look(&app, &scope, api.id, id).await?;
        let next = Instant::now() + LOOK;
        if status.state.is_final() || next > deadline {
            return Ok(Json(status.into()));
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = app.shutdown.cancelled() => return Ok(Json(status.into())),
        }
    }
}

async fn look(app: &AppState, scope: &Scope, api: Uuid, id: Uuid) -> Result<DeploymentStatus> {
    let read = timeout(READ_TIMEOUT, status::deployment_status(&app.db, scope, id)).await;
    let status = read.map_err(|_| ApiError::unavailable())??;
    let of_this = |status: &DeploymentStatus| {
        status.deployment.kind == KIND_API && status.deployment.resource == api.to_string()
    };
    status.filter(of_this).ok_or_else(|| ApiError::not_found(NOT_FOUND, "deployment", &id.to_string()))
}

impl WaitParams {
    fn wait(&self) -> Result<Duration> {
        if let Some(until) = self.until.as_deref().filter(|until| !until.eq_ignore_ascii_case("converged")) {
            let message = "query parameter `until` must be `converged`";
            return Err(Violation::new("until", "data.invalid", message).value(until).into());
        }
        let Some(text) = self.wait.as_deref() else { return Ok(Duration::ZERO) };
        duration(text).filter(|wait| *wait <= WAIT_MAX).ok_or_else(|| {
            let message = "query parameter `wait` must be a time such as `30s` or `500ms`, at most 60s";
            Violation::new("wait", "data.invalid", message).value(text).into()
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        let read = |wait: &str| WaitParams { wait: Some(wait.to_owned()), until: None }.wait().ok();
        assert_eq!(read("30s"), Some(Duration::from_secs(30)));
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("1m"), Some(Duration::from_secs(60)));
        assert_eq!(read("5"), Some(Duration::from_secs(5)));
        for refused in ["", "s", "61s", "-1s", "1h", "1.5s", "99999999999999999999s", "18446744073709551615m"]
        {
            assert_eq!(read(refused), None, "{refused}");
        }
        let until = |until: &str| WaitParams { wait: None, until: Some(until.to_owned()) }.wait().is_ok();
        assert!(until("CONVERGED") && !until("tomorrow"));
    }
}
