//! Public keys as authors paste them: PEM of a key or of a certificate (line breaks may be lost on the way), `ssh-rsa`,
//! or the bare base64 in between.
//!
//! Only the shape is looked at, so that a wrong key is refused when it is saved; what a signature is worth is decided by
//! a cryptographic library.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Object identifier 1.2.840.113549.1.1.1, rsaEncryption.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Object identifier 1.2.840.10045.2.1, ecPublicKey.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate.
const CONTEXT_0: u8 = 0xa0;

/// A public key, in the parts that signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// The uncompressed point: 4, x, y.
    Ec { point: Vec<u8> },
}

/// Why a text is no public key. It never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("holds a private key, paste the public key that belongs to it")]
    Private,
    #[error(
        "is no public key: paste it as PEM (-----BEGIN PUBLIC KEY-----), as a PEM certificate or as ssh-rsa"
    )]
    Unreadable,
    #[error("is a key of a kind that signs no tokens here, use an RSA or an EC key")]
    Unsupported,
}

impl PublicKey {
    /// Reads any of the forms.
    pub fn parse(text: &str) -> Result<PublicKey, KeyError> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        if let Some(rest) = text.strip_prefix("ssh-rsa ") {
            let encoded = rest.split_whitespace().next().unwrap_or_default();
            return ssh_rsa(&decode(encoded)?).ok_or(KeyError::Unreadable);
        }
        let body = match text.split_once("-----BEGIN ") {
            Some((_, rest)) => {
                let body = rest.split_once("-----").map(|(_, body)| body).ok_or(KeyError::Unreadable)?;
                body.split("-----END").next().unwrap_or_default()
            }
            None => text,
        };
        let der = decode(body)?;
        let (SEQUENCE, content, []) = element(&der).ok_or(KeyError::Unreadable)? else {
            return Err(KeyError::Unreadable);
        };
        match element(content).ok_or(KeyError::Unreadable)? {
            // PKCS#1: the modulus comes first.
            (INTEGER, _, _) => rsa(content).ok_or(KeyError::Unreadable),
            (SEQUENCE, first, rest) => match element(first) {
                Some((OBJECT_ID, _, _)) => subject_public_key(content),
                _ => certificate(first, rest),
            },
            _ => Err(KeyError::Unreadable),
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let packed: String = text.split_whitespace().collect();
    // Some tools show line breaks as the two characters of their escape.
    STANDARD.decode(packed.replace("\\n", "")).map_err(|_| KeyError::Unreadable)
}

/// The first element of DER: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long & 0x7f).filter(|(bytes, _)| bytes.len() <= 4)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `SEQUENCE { SEQUENCE { algorithm, … }, BIT STRING }`, without its own head.
fn subject_public_key(content: &[u8]) -> Result<PublicKey, KeyError> {
    let parts = || {
        let (_, algorithm, rest) = element(content)?;
        let (_, algorithm, _) = element(algorithm)?;
        let (tag, bits, _) = element(rest)?;
        // The first byte of a bit string says how many bits are unused; keys use all.
        let bits = bits.strip_prefix(&[0]).filter(|_| tag == BIT_STRING)?;
        Some((algorithm, bits))
    };
    let (algorithm, bits) = parts().ok_or(KeyError::Unreadable)?;
    match algorithm {
        RSA => match element(bits) {
            Some((SEQUENCE, content, _)) => rsa(content).ok_or(KeyError::Unreadable),
            _ => Err(KeyError::Unreadable),
        },
        EC if bits.first() == Some(&4) => Ok(PublicKey::Ec { point: bits.to_vec() }),
        _ => Err(KeyError::Unsupported),
    }
}

/// The subject's key of a certificate, whose signed part is `signed`.
fn certificate(signed: &[u8], _signature: &[u8]) -> Result<PublicKey, KeyError> {
    let key = || {
        let mut rest = signed;
        if let (CONTEXT_0, _, after) = element(rest)? {
            rest = after;
        }
        // Serial number, signature algorithm, issuer, validity, subject.
        for _ in 0..5 {
            rest = element(rest)?.2;
        }
        element(rest).filter(|(tag, _, _)| *tag == SEQUENCE).map(|(_, content, _)| content)
    };
    subject_public_key(key().ok_or(KeyError::Unreadable)?)
}

fn rsa(content: &[u8]) -> Option<PublicKey> {
    let (INTEGER, modulus, rest) = element(content)? else { return None };
    let (INTEGER, exponent, _) = element(rest)? else { return None };
    Some(PublicKey::Rsa { modulus: unsigned(modulus), exponent: unsigned(exponent) })
}

/// `string "ssh-rsa", mpint exponent, mpint modulus`, each with four bytes of length.
fn ssh_rsa(blob: &[u8]) -> Option<PublicKey> {
    fn field(blob: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
    }
    let (kind, rest) = field(blob)?;
    let (exponent, rest) = field(rest)?;
    let (modulus, _) = field(rest)?;
    (kind == b"ssh-rsa").then(|| PublicKey::Rsa { modulus: unsigned(modulus), exponent: unsigned(exponent) })
}

fn unsigned(integer: &[u8]) -> Vec<u8> {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer[zeros..].to_vec()
}

#[cfg(test)]
mod tests;
