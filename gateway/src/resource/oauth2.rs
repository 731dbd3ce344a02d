//! Resource `oauth2`: an authorization server that tells what a token is worth (RFC 7662), and who its bearer is.

use super::{Resource, Resources};
use crate::call::Call;
use crate::endpoint::Shared;
use crate::expression::{self, Scope};
use crate::outbound::{self, Wishes};
use crate::seldom::warn_seldom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::api::Settings;
use definition::expression::Template;
use definition::resource::oauth2::{Oauth2Server, ServerMethod};
use definition::violation::Violation;
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::collections::HashMap;
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
        user_info_url: settings.user_info_url().ok(),
        settings,
        url,
        client: OnceLock::new(),
    };
    Ok(Resource::Oauth2(Arc::new(server)))
}

/// An authorization server.
pub(crate) struct AuthorizationServer {
    settings: Oauth2Server,
    /// Where tokens are introspected.
    url: Url,
    /// Where users are described, when the definition says so.
    user_info_url: Option<Url>,
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
        let (payload, claims) = object(body)?;
        let active = match claims.get("active") {
            None => true,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(value) => value == &Value::Bool(true),
        };
        Ok(Introspection { active, claims, payload })
    }

    /// Asks who the bearer of a token is; the answer is a JSON object. `None`: the server does not take the token.
    pub(crate) async fn user_info(&self, token: &str) -> Result<Option<String>, NoAnswer> {
        let Some(url) = &self.user_info_url else { return Err(NoAnswer::Unavailable) };
        let body = self.ask_about_user(url, token).await.map_err(|error| {
            warn_seldom!(server = outbound::shown(url), "asking for user info failed: {error:#}");
            NoAnswer::Unavailable
        })?;
        body.map(|body| object(body).map(|(payload, _)| payload)).transpose()
    }

    async fn ask_about_user(&self, url: &Url, token: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let client = self.client()?;
        let request = match self.settings.user_info_endpoint_method {
            ServerMethod::Get => client.get(url.clone()),
            ServerMethod::Post => client.post(url.clone()),
        };
        let request = request.header(ACCEPT, "application/json").bearer_auth(token);
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        match answer.status() {
            StatusCode::OK => outbound::read(answer, ANSWER_MAX_BYTES).await.map(Some),
            // RFC 6750, 3.1: what is wrong is the token.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            status => anyhow::bail!("it answers {status}"),
        }
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
        request = request.header(ACCEPT, "application/json");
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

/// The authorization servers of an API, and which of them a step or plan asks.
pub(crate) struct Servers {
    named: Template,
    all: HashMap<String, Arc<AuthorizationServer>>,
}

impl Servers {
    /// `named`: the setting `oauthResource`, which must lead to a server when it is no expression.
    pub(crate) fn new(named: Template, resources: &Resources) -> Result<Servers, Vec<Violation>> {
        let all = resources.authorization_servers();
        let missing = named.literal().map(str::trim).filter(|name| !all.contains_key(*name));
        if let Some(name) = missing {
            let message =
                format!("#/oauthResource: the API has no enabled resource `{name}` of the type oauth2");
            return Err(vec![Violation::new("oauthResource", "data.invalid", message)]);
        }
        Ok(Servers { named, all })
    }

    /// The server that is asked about this call, with its name. `None`: there is none.
    pub(crate) fn of(&self, call: &Call) -> Option<(&str, &Arc<AuthorizationServer>)> {
        let name = expression::text(&self.named, &Scope::of(call)).ok().flatten()?;
        self.all.get_key_value(name.trim()).map(|(name, server)| (name.as_str(), server))
    }
}

/// An answer as it was sent, and its members.
fn object(body: Vec<u8>) -> Result<(String, Map<String, Value>), NoAnswer> {
    let payload = String::from_utf8(body).map_err(|_| NoAnswer::Unreadable)?;
    let members = serde_json::from_str(&payload).map_err(|_| NoAnswer::Unreadable)?;
    Ok((payload, members))
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
