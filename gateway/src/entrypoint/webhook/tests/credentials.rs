use super::*;
use pretty_assertions::assert_eq;

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";

async fn with(receiver: &Backend, auth: Value, count: u64) -> Ended {
    let settings = json!({"callbackUrl": receiver.url("/"), "auth": auth});
    ran(api("at-least-once", Some(count), json!({})), subscription(settings)).await
}

fn authorizations(receiver: &Backend) -> Vec<String> {
    let heads = receiver.heads();
    heads.iter().map(|head| header(head, "authorization").unwrap_or("-").to_owned()).collect()
}

/// A token endpoint that numbers its tokens.
async fn tokens(expires_in: &'static str) -> Backend {
    let next = Arc::<std::sync::atomic::AtomicUsize>::default();
    Backend::scripted(move |mut peer| {
        let next = Arc::clone(&next);
        async move {
            while let Some((head, form)) = request(&mut peer).await {
                assert_eq!(header(&head, "content-type"), Some("application/x-www-form-urlencoded"));
                assert!(form.starts_with("grant_type=client_credentials&"), "{form}");
                let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let body = format!(r#"{{"access_token":"t{number}"{expires_in}}}"#);
                let length = body.len();
                peer.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")).await;
            }
        }
    })
    .await
}

fn oauth2(server: &Backend) -> Value {
    let oauth2 = json!({"endpoint": server.url("/token"), "clientId": "c", "clientSecret": "hush", "scopes": ["a", "b"]});
    json!({"type": "oauth2", "oauth2": oauth2})
}

#[tokio::test]
async fn fixed_credentials_are_sent_with_every_call() {
    let receiver = Backend::always(OK).await;
    let basic =
        json!({"type": "basic", "basic": {"username": "u", "password": "{#subscription.metadata['k']}"}});
    assert_eq!(with(&receiver, basic, 2).await, Ended::Completed);
    let token = json!({"type": "token", "token": {"value": "abc"}});
    assert_eq!(with(&receiver, token, 1).await, Ended::Completed);
    assert_eq!(authorizations(&receiver), ["Basic dTp2", "Basic dTp2", "Bearer abc"]);
}

#[tokio::test]
async fn a_refusal_of_the_credentials_is_the_end() {
    let receiver = Backend::always(UNAUTHORIZED).await;
    let reason = final_reason(with(&receiver, json!({"type": "token", "token": {"value": "hush"}}), 2).await);
    assert!(reason.starts_with("Unauthorized: ") && !reason.contains("hush"), "{reason}");
    assert_eq!(receiver.heads().len(), 1);
    let reason = final_reason(with(&receiver, json!({"type": "none"}), 1).await);
    assert!(reason.contains("MESSAGE_PROCESSING_FAILED"), "without credentials it is like any 4xx: {reason}");
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_it_expires() {
    let (receiver, server) = (Backend::always(OK).await, tokens(r#","expires_in":3600"#).await);
    assert_eq!(with(&receiver, oauth2(&server), 3).await, Ended::Completed);
    assert_eq!(authorizations(&receiver), ["Bearer t0"; 3]);
    assert_eq!(server.heads().len(), 1);
    let (receiver, expired) = (Backend::always(OK).await, tokens(r#","expires_in":"0""#).await);
    assert_eq!(with(&receiver, oauth2(&expired), 2).await, Ended::Completed);
    assert_eq!(authorizations(&receiver), ["Bearer t0", "Bearer t1"]);
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_replaced_once() {
    let server = tokens("").await;
    // The first token is good for one call only.
    let receiver = Backend::scripted(|mut peer| async move {
        let mut calls = 0;
        while let Some((head, _)) = request(&mut peer).await {
            calls += 1;
            let withdrawn = calls > 1 && header(&head, "authorization") == Some("Bearer t0");
            peer.send(if withdrawn { UNAUTHORIZED } else { OK }).await;
        }
    })
    .await;
    assert_eq!(with(&receiver, oauth2(&server), 3).await, Ended::Completed);
    assert_eq!(authorizations(&receiver), ["Bearer t0", "Bearer t0", "Bearer t1", "Bearer t1"]);
    let (refusing, server) = (Backend::always(UNAUTHORIZED).await, tokens("").await);
    assert!(final_reason(with(&refusing, oauth2(&server), 2).await).starts_with("Unauthorized: "));
    assert_eq!((refusing.heads().len(), server.heads().len()), (1, 1), "a fresh token is not replaced");
}

#[tokio::test]
async fn without_a_token_the_callback_is_not_called() {
    let receiver = Backend::always(OK).await;
    for (answer, expected) in [
        (UNAUTHORIZED, "it answered 401"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "holds no access_token"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnonsense", "holds no access_token"),
        (UNAVAILABLE, "it answered 503"),
    ] {
        let server = Backend::always(answer).await;
        let reason = final_reason(with(&receiver, oauth2(&server), 1).await);
        assert!(reason.contains(expected) && !reason.contains("hush"), "{reason}");
    }
    assert!(receiver.heads().is_empty());
}

#[tokio::test]
async fn an_assertion_is_signed_for_the_token_endpoint() {
    let receiver = Backend::always(OK).await;
    let server = Backend::scripted(|mut peer| async move {
        let (_, form) = request(&mut peer).await.unwrap();
        let form: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        assert_eq!(
            field("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        validation.validate_aud = false;
        let key = jsonwebtoken::DecodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        let token = field("client_assertion").unwrap();
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["tenant"]),
            (&json!("me"), &json!("app"), &json!("v"))
        );
        let body = r#"{"access_token":"granted"}"#;
        peer.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    })
    .await;
    let profile = json!({"audience": server.url("/token"), "issuer": "me", "subject": "{#subscription.applicationName == 'App' ? 'app' : 'other'}",
        "signatureAlgorithm": "HMAC_HS256", "keyContent": "0123456789abcdef0123456789abcdef",
        "customClaims": [{"name": "tenant", "value": "{#subscription.metadata['k']}"}]});
    let auth = json!({"type": "jwtProfileOauth2", "jwtProfileOauth2": profile});
    assert_eq!(with(&receiver, auth, 1).await, Ended::Completed);
    assert_eq!(authorizations(&receiver), ["Bearer granted"]);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let receiver = Backend::always(OK).await;
    let prefix = "Unable to prepare the execution context for the webhook, with subscription id [s-1]: ";
    for (settings, expected) in [
        (json!({"callbackUrl": "http://{#subscription.metadata['none']}/"}), "callbackUrl"),
        (
            json!({"callbackUrl": receiver.url("/"), "headers": [{"name": "x", "value": "{#subscription.id - 1}"}]}),
            "headers[0].value",
        ),
        (
            json!({"callbackUrl": receiver.url("/"), "ssl": {"trustStore": {"type": "PEM", "path": "/etc/ca.pem"}}}),
            "gateways read no files",
        ),
        (
            json!({"callbackUrl": receiver.url("/"), "ssl": {"keyStore": {"type": "JKS", "content": "/u3+7QAAAAL/////", "password": "hush"}}}),
            "ssl",
        ),
    ] {
        let reason = final_reason(ran(api("auto", Some(1), json!({})), subscription(settings.clone())).await);
        assert!(reason.starts_with(prefix) && reason.contains(expected), "{settings}: {reason}");
        assert!(!reason.contains("hush"), "{reason}");
    }
    assert!(receiver.heads().is_empty());
}
