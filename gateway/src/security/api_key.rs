//! API key plans: a key in a header, in the query or as a bearer token. It is looked up by its hash.

use super::{Token, bearer};
use crate::call::Call;
use crate::consumers::ApiKey;
use crate::failure::Failure;
use crate::http::query;
use definition::api::Settings;
use definition::security::api_key::{self, KeySource};
use definition::violation::Violation;
use http::{HeaderName, StatusCode};
use sha2::{Digest as _, Sha256};

const INVALID: &str = "API_KEY_INVALID";
/// Longest text that is hashed as a key, bytes.
const KEY_MAX_BYTES: usize = 4096;

/// Where the plans of this gateway look for keys, unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyNames {
    /// `None`: no header is looked at.
    pub(crate) header: Option<HeaderName>,
    /// `None`: no query parameter is looked at.
    pub(crate) parameter: Option<String>,
}

impl Default for KeyNames {
    fn default() -> Self {
        let header = Some(HeaderName::from_static("x-gravitee-api-key"));
        KeyNames { header, parameter: Some("api-key".to_owned()) }
    }
}

/// A plan that asks for a key.
pub(super) struct ApiKeyPlan {
    places: Places,
    propagate: bool,
}

enum Places {
    Bearer,
    /// The header first.
    Named(KeyNames),
}

impl ApiKeyPlan {
    pub(super) fn new(settings: Option<&Settings>, names: &KeyNames) -> Result<Self, Vec<Violation>> {
        let settings = api_key::ApiKey::parse(settings.unwrap_or(&Settings::new()))?;
        let own = settings.header().and_then(|name| HeaderName::try_from(name).ok());
        let places = match settings.source {
            KeySource::Bearer => Places::Bearer,
            KeySource::Header => {
                Places::Named(KeyNames { header: own.or_else(|| names.header.clone()), ..names.clone() })
            }
            KeySource::QueryParameter => Places::Named(KeyNames { header: None, ..names.clone() }),
        };
        Ok(ApiKeyPlan { places, propagate: settings.propagate_api_key })
    }

    pub(super) fn token(&self, call: &Call) -> Token {
        let found = match &self.places {
            Places::Bearer => bearer::find(call),
            Places::Named(names) => named(names, call),
        };
        match found.map(|key| key.trim().to_owned()) {
            None => Token::Absent,
            Some(key) if key.is_empty() || key.len() > KEY_MAX_BYTES => Token::Invalid,
            Some(key) => Token::Key { hash: Sha256::digest(key.as_bytes()).into(), key },
        }
    }

    /// Lets a key in that is neither revoked nor expired.
    pub(super) fn enter(&self, call: &mut Call, key: String, found: &ApiKey) -> Result<(), Failure> {
        if !found.is_usable(call.request.timestamp) {
            return Err(Failure::new(StatusCode::UNAUTHORIZED, INVALID, "Unauthorized"));
        }
        call.attributes.set("api-key", key);
        if !self.propagate {
            self.strip(call);
        }
        Ok(())
    }

    fn strip(&self, call: &mut Call) {
        match &self.places {
            Places::Bearer => bearer::strip(call),
            Places::Named(names) => {
                let head = &mut call.request.head;
                if let Some(header) = &names.header {
                    head.headers.remove(header);
                }
                if let Some(parameter) = &names.parameter {
                    query::remove(&mut head.uri, parameter);
                }
            }
        }
    }
}

fn named(names: &KeyNames, call: &Call) -> Option<String> {
    let head = &call.request.head;
    let header = names.header.as_ref().and_then(|name| head.headers.get(name));
    // A header that is no text is a key that cannot be right.
    let header = header.map(|value| value.to_str().unwrap_or_default().to_owned());
    let query = || query::first(head.uri.query(), names.parameter.as_deref()?);
    header.or_else(query)
}
