//! What goes wrong between gateway and broker, and what callers hear of it. A broker's own words go to the log only: they
//! may name addresses and users.

use crate::failure::{Failure, key};
use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{
    DetachError, IllegalLinkStateError, LinkStateError, ReceiverAttachError, RecvError, SendError,
    SenderAttachError, SessionStopReason,
};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::transport;
use fe2o3_amqp::types::definitions::{self, AmqpError, ErrorCondition, LinkError};
use http::StatusCode;
use rustls::{AlertDescription, CertificateError};
use std::io;

/// How Artemis words that another client holds a subscription that only one may hold.
const ONLY_ONE: &str = "Maximum Consumer Limit Reached";

/// Why the broker cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unreachable,
    Unresolvable,
    NoAnswer,
    /// The connection or a link of it is gone.
    Closed,
    /// The connection was closed before anything was said.
    HungUp,
    Credentials,
    Forbidden,
    Tls(Distrust),
    /// What answers speaks something else.
    Stranger,
    /// Another gateway holds the subscription of this client.
    Busy,
    /// The broker cannot take more for now.
    Full,
    /// The broker takes messages up to this size, bytes.
    TooLarge(u64),
    /// Refused for another reason.
    Refused,
}

/// What stands against a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distrust {
    Expired,
    Untrusted,
    WrongName,
    /// The broker refused the gateway's certificate, or misses one.
    Client,
    Other,
}

impl Fault {
    /// Whether waiting may help.
    pub(super) fn passes(&self) -> bool {
        match self {
            Fault::Unreachable
            | Fault::Unresolvable
            | Fault::NoAnswer
            | Fault::Closed
            | Fault::HungUp
            | Fault::Busy
            | Fault::Full => true,
            Fault::Credentials
            | Fault::Forbidden
            | Fault::Tls(_)
            | Fault::Stranger
            | Fault::TooLarge(_)
            | Fault::Refused => false,
        }
    }

    /// What the caller hears.
    pub(super) fn failure(&self) -> Failure {
        let invalid = |text: &str| {
            let text = format!("Endpoint configuration invalid: {text}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)
        };
        let unavailable = |key, text: &'static str| Failure::new(StatusCode::SERVICE_UNAVAILABLE, key, text);
        match self {
            Fault::Unreachable | Fault::NoAnswer => {
                unavailable(key::CONNECTION_FAILED, "Endpoint connection failed")
            }
            Fault::Closed => unavailable(key::CONNECTION_CLOSED, "Endpoint connection closed"),
            Fault::HungUp => unavailable(
                key::CONNECTION_FAILED,
                "Endpoint connection failed: the broker closed the connection without an answer, as it does when it \
                 expects TLS or another protocol",
            ),
            Fault::Unresolvable => invalid("the broker's host has no address"),
            Fault::Credentials => invalid("the broker refused the credentials"),
            Fault::Forbidden => invalid("the broker does not give these credentials the right to this topic"),
            Fault::Tls(Distrust::Expired) => invalid("the broker's certificate has expired"),
            Fault::Tls(Distrust::Untrusted) => {
                invalid("the broker's certificate is not signed by a trusted authority")
            }
            Fault::Tls(Distrust::WrongName) => invalid("the broker's certificate names another host"),
            Fault::Tls(Distrust::Client) => invalid("the broker does not accept the gateway's certificate"),
            Fault::Tls(Distrust::Other) => invalid("no TLS connection to the broker is possible"),
            Fault::Stranger => invalid("what answers at the url does not speak AMQP 1.0"),
            Fault::Busy => unavailable(
                key::SUBSCRIBE_FAILED,
                "Another gateway reads for this client identifier, and this broker does not share a subscription: \
                 come back later, or use another client identifier",
            ),
            Fault::Full => unavailable(key::PUBLISH_FAILED, "The broker cannot take more messages now"),
            Fault::TooLarge(max) => {
                let text = format!("The message is larger than the {max} bytes that the broker takes");
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, key::PUBLISH_FAILED, text)
            }
            Fault::Refused => Failure::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                key::UNKNOWN_ERROR,
                "The broker refused the request",
            ),
        }
    }

    /// What the broker says.
    pub(super) fn said(error: &definitions::Error) -> Fault {
        let description = error.description.as_deref().unwrap_or_default();
        tracing::warn!(condition = ?error.condition, description, "a broker refused something");
        let amqp = |condition| error.condition == ErrorCondition::AmqpError(condition);
        if amqp(AmqpError::UnauthorizedAccess) {
            Fault::Forbidden
        } else if amqp(AmqpError::ResourceLocked) || description.contains(ONLY_ONE) {
            Fault::Busy
        } else if amqp(AmqpError::ResourceLimitExceeded) {
            Fault::Full
        } else if matches!(
            error.condition,
            ErrorCondition::ConnectionError(_) | ErrorCondition::LinkError(LinkError::DetachForced)
        ) {
            Fault::Closed
        } else {
            Fault::Refused
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls) => Fault::from(rustls),
            None if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
            ) =>
            {
                Fault::Closed
            }
            None => Fault::Unreachable,
        }
    }
}

impl From<&rustls::Error> for Fault {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what the library tells apart beyond these means the same to a user"
    )]
    fn from(error: &rustls::Error) -> Fault {
        tracing::warn!(%error, "a TLS connection to a broker failed");
        let distrust = match error {
            rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => Distrust::Expired,
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Distrust::WrongName,
            rustls::Error::InvalidCertificate(_) => Distrust::Untrusted,
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked,
            ) => Distrust::Client,
            _ => Distrust::Other,
        };
        Fault::Tls(distrust)
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Fault {
        match error {
            OpenError::Io(error) => error.into(),
            OpenError::TransportError(transport::Error::Io(error)) => error.into(),
            OpenError::SaslError { .. } => Fault::Credentials,
            // The broker offers no mechanism that fits to the credentials, or to having none.
            OpenError::NotImplemented(_) => Fault::Credentials,
            OpenError::RemoteClosedWithError(error) => connection_said(&error),
            OpenError::RemoteClosed => Fault::Closed,
            OpenError::ProtocolHeaderMismatch(_)
            | OpenError::DecodeError(_)
            | OpenError::TransportError(_) => Fault::Stranger,
            OpenError::UrlError(_)
            | OpenError::InvalidDomain
            | OpenError::TlsConnectorNotFound
            | OpenError::InvalidScheme
            | OpenError::InvalidSchemeForSaslExternal
            | OpenError::ScramError(_)
            | OpenError::IllegalState => Fault::Refused,
        }
    }
}

/// A connection that is closed because nobody may be here was opened with the wrong credentials, or with none.
fn connection_said(error: &definitions::Error) -> Fault {
    let fault = Fault::said(error);
    if matches!(fault, Fault::Forbidden) { Fault::Credentials } else { fault }
}

fn connection_stopped(reason: &ConnectionStopReason) -> Fault {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(error) => connection_said(error),
        ConnectionStopReason::Closed
        | ConnectionStopReason::ClosedWithError(_)
        | ConnectionStopReason::RemoteClosed => Fault::Closed,
    }
}

fn session_stopped(reason: &SessionStopReason) -> Fault {
    match reason {
        SessionStopReason::RemoteEndedWithError(error) => Fault::said(error),
        SessionStopReason::ConnectionStopped(reason) => connection_stopped(reason),
        SessionStopReason::Ended | SessionStopReason::EndedWithError(_) | SessionStopReason::RemoteEnded => {
            Fault::Closed
        }
    }
}

impl From<BeginError> for Fault {
    fn from(error: BeginError) -> Fault {
        match error {
            BeginError::ConnectionStopped(reason) => connection_stopped(&reason),
            BeginError::RemoteEndedWithError(error) => Fault::said(&error),
            BeginError::IllegalState
            | BeginError::ConnectionNotOpened
            | BeginError::RemoteEnded
            | BeginError::LocalChannelMaxReached => Fault::Closed,
        }
    }
}

impl From<ReceiverAttachError> for Fault {
    fn from(error: ReceiverAttachError) -> Fault {
        if let ReceiverAttachError::RemoteClosedWithError(error) = &error {
            return Fault::said(error);
        }
        if let ReceiverAttachError::SessionStopped(reason) = &error {
            return session_stopped(reason);
        }
        tracing::warn!(%error, "a broker did not attach a receiving link as asked");
        Fault::Refused
    }
}

impl From<SenderAttachError> for Fault {
    fn from(error: SenderAttachError) -> Fault {
        if let SenderAttachError::RemoteClosedWithError(error) = &error {
            return Fault::said(error);
        }
        if let SenderAttachError::SessionStopped(reason) = &error {
            return session_stopped(reason);
        }
        tracing::warn!(%error, "a broker did not attach a sending link as asked");
        Fault::Refused
    }
}

impl From<LinkStateError> for Fault {
    fn from(error: LinkStateError) -> Fault {
        match error {
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                Fault::said(&error)
            }
            LinkStateError::SessionStopped(reason) => session_stopped(&reason),
            LinkStateError::IllegalState
            | LinkStateError::RemoteDetached
            | LinkStateError::RemoteClosed
            | LinkStateError::ExpectImmediateDetach => Fault::Closed,
        }
    }
}

impl From<RecvError> for Fault {
    fn from(error: RecvError) -> Fault {
        if let RecvError::LinkStateError(error) = error {
            return error.into();
        }
        tracing::warn!(%error, "a broker sent what cannot be read");
        Fault::Closed
    }
}

impl From<IllegalLinkStateError> for Fault {
    fn from(error: IllegalLinkStateError) -> Fault {
        match error {
            IllegalLinkStateError::SessionStopped(reason) => session_stopped(&reason),
            IllegalLinkStateError::IllegalState => Fault::Closed,
        }
    }
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Fault {
        match error {
            SendError::LinkStateError(error) => error.into(),
            SendError::Detached(
                DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error),
            ) => Fault::said(&error),
            SendError::Detached(DetachError::SessionStopped(reason)) => session_stopped(&reason),
            SendError::Detached(_) => Fault::Closed,
            SendError::MessageSizeExceeded(exceeded) => Fault::TooLarge(exceeded.max_size),
            SendError::NonTerminalDeliveryState
            | SendError::IllegalDeliveryState
            | SendError::MessageEncodeError => Fault::Refused,
        }
    }
}
