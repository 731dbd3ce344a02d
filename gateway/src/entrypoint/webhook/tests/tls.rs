use super::*;
use pretty_assertions::assert_eq;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A receiver for one call per connection, as `localhost`. Its port, and its certificate.
async fn receiver() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A gateway that trusts nobody ends the handshake.
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\nm") && tls.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {}
            tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok();
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn callbacks_prove_who_they_are_as_far_as_the_subscription_wants() {
    let (port, certificate) = receiver().await;
    let trusted = json!({"type": "PEM", "content": certificate});
    let check = async |host: &str, ssl: Value, delivered: bool| {
        let settings = json!({"callbackUrl": format!("https://{host}:{port}/hook"), "ssl": ssl});
        let ended = ran(api("at-least-once", Some(1), json!({})), subscription(settings)).await;
        match delivered {
            true => assert_eq!(ended, Ended::Completed, "{host} {ssl}"),
            false => {
                let reason = final_reason(ended);
                assert!(reason.contains("the TLS handshake failed"), "{host} {ssl}: {reason}");
            }
        }
    };
    check("localhost", json!({"trustStore": trusted}), true).await;
    check("localhost", json!({}), false).await;
    check("localhost", json!({"trustAll": true}), true).await;
    check("127.0.0.1", json!({"trustStore": trusted}), false).await;
    check("127.0.0.1", json!({"trustStore": trusted, "hostnameVerifier": false}), true).await;
}
