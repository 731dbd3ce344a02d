//! Certificates and keys from the stores of the field: PEM, JKS and PKCS12.
//!
//! A file that says JKS and holds PKCS12 is read all the same, as Java does: its own tools write such files.

use super::jks_form;
use super::private_key;
use definition::connector::ssl::{KeyStore, Material, StoreFormat, TrustStore};
use jks::KeyStore as Jks;
use p12_keystore::{KeyStore as Pkcs12, KeyStoreEntry, Pkcs12ImportPolicy, PrivateKeyChain};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::panic::catch_unwind;

/// How a JKS file begins.
const JKS_MAGIC: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];

/// A certificate chain, the own one first, with its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The bytes of a store. They are added to `seen`, so that a file that changed is known to be another one.
fn read(material: &Material, seen: &mut Sha256) -> Result<Vec<u8>, String> {
    let bytes = match material {
        Material::Content(bytes) => bytes.clone(),
        Material::Path(path) => std::fs::read(path)
            .map_err(|error| format!("the file {path} cannot be read on this gateway: {error}"))?,
    };
    seen.update((bytes.len() as u64).to_be_bytes());
    seen.update(&bytes);
    Ok(bytes)
}

/// The certificates of a trust store. Errors say why it cannot be used.
pub(super) fn trusted(store: &TrustStore, seen: &mut Sha256) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(&store.material, seen)?;
    let password = store.password.as_deref().unwrap_or_default();
    let certificates = match store.format {
        StoreFormat::Pem => pem_certificates(&bytes)?,
        StoreFormat::Jks if bytes.starts_with(&JKS_MAGIC) => jks_trusted(&bytes, password)?,
        StoreFormat::Jks | StoreFormat::Pkcs12 => pkcs12_trusted(&bytes, password)?,
        StoreFormat::None | StoreFormat::Unset => Vec::new(),
    };
    match certificates.is_empty() {
        true => Err("the store holds no certificate".to_owned()),
        false => Ok(certificates),
    }
}

/// The certificate and key of a key store. Errors say why it cannot be used.
pub(super) fn identity(store: &KeyStore, seen: &mut Sha256) -> Result<Identity, String> {
    match store {
        KeyStore::Pem { certificates, key, key_password } => {
            let chain = pem_certificates(&read(certificates, seen)?)?;
            let key = private_key::read(&read(key, seen)?, key_password.as_deref())?;
            Ok((chain, key))
        }
        KeyStore::Store { pkcs12, material, password, alias, key_password } => {
            let bytes = read(material, seen)?;
            let password = password.as_deref().unwrap_or_default();
            if *pkcs12 || !bytes.starts_with(&JKS_MAGIC) {
                return pkcs12_identity(&bytes, password, alias.as_deref());
            }
            jks_identity(&bytes, password, alias.as_deref(), key_password.as_deref().unwrap_or(password))
        }
    }
}

fn pem_certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("the PEM text holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("the PEM certificates cannot be read: {error}")),
    }
}

fn open_jks(bytes: &[u8], password: &str) -> Result<Jks, String> {
    const DAMAGED: &str = "the JKS store is damaged, or no JKS store: the lengths in it do not fit";
    if !jks_form::is_whole(bytes) {
        return Err(DAMAGED.to_owned());
    }
    let opened = catch_unwind(|| {
        let mut store = Jks::new();
        store.load(bytes, password.as_bytes()).map(|()| store)
    });
    let opened = opened.map_err(|_| DAMAGED)?;
    opened.map_err(|error| format!("the JKS store cannot be opened, check its password: {error}"))
}

fn jks_trusted(bytes: &[u8], password: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let store = open_jks(bytes, password)?;
    let certificates = store.aliases().into_iter().filter_map(|alias| {
        let trusted = store.get_trusted_certificate_entry(&alias).ok().map(|entry| entry.certificate);
        // As Java does: the own certificate of a key entry is trusted as well.
        let own = || store.get_private_key_entry_certificate_chain(&alias).ok()?.into_iter().next();
        Some(CertificateDer::from(trusted.or_else(own)?.content))
    });
    Ok(certificates.collect())
}

fn jks_identity(
    bytes: &[u8],
    password: &str,
    alias: Option<&str>,
    key_password: &str,
) -> Result<Identity, String> {
    let store = open_jks(bytes, password)?;
    let mut keys: Vec<String> =
        store.aliases().into_iter().filter(|alias| store.is_private_key_entry(alias)).collect();
    keys.sort();
    let alias = match alias {
        Some(alias) => alias.to_owned(),
        None => keys.into_iter().next().ok_or("the store holds no key")?,
    };
    let entry = store
        .get_private_key_entry(&alias, key_password.as_bytes())
        .map_err(|error| format!("the key `{alias}` cannot be read, check keyPassword: {error}"))?;
    let chain =
        entry.certificate_chain.into_iter().map(|certificate| CertificateDer::from(certificate.content));
    Ok((chain.collect(), PrivatePkcs8KeyDer::from(entry.private_key).into()))
}

fn open_pkcs12(bytes: &[u8], password: &str, policy: Pkcs12ImportPolicy) -> Result<Pkcs12, String> {
    Pkcs12::from_pkcs12(bytes, password, policy)
        .map_err(|error| format!("the PKCS12 store cannot be opened, check its password: {error}"))
}

fn pkcs12_trusted(bytes: &[u8], password: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let marked = pkcs12_certificates(bytes, password, Pkcs12ImportPolicy::Relaxed)?;
    if !marked.is_empty() {
        return Ok(marked);
    }
    // Only Java's own tool marks what is trusted; a store that OpenSSL made marks nothing and means all of it.
    pkcs12_certificates(bytes, password, Pkcs12ImportPolicy::Raw)
}

fn pkcs12_certificates(
    bytes: &[u8],
    password: &str,
    policy: Pkcs12ImportPolicy,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let store = open_pkcs12(bytes, password, policy)?;
    let certificates = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::Certificate(certificate) => Some(certificate.as_der()),
        KeyStoreEntry::PrivateKeyChain(chain) => {
            chain.certs().first().map(|certificate| certificate.as_der())
        }
        KeyStoreEntry::Secret(_) => None,
    });
    Ok(certificates.map(|der| CertificateDer::from(der.to_vec())).collect())
}

fn pkcs12_identity(bytes: &[u8], password: &str, alias: Option<&str>) -> Result<Identity, String> {
    let store = open_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict)?;
    let mut chains = store.entries().filter_map(|(name, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some((name, chain)),
        KeyStoreEntry::Certificate(_) | KeyStoreEntry::Secret(_) => None,
    });
    let found: Option<(&String, &PrivateKeyChain)> = match alias {
        Some(alias) => chains.find(|(name, _)| name.eq_ignore_ascii_case(alias)),
        None => chains.next(),
    };
    let (_, chain) = found.ok_or_else(|| match alias {
        Some(alias) => format!("the store holds no key named `{alias}`"),
        None => "the store holds no key".to_owned(),
    })?;
    let certificates =
        chain.certs().iter().map(|certificate| CertificateDer::from(certificate.as_der().to_vec()));
    Ok((certificates.collect(), PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into()))
}
