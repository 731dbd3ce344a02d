//! The resource `…/applications/{application}`: create, read, change, archive.

use super::view::application_view;
use super::{ApplicationRecord, archive, store};
use crate::apis::Owner;
use crate::app::AppState;
use crate::audit::{self, store::Entry};
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::{Document, id};
use crate::scope::Scope;
use crate::subscriptions::sweep;
use crate::urls;
use crate::wire::{self, InApplication, InEnvironment};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use definition::application::{ApplicationStatus, read_application};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

const NOT_FOUND: &str = "application.notFound";

/// Creates an application
#[utoipa::path(post, path = "/applications", operation_id = "create_application", tag = "Applications",
    params(InEnvironment), request_body = wire::CreateApplication,
    responses((status = 201, description = "The new application", body = wire::Application, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_application(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    headers: HeaderMap,
    Document(document): Document,
) -> Result<Response> {
    let definition = read_application(&document, None)?;
    let now = app.clock.now();
    let application = ApplicationRecord {
        id: Uuid::new_v4(),
        definition,
        status: ApplicationStatus::Active,
        owner: Owner { id: actor.id, name: actor.name.clone() },
        created_at: now,
        updated_at: now,
    };
    let mut tx = app.db.begin().await?;
    check_client_id(&mut tx, &scope, &application).await?;
    store::insert(&mut tx, &scope, &application).await?;
    record(&mut tx, &scope, &actor, "application.create", &application).await?;
    tx.commit().await?;
    let location = urls::absolute(&headers, &urls::application(&scope, application.id));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(application_view(&application))).into_response())
}

/// Reads an application, also an archived one
#[utoipa::path(get, path = "/applications/{application}", operation_id = "get_application", tag = "Applications",
    params(InApplication),
    responses((status = 200, description = "The application", body = wire::Application), wire::Refusals))]
pub(crate) async fn get_application(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
) -> Result<Json<Value>> {
    Ok(Json(application_view(&find(&app, &scope, &path.application).await?)))
}

/// Replaces an application
///
/// Gateways learn another name or client identifier at once.
#[utoipa::path(put, path = "/applications/{application}", operation_id = "update_application", tag = "Applications",
    params(InApplication), request_body = wire::CreateApplication,
    responses((status = 200, description = "The application", body = wire::Application),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_application(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let mut application = find_for_update(&mut tx, &scope, &path.application).await?;
    crate::subscriptions::check_active(&application)?;
    application.definition = read_application(&document, Some(&application.definition))?;
    application.updated_at = application.updated_at.max(app.clock.now());
    check_client_id(&mut tx, &scope, &application).await?;
    archive::check_token_plans(&mut tx, &scope, &application).await?;
    store::update(&mut tx, &application).await?;
    record(&mut tx, &scope, &actor, "application.update", &application).await?;
    sweep::follow_application(&mut tx, &scope, &actor, &application).await?;
    tx.commit().await?;
    Ok(Json(application_view(&application)))
}

/// Archives an application: its subscriptions are closed and its keys revoked
#[utoipa::path(delete, path = "/applications/{application}", operation_id = "archive_application", tag = "Applications",
    params(InApplication),
    responses((status = 204, description = "It is archived, and can be restored"), wire::Invalid, wire::Refusals))]
pub(crate) async fn archive_application(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
) -> Result<StatusCode> {
    archive::archive(&app, &actor, &scope, &path.application).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restores an archived application
///
/// Its subscriptions stay closed.
#[utoipa::path(post, path = "/applications/{application}/_restore", operation_id = "restore_application",
    tag = "Applications", params(InApplication),
    responses((status = 200, description = "The application", body = wire::Application), wire::Invalid, wire::Refusals))]
pub(crate) async fn restore_application(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
) -> Result<Json<Value>> {
    Ok(Json(application_view(&archive::restore(&app, &actor, &scope, &path.application).await?)))
}

/// The application that a path or a query names, for reading.
pub(crate) async fn find(app: &AppState, scope: &Scope, text: &str) -> Result<ApplicationRecord> {
    let id = id(text, NOT_FOUND, "application")?;
    let found = store::find(&app.db, scope, id).await?;
    found.ok_or_else(|| ApiError::not_found(NOT_FOUND, "application", text))
}

/// The application that a path or a query names, held until the transaction ends.
pub(crate) async fn find_for_update(tx: &mut Tx, scope: &Scope, text: &str) -> Result<ApplicationRecord> {
    let id = id(text, NOT_FOUND, "application")?;
    let found = store::find_for_update(tx, scope, id).await?;
    found.ok_or_else(|| ApiError::not_found(NOT_FOUND, "application", text))
}

/// Tokens name an application by its client identifier, so no two active ones share it.
pub(super) async fn check_client_id(
    tx: &mut Tx,
    scope: &Scope,
    application: &ApplicationRecord,
) -> Result<()> {
    let Some(client_id) = application.definition.client_id() else { return Ok(()) };
    crate::environments::store::lock(tx, scope).await?;
    if store::client_id_is_taken(tx, scope, application.id, client_id).await? {
        let message = format!("An application with the client_id [{client_id}] exists already");
        return Err(ApiError::refused("application.clientId.exists", message, &[("clientId", client_id)]));
    }
    Ok(())
}

/// Writes the audit row of a change of an application.
pub(super) async fn record(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    action: &'static str,
    application: &ApplicationRecord,
) -> Result<()> {
    let entry = Entry { action, kind: "application", id: &application.id.to_string() };
    audit::store::record(tx, scope, actor, entry, application.updated_at).await?;
    Ok(())
}
