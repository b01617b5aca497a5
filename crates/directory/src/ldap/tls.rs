//! Which certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rollcall_model::Code;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;

/// Trusts the certificates of `ca_file`, or the system's where none is given. TLS 1.2 and 1.3.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in read(path)? {
                roots.add(certificate).map_err(|error| unusable(path, &error))?;
            }
            if roots.is_empty() {
                return Err(unusable(path, &"it holds no certificate in PEM form"));
            }
        }
        // What the system cannot read is left out; a controller's certificate then fails to verify, and says so.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Unreachable { code: Code::EndpointUnavailable, text: error.to_string() })?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    certificates.collect::<Result<_, _>>().map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let text = format!("the CA file {} cannot be used: {why}", path.display());
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}
