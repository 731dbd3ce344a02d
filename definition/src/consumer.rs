//! What gateways are told of those who call: subscriptions and API keys, as resources of the sync stream beside the
//! APIs. They take effect without a deployment.
//!
//! Only live ones are sent: a subscription while it is accepted, a key while it is neither revoked nor paused and its
//! subscription is accepted. Dates are for the gateway to check, per call. A key itself is never here, only its hash.

use crate::digest::Digest;
use crate::subscription::{ConsumerConfiguration, ConsumerStatus, SubscriptionStatus};
use crate::token::tokens;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Resource kind of `SubscriptionResource` in the sync stream.
pub const KIND_SUBSCRIPTION: &str = "subscription";
/// Resource kind of `ApiKeyResource` in the sync stream.
pub const KIND_API_KEY: &str = "api-key";
/// Version of the canonical body of a subscription; part of its digest and of a gateway's declared capabilities.
pub const SUBSCRIPTION_SCHEMA_VERSION: u32 = 1;
/// Version of the canonical body of an API key.
pub const API_KEY_SCHEMA_VERSION: u32 = 1;
/// What a gateway declares beside the kinds it reads when it can own push subscriptions, with `PUSH_VERSION`.
pub const CAPABILITY_PUSH: &str = "push";
/// Version of the agreement about assignments.
pub const PUSH_VERSION: u32 = 1;
/// Time without a sign of life after which a gateway's push subscriptions go to others, milliseconds.
pub const PUSH_LEASE_MS: u64 = 10_000;

tokens! {
    /// What a gateway says about a push subscription that it owns.
    pub enum PushState {
        /// Not running, and not because of a failure: something has not arrived or its time has not come.
        Waiting = "waiting",
        Running = "running",
        /// Not running after a failure that may pass.
        Retrying = "retrying",
        /// It ended by itself: its source or its time is over.
        Completed = "completed",
        /// Given up: its consumer has to act.
        Failed = "failed",
        /// Given back.
        Released = "released",
    }
}

/// A subscription as a gateway needs it; its canonical bytes are `digest::canonical_bytes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionResource {
    pub id: String,
    /// Id of the API.
    pub api: String,
    /// Id of the plan.
    pub plan: String,
    /// Id of the application.
    pub application: String,
    pub application_name: String,
    /// The application's `client_id`: what tokens of JWT and OAuth2 plans are matched with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    pub status: SubscriptionStatus,
    pub consumer_status: ConsumerStatus,
    /// Where a push subscription delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConsumerConfiguration>,
    /// Free-form, for expressions: `#subscription.metadata['k']`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Not before, milliseconds since 1970; absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at_ms: Option<i64>,
    /// Not after, milliseconds since 1970; absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_at_ms: Option<i64>,
    /// True for a subscription to a push plan: its traffic leaves the gateway, it authorizes no call.
    #[serde(default)]
    pub push: bool,
}

/// An API key as a gateway needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyResource {
    pub id: String,
    /// SHA-256 of the key, lower-case hexadecimal: `api_key_hash`.
    pub hash: String,
    /// Ids of the subscriptions that the key stands for, sorted.
    pub subscriptions: Vec<String>,
    /// Refused from this moment on, milliseconds since 1970; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_at_ms: Option<i64>,
    #[serde(default)]
    pub revoked: bool,
    #[serde(default)]
    pub paused: bool,
}

/// The hash that stands for a key wherever the key itself must not be: lower-case hexadecimal SHA-256.
pub fn api_key_hash(key: &str) -> String {
    let hash: Digest = Sha256::digest(key.as_bytes()).into();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{canonical_bytes, from_canonical};
    use serde_json::json;

    #[test]
    fn bodies_are_read_back_as_written() {
        let subscription = SubscriptionResource {
            id: "s".to_owned(),
            api: "a".to_owned(),
            plan: "p".to_owned(),
            application: "app".to_owned(),
            application_name: "App".to_owned(),
            client_id: Some("c".to_owned()),
            status: SubscriptionStatus::Accepted,
            consumer_status: ConsumerStatus::Started,
            configuration: Some(ConsumerConfiguration {
                entrypoint_id: "webhook".to_owned(),
                channel: None,
                entrypoint_configuration: json!({"callbackUrl": "https://x"})
                    .as_object()
                    .cloned()
                    .unwrap_or_default(),
            }),
            metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            starting_at_ms: Some(1),
            ending_at_ms: None,
            push: true,
        };
        let bytes = canonical_bytes(&subscription).unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"api":"a","application":"app","applicationName":"App","clientId":"c","configuration":{"entrypointConfiguration":{"callbackUrl":"https://x"},"entrypointId":"webhook"},"consumerStatus":"STARTED","id":"s","metadata":{"k":"v"},"plan":"p","push":true,"startingAtMs":1,"status":"ACCEPTED"}"#
        );
        assert_eq!(from_canonical::<SubscriptionResource>(&bytes).unwrap(), subscription);

        let key: ApiKeyResource =
            from_canonical(br#"{"id":"k","hash":"00","subscriptions":["s"],"expireAtMs":5}"#).unwrap();
        assert_eq!((key.expire_at_ms, key.revoked, key.paused), (Some(5), false, false));
        assert_eq!(from_canonical::<ApiKeyResource>(&canonical_bytes(&key).unwrap()).unwrap(), key);
    }

    #[test]
    fn the_hash_is_sha_256_in_lower_case_hexadecimal() {
        assert_eq!(api_key_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
