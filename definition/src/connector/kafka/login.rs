//! What a login line gives for a mechanism.

use super::jaas::{self, Line};
use super::settings::SaslMechanism;
use std::fmt;

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Login {
    /// PLAIN and SCRAM.
    Password { username: String, password: String },
    /// OAUTHBEARER.
    Token(String),
    /// GSSAPI.
    Kerberos { principal: String, keytab: Option<String>, service_name: Option<String> },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Password { .. } => "Password",
            Login::Token(_) => "Token",
            Login::Kerberos { .. } => "Kerberos",
        })
    }
}

/// The login module of a mechanism; `None`: there is none in this build.
fn module(mechanism: SaslMechanism) -> Option<&'static str> {
    match mechanism {
        SaslMechanism::Plain => Some("PlainLoginModule"),
        SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => Some("ScramLoginModule"),
        SaslMechanism::Oauthbearer => Some("OAuthBearerLoginModule"),
        SaslMechanism::Gssapi => Some("Krb5LoginModule"),
        SaslMechanism::AwsMskIam => None,
    }
}

impl Login {
    /// Reads a line without expressions. The error continues "security.sasl.saslJaasConfig …" and repeats nothing of it.
    /// `None`: the line has no token, which then comes with each call.
    pub(super) fn parse(mechanism: SaslMechanism, line: &str) -> Result<Option<Login>, String> {
        let line = jaas::parse(line)
            .map_err(|error| format!("cannot be read {error}; write <class> required name=\"value\" …;"))?;
        let expected = module(mechanism).unwrap_or_default();
        if line.module() != expected {
            return Err(format!("names another login module than {expected}, the one of {mechanism}"));
        }
        Ok(match mechanism {
            SaslMechanism::Plain | SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => {
                let username = required(&line, "username")?;
                Some(Login::Password { username, password: required(&line, "password")? })
            }
            SaslMechanism::Oauthbearer => {
                line.option("access_token").map(|token| Login::Token(token.trim().to_owned()))
            }
            SaslMechanism::Gssapi => Some(Login::Kerberos {
                principal: plain("principal", required(&line, "principal")?)?,
                keytab: optional(&line, "keyTab")?,
                service_name: optional(&line, "serviceName")?,
            }),
            SaslMechanism::AwsMskIam => None,
        })
    }
}

fn required(line: &Line, option: &str) -> Result<String, String> {
    let given = line.option(option).filter(|value| !value.is_empty());
    given
        .filter(|value| !value.contains('\0'))
        .map(str::to_owned)
        .ok_or_else(|| format!("has no {option}; write {option}=\"…\" in front of the `;`"))
}

fn optional(line: &Line, option: &'static str) -> Result<Option<String>, String> {
    line.option(option).map(|value| plain(option, value.to_owned())).transpose()
}

/// The client library puts these values into the command line that renews tickets.
fn plain(option: &str, value: String) -> Result<String, String> {
    match value.chars().all(|c| c.is_ascii_alphanumeric() || "._-/@:".contains(c)) {
        true => Ok(value),
        false => Err(format!("has a {option} with other characters than letters, digits and `._-/@:`")),
    }
}
