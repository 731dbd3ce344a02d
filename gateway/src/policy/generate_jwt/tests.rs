//! Tokens that a verifier accepts, from every kind of key.

use super::super::sample;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use rcgen::{CertificateParams, KeyPair, RsaKeySize};
use std::sync::LazyLock;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "changeit";

/// One key with its certificate, in each form.
struct Keys {
    pem: String,
    public_pem: String,
    pkcs12: Vec<u8>,
    jks: Vec<u8>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new(vec!["h".to_owned()]).unwrap().self_signed(&pair).unwrap();
    let (key, leaf) = (pair.serialize_der(), certificate.der().to_vec());
    Keys {
        pem: format!("{}{}", pair.serialize_pem(), certificate.pem()),
        public_pem: pair.public_key_pem(),
        pkcs12: pkcs12(&key, &leaf),
        jks: jks(key, leaf),
    }
});

fn pkcs12(key: &[u8], leaf: &[u8]) -> Vec<u8> {
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    let (key, leaf) = (PrivateKey::from_der(key).unwrap(), Certificate::from_der(leaf).unwrap());
    let mut store = KeyStore::new();
    store.add_entry("signing", KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("1", key, [leaf])));
    store.writer(PASSWORD).write().unwrap()
}

fn jks(private_key: Vec<u8>, content: Vec<u8>) -> Vec<u8> {
    let certificate_chain = vec![jks::Certificate { cert_type: "X509".to_owned(), content }];
    let creation_time = std::time::SystemTime::now();
    let entry = jks::PrivateKeyEntry { creation_time, private_key, certificate_chain };
    let mut store = jks::KeyStore::new();
    store.set_private_key_entry("signing", entry, PASSWORD.as_bytes()).unwrap();
    let mut written = Vec::new();
    store.store(&mut written, PASSWORD.as_bytes()).unwrap();
    written
}

async fn token(settings: Value) -> Result<String, Failure> {
    let mut call = Call::sample("GET /ctx", &[("who", "me")], "");
    sample::build(build, settings).on_request(&mut call).await?;
    Ok(call.attributes.text("jwt.generated").unwrap().to_owned())
}

fn verified(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Map<String, Value> {
    let mut validation = Validation::new(algorithm);
    validation.validate_aud = false;
    decode::<Map<String, Value>>(token, key, &validation).expect("a valid token").claims
}

#[tokio::test]
async fn the_claims_are_what_the_settings_say() {
    let settings = json!({"signature": "hmac-hs256", "content": SECRET, "kid": "k", "subject": "{#request.headers['who'][0]}",
    "audiences": ["a", "{#request.method}"], "issuer": "i", "id": "{#request.path}", "expiresIn": 2,
    "expiresInUnit": "MINUTES", "customClaims": [
        {"name": "text", "value": "x"}, {"name": "list", "value": "{#request.headers['who']}"},
        {"name": "none", "value": "{#request.headers['none']}"}, {"name": "absent"},
    ]});
    let token = token(settings).await.unwrap();
    assert_eq!(decode_header(&token).unwrap().kid.as_deref(), Some("k"));
    let mut claims = verified(&token, Algorithm::HS256, &DecodingKey::from_secret(SECRET.as_bytes()));
    let (issued, expires) = (claims.remove("iat").unwrap(), claims.remove("exp").unwrap());
    assert_eq!(expires.as_i64().unwrap() - issued.as_i64().unwrap(), 120);
    assert_eq!(
        Value::Object(claims),
        json!({"iss": "i", "sub": "me", "aud": ["a", "GET"], "jti": "/ctx", "text": "x", "list": ["me"]})
    );
}

#[tokio::test]
async fn absent_settings_have_their_defaults() {
    let settings =
        json!({"signature": "HMAC_HS256", "content": STANDARD.encode(SECRET), "secretBase64Encoded": true});
    let (one, other) = (token(settings.clone()).await.unwrap(), token(settings).await.unwrap());
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let (one, other) = (verified(&one, Algorithm::HS256, &key), verified(&other, Algorithm::HS256, &key));
    assert_eq!(one["iss"], "urn://gravitee-api-gw");
    assert_eq!(one["exp"].as_i64().unwrap() - one["iat"].as_i64().unwrap(), 30);
    assert_ne!(one["jti"], other["jti"]);
    assert!(!one.contains_key("sub") && !one.contains_key("aud"));
}

#[tokio::test]
async fn every_algorithm_and_every_kind_of_key_signs() {
    for (signature, algorithm) in [("HMAC_HS384", Algorithm::HS384), ("HMAC_HS512", Algorithm::HS512)] {
        let token = token(json!({"signature": signature, "content": SECRET})).await.unwrap();
        verified(&token, algorithm, &DecodingKey::from_secret(SECRET.as_bytes()));
    }
    let public = DecodingKey::from_rsa_pem(KEYS.public_pem.as_bytes()).unwrap();
    let (pkcs12, jks) = (STANDARD.encode(&KEYS.pkcs12), STANDARD.encode(&KEYS.jks));
    for key in [
        json!({"content": KEYS.pem}),
        json!({"keyResolver": "PEM", "content": KEYS.pem}),
        json!({"keyResolver": "PKCS12", "content": pkcs12, "storePassword": "changeit", "alias": "signing"}),
        json!({"keyResolver": "PKCS12", "content": pkcs12, "storePassword": "changeit"}),
        json!({"keyResolver": "JKS", "content": jks, "storePassword": "changeit", "alias": "signing"}),
        json!({"keyResolver": "JKS", "content": jks, "storePassword": "changeit"}),
    ] {
        let mut settings = key.clone();
        settings["x509CertificateChain"] = json!("X5C");
        let token = token(settings).await.unwrap();
        verified(&token, Algorithm::RS256, &public);
        assert_eq!(decode_header(&token).unwrap().x5c.map(|chain| chain.len()), Some(1));
        let plain = super::tests::token(key).await.unwrap();
        assert_eq!(decode_header(&plain).unwrap().x5c, None);
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_without_being_shown() {
    let jks = STANDARD.encode(&KEYS.jks[..KEYS.jks.len() / 2]);
    for settings in [
        json!({"content": "no key"}),
        json!({"keyResolver": "PKCS12", "content": STANDARD.encode(&KEYS.pkcs12), "storePassword": "wrong"}),
        json!({"keyResolver": "PKCS12", "content": "!"}),
        json!({"keyResolver": "PKCS12", "content": STANDARD.encode(&KEYS.pkcs12), "storePassword": "changeit", "alias": "x"}),
        json!({"keyResolver": "JKS", "content": STANDARD.encode(&KEYS.jks), "storePassword": "wrong!"}),
        json!({"keyResolver": "JKS", "content": jks, "storePassword": "changeit"}),
        json!({"signature": "HMAC_HS256", "content": "!", "secretBase64Encoded": true}),
    ] {
        let wrong = sample::try_build(build, &settings).err().expect("a refusal");
        assert_eq!(wrong[0].path, "content");
        assert!(
            !wrong[0].message.contains("no key\"") && !wrong[0].message.contains("changeit"),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn a_claim_that_cannot_be_evaluated_fails_the_request() {
    let settings =
        json!({"signature": "HMAC_HS256", "content": SECRET, "subject": "{#request.headers['none'][0]}"});
    let failure = token(settings).await.unwrap_err();
    assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, None));
    assert!(failure.message.starts_with("Unable to generate JWT token: "), "{failure}");
}
