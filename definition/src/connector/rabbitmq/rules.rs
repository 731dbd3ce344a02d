//! What the schema cannot say about RabbitMQ settings.

use super::settings::{AuthSettings, ExchangeSettings, RabbitMqSettings, SecuritySettings, SideSettings};
use super::{Exchange, ExchangeType, NAME_MAX_BYTES, PORT, RabbitMq, Route, TLS_PORT};
use crate::reader::quote;
use crate::violation::Violation;

/// Checked settings, or everything that is wrong with them.
pub(super) fn read(settings: RabbitMqSettings) -> Result<RabbitMq, Vec<Violation>> {
    let mut found = Vec::new();
    let host = host(&settings.server_host, &mut found);
    let SecuritySettings { auth, ssl } =
        settings.security.unwrap_or(SecuritySettings { auth: None, ssl: None });
    let AuthSettings { username, password } = auth.unwrap_or(AuthSettings { username: None, password: None });
    let username = required("security.auth.username", "name the user of RabbitMQ", username, &mut found);
    let password = required("security.auth.password", "send the password of the user", password, &mut found);
    if let Some(ssl) = &ssl {
        found.extend(ssl.violations("security.ssl"));
    }
    let virtual_host = match settings.virtual_host.trim() {
        "" => "/".to_owned(),
        name => short("virtualHost", name, &mut found),
    };
    let consumer = side("consumer", settings.consumer, &mut found);
    let producer = side("producer", settings.producer, &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    let port = settings.server_port.unwrap_or(if ssl.is_some() { TLS_PORT } else { PORT });
    let ssl = ssl.map(|ssl| ssl.merge());
    Ok(RabbitMq { host, port, virtual_host, username, password, ssl, consumer, producer })
}

fn invalid(path: &str, message: String) -> Violation {
    Violation::new(path, "data.invalid", message)
}

/// A name, an IPv4 address, or an IPv6 address with or without brackets; no scheme and no port.
fn host(text: &str, found: &mut Vec<Violation>) -> String {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let named = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if !named && bare.parse::<std::net::Ipv6Addr>().is_err() {
        found.push(invalid(
            "serverHost",
            format!(
                "serverHost must be a host name or an address without scheme and port, found {}: \
                 the port has a setting of its own, serverPort",
                quote(text)
            ),
        ));
    }
    bare.to_owned()
}

fn required(path: &str, fix: &str, value: Option<String>, found: &mut Vec<Violation>) -> String {
    match value.filter(|value| !value.is_empty()) {
        // Credentials travel in the connection's first frame, whose size is bounded.
        Some(value) if value.len() > NAME_MAX_BYTES => {
            found.push(invalid(path, format!("{path} is longer than {NAME_MAX_BYTES} bytes, shorten it")));
            value
        }
        Some(value) => value,
        None => {
            found.push(invalid(path, format!("{path} is required: {fix}")));
            String::new()
        }
    }
}

/// A text that the protocol can carry as a name.
fn short(path: &str, text: &str, found: &mut Vec<Violation>) -> String {
    if text.len() > NAME_MAX_BYTES || text.chars().any(char::is_control) {
        let message =
            format!("{path} must have at most {NAME_MAX_BYTES} bytes and no control characters, shorten it");
        found.push(invalid(path, message));
    }
    text.to_owned()
}

fn side(name: &str, side: Option<SideSettings>, found: &mut Vec<Violation>) -> Option<Route> {
    let SideSettings { enabled, exchange, routing_key } = side?;
    if !enabled {
        return None;
    }
    let at = format!("{name}.exchange");
    let Some(ExchangeSettings { name: exchange, kind, durable, auto_delete }) = exchange else {
        let message =
            format!("{at} is required while the {name} is enabled: give its name and type, or disable it");
        found.push(invalid(&at, message));
        return None;
    };
    let place = format!("{at}.name");
    let exchange = match exchange.filter(|exchange| !exchange.is_empty()) {
        Some(exchange) => short(&place, &exchange, found),
        None => required(&place, "name the exchange", None, found),
    };
    let Some(kind) = kind else {
        let types = ExchangeType::LABELS.join(", ");
        found.push(invalid(&format!("{at}.type"), format!("{at}.type is required: one of {types}")));
        return None;
    };
    let at = format!("{name}.routingKey");
    let routing_key = match (routing_key, kind) {
        (Some(key), _) if !key.is_empty() => short(&at, &key, found),
        (_, ExchangeType::Fanout | ExchangeType::Headers) => String::new(),
        (_, ExchangeType::Direct | ExchangeType::Topic) => {
            let fix = format!("an exchange of type {kind} chooses queues by it");
            required(&at, &fix, None, found)
        }
    };
    let exchange = Exchange { name: exchange, kind, durable, auto_delete };
    Some(Route { exchange, routing_key })
}
