//! Generate JWT: signs a token of its own, for the backend to trust.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::token::tokens;
use crate::violation::Violation;
use base64::Engine as _;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-generate-jwt",
    name: "Generate JWT",
    description: "Signs a token and keeps it in the attribute `jwt.generated`",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

tokens! {
    /// Algorithms.
    pub enum Signature {
        RsaRs256 = "RSA_RS256",
        HmacHs256 = "HMAC_HS256", HmacHs384 = "HMAC_HS384", HmacHs512 = "HMAC_HS512",
    }
}

tokens! {
    /// What `content` holds.
    pub enum KeyResolver { Inline = "INLINE", Pem = "PEM", Jks = "JKS", Pkcs12 = "PKCS12" }
}

tokens! {
    /// Which certificates the token carries.
    pub enum CertificateChain { None = "NONE", X5c = "X5C" }
}

tokens! {
    /// Units of time.
    pub enum ExpiryUnit {
        Milliseconds = "MILLISECONDS", Seconds = "SECONDS", Minutes = "MINUTES", Hours = "HOURS", Days = "DAYS",
    }
}

/// Settings of the policy.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Generate JWT")]
pub struct GenerateJwt {
    /// Algorithm of the signature.
    #[serde(default = "rs256")]
    pub signature: Signature,
    /// What `content` holds: a secret or a PEM key, a PEM key, or a key store in base64.
    #[serde(default = "inline")]
    pub key_resolver: KeyResolver,
    /// The key or the key store itself.
    #[schemars(length(min = 1), extend("x-secret" = true))]
    pub content: String,
    /// Whether an inline secret is base64.
    #[serde(default)]
    pub secret_base64_encoded: bool,
    /// Name of the key in its store. Absent: its only key.
    #[serde(default)]
    pub alias: Option<String>,
    /// Password of the key store.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    pub store_password: Option<String>,
    /// Password of the key. Absent: that of the store.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    pub key_password: Option<String>,
    /// `kid` of the token's head.
    #[serde(default)]
    pub kid: Option<String>,
    /// `jti`. Absent: a new one for each token.
    #[serde(default)]
    pub id: Option<Template>,
    /// `aud`.
    #[serde(default)]
    pub audiences: Vec<Template>,
    /// `iss`.
    #[serde(default = "issuer")]
    pub issuer: Template,
    /// `sub`.
    #[serde(default)]
    pub subject: Option<Template>,
    /// How long the token is valid.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    pub expires_in: u64,
    /// Unit of `expiresIn`.
    #[serde(default = "seconds")]
    pub expires_in_unit: ExpiryUnit,
    /// Further claims.
    #[serde(default)]
    pub custom_claims: Vec<Claim>,
    /// Whether the head carries the certificates of the key (`x5c`).
    #[serde(default = "no_chain")]
    pub x509_certificate_chain: CertificateChain,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// Name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Value; null or absent: the claim is left out.
    #[serde(default)]
    pub value: Option<Template>,
}

fn rs256() -> Signature {
    Signature::RsaRs256
}

fn inline() -> KeyResolver {
    KeyResolver::Inline
}

fn no_chain() -> CertificateChain {
    CertificateChain::None
}

fn seconds() -> ExpiryUnit {
    ExpiryUnit::Seconds
}

fn thirty() -> u64 {
    30
}

#[expect(clippy::expect_used, reason = "the text is ours; a test reads it")]
fn issuer() -> Template {
    Template::parse("urn://gravitee-api-gw").expect("a template")
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<GenerateJwt>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    GenerateJwt::parse(settings).err().unwrap_or_default()
}

impl GenerateJwt {
    /// Reads settings. Paths of violations are relative to them. The key itself is read by who signs.
    pub fn parse(settings: &Settings) -> Result<GenerateJwt, Vec<Violation>> {
        let parsed: GenerateJwt = schema().read(settings)?;
        let violations = parsed.violations();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    /// Absent settings beside a key.
    pub(crate) fn with_content(content: String) -> GenerateJwt {
        GenerateJwt {
            signature: rs256(),
            key_resolver: inline(),
            content,
            secret_base64_encoded: false,
            alias: None,
            store_password: None,
            key_password: None,
            kid: None,
            id: None,
            audiences: Vec::new(),
            issuer: issuer(),
            subject: None,
            expires_in: thirty(),
            expires_in_unit: seconds(),
            custom_claims: Vec::new(),
            x509_certificate_chain: no_chain(),
        }
    }

    /// What the schema cannot say.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let symmetric = self.signature != Signature::RsaRs256;
        if symmetric && self.key_resolver != KeyResolver::Inline {
            let message = format!(
                "#/keyResolver: {} holds no key for {}, use INLINE",
                self.key_resolver, self.signature
            );
            violations.push(Violation::new("keyResolver", "data.invalid", message));
        }
        if !self.content_is_whole() {
            let message = "#/content: must hold the key itself, gateways read no files for definitions; \
                           put the PEM text or the base64 of the key store here";
            violations.push(Violation::new("content", "data.invalid", message));
        }
        violations
    }

    /// Whether the content may be what its resolver says, and not the name of a file.
    fn content_is_whole(&self) -> bool {
        match self.key_resolver {
            KeyResolver::Inline => true,
            KeyResolver::Pem => self.content.contains("-----BEGIN"),
            KeyResolver::Jks | KeyResolver::Pkcs12 => {
                let text: String = self.content.split_whitespace().collect();
                base64::engine::general_purpose::STANDARD.decode(text).is_ok()
            }
        }
    }
}

/// The key and the passwords stay out of logs.
impl std::fmt::Debug for GenerateJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenerateJwt").field("signature", &self.signature).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn paths(settings: Value) -> Vec<String> {
        check(settings.as_object().unwrap()).into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        let parsed = GenerateJwt::parse(json!({"content": "k"}).as_object().unwrap()).unwrap();
        assert_eq!((parsed.signature, parsed.key_resolver), (Signature::RsaRs256, KeyResolver::Inline));
        assert_eq!((parsed.expires_in, parsed.expires_in_unit), (30, ExpiryUnit::Seconds));
        assert_eq!(parsed.issuer.source(), "urn://gravitee-api-gw");
        assert!(!format!("{parsed:?}").contains('k'), "{parsed:?}");
    }

    #[test]
    fn keys_that_cannot_work_are_refused() {
        assert_eq!(paths(json!({})), ["content"]);
        assert_eq!(
            paths(json!({"signature": "HMAC_HS256", "keyResolver": "PEM", "content": "k"})),
            ["keyResolver", "content"]
        );
        assert_eq!(paths(json!({"keyResolver": "PEM", "content": "/etc/key.pem"})), ["content"]);
        assert_eq!(paths(json!({"keyResolver": "JKS", "content": "/etc/keys.jks"})), ["content"]);
        assert!(paths(json!({"signature": "HMAC_HS256", "content": "/secret"})).is_empty());
    }
}
