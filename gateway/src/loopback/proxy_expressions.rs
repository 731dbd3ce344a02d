//! Endpoints whose target and headers depend on the request.

use super::backend::Backend;
use super::proxy::proxy;
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn target_and_headers_may_be_expressions() {
    let backend = Backend::always(OK).await;
    let port = backend.address.port();
    let configuration = json!({
        "target": "http://{#request.headers['x-host'][0]}:{#api.properties['port']}/{#request.method}",
        "headers": [
            {"name": "X-Who", "value": "{#request.headers['x-who'][0]} via {#api.id}"},
            {"name": "X-None", "value": "{#context.attributes['none']}"},
            {"name": "X-Body", "value": "{#request.content}"},
        ],
    });
    let mut api = proxy("p", configuration);
    api["properties"] = json!([{"key": "port", "value": port.to_string()}]);
    let gateway = Gateway::start(&[api]).await;
    let send = |headers: &str, body: &str| {
        let length = body.len();
        format!(
            "PUT /p/x?q=1 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )
    };
    let answer = gateway.send(&send("x-host: 127.0.0.1\r\nx-who: me\r\n", "body")).await.rest().await;
    assert!(answer.ends_with("ok"), "{answer}");
    let head = backend.heads().remove(0);
    assert!(head.starts_with("PUT /PUT/x?q=1 HTTP/1.1\r\n"), "{head}");
    let found = ["x-who", "x-none", "x-body"].map(|name| header(&head, name));
    assert_eq!(found, [Some("me via p"), None, Some("body")]);
    for (headers, body, status) in [
        ("x-who: me\r\n", "", "500"),
        ("x-host: a b\r\n", "", "500"),
        ("x-host: 127.0.0.1\r\nx-who: me\r\n", "two\r\nlines", "400"),
    ] {
        let answer = gateway.send(&send(headers, body)).await.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}: {answer}");
    }
    assert_eq!(backend.heads().len(), 1);
}
