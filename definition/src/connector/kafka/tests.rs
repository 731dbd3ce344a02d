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
