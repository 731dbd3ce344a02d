//! How calls prove who makes them: nothing, a fixed header, or a token of an authorization server.

use super::callback::{Evaluator, authority};
use super::token::{Grant, TokenSource};
use crate::endpoint::http_proxy::Caller;
use crate::policy::generate_jwt::Signer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::subscription::webhook::Auth;
use http::HeaderValue;
use url::Url;

/// The credentials of a subscription.
pub(super) enum Authorization {
    None,
    Fixed(HeaderValue),
    Granted(Box<TokenSource>),
}

/// Why there are no credentials.
#[derive(Debug)]
pub(super) enum Trouble {
    /// As when the callback cannot be reached.
    Passing { server_error: bool, reason: String },
    /// Somebody has to act first.
    Final(String),
}

impl Authorization {
    /// Evaluates the settings. Errors name the member that is wrong.
    pub(super) fn prepare(auth: Auth, evaluator: Evaluator) -> Result<Authorization, String> {
        let text = |member: &str, template| evaluator.text(&format!("auth.{member}"), template);
        Ok(match auth {
            Auth::None => Authorization::None,
            Auth::Basic(basic) => {
                let user = text("basic.username", &basic.username)?;
                let pair = format!("{user}:{}", text("basic.password", &basic.password)?);
                let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
                Authorization::Fixed(secret(value.map_err(|_| "auth.basic cannot be sent")?))
            }
            Auth::Token(token) => {
                Authorization::Fixed(secret(evaluator.header("auth.token.value", "Bearer ", &token.value)?))
            }
            Auth::Oauth2(oauth2) => {
                let url = evaluator.url("auth.oauth2.endpoint", &oauth2.endpoint)?;
                let grant = Grant::Secret {
                    client_id: text("oauth2.clientId", &oauth2.client_id)?,
                    client_secret: text("oauth2.clientSecret", &oauth2.client_secret)?,
                    scopes: oauth2.scopes.join(" "),
                };
                granted(&url, grant)?
            }
            Auth::JwtProfile { endpoint, assertion } => {
                let url = evaluator.url("auth.jwtProfileOauth2.audience", &endpoint)?;
                let signer = Signer::new(*assertion)
                    .map_err(|reason| format!("auth.jwtProfileOauth2.keyContent {reason}"))?;
                granted(&url, Grant::Assertion { signer: Box::new(signer), call: evaluator.0 })?
            }
        })
    }

    /// The header of a call; `None`: it has none.
    pub(super) async fn value(&self, caller: &Caller) -> Result<Option<HeaderValue>, Trouble> {
        match self {
            Authorization::None => Ok(None),
            Authorization::Fixed(value) => Ok(Some(value.clone())),
            Authorization::Granted(source) => source.token(caller).await.map(Some),
        }
    }

    /// Another header after the last one was refused; `None`: there is no other.
    pub(super) async fn renewed(&self, caller: &Caller) -> Option<Result<HeaderValue, Trouble>> {
        match self {
            Authorization::None | Authorization::Fixed(_) => None,
            Authorization::Granted(source) => source.renewed(caller).await,
        }
    }
}

fn granted(url: &Url, grant: Grant) -> Result<Authorization, String> {
    let place = Caller::place(url).map_err(|reason| format!("the token endpoint {reason}"))?;
    Ok(Authorization::Granted(Box::new(TokenSource::new(place, authority(url), grant))))
}

/// Keeps a value out of logs.
pub(super) fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
