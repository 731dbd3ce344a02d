//! JSON web tokens. A plan is chosen by what a token says; only then the token is verified, and that answer is final.

mod binding;
pub(crate) mod jwks;
mod keys;
#[cfg(test)]
mod tests;
mod token;

pub(super) use token::Decoded;

use super::claims::{self, Claims};
use super::{Token, bearer};
use crate::call::Call;
use crate::endpoint::Shared;
use crate::failure::Failure;
use definition::api::Settings;
use definition::digest::Digest;
use definition::security::jwt::{Jwt, TypValidation};
use definition::violation::Violation;
use http::StatusCode;
use keys::{Keys, Unresolved};
use moka::sync::Cache;
use serde_json::Value;
use std::time::Duration;

/// The token as an object, of which expressions may ask `headers` and `claims`.
pub(super) const ATTRIBUTE: &str = "jwt";
/// Difference between the clocks of whoever made a token and of this gateway, seconds.
const CLOCK_SKEW_S: i64 = 60;
/// Signatures that are remembered as verified, per plan or step.
const VERIFIED_MAX: u64 = 1000;
/// Time after which a verified signature that nobody asks for is forgotten, seconds.
const VERIFIED_IDLE_S: u64 = 300;

/// A plan that asks for a token; it knows no key while its author has not set one.
pub(super) struct JwtPlan(Option<Verifier>);

impl JwtPlan {
    pub(super) fn new(settings: Option<&Settings>, shared: &Shared) -> Result<Self, Vec<Violation>> {
        settings.map(|settings| Verifier::new(settings, shared)).transpose().map(JwtPlan)
    }

    pub(super) fn token(&self, call: &Call) -> Token {
        let Some(text) = bearer::find(call) else { return Token::Absent };
        let decoded = Decoded::read(&text);
        let claim = self.0.as_ref().and_then(|verifier| verifier.settings.client_id_claim.as_deref());
        let client_id = decoded.as_ref().and_then(|token| client_id(&token.claims, claim));
        match (decoded, client_id) {
            (Some(token), Some(client_id)) => Token::Jwt { client_id, token: Box::new(token) },
            _ => Token::Invalid,
        }
    }

    pub(super) async fn enter(
        &self,
        call: &mut Call,
        token: Decoded,
        client_id: String,
    ) -> Result<(), Failure> {
        match &self.0 {
            Some(verifier) => verifier.enter(call, token, Some(client_id)).await,
            None => Err(unexpected("JWT_POLICY_ERROR")),
        }
    }
}

/// Checks tokens with the settings of one plan or step.
pub(crate) struct Verifier {
    settings: Jwt,
    keys: Keys,
    /// Hashes of tokens → generation of the keys that verified them.
    verified: Cache<Digest, u64>,
}

impl Verifier {
    /// Errors have paths relative to the settings.
    pub(crate) fn new(settings: &Settings, shared: &Shared) -> Result<Self, Vec<Violation>> {
        let settings = Jwt::parse(settings)?;
        let keys = Keys::new(&settings, shared);
        let idle = Duration::from_secs(VERIFIED_IDLE_S);
        let verified = Cache::builder().max_capacity(VERIFIED_MAX).time_to_idle(idle).build();
        Ok(Verifier { settings, keys, verified })
    }

    /// The step: finds the token of a call and lets it in.
    pub(crate) async fn check(&self, call: &mut Call) -> Result<(), Failure> {
        let text = bearer::find(call).filter(|token| !token.is_empty());
        let text = text.ok_or_else(|| refused("JWT_MISSING_TOKEN"))?;
        let token = Decoded::read(&text).ok_or_else(invalid)?;
        let client_id = client_id(&token.claims, self.settings.client_id_claim.as_deref());
        self.enter(call, token, client_id).await
    }

    /// Lets a verified token in and leaves what it says.
    async fn enter(&self, call: &mut Call, token: Decoded, client_id: Option<String>) -> Result<(), Failure> {
        self.verify(call, &token).await?;
        let settings = &self.settings;
        call.attributes.set(ATTRIBUTE, token.to_json());
        call.attributes.set("jwt.token", token.text.as_str());
        if let Some(client_id) = client_id {
            call.attributes.set("oauth.client_id", client_id);
        }
        if let Some(user) = claims::text(&token.claims, &settings.user_claim) {
            call.attributes.set("user", user);
        }
        if settings.extract_claims {
            call.attributes.set("jwt.claims", Value::Object(token.claims));
        }
        if !settings.propagate_auth_header {
            bearer::strip(call);
        }
        Ok(())
    }

    async fn verify(&self, call: &Call, token: &Decoded) -> Result<(), Failure> {
        let settings = &self.settings;
        // Exactly the algorithm of the settings: what a token says about itself chooses nothing.
        if token.algorithm() != Some(settings.signature.algorithm())
            || token.has_critical_extensions()
            || !type_fits(&settings.token_typ_validation, token)
        {
            return Err(invalid());
        }
        self.verify_signature(call, token).await?;
        if !is_valid_at(&token.claims, call.request.timestamp / 1000) {
            return Err(invalid());
        }
        let scopes = || claims::scopes(&token.claims, " ");
        if settings.check_required_scopes
            && !claims::suffice(&scopes(), &settings.required_scopes, settings.mode_strict)
        {
            return Err(refused("JWT_INSUFFICIENT_SCOPE"));
        }
        match binding::fits(&settings.confirmation_method_validation, call, &token.claims) {
            true => Ok(()),
            false => Err(refused("JWT_INVALID_CERTIFICATE_BOUND_THUMBPRINT")),
        }
    }

    async fn verify_signature(&self, call: &Call, token: &Decoded) -> Result<(), Failure> {
        let candidates =
            self.keys.find(call, token.key_id()).await.map_err(|unresolved| match unresolved {
                Unresolved::KeySet => unexpected("JWT_JWKS_RESOLUTION_ERROR"),
                Unresolved::Settings => unexpected("JWT_POLICY_ERROR"),
            })?;
        let hash = token.hash(&candidates.scope);
        if self.verified.get(&hash) == Some(candidates.generation) {
            return Ok(());
        }
        if !candidates.keys.iter().any(|key| token.is_signed_by(key, self.settings.signature)) {
            return Err(invalid());
        }
        self.verified.insert(hash, candidates.generation);
        Ok(())
    }
}

/// `exp` and `nbf`, each where there is one.
fn is_valid_at(claims: &Claims, now_s: i64) -> bool {
    let dates = (claims::seconds(claims, "exp"), claims::seconds(claims, "nbf"));
    let (Ok(expires), Ok(begins)) = dates else { return false };
    expires.is_none_or(|at| now_s < at.saturating_add(CLOCK_SKEW_S))
        && begins.is_none_or(|at| now_s.saturating_add(CLOCK_SKEW_S) >= at)
}

fn type_fits(rules: &TypValidation, token: &Decoded) -> bool {
    if !rules.enabled {
        return true;
    }
    let Some(found) = token.header_text("typ") else { return rules.ignore_missing };
    rules.expected_values.iter().any(|expected| match rules.ignore_case {
        true => expected.eq_ignore_ascii_case(found),
        false => expected == found,
    })
}

/// The application that a token was made for.
fn client_id(claims: &Claims, claim: Option<&str>) -> Option<String> {
    if let Some(claim) = claim.map(str::trim).filter(|claim| !claim.is_empty()) {
        return claims::text(claims, claim).or_else(|| claims::first(claims, claim));
    }
    ["azp", "aud", "client_id"].iter().find_map(|name| claims::first(claims, name))
}

fn refused(key: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, key, "Unauthorized")
}

fn invalid() -> Failure {
    refused("JWT_INVALID_TOKEN")
}

/// No fault of the caller.
fn unexpected(key: &'static str) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key, "Internal Server Error")
}
