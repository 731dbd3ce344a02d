//! The keys that may have signed a token: given with the settings, or of a key set that is fetched.

use super::jwks::{KeySets, Location, Source};
use super::token::algorithm;
use crate::call::Call;
use crate::endpoint::Shared;
use crate::expression::{self, Scope};
use definition::expression::Template;
use definition::public_key::PublicKey;
use definition::security::jwt::{Jwt, KeyResolver, Signature};
use jsonwebtoken::DecodingKey;
use std::sync::Arc;
use std::time::Duration;

/// Where keys come from.
pub(super) struct Keys {
    resolver: KeyResolver,
    signature: Signature,
    parameter: Parameter,
    sets: Arc<KeySets>,
    /// Of the settings, without the URL.
    location: Location,
}

enum Parameter {
    Given(Arc<[DecodingKey]>),
    Set(Arc<Source>),
    /// An expression: known per call.
    Later(Template),
    /// It was checked, so that this does not happen.
    Unusable,
}

/// Keys that may have signed a token.
pub(super) struct Candidates {
    pub(super) keys: Arc<[DecodingKey]>,
    /// Another number: other keys.
    pub(super) generation: u64,
    /// Tells keys that an expression chose from others.
    pub(super) scope: String,
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// The key set cannot be had.
    KeySet,
    /// The expression yields nothing that is a key or a URL.
    Settings,
}

impl Keys {
    pub(super) fn new(settings: &Jwt, shared: &Shared) -> Keys {
        let location = Location {
            url: String::new(),
            connect_timeout: Duration::from_millis(settings.connect_timeout),
            request_timeout: Duration::from_millis(settings.request_timeout),
            follow_redirects: settings.follow_redirects,
            use_system_proxy: settings.use_system_proxy,
        };
        let mut keys = Keys {
            resolver: settings.public_key_resolver,
            signature: settings.signature,
            parameter: Parameter::Unusable,
            sets: Arc::clone(&shared.key_sets),
            location,
        };
        if let Some(template) = &settings.resolver_parameter {
            keys.parameter = match template.literal() {
                Some(text) => keys.parameter(text),
                None => Parameter::Later(template.clone()),
            };
        }
        keys
    }

    fn parameter(&self, text: &str) -> Parameter {
        match self.resolver {
            KeyResolver::GivenKey => {
                given(self.signature, text).map_or(Parameter::Unusable, |key| Parameter::Given([key].into()))
            }
            KeyResolver::JwksUrl => {
                let url = text.trim().to_owned();
                Parameter::Set(self.sets.source(Location { url, ..self.location.clone() }))
            }
            KeyResolver::GatewayKeys => Parameter::Unusable,
        }
    }

    /// The keys that may have signed a token with this key id.
    pub(super) async fn find(&self, call: &Call, key_id: Option<&str>) -> Result<Candidates, Unresolved> {
        let (later, scope);
        let parameter = match &self.parameter {
            Parameter::Later(template) => {
                let text = expression::text(template, &Scope::of(call)).map_err(|_| Unresolved::Settings)?;
                scope = text.ok_or(Unresolved::Settings)?.into_owned();
                later = self.parameter(&scope);
                &later
            }
            known @ (Parameter::Given(_) | Parameter::Set(_) | Parameter::Unusable) => {
                scope = String::new();
                known
            }
        };
        match parameter {
            Parameter::Given(keys) => Ok(Candidates { keys: Arc::clone(keys), generation: 0, scope }),
            Parameter::Set(source) => {
                let set = source.with_key(key_id).await.map_err(|_| Unresolved::KeySet)?;
                let keys = set.candidates(key_id, algorithm(self.signature));
                Ok(Candidates { keys, generation: set.generation, scope })
            }
            Parameter::Later(_) | Parameter::Unusable => Err(Unresolved::Settings),
        }
    }
}

fn given(signature: Signature, text: &str) -> Option<DecodingKey> {
    if signature.is_hmac() {
        return (!text.is_empty()).then(|| DecodingKey::from_secret(text.as_bytes()));
    }
    Some(match signature.public_key(text).ok()? {
        PublicKey::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(&modulus, &exponent),
        PublicKey::Ec { point } => DecodingKey::from_ec_der(&point),
    })
}
