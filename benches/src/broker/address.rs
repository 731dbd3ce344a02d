//! Where a broker is, and as whom: `host:port` or `user:password@host:port`.

use anyhow::Context;
use std::{fmt, str::FromStr};

/// An address with credentials, if any. They are those of a broker that was started for the measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: Option<(String, String)>,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// `host:port`.
    pub(crate) fn socket(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The credentials; empty ones when there are none.
    pub(crate) fn credentials(&self) -> (String, String) {
        self.user.clone().unwrap_or_default()
    }
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (user, socket) = match text.rsplit_once('@') {
            Some((user, socket)) => (Some(user), socket),
            None => (None, text),
        };
        let user = user.map(|user| user.split_once(':').context("user:password is expected before @"));
        let user = user.transpose()?.map(|(name, password)| (name.to_owned(), password.to_owned()));
        let (host, port) = socket.rsplit_once(':').context("host:port is expected")?;
        Ok(Self { user, host: host.to_owned(), port: port.parse().context("the port is no number")? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, password)) = &self.user {
            write!(f, "{name}:{password}@")?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:9092", "app:app-secret@localhost:5672"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["localhost", "app@localhost:1", "localhost:port"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
