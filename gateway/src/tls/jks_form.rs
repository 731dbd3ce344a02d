//! Whether the lengths in a JKS file fit the file. The library that reads it believes them: one that is damaged could
//! make it ask for more memory than there is, which nobody survives.

/// Greatest date, milliseconds since 1970: the end of the year 9999.
const DATE_MAX_MS: u64 = 253_402_300_799_999;
/// Behind the entries.
const DIGEST_BYTES: usize = 20;
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;

/// What is left of the file.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn count(&mut self, bytes: usize) -> Option<usize> {
        usize::try_from(self.number(bytes)?).ok()
    }

    /// Skips something with its length, of so many bytes, in front.
    fn skip(&mut self, length_bytes: usize) -> Option<()> {
        let count = self.count(length_bytes)?;
        self.take(count).map(|_| ())
    }

    fn certificate(&mut self, version: u64) -> Option<()> {
        if version == 2 {
            self.skip(2)?;
        }
        self.skip(4)
    }

    fn entry(&mut self, version: u64) -> Option<()> {
        let tag = self.number(4)?;
        self.skip(2)?;
        self.number(8).filter(|date| *date <= DATE_MAX_MS)?;
        if tag == u64::from(TRUSTED_CERTIFICATE) {
            return self.certificate(version);
        }
        if tag != u64::from(PRIVATE_KEY) {
            return None;
        }
        self.skip(4)?;
        let certificates = self.count(4)?;
        // Each has a length at least.
        if certificates > self.0.len() / 4 {
            return None;
        }
        (0..certificates).try_for_each(|_| self.certificate(version))
    }

    fn store(&mut self) -> Option<()> {
        self.number(4)?;
        let version = self.number(4)?;
        let entries = self.number(4)?;
        (0..entries).try_for_each(|_| self.entry(version))
    }
}

/// Whether the file can be given to the library.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = Rest(bytes);
    rest.store().is_some() && rest.0.len() == DIGEST_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One key with one certificate and one trusted certificate, as far as their lengths go.
    fn store() -> Vec<u8> {
        let number = |number: u32| number.to_be_bytes().to_vec();
        let certificate = [&[0, 1, b'X'][..], &number(3), b"der"].concat();
        let key = [
            number(1),
            vec![0, 1, b'k'],
            vec![0; 8],
            number(2),
            b"pk".to_vec(),
            number(1),
            certificate.clone(),
        ];
        let trusted = [number(2), vec![0, 1, b't'], vec![0; 8], certificate];
        [number(0xFEED_FEED), number(2), number(2), key.concat(), trusted.concat(), vec![7; DIGEST_BYTES]]
            .concat()
    }

    #[test]
    fn lengths_that_fit_are_taken_and_no_other_ones() {
        let whole = store();
        assert!(is_whole(&whole));
        for cut in 0..whole.len() {
            assert!(!is_whole(&whole[..cut]), "cut at {cut}");
        }
        // Any of the lengths and counts.
        for place in [8, 12, 16, 19, 27, 33, 37, 40] {
            let mut damaged = whole.clone();
            damaged[place] = 0xFF;
            assert!(!is_whole(&damaged), "byte {place}");
        }
        assert!(!is_whole(&[whole, vec![0]].concat()));
    }
}
