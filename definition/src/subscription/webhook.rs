//! What a subscriber of a webhook says: where to call, with which headers, credentials, TLS stores and retries.
//!
//! Subscribers are strangers to the gateway: it reads no files that they name, and which addresses may be called is its
//! own decision. Texts may hold expressions, which are evaluated when a run begins.

use super::webhook_settings::{
    AuthSettings, AuthType, JwtProfile, RetryOption, RetrySettings, WebhookSettings,
};
pub use super::webhook_settings::{Basic, Header, Oauth2, RetryStrategy, Token};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::connector::ssl::{Ssl, SslSettings};
use crate::expression::Template;
use crate::policy::generate_jwt::{self, GenerateJwt};
use crate::policy::transform_headers::is_header_name;
use crate::reader::quote;
use crate::violation::Violation;
use serde_json::{Map, Value};
use std::sync::LazyLock;
use std::time::Duration;
use url::Url;

/// The entrypoints that deliver this way.
pub(super) const IDS: [&str; 2] = ["webhook", "webhook-advanced"];

/// Calls after the first one, where retries are wanted and their number is not said.
const RETRIES: u32 = 3;
/// Pause before the second call where it is not said, seconds.
const INITIAL_DELAY_SECONDS: u32 = 1;
/// Longest pause where it is not said, seconds.
const MAX_DELAY_SECONDS: u32 = 60;

/// The settings, read.
pub struct Webhook {
    pub callback_url: Template,
    pub headers: Vec<Header>,
    pub auth: Auth,
    /// `None`: a call is made once.
    pub retry: Option<Retry>,
    /// Without files.
    pub ssl: Ssl,
}

/// How calls prove who makes them.
pub enum Auth {
    None,
    Basic(Basic),
    Token(Token),
    Oauth2(Oauth2),
    JwtProfile {
        /// URL of the token endpoint.
        endpoint: Template,
        /// Makes the assertions.
        assertion: Box<GenerateJwt>,
    },
}

/// When a call is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub strategy: RetryStrategy,
    /// Calls after the first one.
    pub attempts: u32,
    /// Pause before the second call.
    pub initial_delay: Duration,
    /// Longest pause.
    pub max_delay: Duration,
}

/// The schema of the settings.
pub(crate) fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<WebhookSettings>);
    &SCHEMA
}

/// Every fault of complete settings, with paths relative to them.
pub(super) fn check(settings: &Settings) -> Vec<Violation> {
    Webhook::parse(settings).err().unwrap_or_default()
}

impl Webhook {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<Webhook, Vec<Violation>> {
        if let Some(missing) = settings.get("auth").and_then(Value::as_object).and_then(missing_credentials) {
            let reason = format!("{missing} must be set, because type is {missing}");
            return Err(vec![wrong(&format!("auth.{missing}"), "auth", &reason)]);
        }
        let read: WebhookSettings = schema().read(settings)?;
        let mut found = Vec::new();
        check_url("callbackUrl", &read.callback_url, &mut found);
        check_headers(&read.headers, &mut found);
        let auth = auth(read.auth, &mut found);
        let retry = read.retry.and_then(|settings| retry(&settings, &mut found));
        let ssl = ssl(read.ssl, &mut found);
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Webhook { callback_url: read.callback_url, headers: read.headers, auth, retry, ssl })
    }
}

fn wrong(path: &str, pointer: &str, reason: &str) -> Violation {
    Violation::new(path, "data.invalid", format!("#/{pointer}: {reason}"))
}

/// An expression becomes a URL when it is evaluated, per subscription.
fn check_url(path: &str, url: &Template, found: &mut Vec<Violation>) {
    let Some(text) = url.literal() else { return };
    if let Err(reason) = read_url(text) {
        found.push(wrong(path, &path.replace('.', "/"), reason));
    }
}

/// A URL that may be called. Errors say what is wrong with it, without repeating it.
pub fn read_url(text: &str) -> Result<Url, &'static str> {
    let absolute = "must be an absolute URL with a host, such as https://example.com/hook";
    let url = Url::parse(text.trim()).map_err(|_| absolute)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold user name and password, use `auth` for them");
    }
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(absolute);
    }
    Ok(url)
}

fn check_headers(headers: &[Header], found: &mut Vec<Violation>) {
    for (index, header) in headers.iter().enumerate() {
        if !is_header_name(&header.name) {
            let reason =
                format!("{} is no HTTP header name, use letters, digits and dashes", quote(&header.name));
            found.push(wrong(&format!("headers[{index}].name"), &format!("headers/{index}/name"), &reason));
        }
        let one_line = |text: &str| !text.contains(|c: char| c.is_control() && c != '\t');
        if !header.value.literal().is_none_or(one_line) {
            let pointer = format!("headers/{index}/value");
            found.push(wrong(&format!("headers[{index}].value"), &pointer, "must be one line of text"));
        }
    }
}

/// The block that the type of authentication names, when it is not there.
fn missing_credentials(auth: &Map<String, Value>) -> Option<&'static str> {
    let kind = AuthType::parse(auth.get("type").and_then(Value::as_str)?)?;
    (kind != AuthType::None && !auth.get(kind.label()).is_some_and(Value::is_object)).then_some(kind.label())
}

fn auth(settings: Option<AuthSettings>, found: &mut Vec<Violation>) -> Auth {
    let Some(settings) = settings else { return Auth::None };
    let read = match settings.kind {
        AuthType::None => None,
        AuthType::Basic => settings.basic.map(Auth::Basic),
        AuthType::Token => settings.token.map(Auth::Token),
        AuthType::Oauth2 => settings.oauth2.map(|oauth2| {
            check_url("auth.oauth2.endpoint", &oauth2.endpoint, found);
            Auth::Oauth2(oauth2)
        }),
        AuthType::JwtProfileOauth2 => {
            settings.jwt_profile_oauth2.and_then(|profile| jwt_profile(profile, found))
        }
    };
    // Without its block it was refused before.
    read.unwrap_or(Auth::None)
}

/// Names of `GenerateJwt` beside those of the profile.
const PROFILE_NAMES: [(&str, &str); 2] = [("content", "keyContent"), ("keyResolver", "keySource")];

fn jwt_profile(profile: JwtProfile, found: &mut Vec<Violation>) -> Option<Auth> {
    const AT: &str = "auth.jwtProfileOauth2";
    let pointer = AT.replace('.', "/");
    let mut missing = |member: &str, reason: &str| {
        found.push(wrong(&format!("{AT}.{member}"), &format!("{pointer}/{member}"), reason));
    };
    let content = profile.key_content.filter(|content| !content.trim().is_empty());
    if content.is_none() {
        missing("keyContent", "must hold the key that assertions are signed with");
    }
    if profile.audience.is_none() {
        missing("audience", "must be the URL of the token endpoint");
    }
    let (content, endpoint) = (content?, profile.audience?);
    check_url(&format!("{AT}.audience"), &endpoint, found);
    let store = profile.keystore_options.unwrap_or_default();
    let claim = |claim: super::webhook_settings::Claim| generate_jwt::Claim {
        name: claim.name,
        value: Some(claim.value),
    };
    let absent = GenerateJwt::with_content(content);
    let assertion = GenerateJwt {
        signature: profile.signature_algorithm.unwrap_or(absent.signature),
        key_resolver: profile.key_source.unwrap_or(absent.key_resolver),
        secret_base64_encoded: profile.secret_base64_encoded.unwrap_or(absent.secret_base64_encoded),
        alias: store.alias,
        store_password: store.store_password,
        key_password: store.key_password,
        kid: profile.key_id,
        id: profile.jwt_id,
        audiences: vec![endpoint.clone()],
        issuer: profile.issuer.unwrap_or_else(|| absent.issuer.clone()),
        subject: profile.subject,
        expires_in: profile.expiration_time.unwrap_or(absent.expires_in),
        expires_in_unit: profile.expiration_time_unit.unwrap_or(absent.expires_in_unit),
        custom_claims: profile.custom_claims.unwrap_or_default().into_iter().map(claim).collect(),
        x509_certificate_chain: profile.x509_cert_chain.unwrap_or(absent.x509_certificate_chain),
        content: absent.content,
    };
    for violation in assertion.violations() {
        let name = PROFILE_NAMES.iter().find(|(own, _)| *own == violation.path).map(|(_, name)| *name);
        let name = name.unwrap_or(&violation.path);
        let reason = violation.message.split_once(": ").map_or(&*violation.message, |(_, reason)| reason);
        found.push(wrong(&format!("{AT}.{name}"), &format!("{pointer}/{name}"), reason));
    }
    Some(Auth::JwtProfile { endpoint, assertion: Box::new(assertion) })
}

fn retry(settings: &RetrySettings, found: &mut Vec<Violation>) -> Option<Retry> {
    let (first, longest) = (settings.initial_delay_seconds, settings.max_delay_seconds);
    if let (Some(first), Some(longest)) = (first, longest)
        && first > longest
    {
        let reason = "initialDelaySeconds must not be greater than maxDelaySeconds";
        found.push(wrong("retry.initialDelaySeconds", "retry", reason));
    }
    if settings.retry_option != Some(RetryOption::RetryOnFail) {
        return None;
    }
    let first = first.unwrap_or_else(|| INITIAL_DELAY_SECONDS.min(longest.unwrap_or(u32::MAX)));
    let longest = longest.unwrap_or_else(|| MAX_DELAY_SECONDS.max(first));
    Some(Retry {
        strategy: settings.retry_strategy.unwrap_or(RetryStrategy::Exponential),
        attempts: settings.max_attempts.unwrap_or(RETRIES),
        initial_delay: Duration::from_secs(first.into()),
        max_delay: Duration::from_secs(longest.into()),
    })
}

fn ssl(settings: Option<SslSettings>, found: &mut Vec<Violation>) -> Ssl {
    let Some(settings) = settings else { return Ssl::default() };
    found.extend(settings.violations("ssl"));
    let ssl = settings.merge();
    for member in ssl.files() {
        let reason = "gateways read no files that subscriptions name, send the content";
        found.push(wrong(&format!("ssl.{member}"), &format!("ssl/{}", member.replace('.', "/")), reason));
    }
    ssl
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(members: Value) -> Result<Webhook, Vec<String>> {
        let mut settings = json!({"callbackUrl": "https://x/hook"});
        settings.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Webhook::parse(settings.as_object().unwrap())
            .map_err(|faults| faults.into_iter().map(|fault| fault.path).collect())
    }

    fn faults(members: Value) -> Vec<String> {
        parse(members).err().unwrap_or_default()
    }

    fn retry_of(retry: Value) -> Option<Retry> {
        parse(json!({ "retry": retry })).unwrap_or_else(|faults| panic!("{faults:?}")).retry
    }

    #[test]
    fn retries_are_made_where_they_are_wanted() {
        assert!(parse(json!({})).is_ok_and(|webhook| webhook.retry.is_none()));
        assert_eq!(retry_of(json!({"retryOption": "No Retry", "maxAttempts": 3})), None);
        let seconds = Duration::from_secs;
        let check = |settings: Value, expected: (RetryStrategy, u32, u64, u64)| {
            let (strategy, attempts, initial, longest) = expected;
            let (initial_delay, max_delay) = (seconds(initial), seconds(longest));
            let mut wanted = json!({"retryOption": "Retry On Fail"});
            wanted.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            assert_eq!(retry_of(wanted), Some(Retry { strategy, attempts, initial_delay, max_delay }));
        };
        check(json!({}), (RetryStrategy::Exponential, 3, 1, 60));
        check(json!({"initialDelaySeconds": 120}), (RetryStrategy::Exponential, 3, 120, 120));
        check(
            json!({"retryStrategy": "linear", "maxAttempts": "5", "initialDelaySeconds": 2, "maxDelaySeconds": 9}),
            (RetryStrategy::Linear, 5, 2, 9),
        );
    }

    #[test]
    fn the_block_of_the_chosen_kind_of_credentials_counts() {
        let basic = json!({"username": "u", "password": "p"});
        let kind = |auth: Value| parse(json!({ "auth": auth })).map(|webhook| webhook.auth);
        assert!(matches!(kind(json!({"type": "none", "basic": basic.clone()})), Ok(Auth::None)));
        assert!(matches!(kind(json!({"type": "basic", "basic": basic})), Ok(Auth::Basic(_))));
        assert!(matches!(kind(json!({"type": "token", "token": {"value": "t"}})), Ok(Auth::Token(_))));
        let profile = json!({"audience": "https://as/token", "issuer": "me", "signatureAlgorithm": "HMAC_HS256",
            "keyContent": "secret", "expirationTime": 2, "expirationTimeUnit": "minutes"});
        let Ok(Auth::JwtProfile { assertion, .. }) =
            kind(json!({"type": "jwtProfileOauth2", "jwtProfileOauth2": profile}))
        else {
            panic!("no profile");
        };
        assert_eq!((assertion.expires_in, assertion.issuer.source()), (2, "me"));
        assert_eq!(assertion.audiences[0].source(), "https://as/token");
    }

    #[test]
    fn credentials_that_cannot_work_are_refused() {
        let profile = |profile: Value| {
            faults(json!({"auth": {"type": "jwtProfileOauth2", "jwtProfileOauth2": profile}}))
        };
        assert_eq!(
            profile(json!({})),
            ["auth.jwtProfileOauth2.keyContent", "auth.jwtProfileOauth2.audience"]
        );
        let stored = json!({"audience": "as", "keySource": "JKS", "keyContent": "/etc/keys.jks"});
        assert_eq!(profile(stored), ["auth.jwtProfileOauth2.audience", "auth.jwtProfileOauth2.keyContent"]);
        let oauth2 = json!({"endpoint": "ftp://as", "clientId": "c", "clientSecret": "s"});
        assert_eq!(faults(json!({"auth": {"type": "oauth2", "oauth2": oauth2}})), ["auth.oauth2.endpoint"]);
        assert_eq!(faults(json!({"auth": {"type": "oauth2"}})), ["auth.oauth2"]);
    }

    #[test]
    fn files_of_the_gateway_are_not_the_subscribers() {
        let pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----";
        assert!(faults(json!({"ssl": {"trustStore": {"type": "PEM", "content": pem}}})).is_empty());
        let files = json!({"ssl": {"trustStore": {"type": "PEM", "path": "/etc/ca.pem"},
            "keyStore": {"type": "PEM", "certContent": pem, "keyPath": "/etc/key.pem"}}});
        assert_eq!(faults(files), ["ssl.trustStore.path", "ssl.keyStore.keyPath"]);
        let store = json!({"ssl": {"keyStore": {"type": "PKCS12", "path": "/etc/k.p12", "password": "p"}}});
        assert_eq!(faults(store), ["ssl.keyStore.path"]);
    }

    #[test]
    fn headers_are_headers_and_expressions_can_be_read() {
        let headers = json!([{"name": "a:b", "value": "c"}, {"name": "x", "value": "a\nb"}]);
        assert_eq!(faults(json!({ "headers": headers })), ["headers[0].name", "headers[1].value"]);
        let headers = json!([{"name": "x", "value": "{#subscription.metadata['k']}"}]);
        assert!(faults(json!({ "headers": headers })).is_empty());
        assert_eq!(faults(json!({"headers": [{"name": "x", "value": "{#a[}"}]})), ["headers[0].value"]);
    }
}
