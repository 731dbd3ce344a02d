//! What each kind of plan security takes.

use super::*;
use crate::api::Api;
use crate::dialect::{ReadApi, ReadPlan, beta_plan, read_api, read_plan};
use crate::secrets::MASK;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQU=";

#[track_caller]
fn faults(kind: PlanSecurityType, settings: Value, expected: &[&str]) {
    let spec = security(kind);
    let settings = settings.as_object().unwrap().clone();
    let completed = (spec.schema)().complete(settings, crate::connector::settings::Part::Whole);
    let found: Vec<String> =
        (spec.check)(&completed).into_iter().map(|violation| violation.message).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_schema_describes_its_members() {
    for kind in PlanSecurityType::ALL {
        crate::connector::described(kind.label(), (security(*kind).schema)().document());
    }
}

#[test]
fn api_keys_are_in_a_header_unless_the_plan_says_otherwise() {
    let defaults = api_key::ApiKey::parse(&Settings::new()).unwrap();
    assert_eq!(
        (defaults.source, defaults.header(), defaults.propagate_api_key),
        (api_key::KeySource::Header, None, false)
    );
    let named = |settings: Value| {
        let settings = api_key::ApiKey::parse(settings.as_object().unwrap()).unwrap();
        settings.header().map(str::to_owned)
    };
    assert_eq!(named(json!({"apiKeyHeader": " X-Key "})).as_deref(), Some("X-Key"));
    assert_eq!(named(json!({"apiKeyHeader": "X-Key", "enableCustomApiKeyHeader": false})), None);
    faults(PlanSecurityType::ApiKey, json!({"source": "query-parameter", "unknown": 1}), &[]);
    let wrong = "#/apiKeyHeader: is no HTTP header name, use letters, digits and dashes";
    faults(PlanSecurityType::ApiKey, json!({"apiKeyHeader": "a b"}), &[wrong]);
    let place = "#/source: \"COOKIE\" is not a valid enum value, use one of HEADER, BEARER, QUERY_PARAMETER";
    faults(PlanSecurityType::ApiKey, json!({"source": "COOKIE"}), &[place]);
}

#[test]
fn tokens_have_the_defaults_of_the_field() {
    let jwt = jwt::Jwt::parse(json!({"resolverParameter": RSA}).as_object().unwrap()).unwrap();
    assert_eq!((jwt.signature, jwt.public_key_resolver), (jwt::Signature::Rs256, jwt::KeyResolver::GivenKey));
    assert_eq!((jwt.connect_timeout, jwt.request_timeout, jwt.user_claim.as_str()), (2000, 2000, "sub"));
    assert!(!jwt.extract_claims && jwt.propagate_auth_header && jwt.mode_strict && !jwt.follow_redirects);
    assert_eq!(jwt.token_typ_validation.expected_values, ["JWT"]);
    let header = jwt.confirmation_method_validation.certificate_bound_thumbprint.header_name;
    assert_eq!(header, "ssl-client-cert");
    let algorithms: Vec<&str> = jwt::Signature::ALL.iter().map(|signature| signature.algorithm()).collect();
    assert_eq!(algorithms.join(" "), "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384");
}

#[test]
fn a_key_must_be_one_and_fit_the_algorithm() {
    let jwt = |settings: Value, expected: &[&str]| faults(PlanSecurityType::Jwt, settings, expected);
    jwt(json!({}), &["#/resolverParameter: is required: the key, or the URL of the key set"]);
    jwt(json!({"signature": "RSA_PS512", "resolverParameter": RSA}), &[]);
    jwt(json!({"signature": "hmac_hs256", "resolverParameter": "s"}), &[]);
    jwt(
        json!({"signature": "ecdsa-es256", "resolverParameter": RSA}),
        &["#/resolverParameter: is a key of the kind RSA, which does not sign with ES256"],
    );
    jwt(
        json!({"resolverParameter": "top-secret"}),
        &[
            "#/resolverParameter: is no public key: paste it as PEM (-----BEGIN PUBLIC KEY-----), as a PEM certificate or as ssh-rsa",
        ],
    );
    jwt(json!({"publicKeyResolver": "JWKS_URL", "resolverParameter": "https://a.example/keys"}), &[]);
    jwt(
        json!({"publicKeyResolver": "JWKS_URL", "resolverParameter": "a.example/keys"}),
        &["#/resolverParameter: must be an http or https URL of a key set"],
    );
    jwt(
        json!({"publicKeyResolver": "GATEWAY_KEYS"}),
        &["#/publicKeyResolver: GATEWAY_KEYS is not available in this version, use GIVEN_KEY or JWKS_URL"],
    );
    jwt(
        json!({"resolverParameter": RSA, "revocationCheck": {"enabled": true},
            "confirmationMethodValidation": {"certificateBoundThumbprint": {"enabled": true}}}),
        &[
            "#/confirmationMethodValidation/certificateBoundThumbprint/extractCertificateFromHeader: must be true: \
             this gateway does not end the TLS of its clients, a proxy in front of it does",
            "#/revocationCheck/enabled: is not available in this version, set it to false",
        ],
    );
}

#[test]
fn an_authorization_server_must_be_named() {
    faults(PlanSecurityType::Oauth2, json!({"oauthResource": "server"}), &[]);
    faults(
        PlanSecurityType::Oauth2,
        json!({}),
        &["#: required key [oauthResource] not found, it must be set"],
    );
    let empty = "#/oauthResource: must not be empty, name a resource of the type oauth2";
    faults(PlanSecurityType::Oauth2, json!({"oauthResource": " "}), &[empty]);
}

fn api() -> Api {
    let document = json!({
        "name": "a", "apiVersion": "1", "definitionVersion": "4.0.0", "type": "async", "description": "d",
        "listeners": [{"type": "http", "paths": [{"path": "/a"}], "entrypoints": [{"type": "http-get"}]}],
        "endpointGroups": [{"name": "g", "type": "mock", "endpoints": [{"name": "e", "type": "mock"}]}],
    });
    read_api(&document, ReadApi::Create).unwrap()
}

fn plan(signature: &str, parameter: &str) -> Value {
    json!({"name": "p", "description": "d", "characteristics": [], "validation": "auto", "flows": [],
        "security": {"type": "jwt", "configuration": {"signature": signature, "resolverParameter": parameter}}})
}

#[test]
fn the_secret_of_a_plan_is_masked_and_kept_when_the_mask_comes_back() {
    let api = api();
    let current = read_plan(&plan("HMAC_HS256", "hush"), ReadPlan::Create { api: &api }).unwrap().plan;
    let printed = Value::Object(beta_plan(&current));
    assert_eq!(printed["security"]["configuration"]["resolverParameter"], MASK);
    assert_eq!(printed["planSecurity"], printed["security"]);
    let update = ReadPlan::Update { id: "p", api: &api, current: &current };
    let updated = read_plan(&plan("HMAC_HS256", MASK), update).unwrap().plan;
    assert_eq!(updated.security, current.security);
    let wrong = read_plan(&plan("RSA_RS256", MASK), update).unwrap_err();
    assert!(wrong.iter().all(|violation| !violation.message.contains("hush")), "{wrong:?}");
    let wrong = read_plan(&plan("HMAC_HS256", MASK), ReadPlan::Create { api: &api }).unwrap_err();
    assert_eq!(wrong[0].path, "security.configuration.resolverParameter");

    let public = read_plan(&plan("RSA_RS256", RSA), ReadPlan::Create { api: &api }).unwrap().plan;
    let printed = Value::Object(beta_plan(&public));
    assert_eq!(printed["security"]["configuration"]["resolverParameter"], RSA, "a public key is no secret");
}

#[test]
fn a_plan_may_be_drafted_without_settings() {
    let api = api();
    for kind in PlanSecurityType::ALL {
        let document = json!({"name": "p", "description": "d", "security": {"type": kind.label()}});
        let read = read_plan(&document, ReadPlan::Create { api: &api }).unwrap();
        assert_eq!((read.plan.security.security_type, read.plan.security.configuration), (*kind, None));
    }
}
