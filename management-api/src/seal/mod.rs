//! Sealing: what has to be shown again to those who may see it, and is of no use to whoever reads the store.
//!
//! AES-256-GCM with a fresh random nonce each. Every sealed text is bound to its place, so that rows cannot be swapped.
//! The store remembers a fingerprint of the key: a node with another key, or without one, does not start on it.

mod store;

use crate::db::Db;
use crate::error::{ApiError, Result};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use anyhow::{Context as _, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which stands before its ciphertext.
const NONCE_BYTES: usize = 12;
/// Bytes of the fingerprint; enough to tell keys apart.
const FINGERPRINT_BYTES: usize = 16;

/// The key that seals a store.
#[derive(Debug, Clone)]
pub struct SealKey(Arc<SecretBox<[u8; KEY_BYTES]>>);

impl SealKey {
    /// Reads 32 bytes of base64. Errors never repeat the text.
    pub fn parse(text: &str) -> std::result::Result<SealKey, &'static str> {
        let wrong = "is not 32 bytes in base64; `openssl rand -base64 32` makes such a key";
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| wrong)?;
        let key: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| wrong)?;
        Ok(SealKey(Arc::new(SecretBox::new(Box::new(key)))))
    }

    /// A new key as text.
    pub fn generate() -> SecretString {
        SecretString::from(BASE64_STANDARD.encode(rand::random::<[u8; KEY_BYTES]>()))
    }

    /// Tells keys apart without telling anything about them.
    fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"tidegate seal key fingerprint");
        hash.update(self.0.expose_secret());
        hash.finalize().iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Seals and opens; without a key it does neither.
#[derive(Clone)]
pub(crate) struct Sealer(Option<Aes256Gcm>);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer of this key.
    pub(crate) fn new(key: Option<&SealKey>) -> Sealer {
        Sealer(key.map(|key| Aes256Gcm::new(key.0.expose_secret().into())))
    }

    fn cipher(&self) -> Result<&Aes256Gcm> {
        self.0.as_ref().ok_or_else(|| {
            let message = "This management node has no seal key, so it cannot keep API keys: set TIDEGATE_SEAL_KEY \
                           to 32 random bytes in base64 and start it again";
            ApiError::coded(StatusCode::INTERNAL_SERVER_ERROR, "apiKey.notSealable", message, &[])
        })
    }

    /// Seals a text for a place.
    pub(crate) fn seal(&self, place: &str, text: &SecretString) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: text.expose_secret().as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| anyhow!("a secret could not be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for the same place.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString> {
        let cipher = self.cipher()?;
        let open = || {
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
            let payload = Payload { msg: sealed, aad: place.as_bytes() };
            let text = cipher.decrypt(&Nonce::from(*nonce), payload).ok()?;
            String::from_utf8(text).ok().map(SecretString::from)
        };
        Ok(open().ok_or_else(|| {
            anyhow!("what is sealed for {place} cannot be opened with this node's seal key")
        })?)
    }
}

/// Refuses to go on with a store that another key seals. Without a key, with a store that any key seals.
pub(crate) async fn check(db: &Db, key: Option<&SealKey>) -> anyhow::Result<()> {
    let fingerprint = key.map(SealKey::fingerprint);
    let stored = match &fingerprint {
        Some(own) => Some(store::remember(db, own).await.context("the store's seal cannot be read")?),
        None => store::fingerprint(db).await.context("the store's seal cannot be read")?,
    };
    match (stored, fingerprint) {
        (Some(_), None) => bail!(
            "this store holds sealed API keys: set TIDEGATE_SEAL_KEY (or TIDEGATE_SEAL_KEY_FILE) to the key that it \
             was sealed with"
        ),
        (Some(stored), Some(own)) if stored != own => bail!(
            "TIDEGATE_SEAL_KEY is not the key that this store is sealed with: every management node of a store needs \
             the same one"
        ),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::parse(SealKey::generate().expose_secret()).unwrap()
    }

    #[test]
    fn keys_are_32_bytes_of_base64() {
        for text in ["", "short", "!!!!", &BASE64_STANDARD.encode([1; 31]), &BASE64_STANDARD.encode([1; 33])]
        {
            assert!(SealKey::parse(text).is_err(), "{text}");
        }
        let key = SealKey::parse(&format!("{}\n", BASE64_STANDARD.encode([7; 32]))).unwrap();
        assert!(!format!("{key:?}").contains("7, 7"), "{key:?}");
        assert_ne!(key.fingerprint(), self::key().fingerprint());
    }

    #[test]
    fn only_the_same_place_and_key_open_a_seal() {
        let sealer = Sealer::new(Some(&key()));
        let text = SecretString::from("hush");
        let sealed = sealer.seal("a", &text).unwrap();
        assert_ne!(sealed, sealer.seal("a", &text).unwrap(), "each has its own nonce");
        assert!(!sealed.windows(4).any(|window| window == b"hush"));
        assert_eq!(sealer.open("a", &sealed).unwrap().expose_secret(), "hush");
        assert!(sealer.open("b", &sealed).is_err());
        assert!(Sealer::new(Some(&key())).open("a", &sealed).is_err());
        assert!(sealer.open("a", &sealed[..5]).is_err());
        assert!(Sealer::new(None).seal("a", &text).is_err());
    }

    #[tokio::test]
    async fn a_store_knows_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let (one, other) = (key(), key());
        check(&db, None).await.unwrap();
        check(&db, Some(&one)).await.unwrap();
        check(&db, Some(&one)).await.unwrap();
        let refused = check(&db, Some(&other)).await.unwrap_err();
        assert!(refused.to_string().contains("is not the key"), "{refused}");
        let refused = check(&db, None).await.unwrap_err();
        assert!(refused.to_string().contains("set TIDEGATE_SEAL_KEY"), "{refused}");
    }
}
