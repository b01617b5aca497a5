//! The service's certificate: the one configured, or one under a development CA of its own.

mod reload;
mod validity;

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rollcall_model::{Clock, Timestamp};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::files::{self, Mode};
use crate::{Error, moment};
pub(crate) use reload::Reloader;

/// Hosts that existing clients have built in; they are pointed here by the name resolution of the customer's network.
const CLIENT_HOSTS: &[&str] = &["localhost", "login.microsoftonline.com", "graph.microsoft.com"];
const CA_LIFE_DAYS: i64 = 3_650;
const LEAF_LIFE_DAYS: i64 = 397;
const DAY_MS: i64 = 86_400_000;

/// A certificate that can be served, and what is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate's DER, in hexadecimal, as browsers and `openssl x509 -fingerprint -sha256` have it but
    /// for the colons.
    pub(crate) fingerprint: String,
    /// `notBefore`.
    begins: Timestamp,
    /// `notAfter`.
    pub(crate) ends: Timestamp,
}

/// What the listeners present. Without a configured certificate the CA is `tls/ca.pem` in the data folder, made once;
/// the certificate under it is made at every start and never stored.
fn load(config: &Config, clock: &dyn Clock) -> Result<Loaded, Error> {
    let (certificates, key) = match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => (read_pem(certificate)?, read_key(key)?),
        _ => development(config, clock)?,
    };
    load_pair(&certificates, &key)
}

/// The PEM of a chain and of its key.
fn load_pair(certificates: &[u8], key: &[u8]) -> Result<Loaded, Error> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Tls(format!("tls.certificate is no PEM file of certificates: {error}")))?;
    let none = || Error::Tls("tls.certificate has no certificate in it: put the chain there, as PEM".to_owned());
    let leaf = chain.first().ok_or_else(none)?.clone();
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| Error::Tls(format!("tls.key is no PEM file with a private key: {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| Error::Tls(format!("tls.certificate and tls.key do not fit together: {error}")))?;
    // HTTP/1.1 alone: agents upgrade to WebSocket, and every published client speaks it.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (begins, ends) = validity::of(&leaf)
        .ok_or_else(|| Error::Tls("tls.certificate: its period of validity cannot be read".to_owned()))?;
    let fingerprint = data_encoding::HEXLOWER.encode(&Sha256::digest(&leaf));
    Ok(Loaded { config: Arc::new(server), fingerprint, begins, ends })
}

fn read_pem(path: &Path) -> Result<Vec<u8>, Error> {
    files::read(path)?.ok_or_else(|| Error::Tls(format!("{} does not exist", path.display())))
}

/// The same of a key, which does not stay in memory.
fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    read_pem(path).map(Zeroizing::new)
}

/// PEM of chain and key.
fn development(config: &Config, clock: &dyn Clock) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Error> {
    let failed = |error: rcgen::Error| Error::Tls(error.to_string());
    let folder = config.data.dir.join("tls");
    files::make_folder(&folder)?;
    let (ca_file, key_file) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
    let now = clock.now();
    let params = ca_params(now);
    let stored = files::read(&ca_file)?.zip(files::read(&key_file)?.map(Zeroizing::new));
    let (ca_pem, ca_key) = if let Some((pem, key)) = stored {
        (pem, KeyPair::from_pem(&String::from_utf8_lossy(&key)).map_err(failed)?)
    } else {
        let key = KeyPair::generate().map_err(failed)?;
        let pem = params.self_signed(&key).map_err(failed)?.pem().into_bytes();
        files::write(&key_file, Zeroizing::new(key.serialize_pem()).as_bytes(), Mode::Secret)?;
        files::write(&ca_file, &pem, Mode::Public)?;
        (pem, key)
    };
    let leaf_key = KeyPair::generate().map_err(failed)?;
    let mut names: Vec<String> = CLIENT_HOSTS.iter().map(|host| (*host).to_owned()).collect();
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    let own = config.public_host().to_owned();
    if !names.contains(&own) {
        names.insert(0, own);
    }
    let mut leaf = CertificateParams::new(names).map_err(failed)?;
    leaf.distinguished_name.push(DnType::CommonName, "Rollcall");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.use_authority_key_identifier_extension = true;
    // From yesterday: clocks differ.
    let ((y, m, d), (end_y, end_m, end_d)) = (day(now.plus_ms(-DAY_MS)), day(now.plus_ms(LEAF_LIFE_DAYS * DAY_MS)));
    leaf.not_before = rcgen::date_time_ymd(y, m, d);
    leaf.not_after = rcgen::date_time_ymd(end_y, end_m, end_d);
    let signed = leaf.signed_by(&leaf_key, &Issuer::new(params, ca_key)).map_err(failed)?;
    let chain = [signed.pem().into_bytes(), ca_pem].concat();
    Ok((chain, Zeroizing::new(leaf_key.serialize_pem().into_bytes())))
}

/// The same at every start, so that a certificate signed later names its issuer rightly.
fn ca_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Rollcall development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ((y, m, d), (end_y, end_m, end_d)) = (day(now.plus_ms(-DAY_MS)), day(now.plus_ms(CA_LIFE_DAYS * DAY_MS)));
    params.not_before = rcgen::date_time_ymd(y, m, d);
    params.not_after = rcgen::date_time_ymd(end_y, end_m, end_d);
    params
}

/// Year, month and day of a moment, as rcgen takes them.
fn day(at: Timestamp) -> (i32, u8, u8) {
    let date = moment::zoned(at).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemClock;

    #[test]
    fn the_development_ca_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        let ca = folder.path().join("tls/ca.pem");
        load(&config, &SystemClock).unwrap();
        let first = files::read(&ca).unwrap().unwrap();
        load(&config, &SystemClock).unwrap();
        assert_eq!(files::read(&ca).unwrap().unwrap(), first);
        config.tls.certificate = Some(ca);
        config.tls.key = Some(folder.path().join("missing"));
        assert!(load(&config, &SystemClock).unwrap_err().to_string().contains("missing"));
    }
}
