//! A token in its parts. Reading one proves nothing about it.

use crate::security::claims::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use definition::digest::Digest;
use definition::security::jwt::Signature;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Longest token that is read, bytes.
const TOKEN_MAX_BYTES: usize = 16 * 1024;

/// A token whose three parts could be read.
pub(in crate::security) struct Decoded {
    pub(super) text: String,
    header: Claims,
    pub(super) claims: Claims,
    /// Where the signature begins, behind its dot.
    signature: usize,
}

impl Decoded {
    pub(super) fn read(text: &str) -> Option<Decoded> {
        if text.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let mut parts = text.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if signature.is_empty() || parts.next().is_some() {
            return None;
        }
        let signature = text.len() - signature.len();
        Some(Decoded { text: text.to_owned(), header: object(header)?, claims: object(claims)?, signature })
    }

    /// As expressions see it.
    pub(in crate::security) fn to_json(&self) -> Value {
        json!({"token": self.text, "headers": self.header, "claims": self.claims})
    }

    pub(super) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    pub(super) fn algorithm(&self) -> Option<&str> {
        self.header_text("alg")
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header_text("kid")
    }

    /// Extensions that a recipient must know to accept the token; none is known here.
    pub(super) fn has_critical_extensions(&self) -> bool {
        self.header.contains_key("crit")
    }

    /// Stands for this token, with these keys.
    pub(super) fn hash(&self, keys: &str) -> Digest {
        let mut hash = Sha256::new();
        hash.update(keys.as_bytes());
        // A token holds no such byte, so that nothing is taken for another.
        hash.update([0]);
        hash.update(self.text.as_bytes());
        hash.finalize().into()
    }

    pub(super) fn is_signed_by(&self, key: &DecodingKey, signature: Signature) -> bool {
        let (message, sent) = (&self.text[..self.signature - 1], &self.text[self.signature..]);
        crypto::verify(sent, message.as_bytes(), key, algorithm(signature)).unwrap_or(false)
    }
}

fn object(part: &str) -> Option<Claims> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The algorithm as the library names it.
pub(super) fn algorithm(signature: Signature) -> Algorithm {
    match signature {
        Signature::Hs256 => Algorithm::HS256,
        Signature::Hs384 => Algorithm::HS384,
        Signature::Hs512 => Algorithm::HS512,
        Signature::Rs256 => Algorithm::RS256,
        Signature::Rs384 => Algorithm::RS384,
        Signature::Rs512 => Algorithm::RS512,
        Signature::Ps256 => Algorithm::PS256,
        Signature::Ps384 => Algorithm::PS384,
        Signature::Ps512 => Algorithm::PS512,
        Signature::Es256 => Algorithm::ES256,
        Signature::Es384 => Algorithm::ES384,
    }
}
