//! What becomes of a token, option by option.

use super::jwks::{KeySets, Location};
use super::*;
use crate::consumers::now_ms;
use crate::security::sample::{Server, Signer};
use jsonwebtoken::{Algorithm, Header};
use pretty_assertions::assert_eq;
use serde_json::json;
use std::sync::Arc;

fn verifier(settings: Value) -> Verifier {
    Verifier::new(settings.as_object().unwrap(), &Shared::default())
        .unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// `ok`, or the key of the failure.
async fn outcome(verifier: &Verifier, token: &str) -> String {
    let mut call = Call::sample("GET /ctx", &[("authorization", &format!("Bearer {token}"))], "");
    match verifier.check(&mut call).await {
        Ok(()) => "ok".to_owned(),
        Err(failure) => format!("{} {}", failure.status.as_u16(), failure.key.unwrap_or_default()),
    }
}

const SECRET: &str = "a-secret-that-is-long-enough-for-it";
const INVALID: &str = "401 JWT_INVALID_TOKEN";

async fn check(settings: Value, claims: Value, expected: &str) {
    check_header(settings, claims, |_| {}, expected).await;
}

async fn check_header(mut settings: Value, claims: Value, change: impl FnOnce(&mut Header), expected: &str) {
    settings["signature"] = json!("HMAC_HS256");
    settings["resolverParameter"] = json!(SECRET);
    let token = Signer::hmac(SECRET).sign_with(&claims, change);
    let found = outcome(&verifier(settings.clone()), &token).await;
    assert_eq!(found, expected, "{settings} {claims}");
}

#[tokio::test]
async fn every_algorithm_verifies_its_own_tokens_and_no_others() {
    let mut tokens = Vec::new();
    let rsa = Signer::rsa(Algorithm::RS256);
    for (algorithm, name) in [
        (Algorithm::RS256, "RSA_RS256"),
        (Algorithm::RS384, "RSA_RS384"),
        (Algorithm::RS512, "RSA_RS512"),
        (Algorithm::PS256, "RSA_PS256"),
        (Algorithm::PS384, "RSA_PS384"),
        (Algorithm::PS512, "RSA_PS512"),
    ] {
        let token = rsa.sign_with(&json!({}), |header| header.alg = algorithm);
        tokens.push((name, rsa.public.clone(), token));
    }
    let hmac = Signer::hmac(SECRET);
    for (algorithm, name) in
        [(Algorithm::HS256, "HMAC_HS256"), (Algorithm::HS384, "HMAC_HS384"), (Algorithm::HS512, "HMAC_HS512")]
    {
        let token = hmac.sign_with(&json!({}), |header| header.alg = algorithm);
        tokens.push((name, SECRET.to_owned(), token));
    }
    let ec = Signer::ec();
    tokens.push(("ECDSA_ES256", ec.public.clone(), ec.sign(&json!({}))));
    for (name, key, _) in &tokens {
        let verifier = verifier(json!({"signature": name, "resolverParameter": key}));
        for (other, _, token) in &tokens {
            let expected = if name == other { "ok" } else { INVALID };
            assert_eq!(outcome(&verifier, token).await, expected, "{name} {other}");
        }
    }
}

#[tokio::test]
async fn what_a_token_says_about_itself_chooses_nothing() {
    let rsa = Signer::rsa(Algorithm::RS256);
    let public = verifier(json!({"resolverParameter": rsa.public}));
    // The public key is no secret: who signs with it as one has proved nothing.
    let confused = Signer::hmac(&rsa.public).sign(&json!({"sub": "x"}));
    assert_eq!(outcome(&public, &confused).await, INVALID);
    let good = rsa.sign(&json!({"sub": "x"}));
    let mut parts: Vec<&str> = good.split('.').collect();
    assert_eq!(outcome(&public, &good).await, "ok");
    // {"alg":"none"}
    parts[0] = "eyJhbGciOiJub25lIn0";
    assert_eq!(outcome(&public, &parts.join(".")).await, INVALID);
    assert_eq!(outcome(&public, &format!("{}.{}.", parts[0], parts[1])).await, INVALID);
    let other = Signer::rsa(Algorithm::RS256).sign(&json!({"sub": "y"}));
    assert_eq!(outcome(&public, &other).await, INVALID);
    let foreign: Vec<&str> = other.split('.').collect();
    let grafted = format!("{}.{}.{}", foreign[0], foreign[1], good.rsplit('.').next().unwrap());
    assert_eq!(outcome(&public, &grafted).await, INVALID);
    check_header(json!({}), json!({}), |header| header.crit = Some(vec!["b64".to_owned()]), INVALID).await;
}

#[tokio::test]
async fn dates_have_a_minute_of_grace() {
    let now = now_ms() / 1000;
    for (claims, expected) in [
        (json!({}), "ok"),
        (json!({"exp": now - 50, "nbf": now + 50}), "ok"),
        (json!({"exp": now - 70}), INVALID),
        (json!({"nbf": now + 70}), INVALID),
        (json!({"exp": "soon"}), INVALID),
    ] {
        check(json!({}), claims, expected).await;
    }
}

#[tokio::test]
async fn the_type_is_looked_at_when_asked_for() {
    let rules = |more: Value| {
        let mut rules = json!({"enabled": true});
        rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"tokenTypValidation": rules})
    };
    let typ = |typ: Option<&str>| {
        let typ = typ.map(str::to_owned);
        move |header: &mut Header| header.typ = typ
    };
    check_header(rules(json!({})), json!({}), typ(Some("JWT")), "ok").await;
    check_header(rules(json!({})), json!({}), typ(Some("jwt")), INVALID).await;
    check_header(rules(json!({"ignoreCase": true})), json!({}), typ(Some("jwt")), "ok").await;
    check_header(rules(json!({})), json!({}), typ(None), INVALID).await;
    check_header(rules(json!({"ignoreMissing": true})), json!({}), typ(None), "ok").await;
    check_header(rules(json!({"expectedValues": ["at+jwt"]})), json!({}), typ(Some("at+jwt")), "ok").await;
    check_header(json!({}), json!({}), typ(Some("anything")), "ok").await;
}

#[tokio::test]
async fn scopes_are_required_when_asked_for() {
    const SCOPE: &str = "401 JWT_INSUFFICIENT_SCOPE";
    let wanted = json!({"checkRequiredScopes": true, "requiredScopes": ["a", "b"]});
    check(wanted.clone(), json!({"scope": "a b c"}), "ok").await;
    check(wanted.clone(), json!({"scp": ["a"]}), SCOPE).await;
    check(wanted, json!({}), SCOPE).await;
    let any = json!({"checkRequiredScopes": true, "requiredScopes": ["a", "b"], "modeStrict": false});
    check(any, json!({"scp": ["a"]}), "ok").await;
    check(json!({"requiredScopes": ["a"]}), json!({}), "ok").await;
}

#[tokio::test]
async fn a_token_can_be_bound_to_a_certificate() {
    let bound = json!({"confirmationMethodValidation": {"certificateBoundThumbprint":
        {"enabled": true, "extractCertificateFromHeader": true}}});
    check(bound, json!({"cnf": {"x5t#S256": "x"}}), "401 JWT_INVALID_CERTIFICATE_BOUND_THUMBPRINT").await;
}

#[tokio::test]
async fn what_a_token_says_is_left_for_others() {
    let settings = json!({"signature": "HMAC_HS256", "resolverParameter": SECRET, "extractClaims": true,
        "propagateAuthHeader": false, "userClaim": "who.name", "clientIdClaim": "app"});
    let claims = json!({"who": {"name": "jo"}, "app": "mine", "azp": "other"});
    let token = Signer::hmac(SECRET).sign(&claims);
    let mut call = Call::sample("GET /ctx", &[("authorization", &format!("Bearer {token}"))], "");
    verifier(settings).check(&mut call).await.unwrap();
    let texts = ["jwt.token", "user", "oauth.client_id"].map(|name| call.attributes.text(name).unwrap());
    assert_eq!(texts, [&token, "jo", "mine"]);
    assert_eq!(call.attributes.get("jwt.claims"), Some(&claims));
    assert_eq!(call.attributes.get(ATTRIBUTE).unwrap()["headers"]["alg"], "HS256");
    assert!(call.request.head.headers.is_empty());

    let verifier = verifier(json!({"signature": "HMAC_HS256", "resolverParameter": SECRET}));
    let mut call = Call::sample("GET /ctx", &[("authorization", &format!("Bearer {token}"))], "");
    verifier.check(&mut call).await.unwrap();
    assert_eq!(
        (call.attributes.get("jwt.claims"), call.attributes.text("oauth.client_id")),
        (None, Some("other"))
    );
    assert_eq!(call.request.head.headers.len(), 1);
    let failure = verifier.check(&mut Call::sample("GET /ctx", &[], "")).await.unwrap_err();
    assert_eq!(failure.key.as_deref(), Some("JWT_MISSING_TOKEN"));
}

#[tokio::test]
async fn an_expression_may_choose_the_key() {
    let settings = json!({"signature": "HMAC_HS256", "resolverParameter": "{#request.headers['x-secret'][0]}"});
    let verifier = verifier(settings);
    let token = format!("Bearer {}", Signer::hmac("one").sign(&json!({})));
    let check = async |secret: &[(&str, &str)]| {
        let headers: Vec<_> = [("authorization", token.as_str())].iter().chain(secret).copied().collect();
        let checked = verifier.check(&mut Call::sample("GET /ctx", &headers, "")).await;
        checked.err().and_then(|failure| failure.key).unwrap_or_default().into_owned()
    };
    assert_eq!(check(&[("x-secret", "one")]).await, "");
    assert_eq!(check(&[("x-secret", "two")]).await, "JWT_INVALID_TOKEN", "what one key verified, another did not");
    assert_eq!(check(&[("x-secret", "")]).await, "JWT_POLICY_ERROR");
}

#[test]
fn the_client_is_searched_in_a_fixed_order() {
    let find = |claims: Value, claim: Option<&str>| client_id(claims.as_object().unwrap(), claim);
    let all = json!({"azp": "a", "aud": ["b", "x"], "client_id": "c", "own": "d"});
    assert_eq!(find(all.clone(), Some("own")).as_deref(), Some("d"));
    assert_eq!(find(all.clone(), Some("absent")), None);
    assert_eq!(find(all, Some(" ")).as_deref(), Some("a"));
    assert_eq!(find(json!({"aud": ["b", "x"], "client_id": "c"}), None).as_deref(), Some("b"));
    assert_eq!(find(json!({"client_id": "c"}), None).as_deref(), Some("c"));
    assert_eq!(find(json!({"sub": "s"}), None), None);
}

fn location(url: &str) -> Location {
    let timeout = Duration::from_secs(2);
    let url = url.to_owned();
    Location {
        url,
        connect_timeout: timeout,
        request_timeout: timeout,
        follow_redirects: false,
        use_system_proxy: false,
    }
}

fn set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}

#[tokio::test]
async fn keys_are_rotated_and_invented_ones_do_not_become_requests() {
    let (first, second) = (Signer::ec().named("1"), Signer::ec().named("2"));
    let server = Server::start(&set(&[&first])).await;
    let verifier = verifier(
        json!({"signature": "ECDSA_ES256", "publicKeyResolver": "JWKS_URL", "resolverParameter": server.url}),
    );
    let (old, new) = (first.sign(&json!({})), second.sign(&json!({})));
    assert_eq!(outcome(&verifier, &old).await, "ok");
    assert_eq!(outcome(&verifier, &old).await, "ok");
    assert_eq!(server.asked(), 1);
    server.answers(200, &set(&[&second]));
    assert_eq!(outcome(&verifier, &new).await, "ok", "an unknown key makes the set be fetched at once");
    assert_eq!(server.asked(), 2);
    assert_eq!(
        outcome(&verifier, &old).await,
        INVALID,
        "a key that is gone verifies nothing, remembered or not"
    );
    for invented in ["3", "4", "5"] {
        let token = Signer::ec().named(invented).sign(&json!({}));
        assert_eq!(outcome(&verifier, &token).await, INVALID);
    }
    assert_eq!(server.asked(), 2, "not more than once per interval");
    assert_eq!(outcome(&verifier, &new).await, "ok");
}

#[tokio::test]
async fn a_set_that_cannot_be_fetched_is_no_fault_of_the_caller() {
    let signer = Signer::ec().named("1");
    let server = Server::start(&json!({"keys": "none"})).await;
    let settings =
        json!({"signature": "ECDSA_ES256", "publicKeyResolver": "JWKS_URL", "resolverParameter": server.url});
    let failed = "500 JWT_JWKS_RESOLUTION_ERROR";
    assert_eq!(outcome(&verifier(settings.clone()), &signer.sign(&json!({}))).await, failed);
    server.answers(500, &set(&[&signer]));
    assert_eq!(outcome(&verifier(settings), &signer.sign(&json!({}))).await, failed);
}

#[tokio::test]
async fn one_fetch_serves_all_and_a_set_outlives_its_server() {
    let signer = Signer::ec().named("1");
    let server = Server::start(&set(&[&signer])).await;
    let sets = KeySets::default();
    let source = sets.source(location(&server.url));
    assert!(Arc::ptr_eq(&source, &sets.source(location(&server.url))), "plans share a set");
    let fetches = (0..10).map(|_| source.with_key(Some("1")));
    let found = futures::future::join_all(fetches).await;
    assert!(found.iter().all(|set| set.as_ref().is_ok_and(|set| set.generation == 1)));
    assert_eq!(server.asked(), 1);
    server.answers(503, &json!({}));
    let kept = source.with_key(Some("unknown")).await.unwrap();
    assert_eq!((kept.generation, server.asked()), (1, 2));
    assert_eq!(kept.candidates(Some("1"), Algorithm::ES256).len(), 1);
    assert_eq!(kept.candidates(Some("1"), Algorithm::RS256).len(), 0, "of another family");
    assert_eq!(kept.candidates(None, Algorithm::ES256).len(), 1, "a token that names no key");
}
