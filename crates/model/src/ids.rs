//! Typed identifiers, so that a person's id cannot be passed where a job's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(/// The owner of everything; `{tenant}` in token URLs and `tid` in tokens.
    TenantId);
uuid_id!(/// Object id of an application (Graph `application.id`).
    ApplicationId);
uuid_id!(/// Client id of an application (Graph `appId`), what a client authenticates as.
    AppId);
uuid_id!(/// Object id of a service principal (Graph `servicePrincipal.id`).
    ServicePrincipalId);
uuid_id!(/// Id of an application's secret (Graph `passwordCredential.keyId`).
    KeyId);
uuid_id!(/// One accepted bulk request; the value of the header `rollcall-upload-id`.
    UploadId);
uuid_id!(/// All that a job knows of one `externalId`.
    PersonId);
uuid_id!(/// An enrolled agent.
    AgentId);
uuid_id!(/// One run of the service process; tells nodes apart in the lease table.
    NodeId);
uuid_id!(/// One row of the provisioning log (Graph `provisioningObjectSummary.id`).
    LogId);
uuid_id!(/// One change in a directory, or one decision to make none (Graph `changeId`). Made by whoever acts, once,
    /// so that a report delivered twice is recorded once.
    ChangeId);
uuid_id!(/// `objectGUID` of a directory object, in the order of RFC 4122 (not the mixed order LDAP transports).
    ObjectGuid);

impl ObjectGuid {
    /// From the 16 bytes LDAP transports: the first three fields are little-endian (MS-DTYP 2.3.4.2).
    #[must_use]
    pub fn from_ldap(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes_le(bytes))
    }

    /// The 16 bytes as LDAP transports them.
    #[must_use]
    pub fn to_ldap(self) -> [u8; 16] {
        self.0.to_bytes_le()
    }
}

/// Id of a synchronization job: `API2AD.<tenant, no dashes>.<guid>` (wire contract 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// The template tag of jobs that provision an on-premises AD.
    pub const TEMPLATE: &'static str = "API2AD";

    /// Makes the id of a new job of `tenant`.
    #[must_use]
    pub fn new(tenant: TenantId, guid: Uuid) -> Self {
        Self(format!("{}.{}.{guid}", Self::TEMPLATE, tenant.0.simple()))
    }

    /// Reads a stored or received id as it is; whether such a job exists is the store's answer.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Raised by every merge into a person. Starts at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

/// Raised each time a domain's lease changes hands. A write or a report of an older epoch is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guid_bytes_are_mixed_endian_on_the_wire() {
        let guid = ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap());
        let wire = guid.to_ldap();
        assert_eq!(wire[..4], [0x33, 0x22, 0x11, 0x00]);
        assert_eq!(ObjectGuid::from_ldap(wire), guid);
    }

    #[test]
    fn job_id_carries_template_and_tenant() {
        let tenant = TenantId("59ab8c82-94d3-42f4-b547-88f69160d44e".parse().unwrap());
        let id = JobId::new(tenant, Uuid::nil());
        assert_eq!(id.as_str(), "API2AD.59ab8c8294d342f4b54788f69160d44e.00000000-0000-0000-0000-000000000000");
    }
}
