//! An authorization server that tells what a token is worth (RFC 7662).

use super::ResourceSpec;
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::policy::transform_headers::is_header_name;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;
use url::Url;

pub static SPEC: ResourceSpec = ResourceSpec {
    id: "oauth2",
    name: "OAuth2 authorization server",
    description: "Tells what tokens are worth, by introspection",
    schema,
    check: |settings| Oauth2Server::parse(settings).err().unwrap_or_default(),
};

tokens! {
    /// Method of a request to the server.
    pub enum ServerMethod { Get = "GET", Post = "POST" }
}

/// Settings of the resource.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "OAuth2 authorization server")]
pub struct Oauth2Server {
    /// URL of the server, which the endpoints below are relative to; absent: they are URLs themselves.
    #[serde(default)]
    #[schemars(extend("x-secret-url" = true))]
    pub authorization_server_url: Option<String>,
    /// Where tokens are introspected.
    #[serde(default = "check_token")]
    #[schemars(extend("x-secret-url" = true))]
    pub introspection_endpoint: String,
    /// Method of introspection.
    #[serde(default = "get")]
    pub introspection_endpoint_method: ServerMethod,
    /// What separates scopes in one text.
    #[serde(default = "space")]
    #[schemars(length(min = 1))]
    pub scope_separator: String,
    /// Where users are described.
    #[serde(default = "userinfo")]
    #[schemars(extend("x-secret-url" = true))]
    pub user_info_endpoint: String,
    /// Method of that endpoint.
    #[serde(default = "get")]
    pub user_info_endpoint_method: ServerMethod,
    /// Who the gateway is to the server.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Secret of that client.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    pub client_secret: Option<String>,
    /// Whether client and secret are sent as a header.
    #[serde(default = "yes")]
    pub use_client_authorization_header: bool,
    /// Name of that header.
    #[serde(default = "authorization")]
    pub client_authorization_header_name: String,
    /// Scheme in front of its value.
    #[serde(default = "basic")]
    pub client_authorization_header_scheme: String,
    /// Whether the token is sent as a query parameter.
    #[serde(default = "yes")]
    pub token_is_supplied_by_query_param: bool,
    /// Name of that parameter.
    #[serde(default = "token")]
    pub token_query_param_name: String,
    /// Whether the token is sent as a header.
    #[serde(default)]
    pub token_is_supplied_by_http_header: bool,
    /// Name of that header.
    #[serde(default = "authorization")]
    pub token_header_name: String,
    /// Whether the token is sent in a form; the method must be POST.
    #[serde(default)]
    pub token_is_supplied_by_form_url_encoded: bool,
    /// Name of the form's field.
    #[serde(default = "token")]
    pub token_form_url_encoded_name: String,
    /// Claim that names the user; dots lead into objects.
    #[serde(default = "sub")]
    pub user_claim: String,
    /// Whether the server is reached through the proxy of the gateway's environment.
    #[serde(default)]
    pub use_system_proxy: bool,
}

fn check_token() -> String {
    "/oauth/check_token".to_owned()
}

fn get() -> ServerMethod {
    ServerMethod::Get
}

fn space() -> String {
    " ".to_owned()
}

fn userinfo() -> String {
    "/userinfo".to_owned()
}

fn yes() -> bool {
    true
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn basic() -> String {
    "Basic".to_owned()
}

fn token() -> String {
    "token".to_owned()
}

fn sub() -> String {
    "sub".to_owned()
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Oauth2Server>);
    &SCHEMA
}

impl Oauth2Server {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Oauth2Server, Vec<Violation>> {
        let parsed: Oauth2Server = schema().read(settings)?;
        let mut violations = Vec::new();
        let mut fault = |setting: &str, reason: &str| {
            violations.push(Violation::new(setting, "data.invalid", format!("#/{setting}: {reason}")));
        };
        if parsed.introspection_url().is_err() {
            let place = match parsed.server() {
                Some(_) => "authorizationServerUrl",
                None => "introspectionEndpoint",
            };
            fault(place, "must lead to an http or https URL, such as https://auth.example.com");
        }
        for (place, name) in [
            ("clientAuthorizationHeaderName", &parsed.client_authorization_header_name),
            ("tokenHeaderName", &parsed.token_header_name),
        ] {
            if !is_header_name(name) {
                fault(place, "is no HTTP header name, use letters, digits and dashes");
            }
        }
        if parsed.token_is_supplied_by_form_url_encoded
            && parsed.introspection_endpoint_method == ServerMethod::Get
        {
            fault("introspectionEndpointMethod", "must be POST when the token is sent in a form");
        }
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn server(&self) -> Option<&str> {
        self.authorization_server_url.as_deref().map(str::trim).filter(|url| !url.is_empty())
    }

    /// Where tokens are introspected. Errors: it is no URL of HTTP.
    pub fn introspection_url(&self) -> Result<Url, url::ParseError> {
        self.url(&self.introspection_endpoint)
    }

    /// Where users are described. Errors: it is no URL of HTTP, which does no harm while nobody asks.
    pub fn user_info_url(&self) -> Result<Url, url::ParseError> {
        self.url(&self.user_info_endpoint)
    }

    fn url(&self, endpoint: &str) -> Result<Url, url::ParseError> {
        let endpoint = endpoint.trim();
        let whole = match self.server() {
            Some(server) if Url::parse(endpoint).is_err() => {
                format!("{}/{}", server.trim_end_matches('/'), endpoint.trim_start_matches('/'))
            }
            _ => endpoint.to_owned(),
        };
        let url = Url::parse(&whole)?;
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
        if usable { Ok(url) } else { Err(url::ParseError::EmptyHost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    fn parse(settings: Value) -> Result<Oauth2Server, Vec<String>> {
        let parsed = Oauth2Server::parse(settings.as_object().unwrap());
        parsed.map_err(|violations| violations.into_iter().map(|v| v.message).collect())
    }

    #[test]
    fn absent_settings_have_the_defaults_of_the_field() {
        let server = parse(json!({"authorizationServerUrl": "https://a.example/x/"})).unwrap();
        assert_eq!(server.introspection_url().unwrap().as_str(), "https://a.example/x/oauth/check_token");
        assert_eq!(server.user_info_url().unwrap().as_str(), "https://a.example/x/userinfo");
        assert_eq!(server.introspection_endpoint_method, ServerMethod::Get);
        assert!(server.use_client_authorization_header && server.token_is_supplied_by_query_param);
        assert!(!server.token_is_supplied_by_http_header && !server.token_is_supplied_by_form_url_encoded);
        assert_eq!((server.token_query_param_name.as_str(), server.user_claim.as_str()), ("token", "sub"));
    }

    #[test]
    fn the_endpoint_may_be_a_url_of_its_own() {
        let server = parse(json!({"introspectionEndpoint": "http://b.example/check"})).unwrap();
        assert_eq!(server.introspection_url().unwrap().as_str(), "http://b.example/check");
        assert!(server.user_info_url().is_err(), "there is no server that it could be relative to");
        let users =
            json!({"authorizationServerUrl": "http://b.example", "userInfoEndpoint": "https://c.example/me"});
        assert_eq!(parse(users).unwrap().user_info_url().unwrap().as_str(), "https://c.example/me");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let url = "must lead to an http or https URL, such as https://auth.example.com";
        assert_eq!(parse(json!({})).unwrap_err(), [format!("#/introspectionEndpoint: {url}")]);
        let ftp = json!({"authorizationServerUrl": "ftp://a"});
        assert_eq!(parse(ftp).unwrap_err(), [format!("#/authorizationServerUrl: {url}")]);
        let form = json!({"authorizationServerUrl": "http://a", "tokenIsSuppliedByFormUrlEncoded": true, "tokenHeaderName": "a b"});
        assert_eq!(
            parse(form).unwrap_err(),
            [
                "#/tokenHeaderName: is no HTTP header name, use letters, digits and dashes",
                "#/introspectionEndpointMethod: must be POST when the token is sent in a form",
            ]
        );
    }
}
