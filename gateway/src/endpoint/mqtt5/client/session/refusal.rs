//! Why a broker does not let this gateway read.

use crate::failure::{Failure, key};
use http::StatusCode;
use rumqttc::{SubAck, SubscribeReasonCode};

/// Why a broker does not let read; `None`: it does.
pub(in crate::endpoint::mqtt5::client) fn refusal(suback: &SubAck) -> Option<Failure> {
    let invalid = |text: &str| {
        let text = format!("Endpoint configuration invalid: {text}");
        Some(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text))
    };
    match suback.return_codes.first()? {
        SubscribeReasonCode::Success(_) => None,
        SubscribeReasonCode::NotAuthorized => invalid("the broker does not let this gateway read the topic"),
        SubscribeReasonCode::TopicFilterInvalid => invalid("the broker does not accept this topic filter"),
        SubscribeReasonCode::SharedSubscriptionsNotSupported => {
            invalid("the broker has no shared subscriptions, which every quality of service but none needs")
        }
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => invalid("the broker has no wildcards"),
        SubscribeReasonCode::Failure
        | SubscribeReasonCode::Unspecified
        | SubscribeReasonCode::ImplementationSpecific
        | SubscribeReasonCode::PkidInUse
        | SubscribeReasonCode::QuotaExceeded
        | SubscribeReasonCode::SubscriptionIdNotSupported => {
            let text = "the broker refused the subscription";
            Some(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::SUBSCRIBE_FAILED, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::QoS;

    #[test]
    fn every_refused_subscription_says_why() {
        let suback = |code| SubAck { pkid: 1, return_codes: vec![code], properties: None };
        assert!(refusal(&suback(SubscribeReasonCode::Success(QoS::AtLeastOnce))).is_none());
        let words = |code| refusal(&suback(code)).expect("refused").message.into_owned();
        assert!(words(SubscribeReasonCode::NotAuthorized).contains("does not let this gateway read"));
        assert!(
            words(SubscribeReasonCode::SharedSubscriptionsNotSupported).contains("no shared subscriptions")
        );
    }
}
