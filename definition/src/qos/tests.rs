use super::*;

/// The table that decides, word for word.
const TABLE: &str = "
| entrypoint | mqtt5, mqtt5-advanced | kafka | kafka-advanced | rabbitmq | solace | mock |
|---|---|---|---|---|---|---|
| `sse`, `sse-advanced` | L M | N A | N A L M | N A | N A | N A L M |
| `http-post` | N A | N A | N A | N A | N A | N A |
| `http-get` | A | A | A L M | A | A | A L M |
| `websocket` | N A | N A | N A | N A | N A | N A |
| `webhook`, `webhook-advanced` | L M | N A | N A L M | N A L M | N A L M | N A L M |
";

fn letters(text: &str) -> Vec<Qos> {
    let level = |letter| match letter {
        "N" => Qos::None,
        "A" => Qos::Auto,
        "M" => Qos::AtMostOnce,
        "L" => Qos::AtLeastOnce,
        other => panic!("no level {other}"),
    };
    let mut levels: Vec<Qos> = text.split_whitespace().map(level).collect();
    levels.sort();
    levels
}

fn sorted(levels: &[Qos]) -> Vec<Qos> {
    let mut levels = levels.to_vec();
    levels.sort();
    levels
}

fn columns(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn the_matrix_is_the_table() {
    let mut rows = TABLE.trim().lines();
    let head = columns(rows.next().unwrap());
    let mut cells = 0;
    for row in rows.skip(1).map(columns) {
        for (column, levels) in head.iter().zip(&row).skip(1) {
            for entrypoint in row[0].split(',').map(|id| id.trim().trim_matches('`')) {
                for endpoint in column.split(',').map(str::trim) {
                    let found = cell(
                        EntrypointKind::parse(entrypoint).unwrap(),
                        EndpointKind::parse(endpoint).unwrap(),
                    );
                    assert_eq!(sorted(found), letters(levels), "{entrypoint} over {endpoint}");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 7 * 7);
}

#[test]
fn every_cell_is_in_the_order_of_preference() {
    let order = [Qos::Auto, Qos::AtLeastOnce, Qos::AtMostOnce, Qos::None];
    for entrypoint in EntrypointKind::ALL {
        for endpoint in EndpointKind::ALL {
            let cell = cell(*entrypoint, *endpoint);
            let wanted: Vec<Qos> = order.into_iter().filter(|qos| cell.contains(qos)).collect();
            assert_eq!(cell, wanted, "{entrypoint} over {endpoint}");
        }
    }
}

#[test]
fn every_level_that_may_be_saved_can_be_served() {
    for family in Family::ALL {
        for entrypoint in EntrypointKind::ALL {
            for endpoint in EndpointKind::ALL {
                for qos in Qos::ALL {
                    let saved = allowed(*family, *entrypoint, *endpoint).contains(qos);
                    let served = check_connection(*family, *entrypoint, *endpoint, *qos, false);
                    assert_eq!(saved, served.is_ok(), "{family} {entrypoint} over {endpoint} at {qos}");
                }
            }
        }
    }
}

#[test]
fn later_documents_use_the_advanced_column_and_keep_auto() {
    use EndpointKind as P;
    use EntrypointKind as E;
    assert_eq!(allowed(Family::V4, E::Sse, P::Kafka), cell(E::Sse, P::KafkaAdvanced));
    assert_eq!(allowed(Family::Beta, E::Sse, P::Kafka), [Qos::Auto, Qos::None]);
    assert_eq!(allowed(Family::V4, E::Sse, P::Mqtt5), [Qos::Auto, Qos::AtLeastOnce, Qos::AtMostOnce]);
    assert_eq!(allowed(Family::Beta, E::Sse, P::Mqtt5), [Qos::AtLeastOnce, Qos::AtMostOnce]);
}

#[test]
fn resuming_needs_an_endpoint_that_recovers() {
    let check = |endpoint, qos| check_connection(Family::Beta, EntrypointKind::Sse, endpoint, qos, true);
    assert_eq!(check(EndpointKind::Mqtt5, Qos::AtLeastOnce), Err(Mismatch::Capabilities));
    assert_eq!(check(EndpointKind::KafkaAdvanced, Qos::AtLeastOnce), Ok(()));
    assert_eq!(check(EndpointKind::Kafka, Qos::Auto), Ok(()));
    assert_eq!(check(EndpointKind::Kafka, Qos::AtLeastOnce), Err(Mismatch::Level));
}

fn api(listeners: serde_json::Value, groups: &[(&str, &str)]) -> Api {
    let group = |(name, connector): &(&str, &str)| {
        let endpoint = serde_json::json!({"name": format!("{name}-1"), "type": connector, "secondary": false,
            "weight": 1, "inheritConfiguration": false});
        serde_json::json!({"name": name, "type": connector, "endpoints": [endpoint]})
    };
    let groups: Vec<_> = groups.iter().map(group).collect();
    serde_json::from_value(serde_json::json!({
        "family": "beta", "type": "message", "name": "a", "apiVersion": "1", "visibility": "PRIVATE",
        "lifecycleState": "CREATED", "listeners": listeners, "endpointGroups": groups,
        "flowExecution": {"mode": "default"},
    }))
    .unwrap()
}

fn webhook_with_dlq(target: &str) -> serde_json::Value {
    serde_json::json!([{"type": "subscription", "entrypoints": [{"type": "webhook", "dlq": {"endpoint": target}}]}])
}

fn reached_groups(api: &Api) -> Vec<String> {
    reached(api).into_iter().map(|group| group.group).collect()
}

#[test]
fn a_group_that_is_only_a_dead_letter_target_is_not_reached() {
    let groups = [("main", "kafka"), ("dead", "mqtt5")];
    assert_eq!(reached_groups(&api(webhook_with_dlq("dead"), &groups)), ["main"]);
    assert_eq!(reached_groups(&api(webhook_with_dlq("dead-1"), &groups)), ["main"], "named by its endpoint");
    assert_eq!(reached_groups(&api(webhook_with_dlq("other"), &groups)), ["main", "dead"]);
    assert_eq!(reached_groups(&api(webhook_with_dlq("main"), &groups[..1])), ["main"], "the only one stays");
}

#[test]
fn an_absent_level_is_the_first_that_every_group_allows() {
    let check = |entrypoint, groups: &[(&str, &str)], expected: Option<Qos>| {
        let reached = reached(&api(serde_json::json!([]), groups));
        assert_eq!(resolve(Family::Beta, entrypoint, &reached), expected, "{entrypoint} over {groups:?}");
    };
    check(EntrypointKind::Sse, &[("a", "kafka")], Some(Qos::Auto));
    check(EntrypointKind::Sse, &[("a", "mqtt5")], Some(Qos::AtLeastOnce));
    check(EntrypointKind::Sse, &[("a", "mqtt5"), ("b", "kafka-advanced")], Some(Qos::AtLeastOnce));
    check(EntrypointKind::Sse, &[("a", "mqtt5"), ("b", "kafka")], None);
    check(EntrypointKind::HttpGet, &[("a", "solace"), ("b", "mock")], Some(Qos::Auto));
}
