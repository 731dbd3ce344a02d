//! JSON web tokens: callers send a token that was signed with a key that this plan knows.

use super::{SecuritySpec, fault};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::policy::transform_headers::is_header_name;
use crate::public_key::PublicKey;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;
use url::Url;

pub(super) static SPEC: SecuritySpec = SecuritySpec { schema, check };

tokens! {
    /// The one algorithm that tokens may be signed with.
    pub enum Signature {
        Hs256 = "HMAC_HS256", Hs384 = "HMAC_HS384", Hs512 = "HMAC_HS512",
        Rs256 = "RSA_RS256", Rs384 = "RSA_RS384", Rs512 = "RSA_RS512",
        Ps256 = "RSA_PS256", Ps384 = "RSA_PS384", Ps512 = "RSA_PS512",
        Es256 = "ECDSA_ES256", Es384 = "ECDSA_ES384",
    }
}

tokens! {
    /// Where the key of a signature comes from.
    pub enum KeyResolver { GivenKey = "GIVEN_KEY", GatewayKeys = "GATEWAY_KEYS", JwksUrl = "JWKS_URL" }
}

/// Settings of a JWT plan or step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "JWT")]
pub struct Jwt {
    /// Algorithm of the signatures.
    #[serde(default = "rs256")]
    pub signature: Signature,
    /// Where the key comes from.
    #[serde(default = "given_key")]
    pub public_key_resolver: KeyResolver,
    /// The key (PEM, ssh-rsa, or the secret of HMAC) or the URL of a key set. May be an expression.
    #[serde(default)]
    #[schemars(extend("x-secret-when" = serde_json::json!({"signature": "HMAC_"}), "x-secret-url" = true))]
    pub resolver_parameter: Option<Template>,
    /// Time to connect to the server of the key set, milliseconds.
    #[serde(default = "two_seconds")]
    #[schemars(range(min = 1, max = 60_000))]
    pub connect_timeout: u64,
    /// Time for the key set to arrive, milliseconds.
    #[serde(default = "two_seconds")]
    #[schemars(range(min = 1, max = 60_000))]
    pub request_timeout: u64,
    /// Whether redirects of the key set's URL are followed.
    #[serde(default)]
    pub follow_redirects: bool,
    /// Whether the key set is fetched through the proxy of the gateway's environment.
    #[serde(default)]
    pub use_system_proxy: bool,
    /// Whether the claims become the attribute `jwt.claims`.
    #[serde(default)]
    pub extract_claims: bool,
    /// Whether the endpoint gets the token as well.
    #[serde(default = "yes")]
    pub propagate_auth_header: bool,
    /// Claim that names the user; dots lead into objects.
    #[serde(default = "sub")]
    pub user_claim: String,
    /// Claim that names the application; absent: azp, else aud, else client_id.
    #[serde(default)]
    pub client_id_claim: Option<String>,
    /// Whether tokens are bound to a client certificate.
    #[serde(default)]
    pub confirmation_method_validation: Confirmation,
    /// Whether the type of tokens is looked at.
    #[serde(default)]
    pub token_typ_validation: TypValidation,
    /// Whether tokens are looked up in a list of revoked ones.
    #[serde(default)]
    pub revocation_check: RevocationCheck,
    /// Whether tokens must have scopes.
    #[serde(default)]
    pub check_required_scopes: bool,
    /// The scopes.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// Whether all of the scopes are required; false: any of them.
    #[serde(default = "yes")]
    pub mode_strict: bool,
}

/// Tokens that are bound to a client certificate (RFC 8705).
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Confirmation {
    /// Whether tokens that are not bound are accepted.
    pub ignore_missing: bool,
    /// The thumbprint in the token's claim `cnf`.
    pub certificate_bound_thumbprint: Thumbprint,
}

/// Where the certificate comes from whose thumbprint is compared.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Thumbprint {
    /// Whether thumbprints are compared.
    pub enabled: bool,
    /// Whether the certificate is in a header, as proxies that end TLS write it.
    pub extract_certificate_from_header: bool,
    /// Name of that header.
    pub header_name: String,
}

impl Default for Thumbprint {
    fn default() -> Self {
        let header_name = "ssl-client-cert".to_owned();
        Thumbprint { enabled: false, extract_certificate_from_header: false, header_name }
    }
}

/// The `typ` of tokens.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TypValidation {
    /// Whether `typ` is looked at.
    pub enabled: bool,
    /// Whether tokens without it are accepted.
    pub ignore_missing: bool,
    /// Values that are accepted.
    pub expected_values: Vec<String>,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
}

impl Default for TypValidation {
    fn default() -> Self {
        let expected_values = vec!["JWT".to_owned()];
        TypValidation { enabled: false, ignore_missing: false, expected_values, ignore_case: false }
    }
}

/// The list of revoked tokens.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RevocationCheck {
    /// Whether tokens are looked up; not available in this version.
    pub enabled: bool,
}

fn rs256() -> Signature {
    Signature::Rs256
}

fn given_key() -> KeyResolver {
    KeyResolver::GivenKey
}

fn two_seconds() -> u64 {
    2000
}

fn yes() -> bool {
    true
}

fn sub() -> String {
    "sub".to_owned()
}

/// Schema of the settings.
pub(crate) fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Jwt>);
    &SCHEMA
}

/// Every fault of complete settings.
pub(crate) fn check(settings: &Settings) -> Vec<Violation> {
    Jwt::parse(settings).err().unwrap_or_default()
}

impl Signature {
    /// The algorithm as tokens name it: the part after the family.
    pub fn algorithm(self) -> &'static str {
        self.label().split_once('_').map_or(self.label(), |(_, name)| name)
    }

    /// Whether the key is a secret that both sides have.
    pub fn is_hmac(self) -> bool {
        matches!(self, Signature::Hs256 | Signature::Hs384 | Signature::Hs512)
    }

    fn is_ec(self) -> bool {
        matches!(self, Signature::Es256 | Signature::Es384)
    }

    /// Reads a given public key; its kind must be that of the algorithm. Errors never carry the key.
    pub fn public_key(self, text: &str) -> Result<PublicKey, String> {
        let key = PublicKey::parse(text).map_err(|error| error.to_string())?;
        let (wanted, fits) = match (&key, self.is_ec()) {
            (PublicKey::Rsa { .. }, ec) => ("RSA", !ec),
            (PublicKey::Ec { .. }, ec) => ("EC", ec),
        };
        if fits {
            return Ok(key);
        }
        Err(format!("is a key of the kind {wanted}, which does not sign with {}", self.algorithm()))
    }
}

impl Jwt {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Jwt, Vec<Violation>> {
        let parsed: Jwt = schema().read(settings)?;
        let violations: Vec<Violation> =
            [parsed.check_key(), parsed.check_thumbprint(), parsed.check_revocation()]
                .into_iter()
                .flatten()
                .collect();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    /// What an expression yields is known only per call.
    fn check_key(&self) -> Option<Violation> {
        const MEMBER: &str = "resolverParameter";
        if self.public_key_resolver == KeyResolver::GatewayKeys {
            let reason = "GATEWAY_KEYS is not available in this version, use GIVEN_KEY or JWKS_URL";
            return Some(fault("publicKeyResolver", reason));
        }
        let template = self.resolver_parameter.as_ref();
        let Some(template) = template.filter(|template| !template.source().trim().is_empty()) else {
            return Some(fault(MEMBER, "is required: the key, or the URL of the key set"));
        };
        let text = template.literal()?;
        match self.public_key_resolver {
            KeyResolver::JwksUrl => {
                let url = Url::parse(text.trim()).ok();
                let usable =
                    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
                (!usable).then(|| fault(MEMBER, "must be an http or https URL of a key set"))
            }
            KeyResolver::GivenKey if self.signature.is_hmac() => None,
            KeyResolver::GivenKey | KeyResolver::GatewayKeys => {
                self.signature.public_key(text).err().map(|reason| fault(MEMBER, &reason))
            }
        }
    }

    fn check_thumbprint(&self) -> Option<Violation> {
        let thumbprint = &self.confirmation_method_validation.certificate_bound_thumbprint;
        let place = "confirmationMethodValidation.certificateBoundThumbprint";
        match (thumbprint.enabled, thumbprint.extract_certificate_from_header) {
            (false, _) => None,
            (true, false) => Some(fault(
                &format!("{place}.extractCertificateFromHeader"),
                "must be true: this gateway does not end the TLS of its clients, a proxy in front of it does",
            )),
            (true, true) if is_header_name(&thumbprint.header_name) => None,
            (true, true) => Some(fault(&format!("{place}.headerName"), "is no HTTP header name")),
        }
    }

    fn check_revocation(&self) -> Option<Violation> {
        let reason = "is not available in this version, set it to false";
        self.revocation_check.enabled.then(|| fault("revocationCheck.enabled", reason))
    }
}
