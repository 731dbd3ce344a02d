//! A minimal HTTP/1.1 client over one kept connection: a general client would cost more CPU than some of the servers
//! that it measures. It sends prepared bytes and understands `content-length` and chunked answers.

use crate::chunked::Decoder;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Greatest head of an answer, bytes.
const HEAD_MAX_BYTES: usize = 16 * 1024;
/// Room that is asked for before each read, bytes.
const READ_BYTES: usize = 4 * 1024;

/// The head of an answer, as far as it decides how the body is read.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head, empty line included.
    pub(crate) bytes: usize,
    content_length: usize,
    chunked: bool,
}

/// Reads the head at the start of `input`; `None` while it is not complete.
pub(crate) fn parse_head(input: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if input.len() > HEAD_MAX_BYTES {
            Err(io::Error::other("the head of an answer is too long"))
        } else {
            Ok(None)
        };
    };
    let text = str::from_utf8(&input[..end]).map_err(io::Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer does not begin with a status line"))?;
    let mut head = Head { status, bytes: end + 4, content_length: 0, chunked: false };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            head.content_length = value.trim().parse().map_err(io::Error::other)?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    Ok(Some(head))
}

/// The bytes of a POST with a JSON body.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    post_with(path, body, &[])
}

/// The bytes of a POST with a JSON body and further header lines.
pub(crate) fn post_with(path: &str, body: &str, headers: &[String]) -> Vec<u8> {
    let (length, headers) = (body.len(), lines(headers));
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// The bytes of a GET that accepts `accept`.
pub(crate) fn get(path: &str, accept: &str) -> Vec<u8> {
    get_with(path, accept, &[])
}

/// The bytes of a GET that accepts `accept`, with further header lines.
pub(crate) fn get_with(path: &str, accept: &str, headers: &[String]) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accept}\r\n{}\r\n", lines(headers))
        .into_bytes()
}

fn lines(headers: &[String]) -> String {
    headers.iter().map(|header| format!("{header}\r\n")).collect()
}

/// One kept connection with at most one request under way.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(READ_BYTES) })
    }

    /// Sends one prepared request and reads its whole answer; returns the status. After an error the connection is of
    /// no further use.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
        };
        if head.chunked {
            let (mut decoder, mut body, mut used) = (Decoder::new(), Vec::new(), head.bytes);
            loop {
                used += decoder.feed(&self.buffer[used..], &mut body)?;
                if decoder.is_ended() {
                    break;
                }
                self.read_more().await?;
            }
        } else {
            while self.buffer.len() < head.bytes + head.content_length {
                self.read_more().await?;
            }
        }
        Ok(head.status)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The status of one request over a connection of its own. The body is not read: it may be a stream without end.
pub(crate) async fn status_of(address: SocketAddr, request: &[u8]) -> io::Result<u16> {
    let mut connection = Connection::open(address).await?;
    connection.stream.write_all(request).await?;
    loop {
        connection.read_more().await?;
        if let Some(head) = parse_head(&connection.buffer)? {
            return Ok(head.status);
        }
    }
}
