//! The connection loop: the next address each time, with a jittered pause that grows while nothing answers.

use super::holdings::Holdings;
use super::session::{Ended, Link, Session};
use super::status::Publisher;
use super::{Applier, Identity};
use anyhow::{Context, ensure};
use definition::limits::SYNC_MESSAGE_MAX_BYTES;
use proto::sync::v1::gateway_sync_client::GatewaySyncClient;
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Code, Request};
use tracing::warn;

/// First and greatest pause between two attempts.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Longest pause that management may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Time for a connection, and for a session, to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// HTTP/2 ping when the connection is silent, and the wait for its answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// Messages to management that wait for the connection to take them.
const OUTBOUND_MESSAGES: usize = 16;

/// Checks the addresses of management.
pub(super) fn endpoints(addresses: &[String]) -> anyhow::Result<Vec<(String, Endpoint)>> {
    ensure!(
        !addresses.is_empty(),
        "no address of management is given: a gateway needs at least one, http://host:8084"
    );
    addresses.iter().map(|address| endpoint(address.trim())).collect()
}

fn endpoint(address: &str) -> anyhow::Result<(String, Endpoint)> {
    ensure!(
        !address.starts_with("https://"),
        "{address}: TLS to management is not available in this version, use http:// inside a trusted network"
    );
    let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(url.clone())
        .with_context(|| format!("{address} is no address of management, expected http://host:8084"))?;
    ensure!(
        endpoint.uri().scheme_str() == Some("http") && endpoint.uri().host().is_some(),
        "{address} is no address of management, expected http://host:8084"
    );
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .keep_alive_while_idle(true);
    Ok((url, endpoint))
}

/// Connects until `shutdown`, for ever.
pub(super) async fn run<A: Applier>(
    endpoints: Vec<(String, Endpoint)>,
    identity: &Identity,
    applier: &A,
    publisher: &Publisher,
    shutdown: &CancellationToken,
) {
    let mut holdings = Holdings::default();
    let mut attempt = 0;
    // Gateways that start together begin at different addresses.
    let first = rand::random_range(0..endpoints.len());
    for (address, endpoint) in endpoints.iter().cycle().skip(first) {
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            link = connect(endpoint, identity, &holdings, applier.owns().is_some()) => match link {
                Ok(link) => {
                    let session = Session::new(identity, applier, publisher, &mut holdings, link);
                    session.run(address, shutdown).await
                }
                Err(ended) => ended,
            },
        };
        if shutdown.is_cancelled() {
            return;
        }
        if publisher.disconnected(&ended.reason) {
            warn!(
                management = address,
                reason = ended.reason,
                "no session with management: serving what is held"
            );
        }
        attempt = if ended.welcomed { 0 } else { attempt + 1 };
        let pause = full_jitter(attempt).max(ended.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn connect(
    endpoint: &Endpoint,
    identity: &Identity,
    holdings: &Holdings,
    pushes: bool,
) -> Result<Link, Ended> {
    let channel = endpoint.connect().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Ended::because(format!("cannot connect: {cause}"))
    })?;
    let mut client = GatewaySyncClient::new(channel)
        .max_decoding_message_size(SYNC_MESSAGE_MAX_BYTES)
        .max_encoding_message_size(SYNC_MESSAGE_MAX_BYTES);
    let (up, messages) = mpsc::channel(OUTBOUND_MESSAGES);
    let mut link_up = super::session::Upward::new(up);
    link_up.greet(identity, holdings, pushes).await?;
    let mut request = Request::new(ReceiverStream::new(messages));
    request.metadata_mut().insert("authorization", bearer(identity)?);
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, client.session(request)).await;
    match opened {
        Ok(Ok(response)) => Ok(Link { up: link_up, down: response.into_inner() }),
        Ok(Err(status)) if status.code() == Code::Unauthenticated => {
            // Another attempt cannot help until somebody changes a token: no hurry.
            let retry_after = Some(RECONNECT.1);
            Err(Ended { retry_after, ..Ended::because(format!("management refuses: {}", status.message())) })
        }
        Ok(Err(status)) => Err(Ended::because(format!("no session: {}", status.message()))),
        Err(_) => Err(Ended::because(format!("no session within {CONNECT_TIMEOUT:?}"))),
    }
}

fn bearer(identity: &Identity) -> Result<MetadataValue<Ascii>, Ended> {
    let header = format!("Bearer {}", identity.config.token.expose_secret());
    let mut value = MetadataValue::<Ascii>::try_from(header)
        .map_err(|_| Ended::because("the sync token has characters that no header can carry".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Uniform between nothing and a bound that doubles with each attempt.
fn full_jitter(attempt: u32) -> Duration {
    let (first, greatest) = RECONNECT;
    let bound = first.saturating_mul(2_u32.saturating_pow(attempt.min(16))).min(greatest);
    bound.mul_f64(rand::random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_starts() {
        let check = |address: &str| endpoints(&[address.to_owned()]).map(|mut list| list.remove(0).0);
        assert_eq!(check("http://127.0.0.1:8084").unwrap(), "http://127.0.0.1:8084");
        assert_eq!(check(" management:8084 ").unwrap(), "http://management:8084");
        for wrong in ["", "https://management:8084", "ftp://management:8084", "http://", "a b"] {
            assert!(check(wrong).is_err(), "{wrong:?} must be refused");
        }
        assert!(endpoints(&[]).is_err());
    }

    #[test]
    fn pauses_stay_within_their_bounds() {
        for attempt in [0, 1, 6, 100, u32::MAX] {
            assert!((0..100).all(|_| full_jitter(attempt) <= RECONNECT.1));
        }
        assert!((0..100).all(|_| full_jitter(0) <= RECONNECT.0));
    }
}
