use super::echo::Echo;
use super::proxy::proxy;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jks::{Certificate as JksCertificate, PrivateKeyEntry, TrustedCertificateEntry};
use p12_keystore::{Certificate, KeyStoreEntry, LocalKeyId, PrivateKey, PrivateKeyChain};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::SystemTime;

const PASSWORD: &str = "changeit";

/// A certificate with its key.
struct Pair {
    der: Vec<u8>,
    pem: String,
    key: KeyPair,
}

/// An authority, a server certificate for one name, and a client certificate.
struct Pki {
    authority: Pair,
    server: Pair,
    client: Pair,
}

impl Pki {
    fn new(name: &str) -> Pki {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let (der, pem) = (own.der().to_vec(), own.pem());
        let issuer = Issuer::new(params, key);
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            Pair { der: certificate.der().to_vec(), pem: certificate.pem(), key }
        };
        let (server, client) = (signed(name), signed("client"));
        Pki { server, client, authority: Pair { der, pem, key: KeyPair::generate().unwrap() } }
    }

    fn server(&self, protocols: &[&str]) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.der.clone())).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from(self.server.der.clone())],
                PrivatePkcs8KeyDer::from(self.server.key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    fn jks(&self) -> (Vec<u8>, Vec<u8>) {
        let certificate =
            |der: &[u8]| JksCertificate { cert_type: "X.509".to_owned(), content: der.to_vec() };
        let creation_time = SystemTime::now();
        let mut trust = jks::KeyStore::new();
        let entry = TrustedCertificateEntry { creation_time, certificate: certificate(&self.authority.der) };
        trust.set_trusted_certificate_entry("ca", entry).unwrap();
        let mut keys = jks::KeyStore::new();
        let entry = PrivateKeyEntry {
            creation_time,
            private_key: self.client.key.serialize_der(),
            certificate_chain: vec![certificate(&self.client.der)],
        };
        keys.set_private_key_entry("me", entry, PASSWORD.as_bytes()).unwrap();
        let written = |store: &jks::KeyStore| {
            let mut bytes = Vec::new();
            store.store(&mut bytes, PASSWORD.as_bytes()).unwrap();
            bytes
        };
        (written(&trust), written(&keys))
    }

    fn pkcs12(&self) -> (Vec<u8>, Vec<u8>) {
        let mut trust = p12_keystore::KeyStore::new();
        let authority = Certificate::from_der(&self.authority.der).unwrap();
        trust.add_entry("ca", KeyStoreEntry::Certificate(authority));
        let mut keys = p12_keystore::KeyStore::new();
        let key = PrivateKey::from_der(&self.client.key.serialize_der()).unwrap();
        let chain = PrivateKeyChain::new(
            LocalKeyId(vec![1]),
            key,
            [Certificate::from_der(&self.client.der).unwrap()],
        );
        keys.add_entry("me", KeyStoreEntry::PrivateKeyChain(chain));
        (trust.writer(PASSWORD).write().unwrap(), keys.writer(PASSWORD).write().unwrap())
    }
}

/// `status version client` of one answer of an endpoint with these settings.
async fn ask(echo: &Echo, host: &str, ssl: Value, http: Value) -> String {
    let target = format!("https://{host}:{}", echo.address.port());
    let gateway = Gateway::start(&[proxy("p", json!({"target": target, "ssl": ssl, "http": http}))]).await;
    let answer = gateway.answer("/p/x", "").await;
    let told = |name| header(&answer, name).unwrap_or("-");
    format!("{} {} {}", &answer[9..12], told("x-version"), told("x-client"))
}

#[tokio::test]
async fn a_backend_is_trusted_as_the_settings_say() {
    let (pki, other) = (Pki::new("localhost"), Pki::new("localhost"));
    let echo = Echo::start(Some(pki.server(&["http/1.1"]))).await;
    let check = async |host: &str, ssl: Value, expected: &str| {
        assert_eq!(ask(&echo, host, ssl.clone(), json!({})).await, expected, "{ssl}");
    };
    let pem = json!({"type": "PEM", "content": pki.authority.pem});
    check("localhost", json!({"trustStore": pem}), "200 HTTP/1.1 false").await;
    check("localhost", json!({}), "502 - -").await;
    check("localhost", json!({"trustStore": {"type": "PEM", "content": other.authority.pem}}), "502 - -")
        .await;
    check("localhost", json!({"trustAll": true}), "200 HTTP/1.1 false").await;
    check("127.0.0.1", json!({"trustStore": pem}), "502 - -").await;
    check("127.0.0.1", json!({"trustStore": pem, "hostnameVerifier": false}), "200 HTTP/1.1 false").await;
    let wrong =
        json!({"trustStore": {"type": "PEM", "content": other.authority.pem}, "hostnameVerifier": false});
    check("127.0.0.1", wrong, "502 - -").await;
}

#[tokio::test]
async fn stores_of_every_type_are_read_by_path_and_by_content() {
    let pki = Pki::new("localhost");
    let echo = Echo::start(Some(pki.server(&["http/1.1"]))).await;
    let folder = std::env::temp_dir().join(format!("tidegate-stores-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let mut cases = Vec::new();
    for (format, (trust, keys)) in [("JKS", pki.jks()), ("PKCS12", pki.pkcs12()), ("JKS", pki.pkcs12())] {
        let (trust_path, key_path) = (file("trust", &trust), file("keys", &keys));
        let store =
            |member: &str, value: String| json!({"type": format, member: value, "password": PASSWORD});
        cases.push(json!({
            "trustStore": store("content", STANDARD.encode(&trust)), "keyStore": store("content", STANDARD.encode(&keys)),
        }));
        let mut named = json!({"truststore": store("path", trust_path), "keystore": store("path", key_path)});
        named["keystore"]["alias"] = json!("me");
        assert_eq!(ask(&echo, "localhost", named.clone(), json!({})).await, "200 HTTP/1.1 true", "{named}");
    }
    let (certificate, key) = (pki.client.pem.clone(), pki.client.key.serialize_pem());
    let trust = json!({"type": "PEM", "path": file("ca.pem", pki.authority.pem.as_bytes())});
    cases.push(json!({"trustStore": trust, "keyStore": {"type": "PEM", "certContent": certificate, "keyContent": key}}));
    let (certificate, key) = (file("c.pem", certificate.as_bytes()), file("k.pem", key.as_bytes()));
    cases.push(
        json!({"trustStore": trust, "keyStore": {"type": "PEM", "certPath": certificate, "keyPath": key}}),
    );
    for ssl in cases {
        assert_eq!(ask(&echo, "localhost", ssl.clone(), json!({})).await, "200 HTTP/1.1 true", "{ssl}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_named_when_the_api_is_deployed() {
    let (trust, keys) = Pki::new("localhost").jks();
    let gateway = Gateway::start(&[]).await;
    let check = async |ssl: Value, member: &str, reason: &str| {
        let api = proxy("p", json!({"target": "https://localhost", "ssl": ssl}));
        let outcome = gateway.deploy(&[api]).await.remove(0);
        let problem = outcome.problem.expect("rejected");
        assert_eq!(problem.path, format!("endpointGroups[0].endpoints[0].ssl.{member}"));
        assert!(problem.message.contains(reason), "{}", problem.message);
        assert!(!problem.message.contains("wrong-password"), "{}", problem.message);
    };
    let store = |content: &[u8], password: &str| json!({"type": "JKS", "content": STANDARD.encode(content), "password": password});
    check(json!({"trustStore": store(&trust, "wrong-password")}), "trustStore", "check its password").await;
    check(json!({"keyStore": store(&keys, "wrong-password")}), "keyStore", "check its password").await;
    check(json!({"keyStore": store(&trust, PASSWORD)}), "keyStore", "holds no key").await;
    check(json!({"trustStore": {"type": "PEM", "path": "/does/not/exist"}}), "trustStore", "/does/not/exist")
        .await;
    check(json!({"trustStore": store(b"junk", PASSWORD)}), "trustStore", "cannot be opened").await;
    let mut damaged = trust.clone();
    // The count of its entries, and the file without its end.
    damaged[8] = 0xFF;
    for damaged in [&damaged[..], &trust[..trust.len() - 1], &trust[..12]] {
        check(json!({"trustStore": store(damaged, PASSWORD)}), "trustStore", "is damaged").await;
    }
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_wanted_and_known() {
    let pki = Pki::new("localhost");
    let ssl = json!({"trustStore": {"type": "PEM", "content": pki.authority.pem}});
    let version = json!({"version": "HTTP_2"});
    let both = Echo::start(Some(pki.server(&["h2", "http/1.1"]))).await;
    assert_eq!(ask(&both, "localhost", ssl.clone(), version.clone()).await, "200 HTTP/2.0 false");
    assert_eq!(ask(&both, "localhost", ssl.clone(), json!({})).await, "200 HTTP/1.1 false");
    let old = Echo::start(Some(pki.server(&["http/1.1"]))).await;
    assert_eq!(ask(&old, "localhost", ssl, version).await, "200 HTTP/1.1 false");
}

#[tokio::test]
async fn http_2_without_tls_shares_a_connection_and_passes_trailers() {
    let echo = Echo::start(None).await;
    let target = format!("http://{}", echo.address);
    let gateway = Gateway::start(&[
        proxy("two", json!({"target": target, "http": {"version": "HTTP_2"}})),
        proxy("rpc", json!({"target": format!("grpc://{}", echo.address)})),
    ])
    .await;
    let request = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        )
    };
    for path in ["/two/a", "/two/b", "/rpc/a", "/rpc/b"] {
        let answer = gateway.send(&request(path)).await.until("x-last: 1\r\n\r\n").await;
        assert_eq!(
            (header(&answer, "x-version"), header(&answer, "x-te")),
            (Some("HTTP/2.0"), Some("trailers"))
        );
        assert_eq!(header(&answer, "x-host"), Some(echo.address.to_string().as_str()));
        assert!(answer.contains("\r\n4\r\nbody\r\n"), "{answer}");
    }
    assert_eq!(echo.connections(), 2, "one for each endpoint");
}
