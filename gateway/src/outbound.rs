//! HTTP clients for what a gateway asks others on behalf of a call: key sets, authorization servers.

use bytes::BytesMut;
use std::time::Duration;
use url::Url;

/// Connections to one host that are kept for the next request.
const IDLE_CONNECTIONS_MAX: usize = 16;
/// Greatest number of redirects in a row, where they are followed.
const REDIRECTS_MAX: usize = 5;

/// How a client behaves.
pub(crate) struct Wishes {
    pub(crate) connect_timeout: Duration,
    /// From the connection to the end of the answer.
    pub(crate) request_timeout: Duration,
    pub(crate) follow_redirects: bool,
    /// Whether the proxy of the process's environment is used.
    pub(crate) use_system_proxy: bool,
}

/// Makes a client. It reads the certificates of the machine: make one and keep it.
pub(crate) fn client(wishes: &Wishes) -> anyhow::Result<reqwest::Client> {
    let redirects = match wishes.follow_redirects {
        true => reqwest::redirect::Policy::limited(REDIRECTS_MAX),
        false => reqwest::redirect::Policy::none(),
    };
    let mut builder = reqwest::Client::builder()
        .connect_timeout(wishes.connect_timeout)
        .timeout(wishes.request_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .redirect(redirects);
    if !wishes.use_system_proxy {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// A URL as logs may show it: without credentials and query.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.authority().rsplit('@').next().unwrap_or_default(), url.path())
}

/// Reads a whole body. Errors, which do not name the URL: it is larger than `greatest` bytes, or incomplete.
pub(crate) async fn read(mut answer: reqwest::Response, greatest: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        anyhow::ensure!(body.len() + chunk.len() <= greatest, "the answer is larger than {greatest} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_show_neither_credentials_nor_queries() {
        let url = Url::parse("https://user:hush@auth.example:8443/keys?token=hush#x").unwrap();
        assert_eq!(shown(&url), "https://auth.example:8443/keys");
    }
}
