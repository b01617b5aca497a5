//! Where the service is, and how it is trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::invalid;
use crate::{Error, files};

/// The service's address, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As dialled, without port: what signatures are bound to.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encrypted: bool,
    /// With scheme and port, without a slash at its end.
    base: String,
}

impl Address {
    /// Reads `service.url`.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |why: &str| invalid("service.url", why, "write https://host[:port]");
        let parsed = reqwest::Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
        let encrypted = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(refuse("the scheme is not https")),
        };
        let host = parsed.host_str().ok_or_else(|| refuse("it names no host"))?.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let own = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if !encrypted && !own {
            return Err(refuse("plain http is for this machine's own addresses only"));
        }
        let port = parsed.port_or_known_default().ok_or_else(|| refuse("it names no port"))?;
        Ok(Self { host, port, encrypted, base: url.trim_end_matches('/').to_owned() })
    }

    /// The URL of a path, for HTTP.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The URL of a path, for a WebSocket.
    pub(crate) fn websocket(&self, path: &str) -> String {
        // https -> wss, http -> ws
        format!("ws{}{path}", self.base.trim_start_matches("http"))
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// How certificates are checked: against those of the file, or else against the operating system's.
pub(crate) fn tls(ca: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = ca {
        let pem = files::read_bytes(path)?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
            added.map_err(|why| invalid("service.ca", &why, "give a PEM file of certificates"))?;
        }
        if roots.is_empty() {
            return Err(invalid("service.ca", "it holds no certificate", "give a PEM file of certificates"));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("service.ca", &error.to_string(), "report this"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |url: &str, expected: Option<(&str, u16, &str)>| {
            let address = Address::parse(url).ok();
            let seen = address.as_ref().map(|address| (address.host.as_str(), address.port, address.websocket("/l")));
            assert_eq!(seen, expected.map(|(host, port, ws)| (host, port, ws.to_owned())), "{url}");
        };
        check("https://rollcall.example.test", Some(("rollcall.example.test", 443, "wss://rollcall.example.test/l")));
        check(
            "https://rollcall.example.test:8443/",
            Some(("rollcall.example.test", 8443, "wss://rollcall.example.test:8443/l")),
        );
        check("http://127.0.0.1:80", Some(("127.0.0.1", 80, "ws://127.0.0.1:80/l")));
        check("http://[::1]:80", Some(("[::1]", 80, "ws://[::1]:80/l")));
        check("http://rollcall.example.test", None);
        check("http://10.0.0.1", None);
        check("ldap://rollcall.example.test", None);
        check("rollcall", None);
    }
}
