//! Private keys in PEM, plain or encrypted with a password (PKCS #8).

use pkcs8::der::Decode as _;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
/// What the older encryption, inside the PEM headers, begins with.
const OLD_ENCRYPTION: &str = "Proc-Type: 4,ENCRYPTED";

/// The first private key of the text. Errors say why there is none to use.
pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains(OLD_ENCRYPTION) {
        return Err(
            "the PEM key is encrypted in the old way of OpenSSL: convert it with `openssl pkcs8 -topk8`"
                .to_owned(),
        );
    }
    let Some(block) = encrypted(&text) else {
        return PrivateKeyDer::from_pem_slice(bytes)
            .map_err(|error| format!("the PEM key cannot be read: {error}"));
    };
    let password = password.ok_or("the PEM key is encrypted: set keyPassword")?;
    let (_, document) = SecretDocument::from_pem(block)
        .map_err(|error| format!("the encrypted PEM key cannot be read: {error}"))?;
    let key = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
        .map_err(|error| format!("the encrypted PEM key cannot be read: {error}"))?
        .decrypt(password)
        .map_err(|error| format!("the PEM key cannot be decrypted, check keyPassword: {error}"))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// The block of an encrypted key; certificates may stand beside it.
fn encrypted(text: &str) -> Option<&str> {
    let start = text.find(BEGIN)?;
    let end = text[start..].find(END)? + start + END.len();
    text.get(start..end)
}
