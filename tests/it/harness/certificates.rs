//! The certificates of this run (`tests/services/certs.sh`), in the forms that users have.
//!
//! `ca` signed `server` (for localhost and 127.0.0.1), `expired`, `wronghost` (for other.example) and `client`; `other-ca`
//! signed `stranger`. Each has `.crt`, `.key` (PKCS#8) and `.pem` (key, then certificate); the client also has `client-enc.key`,
//! `client.p12` and `client.jks`. Trust stores with `ca`: `trust.p12`, `trust.jks`, and `trust-unmarked.p12` as OpenSSL makes it.

use super::services::services;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Password of every store and of the encrypted key.
pub(crate) const PASSWORD: &str = "changeit";

/// Path of a file, such as `ca.crt`.
pub(crate) fn path(file: &str) -> String {
    let path = services().run.join("certs").join(file);
    assert!(path.exists(), "there is no certificate file {}", path.display());
    path.to_str().expect("the checkout's path is text").to_owned()
}

/// A PEM file as text.
pub(crate) fn pem(file: &str) -> String {
    std::fs::read_to_string(path(file)).expect("a PEM file is text")
}

/// A store as documents carry it.
pub(crate) fn base64(file: &str) -> String {
    STANDARD.encode(std::fs::read(path(file)).expect("the file is there"))
}
