//! The socket below a connection, plain or encrypted, with two things that the AMQP library lacks: it can be cut, so
//! that nothing is said any more, and it remembers what the broker offered when the connection was opened.

use super::fault::{Distrust, Fault};
use definition::connector::solace::Server;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What a broker says until a connection is open fits in here, bytes.
const GREETING_MAX_BYTES: usize = 8 * 1024;
/// What a broker offers that lets several connections share a subscription.
const SHARED_SUBSCRIPTIONS: &[u8] = b"SHARED-SUBS";

/// A connected socket of any kind.
pub(super) trait Io: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Io for T {}

/// Ends the connection's socket when dropped.
///
/// The library takes a link that is dropped for one that is to be closed, and closing a durable subscription deletes it
/// with its messages. So whoever holds such a link holds this before it: fields are dropped in their order.
#[derive(Debug)]
pub(super) struct Cut(CancellationToken);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The first bytes that a broker sent.
#[derive(Debug, Default)]
pub(super) struct Greeting(Mutex<Vec<u8>>);

impl Greeting {
    fn hear(&self, bytes: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = GREETING_MAX_BYTES.saturating_sub(heard.len());
        heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether connections with one identity can share a durable subscription.
    pub(super) fn offers_sharing(&self) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(SHARED_SUBSCRIPTIONS.len()).any(|part| part == SHARED_SUBSCRIPTIONS)
    }
}

/// The socket.
#[derive(Debug)]
pub(super) struct Line {
    io: Box<dyn Io>,
    token: CancellationToken,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    greeting: Arc<Greeting>,
}

impl Line {
    /// Connects, with TLS when there is a configuration for it.
    pub(super) async fn connect(
        server: &Server,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<(Line, Cut, Arc<Greeting>), Fault> {
        let tcp = dial(server).await?;
        let io: Box<dyn Io> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let name =
                    ServerName::try_from(server.host.clone()).map_err(|_| Fault::Tls(Distrust::WrongName))?;
                let handshake = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await;
                // A peer that hangs up during the handshake does not speak TLS, or not with us.
                Box::new(handshake.map_err(|error| {
                    let fault = Fault::from(error);
                    let hung_up = matches!(fault, Fault::Closed | Fault::Unreachable);
                    if hung_up { Fault::Tls(Distrust::Other) } else { fault }
                })?)
            }
        };
        let (token, greeting) = (CancellationToken::new(), Arc::new(Greeting::default()));
        let cut = Box::pin(token.clone().cancelled_owned());
        let line = Line { io, token: token.clone(), cut, greeting: Arc::clone(&greeting) };
        Ok((line, Cut(token), greeting))
    }
}

/// The first address that answers.
async fn dial(server: &Server) -> Result<TcpStream, Fault> {
    let place = (server.host.as_str(), server.port);
    let addresses = tokio::net::lookup_host(place).await.map_err(|_| Fault::Unresolvable)?;
    let mut last = Fault::Unresolvable;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Frames are written whole; an acknowledgement must not wait for the one before.
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(_) => last = Fault::Unreachable,
        }
    }
    Err(last)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the gateway gave this connection up")
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(cut_off()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        self.greeting.hear(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.token.is_cancelled() {
            return Poll::Ready(Err(cut_off()));
        }
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.token.is_cancelled() {
            return Poll::Ready(Err(cut_off()));
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
