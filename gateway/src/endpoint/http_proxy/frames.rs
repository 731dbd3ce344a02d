//! Where WebSocket frames begin and end in a stream of bytes that is passed on unread, so that a close frame of our own
//! never lands inside another frame.

/// Most bytes before a frame's payload: two, the long length, the mask.
const HEADER_MAX_BYTES: usize = 14;

/// Follows one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_MAX_BYTES],
    header_len: usize,
    payload_left: u64,
}

impl Frames {
    /// Whether the next byte begins a frame.
    pub(super) fn between(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0
    }

    /// Takes note of bytes that were passed on.
    pub(super) fn passed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = bytes.len().min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.header_len] = bytes[0];
            self.header_len += 1;
            bytes = &bytes[1..];
            if let Some(payload) = self.payload() {
                self.payload_left = payload;
                self.header_len = 0;
            }
        }
    }

    /// Length of the payload, once the header is complete.
    fn payload(&self) -> Option<u64> {
        let header = &self.header[..self.header_len];
        let second = *header.get(1)?;
        let (short, mask) = (second & 0x7f, if second & 0x80 == 0 { 0 } else { 4 });
        let long = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if header.len() < 2 + long + mask {
            return None;
        }
        Some(match long {
            0 => u64::from(short),
            _ => header[2..2 + long].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }
}

/// An empty ping of a server.
pub(super) fn ping() -> Vec<u8> {
    vec![0x89, 0x00]
}

/// An empty ping of a client; a mask of nothing masks nothing.
pub(super) fn masked_ping() -> Vec<u8> {
    [&[0x89, 0x80][..], &rand::random::<[u8; 4]>()].concat()
}

/// A close frame of a server.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut frame = vec![0x88, u8::try_from(2 + reason.len()).unwrap_or(2)];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

/// A close frame of a client, which masks what it sends.
pub(super) fn masked_close(code: u16) -> Vec<u8> {
    let mask: [u8; 4] = rand::random();
    let mut frame = vec![0x88, 0x82];
    frame.extend_from_slice(&mask);
    frame.extend(code.to_be_bytes().iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaps_between_frames_are_found_however_the_bytes_come() {
        let short = [&[0x81, 0x03][..], b"abc"].concat();
        let masked = [&[0x82, 0x81, 1, 2, 3, 4][..], b"x"].concat();
        let long = [&[0x82, 126, 0x01, 0x00][..], &[0; 256]].concat();
        let huge = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65_536]].concat();
        let empty = vec![0x89, 0x00];
        let frames = [short, masked, long, huge, empty];
        let stream = frames.concat();
        let ends: Vec<usize> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        for step in [1, 2, 3, 7, 100, stream.len()] {
            let (mut tracker, mut at) = (Frames::default(), 0);
            for piece in stream.chunks(step) {
                tracker.passed(piece);
                at += piece.len();
                assert_eq!(tracker.between(), ends.contains(&at), "after {at} bytes by {step}");
            }
        }
    }

    #[test]
    fn close_frames_are_frames() {
        for frame in [close(1012, "Service Restart"), masked_close(1001), ping(), masked_ping()] {
            let mut tracker = Frames::default();
            tracker.passed(&frame[..frame.len() - 1]);
            assert!(!tracker.between());
            tracker.passed(&frame[frame.len() - 1..]);
            assert!(tracker.between());
        }
    }
}
