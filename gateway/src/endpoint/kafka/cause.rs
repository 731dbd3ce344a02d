//! Why no broker can be used, and what callers hear of it. Broker text is never shown: it may hold addresses and
//! credentials.

use crate::failure::{Failure, key};
use http::StatusCode;
use rdkafka::types::RDKafkaErrorCode;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest name of a mechanism that is repeated, characters, and how many are.
const MECHANISMS_MAX: (usize, usize) = (32, 12);

/// Why no broker can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    Unreachable,
    Unresolvable,
    /// No TLS connection; our own look tells more.
    Tls,
    Credentials,
    Token,
    TokenExpired,
    NoToken,
    /// The listener offers others, named here.
    Mechanism(Arc<str>),
    /// SASL, and the listener has none.
    NoSasl,
    /// No SASL, and the listener wants one of those named here.
    WantsSasl(Arc<str>),
    /// TLS, and the listener has none.
    NoTls,
    /// No TLS, and the listener wants it.
    WantsTls,
    Untrusted,
    Expired,
    WrongHost,
    NoClientCertificate,
    ClientCertificate,
}

impl Cause {
    /// The cause behind an error event, when it names one.
    pub(super) fn of(code: RDKafkaErrorCode, reason: &str) -> Option<Cause> {
        let says = |text: &str| reason.contains(text);
        if matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) {
            Some(if says("Unsupported SASL mechanism") {
                let offered = reason.split("supported mechanisms:").nth(1).unwrap_or_default();
                // Behind the list the library says when, in which state and how often.
                let offered = offered.split('(').next().unwrap_or_default();
                Cause::Mechanism(mechanisms(offered.split(',')))
            } else if says("Request not valid in current SASL state") {
                Cause::NoSasl
            } else if says("the token has expired") {
                Cause::TokenExpired
            } else if says("no token was given") {
                Cause::NoToken
            } else if says("no token available") {
                // The library tries to log in before it was given the first token.
                return None;
            } else if says("invalid_token") || says("OAUTHBEARER token") {
                Cause::Token
            } else {
                Cause::Credentials
            })
        } else if code == RDKafkaErrorCode::SSL || says("SSL handshake") || says("SSL alert") {
            Some(Cause::Tls)
        } else if code == RDKafkaErrorCode::Resolve {
            Some(Cause::Unresolvable)
        } else if code == RDKafkaErrorCode::BrokerTransportFailure {
            Some(Cause::Unreachable)
        } else {
            None
        }
    }

    /// How much it says; what says less never takes the place of what says more.
    fn weight(&self) -> u8 {
        match self {
            Cause::Unreachable => 0,
            Cause::Unresolvable => 1,
            Cause::Tls => 2,
            // Said of everything for which there is no better word.
            Cause::Credentials => 3,
            Cause::Token
            | Cause::TokenExpired
            | Cause::NoToken
            | Cause::Mechanism(_)
            | Cause::NoSasl
            | Cause::WantsSasl(_)
            | Cause::NoTls
            | Cause::WantsTls
            | Cause::Untrusted
            | Cause::Expired
            | Cause::WrongHost
            | Cause::NoClientCertificate
            | Cause::ClientCertificate => 4,
        }
    }

    /// Whether it says what to mend. A closed port says nothing against credentials that were refused a moment ago.
    pub(super) fn is_precise(&self) -> bool {
        self.weight() >= 3
    }

    /// Whether it may take the place of `known`.
    pub(super) fn replaces(&self, known: &Cause) -> bool {
        self.weight() >= known.weight()
    }

    /// What the caller hears.
    pub(super) fn failure(&self) -> Failure {
        if *self == Cause::Unreachable {
            let text = "Endpoint connection failed";
            return Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, text);
        }
        let text = format!("Endpoint configuration invalid: {}", self.text());
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text)
    }

    fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Cause::Unreachable => "no broker can be reached",
            Cause::Unresolvable => "no bootstrap server has an address",
            Cause::Tls => "no TLS connection to the broker is possible",
            Cause::Credentials => {
                "the broker refused the credentials, check the user and the password of security.sasl"
            }
            Cause::Token => "the broker refused the OAUTHBEARER token",
            Cause::TokenExpired => "the OAUTHBEARER token has expired",
            Cause::NoToken => {
                "there is no OAUTHBEARER token: write access_token into security.sasl.saslJaasConfig, or set the \
                 attribute gravitee.attribute.kafka.oauthbearer.token"
            }
            Cause::Mechanism(offered) => {
                return format!(
                    "the broker does not offer the SASL mechanism of security.sasl.saslMechanism, it offers {offered}"
                )
                .into();
            }
            Cause::NoSasl => {
                "the broker's listener takes no SASL, set security.protocol to PLAINTEXT or SSL as it is"
            }
            Cause::WantsSasl(offered) => {
                return format!(
                    "the broker's listener wants SASL ({offered}), set security.protocol to SASL_PLAINTEXT or SASL_SSL"
                )
                .into();
            }
            Cause::NoTls => {
                "the broker's listener speaks no TLS, set security.protocol to PLAINTEXT or SASL_PLAINTEXT"
            }
            Cause::WantsTls => "the broker's listener speaks TLS, set security.protocol to SSL or SASL_SSL",
            Cause::Untrusted => {
                "the broker's certificate comes from an authority that is not trusted, check security.ssl.trustStore"
            }
            Cause::Expired => "the broker's certificate has expired or is not valid yet",
            Cause::WrongHost => "the broker's certificate is for another host than bootstrapServers names",
            Cause::NoClientCertificate => "the broker wants a client certificate, set security.ssl.keyStore",
            Cause::ClientCertificate => "the broker refused the client certificate of security.ssl.keyStore",
        })
    }
}

/// Names of mechanisms as they may be shown.
pub(super) fn mechanisms<'a>(names: impl Iterator<Item = &'a str>) -> Arc<str> {
    let named = |name: &&str| {
        !name.is_empty()
            && name.len() <= MECHANISMS_MAX.0
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    let mut names: Vec<&str> = names.map(str::trim).filter(named).take(MECHANISMS_MAX.1).collect();
    names.sort_unstable();
    if names.is_empty() { "none".into() } else { names.join(", ").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_says_is_understood() {
        let check = |code, reason: &str, expected: Cause| assert_eq!(Cause::of(code, reason), Some(expected));
        let authentication = RDKafkaErrorCode::Authentication;
        check(
            authentication,
            "SASL authentication error: Authentication failed: Invalid username or password (after 300ms)",
            Cause::Credentials,
        );
        check(
            authentication,
            "SASL OAUTHBEARER mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported \
             mechanisms: PLAIN,SCRAM-SHA-512,SCRAM-SHA-256 (after 3ms in state AUTH_HANDSHAKE, 1 identical \
             error(s) suppressed)",
            Cause::Mechanism("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512".into()),
        );
        check(
            authentication,
            "SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's \
             supported mechanisms:  (after 3ms in state AUTH_HANDSHAKE)",
            Cause::NoSasl,
        );
        let token = "Failed to acquire SASL OAUTHBEARER token: ";
        check(authentication, &format!("{token}the token has expired"), Cause::TokenExpired);
        check(authentication, &format!("{token}no token was given"), Cause::NoToken);
        let early = "OAUTHBEARER cannot log in because there is no token available; last error: ";
        assert_eq!(Cause::of(authentication, &format!("{early}(not available)")), None);
        check(authentication, &format!("{early}the token has expired"), Cause::TokenExpired);
        check(authentication, r#"SASL authentication error: {"status":"invalid_token"}"#, Cause::Token);
        check(RDKafkaErrorCode::SSL, "SSL handshake failed: certificate verify failed", Cause::Tls);
        check(RDKafkaErrorCode::BrokerTransportFailure, "Disconnected", Cause::Unreachable);
        assert_eq!(Cause::of(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"), None);
    }

    #[test]
    fn only_names_of_mechanisms_are_repeated() {
        assert_eq!(&*mechanisms(["PLAIN", "<script>", "", "password=x", "B"].into_iter()), "B, PLAIN");
        assert_eq!(&*mechanisms([" "].into_iter()), "none");
        assert_eq!(mechanisms(["A"; 100].into_iter()).len(), 12 * 3 - 2);
    }

    #[test]
    fn the_more_precise_reason_stays() {
        assert!(Cause::Tls.replaces(&Cause::Unreachable) && !Cause::Unreachable.replaces(&Cause::Tls));
        assert!(!Cause::Tls.replaces(&Cause::Expired) && !Cause::Credentials.replaces(&Cause::TokenExpired));
        assert!(Cause::WrongHost.replaces(&Cause::Credentials) && Cause::Credentials.is_precise());
        assert_eq!(Cause::Unreachable.failure().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(Cause::Expired.failure().status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
