//! The settings of a webhook's subscriber as their schema is derived from. The parts that only the delivering side
//! looks into are checked no further than their types.
#![expect(dead_code, reason = "describes the settings, which are kept as they were sent")]

use schemars::JsonSchema;
use serde::Deserialize;

/// Where to call, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Webhook subscription")]
pub(super) struct Webhook {
    /// Called with every message.
    #[schemars(regex(pattern = r"^(http|https)://"))]
    callback_url: String,
    /// Sent with every call.
    #[serde(default)]
    headers: Vec<Header>,
    auth: Option<Auth>,
    retry: Option<Retry>,
    ssl: Option<Ssl>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Header {
    #[schemars(regex(pattern = r"^\S+$"), extend("x-identity" = true))]
    name: String,
    #[schemars(extend("x-secret-named" = "name"))]
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Auth {
    #[serde(rename = "type")]
    kind: AuthType,
    basic: Option<Basic>,
    token: Option<Token>,
    oauth2: Option<Oauth2>,
    #[serde(rename = "jwtProfileOauth2")]
    jwt_profile_oauth2: Option<JwtProfile>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum AuthType {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "basic")]
    Basic,
    #[serde(rename = "token")]
    Token,
    #[serde(rename = "oauth2")]
    Oauth2,
    #[serde(rename = "jwtProfileOauth2")]
    JwtProfileOauth2,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Basic {
    username: String,
    #[schemars(extend("x-secret" = true))]
    password: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Token {
    #[schemars(extend("x-secret" = true))]
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Oauth2 {
    endpoint: String,
    client_id: String,
    #[schemars(extend("x-secret" = true))]
    client_secret: String,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct JwtProfile {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    expiration_time: Option<u32>,
    expiration_time_unit: Option<String>,
    signature_algorithm: Option<String>,
    key_source: Option<String>,
    jwt_id: Option<String>,
    secret_base64_encoded: Option<bool>,
    #[serde(rename = "x509CertChain")]
    x509_cert_chain: Option<String>,
    keystore_options: Option<KeystoreOptions>,
    key_id: Option<String>,
    #[schemars(extend("x-secret" = true))]
    key_content: Option<String>,
    custom_claims: Option<Vec<Claim>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeystoreOptions {
    alias: Option<String>,
    #[schemars(extend("x-secret" = true))]
    store_password: Option<String>,
    #[schemars(extend("x-secret" = true))]
    key_password: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Claim {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Retry {
    retry_option: Option<RetryOption>,
    retry_strategy: Option<RetryStrategy>,
    #[schemars(range(min = 1))]
    max_attempts: Option<u32>,
    #[schemars(range(min = 1))]
    initial_delay_seconds: Option<u32>,
    #[schemars(range(min = 1))]
    max_delay_seconds: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum RetryOption {
    #[serde(rename = "No Retry")]
    NoRetry,
    #[serde(rename = "Retry On Fail")]
    RetryOnFail,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum RetryStrategy {
    #[serde(rename = "LINEAR")]
    Linear,
    #[serde(rename = "EXPONENTIAL")]
    Exponential,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Ssl {
    hostname_verifier: Option<bool>,
    trust_all: Option<bool>,
    trust_store: Option<Store>,
    key_store: Option<Store>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Store {
    #[serde(rename = "type")]
    kind: Option<String>,
    path: Option<String>,
    #[schemars(extend("x-secret" = true))]
    content: Option<String>,
    #[schemars(extend("x-secret" = true))]
    password: Option<String>,
    alias: Option<String>,
    #[schemars(extend("x-secret" = true))]
    key_password: Option<String>,
    cert_path: Option<String>,
    cert_content: Option<String>,
    key_path: Option<String>,
    #[schemars(extend("x-secret" = true))]
    key_content: Option<String>,
}
