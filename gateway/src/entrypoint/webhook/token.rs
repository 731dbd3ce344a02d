//! Tokens of an authorization server (client credentials), each used until it expires.

use super::auth::{Trouble, secret};
use super::callback::{post, read};
use crate::call::Call;
use crate::endpoint::http_proxy::{Caller, NoAnswer, Place};
use crate::policy::generate_jwt::Signer;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded;

/// A token is not used any more so long before it expires, milliseconds: it has to last for the call.
const MARGIN_MS: u64 = 5_000;
/// Longest time that a token is believed to be valid, seconds.
const VALID_MAX_SECONDS: u64 = 10 * 365 * 24 * 3600;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the client proves who it is.
pub(super) enum Grant {
    Secret { client_id: String, client_secret: String, scopes: String },
    Assertion { signer: Box<Signer>, call: Arc<Call> },
}

/// Gets tokens and keeps the last one.
pub(super) struct TokenSource {
    place: Place,
    host: String,
    grant: Grant,
    /// Locked while a token is asked for, so that calls that wait get the same one.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    value: HeaderValue,
    /// `None`: it does not expire.
    until: Option<Instant>,
    /// Whether some call was made with it before.
    used: bool,
}

impl TokenSource {
    pub(super) fn new(place: Place, host: String, grant: Grant) -> Self {
        TokenSource { place, host, grant, kept: Mutex::default() }
    }

    /// The header with the token, from the server when there is none that is valid.
    pub(super) async fn token(&self, caller: &Caller) -> Result<HeaderValue, Trouble> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_mut().filter(|kept| kept.until.is_none_or(|until| Instant::now() < until))
        {
            kept.used = true;
            return Ok(kept.value.clone());
        }
        let fresh = self.ask(caller).await?;
        Ok(kept.insert(fresh).value.clone())
    }

    /// Another token after the last one was refused; `None`: it was fresh.
    pub(super) async fn renewed(&self, caller: &Caller) -> Option<Result<HeaderValue, Trouble>> {
        let mut kept = self.kept.lock().await;
        kept.take_if(|kept| kept.used)?;
        let fresh = match self.ask(caller).await {
            Ok(fresh) => fresh,
            Err(trouble) => return Some(Err(trouble)),
        };
        Some(Ok(kept.insert(fresh).value.clone()))
    }

    async fn ask(&self, caller: &Caller) -> Result<Kept, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let form = self.form().map_err(|reason| Trouble::Final(self.refused(&reason)))?;
        let answer = post(caller, &self.place, &headers, &form.into()).await.map_err(|no_answer| {
            let NoAnswer { reason, forbidden, .. } = no_answer;
            let reason = self.refused(reason);
            match forbidden {
                true => Trouble::Final(reason),
                false => Trouble::Passing { server_error: false, reason },
            }
        })?;
        let status = answer.status();
        if status.is_server_error() {
            let reason = self.refused(&format!("it answered {}", status.as_u16()));
            return Err(Trouble::Passing { server_error: true, reason });
        }
        if !status.is_success() {
            let reason =
                format!("it answered {}; correct `auth` and resume the subscription", status.as_u16());
            return Err(Trouble::Final(self.refused(&reason)));
        }
        let document = read(answer.into_body()).await;
        let document: Option<Value> = document.and_then(|document| serde_json::from_slice(&document).ok());
        let token = document.as_ref().and_then(|document| document["access_token"].as_str());
        let value = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        let Some(value) = value else {
            return Err(Trouble::Final(self.refused("its answer holds no access_token")));
        };
        let until = document.as_ref().and_then(|document| valid_for(&document["expires_in"]));
        let until = until.map(|valid| Instant::now() + valid);
        Ok(Kept { value: secret(value), until, used: false })
    }

    fn form(&self) -> Result<String, String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        match &self.grant {
            Grant::Secret { client_id, client_secret, scopes } => {
                form.append_pair("client_id", client_id).append_pair("client_secret", client_secret);
                if !scopes.is_empty() {
                    form.append_pair("scope", scopes);
                }
            }
            Grant::Assertion { signer, call } => {
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
                form.append_pair("client_assertion", &signer.token(call)?);
            }
        }
        Ok(form.finish())
    }

    fn refused(&self, reason: &str) -> String {
        format!("The token endpoint {} gave no token: {reason}", self.host)
    }
}

/// How long a token is used. Servers write the seconds as a number or as text; without them it does not expire.
fn valid_for(expires_in: &Value) -> Option<Duration> {
    let number = expires_in.as_f64().or_else(|| expires_in.as_str()?.trim().parse().ok())?;
    let seconds = number.clamp(0.0, VALID_MAX_SECONDS as f64);
    let valid = Duration::from_secs_f64(if seconds.is_finite() { seconds } else { 0.0 });
    Some(valid.saturating_sub(Duration::from_millis(MARGIN_MS).min(valid / 2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let check = |expires_in: Value, expected: Option<f64>| {
            assert_eq!(valid_for(&expires_in).map(|valid| valid.as_secs_f64()), expected, "{expires_in}");
        };
        check(json!(3600), Some(3595.0));
        check(json!("60"), Some(55.0));
        check(json!(4), Some(2.0));
        check(json!(0), Some(0.0));
        check(json!(-5), Some(0.0));
        check(json!("soon"), None);
        check(json!(null), None);
    }
}
