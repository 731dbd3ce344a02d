//! The OpenAPI document and Swagger UI, on the port of the API: what a page tries out is of the same origin, so no
//! other origin is ever allowed to call with credentials.

use crate::app::AppState;
use axum::{Json, Router, routing};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// `/openapi.json`, `/swagger.json` and `/swagger-ui`.
pub(crate) fn router(document: OpenApi) -> Router<AppState> {
    let config = Config::new(["/openapi.json"]).try_it_out_enabled(true).display_request_duration(true);
    let page: Router<AppState> = SwaggerUi::new("/swagger-ui").config(config).into();
    let copy = document.clone();
    page.route("/openapi.json", routing::get(move || async move { Json(document) }))
        .route("/swagger.json", routing::get(move || async move { Json(copy) }))
}
