//! How connections to Kafka are secured: settings, what is wrong with them, and the one view of them.
//!
//! The stores have the shape of Kafka's own clients (`location`, `certificates`, `key`, `certificateChain`), beside
//! which `content` carries a store inside the document; they end in the stores that all connectors share.

use super::login::Login;
use super::settings::{SaslMechanism, SecurityProtocol};
use crate::connector::ssl::{KeyStore, Material, Ssl, StoreFormat, TrustStore, decode, given};
use crate::expression::{Part, Template};
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;

/// Path of the login line.
pub(super) const JAAS: &str = "security.sasl.saslJaasConfig";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySettings {
    /// Protocol of the broker's listener.
    #[serde(default = "plaintext")]
    protocol: SecurityProtocol,
    /// Authentication.
    sasl: Option<SaslSettings>,
    /// Certificates.
    ssl: Option<SslSettings>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SaslSettings {
    /// Mechanism.
    #[serde(default = "gssapi")]
    sasl_mechanism: SaslMechanism,
    /// Login module line with its credentials; may hold expressions.
    #[schemars(extend("x-secret" = true))]
    sasl_jaas_config: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SslSettings {
    /// Whether the certificate must name the host. Absent: yes.
    hostname_verifier: Option<bool>,
    /// Certificates that are trusted.
    trust_store: Option<TrustStoreSettings>,
    /// The client's certificate and key.
    key_store: Option<KeyStoreSettings>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustStoreSettings {
    /// Format. Absent: PEM when there are certificates, else JKS.
    #[serde(rename = "type")]
    format: Option<StoreFormat>,
    /// File of the store on the gateway.
    location: Option<String>,
    /// The store itself, base64 when it is binary.
    content: Option<String>,
    /// PEM certificates.
    certificates: Option<String>,
    /// Password of the store.
    #[schemars(extend("x-secret" = true))]
    password: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyStoreSettings {
    /// Format. Absent: PEM when there is a key, else JKS.
    #[serde(rename = "type")]
    format: Option<StoreFormat>,
    /// File of the store on the gateway; a PEM file holds the key and the certificates.
    location: Option<String>,
    /// The store itself, base64 when it is binary.
    #[schemars(extend("x-secret" = true))]
    content: Option<String>,
    /// Password of the store.
    #[schemars(extend("x-secret" = true))]
    password: Option<String>,
    /// Password of the key.
    #[schemars(extend("x-secret" = true))]
    key_password: Option<String>,
    /// PEM key.
    #[schemars(extend("x-secret" = true))]
    key: Option<String>,
    /// PEM certificates, the client's first.
    certificate_chain: Option<String>,
}

/// How connections are secured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Security {
    pub protocol: SecurityProtocol,
    /// Present exactly with the `SASL_…` protocols.
    pub sasl: Option<Sasl>,
    /// Present exactly with TLS.
    pub ssl: Option<Ssl>,
}

/// Authentication.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sasl {
    pub mechanism: SaslMechanism,
    /// `None`: the line has expressions, or the token comes with each call.
    pub login: Option<Login>,
}

impl SecurityProtocol {
    /// Whether connections are encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, SecurityProtocol::SaslSsl | SecurityProtocol::Ssl)
    }

    /// Whether clients authenticate with SASL.
    pub fn is_sasl(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}

impl SecuritySettings {
    /// The login line as a template, when it holds expressions.
    pub(super) fn jaas_template(&self) -> Option<Template> {
        let line = self.sasl.as_ref().filter(|_| self.protocol.is_sasl())?.sasl_jaas_config.as_deref()?;
        Template::parse(line).ok().filter(|template| template.literal().is_none())
    }

    /// Every fault. `evaluated`: what looks like an expression is text.
    pub(super) fn violations(&self, evaluated: bool, found: &mut Vec<Violation>) {
        if self.protocol.is_sasl() {
            self.sasl_violations(evaluated, found);
        }
        let ssl = self.ssl.as_ref().filter(|_| self.protocol.is_tls());
        if let Some(store) = ssl.and_then(|ssl| ssl.trust_store.as_ref()) {
            store.violations(found);
        }
        if let Some(store) = ssl.and_then(|ssl| ssl.key_store.as_ref()) {
            store.violations(found);
        }
    }

    fn sasl_violations(&self, evaluated: bool, found: &mut Vec<Violation>) {
        let Some(sasl) = &self.sasl else {
            let message =
                format!("security.sasl is required with {}: name the mechanism and its login", self.protocol);
            found.push(Violation::new("security.sasl", "data.invalid", message));
            return;
        };
        let mechanism = sasl.sasl_mechanism;
        if mechanism == SaslMechanism::AwsMskIam {
            let path = "security.sasl.saslMechanism";
            let message = format!("{path}: AWS_MSK_IAM is not available in this version, use SCRAM-SHA-512");
            found.push(Violation::new(path, "data.invalid", message));
            return;
        }
        let line = given(&sasl.sasl_jaas_config);
        let fault = match line {
            None if mechanism == SaslMechanism::Oauthbearer => None,
            None => Some(format!("is required with {mechanism}: send the login module with its credentials")),
            Some(line) if evaluated => Login::parse(mechanism, line).err(),
            Some(line) => written(mechanism, line).err(),
        };
        found.extend(fault.map(|fault| Violation::new(JAAS, "data.invalid", format!("{JAAS} {fault}"))));
    }

    /// The one view. Call it on settings without violations.
    pub(super) fn merge(self, evaluated: bool) -> Security {
        let protocol = self.protocol;
        let sasl = self.sasl.filter(|_| protocol.is_sasl()).map(|sasl| {
            let mechanism = sasl.sasl_mechanism;
            let line = given(&sasl.sasl_jaas_config);
            let login = line.and_then(|line| {
                if evaluated { Login::parse(mechanism, line) } else { written(mechanism, line) }.ok()?
            });
            Sasl { mechanism, login }
        });
        let ssl = protocol.is_tls().then(|| match self.ssl {
            Some(ssl) => Ssl {
                hostname_verifier: ssl.hostname_verifier.unwrap_or(true),
                trust_all: false,
                trust_store: ssl.trust_store.as_ref().and_then(TrustStoreSettings::merge),
                key_store: ssl.key_store.as_ref().and_then(KeyStoreSettings::merge),
            },
            None => Ssl::default(),
        });
        Security { protocol, sasl, ssl }
    }
}

/// A line as an author wrote it. One with expressions is checked as far as it is known, and gives no login yet.
fn written(mechanism: SaslMechanism, line: &str) -> Result<Option<Login>, String> {
    // The text of the error could repeat a part of the line.
    let template = Template::parse(line)
        .map_err(|error| format!("has an expression that cannot be read at position {}", error.position))?;
    if template.literal().is_some() {
        return Login::parse(mechanism, line);
    }
    let starts_with_text = matches!(template.parts().first(), Some(Part::Text(_)));
    if starts_with_text {
        let known = template.parts().iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Expression(_) => "evaluated",
        });
        Login::parse(mechanism, &known.collect::<String>())?;
    }
    Ok(None)
}

impl TrustStoreSettings {
    fn format(&self) -> StoreFormat {
        format(self.format, given(&self.certificates))
    }

    fn violations(&self, found: &mut Vec<Violation>) {
        let store = "security.ssl.trustStore";
        match self.format() {
            StoreFormat::None | StoreFormat::Unset => {}
            StoreFormat::Pem => {
                let members = [("certificates", &self.certificates), ("content", &self.content)];
                pem(store, &members, &self.location, found);
            }
            StoreFormat::Jks | StoreFormat::Pkcs12 => {
                binary(store, self.format(), (&self.location, &self.content, &self.password), found);
            }
        }
    }

    fn merge(&self) -> Option<TrustStore> {
        let format = self.format();
        let material = match format {
            StoreFormat::None | StoreFormat::Unset => return None,
            StoreFormat::Pem => {
                text(given(&self.certificates).or_else(|| given(&self.content)), &self.location)
            }
            StoreFormat::Jks | StoreFormat::Pkcs12 => bytes(&self.content, &self.location),
        };
        Some(TrustStore { format, material: material?, password: self.password.clone() })
    }
}

impl KeyStoreSettings {
    fn format(&self) -> StoreFormat {
        format(self.format, given(&self.key))
    }

    fn violations(&self, found: &mut Vec<Violation>) {
        let store = "security.ssl.keyStore";
        match self.format() {
            StoreFormat::None | StoreFormat::Unset => {}
            StoreFormat::Pem => {
                let (key, chain) = (("key", &self.key), ("certificateChain", &self.certificate_chain));
                pem(store, &[key, ("content", &self.content)], &self.location, found);
                if given(&self.key).is_some() {
                    pem(store, &[chain, ("content", &self.content)], &self.location, found);
                }
            }
            StoreFormat::Jks | StoreFormat::Pkcs12 => {
                binary(store, self.format(), (&self.location, &self.content, &self.password), found);
            }
        }
    }

    fn merge(&self) -> Option<KeyStore> {
        let key_password = given(&self.key_password).map(str::to_owned);
        match self.format() {
            StoreFormat::None | StoreFormat::Unset => None,
            StoreFormat::Pem => {
                let both = given(&self.content);
                Some(KeyStore::Pem {
                    certificates: text(given(&self.certificate_chain).or(both), &self.location)?,
                    key: text(given(&self.key).or(both), &self.location)?,
                    key_password,
                })
            }
            StoreFormat::Jks | StoreFormat::Pkcs12 => Some(KeyStore::Store {
                pkcs12: self.format() == StoreFormat::Pkcs12,
                material: bytes(&self.content, &self.location)?,
                password: self.password.clone(),
                alias: None,
                key_password,
            }),
        }
    }
}

/// An empty type of a form stands for an absent one.
fn format(named: Option<StoreFormat>, pem: Option<&str>) -> StoreFormat {
    match named {
        Some(format) if format != StoreFormat::Unset => format,
        Some(_) | None if pem.is_some() => StoreFormat::Pem,
        Some(_) => StoreFormat::Unset,
        None => StoreFormat::Jks,
    }
}

/// Content goes before the path: forms send both, one of them empty.
fn text(content: Option<&str>, path: &Option<String>) -> Option<Material> {
    let content = content.map(|content| Material::Content(content.as_bytes().to_vec()));
    content.or_else(|| given(path).map(|path| Material::Path(path.to_owned())))
}

fn bytes(content: &Option<String>, path: &Option<String>) -> Option<Material> {
    match given(content) {
        Some(content) => Some(Material::Content(decode(content)?)),
        None => given(path).map(|path| Material::Path(path.to_owned())),
    }
}

fn pem(
    store: &str,
    contents: &[(&str, &Option<String>)],
    location: &Option<String>,
    found: &mut Vec<Violation>,
) {
    let given_content = contents.iter().find_map(|(member, content)| Some((member, given(content)?)));
    match given_content {
        Some((member, content)) if !content.contains("-----BEGIN") => {
            let path = format!("{store}.{member}");
            let message = format!("{path} is no PEM; send the text from -----BEGIN to -----END");
            found.push(Violation::new(path, "data.invalid", message));
        }
        None if given(location).is_none() => {
            let member = contents.first().map_or("content", |(member, _)| member);
            let path = format!("{store}.{member}");
            let message = format!(
                "{path} is required in a store of type PEM, unless location names a file of the gateway"
            );
            found.push(Violation::new(path, "data.invalid", message));
        }
        Some(_) | None => {}
    }
}

type Members<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<String>);

fn binary(store: &str, format: StoreFormat, members: Members<'_>, found: &mut Vec<Violation>) {
    let (location, content, password) = members;
    match given(content) {
        Some(content) if decode(content).is_none() => {
            let path = format!("{store}.content");
            let message = format!("{path} is no base64; send the bytes of the store as base64");
            found.push(Violation::new(path, "data.invalid", message));
        }
        None if given(location).is_none() => {
            let path = format!("{store}.location");
            let message = format!("{path} is required: name a file of the gateway or send content");
            found.push(Violation::new(path, "data.invalid", message));
        }
        Some(_) | None => {}
    }
    if password.is_none() {
        let path = format!("{store}.password");
        let message = format!("{path} is required: a store of type {format} is read with its password");
        found.push(Violation::new(path, "data.invalid", message));
    }
}

fn plaintext() -> SecurityProtocol {
    SecurityProtocol::Plaintext
}

fn gssapi() -> SaslMechanism {
    SaslMechanism::Gssapi
}
