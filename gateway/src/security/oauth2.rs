//! OAuth2: an authorization server is asked what a token is worth. A plan asks already when it is chosen, because only
//! the server knows whose token it is.

use super::claims::{self, Claims};
use super::{Token, Trouble, bearer};
use crate::call::Call;
use crate::failure::Failure;
use crate::resource::Resources;
use crate::resource::oauth2::{AuthorizationServer, Introspection, NoAnswer, Servers};
use definition::api::Settings;
use definition::digest::Digest;
use definition::security::oauth2::Oauth2;
use definition::violation::Violation;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Answers of the server that are remembered, per plan or step.
const REMEMBERED_MAX: u64 = 10_000;
const REALM: &str = "Bearer realm=\"gravitee.io\"";

/// What the server said about a token, and the token.
pub(super) struct Answer {
    token: String,
    introspection: Arc<Introspection>,
    separator: String,
    user_claim: String,
}

/// What was asked during one call: several plans may ask the same server about the same token.
#[derive(Default)]
pub(super) struct Memory(Vec<(Arc<AuthorizationServer>, Arc<Introspection>)>);

/// A plan that asks for a token; it knows no server while its author has not named one.
pub(super) struct Oauth2Plan(Option<Introspector>);

impl Oauth2Plan {
    pub(super) fn new(settings: Option<&Settings>, resources: &Resources) -> Result<Self, Vec<Violation>> {
        settings.map(|settings| Introspector::new(settings, resources)).transpose().map(Oauth2Plan)
    }

    pub(super) async fn token(&self, call: &Call, memory: &mut Memory) -> Result<Token, Trouble> {
        let Some(text) = bearer::find(call) else { return Ok(Token::Absent) };
        let Some(introspector) = self.0.as_ref().filter(|_| !text.is_empty()) else {
            return Ok(Token::Invalid);
        };
        match introspector.ask(call, text, memory).await {
            Ok(answer) => Ok(match answer.client_id() {
                Some(client_id) if answer.introspection.active => Token::Introspected { client_id, answer },
                Some(_) | None => Token::Invalid,
            }),
            Err(Refusal::Unavailable) => Err(Trouble),
            Err(Refusal::MissingServer | Refusal::InvalidAnswer) => Ok(Token::Invalid),
        }
    }

    pub(super) fn enter(&self, call: &mut Call, answer: &Answer, client_id: String) -> Result<(), Failure> {
        match &self.0 {
            Some(introspector) => introspector.enter(call, answer, Some(client_id)),
            None => Err(Refusal::MissingServer.into()),
        }
    }
}

/// Why a token cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    MissingServer,
    InvalidAnswer,
    Unavailable,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::MissingServer => {
                Failure::new(StatusCode::UNAUTHORIZED, "OAUTH2_MISSING_SERVER", "Unauthorized")
            }
            Refusal::InvalidAnswer => refused("OAUTH2_INVALID_SERVER_RESPONSE"),
            Refusal::Unavailable => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                challenge(Failure::new(status, "OAUTH2_SERVER_UNAVAILABLE", "temporarily_unavailable"))
            }
        }
    }
}

/// Asks with the settings of one plan or step.
pub(crate) struct Introspector {
    settings: Oauth2,
    servers: Servers,
    /// Hashes of server and token → what the server said.
    remembered: Option<Cache<Digest, Arc<Introspection>>>,
}

impl Introspector {
    /// Errors have paths relative to the settings.
    pub(crate) fn new(settings: &Settings, resources: &Resources) -> Result<Self, Vec<Violation>> {
        let settings = Oauth2::parse(settings)?;
        let servers = Servers::new(settings.oauth_resource.clone(), resources)?;
        let cache = settings.oauth_cache_resource.as_deref().filter(|name| !name.trim().is_empty());
        let remembered = cache.map(|_| Cache::new(REMEMBERED_MAX));
        Ok(Introspector { settings, servers, remembered })
    }

    /// The step: finds the token of a call and lets it in.
    pub(crate) async fn check(&self, call: &mut Call) -> Result<(), Failure> {
        let text = bearer::find(call).ok_or_else(|| refused("OAUTH2_MISSING_HEADER"))?;
        if text.is_empty() {
            return Err(refused("OAUTH2_MISSING_ACCESS_TOKEN"));
        }
        let answer = self.ask(call, text, &mut Memory::default()).await?;
        self.enter(call, &answer, answer.client_id())
    }

    async fn ask(&self, call: &Call, token: String, memory: &mut Memory) -> Result<Answer, Refusal> {
        let (name, server) = self.servers.of(call).ok_or(Refusal::MissingServer)?;
        let known = memory.0.iter().find(|(asked, _)| Arc::ptr_eq(asked, server));
        let introspection = match known {
            Some((_, introspection)) => Arc::clone(introspection),
            None => {
                let introspection =
                    self.introspect(server, name, &token, call.request.timestamp / 1000).await?;
                memory.0.push((Arc::clone(server), Arc::clone(&introspection)));
                introspection
            }
        };
        let (separator, user_claim) = (server.scope_separator().to_owned(), server.user_claim().to_owned());
        Ok(Answer { token, introspection, separator, user_claim })
    }

    /// An answer is remembered until its token expires, and not at all when it does not say when.
    async fn introspect(
        &self,
        server: &AuthorizationServer,
        name: &str,
        token: &str,
        now_s: i64,
    ) -> Result<Arc<Introspection>, Refusal> {
        let hash: Digest = Sha256::digest(format!("{name}\0{token}").as_bytes()).into();
        let expires = |found: &Introspection| claims::seconds(&found.claims, "exp").ok().flatten();
        if let Some(cache) = &self.remembered
            && let Some(found) = cache.get(&hash)
        {
            if expires(&found).is_some_and(|at| now_s < at) {
                return Ok(found);
            }
            cache.invalidate(&hash);
        }
        let found = server.introspect(token).await.map_err(|error| match error {
            NoAnswer::Unavailable => Refusal::Unavailable,
            NoAnswer::Unreadable => Refusal::InvalidAnswer,
        })?;
        let found = Arc::new(found);
        if let Some(cache) = self.remembered.as_ref().filter(|_| found.active)
            && expires(&found).is_some_and(|at| now_s < at)
        {
            cache.insert(hash, Arc::clone(&found));
        }
        Ok(found)
    }

    /// Lets an active token in and leaves what the server said.
    fn enter(&self, call: &mut Call, answer: &Answer, client_id: Option<String>) -> Result<(), Failure> {
        let (settings, introspection) = (&self.settings, &answer.introspection);
        if !introspection.active {
            return Err(refused("OAUTH2_INVALID_ACCESS_TOKEN"));
        }
        let scopes = claims::scopes(&introspection.claims, &answer.separator);
        if settings.check_required_scopes
            && !claims::suffice(&scopes, &settings.required_scopes, settings.mode_strict)
        {
            return Err(refused("OAUTH2_INSUFFICIENT_SCOPE"));
        }
        call.attributes.set("oauth.access_token", answer.token.as_str());
        if let Some(client_id) = client_id {
            call.attributes.set("oauth.client_id", client_id);
        }
        if let Some(user) = claims::text(&introspection.claims, &answer.user_claim) {
            call.attributes.set("user", user);
        }
        call.attributes.set("user.roles", scopes);
        if settings.extract_payload {
            call.attributes.set("oauth.payload", introspection.payload.as_str());
        }
        if !settings.propagate_auth_header {
            bearer::strip(call);
        }
        Ok(())
    }
}

impl Answer {
    fn client_id(&self) -> Option<String> {
        client_id(&self.introspection.claims)
    }
}

fn client_id(claims: &Claims) -> Option<String> {
    claims::text(claims, "client_id").or_else(|| claims::first(claims, "aud"))
}

fn refused(key: &'static str) -> Failure {
    challenge(Failure::new(StatusCode::UNAUTHORIZED, key, "Unauthorized"))
}

/// Says in the answer that a token is wanted.
pub(crate) fn challenge(failure: Failure) -> Failure {
    failure.header(WWW_AUTHENTICATE, HeaderValue::from_static(REALM))
}

#[cfg(test)]
mod tests;
