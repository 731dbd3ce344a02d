//! What a caller is told when a request fails, and what only the log is told.
//!
//! One body for every error: `message` and `http_status`, a stable `technicalCode` with `parameters` where there is
//! one, and `details` with every violation of a refused document. The first violation decides the rest.

use axum::Json;
use axum::response::{IntoResponse, Response};
use definition::violation::{Severity, Violation};
use http::header::{CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a client waits before it tries again while the store is away, seconds.
const RETRY_AFTER_S: &str = "2";
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="Tidegate Management API""#);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No credentials, or wrong ones: 401 without a body.
    #[error("credentials are missing or wrong")]
    Unauthorized,
    /// `If-Match` names another version: 412 without a body.
    #[error("the entity tag does not match")]
    PreconditionFailed,
    /// Something the caller can mend.
    #[error("{}", .0.message)]
    Refused(Box<Problem>),
    /// The store failed.
    #[error("store: {0}")]
    Store(#[from] sqlx::Error),
    /// A fault of this program.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// What is wrong and how to mend it. Texts may change; `technicalCode` does not.
    #[schema(example = "Api [nope] can not be found.")]
    pub message: String,
    /// The HTTP status, repeated.
    #[schema(example = 404)]
    pub http_status: u16,
    /// Values that belong to the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Map<String, Value>>,
    /// Stable code of the error.
    #[serde(rename = "technicalCode", skip_serializing_if = "Option::is_none")]
    #[schema(example = "api.notFound")]
    pub technical_code: Option<&'static str>,
    /// Every violation of a refused document, the first one included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One violation of a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Detail {
    /// Names the field, the reason and the fix.
    pub message: String,
    /// Place in the document as sent. Empty: the document itself.
    #[schema(example = "listeners[0].entrypoints[1].qos")]
    pub path: String,
    /// The same place, under the name that 4.x clients look for.
    #[schema(example = "listeners[0].entrypoints[1].qos")]
    pub location: String,
    /// The offending value, when it is short and not a secret.
    #[serde(rename = "invalidValue", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub invalid_value: Option<Value>,
    /// Stable code of the violation.
    #[serde(rename = "technicalCode")]
    pub technical_code: &'static str,
}

/// The parts of an answer.
pub type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// An error without a code, as the HTTP layer raises them.
    pub fn plain(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError::Refused(Box::new(Problem {
            message: message.into(),
            http_status: status.as_u16(),
            parameters: None,
            technical_code: None,
            details: Vec::new(),
        }))
    }

    /// 400 without a code.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::plain(StatusCode::BAD_REQUEST, message)
    }

    /// An error with a code and its parameters.
    pub fn coded(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        parameters: &[(&str, &str)],
    ) -> ApiError {
        ApiError::Refused(Box::new(Problem {
            message: message.into(),
            http_status: status.as_u16(),
            parameters: Some(
                parameters.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect(),
            ),
            technical_code: Some(code),
            details: Vec::new(),
        }))
    }

    /// 400 with a code.
    pub fn refused(code: &'static str, message: impl Into<String>, parameters: &[(&str, &str)]) -> ApiError {
        ApiError::coded(StatusCode::BAD_REQUEST, code, message, parameters)
    }

    /// 400 with a code that has no parameters.
    pub fn plainly_refused(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::Refused(Box::new(Problem {
            message: message.into(),
            http_status: StatusCode::BAD_REQUEST.as_u16(),
            parameters: None,
            technical_code: Some(code),
            details: Vec::new(),
        }))
    }

    /// 503: the store cannot be used, and may be again soon.
    pub fn unavailable() -> ApiError {
        let text = "The store is not available at the moment, please try again.";
        ApiError::plain(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// 404 naming what was looked for: `api.notFound` with `{"api": id}`.
    pub fn not_found(code: &'static str, kind: &str, id: &str) -> ApiError {
        let noun = kind[..1].to_uppercase() + &kind[1..];
        let message = format!("{noun} [{id}] can not be found.");
        ApiError::coded(StatusCode::NOT_FOUND, code, message, &[(kind, id)])
    }
}

impl From<Violation> for ApiError {
    fn from(violation: Violation) -> Self {
        ApiError::from(vec![violation])
    }
}

impl From<Vec<Violation>> for ApiError {
    fn from(violations: Vec<Violation>) -> Self {
        let Some(first) = violations.first() else {
            return ApiError::bad_request("the document is not valid");
        };
        let status = match first.severity {
            Severity::Invalid => StatusCode::BAD_REQUEST,
            Severity::UnknownPlugin => StatusCode::NOT_FOUND,
        };
        ApiError::Refused(Box::new(Problem {
            message: first.message.clone(),
            http_status: status.as_u16(),
            parameters: first.parameters.clone(),
            technical_code: Some(first.code),
            details: violations.into_iter().map(Detail::from).collect(),
        }))
    }
}

impl From<Violation> for Detail {
    fn from(violation: Violation) -> Self {
        let Violation { path, code, message, parameters: _, invalid_value, severity: _ } = violation;
        Detail { message, location: path.clone(), path, invalid_value, technical_code: code }
    }
}

impl From<serde_json::Error> for ApiError {
    /// Only for values of ours: what a caller sends is read by `extract`, which names line and column.
    fn from(error: serde_json::Error) -> Self {
        ApiError::Internal(
            anyhow::Error::new(error).context("a stored document could not be read or written"),
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            ApiError::Unauthorized => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, CHALLENGE)]).into_response()
            }
            ApiError::PreconditionFailed => StatusCode::PRECONDITION_FAILED.into_response(),
            ApiError::Refused(problem) => {
                let status =
                    StatusCode::from_u16(problem.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = (status, Json(&*problem)).into_response();
                response.extensions_mut().insert(*problem);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
                }
                response
            }
            ApiError::Store(error) if is_passing(&error) => {
                tracing::warn!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "the store cannot be used"
                );
                ApiError::unavailable().into_response()
            }
            ApiError::Store(error) => internal(&anyhow::Error::new(error)),
            ApiError::Internal(error) => internal(&error),
        }
    }
}

/// The same refusal as the 4.x dialect prints it: `httpStatus` in the place of `http_status`.
pub(crate) async fn in_4x_dialect(mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let mut body = serde_json::to_value(&problem).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        let status = members.shift_remove("http_status").unwrap_or_default();
        members.shift_insert(0, "httpStatus".to_owned(), status);
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    (parts.status, parts.headers, Json(body)).into_response()
}

fn internal(error: &anyhow::Error) -> Response {
    tracing::error!(error = format!("{error:#}"), "a request failed");
    let text = "The request failed inside the server; its log says why.";
    let mut problem = ApiError::plain(StatusCode::INTERNAL_SERVER_ERROR, text);
    if let ApiError::Refused(problem) = &mut problem {
        problem.technical_code = Some("unexpected");
    }
    problem.into_response()
}

/// True when the same request may succeed later without anybody changing it.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        let code = error.code().unwrap_or_default();
        // Postgres: connection, resources, operator intervention, serialization, deadlock; read-only standby, idle
        // transaction ended, lock not had in time.
        let postgres =
            ["08", "53", "57", "40"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || ["25006", "25P03", "55P03"].contains(&code.as_ref());
        // SQLite's primary codes BUSY, LOCKED, IOERR, FULL, CANTOPEN stand in the low byte.
        let sqlite = code.len() < 5
            && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14));
        return postgres || sqlite;
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}
