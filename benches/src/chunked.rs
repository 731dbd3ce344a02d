//! Decoder of the chunked transfer coding, fed with whatever a read brought. Trailers are not understood: no contender
//! sends any.

use std::io;

/// Longest accepted line with a chunk's size, bytes.
const SIZE_LINE_MAX_BYTES: usize = 64;

/// Where in the coding the next byte belongs.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Size,
    Data,
    AfterData,
    LastLine,
    End,
}

/// State between two reads of one body.
pub(crate) struct Decoder {
    place: Place,
    remaining: usize,
    line: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { place: Place::Size, remaining: 0, line: Vec::new() }
    }

    /// True after the last chunk.
    pub(crate) fn is_ended(&self) -> bool {
        self.place == Place::End
    }

    /// Appends the decoded content to `output` and returns how many bytes of `input` belonged to the body.
    pub(crate) fn feed(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        let mut used = 0;
        while used < input.len() {
            match self.place {
                Place::Data => {
                    let count = self.remaining.min(input.len() - used);
                    output.extend_from_slice(&input[used..used + count]);
                    used += count;
                    self.remaining -= count;
                    if self.remaining == 0 {
                        self.place = Place::AfterData;
                    }
                }
                Place::Size | Place::AfterData | Place::LastLine => {
                    let byte = input[used];
                    used += 1;
                    if byte == b'\n' {
                        self.line_ended()?;
                    } else if self.line.len() < SIZE_LINE_MAX_BYTES {
                        self.line.push(byte);
                    } else {
                        return Err(io::Error::other("a chunk's size line is too long"));
                    }
                }
                Place::End => break,
            }
        }
        Ok(used)
    }

    fn line_ended(&mut self) -> io::Result<()> {
        self.place = match self.place {
            Place::Size => {
                let text = str::from_utf8(&self.line).unwrap_or_default().trim();
                let digits = text.split(';').next().unwrap_or_default();
                self.remaining = usize::from_str_radix(digits, 16)
                    .map_err(|_| io::Error::other(format!("`{text}` is not the size of a chunk")))?;
                if self.remaining == 0 { Place::LastLine } else { Place::Data }
            }
            Place::AfterData => Place::Size,
            Place::LastLine | Place::Data | Place::End => Place::End,
        };
        self.line.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_out_the_same_however_it_is_cut() {
        let coded = b"5\r\nhello\r\n7;x=y\r\n\n\nworld\r\n0\r\n\r\nnext";
        for cut in 0..coded.len() {
            let (mut decoder, mut out) = (Decoder::new(), Vec::new());
            let first = decoder.feed(&coded[..cut], &mut out).unwrap();
            let second = decoder.feed(&coded[first..], &mut out).unwrap();
            assert_eq!(out, b"hello\n\nworld", "cut at {cut}");
            assert!(decoder.is_ended());
            assert_eq!(first + second, coded.len() - "next".len());
        }
    }

    #[test]
    fn a_size_that_is_no_number_is_refused() {
        assert!(Decoder::new().feed(b"xyz\r\n", &mut Vec::new()).is_err());
    }
}
