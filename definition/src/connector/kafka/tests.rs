use super::*;
use serde_json::json;

fn parse(settings: serde_json::Value) -> Kafka {
    Kafka::parse(settings.as_object().unwrap()).unwrap()
}

fn sides(settings: serde_json::Value) -> String {
    let kafka = parse(settings);
    let side = |enabled: bool, topics: &[String]| {
        format!("{} {}", if enabled { "on" } else { "off" }, topics.join(","))
    };
    format!(
        "{} | {}",
        side(kafka.consumer.enabled, &kafka.consumer.topics),
        side(kafka.producer.enabled, &kafka.producer.topics)
    )
}

#[test]
fn both_spellings_end_in_one_view() {
    let flat = json!({"bootstrapServers": "k:1", "topics": ["t", "t"], "consumer": {"enabled": true}, "producer": {}});
    let split =
        json!({"bootstrapServers": "k:1", "consumer": {"topics": ["t"]}, "producer": {"topics": ["t"]}});
    assert_eq!(parse(flat), parse(split));
}

#[test]
fn a_direction_is_enabled_by_its_block_or_by_topics() {
    let check = |settings, expected: &str| assert_eq!(sides(settings), expected);
    check(json!({"bootstrapServers": "k:1"}), "off  | off ");
    check(json!({"bootstrapServers": "k:1", "topics": ["t"]}), "on t | on t");
    check(
        json!({"bootstrapServers": "k:1", "topics": ["t"], "consumer": {"enabled": false}}),
        "off t | on t",
    );
    check(json!({"bootstrapServers": "k:1", "topics": ["t"], "consumer": {"topics": ["c"]}}), "on c | on t");
    check(json!({"bootstrapServers": "k:1", "consumer": {"topics": ["c"]}}), "on c | off ");
}

#[test]
fn settings_are_read_without_case_and_with_defaults() {
    let kafka = parse(json!({
        "bootstrapServers": " one:9092 , [::1]:9093", "consumer": {"topics": ["t"], "autoOffsetReset": "EARLIEST"},
        "producer": {"topics": ["t"], "compressionType": "Zstd"}, "security": {"protocol": "plaintext"},
    }));
    assert_eq!(kafka.bootstrap_servers, "one:9092,[::1]:9093");
    assert_eq!(kafka.consumer.auto_offset_reset, AutoOffsetReset::Earliest);
    assert!(kafka.consumer.encode_message_id);
    assert_eq!(kafka.producer.compression_type, CompressionType::Zstd);
}

/// The violations of a security block, one per line.
fn faults(security: serde_json::Value) -> String {
    let settings = json!({"bootstrapServers": "k:1", "topics": ["t"], "security": security});
    match Kafka::parse(settings.as_object().unwrap()) {
        Ok(_) => "accepted".to_owned(),
        Err(violations) => {
            let lines: Vec<String> = violations.into_iter().map(|violation| violation.message).collect();
            lines.join("\n")
        }
    }
}

fn sasl(mechanism: &str, line: &str) -> serde_json::Value {
    json!({"protocol": "SASL_PLAINTEXT", "sasl": {"saslMechanism": mechanism, "saslJaasConfig": line}})
}

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required";

fn login(security: serde_json::Value) -> Option<Login> {
    let kafka = parse(json!({"bootstrapServers": "k:1", "topics": ["t"], "security": security}));
    kafka.security.sasl.unwrap().login
}

#[test]
fn a_login_fits_its_mechanism() {
    let password = || Some(Login::Password { username: "u".into(), password: "p;\"".into() });
    assert_eq!(login(sasl("plain", &format!("{PLAIN} username=\"u\" password=\"p;\\\"\";"))), password());
    let scram =
        "org.apache.kafka.common.security.scram.ScramLoginModule required password='p;\"' username=u;";
    assert_eq!(login(sasl("SCRAM_SHA-256", scram)), password());
    let token = "a.OAuthBearerLoginModule required access_token=\"jwt\";";
    assert_eq!(login(sasl("OAUTHBEARER", token)), Some(Login::Token("jwt".into())));
    assert_eq!(login(sasl("OAUTHBEARER", "")), None, "the token comes with the call");
    let kerberos = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"/k\" principal=\"p@R\" serviceName=\"kafka\";";
    let expected = Login::Kerberos {
        principal: "p@R".into(),
        keytab: Some("/k".into()),
        service_name: Some("kafka".into()),
    };
    assert_eq!(login(sasl("GSSAPI", kerberos)), Some(expected));
}

#[test]
fn what_is_wrong_with_a_login_is_said_without_its_secrets() {
    let check = |security: serde_json::Value, expected: &str| {
        let found = faults(security);
        assert_eq!(found, expected);
        assert!(!found.contains("hush"));
    };
    let line = "security.sasl.saslJaasConfig";
    check(
        json!({"protocol": "SASL_SSL"}),
        "security.sasl is required with SASL_SSL: name the mechanism and its login",
    );
    check(
        sasl("PLAIN", " "),
        &format!("{line} is required with PLAIN: send the login module with its credentials"),
    );
    check(
        sasl("SCRAM-SHA-512", &format!("{PLAIN} username=\"hush\" password=\"hush\";")),
        &format!("{line} names another login module than ScramLoginModule, the one of SCRAM-SHA-512"),
    );
    check(
        sasl("PLAIN", &format!("{PLAIN} username=\"hush\";")),
        &format!("{line} has no password; write password=\"…\" in front of the `;`"),
    );
    check(
        sasl("PLAIN", "P required password=\"hush"),
        &format!(
            "{line} cannot be read at character 21: the quotes that open here are not closed; write <class> required name=\"value\" …;"
        ),
    );
    check(
        sasl("PLAIN", &format!("{PLAIN} password=\"{{#hush + }}\";")),
        &format!("{line} has an expression that cannot be read at position 84"),
    );
    check(
        sasl("AWS_MSK_IAM", "x"),
        "security.sasl.saslMechanism: AWS_MSK_IAM is not available in this version, use SCRAM-SHA-512",
    );
    check(json!({"protocol": "PLAINTEXT", "sasl": {"saslJaasConfig": "hush"}}), "accepted");
}

#[test]
fn a_login_may_be_an_expression() {
    let line = |value: &str| {
        format!("a.OAuthBearerLoginModule required access_token=\"{{#context.attributes['{value}']}}\";")
    };
    let security = sasl("OAUTHBEARER", &line("token"));
    assert_eq!(login(security.clone()), None);
    let settings = json!({"bootstrapServers": "{#context.attributes['servers']}:9092", "topics": ["t"], "security": security});
    let paths: Vec<&str> =
        Kafka::templates(settings.as_object().unwrap()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["bootstrapServers", "security.sasl.saslJaasConfig"]);
    let kafka = Kafka::evaluated(settings.as_object().unwrap());
    let messages: Vec<String> = kafka.unwrap_err().into_iter().map(|violation| violation.path).collect();
    assert_eq!(messages, ["bootstrapServers"], "an expression that came from one is no address");
    let wrong = sasl("PLAIN", &line("token"));
    assert!(faults(wrong).contains("names another login module"), "what is known is checked");
}

#[test]
fn stores_have_what_their_format_needs() {
    let check = |ssl: serde_json::Value, expected: &str| {
        assert_eq!(faults(json!({"protocol": "SSL", "ssl": ssl})), expected);
    };
    check(json!({}), "accepted");
    check(json!({"trustStore": {"type": "PEM", "location": "/ca.pem"}}), "accepted");
    check(json!({"trustStore": {"certificates": "-----BEGIN CERTIFICATE-----"}}), "accepted");
    check(
        json!({"trustStore": {"type": "PEM", "certificates": "x"}}),
        "security.ssl.trustStore.certificates is no PEM; send the text from -----BEGIN to -----END",
    );
    check(
        json!({"trustStore": {"type": "JKS"}}),
        "security.ssl.trustStore.location is required: name a file of the gateway or send content\n\
         security.ssl.trustStore.password is required: a store of type JKS is read with its password",
    );
    check(
        json!({"keyStore": {"type": "PKCS12", "content": "**", "password": "p"}}),
        "security.ssl.keyStore.content is no base64; send the bytes of the store as base64",
    );
    check(
        json!({"keyStore": {"type": "PEM", "key": "-----BEGIN PRIVATE KEY-----"}}),
        "security.ssl.keyStore.certificateChain is required in a store of type PEM, unless location names a file of the gateway",
    );
    check(json!({"trustStore": {"type": ""}, "keyStore": {"type": "NONE"}}), "accepted");
    let ssl = parse(json!({"bootstrapServers": "k:1", "security": {"protocol": "SSL", "ssl": {
        "keyStore": {"type": "PEM", "location": "/both.pem", "keyPassword": "hush"}}}}))
    .security;
    assert!(!format!("{ssl:?}").contains("hush"));
}
