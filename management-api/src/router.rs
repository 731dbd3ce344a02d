//! Every route of the REST API, and what surrounds them.

use crate::app::AppState;
use crate::error::{ApiError, in_4x_dialect};
use crate::{
    api_keys, apis, applications, connectors, deployments, instances, metrics, openapi, plans, plugins,
    subscriptions, swagger,
};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use definition::limits::REQUEST_TIMEOUT_MS;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderName, HeaderValue, StatusCode};
use std::time::Duration;
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const REQUEST_TIMEOUT: Duration = Duration::from_millis(REQUEST_TIMEOUT_MS);

/// Below it everything asks for credentials.
pub(crate) const ENVIRONMENT: &str = "/management/organizations/{org}/environments/{env}";

/// Where the 4.x dialect has its environments, with and without the organization.
pub(crate) const ENVIRONMENT_V2: &str = "/management/v2/environments/{env}";
const ENVIRONMENT_OF_ORGANIZATION_V2: &str = "/management/v2/organizations/{org}/environments/{env}";

/// The routes with their description.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let environment = OpenApiRouter::new()
        .routes(routes!(apis::handlers::create_api, apis::handlers::list_apis))
        .routes(routes!(
            apis::handlers::get_api,
            apis::handlers::update_api,
            apis::handlers::delete_api,
            apis::actions::act_on_api
        ))
        .routes(routes!(apis::actions::deploy_api))
        .routes(routes!(plans::handlers::list_plans, plans::handlers::create_plan))
        .routes(routes!(
            plans::handlers::get_plan,
            plans::handlers::update_plan,
            plans::handlers::delete_plan
        ))
        .routes(routes!(plans::actions::publish_plan))
        .routes(routes!(plans::actions::deprecate_plan))
        .routes(routes!(plans::actions::depreciate_plan))
        .routes(routes!(plans::actions::close_plan))
        .merge(subscriptions())
        .merge(consumers())
        .routes(routes!(deployments::list_deployments))
        .routes(routes!(instances::list_instances))
        .routes(routes!(instances::get_instance))
        .routes(routes!(connectors::list_entrypoints))
        .routes(routes!(connectors::get_entrypoint))
        .routes(routes!(connectors::get_entrypoint_schema))
        .routes(routes!(connectors::get_entrypoint_subscription_schema))
        .routes(routes!(connectors::list_endpoints))
        .routes(routes!(connectors::get_endpoint))
        .routes(routes!(connectors::get_endpoint_schema))
        .routes(routes!(plugins::list_policies))
        .routes(routes!(plugins::get_policy))
        .routes(routes!(plugins::get_policy_schema))
        .routes(routes!(plugins::list_resources))
        .routes(routes!(plugins::get_resource))
        .routes(routes!(plugins::get_resource_schema))
        .layer(middleware::from_fn(bound))
        // After the layer: it waits on purpose, and bounds its own reads.
        .routes(routes!(deployments::get_deployment));
    OpenApiRouter::with_openapi(openapi::base())
        .nest(ENVIRONMENT, environment)
        .nest(ENVIRONMENT_V2, routes_v2())
}

/// The routes of the 4.x dialect with their description.
fn routes_v2() -> OpenApiRouter<AppState> {
    use subscriptions::v2::{actions, handlers, keys};
    OpenApiRouter::new()
        .routes(routes!(handlers::list_subscriptions, handlers::create_subscription))
        .routes(routes!(subscriptions::verify::verify_subscription))
        .routes(routes!(handlers::get_subscription, handlers::update_subscription))
        .routes(routes!(actions::accept_subscription))
        .routes(routes!(actions::reject_subscription))
        .routes(routes!(actions::pause_subscription))
        .routes(routes!(actions::resume_subscription))
        .routes(routes!(actions::close_subscription))
        .routes(routes!(actions::resume_failure))
        .routes(routes!(actions::transfer_subscription))
        .routes(routes!(keys::list_keys))
        .routes(routes!(keys::renew_key))
        .routes(routes!(keys::update_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(keys::reactivate_key))
        .layer(middleware::from_fn(bound))
        .layer(middleware::map_response(in_4x_dialect))
}

/// Subscriptions as the API's side sees them.
fn subscriptions() -> OpenApiRouter<AppState> {
    use subscriptions::{actions, export, handlers};
    OpenApiRouter::new()
        .routes(routes!(handlers::list_subscriptions, handlers::create_subscription))
        .routes(routes!(export::export_subscriptions))
        .routes(routes!(subscriptions::verify::can_create))
        .routes(routes!(handlers::get_subscription, handlers::update_subscription))
        .routes(routes!(actions::process_subscription))
        .routes(routes!(actions::change_status))
        .routes(routes!(actions::transfer_subscription))
        .routes(routes!(api_keys::handlers::list_keys))
        .routes(routes!(api_keys::handlers::renew_key))
        .routes(routes!(api_keys::handlers::update_key, api_keys::handlers::revoke_key))
        .routes(routes!(api_keys::handlers::reactivate_key))
}

/// Applications, and subscriptions as their side sees them.
fn consumers() -> OpenApiRouter<AppState> {
    use applications::{handlers, list};
    use subscriptions::consumer;
    OpenApiRouter::new()
        .routes(routes!(list::list_applications, handlers::create_application))
        .routes(routes!(list::list_applications_paged))
        .routes(routes!(
            handlers::get_application,
            handlers::update_application,
            handlers::archive_application
        ))
        .routes(routes!(handlers::restore_application))
        .routes(routes!(consumer::list_subscriptions, consumer::create_subscription))
        .routes(routes!(
            consumer::get_subscription,
            consumer::update_subscription,
            consumer::close_subscription
        ))
        .routes(routes!(consumer::change_consumer_status))
        .routes(routes!(api_keys::consumer::list_keys))
        .routes(routes!(api_keys::consumer::renew_key))
        .routes(routes!(api_keys::consumer::revoke_key))
}

/// The whole REST service, to be served as it is.
pub(crate) fn service(app: AppState) -> Router {
    let (router, document) = routes().split_for_parts();
    let (of_organization, _) = routes_v2().split_for_parts();
    let router = router
        .nest(ENVIRONMENT_OF_ORGANIZATION_V2, of_organization)
        .merge(swagger::router(document))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::map_response(harden))
        .layer(middleware::from_fn(metrics::count))
        .with_state(app);
    // The slash is cut before routing, so a second router stands in front.
    Router::new()
        .fallback_service(ServiceBuilder::new().layer(MapRequestLayer::new(cut_slashes)).service(router))
}

/// A store that neither answers nor fails, because the network swallows everything, must not hold a request for ever.
async fn bound(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable().into_response(),
    }
}

async fn not_found() -> ApiError {
    ApiError::plain(StatusCode::NOT_FOUND, "HTTP 404 Not Found")
}

async fn method_not_allowed() -> ApiError {
    ApiError::plain(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has written message and place to the log.
    let error = anyhow::anyhow!("a handler panicked");
    ApiError::Internal(error).into_response()
}

/// Headers that keep browsers from guessing and framing.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    response
}

/// Scripts write `…/apis/` and `…/{api}/?action=start`; they mean the route without the slash.
fn cut_slashes<B>(mut request: http::Request<B>) -> http::Request<B> {
    if let Some(uri) = without_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.starts_with("/management/") || !path.ends_with('/') {
        return None;
    }
    let path = path.trim_end_matches('/');
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}
