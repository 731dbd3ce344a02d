//! How a cluster is reached: addresses, authentication and TLS, for the client library and for our own look at it.
//!
//! Two endpoints with equal connections share their clients. Equality is that of a digest over everything that
//! matters, the content of stores included, so that a file that changed makes another connection.

use crate::endpoint::FactoryError;
use crate::tls::{self, Pem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use definition::connector::kafka::{Login, Sasl, SaslMechanism, Security, SecurityProtocol};
use rdkafka::client::OAuthToken;
use rdkafka::config::ClientConfig;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A token that does not say when it ends is used for this long before it is looked at again, milliseconds.
const OPAQUE_TOKEN_LIFETIME_MS: i64 = 3_600_000;
/// Kerberos comes with an optional build, because it needs a library on the machine.
const HAS_KERBEROS: bool = cfg!(feature = "gssapi");

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    bootstrap_servers: String,
    security: Security,
    pem: Pem,
    /// For our own look at the brokers, which tells what the client library does not.
    tls: Option<Arc<rustls::ClientConfig>>,
    digest: [u8; 32],
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.digest.hash(state);
    }
}

impl Connection {
    /// Reads the stores. No connection is made.
    ///
    /// # Errors
    /// What this gateway cannot do, or a store that cannot be used.
    pub(super) fn build(bootstrap_servers: String, security: &Security) -> Result<Connection, FactoryError> {
        let kerberos = security.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == SaslMechanism::Gssapi);
        if kerberos && !HAS_KERBEROS {
            let path = "security.sasl.saslMechanism".to_owned();
            let message = "security.sasl.saslMechanism: this gateway was built without Kerberos (GSSAPI): \
                           use another mechanism, or a build with the feature `gssapi`";
            return Err(FactoryError { path, message: message.to_owned() });
        }
        let mut seen = Sha256::new();
        let (mut pem, mut tls) = (Pem::default(), None);
        if let Some(ssl) = &security.ssl {
            let at = "security.ssl";
            pem = Pem::read(ssl, at, &mut seen)?;
            tls = Some(Arc::new(tls::client(ssl, at, &mut seen)?));
        }
        let digest = digest(seen, &bootstrap_servers, security);
        Ok(Connection(Arc::new(Inner { bootstrap_servers, security: security.clone(), pem, tls, digest })))
    }

    /// `host:port`, separated by commas.
    pub(super) fn bootstrap_servers(&self) -> &str {
        &self.0.bootstrap_servers
    }

    pub(super) fn protocol(&self) -> SecurityProtocol {
        self.0.security.protocol
    }

    pub(super) fn mechanism(&self) -> Option<SaslMechanism> {
        self.0.security.sasl.as_ref().map(|sasl| sasl.mechanism)
    }

    pub(super) fn tls(&self) -> Option<Arc<rustls::ClientConfig>> {
        self.0.tls.clone()
    }

    pub(super) fn has_client_certificate(&self) -> bool {
        self.0.pem.chain.is_some()
    }

    /// Whether everything is there that a connection takes: a token may come with each call.
    pub(super) fn is_complete(&self) -> bool {
        self.0.security.sasl.as_ref().is_none_or(|sasl| sasl.login.is_some())
    }

    /// Sets the library up.
    pub(super) fn configure(&self, config: &mut ClientConfig) {
        let Inner { bootstrap_servers, security, pem, .. } = &*self.0;
        config.set("bootstrap.servers", bootstrap_servers);
        config.set("security.protocol", security.protocol.label());
        if let Some(sasl) = &security.sasl {
            configure_sasl(sasl, config);
        }
        if let Some(ssl) = &security.ssl {
            let names = if ssl.hostname_verifier { "https" } else { "none" };
            config.set("ssl.endpoint.identification.algorithm", names);
            let stores = [
                ("ssl.ca.pem", &pem.trusted),
                ("ssl.certificate.pem", &pem.chain),
                ("ssl.key.pem", &pem.key),
            ];
            for (setting, text) in stores {
                if let Some(text) = text {
                    config.set(setting, text);
                }
            }
        }
    }

    /// What the library gets when it asks for a token. Its errors come back in the library's own error events.
    pub(super) fn oauth_token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        match self.0.security.sasl.as_ref().and_then(|sasl| sasl.login.as_ref()) {
            Some(Login::Token(token)) => {
                let (principal_name, lifetime_ms) = claims(token);
                if lifetime_ms <= Utc::now().timestamp_millis() {
                    return Err("the token has expired".into());
                }
                Ok(OAuthToken { token: token.clone(), principal_name, lifetime_ms })
            }
            Some(Login::Password { .. } | Login::Kerberos { .. }) | None => Err("no token was given".into()),
        }
    }

    #[cfg(test)]
    pub(super) fn plain(bootstrap_servers: &str) -> Connection {
        let security = Security { protocol: SecurityProtocol::Plaintext, sasl: None, ssl: None };
        Connection::build(bootstrap_servers.to_owned(), &security).expect("nothing to read")
    }
}

fn configure_sasl(sasl: &Sasl, config: &mut ClientConfig) {
    config.set("sasl.mechanism", sasl.mechanism.label());
    match &sasl.login {
        Some(Login::Password { username, password }) => {
            config.set("sasl.username", username).set("sasl.password", password);
        }
        Some(Login::Kerberos { principal, keytab, service_name }) => {
            config.set("sasl.kerberos.principal", principal);
            if let Some(keytab) = keytab {
                config.set("sasl.kerberos.keytab", keytab);
            }
            if let Some(name) = service_name {
                config.set("sasl.kerberos.service.name", name);
            }
        }
        // The library asks for it.
        Some(Login::Token(_)) | None => {}
    }
}

/// Over everything, each part with its length in front.
fn digest(seen: Sha256, bootstrap_servers: &str, security: &Security) -> [u8; 32] {
    let mut parts = vec![bootstrap_servers, security.protocol.label()];
    if let Some(sasl) = &security.sasl {
        parts.push(sasl.mechanism.label());
        match &sasl.login {
            Some(Login::Password { username, password }) => parts.extend([username.as_str(), password]),
            Some(Login::Token(token)) => parts.push(token),
            Some(Login::Kerberos { principal, keytab, service_name }) => {
                parts.extend([
                    principal,
                    keytab.as_deref().unwrap_or("-"),
                    service_name.as_deref().unwrap_or("-"),
                ]);
            }
            None => {}
        }
    }
    if let Some(ssl) = &security.ssl {
        parts.push(if ssl.hostname_verifier { "https" } else { "none" });
        parts.push(if ssl.trust_store.is_some() { "trust" } else { "-" });
        parts.push(if ssl.key_store.is_some() { "key" } else { "-" });
    }
    let mut all = Sha256::new();
    all.update(seen.finalize());
    for part in parts {
        all.update((part.len() as u64).to_be_bytes());
        all.update(part);
    }
    all.finalize().into()
}

/// Who a token is for and when it ends, milliseconds since 1970. The broker judges the token; this is for the library.
fn claims(token: &str) -> (String, i64) {
    let body =
        token.split('.').nth(1).and_then(|body| URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok());
    let claims: Value = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let ends = claims["exp"].as_f64().map(|seconds| (seconds * 1000.0) as i64);
    let principal = claims["sub"].as_str().filter(|name| !name.contains('\0')).unwrap_or("tidegate");
    (principal.to_owned(), ends.unwrap_or_else(|| Utc::now().timestamp_millis() + OPAQUE_TOKEN_LIFETIME_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use definition::connector::kafka::Kafka;
    use serde_json::json;

    fn connection(security: Value) -> Result<Connection, FactoryError> {
        let settings = json!({"bootstrapServers": "k:1", "topics": ["t"], "security": security});
        let kafka = Kafka::parse(settings.as_object().expect("an object")).expect("valid");
        Connection::build(kafka.bootstrap_servers, &kafka.security)
    }

    fn sasl(mechanism: &str, line: &str) -> Value {
        json!({"protocol": "SASL_PLAINTEXT", "sasl": {"saslMechanism": mechanism, "saslJaasConfig": line}})
    }

    fn jwt(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
    }

    #[test]
    fn connections_are_equal_when_everything_is() {
        let with = |user: &str, password: &str| {
            let line = format!("P.PlainLoginModule required username=\"{user}\" password=\"{password}\";");
            connection(sasl("PLAIN", &line)).expect("valid")
        };
        assert!(with("a", "bc") == with("a", "bc"));
        assert!(with("a", "bc") != with("ab", "c"));
        assert!(with("a", "bc") != Connection::plain("k:1"));
        assert!(Connection::plain("k:1") != Connection::plain("k:2"));
    }

    #[test]
    fn tokens_are_given_until_they_end() {
        let token = |claims: Value| {
            let line = format!("O.OAuthBearerLoginModule required access_token=\"{}\";", jwt(&claims));
            connection(sasl("OAUTHBEARER", &line)).expect("valid").oauth_token()
        };
        let now = Utc::now().timestamp();
        let given = token(json!({"sub": "alice", "exp": now + 60})).expect("a token");
        assert_eq!((given.principal_name.as_str(), given.lifetime_ms), ("alice", (now + 60) * 1000));
        let text = |result: Result<OAuthToken, Box<dyn Error>>| result.err().map(|error| error.to_string());
        assert_eq!(text(token(json!({"exp": now - 1}))).as_deref(), Some("the token has expired"));
        let none = connection(sasl("OAUTHBEARER", "")).expect("valid");
        assert_eq!(text(none.oauth_token()).as_deref(), Some("no token was given"));
        assert!(!none.is_complete());
    }

    #[test]
    #[cfg(not(feature = "gssapi"))]
    fn kerberos_is_refused_by_name() {
        let refused = connection(sasl("GSSAPI", "K.Krb5LoginModule required principal=\"a@B\";")).err();
        let refused = refused.expect("not in this build");
        assert_eq!(refused.path, "security.sasl.saslMechanism");
        assert!(refused.message.contains("feature `gssapi`"), "{}", refused.message);
    }

    #[test]
    fn a_store_that_cannot_be_used_is_named() {
        let check = |ssl: Value, path: &str, reason: &str| {
            let error = connection(json!({"protocol": "SSL", "ssl": ssl})).err().expect("refused");
            assert_eq!(error.path, path);
            assert!(error.message.contains(reason), "{}", error.message);
            assert!(!error.message.contains("hush"), "{}", error.message);
        };
        check(
            json!({"trustStore": {"type": "PEM", "location": "/nowhere/ca.pem"}}),
            "security.ssl.trustStore",
            "/nowhere/ca.pem cannot be read",
        );
        check(
            json!({"trustStore": {"type": "PKCS12", "content": "aGVsbG8=", "password": "hush"}}),
            "security.ssl.trustStore",
            "check its password",
        );
        check(
            json!({"keyStore": {"type": "PEM", "key": "-----BEGIN hush", "certificateChain": "-----BEGIN"}}),
            "security.ssl.keyStore",
            "no certificate",
        );
    }
}
