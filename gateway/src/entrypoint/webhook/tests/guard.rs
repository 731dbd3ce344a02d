use super::*;

async fn refused(shared: Shared, callback: &str) -> String {
    let api = deployed(shared, api("auto", Some(1), json!({}))).await;
    let subscription =
        Arc::new(serde_json::from_value(subscription(json!({"callbackUrl": callback}))).unwrap());
    let run = PushRun { api, subscription, stop: CancellationToken::new() };
    final_reason(timeout(DEADLINE, super::super::run(run)).await.expect("it ends"))
}

#[tokio::test]
async fn callbacks_do_not_lead_into_the_gateways_own_networks() {
    let receiver = Backend::always(OK).await;
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        let reason = refused(Shared::default(), &format!("http://{host}:{port}/hook?secret=hush")).await;
        assert!(reason.contains("is in a network that is not public"), "{host}: {reason}");
        assert!(reason.contains("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS") && !reason.contains("hush"), "{reason}");
    }
    for host in ["169.254.169.254", "10.0.0.1", "[fd00::1]"] {
        let reason = refused(shared(), &format!("http://{host}:{port}/")).await;
        assert!(reason.contains("is in a network that is not public"), "{host}: {reason}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn token_endpoints_are_judged_like_callbacks() {
    let receiver = Backend::always(OK).await;
    let oauth2 = json!({"endpoint": "http://192.168.0.1/token", "clientId": "c", "clientSecret": "hush"});
    let settings = json!({"callbackUrl": receiver.url("/"), "auth": {"type": "oauth2", "oauth2": oauth2}});
    let reason = final_reason(ran(api("auto", Some(1), json!({})), subscription(settings)).await);
    assert!(reason.contains("192.168.0.1") && reason.contains("not public"), "{reason}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_proxy_of_the_author_does_not_open_them_either() {
    let upstream = Backend::always(OK).await;
    let proxy = json!({"proxy": {"enabled": true, "type": "HTTP", "host": "127.0.0.1", "port": upstream.address.port()}});
    let through = async |callback: &str| {
        let api = deployed(Shared::default(), api("auto", Some(1), proxy.clone())).await;
        let subscription =
            Arc::new(serde_json::from_value(subscription(json!({"callbackUrl": callback}))).unwrap());
        let run = PushRun { api, subscription, stop: CancellationToken::new() };
        timeout(DEADLINE, super::super::run(run)).await.expect("it ends")
    };
    for callback in ["http://10.0.0.1/", "http://localhost/", "https://127.0.0.1/"] {
        assert!(final_reason(through(callback).await).contains("not public"), "{callback}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(through("http://callback.invalid/hook").await, Ended::Completed, "the proxy resolves names");
    assert!(upstream.heads()[0].starts_with("POST http://callback.invalid/hook HTTP/1.1\r\n"));
}
