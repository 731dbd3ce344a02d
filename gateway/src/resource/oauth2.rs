//! Resource `oauth2`: an authorization server that tells what a token is worth (RFC 7662).

use super::Resource;
use crate::endpoint::Shared;
use crate::outbound::{self, Wishes};
use crate::seldom::warn_seldom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::api::Settings;
use definition::resource::oauth2::{Oauth2Server, ServerMethod};
use definition::violation::Violation;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::{Url, form_urlencoded};

/// Time to connect to the server, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 2_000;
/// Time for an answer, milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 5_000;
/// Greatest answer, bytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// Builds the resource.
pub(super) fn build(settings: &Settings, _shared: &Shared) -> Result<Resource, Vec<Violation>> {
    let settings = Oauth2Server::parse(settings)?;
    let url = settings
        .introspection_url()
        .map_err(|error| vec![Violation::new("authorizationServerUrl", "data.invalid", error.to_string())])?;
    let server = AuthorizationServer {
        authorization: authorization(&settings),
        settings,
        url,
        client: OnceLock::new(),
    };
    Ok(Resource::Oauth2(Arc::new(server)))
}

/// An authorization server.
pub(crate) struct AuthorizationServer {
    settings: Oauth2Server,
    url: Url,
    /// Who this gateway is to the server; never shown.
    authorization: Option<HeaderValue>,
    client: OnceLock<reqwest::Client>,
}

/// What the server says about a token.
#[derive(Debug)]
pub(crate) struct Introspection {
    pub(crate) active: bool,
    pub(crate) claims: Map<String, Value>,
    /// As it was sent.
    pub(crate) payload: String,
}

/// Why the server says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It cannot be reached, or answers with an error.
    Unavailable,
    /// It answers something that is no JSON object.
    Unreadable,
}

impl AuthorizationServer {
    pub(crate) fn scope_separator(&self) -> &str {
        &self.settings.scope_separator
    }

    pub(crate) fn user_claim(&self) -> &str {
        &self.settings.user_claim
    }

    /// Asks about a token.
    pub(crate) async fn introspect(&self, token: &str) -> Result<Introspection, NoAnswer> {
        let body = self.ask(token).await.map_err(|error| {
            warn_seldom!(server = outbound::shown(&self.url), "introspection failed: {error:#}");
            NoAnswer::Unavailable
        })?;
        let payload = String::from_utf8(body).map_err(|_| NoAnswer::Unreadable)?;
        let claims: Map<String, Value> = serde_json::from_str(&payload).map_err(|_| NoAnswer::Unreadable)?;
        let active = match claims.get("active") {
            None => true,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(value) => value == &Value::Bool(true),
        };
        Ok(Introspection { active, claims, payload })
    }

    async fn ask(&self, token: &str) -> anyhow::Result<Vec<u8>> {
        // The URL of an error would hold the token.
        let answer = self.request(token)?.send().await.map_err(reqwest::Error::without_url)?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "it answers {}", answer.status());
        outbound::read(answer, ANSWER_MAX_BYTES).await
    }

    fn request(&self, token: &str) -> anyhow::Result<reqwest::RequestBuilder> {
        let settings = &self.settings;
        let mut url = self.url.clone();
        if settings.token_is_supplied_by_query_param {
            url.query_pairs_mut().append_pair(&settings.token_query_param_name, token);
        }
        let client = self.client()?;
        let mut request = match settings.introspection_endpoint_method {
            ServerMethod::Get => client.get(url),
            ServerMethod::Post => client.post(url),
        };
        request = request.header(http::header::ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(&settings.client_authorization_header_name, authorization.clone());
        }
        if settings.token_is_supplied_by_http_header {
            request = request.header(&settings.token_header_name, token);
        }
        if settings.token_is_supplied_by_form_url_encoded {
            let name = &settings.token_form_url_encoded_name;
            let form = form_urlencoded::Serializer::new(String::new()).append_pair(name, token).finish();
            let content_type = "application/x-www-form-urlencoded";
            request = request.header(http::header::CONTENT_TYPE, content_type).body(form);
        }
        Ok(request)
    }

    fn client(&self) -> anyhow::Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let built = outbound::client(&Wishes {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            request_timeout: Duration::from_millis(ANSWER_TIMEOUT_MS),
            follow_redirects: false,
            use_system_proxy: self.settings.use_system_proxy,
        })?;
        Ok(self.client.get_or_init(|| built))
    }
}

fn authorization(settings: &Oauth2Server) -> Option<HeaderValue> {
    let id = settings.client_id.as_deref().filter(|_| settings.use_client_authorization_header)?;
    let secret = settings.client_secret.as_deref().unwrap_or_default();
    let scheme = settings.client_authorization_header_scheme.trim();
    let credentials = STANDARD.encode(format!("{id}:{secret}"));
    let mut value = HeaderValue::try_from(format!("{scheme} {credentials}").trim()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
