//! Content codings of answers: told apart, and undone for policies that look at a body and for clients that did not ask
//! for the coding.

use super::body::{Body, BodyError};
use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder};
use futures::TryStreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio_util::io::{ReaderStream, StreamReader};

/// Codings that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// The format of zlib; some servers leave its frame out.
    Deflate,
    Brotli,
}

impl Coding {
    /// The coding of a body; `None`: there is none, or one that cannot be undone.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Coding> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        match value.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            "br" => Some(Coding::Brotli),
            _ => None,
        }
    }

    /// As it stands in headers.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
        }
    }

    /// The body without the coding, read as it comes.
    pub(crate) fn decode(self, body: Body) -> Body {
        let data = body.into_data_stream().map_err(|error: BodyError| io::Error::other(error));
        let coded = BufReader::new(StreamReader::new(data));
        match self {
            Coding::Gzip => stream(GzipDecoder::new(coded)),
            Coding::Brotli => stream(BrotliDecoder::new(coded)),
            Coding::Deflate => {
                let opened = async move { Ok::<_, io::Error>(ReaderStream::new(DeflateDecoder::new(unframed(coded).await?))) };
                let frames = futures::TryFutureExt::try_flatten_stream(opened).map_ok(Frame::data);
                Body::stream(StreamBody::new(Box::pin(frames)))
            }
        }
    }
}

fn stream(decoder: impl AsyncRead + Send + 'static) -> Body {
    Body::stream(StreamBody::new(Box::pin(ReaderStream::new(decoder).map_ok(Frame::data))))
}

/// Skips the two bytes of a zlib frame, when there is one.
async fn unframed<R: AsyncBufRead + Unpin>(mut coded: R) -> io::Result<R> {
    let framed = matches!(coded.fill_buf().await?, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31));
    if framed {
        coded.consume(2);
    }
    Ok(coded)
}

/// Makes headers those of the body without its coding.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    // Other bytes than those that a strong tag stands for.
    let weak = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::try_from(format!("W/{tag}")).ok()) {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::write::{BrotliEncoder, DeflateEncoder, GzipEncoder};
    use tokio::io::AsyncWriteExt as _;

    async fn decoded(coding: Coding, coded: Vec<u8>) -> Vec<u8> {
        let mut body = coding.decode(Body::Bytes(coded.into()));
        body.buffer(1024 * 1024).await.unwrap();
        body.bytes().unwrap().to_vec()
    }

    #[tokio::test]
    async fn every_coding_is_undone() {
        let plain = b"event: one\n".repeat(2000);
        let mut gzip = GzipEncoder::new(Vec::new());
        gzip.write_all(&plain).await.unwrap();
        gzip.shutdown().await.unwrap();
        assert_eq!(decoded(Coding::Gzip, gzip.into_inner()).await, plain);
        let mut brotli = BrotliEncoder::new(Vec::new());
        brotli.write_all(&plain).await.unwrap();
        brotli.shutdown().await.unwrap();
        assert_eq!(decoded(Coding::Brotli, brotli.into_inner()).await, plain);
        let mut deflate = DeflateEncoder::new(Vec::new());
        deflate.write_all(&plain).await.unwrap();
        deflate.shutdown().await.unwrap();
        let raw = deflate.into_inner();
        assert_eq!(decoded(Coding::Deflate, raw.clone()).await, plain);
        let framed = [&[0x78, 0x9c][..], &raw, &[1, 2, 3, 4]].concat();
        assert_eq!(decoded(Coding::Deflate, framed).await, plain);
    }

    #[tokio::test]
    async fn a_body_that_is_not_in_its_coding_breaks_off() {
        let mut body = Coding::Gzip.decode(Body::Bytes("not gzip".into()));
        body.buffer(1024).await.unwrap_err();
    }

    #[test]
    fn one_known_coding_is_told_from_none_many_and_unknown_ones() {
        let check = |values: &[&str], expected| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(Coding::of(&headers), expected, "{values:?}");
        };
        check(&["GZIP"], Some(Coding::Gzip));
        check(&["deflate"], Some(Coding::Deflate));
        check(&["br"], Some(Coding::Brotli));
        check(&[], None);
        check(&["identity"], None);
        check(&["gzip, br"], None);
        check(&["gzip", "br"], None);
    }
}
