//! What starts, stops and deploys an API.

use super::handlers::{find_for_update, record, shown};
use super::life_cycle::{Action, state_after};
use super::publish::{Occasion, publish, republish};
use super::store;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{OptionalDocument, Params};
use crate::scope::Scope;
use crate::wire::{self, InApi};
use crate::{entity_tag, plans};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use definition::violation::Violation;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

/// Names the deployment that a call caused.
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-tidegate-deployment");
const LABEL_MAX_CHARACTERS: usize = 32;

/// What to do.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActionParams {
    /// `START` or `STOP`, any case.
    #[param(value_type = wire::LifecycleAction, inline, required = true)]
    action: Option<String>,
}

/// Starts or stops an API
///
/// The first start deploys the definition as it is now. Later ones use what was last deployed, so edits since then
/// wait for the next deployment.
#[utoipa::path(post, path = "/v4/apis/{api}", operation_id = "act_on_api", tag = "APIs",
    params(InApi, ActionParams, ("If-Match" = Option<String>, Header, description = "Refuse unless the API has this ETag")),
    responses((status = 204, description = "Done", headers(("ETag" = String), ("Last-Modified" = String), ("X-Tidegate-Deployment" = String))),
        wire::Invalid, wire::Refusals, wire::Mismatch))]
pub(crate) async fn act_on_api(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    Params(params): Params<ActionParams>,
) -> Result<Response> {
    let action = Action::parse(params.action.as_deref())?;
    let mut tx = app.db.begin().await?;
    let mut api = find_for_update(&mut tx, &scope, &path.api).await?;
    entity_tag::check_match(&headers, api.version)?;
    api.state = state_after(&api, action)?;
    api.touch(app.clock.now());
    let occasion = Occasion { actor: &actor, at: api.updated_at, label: None };
    let appended = match api.published {
        Some(published) => republish(&mut tx, &scope, &api, published, occasion).await?,
        None => publish(&mut tx, &scope, &mut api, occasion).await?,
    };
    store::update(&mut tx, &scope, &api).await?;
    let audited = match action {
        Action::Start => "api.start",
        Action::Stop => "api.stop",
    };
    record(&mut tx, &scope, &actor, audited, &api).await?;
    tx.commit().await?;
    let tag = entity_tag::headers(api.version, api.updated_at);
    Ok((StatusCode::NO_CONTENT, tag, deployment(appended.deployment)).into_response())
}

/// Deploys an API
///
/// Gateways get the definition and the plans of this moment. A stopped API stays stopped; its next start uses them.
#[utoipa::path(post, path = "/v4/apis/{api}/deploy", operation_id = "deploy_api", tag = "APIs",
    params(InApi, ("If-Match" = Option<String>, Header, description = "Refuse unless the API has this ETag")),
    request_body(content = Option<wire::Deploy>),
    responses((status = 200, description = "The API; gateways that are meant take over", body = wire::Api,
            headers(("ETag" = String), ("Last-Modified" = String), ("X-Tidegate-Deployment" = String))),
        wire::Invalid, wire::Refusals, wire::Mismatch, wire::TooLarge))]
pub(crate) async fn deploy_api(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    OptionalDocument(document): OptionalDocument,
) -> Result<Response> {
    let label = label(document.as_ref())?;
    let mut tx = app.db.begin().await?;
    let mut api = find_for_update(&mut tx, &scope, &path.api).await?;
    entity_tag::check_match(&headers, api.version)?;
    api.touch(app.clock.now());
    let occasion = Occasion { actor: &actor, at: api.updated_at, label };
    let appended = publish(&mut tx, &scope, &mut api, occasion).await?;
    store::update(&mut tx, &scope, &api).await?;
    record(&mut tx, &scope, &actor, "api.deploy", &api).await?;
    let plans = plans::store::list_for_update(&mut tx, &api).await?;
    tx.commit().await?;
    Ok((deployment(appended.deployment), shown(&api, &plans)).into_response())
}

/// Absent while gateways have never been told of the API: then there is no deployment to ask about.
fn deployment(id: Uuid) -> HeaderMap {
    let value = HeaderValue::from_str(&id.to_string()).ok().filter(|_| !id.is_nil());
    value.into_iter().map(|value| (DEPLOYMENT, value)).collect()
}

fn label(document: Option<&Value>) -> Result<Option<&str>> {
    const FIELD: &str = "deploymentLabel";
    let label = match document {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(members)) => members.get(FIELD),
        Some(_) => {
            let message = "the body must be an object with `deploymentLabel`, or absent";
            return Err(Violation::new("", "data.invalid", message).into());
        }
    };
    match label {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(label)) if label.chars().count() <= LABEL_MAX_CHARACTERS => Ok(Some(label)),
        Some(other) => {
            let message = format!("`{FIELD}` must be text of 0 to {LABEL_MAX_CHARACTERS} characters");
            Err(Violation::new(FIELD, "data.invalid", message).value(other.clone()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels() {
        let read = |document: Value| label(Some(&document)).map(|label| label.map(str::to_owned)).ok();
        assert_eq!(read(json!({"deploymentLabel": "v1"})), Some(Some("v1".to_owned())));
        assert_eq!(read(json!({"deploymentLabel": "ü".repeat(32)})), Some(Some("ü".repeat(32))));
        assert_eq!(read(json!({"other": 1})), Some(None));
        for refused in [json!({"deploymentLabel": "x".repeat(33)}), json!({"deploymentLabel": 1}), json!([])]
        {
            assert_eq!(read(refused), None);
        }
    }
}
