//! Answers that many operations share.

use crate::error::Problem;
use utoipa::IntoResponses;

/// Refusals of every operation.
#[derive(IntoResponses)]
pub enum Refusals {
    /// No credentials, or wrong ones. The body is empty.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "Basic")))]
    Unauthorized,
    /// The organization, the environment or what the path names does not exist.
    #[response(status = 404)]
    NotFound(Problem),
    /// A fault of the server; its log says more.
    #[response(status = 500)]
    Unexpected(Problem),
    /// The store is not available; try again.
    #[response(status = 503, headers(("Retry-After" = i64, description = "seconds")))]
    Unavailable(Problem),
}

/// Refusals of what the request says.
#[derive(IntoResponses)]
pub enum Invalid {
    /// The request or its document is not valid; `details` names every place.
    #[response(status = 400)]
    Invalid(Problem),
}

/// Refusals of a body.
#[derive(IntoResponses)]
pub enum TooLarge {
    /// The body or the definition is too large.
    #[response(status = 413)]
    TooLarge(Problem),
}

/// Refusals of `If-Match`.
#[derive(IntoResponses)]
pub enum Mismatch {
    /// `If-Match` names another version. The body is empty.
    #[response(status = 412)]
    Mismatch,
}

/// Refusals of what belongs to somebody else.
#[derive(IntoResponses)]
pub enum Forbidden {
    /// The subscription belongs to another application.
    #[response(status = 403)]
    Forbidden(Problem),
}
