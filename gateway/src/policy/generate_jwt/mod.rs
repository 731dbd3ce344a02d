//! Policy `policy-generate-jwt`: signs a token of its own and keeps it in the attribute `jwt.generated`.

mod key;

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::expression::{self, EvaluationError, Scope};
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::generate_jwt::{CertificateChain, ExpiryUnit, GenerateJwt, Signature};
use definition::violation::Violation;
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Where the token is left.
const GENERATED: &str = "jwt.generated";

/// Builds the policy. A key that cannot sign is refused here.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let signer = Signer::new(GenerateJwt::parse(settings)?)
        .map_err(|reason| vec![Violation::new("content", "data.invalid", format!("#/content: {reason}"))])?;
    Ok(Arc::new(JwtPolicy(signer)))
}

/// Makes tokens as its settings say.
pub(crate) struct Signer {
    settings: GenerateJwt,
    header: Header,
    key: EncodingKey,
    needs: Needs,
}

struct JwtPolicy(Signer);

#[async_trait]
impl Policy for JwtPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.0.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let token = self.0.token(call).map_err(|reason| failed(&reason))?;
        call.attributes.set(GENERATED, token);
        Ok(Flow::Continue)
    }
}

impl Signer {
    /// Reads the key. Errors say why it cannot sign, never what it is.
    pub(crate) fn new(mut settings: GenerateJwt) -> Result<Signer, String> {
        let signing = key::read(&settings)?;
        let mut header = Header::new(match settings.signature {
            Signature::RsaRs256 => Algorithm::RS256,
            Signature::HmacHs256 => Algorithm::HS256,
            Signature::HmacHs384 => Algorithm::HS384,
            Signature::HmacHs512 => Algorithm::HS512,
        });
        header.kid = settings.kid.clone();
        if settings.x509_certificate_chain == CertificateChain::X5c && !signing.chain.is_empty() {
            header.x5c = Some(signing.chain);
        }
        jsonwebtoken::encode(&header, &json!({}), &signing.key)
            .map_err(|_| "holds a key that cannot sign, use one of 2048 bits or more".to_owned())?;
        // What the key was read from is not kept beside it.
        settings.content.clear();
        (settings.store_password, settings.key_password) = (None, None);
        let claims = settings.custom_claims.iter().filter_map(|claim| claim.value.as_ref());
        let registered = settings.id.iter().chain(&settings.audiences).chain([&settings.issuer]);
        let needs = evaluate::needs(claims.chain(registered).chain(&settings.subject));
        Ok(Signer { settings, header, key: signing.key, needs })
    }

    /// A token with claims that are evaluated now.
    pub(crate) fn token(&self, call: &Call) -> Result<String, String> {
        let claims = self.claims(call).map_err(|error| error.to_string())?;
        jsonwebtoken::encode(&self.header, &claims, &self.key).map_err(|_| "the key cannot sign".to_owned())
    }

    fn claims(&self, call: &Call) -> Result<Map<String, Value>, EvaluationError> {
        let (settings, scope) = (&self.settings, Scope::of(call));
        let text = |template: &Template| {
            expression::text(template, &scope).map(|text| text.map(|text| Value::from(text.into_owned())))
        };
        let maybe =
            |template: &Option<Template>| template.as_ref().map(text).transpose().map(Option::flatten);
        let mut claims = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            value.map(|value| claims.insert(name.to_owned(), value));
        };
        put("iss", text(&settings.issuer)?);
        put("sub", maybe(&settings.subject)?);
        let audiences = settings.audiences.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let mut audiences: Vec<Value> = audiences.into_iter().flatten().collect();
        match audiences.len() {
            0 => {}
            1 => put("aud", audiences.pop()),
            _ => put("aud", Some(audiences.into())),
        }
        put("jti", Some(maybe(&settings.id)?.unwrap_or_else(|| Uuid::new_v4().to_string().into())));
        let now = chrono::Utc::now();
        put("iat", Some(now.timestamp().into()));
        let lifetime = chrono::Duration::from_std(lifetime(settings)).unwrap_or(chrono::Duration::MAX);
        put("exp", now.checked_add_signed(lifetime).map(|until| until.timestamp().into()));
        for claim in &settings.custom_claims {
            let value = claim.value.as_ref().map(|value| expression::json(value, &scope)).transpose()?;
            put(&claim.name, value.flatten());
        }
        Ok(claims)
    }
}

fn lifetime(settings: &GenerateJwt) -> Duration {
    let milliseconds = match settings.expires_in_unit {
        ExpiryUnit::Milliseconds => 1,
        ExpiryUnit::Seconds => 1_000,
        ExpiryUnit::Minutes => 60_000,
        ExpiryUnit::Hours => 3_600_000,
        ExpiryUnit::Days => 86_400_000,
    };
    Duration::from_millis(settings.expires_in.saturating_mul(milliseconds))
}

fn failed(reason: &str) -> Failure {
    let message = format!("Unable to generate JWT token: {reason}");
    Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, message)
}

#[cfg(test)]
mod tests;
