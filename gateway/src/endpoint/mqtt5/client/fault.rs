//! Why a broker cannot be used, and what callers hear about it. Texts of brokers are never shown: they may hold names and
//! addresses.

use crate::failure::{Failure, key};
use http::StatusCode;
use rumqttc::{ConnectReturnCode, ConnectionError, DisconnectReasonCode, Incoming, StateError, TlsError};
use rustls::{AlertDescription, CertificateError, Error as Tls};
use std::io::{Error as IoError, ErrorKind};

/// Why no connection can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody answers, or not in time.
    Unreachable,
    /// The connection was broken.
    Closed,
    /// The broker ended the connection without a word, as Mosquitto 2.0 does with a client whose session was taken over.
    Ended,
    Unresolvable,
    Credentials,
    ClientId,
    Untrusted,
    Expired,
    OtherName,
    ClientCertificate,
    /// The other side does not speak TLS.
    NoTls,
    /// TLS failed in another way.
    OtherTls,
    /// The other side speaks something else.
    Protocol,
    /// The broker sent a message before it said that it accepts the client, as Artemis does now and then with a session that it kept.
    Hasty,
    /// Another client took the session.
    TakenOver,
}

impl Cause {
    /// The cause behind an error of the library.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what the library tells apart beyond these means the same to a user"
    )]
    pub(super) fn of(error: &ConnectionError) -> Cause {
        match error {
            ConnectionError::Io(error) => of_io(error),
            ConnectionError::Tls(TlsError::Io(error)) => match of_io(error) {
                // The greeting of a TLS client makes nobody else answer.
                Cause::Closed | Cause::Ended => Cause::NoTls,
                cause => cause,
            },
            ConnectionError::Tls(TlsError::TLS(error)) => of_tls(error),
            ConnectionError::Tls(_) => Cause::OtherTls,
            ConnectionError::ConnectionRefused(code) => of_code(*code),
            ConnectionError::MqttState(state) => of_state(state),
            ConnectionError::NotConnAck(packet) if matches!(**packet, Incoming::Publish(_)) => Cause::Hasty,
            ConnectionError::NotConnAck(_) => Cause::Protocol,
            _ => Cause::Unreachable,
        }
    }

    /// What the caller hears.
    pub(super) fn failure(self) -> Failure {
        let invalid = |text: &'static str| {
            let text = format!("Endpoint configuration invalid: {text}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)
        };
        let unreachable =
            |text: &'static str| Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, text);
        match self {
            Cause::Unreachable | Cause::Hasty => unreachable("Endpoint connection failed"),
            Cause::Closed | Cause::Ended => unreachable(
                "Endpoint connection failed: the broker closed the connection without an answer, \
                 as it does when it expects TLS or a client certificate",
            ),
            Cause::TakenOver => {
                unreachable("Endpoint connection failed: another client uses the same client id")
            }
            Cause::Unresolvable => invalid("the broker's host has no address"),
            Cause::Credentials => invalid("the broker refused the credentials"),
            Cause::ClientId => invalid("the broker refused the client id"),
            Cause::Untrusted => {
                invalid("the broker's certificate is not signed by anybody whom the trust store holds")
            }
            Cause::Expired => invalid("the broker's certificate is expired or not valid yet"),
            Cause::OtherName => invalid("the broker's certificate is for another host"),
            Cause::ClientCertificate => {
                invalid("the broker refused the gateway's certificate, or misses one")
            }
            Cause::NoTls => invalid("the broker does not speak TLS on this port"),
            Cause::OtherTls => invalid("no TLS connection to the broker is possible"),
            Cause::Protocol => invalid("what answers on this port is no MQTT 5 broker, or expects TLS"),
        }
    }

    /// What readers hear when the connection they had does not come back.
    pub(super) fn lost(self) -> Failure {
        match self {
            Cause::Unreachable | Cause::Closed | Cause::Ended | Cause::Hasty | Cause::TakenOver => closed(),
            Cause::Unresolvable
            | Cause::Credentials
            | Cause::ClientId
            | Cause::Untrusted
            | Cause::Expired
            | Cause::OtherName
            | Cause::ClientCertificate
            | Cause::NoTls
            | Cause::OtherTls
            | Cause::Protocol => self.failure(),
        }
    }
}

/// The broker is gone.
pub(super) fn closed() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_CLOSED, "Endpoint connection closed")
}

/// The error of the socket that an error of the library comes from.
fn io_behind<E: std::error::Error>(error: &E) -> Option<&IoError> {
    error.source()?.downcast_ref()
}

fn of_io(error: &IoError) -> Cause {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        return of_tls(tls);
    }
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    if is(&[ErrorKind::NotFound]) {
        Cause::Unresolvable
    } else if is(&[ErrorKind::UnexpectedEof]) {
        Cause::Ended
    } else if is(&[ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe]) {
        Cause::Closed
    } else if is(&[ErrorKind::InvalidData]) {
        Cause::Protocol
    } else {
        Cause::Unreachable
    }
}

fn of_tls(error: &Tls) -> Cause {
    if let Tls::InvalidCertificate(reason) = error {
        return of_certificate(reason);
    }
    if let Tls::AlertReceived(alert) = error {
        let certificate = [
            AlertDescription::CertificateRequired,
            AlertDescription::BadCertificate,
            AlertDescription::UnsupportedCertificate,
            AlertDescription::CertificateRevoked,
            AlertDescription::CertificateExpired,
            AlertDescription::CertificateUnknown,
            AlertDescription::UnknownCA,
            AlertDescription::AccessDenied,
            AlertDescription::HandshakeFailure,
        ];
        return if certificate.contains(alert) { Cause::ClientCertificate } else { Cause::OtherTls };
    }
    if matches!(error, Tls::InvalidMessage(_)) { Cause::NoTls } else { Cause::OtherTls }
}

fn of_certificate(reason: &CertificateError) -> Cause {
    if matches!(reason, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
        Cause::OtherName
    } else if matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    ) {
        Cause::Expired
    } else {
        Cause::Untrusted
    }
}

fn of_code(code: ConnectReturnCode) -> Cause {
    use ConnectReturnCode as Code;
    let is = |codes: &[Code]| codes.contains(&code);
    if is(&[Code::BadUserNamePassword, Code::NotAuthorized, Code::Banned, Code::BadAuthenticationMethod]) {
        Cause::Credentials
    } else if is(&[Code::ClientIdentifierNotValid, Code::BadClientId]) {
        Cause::ClientId
    } else if is(&[
        Code::UnsupportedProtocolVersion,
        Code::RefusedProtocolVersion,
        Code::ProtocolError,
        Code::MalformedPacket,
    ]) {
        Cause::Protocol
    } else {
        Cause::Unreachable
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the library tells apart beyond these means the same to a user"
)]
fn of_state(error: &StateError) -> Cause {
    match error {
        StateError::Io(error) => of_io(error),
        StateError::ConnFail { reason } => of_code(*reason),
        StateError::ServerDisconnect { reason_code: DisconnectReasonCode::SessionTakenOver, .. } => {
            Cause::TakenOver
        }
        StateError::ServerDisconnect { reason_code: DisconnectReasonCode::NotAuthorized, .. } => {
            Cause::Credentials
        }
        StateError::ConnectionAborted => Cause::Ended,
        // The library reads an end of the connection as a packet that cannot be read.
        StateError::Deserialization(error) => io_behind(error).map_or(Cause::Protocol, of_io),
        _ => Cause::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_words_of_its_own_and_no_secret() {
        let io = |kind: ErrorKind| ConnectionError::Io(IoError::from(kind));
        let tls =
            |error: Tls| ConnectionError::Tls(TlsError::Io(IoError::new(ErrorKind::InvalidData, error)));
        let check = |error: ConnectionError, status: u16, words: &str| {
            let failure = Cause::of(&error).failure();
            assert_eq!(failure.status.as_u16(), status, "{error:?}");
            assert!(failure.message.contains(words), "{error:?}: {}", failure.message);
        };
        check(io(ErrorKind::ConnectionRefused), 503, "Endpoint connection failed");
        check(io(ErrorKind::NotFound), 500, "has no address");
        check(io(ErrorKind::ConnectionReset), 503, "without an answer");
        check(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized), 500, "credentials");
        check(ConnectionError::ConnectionRefused(ConnectReturnCode::ServerBusy), 503, "connection failed");
        let message = rumqttc::Publish::new("t", rumqttc::QoS::AtLeastOnce, "early", None);
        check(ConnectionError::NotConnAck(Box::new(Incoming::Publish(message))), 503, "connection failed");
        check(tls(Tls::InvalidCertificate(CertificateError::UnknownIssuer)), 500, "not signed by");
        check(tls(Tls::InvalidCertificate(CertificateError::Expired)), 500, "expired");
        check(tls(Tls::InvalidCertificate(CertificateError::NotValidForName)), 500, "another host");
        check(tls(Tls::AlertReceived(AlertDescription::CertificateRequired)), 500, "misses one");
        check(ConnectionError::Tls(TlsError::Io(ErrorKind::UnexpectedEof.into())), 500, "does not speak TLS");
    }
}
