use super::backend::{Backend, Peer};
use super::proxy::proxy;
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The answer through a proxy, for a backend that only the proxy can find.
async fn through(upstream: &Backend, target: &str, settings: Value) -> String {
    let mut own = json!({"enabled": true, "host": "127.0.0.1", "port": upstream.address.port()});
    own.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let gateway = Gateway::start(&[proxy("p", json!({"target": target, "proxy": own}))]).await;
    gateway.answer("/p/x?y=1", "").await
}

async fn answer(mut peer: Peer) {
    while peer.head().await.is_some() {
        peer.send(OK).await;
    }
}

#[tokio::test]
async fn an_http_proxy_gets_the_absolute_form_with_credentials() {
    let upstream = Backend::scripted(answer).await;
    let settings = json!({"type": "HTTP", "username": "u", "password": "p"});
    assert!(through(&upstream, "http://backend.invalid/b", settings).await.ends_with("ok"));
    let head = upstream.heads().remove(0);
    assert!(head.starts_with("GET http://backend.invalid/b/x?y=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "proxy-authorization"), Some("Basic dTpw"));
    assert_eq!(header(&head, "host"), Some("backend.invalid"));
}

#[tokio::test]
async fn tls_goes_through_a_tunnel() {
    let upstream = Backend::scripted(|mut peer| async move {
        let head = peer.head().await.unwrap();
        assert!(head.starts_with("CONNECT backend.invalid:443 HTTP/1.1\r\n"), "{head}");
        peer.send("HTTP/1.1 200 Connection established\r\n\r\n").await;
        // The first record of a TLS handshake, on the version of its outermost layer.
        assert_eq!(peer.bytes(2).await, [22, 3]);
    })
    .await;
    let settings = json!({"username": "u", "password": "p"});
    assert!(through(&upstream, "https://backend.invalid", settings).await.starts_with("HTTP/1.1 502 "));
    assert_eq!(header(&upstream.heads()[0], "proxy-authorization"), Some("Basic dTpw"));
    let refusing = Backend::always("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    assert!(through(&refusing, "https://backend.invalid", json!({})).await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn socks5_names_the_backend_and_signs_in() {
    let upstream = Backend::scripted(|mut peer| async move {
        let methods = peer.bytes(2).await;
        peer.bytes(usize::from(methods[1])).await;
        peer.send("\x05\x02").await;
        assert_eq!(peer.bytes(5).await, b"\x01\x01u\x01p");
        peer.send("\x01\0").await;
        assert_eq!(peer.bytes(22).await, b"\x05\x01\0\x03\x0fbackend.invalid\0\x50");
        peer.send("\x05\0\0\x01\0\0\0\0\0\0").await;
        answer(peer).await;
    })
    .await;
    let settings = json!({"type": "SOCKS5", "username": "u", "password": "p"});
    assert!(through(&upstream, "http://backend.invalid", settings).await.ends_with("ok"));
    assert!(upstream.heads()[0].starts_with("GET /x?y=1 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn socks4_names_the_backend_and_the_user() {
    let upstream = Backend::scripted(|mut peer| async move {
        let wanted = b"\x04\x01\0\x50\0\0\0\x01u\0backend.invalid\0";
        assert_eq!(peer.bytes(wanted.len()).await, wanted);
        peer.send("\0\x5a\0\0\0\0\0\0").await;
        answer(peer).await;
    })
    .await;
    let settings = json!({"type": "SOCKS4", "username": "u"});
    assert!(through(&upstream, "http://backend.invalid", settings).await.ends_with("ok"));
}

#[tokio::test]
async fn a_system_proxy_that_the_node_does_not_have_is_named() {
    let gateway = Gateway::start(&[]).await;
    let settings = json!({"target": "http://b", "proxy": {"enabled": true, "useSystemProxy": true}});
    let outcome = gateway.deploy(&[proxy("p", settings)]).await.remove(0);
    assert_eq!(outcome.problem.unwrap().path, "endpointGroups[0].endpoints[0].proxy.useSystemProxy");
}
