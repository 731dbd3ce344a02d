//! Keys made for this test; nothing is signed with them.

use super::*;

const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArwnXU88kUppGNtKbqFUx\n\
e7VYs0REJvB3jeclMt770TkFTvQ0rS1GV6Tb3o++bpK+4QHe07HkEkKM/1qCk7e/\n\
eiOUGRYWLQFHZoLz5cjDgVRMTwQpNM339ca57w1C7OwWzYjpZGr74LuLgy2WRJCo\n\
ZsGBczmqJ5lD7C2h/NPR7nTSI0+fraJlQ2OYaOTFjgmyqETA+JWiWHhjvpOIDRUa\n\
EldJz54uIRrB8a/oX8SeKq4S+wwBvXMQEr+2mOqGncCyutxpD19O2YHCSyt4YZie\n\
uRlwBS2nXHKE9kmVGvd6yRgdMHdpOpT30PSeQYF3eUgzSzE36Xz0wgIoA0DYDVid\n\
6QIDAQAB\n\
-----END PUBLIC KEY-----";
const RSA_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
MIIBCgKCAQEArwnXU88kUppGNtKbqFUxe7VYs0REJvB3jeclMt770TkFTvQ0rS1G\n\
V6Tb3o++bpK+4QHe07HkEkKM/1qCk7e/eiOUGRYWLQFHZoLz5cjDgVRMTwQpNM33\n\
9ca57w1C7OwWzYjpZGr74LuLgy2WRJCoZsGBczmqJ5lD7C2h/NPR7nTSI0+fraJl\n\
Q2OYaOTFjgmyqETA+JWiWHhjvpOIDRUaEldJz54uIRrB8a/oX8SeKq4S+wwBvXMQ\n\
Er+2mOqGncCyutxpD19O2YHCSyt4YZieuRlwBS2nXHKE9kmVGvd6yRgdMHdpOpT3\n\
0PSeQYF3eUgzSzE36Xz0wgIoA0DYDVid6QIDAQAB\n\
-----END RSA PUBLIC KEY-----";
const RSA_SSH: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCvCddTzyRSmkY20puoVTF7tVizREQm8HeN5yUy3vvROQVO9DStLUZXpNvej75ukr7hAd7TseQSQoz/WoKTt796I5QZFhYtAUdmgvPlyMOBVExPBCk0zff1xrnvDULs7BbNiOlkavvgu4uDLZZEkKhmwYFzOaonmUPsLaH809HudNIjT5+tomVDY5ho5MWOCbKoRMD4laJYeGO+k4gNFRoSV0nPni4hGsHxr+hfxJ4qrhL7DAG9cxASv7aY6oadwLK63GkPX07ZgcJLK3hhmJ65GXAFLadccoT2SZUa93rJGB0wd2k6lPfQ9J5BgXd5SDNLMTfpfPTCAigDQNgNWJ3p";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
MIIC/zCCAeegAwIBAgIUbXx+Ig/NvO4vgeJSOtL7rMKG+mkwDQYJKoZIhvcNAQEL\n\
BQAwDzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjExNTAxNDVaFw0zNjExMTgxNTAx\n\
NDVaMA8xDTALBgNVBAMMBHRlc3QwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK\n\
AoIBAQCvCddTzyRSmkY20puoVTF7tVizREQm8HeN5yUy3vvROQVO9DStLUZXpNve\n\
j75ukr7hAd7TseQSQoz/WoKTt796I5QZFhYtAUdmgvPlyMOBVExPBCk0zff1xrnv\n\
DULs7BbNiOlkavvgu4uDLZZEkKhmwYFzOaonmUPsLaH809HudNIjT5+tomVDY5ho\n\
5MWOCbKoRMD4laJYeGO+k4gNFRoSV0nPni4hGsHxr+hfxJ4qrhL7DAG9cxASv7aY\n\
6oadwLK63GkPX07ZgcJLK3hhmJ65GXAFLadccoT2SZUa93rJGB0wd2k6lPfQ9J5B\n\
gXd5SDNLMTfpfPTCAigDQNgNWJ3pAgMBAAGjUzBRMB0GA1UdDgQWBBRZpuT6nCEw\n\
yWnCJyg25085HgzfxzAfBgNVHSMEGDAWgBRZpuT6nCEwyWnCJyg25085HgzfxzAP\n\
BgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQCdxetAXoejRhl9/8yY\n\
Linj9HVlBnl6t0YOVAuWLAPO4f+oF7rntc2VyMdaHpkPR1RcMcrfpvrrGKIorpCY\n\
NybCkxfM3sdKYphCJ6ewSdtbUIuowdf4P1IjKE8B+oju87jV/tCY5uAeFzeCl20l\n\
U9iSkddQIrv9rt3fQhki8oSztICXoZRtP2ggfG1mfDPuf4N6n1hUTAaWLDW935cd\n\
jeHwQf4NZv4jIG3csBYzGXpyG1wRny1hi9OksIzxdeAhaeyg55lyN+3PvbUEy8SP\n\
W2kGbUEX0ejhsoEQrx8sveuW3PAaFddsU7NHvXEnh3CFOBLr758laArdgVWREnza\n\
PZKT\n\
-----END CERTIFICATE-----";
const EC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAER6kViFjNj1XJ94Aq7oLj8uHRC8rl\n\
L63+X5TwSfoJQZRJwZW2rX2xXP1yVkVdSoXqYoeKzoYjCbYrY/iOojPpyA==\n\
-----END PUBLIC KEY-----";
const ED_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEA7cBb2Y/Idz5qHrJZ0vY7yMUey02tKYInZTgAhzbo3bM=\n\
-----END PUBLIC KEY-----";

fn modulus(key: &PublicKey) -> usize {
    match key {
        PublicKey::Rsa { modulus, exponent } => {
            assert_eq!(exponent, &[1, 0, 1]);
            modulus.len()
        }
        PublicKey::Ec { point } => panic!("an EC key of {} bytes", point.len()),
    }
}

#[test]
fn one_key_in_all_its_forms_is_one_key() {
    let key = PublicKey::parse(RSA_PEM).unwrap();
    assert_eq!(modulus(&key), 256);
    let one_line = RSA_PEM.replace('\n', "");
    let escaped = RSA_PEM.replace('\n', "\\n");
    let bare = RSA_PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for form in [RSA_PKCS1, RSA_SSH, CERTIFICATE, &one_line, &escaped, &bare, &format!("\n {RSA_PEM}\n")] {
        assert_eq!(PublicKey::parse(form).as_ref(), Ok(&key), "{form}");
    }
}

#[test]
fn a_point_is_a_key_as_well() {
    let PublicKey::Ec { point } = PublicKey::parse(EC_PEM).unwrap() else { panic!("no EC key") };
    assert_eq!((point.len(), point[0]), (65, 4));
}

#[test]
fn what_is_no_public_key_is_refused_with_its_reason() {
    let private = "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----";
    assert_eq!(PublicKey::parse(private), Err(KeyError::Private));
    assert_eq!(PublicKey::parse(ED_PEM), Err(KeyError::Unsupported));
    let cut = &RSA_PEM[..RSA_PEM.len() / 2];
    for wrong in ["", "secret", "-----BEGIN PUBLIC KEY-----", "ssh-rsa AAAA", "MAA=", "MIL/////", "AgEB", cut]
    {
        assert_eq!(PublicKey::parse(wrong), Err(KeyError::Unreadable), "{wrong}");
    }
}
