//! TLS settings that connectors share (`ssl`). Trust and key stores: each in three formats, by path on the gateway or with its content in the document.
//!
//! Older documents spell the members `truststore` and `keystore`. Contents are read only by gateways; here they are
//! checked as far as that is possible without opening them.

use crate::token::tokens;
use crate::violation::Violation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

tokens! {
    /// Formats of stores; without one there is no store.
    pub enum StoreFormat { None = "NONE", Unset = "", Jks = "JKS", Pkcs12 = "PKCS12", Pem = "PEM" }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SslSettings {
    /// Whether the certificate must name the host.
    #[serde(default = "yes")]
    hostname_verifier: bool,
    /// Whether every certificate is accepted.
    #[serde(default)]
    trust_all: bool,
    /// Certificates that are trusted, instead of the public ones.
    trust_store: Option<TrustStoreSettings>,
    /// Older spelling of `trustStore`.
    truststore: Option<TrustStoreSettings>,
    /// The gateway's own certificate and key.
    key_store: Option<KeyStoreSettings>,
    /// Older spelling of `keyStore`.
    keystore: Option<KeyStoreSettings>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustStoreSettings {
    /// Format.
    #[serde(rename = "type", default = "unset")]
    format: StoreFormat,
    /// File on the gateway.
    path: Option<String>,
    /// Another spelling of `path`.
    location: Option<String>,
    /// The store itself, base64 unless it is PEM.
    content: Option<String>,
    /// Password of the store.
    #[schemars(extend("x-secret" = true))]
    password: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyStoreSettings {
    /// Format.
    #[serde(rename = "type", default = "unset")]
    format: StoreFormat,
    /// File on the gateway.
    path: Option<String>,
    /// Another spelling of `path`.
    location: Option<String>,
    /// The store itself, base64.
    #[schemars(extend("x-secret" = true))]
    content: Option<String>,
    /// Password of the store.
    #[schemars(extend("x-secret" = true))]
    password: Option<String>,
    /// Entry to use; absent: the only key.
    alias: Option<String>,
    /// Password of the key; absent: that of the store, and for a PEM key none.
    #[schemars(extend("x-secret" = true))]
    key_password: Option<String>,
    /// File of the PEM certificates, the gateway's own first.
    cert_path: Option<String>,
    /// PEM certificates, the gateway's own first.
    cert_content: Option<String>,
    /// File of the PEM key.
    key_path: Option<String>,
    /// PEM key.
    #[schemars(extend("x-secret" = true))]
    key_content: Option<String>,
}

/// How certificates of servers are judged, and which one is shown to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ssl {
    pub hostname_verifier: bool,
    pub trust_all: bool,
    /// `None`: the public certificate authorities are trusted.
    pub trust_store: Option<TrustStore>,
    pub key_store: Option<KeyStore>,
}

impl Default for Ssl {
    fn default() -> Self {
        Ssl { hostname_verifier: true, trust_all: false, trust_store: None, key_store: None }
    }
}

/// Where a part of a store is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Material {
    /// A file on the gateway.
    Path(String),
    /// The bytes.
    Content(Vec<u8>),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Material::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Material::Content(_) => f.write_str("Content"),
        }
    }
}

/// Certificates that are trusted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrustStore {
    /// Neither `None` nor `Unset`.
    pub format: StoreFormat,
    pub material: Material,
    pub password: Option<String>,
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustStore").field("material", &self.material).finish_non_exhaustive()
    }
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum KeyStore {
    Pem {
        certificates: Material,
        key: Material,
        /// Of a key in an encrypted PKCS#8 form.
        key_password: Option<String>,
    },
    Store {
        pkcs12: bool,
        material: Material,
        password: Option<String>,
        alias: Option<String>,
        key_password: Option<String>,
    },
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = match self {
            KeyStore::Pem { key, .. } => key,
            KeyStore::Store { material, .. } => material,
        };
        f.debug_struct("KeyStore").field("material", material).finish_non_exhaustive()
    }
}

impl Ssl {
    /// The members that name files of the gateway.
    pub fn files(&self) -> Vec<&'static str> {
        let trust = self.trust_store.as_ref().map(|store| ("trustStore.path", &store.material));
        let keys = match &self.key_store {
            None => Vec::new(),
            Some(KeyStore::Store { material, .. }) => vec![("keyStore.path", material)],
            Some(KeyStore::Pem { certificates, key, .. }) => {
                vec![("keyStore.certPath", certificates), ("keyStore.keyPath", key)]
            }
        };
        let files = trust.into_iter().chain(keys);
        files
            .filter(|(_, material)| matches!(material, Material::Path(_)))
            .map(|(member, _)| member)
            .collect()
    }
}

impl SslSettings {
    fn trust(&self) -> Option<(&'static str, &TrustStoreSettings)> {
        let new = self.trust_store.as_ref().map(|store| ("trustStore", store));
        new.or_else(|| self.truststore.as_ref().map(|store| ("truststore", store)))
            .filter(|(_, store)| is_store(store.format))
    }

    fn key(&self) -> Option<(&'static str, &KeyStoreSettings)> {
        let new = self.key_store.as_ref().map(|store| ("keyStore", store));
        new.or_else(|| self.keystore.as_ref().map(|store| ("keystore", store)))
            .filter(|(_, store)| is_store(store.format))
    }

    /// Whether these settings ask for TLS, where nothing else says so. Forms leave stores behind that nobody chose;
    /// only somebody who writes by hand sends none at all, and wants the public authorities.
    pub(crate) fn is_wanted(&self) -> bool {
        let stores = [&self.trust_store, &self.truststore].iter().any(|store| store.is_some())
            || [&self.key_store, &self.keystore].iter().any(|store| store.is_some());
        self.trust_all || self.trust().is_some() || self.key().is_some() || !stores
    }

    /// Every fault. `at`: the path of these settings, relative to what the violations are relative to.
    pub(crate) fn violations(&self, at: &str) -> Vec<Violation> {
        let mut found = Vec::new();
        if let Some((name, store)) = self.trust() {
            let binary = store.format != StoreFormat::Pem;
            let name = &format!("{at}.{name}");
            material(
                name,
                ("path", file(&store.path, &store.location)),
                ("content", &store.content),
                binary,
                &mut found,
            );
            password(name, store.format, store.password.as_ref(), &mut found);
        }
        if let Some((name, store)) = self.key() {
            let name = &format!("{at}.{name}");
            if store.format == StoreFormat::Pem {
                let certificates = (("certPath", &store.cert_path), ("certContent", &store.cert_content));
                material(name, certificates.0, certificates.1, false, &mut found);
                material(
                    name,
                    ("keyPath", &store.key_path),
                    ("keyContent", &store.key_content),
                    false,
                    &mut found,
                );
            } else {
                material(
                    name,
                    ("path", file(&store.path, &store.location)),
                    ("content", &store.content),
                    true,
                    &mut found,
                );
                password(name, store.format, store.password.as_ref(), &mut found);
            }
        }
        found
    }

    /// The one view of both spellings. Call it on settings without violations.
    pub(crate) fn merge(self) -> Ssl {
        Ssl {
            hostname_verifier: self.hostname_verifier,
            trust_all: self.trust_all,
            trust_store: self.trust().and_then(|(_, store)| {
                let binary = store.format != StoreFormat::Pem;
                Some(TrustStore {
                    format: store.format,
                    material: take(file(&store.path, &store.location), &store.content, binary)?,
                    password: store.password.clone(),
                })
            }),
            key_store: self.key().and_then(|(_, store)| key_store(store)),
        }
    }
}

fn key_store(store: &KeyStoreSettings) -> Option<KeyStore> {
    if store.format == StoreFormat::Pem {
        return Some(KeyStore::Pem {
            certificates: take(&store.cert_path, &store.cert_content, false)?,
            key: take(&store.key_path, &store.key_content, false)?,
            key_password: given(&store.key_password).map(str::to_owned),
        });
    }
    Some(KeyStore::Store {
        pkcs12: store.format == StoreFormat::Pkcs12,
        material: take(file(&store.path, &store.location), &store.content, true)?,
        password: store.password.clone(),
        alias: given(&store.alias).map(str::to_owned),
        key_password: given(&store.key_password).map(str::to_owned),
    })
}

fn is_store(format: StoreFormat) -> bool {
    !matches!(format, StoreFormat::None | StoreFormat::Unset)
}

/// A text that is more than blanks.
pub(super) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// Forms send every member, so a blank one says nothing.
fn file<'a>(path: &'a Option<String>, location: &'a Option<String>) -> &'a Option<String> {
    if given(path).is_some() { path } else { location }
}

/// The content goes before the path: forms send both, one of them empty.
fn take(path: &Option<String>, content: &Option<String>, binary: bool) -> Option<Material> {
    match given(content) {
        Some(content) if binary => Some(Material::Content(decode(content)?)),
        Some(content) => Some(Material::Content(content.as_bytes().to_vec())),
        None => given(path).map(|path| Material::Path(path.to_owned())),
    }
}

/// The bytes of a binary store.
pub(super) fn decode(content: &str) -> Option<Vec<u8>> {
    let compact: String = content.split_whitespace().collect();
    STANDARD.decode(compact).ok()
}

type Member<'a> = (&'static str, &'a Option<String>);

fn material(store: &str, path: Member<'_>, content: Member<'_>, binary: bool, found: &mut Vec<Violation>) {
    match given(content.1) {
        Some(text) if binary && decode(text).is_none() => {
            let path = format!("{store}.{}", content.0);
            let message = format!("{path} is no base64; send the bytes of the store as base64");
            found.push(Violation::new(path, "data.invalid", message));
        }
        Some(text) if !binary && !text.contains("-----BEGIN") => {
            let path = format!("{store}.{}", content.0);
            let message = format!("{path} is no PEM; send the text from -----BEGIN to -----END");
            found.push(Violation::new(path, "data.invalid", message));
        }
        None if given(path.1).is_none() => {
            let place = format!("{store}.{}", path.0);
            let message = format!("{place} is required: name a file of the gateway or send {}", content.0);
            found.push(Violation::new(place, "data.invalid", message));
        }
        Some(_) | None => {}
    }
}

fn password(store: &str, format: StoreFormat, password: Option<&String>, found: &mut Vec<Violation>) {
    if format != StoreFormat::Pem && password.is_none() {
        let path = format!("{store}.password");
        let message = format!("{path} is required: a store of type {format} is read with its password");
        found.push(Violation::new(path, "data.invalid", message));
    }
}

fn yes() -> bool {
    true
}

fn unset() -> StoreFormat {
    StoreFormat::Unset
}
