//! Pieces of a streamed response. A frame carries its HTTP/1.1 chunk framing already, so that a record which goes to
//! many clients is framed once and written as it is; HTTP/2 and HTTP/1.0 take the payload inside.

use crate::message::Ack;
use bytes::Bytes;
use futures::stream::Stream;
use std::pin::Pin;

/// Room for the length of a chunk (16 hexadecimal digits) and its line end.
const PREFIX_MAX_BYTES: usize = 18;
const LINE_END: &[u8] = b"\r\n";
/// What follows the last chunk.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One piece of a response, settled once it was written to the client.
#[derive(Debug)]
pub(crate) struct Frame {
    /// From `ChunkBuilder`.
    pub(crate) chunk: Bytes,
    /// Delivered when the bytes were handed to the socket.
    pub(crate) ack: Ack,
}

/// The pieces of one response, pulled as the client takes them. Failures are rendered as pieces.
pub(crate) type FrameStream = Pin<Box<dyn Stream<Item = Frame> + Send>>;

impl Frame {
    /// A piece whose delivery nobody waits for.
    pub(crate) fn plain(payload: impl AsRef<[u8]>) -> Self {
        Frame { chunk: chunk(payload.as_ref()), ack: Ack::none() }
    }

    /// The bytes without the framing of a chunk.
    pub(crate) fn payload(&self) -> Bytes {
        let start = self.chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = self.chunk.len().saturating_sub(LINE_END.len()).max(start);
        self.chunk.slice(start..end)
    }
}

/// A chunk around a payload. An empty payload gives no bytes: an empty chunk would end the response.
pub(crate) fn chunk(payload: &[u8]) -> Bytes {
    let mut builder = ChunkBuilder::with_capacity(payload.len());
    builder.buffer().extend_from_slice(payload);
    builder.finish()
}

/// Writes a payload behind the room for its length, so that nothing is moved when the length is known.
pub(crate) struct ChunkBuilder(Vec<u8>);

impl ChunkBuilder {
    /// `payload`: expected size in bytes.
    pub(crate) fn with_capacity(payload: usize) -> Self {
        let mut buffer = Vec::with_capacity(PREFIX_MAX_BYTES + payload + LINE_END.len());
        buffer.resize(PREFIX_MAX_BYTES, 0);
        ChunkBuilder(buffer)
    }

    /// Where the payload is appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// The framed chunk.
    pub(crate) fn finish(mut self) -> Bytes {
        let payload = self.0.len() - PREFIX_MAX_BYTES;
        if payload == 0 {
            return Bytes::new();
        }
        self.0.extend_from_slice(LINE_END);
        let prefix = format!("{payload:x}\r\n");
        let start = PREFIX_MAX_BYTES - prefix.len();
        self.0[start..PREFIX_MAX_BYTES].copy_from_slice(prefix.as_bytes());
        // A shared buffer lives as long as its longest reader: give the spare room back.
        self.0.shrink_to_fit();
        Bytes::from(self.0).slice(start..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_chunk_around_its_payload() {
        let frame = Frame::plain("a\nb".repeat(10));
        assert_eq!(frame.chunk, format!("1e\r\n{}\r\n", "a\nb".repeat(10)));
        assert_eq!(frame.payload(), "a\nb".repeat(10));
        assert_eq!(Frame::plain("").chunk, "");
        assert_eq!(Frame::plain("").payload(), "");
    }
}
