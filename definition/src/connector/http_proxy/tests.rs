use super::*;
use crate::connector::ssl::{KeyStore, Material};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

fn parse(settings: Value) -> HttpProxy {
    HttpProxy::parse(settings.as_object().unwrap()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(settings: &Value) -> Vec<String> {
    let faults = HttpProxy::parse(settings.as_object().unwrap()).err().unwrap_or_default();
    faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
}

#[test]
fn absent_settings_have_the_values_of_the_field() {
    let proxy = parse(json!({"target": "http://backend:8080/base"}));
    let http = &proxy.http;
    let times = (http.keep_alive_timeout, http.connect_timeout, http.read_timeout, http.idle_timeout);
    assert_eq!(times, (30_000, 5000, 10_000, 60_000));
    assert_eq!((http.version, http.keep_alive, http.pipelining), (ProxyVersion::Http11, true, false));
    assert_eq!((http.use_compression, http.propagate_client_accept_encoding), (true, false));
    assert_eq!((http.propagate_client_host, http.follow_redirects), (false, false));
    assert_eq!((http.max_concurrent_connections, http.clear_text_upgrade), (100, true));
    let http2 =
        (http.http2_multiplexing_limit, http.http2_connection_window_size, http.http2_stream_window_size);
    assert_eq!(http2, (-1, 1_048_576, 262_144));
    assert!(proxy.headers.is_empty() && proxy.proxy.is_none());
    assert!(proxy.ssl.hostname_verifier && !proxy.ssl.trust_all);
    assert!(proxy.ssl.trust_store.is_none() && proxy.ssl.key_store.is_none());
}

#[test]
fn settings_are_read_in_both_spellings_with_numbers_in_strings() {
    let pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----";
    for (trust, key) in [("trustStore", "keyStore"), ("truststore", "keystore")] {
        let proxy = parse(json!({
            "target": "https://backend",
            "http": {"version": "http_2", "readTimeout": "250", "connectTimeout": 100},
            "headers": [{"name": "X-Env", "value": "test"}],
            "proxy": {"enabled": true, "type": "socks5", "host": "p", "port": "1080", "username": "u", "password": "s"},
            "ssl": {
                "hostnameVerifier": false,
                trust: {"type": "PKCS12", "content": "AAEC\nAw==", "path": "", "password": "s"},
                key: {"type": "PEM", "certContent": pem, "keyPath": "/etc/key.pem"},
            },
        }));
        assert_eq!((proxy.http.version, proxy.http.read_timeout), (ProxyVersion::Http2, 250));
        assert_eq!(proxy.headers[0].name, "X-Env");
        let upstream = proxy.proxy.unwrap();
        assert_eq!((upstream.protocol, upstream.port), (ProxyType::Socks5, Some(1080)));
        assert!(!proxy.ssl.hostname_verifier);
        let trust = proxy.ssl.trust_store.unwrap();
        assert!(matches!(trust.material, Material::Content(bytes) if bytes == [0, 1, 2, 3]));
        let Some(KeyStore::Pem { certificates: Material::Content(_), key: Material::Path(path), .. }) =
            proxy.ssl.key_store
        else {
            panic!("no key")
        };
        assert_eq!(path, "/etc/key.pem");
    }
}

#[test]
fn a_store_without_a_type_is_none_and_a_proxy_is_off_unless_enabled() {
    let proxy = parse(json!({
        "target": "http://b", "proxy": {"host": "p"}, "ssl": {"trustStore": {"type": ""}, "keyStore": {"type": "none"}},
    }));
    assert!(proxy.proxy.is_none() && proxy.ssl.trust_store.is_none() && proxy.ssl.key_store.is_none());
}

#[test]
fn a_target_is_an_absolute_url_without_credentials() {
    for good in ["http://h", "HTTPS://h:1/a?b=c", "ws://h", "wss://h/x", "grpc://h:50051", "grpcs://[::1]:1"]
    {
        assert_eq!(faults(&json!({"target": good})), [""; 0], "{good}");
    }
    let check = |target: &str, reason: &str| {
        let found = faults(&json!({"target": target}));
        assert_eq!(found, [format!("target: target {reason}, found {}", crate::reader::quote(target))]);
    };
    check("backend:80", "must be an absolute URL, such as http://host:port/path");
    check("/path", "must be an absolute URL, such as http://host:port/path");
    check("ftp://h", "must begin with http, https, ws, wss, grpc or grpcs");
    check("http://h/a b", "must not hold spaces");
    check("http://", "is no URL that can be read");
    let found = faults(&json!({"target": "http://u:p@h"}));
    assert_eq!(
        found,
        ["target: target must not hold credentials; set a header instead, found \"http://u:********@h\""]
    );
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let found = faults(&json!({
        "target": "nowhere",
        "http": {"http2MultiplexingLimit": 0},
        "headers": [{"name": "a b", "value": "x"}, {"name": "x", "value": "a\r\nb: c"}],
        "proxy": {"enabled": true},
        "ssl": {"trustStore": {"type": "JKS", "content": "§"}, "keyStore": {"type": "PEM", "certContent": "x"}},
    }));
    let places: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    let expected = [
        "target",
        "headers[0].name",
        "headers[1].value",
        "proxy.host",
        "proxy.port",
        "http.http2MultiplexingLimit",
        "ssl.trustStore.content",
        "ssl.trustStore.password",
        "ssl.keyStore.certContent",
        "ssl.keyStore.keyPath",
    ];
    assert_eq!(places, expected);
    let schema = faults(&json!({"http": {"readTimeout": -1, "version": "HTTP_3"}}));
    assert_eq!(schema.len(), 3, "{schema:?}");
}
