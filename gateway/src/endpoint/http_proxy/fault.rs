//! What can go wrong between the gateway and a backend, and what the caller is told: a status and a key, no text.

use crate::failure::{Failure, key};
use http::StatusCode;
use std::error::Error;
use std::io::{self, ErrorKind};

/// A call that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ConnectTimeout,
    ReadTimeout,
    /// The client did not send the rest of its request.
    Stalled,
    /// All connections were in use for too long.
    PoolExhausted,
    Refused,
    Dns,
    Unreachable,
    Tls,
    Reset,
    /// The backend ended the connection before it answered.
    Closed,
    /// What the backend sent is no HTTP, or an upstream proxy does not do its part.
    Protocol,
    /// The gateway does not connect to such addresses on behalf of whoever chose the place.
    Forbidden,
    /// The body of the request broke off: the caller is gone.
    Request,
}

impl Fault {
    /// For the caller.
    pub(super) fn failure(self) -> Failure {
        let of = |status, key| Failure::new(status, key, "");
        let gateway = |key| of(StatusCode::BAD_GATEWAY, key).parent(key::CLIENT_CONNECTION_ERROR);
        let timeout = |key| of(StatusCode::GATEWAY_TIMEOUT, key).parent(key::REQUEST_TIMEOUT);
        match self {
            Fault::ConnectTimeout => timeout(key::CLIENT_CONNECT_TIMEOUT),
            Fault::ReadTimeout => timeout(key::CLIENT_READ_TIMEOUT),
            Fault::Stalled => Failure::client_stalled(),
            Fault::PoolExhausted => of(StatusCode::SERVICE_UNAVAILABLE, key::CLIENT_POOL_EXHAUSTED),
            Fault::Refused | Fault::Forbidden => gateway(key::CLIENT_CONNECTION_REFUSED),
            Fault::Dns => gateway(key::CLIENT_DNS_ERROR),
            Fault::Unreachable => gateway(key::CLIENT_UNREACHABLE),
            Fault::Tls => gateway(key::CLIENT_TLS_ERROR),
            Fault::Reset => gateway(key::CLIENT_CONNECTION_RESET),
            Fault::Closed => gateway(key::CLIENT_CONNECTION_CLOSED),
            Fault::Protocol => of(StatusCode::BAD_GATEWAY, key::CLIENT_CONNECTION_ERROR),
            Fault::Request => of(StatusCode::BAD_REQUEST, key::CLIENT_ABORTED_REQUEST),
        }
    }

    /// Of a connection that could not be made.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the system's errors; all others mean that there is no way"
    )]
    pub(super) fn of_connect(error: &io::Error) -> Fault {
        match error.kind() {
            ErrorKind::ConnectionRefused => Fault::Refused,
            ErrorKind::TimedOut => Fault::ConnectTimeout,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Fault::Reset,
            ErrorKind::UnexpectedEof => Fault::Closed,
            // Network and host unreachable, no route, no address of a usable family.
            _ => Fault::Unreachable,
        }
    }

    /// Of an exchange on a connection.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors; all others are the protocol's")]
    pub(super) fn of_exchange(error: &hyper::Error) -> Fault {
        if error.is_user() {
            return Fault::Request;
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Fault::Closed;
        }
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(error) = inner.downcast_ref::<io::Error>() {
                return match error.kind() {
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                        Fault::Reset
                    }
                    ErrorKind::UnexpectedEof => Fault::Closed,
                    _ => Fault::Protocol,
                };
            }
            source = inner.source();
        }
        Fault::Protocol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_status_key_and_parent() {
        let check = |fault: Fault, expected: &str| {
            let failure = fault.failure();
            let parent = failure.details.as_ref().and_then(|details| details.parent_key).unwrap_or("-");
            let key = failure.key.as_deref().unwrap_or("-");
            assert_eq!(format!("{} {key} {parent}", failure.status.as_u16()), expected);
            assert!(failure.message.is_empty());
        };
        let connection = "GATEWAY_CLIENT_CONNECTION_ERROR";
        check(Fault::ConnectTimeout, "504 GATEWAY_CLIENT_CONNECT_TIMEOUT REQUEST_TIMEOUT");
        check(Fault::ReadTimeout, "504 GATEWAY_CLIENT_READ_TIMEOUT REQUEST_TIMEOUT");
        check(Fault::PoolExhausted, "503 GATEWAY_CLIENT_CONNECTION_POOL_EXHAUSTED -");
        check(Fault::Refused, &format!("502 GATEWAY_CLIENT_CONNECTION_REFUSED {connection}"));
        check(Fault::Dns, &format!("502 GATEWAY_CLIENT_DNS_RESOLUTION_ERROR {connection}"));
        check(Fault::Unreachable, &format!("502 GATEWAY_CLIENT_UNREACHABLE {connection}"));
        check(Fault::Tls, &format!("502 GATEWAY_CLIENT_TLS_HANDSHAKE_ERROR {connection}"));
        check(Fault::Reset, &format!("502 GATEWAY_CLIENT_CONNECTION_RESET {connection}"));
        check(Fault::Closed, &format!("502 GATEWAY_CLIENT_CONNECTION_CLOSED {connection}"));
        check(Fault::Protocol, "502 GATEWAY_CLIENT_CONNECTION_ERROR -");
        check(Fault::Request, "400 CLIENT_ABORTED_DURING_REQUEST_ERROR -");
    }
}
