//! Endpoint groups, endpoints and their settings.

use super::*;
use pretty_assertions::assert_eq;

const GROUP: &str = "/endpointGroups/0";
const ENDPOINT: &str = "/endpointGroups/0/endpoints/0";

fn kafka(configuration: Value) -> Value {
    let group = json!({"name": "g", "type": "kafka", "endpoints": [
        {"name": "e", "type": "kafka", "configuration": configuration},
    ]});
    with(mock_document(), &[(GROUP, group)])
}

#[test]
fn what_a_group_must_hold() {
    check(
        "/endpointGroups",
        Value::Null,
        "endpointGroups data.invalid: endpointGroups must not be null, a list is required",
    );
    check(
        "/endpointGroups",
        json!([]),
        "endpointGroups endpoint.missing {}: endpointGroups must not be empty: at least one endpoint is required",
    );
    check(
        "/endpointGroups/0/endpoints",
        json!([]),
        "endpointGroups[0].endpoints endpoint.missing {}: endpointGroups[0].endpoints must not be empty: at least one endpoint is required",
    );
    check(
        "/endpointGroups/0/endpoints",
        Value::Null,
        "endpointGroups[0].endpoints endpoint.missing {}: endpointGroups[0].endpoints must not be empty: at least one endpoint is required",
    );
    check(
        "/endpointGroups/0/name",
        json!(" "),
        "endpointGroups[0].name data.invalid: endpointGroups[0].name must not be blank, a text is required",
    );
    check(
        "/endpointGroups/0/name",
        json!("g:x"),
        r#"endpointGroups[0].name api.endpoint.invalid {"endpoint":"g:x"}: endpointGroups[0].name must not hold ':', choose another name"#,
    );
    check(
        "/endpointGroups/0/type",
        Value::Null,
        r#"endpointGroups[0].type api.endpointsGroup.type.invalid {"api.endpointsGroup[].type":""}: endpointGroups[0].type must not be blank, a text is required"#,
    );
    check(
        "/endpointGroups/0/type",
        json!("nope"),
        r#"endpointGroups[0].type plugin.notFound {"plugin":"nope"} 404: endpointGroups[0].type names the unknown endpoint "nope", use one of http-proxy, kafka, kafka-advanced, mock, mqtt5, mqtt5-advanced, rabbitmq, solace
endpointGroups[0].endpoints[0].type api.endpointsGroup.type.invalid {"api.endpointsGroup[].type":"nope"}: endpointGroups[0].endpoints[0].type must be "nope", the type of its group"#,
    );
    check(
        "/endpointGroups/0/loadBalancer",
        json!({"type": "best"}),
        r#"endpointGroups[0].loadBalancer.type data.invalid: endpointGroups[0].loadBalancer.type has the unknown value "best", expected one of round-robin, random, weighted-round-robin, weighted-random"#,
    );
    check(
        "/endpointGroups/1",
        mock_document()["endpointGroups"][0].clone(),
        r#"endpointGroups[1].name api.endpointsGroup.name.exists {"api.endpointsGroup[].name":"g"}: endpointGroups[1].name "g" is used twice, choose another
endpointGroups[1].endpoints[0].name api.endpointsGroup.endpoint.name.exists {"api.endpointsGroup[].endpoint.name":"e"}: endpointGroups[1].endpoints[0].name "e" is used twice, choose another"#,
    );
}

#[test]
fn what_an_endpoint_must_hold() {
    check(
        "/endpointGroups/0/endpoints/0/type",
        json!("kafka"),
        r#"endpointGroups[0].endpoints[0].type api.endpointsGroup.type.invalid {"api.endpointsGroup[].type":"mock"}: endpointGroups[0].endpoints[0].type must be "mock", the type of its group"#,
    );
    check(
        "/endpointGroups/0/endpoints/0/type",
        json!("jms"),
        r#"endpointGroups[0].endpoints[0].type api.endpointsGroup.type.invalid {"api.endpointsGroup[].type":"mock"}: endpointGroups[0].endpoints[0].type must be "mock", the type of its group
endpointGroups[0].endpoints[0].type data.invalid: endpointGroups[0].endpoints[0].type jms is not available in this version, use one of http-proxy, kafka, kafka-advanced, mock, mqtt5, mqtt5-advanced, rabbitmq, solace"#,
    );
    check(
        "/endpointGroups/0/endpoints/0/weight",
        json!("1"),
        "endpointGroups[0].endpoints[0].weight data.invalid: endpointGroups[0].endpoints[0].weight must be a whole number, found a string",
    );
    check(
        "/endpointGroups/0/endpoints/0/weight",
        json!(-1),
        "endpointGroups[0].endpoints[0].weight data.invalid: endpointGroups[0].endpoints[0].weight must be between 0 and 2147483647, found -1",
    );
    check(
        "/endpointGroups/0/services",
        json!({"healthCheck": {"enabled": false}}),
        "endpointGroups[0].services.healthCheck.type healthcheck.invalid {}: endpointGroups[0].services.healthCheck.type must not be blank, a text is required",
    );
    check(
        "/endpointGroups/0/services",
        json!({"discovery": {"type": "consul-service-discovery"}}),
        "endpointGroups[0].services.discovery data.invalid: endpointGroups[0].services.discovery is not available in this version, set enabled to false or remove it",
    );
    check(
        "/endpointGroups/0/services",
        json!({"discovery": {"type": "c", "enabled": false, "configuration": "{}"}}),
        "accepted",
    );
}

#[test]
fn what_a_health_check_must_hold() {
    let place = "/endpointGroups/0/services";
    let check_with = |configuration: Value, expected: &str| {
        let service = json!({"type": "http-health-check", "configuration": configuration});
        check(place, json!({"healthCheck": service}), expected);
    };
    check_with(json!({"schedule": "*/5 * * * * *", "target": "http://h/health"}), "accepted");
    check_with(
        json!({"schedule": "*/5 * * * * *", "target": "/health"}),
        r#"endpointGroups[0].services.healthCheck.configuration.target data.invalid: endpointGroups[0].services.healthCheck.configuration.target must be an absolute URL, because endpoints of the type "mock" have none"#,
    );
    check_with(
        json!({"target": "http://h"}),
        "endpointGroups[0].services.healthCheck.configuration.schedule data.invalid: #: required key [schedule] not found, it must be set",
    );
    check(
        place,
        json!({"healthCheck": {"type": "other", "enabled": true}}),
        r#"endpointGroups[0].services.healthCheck.type data.invalid: endpointGroups[0].services.healthCheck.type names the unknown health check "other", use http-health-check"#,
    );
    check(place, json!({"healthCheck": {"type": "other", "enabled": false}}), "accepted");
}

#[test]
fn an_endpoint_follows_the_check_of_its_group_or_has_its_own() {
    let own = json!({"healthCheck": {"type": "http-health-check",
        "configuration": {"schedule": "*/5 * * * * *", "target": "http://h/"}}});
    let beta = with(mock_document(), &[("/endpointGroups/0/endpoints/0/services", own.clone())]);
    let read = read_api(&beta, ReadApi::Create).unwrap();
    let service = &read.endpoint_groups[0].endpoints[0].services["healthCheck"];
    assert_eq!(
        (&service["overrideConfiguration"], &service["configuration"]["failureThreshold"]),
        (&json!(true), &json!(3))
    );

    let mut later = beta;
    later["type"] = json!("MESSAGE");
    same(
        &faults(&later),
        r#"endpointGroups[0].endpoints[0].services.healthCheck healthcheck.inheritance {}: endpointGroups[0].endpoints[0].services.healthCheck cannot follow the health check of its group, which has none of the type "http-health-check"; set overrideConfiguration to true or remove it"#,
    );
    let inherited = with(later.clone(), &[("/endpointGroups/0/services", own)]);
    assert_eq!(faults(&inherited), "accepted");
    later["endpointGroups"][0]["endpoints"][0]["services"]["healthCheck"]["overrideConfiguration"] =
        json!(true);
    assert_eq!(faults(&later), "accepted");
}

#[test]
fn a_group_and_an_endpoint_may_share_a_name() {
    check("/endpointGroups/0/endpoints/0/name", json!("g"), "accepted");
    let twin = mock_document()["endpointGroups"][0]["endpoints"][0].clone();
    check(
        "/endpointGroups/0/endpoints/1",
        twin,
        r#"endpointGroups[0].endpoints[1].name api.endpointsGroup.endpoint.name.exists {"api.endpointsGroup[].endpoint.name":"e"}: endpointGroups[0].endpoints[1].name "e" is used twice, choose another"#,
    );
}

#[test]
fn mock_settings() {
    let place = &format!("{ENDPOINT}/configuration");
    check(
        place,
        json!({"messageInterval": 0, "messageCount": -1, "messageContent": 5}),
        "endpointGroups[0].endpoints[0].configuration.messageInterval data.invalid: #/messageInterval: 0 is out of range, use a value from 1 to 86400000\n\
endpointGroups[0].endpoints[0].configuration.messageCount data.invalid: #/messageCount: -1 is out of range, use a value from 0 to 9007199254740991\n\
endpointGroups[0].endpoints[0].configuration.messageContent data.invalid: #/messageContent: expected type: string, found: 5; send a text",
    );
    check(
        place,
        json!({"headers": [{"name": "a"}, {"name": "", "value": "v"}]}),
        "endpointGroups[0].endpoints[0].configuration.headers[0].value data.invalid: #/headers/0: required key [value] not found, it must be set\n\
endpointGroups[0].endpoints[0].configuration.headers[1].name data.invalid: #/headers/1/name: must not be empty, give a value or leave the key out",
    );
    check_printed(
        place,
        json!({}),
        place,
        &json!({"messageInterval": 1000, "messageContent": "mock message"}),
    );
}

#[track_caller]
fn check_kafka(configuration: Value, expected: &str) {
    same(&faults(&kafka(configuration)), expected);
}

/// Sound settings with one member set.
#[track_caller]
fn check_kafka_with(member: &str, value: Value, expected: &str) {
    let mut configuration = json!({"bootstrapServers": "k:1", "topics": ["t"]});
    configuration[member] = value;
    check_kafka(configuration, expected);
}

#[test]
fn kafka_needs_brokers_and_topics() {
    check_kafka(
        json!({}),
        "endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: #: required key [bootstrapServers] not found, it must be set",
    );
    check_kafka(
        json!({"bootstrapServers": "kafka, b:x,:1, [::1]:9092, c:70000"}),
        r#"endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: bootstrapServers must list host:port pairs separated by commas, found "kafka"
endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: bootstrapServers must list host:port pairs separated by commas, found "b:x"
endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: bootstrapServers must list host:port pairs separated by commas, found ":1"
endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: bootstrapServers must list host:port pairs separated by commas, found "c:70000""#,
    );
    check_kafka(
        json!({"bootstrapServers": "k:1", "topics": ["a b", ""]}),
        r#"endpointGroups[0].endpoints[0].configuration.topics[0] data.invalid: topics[0]: "a b" is no topic name, use 1 to 249 letters, digits, '.', '_' or '-'
endpointGroups[0].endpoints[0].configuration.topics[1] data.invalid: topics[1]: "" is no topic name, use 1 to 249 letters, digits, '.', '_' or '-'"#,
    );
    check_kafka(
        json!({"bootstrapServers": "k:1", "topics": []}),
        "endpointGroups[0].endpoints[0].configuration.topics data.invalid: #/topics: must not be empty, give a value or leave the key out",
    );
    check_kafka(
        json!({"bootstrapServers": "k:1", "consumer": {}, "producer": {"enabled": true}}),
        "endpointGroups[0].endpoints[0].configuration.consumer.topics data.invalid: consumer.topics is required while the consumer is enabled: name a topic or disable it\n\
endpointGroups[0].endpoints[0].configuration.producer.topics data.invalid: producer.topics is required while the producer is enabled: name a topic or disable it",
    );
}

/// The document of these checks has http-get and http-post; each needs its direction.
#[test]
fn an_entrypoint_needs_an_endpoint_in_its_direction() {
    let nothing = |index: usize, id: &str, purpose: &str, part: &str| {
        let place = format!("listeners[0].entrypoints[{index}].type");
        format!(
            "{place} data.invalid: {place} {id} has nothing to {purpose}: no endpoint has its {part} enabled. Give one \
             `{part}` with `enabled` and `topics`; an endpoint takes the group's sharedConfiguration only with \
             `inheritConfiguration: true`"
        )
    };
    let (reads, publishes) =
        (nothing(0, "http-get", "read from", "consumer"), nothing(1, "http-post", "publish to", "producer"));
    check_kafka(json!({"bootstrapServers": "k:1"}), &format!("{reads}\n{publishes}"));
    check_kafka_with("consumer", json!({"enabled": false}), &reads);
    check_kafka_with("producer", json!({"enabled": false}), &publishes);
}

#[test]
fn kafka_directions_and_security_have_their_rules() {
    check_kafka_with(
        "consumer",
        json!({"autoOffsetReset": "sometimes"}),
        r#"endpointGroups[0].endpoints[0].configuration.consumer.autoOffsetReset data.invalid: #/consumer/autoOffsetReset: "sometimes" is not a valid enum value, use one of latest, earliest, none"#,
    );
    check_kafka_with(
        "consumer",
        json!({"topics": ["a"], "topicPattern": "a.*"}),
        "endpointGroups[0].endpoints[0].configuration.consumer.topics data.invalid: consumer.topics and consumer.topicPattern exclude each other, remove one of them",
    );
    check_kafka_with("consumer", json!({"topicPattern": "orders-.*"}), "accepted");
    check_kafka_with(
        "consumer",
        json!({"topicPattern": "orders-("}),
        r#"endpointGroups[0].endpoints[0].configuration.consumer.topicPattern data.invalid: consumer.topicPattern: "orders-(" is no regular expression: Parsing error at position 8: Opening parenthesis without closing parenthesis"#,
    );
    check_kafka_with(
        "consumer",
        json!({"checkTopicExistence": true, "removeConfluentHeader": true}),
        "accepted",
    );
    let sasl = json!({"saslMechanism": "SCRAM_SHA-256", "saslJaasConfig": "hush"});
    check_kafka_with(
        "security",
        json!({"protocol": "SASL_SSL", "sasl": sasl}),
        "endpointGroups[0].endpoints[0].configuration.security.sasl.saslJaasConfig data.invalid: security.sasl.saslJaasConfig cannot be read at character 5: expected `required` behind the class; write <class> required name=\"value\" …;",
    );
    check_kafka_with(
        "security",
        json!({"sasl": {"saslMechanism": "magic", "saslJaasConfig": ["hush"]}}),
        r#"endpointGroups[0].endpoints[0].configuration.security.sasl.saslMechanism data.invalid: #/security/sasl/saslMechanism: "magic" is not a valid enum value, use one of GSSAPI, OAUTHBEARER, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, AWS_MSK_IAM
endpointGroups[0].endpoints[0].configuration.security.sasl.saslJaasConfig data.invalid: #/security/sasl/saslJaasConfig: expected type: string, found: a list; send a text"#,
    );
    check_kafka_with(
        "security",
        json!({"sasl": "hush"}),
        "endpointGroups[0].endpoints[0].configuration.security.sasl data.invalid: #/security/sasl: expected type: object, found: a string; send an object",
    );
    check_kafka_with("producer", json!({"compressionType": "ZSTD"}), "accepted");
}

#[test]
fn faults_are_named_where_their_settings_stand() {
    let group = json!({"name": "g", "type": "kafka", "sharedConfiguration": {"consumer": {"topics": []}},
    "endpoints": [
        {"name": "e", "type": "kafka", "inheritConfiguration": true, "configuration": {"topics": ["t"]}},
        {"name": "f", "type": "kafka", "configuration": {"bootstrapServers": "k:1"},
         "sharedConfigurationOverride": {"producer": {}}},
        {"name": "h", "type": "kafka"},
    ]});
    check(
        GROUP,
        group,
        "endpointGroups[0].sharedConfiguration.consumer.topics data.invalid: #/consumer/topics: must not be empty, give a value or leave the key out\n\
endpointGroups[0].endpoints[0].configuration.bootstrapServers data.invalid: #: required key [bootstrapServers] not found, it must be set\n\
endpointGroups[0].endpoints[1].sharedConfigurationOverride.producer.topics data.invalid: producer.topics is required while the producer is enabled: name a topic or disable it\n\
endpointGroups[0].endpoints[2].configuration.bootstrapServers data.invalid: #: required key [bootstrapServers] not found, it must be set",
    );
}

#[test]
fn every_group_that_is_reached_must_allow_the_level() {
    let kafka = json!({"name": "k", "type": "kafka", "endpoints": [
        {"name": "ke", "type": "kafka", "configuration": {"bootstrapServers": "k:1", "topics": ["t"]}}]});
    let two = |qos: Value| {
        let entrypoint = json!({"type": "sse", "qos": qos});
        with(
            mock_document(),
            &[("/endpointGroups/1", kafka.clone()), ("/listeners/0/entrypoints/0", entrypoint)],
        )
    };
    same(
        &faults(&two(json!("at-least-once"))),
        "listeners[0].entrypoints[0].qos listeners.entrypoints.qos.invalid {}: listeners[0].entrypoints[0].qos at-least-once is not possible for the entrypoint sse over the endpoint kafka (group k), use none or auto",
    );
    assert_eq!(faults(&two(json!("none"))), "accepted");
    let mut later = two(json!("at-least-once"));
    later["type"] = json!("message");
    assert_eq!(faults(&later), "accepted");
}
