//! Where the broker is, as its URL says.

use crate::reader::quote;
use crate::token::tokens;
use std::net::IpAddr;

tokens! {
    /// What is spoken with the broker.
    pub enum Protocol { Amqp = "AMQP 1.0", Mqtt = "MQTT 5" }
}

/// A listener of the broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    pub protocol: Protocol,
    pub tls: bool,
    /// A name or an address without brackets.
    pub host: String,
    pub port: u16,
}

/// Schemes with the ports that brokers use for them when nobody chooses another one.
const SCHEMES: &[(&str, Protocol, bool, u16)] = &[
    ("amqp", Protocol::Amqp, false, 5672),
    ("amqps", Protocol::Amqp, true, 5671),
    ("mqtt", Protocol::Mqtt, false, 1883),
    ("mqtts", Protocol::Mqtt, true, 8883),
];

/// What documents of the field mostly say, with what to say here instead.
const PROPRIETARY: &[(&str, &str)] =
    &[("tcp", "amqp"), ("smf", "amqp"), ("tcps", "amqps"), ("smfs", "amqps"), ("ssl", "amqps")];

impl Server {
    /// Reads `scheme://host[:port]`. The error says what to write instead.
    pub(super) fn parse(url: &str) -> Result<Server, String> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let scheme = scheme.to_ascii_lowercase();
        if let Some((_, instead)) = PROPRIETARY.iter().find(|(known, _)| *known == scheme) {
            return Err(format!(
                "url: {scheme}:// is Solace's own protocol, which is not available in this version; use {instead}://host:port \
                 with the port of the broker's AMQP 1.0 service (or {} for MQTT 5)",
                if *instead == "amqps" { "mqtts://" } else { "mqtt://" }
            ));
        }
        let Some((_, protocol, tls, port)) = SCHEMES.iter().find(|(known, ..)| *known == scheme) else {
            let text = "url must begin with amqp://, amqps://, mqtt:// or mqtts://, found";
            return Err(format!("{text} {}", quote(without_secrets(url))));
        };
        if rest.contains('@') {
            return Err(
                "url must not hold credentials, move them to security.auth.username and password".to_owned()
            );
        }
        let (host, port) = address(rest, *port).ok_or_else(|| {
            format!("url must be {scheme}://host or {scheme}://host:port, found {}", quote(url))
        })?;
        Ok(Server { protocol: *protocol, tls: *tls, host, port })
    }
}

/// What follows the last `@`: before it there may be a password.
fn without_secrets(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}

fn address(text: &str, default_port: u16) -> Option<(String, u16)> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => {
            host.parse::<IpAddr>().ok().filter(IpAddr::is_ipv6)?;
            (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("")),
        },
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    let port = match port? {
        "" if !text.ends_with(':') => default_port,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0)?
        }
        _ => return None,
    };
    (!host.is_empty() && host.chars().all(legal)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let seen = match Server::parse(url) {
            Ok(server) => {
                format!("{} {} {} {}", server.protocol.label(), server.tls, server.host, server.port)
            }
            Err(message) => message,
        };
        assert!(seen.starts_with(expected), "{url}: {seen}");
    }

    #[test]
    fn a_url_names_protocol_encryption_and_place() {
        check("amqp://solace", "AMQP 1.0 false solace 5672");
        check(" AMQPS://broker.example:5671/ ", "AMQP 1.0 true broker.example 5671");
        check("mqtt://127.0.0.1", "MQTT 5 false 127.0.0.1 1883");
        check("mqtts://[::1]", "MQTT 5 true ::1 8883");
        check("amqp://[::1]:5673", "AMQP 1.0 false ::1 5673");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_write_instead() {
        check("tcp://solace:55555", "url: tcp:// is Solace's own protocol");
        check("tcps://solace:55443", "url: tcps:// is Solace's own protocol");
        check("solace:5672", "url must begin with amqp://");
        check("http://solace", "url must begin with amqp://");
        check("amqp://app:secret@solace", "url must not hold credentials");
        for url in
            ["amqp://", "amqp://:5672", "amqp://a:", "amqp://a:0", "amqp://a:x", "amqp://a/b", "amqp://a,b:1"]
        {
            check(url, "url must be amqp://host");
        }
        let message = Server::parse("http://app:secret@solace").unwrap_err();
        assert!(!message.contains("secret"), "{message}");
    }
}
