//! Whether a push subscription is to run now. Pure.

use definition::consumer::SubscriptionResource;
use definition::subscription::{ConsumerStatus, SubscriptionStatus};

/// What is to happen with a subscription that this gateway owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It runs, until this moment at most, milliseconds since 1970.
    Run { until_ms: Option<i64> },
    /// It does not run, and is to be looked at again at this moment if nothing changes before.
    Wait { from_ms: Option<i64>, reason: &'static str },
    /// Somebody has to change it before it can run.
    Fail { reason: &'static str },
}

/// `subscription`: as management sent it, if it has. `api`: whether its API is deployed here, and if it is, whether it
/// has an entrypoint for the subscription.
pub(super) fn decide(
    subscription: Option<&SubscriptionResource>,
    api: Option<bool>,
    now_ms: i64,
) -> Decision {
    let wait = |reason| Decision::Wait { from_ms: None, reason };
    let Some(subscription) = subscription else { return wait("the subscription has not arrived") };
    if subscription.status != SubscriptionStatus::Accepted {
        return wait("the subscription is not accepted");
    }
    if subscription.consumer_status != ConsumerStatus::Started {
        return wait("the subscription was stopped");
    }
    if subscription.ending_at_ms.is_some_and(|end| end < now_ms) {
        return wait("the subscription has ended");
    }
    if let Some(start) = subscription.starting_at_ms.filter(|start| *start > now_ms) {
        return Decision::Wait { from_ms: Some(start), reason: "the subscription has not begun" };
    }
    if subscription.configuration.is_none() {
        let reason =
            "the subscription does not say where to deliver: give it a configuration with `entrypointId`";
        return Decision::Fail { reason };
    }
    match api {
        None => wait("the API is not deployed here"),
        Some(false) => wait("the API has no entrypoint that takes the subscription"),
        // The last millisecond still belongs to it.
        Some(true) => Decision::Run { until_ms: subscription.ending_at_ms.map(|end| end.saturating_add(1)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    fn check(changes: Value, api: Option<bool>) -> Decision {
        let mut resource = json!({"id": "s", "api": "a", "plan": "p", "application": "app", "applicationName": "App",
            "status": "ACCEPTED", "consumerStatus": "STARTED", "push": true,
            "configuration": {"entrypointId": "webhook", "entrypointConfiguration": {}}});
        resource.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        decide(Some(&serde_json::from_value(resource).unwrap()), api, 100)
    }

    fn waits(decision: Decision) -> bool {
        matches!(decision, Decision::Wait { from_ms: None, .. })
    }

    #[test]
    fn everything_has_to_be_there_and_wanted() {
        assert_eq!(check(json!({}), Some(true)), Decision::Run { until_ms: None });
        assert!(waits(decide(None, Some(true), 100)));
        assert!(waits(check(json!({}), None)));
        assert!(waits(check(json!({}), Some(false))));
        assert!(waits(check(json!({"status": "PAUSED"}), Some(true))));
        assert!(waits(check(json!({"consumerStatus": "STOPPED"}), Some(true))));
        assert!(waits(check(json!({"consumerStatus": "FAILURE"}), Some(true))));
        assert!(matches!(check(json!({"configuration": null}), Some(true)), Decision::Fail { .. }));
    }

    #[test]
    fn dates_are_kept_to_the_millisecond() {
        let until = |end: i64| check(json!({"endingAtMs": end}), Some(true));
        assert_eq!(until(100), Decision::Run { until_ms: Some(101) });
        assert!(waits(until(99)));
        assert_eq!(check(json!({"startingAtMs": 100}), Some(true)), Decision::Run { until_ms: None });
        let later = check(json!({"startingAtMs": 101}), None);
        assert!(matches!(later, Decision::Wait { from_ms: Some(101), .. }));
    }
}
