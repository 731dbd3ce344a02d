use super::*;
use pretty_assertions::assert_eq;

#[tokio::test]
async fn every_message_is_one_post() {
    let receiver = Backend::always(OK).await;
    let settings = json!({"callbackUrl": receiver.url("/hook/x?y=1"),
        "headers": [{"name": "X-Source", "value": "subscription"}, {"name": "X-Own", "value": "{#subscription.metadata['k']}"}]});
    assert_eq!(ran(api("at-least-once", Some(3), json!({})), subscription(settings)).await, Ended::Completed);
    let heads = receiver.heads();
    assert_eq!((heads.len(), receiver.connections()), (3, 1), "one connection is enough");
    let head = &heads[0];
    assert!(head.starts_with("POST /hook/x?y=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(head, "host"), Some(receiver.address.to_string().as_str()));
    assert_eq!(header(head, "content-length"), Some("1"));
    assert_eq!(header(head, "x-source"), Some("mock"), "the message's");
    assert_eq!(header(head, "x-own"), Some("v"));
    assert_eq!(header(head, "x-gravitee-client-identifier"), Some("s-1"));
}

#[tokio::test]
async fn flows_run_for_the_run_and_for_every_message() {
    let receiver = Backend::always(OK).await;
    let mut api = api("auto", Some(2), json!({}));
    let step = |policy: &str, configuration: Value| json!({"name": policy, "enabled": true, "policy": policy, "configuration": configuration});
    let channel = |channel: &str, steps: Value| {
        let mut flow = json!({"enabled": true, "selectors": [{"type": "channel", "channel": channel,
            "channelOperator": "EQUALS", "operations": ["SUBSCRIBE"], "entrypoints": ["webhook"]}]});
        flow.as_object_mut().unwrap().extend(steps.as_object().unwrap().clone());
        flow
    };
    let set = |name: &str, value: &str| {
        step("transform-headers", json!({"addHeaders": [{"name": name, "value": value}]}))
    };
    api["plans"][0]["flows"] = json!([channel(
        "/orders",
        json!({"response": [set("X-Plan", "{#context.attributes['application']}")]})
    )]);
    api["flows"] = json!([
        channel(
            "/orders",
            json!({
                "response": [set("X-Source", "policy")],
                "subscribe": [step("policy-assign-content", json!({"scope": "RESPONSE", "body": "${message.content}!"}))],
            })
        ),
        channel("/other", json!({"response": [set("X-Other", "1")]})),
    ]);
    let mut subscription = subscription(json!({"callbackUrl": receiver.url("/")}));
    subscription["configuration"]["channel"] = json!("orders");
    assert_eq!(ran(api, subscription).await, Ended::Completed);
    for head in receiver.heads() {
        assert_eq!(header(&head, "x-plan"), Some("app"));
        assert_eq!(header(&head, "x-source"), Some("policy"), "before the message's");
        assert_eq!(header(&head, "x-other"), None);
        assert_eq!(header(&head, "content-length"), Some("2"), "m!");
    }
    assert_eq!(receiver.heads().len(), 2);
}

#[tokio::test]
async fn a_flow_that_refuses_ends_the_run() {
    let receiver = Backend::always(OK).await;
    let mut refusing = api("auto", Some(2), json!({}));
    refusing["flows"] = json!([{"enabled": true, "selectors": [], "request": [
        {"name": "i", "enabled": true, "policy": "policy-interrupt", "configuration":
            {"errorKey": "NOT_TODAY", "message": "closed today"}}]}]);
    let settings = json!({"callbackUrl": receiver.url("/")});
    let reason = final_reason(ran(refusing, subscription(settings.clone())).await);
    assert!(reason.contains("closed today") && reason.contains("NOT_TODAY"), "{reason}");
    let mut unmatched = api("auto", Some(2), json!({}));
    unmatched["flowExecution"]["matchRequired"] = json!(true);
    let reason = final_reason(ran(unmatched, subscription(settings)).await);
    assert!(reason.contains("FLOW_EXECUTION_FLOW_MATCHED_FAILURE"), "{reason}");
    assert!(receiver.heads().is_empty());
}

#[tokio::test]
async fn subscribers_read_nothing_of_the_api_but_what_it_is() {
    let receiver = Backend::always(OK).await;
    let settings = json!({"callbackUrl": receiver.url("/"),
        "headers": [{"name": "X-Api", "value": "{#api.name}"}, {"name": "X-Stolen", "value": "<{#api.properties['secret']}>"}]});
    let ended = ran(api("auto", Some(1), json!({})), subscription(settings)).await;
    assert!(!receiver.heads().concat().contains("hush"), "{:?}", receiver.heads());
    if let Ended::Failed { reason, .. } = ended {
        assert!(
            reason.contains(
                "Unable to prepare the execution context for the webhook, with subscription id [s-1]"
            )
        );
    }
}

#[tokio::test]
async fn only_subscriptions_of_an_open_push_plan_are_taken() {
    let settings = json!({"callbackUrl": "http://127.0.0.1:9/"});
    for change in
        [json!({"plan": "q"}), json!({"push": false}), json!({"api": "b"}), json!({"configuration": null})]
    {
        let mut other = subscription(settings.clone());
        other.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (run, _) = prepared(api("auto", Some(1), json!({})), other).await;
        assert!(!takes(&run.api, &run.subscription), "{change}");
        assert!(final_reason(super::super::run(run).await).contains("no webhook entrypoint"), "{change}");
    }
    let mut advanced = subscription(settings);
    advanced["configuration"]["entrypointId"] = json!("webhook-advanced");
    let (run, _) = prepared(api("auto", Some(1), json!({})), advanced).await;
    assert!(takes(&run.api, &run.subscription), "two names of one implementation");
}

#[tokio::test]
async fn a_subscription_ends_at_its_date() {
    let receiver = Backend::always(OK).await;
    let mut ending = subscription(json!({"callbackUrl": receiver.url("/")}));
    ending["endingAtMs"] = json!(now_ms() + 300);
    assert_eq!(ran(api("at-least-once", None, json!({})), ending).await, Ended::Completed);
    assert!(!receiver.heads().is_empty());
}
