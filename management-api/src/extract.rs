//! How requests are read, so that every refusal has the same body: JSON documents, query parameters, ids.

use crate::error::{ApiError, Problem, Result};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use definition::limits::{MANAGEMENT_BODY_MAX_BYTES, REQUEST_TIMEOUT_MS};
use definition::token::Token;
use definition::violation::Violation;
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A JSON body that has to be there. The content type is not looked at: scripts seldom set it.
pub(crate) struct Document(pub(crate) Value);

/// A JSON body that may be absent.
pub(crate) struct OptionalDocument(pub(crate) Option<Value>);

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let OptionalDocument(value) = OptionalDocument::from_request(request, state).await?;
        value.map(Document).ok_or_else(|| ApiError::bad_request("the body is empty; send a JSON document"))
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalDocument {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let bytes = read(request).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(OptionalDocument(None));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
        refuse_nul(&value, &mut String::new())?;
        Ok(OptionalDocument(Some(value)))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Params(query.0)).map_err(|rejection| ApiError::bad_request(rejection.body_text()))
    }
}

/// The values of an enumeration that a query parameter lists; an unknown one would filter in silence.
pub(crate) fn tokens<T: Token>(parameter: &'static str, labels: &[impl AsRef<str>]) -> Result<Vec<T>> {
    let one = |label: &str| {
        T::parse(label).ok_or_else(|| {
            let known = T::LABELS.join(", ");
            let message =
                format!("query parameter `{parameter}` has the unknown value {label:?}, use {known}");
            ApiError::from(Violation::new(parameter, "data.invalid", message))
        })
    };
    labels.iter().map(|label| one(label.as_ref())).collect()
}

async fn read(request: Request) -> Result<Bytes> {
    let body = Limited::new(request.into_body(), MANAGEMENT_BODY_MAX_BYTES).collect();
    let read = tokio::time::timeout(Duration::from_millis(REQUEST_TIMEOUT_MS), body).await;
    match read {
        Err(_) => Err(ApiError::plain(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(too_large("the body", MANAGEMENT_BODY_MAX_BYTES))
        }
        Ok(Err(error)) => Err(ApiError::bad_request(format!("the body could not be read: {error}"))),
    }
}

/// 413 naming what is too large.
pub(crate) fn too_large(what: &str, limit_bytes: usize) -> ApiError {
    let text = format!("{what} is larger than {limit_bytes} bytes; send less");
    ApiError::plain(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    // The parser's text ends in its own " at line 1 column 2".
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    let message = format!("the body is not JSON: {reason} (line {line}, column {column})");
    ApiError::Refused(Box::new(Problem {
        message,
        http_status: StatusCode::BAD_REQUEST.as_u16(),
        parameters: json!({"line": line, "column": column}).as_object().cloned(),
        technical_code: Some("data.invalid"),
        details: Vec::new(),
    }))
}

/// Postgres cannot hold U+0000 in any text, so no document may have it, whatever the engine.
fn refuse_nul(value: &Value, path: &mut String) -> Result<()> {
    match value {
        Value::String(text) => refuse_nul_in(text, path),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            refuse_nul(item, path)?;
            path.truncate(length);
            Ok(())
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            refuse_nul_in(name, path)?;
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            refuse_nul(member, path)?;
            path.truncate(length);
            Ok(())
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn refuse_nul_in(text: &str, path: &str) -> Result<()> {
    if text.contains('\0') {
        let message = format!("`{path}` holds the character U+0000, which cannot be stored; remove it");
        return Err(Violation::new(path, "data.invalid", message).into());
    }
    Ok(())
}

/// Reads an id of the path. Text that is no UUID names nothing, so it is as unknown as any other.
pub(crate) fn id(text: &str, code: &'static str, kind: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| ApiError::not_found(code, kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(body: &'static str, expected: &str) {
        let request = Request::new(axum::body::Body::from(body));
        let answer = match Document::from_request(request, &()).await {
            Ok(Document(value)) => value.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn bodies() {
        check(r#"{"a":1}"#, r#"{"a":1}"#).await;
        check("  ", "the body is empty; send a JSON document").await;
        check("{\"a\":\n 1,}", "the body is not JSON: trailing comma (line 2, column 4)").await;
        check(
            r#"{"a":[{"b":"x\u0000"}]}"#,
            "`a[0].b` holds the character U+0000, which cannot be stored; remove it",
        )
        .await;
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_too_large() {
        let request = Request::new(axum::body::Body::from(vec![b' '; MANAGEMENT_BODY_MAX_BYTES + 1]));
        let Err(ApiError::Refused(problem)) = Document::from_request(request, &()).await else {
            panic!("it was accepted")
        };
        assert_eq!(problem.http_status, 413);
    }
}
