use super::*;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

fn parse(settings: Value) -> Mqtt5 {
    let settings = settings.as_object().expect("an object");
    Mqtt5::parse(settings).unwrap_or_else(|violations| panic!("{violations:?}"))
}

fn sides(settings: Value) -> String {
    let mqtt5 = parse(settings);
    let side = |enabled: bool, topic: &Option<String>| {
        format!("{} {}", if enabled { "on" } else { "off" }, topic.as_deref().unwrap_or("-"))
    };
    let consumer = side(mqtt5.consumer.enabled, &mqtt5.consumer.topic);
    format!("{consumer} | {}", side(mqtt5.producer.enabled, &mqtt5.producer.topic))
}

fn faults(settings: Value) -> Vec<String> {
    let found = Mqtt5::parse(settings.as_object().expect("an object")).err().unwrap_or_default();
    found.into_iter().map(|violation| violation.path).collect()
}

#[test]
fn a_direction_is_enabled_by_its_block_or_by_a_topic_that_it_can_use() {
    let check = |mut settings: Value, expected: &str| {
        settings["serverHost"] = json!("h");
        settings["serverPort"] = json!("1883");
        assert_eq!(sides(settings), expected);
    };
    check(json!({}), "off - | off -");
    check(json!({"topic": "t"}), "on t | on t");
    check(json!({"topic": "t/#"}), "on t/# | off -");
    check(json!({"topic": "t", "consumer": {"enabled": false}, "producer": {"topic": "p"}}), "off t | on p");
    check(json!({"consumer": {"topic": "+/c"}, "producer": {"enabled": false}}), "on +/c | off -");
    check(json!({"topic": "", "consumer": {"enabled": true, "topic": "c"}}), "on c | off -");
}

#[test]
fn both_spellings_and_numbers_in_text_are_read() {
    let mqtt5 = parse(json!({
        "serverHost": "[::1]", "serverPort": "8883", "reconnectAttempt": "5", "sessionExpiryInterval": -1,
        "producer": {"topic": "p", "retained": true, "responseTopic": "", "messageExpiryInterval": "60"},
        "security": {"auth": {"username": "u", "password": "p"}, "ssl": {"trustAll": true}},
    }));
    assert_eq!((mqtt5.server_host.as_str(), mqtt5.server_port, mqtt5.reconnect_attempts), ("::1", 8883, 5));
    assert_eq!((mqtt5.session_expiry_interval, mqtt5.clean_start), (Some(u32::MAX), None));
    assert_eq!((mqtt5.producer.message_expiry_interval, mqtt5.producer.response_topic), (Some(60), None));
    assert!(mqtt5.producer.retained && mqtt5.ssl.is_some_and(|ssl| ssl.trust_all));
    assert!(mqtt5.auth.is_some_and(|auth| auth.username == "u" && auth.password.as_deref() == Some("p")));
    let plain = parse(json!({"serverHost": "h", "serverPort": 1}));
    assert_eq!((plain.reconnect_attempts, plain.session_expiry_interval), (3, None));
    let endless = parse(
        json!({"serverHost": "h", "serverPort": 1, "producer": {"topic": "p", "messageExpiryInterval": -1}}),
    );
    assert_eq!(endless.producer.message_expiry_interval, None);
}

#[test]
fn tls_is_what_an_author_asks_for_and_not_what_a_form_leaves_behind() {
    let tls = |ssl: Value| {
        parse(json!({"serverHost": "h", "serverPort": 1, "security": {"ssl": ssl}})).ssl.is_some()
    };
    assert!(tls(json!({})), "the public authorities");
    assert!(tls(json!({"hostnameVerifier": false})));
    assert!(!tls(
        json!({"hostnameVerifier": true, "trustStore": {"type": ""}, "keyStore": {"type": "NONE"}})
    ));
    assert!(tls(json!({"trustAll": true, "trustStore": {"type": "NONE"}})));
    assert!(tls(json!({"trustStore": {"type": "PEM", "path": "/ca.pem"}, "keyStore": {"type": "NONE"}})));
}

#[test]
fn every_fault_is_found_at_once() {
    let found = faults(json!({
        "serverHost": "tcp://h", "serverPort": 1, "topic": "a#", "consumer": {"topic": "$share/g/t"},
        "producer": {"topic": "a/+", "responseTopic": "#"},
        "security": {"auth": {"password": "p"}, "ssl": {"trustStore": {"type": "JKS"}}},
    }));
    assert_eq!(
        found,
        [
            "serverHost",
            "topic",
            "consumer.topic",
            "producer.topic",
            "producer.responseTopic",
            "security.ssl.trustStore.path",
            "security.ssl.trustStore.password",
            "security.auth.username",
        ]
    );
    let found = faults(json!({"serverHost": "h", "serverPort": 0, "reconnectAttempts": 11}));
    assert_eq!(found, ["serverPort", "reconnectAttempts"]);
    let sides = json!({"serverHost": "h", "serverPort": 1, "consumer": {"enabled": true}, "producer": {}});
    assert_eq!(faults(sides), ["consumer.topic", "producer.topic"]);
    let wild = json!({"serverHost": "h", "serverPort": 1, "topic": "a/#", "producer": {"enabled": true}});
    assert_eq!(faults(wild), ["topic"]);
}

#[test]
fn filters_have_wildcards_as_whole_levels() {
    for filter in ["a", "/", "a/b", "+", "#", "a/+/b", "a/#", "+/+/#", "$SYS/#", "a b/ü"] {
        assert!(is_topic_filter(filter), "{filter}");
    }
    for filter in ["", "a#", "a/#/b", "a+/b", "a/+b", "$share/g/a", "a\0b"] {
        assert!(!is_topic_filter(filter), "{filter}");
    }
    assert!(
        is_topic_name("a/b") && !is_topic_name("a/+") && !is_topic_name(&"x".repeat(TOPIC_MAX_BYTES + 1))
    );
}
