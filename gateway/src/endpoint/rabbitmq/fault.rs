//! What can go wrong between the gateway and RabbitMQ, and what callers hear: the category and the setting to look at.
//!
//! The broker's own texts are never shown: they may name users, addresses and internals.

use crate::failure::{Failure, key};
use http::StatusCode;
use lapin::{Error, ErrorKind};
use rustls::{AlertDescription, CertificateError};
use std::borrow::Cow;
use std::io;

/// Reply codes of the protocol.
const CONNECTION_FORCED: u16 = 320;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unreachable,
    /// The host name has no address.
    Unresolvable,
    Credentials,
    VirtualHost,
    /// What speaks there is not this protocol.
    Protocol,
    /// The port speaks TLS, and the settings name none.
    WantsTls,
    /// No TLS connection, with the reason and what to look at.
    Tls(&'static str),
    /// The connection carries as many readers as the broker allows.
    Full,
}

impl Fault {
    /// What the caller hears.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Fault::Unreachable => {
                Failure::new(unavailable(), key::CONNECTION_FAILED, "Endpoint connection failed")
            }
            Fault::Unresolvable => invalid("serverHost has no address"),
            Fault::Credentials => invalid("RabbitMQ refused the credentials, see security.auth"),
            Fault::VirtualHost => {
                invalid("the virtual host does not exist or the user has no access to it, see virtualHost")
            }
            Fault::Protocol => invalid(
                "the server does not speak AMQP 0-9-1 there, see serverPort; a port for TLS needs security.ssl",
            ),
            Fault::WantsTls => invalid("the port speaks TLS: set security.ssl, or see serverPort"),
            Fault::Tls(reason) => invalid(*reason),
            Fault::Full => Failure::new(
                unavailable(),
                key::CONNECTION_FAILED,
                "RabbitMQ allows this gateway no more readers on one connection: use qos none, which shares one, \
                 or add gateways",
            ),
        }
    }

    /// Of a TLS handshake, or of the first exchange after it: a server refuses certificates late.
    pub(super) fn of_io(error: &io::Error) -> Fault {
        let source = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
        source.map_or(Fault::Unreachable, of_tls)
    }

    /// Of the connection's own handshake.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's errors; all others mean that there is no way"
    )]
    pub(super) fn of_handshake(error: &Error) -> Fault {
        match error.kind() {
            ErrorKind::ProtocolError(refused) => match refused.get_id() {
                ACCESS_REFUSED => Fault::Credentials,
                NOT_ALLOWED => Fault::VirtualHost,
                _ => Fault::Unreachable,
            },
            ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => Fault::Protocol,
            ErrorKind::IOError(error) => Fault::of_io(error),
            ErrorKind::ChannelsLimitReached => Fault::Full,
            _ => Fault::Unreachable,
        }
    }
}

fn unavailable() -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

/// A setting is wrong.
fn invalid(reason: impl Into<Cow<'static, str>>) -> Failure {
    let text = format!("Endpoint configuration invalid: {}", reason.into());
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors; what callers can act on has its own text"
)]
fn of_tls(error: &rustls::Error) -> Fault {
    use rustls::Error as Tls;
    Fault::Tls(match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate of RabbitMQ is not signed by an authority that is trusted, see security.ssl.trustStore"
        }
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate of RabbitMQ has expired"
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "the certificate of RabbitMQ is not valid yet",
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            "the certificate of RabbitMQ is for another host, see serverHost and security.ssl.hostnameVerifier"
        }
        Tls::InvalidCertificate(_) => "the certificate of RabbitMQ cannot be accepted",
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied,
        ) => "RabbitMQ asks for a certificate that it accepts, see security.ssl.keyStore",
        Tls::InvalidMessage(_) => {
            "the port does not speak TLS, see serverPort, or remove security.ssl for a plain connection"
        }
        _ => "no TLS connection to RabbitMQ is possible, see security.ssl",
    })
}

/// What an operation on a channel was about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    Exchange(&'a str),
    Queue(&'a str),
}

/// Whether the broker said that there is no such exchange or queue.
pub(super) fn is_missing(error: &Error) -> bool {
    code(error) == Some(NOT_FOUND)
}

/// Whether the client library could not read what the broker sent, by which it lost the connection.
pub(super) fn is_unreadable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ParsingError(_))
}

/// What the reader of a queue hears that has such a message at its head.
pub(super) fn unreadable(queue: &str) -> Failure {
    let text = format!(
        "a message in the queue {queue:?} cannot be read, because a name in it (of a header, a routing key, a type) is not UTF-8: \
         take it out of the queue with another client"
    );
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::UNKNOWN_ERROR, text)
}

fn code(error: &Error) -> Option<u16> {
    if let ErrorKind::ProtocolError(refused) = error.kind() { Some(refused.get_id()) } else { None }
}

/// What callers hear of an operation that failed.
pub(super) fn refused(error: &Error, about: About<'_>) -> Failure {
    let (kind, name) = match about {
        About::Exchange(name) => ("exchange", name),
        About::Queue(name) => ("queue", name),
    };
    match code(error) {
        Some(PRECONDITION_FAILED) => match about {
            About::Exchange(_) => invalid(format!(
                "the exchange {name:?} exists with another type, durability or auto-delete setting: \
                 use the ones it has"
            )),
            About::Queue(_) => invalid(format!(
                "the queue {name:?} exists with other properties: it has to be durable, not exclusive and without \
                 auto-delete, so delete it or use another client identifier"
            )),
        },
        Some(ACCESS_REFUSED) => invalid(format!(
            "the user has not the rights that are needed at the {kind} {name:?}, or the name is reserved"
        )),
        Some(NOT_FOUND) => invalid(format!("there is no {kind} {name:?}")),
        Some(RESOURCE_LOCKED) => invalid(format!("the {kind} {name:?} belongs to another connection alone")),
        Some(CONNECTION_FORCED) | None => Fault::of_handshake(error).failure(),
        Some(code) => {
            let text = format!("RabbitMQ refused the {kind} {name:?} with code {code}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::UNKNOWN_ERROR, text)
        }
    }
}

/// What readers hear whose broker stays away.
pub(super) fn closed() -> Failure {
    Failure::new(unavailable(), key::CONNECTION_CLOSED, "Endpoint connection closed")
}

/// What publishers hear whose message may or may not be there.
pub(super) fn unconfirmed() -> Failure {
    let text = "RabbitMQ did not confirm the message: it may or may not have it";
    Failure::new(unavailable(), key::PUBLISH_FAILED, text)
}

/// A publish that the broker did not take, with the reason.
pub(super) fn not_taken(reason: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new(unavailable(), key::PUBLISH_FAILED, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::{AMQPError, AMQPErrorKind};

    fn error(code: u16) -> Error {
        let kind = AMQPErrorKind::from_id(code).expect("a code of the protocol");
        ErrorKind::ProtocolError(AMQPError::new(kind, "login of 'app' from 10.0.0.1".into())).into()
    }

    #[test]
    fn the_handshake_tells_configuration_from_outage() {
        let check = |code, status: u16, text: &str| {
            let failure = Fault::of_handshake(&error(code)).failure();
            assert_eq!(failure.status.as_u16(), status, "{failure}");
            assert!(failure.message.contains(text) && !failure.message.contains("10.0.0.1"), "{failure}");
        };
        check(403, 500, "credentials");
        check(530, 500, "virtual host");
        check(320, 503, "Endpoint connection failed");
    }

    #[test]
    fn operations_name_what_they_were_about() {
        let check = |code, about, text: &str| {
            let failure = refused(&error(code), about);
            assert_eq!(failure.status.as_u16(), 500, "{failure}");
            assert!(failure.message.contains(text) && !failure.message.contains("10.0.0.1"), "{failure}");
        };
        check(406, About::Exchange("orders"), "the exchange \"orders\" exists with another type");
        check(406, About::Queue("q"), "the queue \"q\" exists with other properties");
        check(403, About::Exchange("amq.x"), "rights");
        check(404, About::Exchange("orders"), "there is no exchange \"orders\"");
        check(405, About::Queue("q"), "another connection");
        assert_eq!(refused(&error(320), About::Queue("q")).status.as_u16(), 503);
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_own_text() {
        let texts: Vec<_> = [
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
            rustls::Error::InvalidCertificate(CertificateError::Expired),
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
        ]
        .into_iter()
        .map(|error| Fault::of_io(&io::Error::new(io::ErrorKind::InvalidData, error)).failure().message)
        .collect();
        let distinct: std::collections::BTreeSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "{texts:?}");
        assert_eq!(Fault::of_io(&io::ErrorKind::ConnectionReset.into()), Fault::Unreachable);
    }
}
