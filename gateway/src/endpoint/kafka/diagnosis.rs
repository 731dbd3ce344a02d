//! Our own look at a broker that the client library cannot use.
//!
//! The library does not tell an unknown authority from an expired certificate or another host's, and says nothing at
//! all when a listener wants TLS or SASL and gets neither. A TLS handshake of our own, and the first request of a SASL
//! login (which every Kafka listener answers in its way), tell them apart. Nothing secret is sent. Everything here
//! blocks, for about a second per address at most, and runs on threads that may.

use super::cause::{Cause, mechanisms};
use super::connection::Connection;
use crate::tls;
use definition::connector::ssl::Ssl;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConnection, StreamOwned};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

/// Bootstrap servers that are looked at.
const SERVERS_MAX: usize = 2;
/// Addresses of one server that are tried.
const ADDRESSES_MAX: usize = 4;
/// Time for a connection, and for each answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// A broker that refuses a client certificate says so within this time after the handshake.
const REFUSAL: Duration = Duration::from_millis(200);
/// Greatest answer that is read, bytes.
const ANSWER_MAX_BYTES: usize = 4096;

/// Kafka's request that begins a login, its version, and the number by which we know the answer.
const SASL_HANDSHAKE: (i16, i16, i32) = (17, 1, 7);
/// Codes of answers to it.
const OFFERED: i16 = 0;
const UNSUPPORTED_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;

/// What is wrong, when this look tells more than the library does.
pub(super) fn run(connection: &Connection) -> Option<Cause> {
    let servers = connection.bootstrap_servers().split(',').take(SERVERS_MAX);
    let found = servers.into_iter().find_map(|server| look(connection, server));
    tracing::debug!(cause = ?found, "looked at kafka brokers that cannot be used");
    found
}

fn look(connection: &Connection, server: &str) -> Option<Cause> {
    let mechanism = connection.mechanism().map_or("PLAIN", |mechanism| mechanism.label());
    let mut tcp = dial(server)?;
    let Some(config) = connection.tls() else {
        return match begin_login(&mut tcp, mechanism) {
            Ok(answer) => judge(connection, answer),
            Err(_) => speaks_tls(server).then_some(Cause::WantsTls),
        };
    };
    let outcome = shake_hands(tcp, config, server).and_then(|mut tls| {
        listen(&mut tls)?;
        begin_login(&mut tls, mechanism)
    });
    match outcome {
        Ok(answer) => judge(connection, answer),
        Err(error) => tls_cause(connection, server, &error),
    }
}

/// `host:port`, the host perhaps in brackets.
fn split(server: &str) -> Option<(&str, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

fn dial(server: &str) -> Option<TcpStream> {
    let addresses = split(server)?.to_socket_addrs().ok()?.take(ADDRESSES_MAX);
    let tcp =
        addresses.into_iter().find_map(|address| TcpStream::connect_timeout(&address, PATIENCE).ok())?;
    tcp.set_read_timeout(Some(PATIENCE)).ok()?;
    tcp.set_write_timeout(Some(PATIENCE)).ok()?;
    tcp.set_nodelay(true).ok()?;
    Some(tcp)
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn shake_hands(mut tcp: TcpStream, config: Arc<rustls::ClientConfig>, server: &str) -> io::Result<Tls> {
    let host = split(server).map_or("", |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let mut client = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while client.is_handshaking() {
        client.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(client, tcp))
}

/// With TLS 1.3 a refused client certificate shows in the first bytes after the handshake, and a request of ours could
/// get in its way.
fn listen(tls: &mut Tls) -> io::Result<()> {
    tls.sock.set_read_timeout(Some(REFUSAL))?;
    let heard = tls.read(&mut [0; 1]);
    tls.sock.set_read_timeout(Some(PATIENCE))?;
    match heard {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
        // No broker speaks first.
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What a listener says to the beginning of a login.
struct Answer {
    code: i16,
    offered: Arc<str>,
}

fn begin_login(io: &mut (impl Read + Write), mechanism: &str) -> io::Result<Answer> {
    let (key, version, number) = SASL_HANDSHAKE;
    let client = "tidegate";
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(number.to_be_bytes());
    for text in [client, mechanism] {
        // Both are short.
        request.extend((text.len() as u16).to_be_bytes());
        request.extend(text.as_bytes());
    }
    io.write_all(&(request.len() as u32).to_be_bytes())?;
    io.write_all(&request)?;
    io.flush()?;
    let mut length = [0; 4];
    io.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    if length > ANSWER_MAX_BYTES {
        return Err(unreadable());
    }
    let mut answer = vec![0; length];
    io.read_exact(&mut answer)?;
    read_answer(&answer, number).ok_or_else(unreadable)
}

/// Number, code, and a list of texts.
fn read_answer(bytes: &[u8], number: i32) -> Option<Answer> {
    let (begin, rest) = bytes.split_at_checked(4)?;
    if begin != number.to_be_bytes() {
        return None;
    }
    let (code, rest) = rest.split_first_chunk::<2>()?;
    let (_, mut rest) = rest.split_first_chunk::<4>()?;
    let mut names = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (name, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        names.push(String::from_utf8_lossy(name));
        rest = behind;
    }
    let offered = mechanisms(names.iter().map(|name| &**name));
    Some(Answer { code: i16::from_be_bytes(*code), offered })
}

fn judge(connection: &Connection, answer: Answer) -> Option<Cause> {
    let sasl = connection.protocol().is_sasl();
    match (answer.code, sasl) {
        (ILLEGAL_SASL_STATE, true) => Some(Cause::NoSasl),
        (UNSUPPORTED_MECHANISM, true) => Some(Cause::Mechanism(answer.offered)),
        (OFFERED | UNSUPPORTED_MECHANISM, false) => Some(Cause::WantsSasl(answer.offered)),
        _ => None,
    }
}

fn tls_cause(connection: &Connection, server: &str, error: &io::Error) -> Option<Cause> {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => certificate_cause(reason),
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
            let shown = connection.has_client_certificate();
            Some(if shown { Cause::ClientCertificate } else { Cause::NoClientCertificate })
        }
        // What is no TLS may be Kafka without it, or a broker that goes.
        Some(rustls::Error::InvalidMessage(_)) | None => {
            let plain = dial(server).is_some_and(|mut tcp| begin_login(&mut tcp, "PLAIN").is_ok());
            plain.then_some(Cause::NoTls)
        }
        Some(_) => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the library tells apart beyond these means the same to a user"
)]
fn certificate_cause(reason: &CertificateError) -> Option<Cause> {
    match reason {
        CertificateError::UnknownIssuer => Some(Cause::Untrusted),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Some(Cause::Expired),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some(Cause::WrongHost)
        }
        _ => None,
    }
}

fn is_about_certificate(alert: AlertDescription) -> bool {
    [
        AlertDescription::BadCertificate,
        AlertDescription::CertificateRequired,
        AlertDescription::CertificateUnknown,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateRevoked,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::UnknownCA,
        AlertDescription::AccessDenied,
    ]
    .contains(&alert)
}

/// Whether something answers in TLS, whatever it says there.
fn speaks_tls(server: &str) -> bool {
    let anybody = Ssl { trust_all: true, ..Ssl::default() };
    let (Some(tcp), Ok(config)) = (dial(server), tls::client(&anybody, "", &mut Sha256::new())) else {
        return false;
    };
    match shake_hands(tcp, Arc::new(config), server) {
        Ok(_) => true,
        Err(error) => {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            matches!(tls, Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A listener that says `answer` to one client and closes.
    fn listener(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { return };
                let mut request = [0; 64];
                if client.read(&mut request).is_ok() && !answer.is_empty() {
                    client.write_all(answer).ok();
                }
            }
        });
        address
    }

    #[test]
    fn a_listener_that_wants_sasl_is_known() {
        let answer = b"\x00\x00\x00\x18\x00\x00\x00\x07\x00\x21\x00\x00\x00\x01\x00\x0cSCRAM-SHA-1x";
        let connection = Connection::plain(&listener(answer));
        assert_eq!(
            run(&connection),
            Some(Cause::WantsSasl("none".into())),
            "a name that is none is not shown"
        );
        let answer = b"\x00\x00\x00\x11\x00\x00\x00\x07\x00\x21\x00\x00\x00\x01\x00\x05PLAIN";
        assert_eq!(run(&Connection::plain(&listener(answer))), Some(Cause::WantsSasl("PLAIN".into())));
    }

    #[test]
    fn what_is_no_broker_says_nothing() {
        for answer in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x02\x00\x00"] {
            assert_eq!(run(&Connection::plain(&listener(answer))), None, "{answer:?}");
        }
        let fine = b"\x00\x00\x00\x0a\x00\x00\x00\x07\x00\x22\x00\x00\x00\x00";
        assert_eq!(run(&Connection::plain(&listener(fine))), None);
        assert_eq!(run(&Connection::plain("127.0.0.1:1,nonsense")), None);
    }

    #[test]
    fn addresses_are_split_at_the_port() {
        assert_eq!(split("[::1]:9092"), Some(("::1", 9092)));
        assert_eq!(split("broker:1"), Some(("broker", 1)));
        assert_eq!(split("broker"), None);
    }
}
