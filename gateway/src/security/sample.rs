//! Keys, tokens and servers for unit tests.

use axum::Router;
use axum::extract::Request;
use http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A key that signs, and its public half.
pub(super) struct Signer {
    pub(super) key: EncodingKey,
    pub(super) public: String,
    pub(super) algorithm: Algorithm,
    pub(super) id: Option<String>,
}

impl Signer {
    pub(super) fn rsa(algorithm: Algorithm) -> Signer {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Signer { key, public: pair.public_key_pem(), algorithm, id: None }
    }

    pub(super) fn ec() -> Signer {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Signer { key, public: pair.public_key_pem(), algorithm: Algorithm::ES256, id: None }
    }

    pub(super) fn hmac(secret: &str) -> Signer {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Signer { key, public: secret.to_owned(), algorithm: Algorithm::HS256, id: None }
    }

    pub(super) fn named(mut self, id: &str) -> Signer {
        self.id = Some(id.to_owned());
        self
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_with(claims, |_| {})
    }

    pub(super) fn sign_with(&self, claims: &Value, change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid.clone_from(&self.id);
        change(&mut header);
        encode(&header, claims, &self.key).expect("a token")
    }

    /// The public half as a member of a key set.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key");
        jwk.common.key_id.clone_from(&self.id);
        json!(jwk)
    }
}

/// A server that answers everything alike and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    answer: Arc<Mutex<(StatusCode, String)>>,
    seen: Arc<Mutex<Vec<(http::request::Parts, String)>>>,
}

impl Server {
    pub(crate) async fn start(body: &Value) -> Server {
        let answer = Arc::new(Mutex::new((StatusCode::OK, body.to_string())));
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let (answers, sees) = (Arc::clone(&answer), Arc::clone(&seen));
        let handler = async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 65_536).await.expect("a body");
            sees.lock().expect("no panic").push((head, String::from_utf8_lossy(&body).into_owned()));
            answers.lock().expect("no panic").clone()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/x", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { url, answer, seen }
    }

    pub(crate) fn answers(&self, status: u16, body: &Value) {
        let status = StatusCode::from_u16(status).expect("a status");
        *self.answer.lock().expect("no panic") = (status, body.to_string());
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// The last request: `METHOD target`, its headers, its body.
    pub(crate) fn last(&self) -> (String, http::HeaderMap, String) {
        let seen = self.seen.lock().expect("no panic");
        let (head, body) = seen.last().expect("a request");
        (format!("{} {}", head.method, head.uri), head.headers.clone(), body.clone())
    }
}
