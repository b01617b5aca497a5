//! What stands in for Kerberos in a build without the feature `kerberos`: every use is refused.

use std::ffi::OsString;

use super::Kerberos;
use crate::Error;

/// Nothing: no process of this build binds by Kerberos.
#[must_use]
pub fn environment(_: &Kerberos) -> [(&'static str, OsString); 0] {
    []
}

fn refuse() -> Error {
    let text = "this build has no Kerberos; build it with the feature 'kerberos'".to_owned();
    Error::Unreachable { code: rollcall_model::Code::EndpointUnavailable, text }
}

pub(super) mod kerberos {
    use super::{Error, Kerberos, refuse};

    #[expect(clippy::unused_async, reason = "a build with Kerberos waits for the server")]
    pub(in super::super) async fn bind_on_tls(
        _: ldap3::Ldap,
        _: &Kerberos,
        _: &str,
    ) -> Result<ldap3::LdapResult, Error> {
        Err(refuse())
    }
}

pub(super) mod sealed {
    use super::super::transport::Place;
    use super::{Error, Kerberos, refuse};

    pub(in super::super) struct Sealed {
        pub(in super::super) plain: std::os::unix::net::UnixStream,
        pub(in super::super) pump: tokio::task::AbortHandle,
    }

    #[expect(clippy::unused_async, reason = "a build with Kerberos waits for the server")]
    pub(in super::super) async fn open(_: &Place, _: &Kerberos, _: &str) -> Result<Sealed, Error> {
        Err(refuse())
    }
}
