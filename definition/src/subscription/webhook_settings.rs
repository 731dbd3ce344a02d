//! The settings of a webhook's subscriber as they are written: source of their schema and of `webhook::Webhook`.

use crate::connector::ssl::SslSettings;
use crate::expression::Template;
use crate::policy::generate_jwt::{CertificateChain, ExpiryUnit, KeyResolver, Signature};
use crate::token::tokens;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where to call, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Webhook subscription")]
pub(super) struct WebhookSettings {
    /// Called with every message.
    #[schemars(regex(pattern = r"^(http|https)://"), extend("x-secret-address" = true))]
    pub(super) callback_url: Template,
    /// Sent with every call, unless the message or a policy sets a header of the same name.
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    /// How calls prove who makes them.
    pub(super) auth: Option<AuthSettings>,
    /// What happens when the callback cannot be reached or answers 5xx.
    pub(super) retry: Option<RetrySettings>,
    /// TLS towards the callback and the token endpoint.
    pub(super) ssl: Option<SslSettings>,
}

/// A header of every call.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Header {
    /// Name.
    #[schemars(regex(pattern = r"^\S+$"), extend("x-identity" = true))]
    pub name: String,
    /// Value.
    #[schemars(extend("x-secret-named" = "name"))]
    pub value: Template,
}

/// `auth` as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthSettings {
    /// Which of the blocks counts.
    #[serde(rename = "type")]
    pub(super) kind: AuthType,
    /// For `basic`.
    pub(super) basic: Option<Basic>,
    /// For `token`.
    pub(super) token: Option<Token>,
    /// For `oauth2`.
    pub(super) oauth2: Option<Oauth2>,
    /// For `jwtProfileOauth2`.
    #[serde(rename = "jwtProfileOauth2")]
    pub(super) jwt_profile_oauth2: Option<JwtProfile>,
}

tokens! {
    /// Kinds of authentication.
    pub(super) enum AuthType {
        None = "none",
        Basic = "basic",
        Token = "token",
        Oauth2 = "oauth2",
        JwtProfileOauth2 = "jwtProfileOauth2",
    }
}

/// User and password.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Basic {
    /// User.
    pub username: Template,
    /// Password.
    #[schemars(extend("x-secret" = true))]
    pub password: Template,
}

/// A bearer token that does not change.
#[derive(Clone, Deserialize, JsonSchema)]
pub struct Token {
    /// The token.
    #[schemars(extend("x-secret" = true))]
    pub value: Template,
}

/// A token of an authorization server, by the client's secret.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Oauth2 {
    /// URL of the token endpoint.
    pub endpoint: Template,
    /// Client.
    pub client_id: Template,
    /// Its secret.
    #[schemars(extend("x-secret" = true))]
    pub client_secret: Template,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A token of an authorization server, by an assertion that is signed here.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JwtProfile {
    /// `iss` of the assertion.
    pub(super) issuer: Option<Template>,
    /// `sub` of the assertion.
    pub(super) subject: Option<Template>,
    /// URL of the token endpoint, which is `aud` of the assertion as well.
    pub(super) audience: Option<Template>,
    /// How long an assertion is valid; absent: 30.
    pub(super) expiration_time: Option<u64>,
    /// Unit of `expirationTime`; absent: seconds.
    pub(super) expiration_time_unit: Option<ExpiryUnit>,
    /// Algorithm; absent: `RSA_RS256`.
    pub(super) signature_algorithm: Option<Signature>,
    /// What `keyContent` holds; absent: `INLINE`.
    pub(super) key_source: Option<KeyResolver>,
    /// `jti` of the assertion; absent: a new one for each.
    pub(super) jwt_id: Option<Template>,
    /// Whether an inline secret is base64.
    pub(super) secret_base64_encoded: Option<bool>,
    /// Which certificates the assertion carries.
    #[serde(rename = "x509CertChain")]
    pub(super) x509_cert_chain: Option<CertificateChain>,
    /// How a key store is opened.
    pub(super) keystore_options: Option<KeystoreOptions>,
    /// `kid` of the assertion.
    pub(super) key_id: Option<String>,
    /// The key or the key store itself.
    #[schemars(extend("x-secret" = true))]
    pub(super) key_content: Option<String>,
    /// Further claims.
    pub(super) custom_claims: Option<Vec<Claim>>,
}

/// How a key store is opened.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeystoreOptions {
    /// Name of the key; absent: its only one.
    pub(super) alias: Option<String>,
    /// Password of the store.
    #[schemars(extend("x-secret" = true))]
    pub(super) store_password: Option<String>,
    /// Password of the key; absent: that of the store.
    #[schemars(extend("x-secret" = true))]
    pub(super) key_password: Option<String>,
}

/// A claim.
#[derive(Clone, Deserialize, JsonSchema)]
pub(super) struct Claim {
    /// Name.
    pub(super) name: String,
    /// Value.
    pub(super) value: Template,
}

/// `retry` as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetrySettings {
    /// Whether calls are made again.
    pub(super) retry_option: Option<RetryOption>,
    /// How the pauses grow.
    pub(super) retry_strategy: Option<RetryStrategy>,
    /// Calls after the first one.
    #[schemars(range(min = 1, max = 1_000))]
    pub(super) max_attempts: Option<u32>,
    /// Pause before the second call, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) initial_delay_seconds: Option<u32>,
    /// Longest pause, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) max_delay_seconds: Option<u32>,
}

tokens! {
    /// Whether calls are made again.
    pub(super) enum RetryOption { NoRetry = "No Retry", RetryOnFail = "Retry On Fail" }
}

tokens! {
    /// How the pauses between two calls grow: not at all, or to the double each time.
    pub enum RetryStrategy { Linear = "LINEAR", Exponential = "EXPONENTIAL" }
}
