//! Keys that sign, from what the settings hold: a secret, PEM text, or a key store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::policy::generate_jwt::{GenerateJwt, KeyResolver, Signature};
use jsonwebtoken::EncodingKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A key and its certificates, its own first, as base64 of DER.
pub(super) struct SigningKey {
    pub(super) key: EncodingKey,
    pub(super) chain: Vec<String>,
}

/// Private key and certificates as DER.
type Found = (PrivateKeyDer<'static>, Vec<Vec<u8>>);

/// Reads the key. The error names the fault, never the key.
pub(super) fn read(settings: &GenerateJwt) -> Result<SigningKey, String> {
    if settings.signature != Signature::RsaRs256 {
        return Ok(SigningKey { key: secret(settings)?, chain: Vec::new() });
    }
    let (key, chain) = match settings.key_resolver {
        KeyResolver::Inline | KeyResolver::Pem => from_pem(&settings.content)?,
        KeyResolver::Jks => from_jks(settings)?,
        KeyResolver::Pkcs12 => from_pkcs12(settings)?,
    };
    let key = EncodingKey::from_rsa_pem(pem(&key)?.as_bytes());
    let key = key.map_err(|_| "holds no RSA private key, which RSA_RS256 needs".to_owned())?;
    Ok(SigningKey { key, chain: chain.iter().map(|certificate| STANDARD.encode(certificate)).collect() })
}

fn secret(settings: &GenerateJwt) -> Result<EncodingKey, String> {
    if !settings.secret_base64_encoded {
        return Ok(EncodingKey::from_secret(settings.content.as_bytes()));
    }
    let decoded = STANDARD.decode(settings.content.trim());
    decoded.map(|secret| EncodingKey::from_secret(&secret)).map_err(|_| "is not base64".to_owned())
}

fn from_pem(text: &str) -> Result<Found, String> {
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
    let key = key.map_err(|_| "holds no private key in PEM (PRIVATE KEY or RSA PRIVATE KEY)".to_owned())?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    Ok((key, certificates.filter_map(Result::ok).map(|certificate| certificate.to_vec()).collect()))
}

fn from_pkcs12(settings: &GenerateJwt) -> Result<Found, String> {
    use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
    let password = settings.store_password.as_deref().unwrap_or_default();
    let store = KeyStore::from_pkcs12(&store(settings)?, password, Pkcs12ImportPolicy::Relaxed)
        .map_err(|_| "is no PKCS12 key store, or its password is another one".to_owned())?;
    let chain = match &settings.alias {
        Some(alias) => match store.entry(alias) {
            Some(KeyStoreEntry::PrivateKeyChain(chain)) => Some(chain),
            Some(KeyStoreEntry::Certificate(_) | KeyStoreEntry::Secret(_)) | None => None,
        },
        None => store.private_key_chain().map(|(_, chain)| chain),
    };
    let chain = chain.ok_or_else(|| no_such_key(settings))?;
    let key = PrivateKeyDer::Pkcs8(chain.key().as_der().to_vec().into());
    Ok((key, chain.certs().iter().map(|certificate| certificate.as_der().to_vec()).collect()))
}

fn from_jks(settings: &GenerateJwt) -> Result<Found, String> {
    let content = store(settings)?;
    let password = settings.store_password.as_deref().unwrap_or_default();
    let key_password = settings.key_password.as_deref().unwrap_or(password);
    // The reader trusts lengths that stand in the file: one that lies would end more than this deployment.
    let read = std::panic::catch_unwind(|| {
        let mut store = jks::KeyStore::new();
        store.load(content.as_slice(), password.as_bytes()).ok()?;
        let only = || store.aliases().into_iter().find(|alias| store.is_private_key_entry(alias));
        let alias = settings.alias.clone().or_else(only)?;
        store.get_private_key_entry(&alias, key_password.as_bytes()).ok()
    });
    let entry = read.ok().flatten().ok_or_else(|| {
        "is no JKS key store, its passwords are others, or it holds no such private key".to_owned()
    })?;
    let chain = entry.certificate_chain.into_iter().map(|certificate| certificate.content).collect();
    Ok((PrivateKeyDer::Pkcs8(entry.private_key.into()), chain))
}

fn store(settings: &GenerateJwt) -> Result<Vec<u8>, String> {
    let text: String = settings.content.split_whitespace().collect();
    STANDARD.decode(text).map_err(|_| "is not the base64 of a key store".to_owned())
}

fn no_such_key(settings: &GenerateJwt) -> String {
    match &settings.alias {
        Some(alias) => format!("holds no private key with the name {alias:?}"),
        None => "holds no private key".to_owned(),
    }
}

/// The key as the signing library reads it.
fn pem(key: &PrivateKeyDer<'_>) -> Result<String, String> {
    let (label, der) = match key {
        PrivateKeyDer::Pkcs1(key) => ("RSA PRIVATE KEY", key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => ("PRIVATE KEY", key.secret_pkcs8_der()),
        _ => return Err("holds no RSA private key, which RSA_RS256 needs".to_owned()),
    };
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    Ok(text)
}
