//! The enumerations, each with every value. The values come from `definition`, which also reads them.

use definition::{api, application, connector, plan, subscription};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! token_schemas {
    ($($name:ident($values:expr, $description:literal);)*) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                values($values, $description)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

fn values(values: &[&'static str], description: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.iter().copied()));
    object.description(Some(description)).into()
}

token_schemas! {
    ApiType(&["async", "sync"], "Kind of API: messages over brokers, or plain HTTP backends. `message` and `proxy` are read too.");
    DefinitionVersion(&["4.0.0"], "Version of the document format. `V4` is read too.");
    Visibility(api::Visibility::LABELS, "Who sees the API in a portal.");
    LifecycleState(api::LifecycleState::LABELS, "Publication state in a portal.");
    ApiState(&["STOPPED", "STARTED"], "Whether gateways are to serve the API.");
    ListenerType(api::ListenerType::LABELS, "Kind of listener.");
    Qos(api::Qos::LABELS, "Quality of service. Absent: the first of `auto`, `at-most-once`, `at-least-once`, `none` that the entrypoint and its endpoints allow together.");
    LoadBalancerType(api::LoadBalancerType::LABELS, "Choice among the endpoints of a group.");
    FlowMode(api::FlowMode::LABELS, "Which flows run: all that match, or the best match.");
    PathOperator(api::PathOperator::LABELS, "How a selector compares.");
    ChannelOperation(api::ChannelOperation::LABELS, "Direction of messages.");
    SelectorType(&["http", "channel", "condition"], "Kind of selector.");
    HttpMethod(&["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "OTHER"], "HTTP method.");
    LoggingMode(&["NONE", "CLIENT", "PROXY", "CLIENT_PROXY"], "Which side is logged.");
    LoggingScope(&["NONE", "REQUEST", "RESPONSE", "REQUEST_RESPONSE"], "Which direction is logged.");
    LoggingContent(&["NONE", "HEADERS", "PAYLOADS", "HEADERS_PAYLOADS"], "What is logged.");
    PlanSecurityType(plan::PlanSecurityType::LABELS, "How callers of a plan prove themselves. A type that this version cannot run is refused.");
    PlanValidation(plan::PlanValidation::LABELS, "Who accepts subscriptions. Key-less plans are `auto`.");
    PlanStatus(plan::PlanStatus::LABELS, "Life cycle of a plan; there is no way back.");
    SubscriptionStatus(subscription::SubscriptionStatus::LABELS, "Where a subscription stands with the publisher of the API. Gateways serve it while `ACCEPTED`.");
    ConsumerStatus(subscription::ConsumerStatus::LABELS, "Whether the consumer of a push subscription wants messages now. `FAILURE`: a gateway gave up delivering.");
    ApplicationStatus(application::ApplicationStatus::LABELS, "Nothing can be done with archived applications but restoring.");
    ApplicationType(application::ApplicationType::LABELS, "What kind of program it is.");
    ApiKeyMode(application::ApiKeyMode::LABELS, "Whether subscriptions have a key each. `SHARED` is refused.");
    PlanType(&["api"], "What the plan belongs to.");
    LifecycleAction(&["START", "STOP"], "What to do with the API; any case.");
    ConnectorMode(connector::Mode::LABELS, "What a connector can do.");
    DeploymentOperation(&["publish", "start", "stop", "delete"], "What was done.");
    DeploymentState(&["PENDING", "ROLLING", "CONVERGED", "PARTIAL", "FAILED", "NO_NODES"], "How far the gateways are. `CONVERGED`: every gateway that is online and meant runs it; `FAILED`: each of them refuses it; `NO_NODES`: none is online.");
    InstanceState(&["ONLINE", "STALE", "OFFLINE", "STOPPED"], "Whether a gateway is heard of, and keeps up.");
}
