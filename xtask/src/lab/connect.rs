//! A plain LDAP connection to the lab's directory, with the lab's authority as the only trust.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Results of one page.
const PAGE: i32 = 500;

/// A bound connection.
pub(crate) struct Directory(pub(crate) Ldap);

impl Directory {
    /// Connects and binds.
    pub(crate) async fn bind(url: &str, ca: &Path, dn: &str, password: &str) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let settings = LdapConnSettings::new().set_conn_timeout(Duration::from_secs(5)).set_config(Arc::new(config));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, url).await?;
        ldap3::drive!(connection);
        ldap.with_timeout(Duration::from_secs(10)).simple_bind(dn, password).await?.success()?;
        Ok(Self(ldap))
    }

    /// Every entry below `base`, page by page: a controller gives no more than 1,000 at once.
    pub(crate) async fn search(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
    ) -> anyhow::Result<Vec<SearchEntry>> {
        let adapters: Vec<Box<dyn Adapter<_, _>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let attributes = attributes.to_vec();
        let mut stream = self.0.streaming_search_with(adapters, base, Scope::Subtree, filter, attributes).await?;
        let mut entries = Vec::new();
        while let Some(entry) = stream.next().await? {
            entries.push(SearchEntry::construct(entry));
        }
        stream.finish().await.success().with_context(|| format!("search {filter} below {base}"))?;
        Ok(entries)
    }
}

/// Tries to bind until the directory answers, `alive` says no more, or the time is over.
pub(crate) async fn wait_until_bound(
    url: &str,
    ca: &Path,
    dn: &str,
    password: &str,
    alive: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Directory> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match Directory::bind(url, ca, dn, password).await {
            Ok(directory) => return Ok(directory),
            Err(error) if tokio::time::Instant::now() > deadline => {
                return Err(error).with_context(|| format!("{url} does not let {dn} in"));
            }
            Err(_) => alive()?,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
