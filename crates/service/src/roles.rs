//! Application roles of the Graph resource: the one list (wire contract 1.11).

use rollcall_wire::graph::AppRole;
use uuid::Uuid;

macro_rules! roles {
    ($($name:ident, $value:literal, $id:literal, $title:literal;)*) => {
        /// What an application may be granted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Role { $(#[doc = $title] $name,)* }

        impl Role {
            /// Every role; the administrating client of the first start holds them all.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in a token's `roles`.
            #[must_use]
            pub(crate) fn value(self) -> &'static str {
                match self { $(Self::$name => $value,)* }
            }

            /// Id of the app role.
            #[must_use]
            pub(crate) fn id(self) -> Uuid {
                match self { $(Self::$name => Uuid::from_u128($id),)* }
            }

            /// One phrase on what it allows.
            #[must_use]
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

roles! {
    Upload, "SynchronizationData-User.Upload", 0xdb31_e92a_b9ea_4d87_bf6a_75a3_7a9c_a35a, "Upload user data to any job";
    UploadOwnedBy, "SynchronizationData-User.Upload.OwnedBy", 0x25c3_2ff3_849a_494b_b94f_20a8_ac4e_6774, "Upload user data to jobs of owned applications";
    // No published id: one of our own; clients look roles up by value.
    ProvisioningLogReadAll, "ProvisioningLog.Read.All", 0x4f1c_6d0e_7a35_4b9c_9a0e_52f1_3c7b_8d21, "Read the provisioning log";
    AuditLogReadAll, "AuditLog.Read.All", 0xb0af_ded3_3588_46d8_8b3d_9842_eff7_78da, "Read the provisioning log, by the older role";
    SynchronizationReadAll, "Synchronization.Read.All", 0x5ba4_3d2f_fa88_4db2_bd1c_a67c_5f0f_b1ce, "Read jobs, their settings and agents";
    SynchronizationReadWriteAll, "Synchronization.ReadWrite.All", 0x9b50_c33d_700f_43b1_b2eb_87e8_9b70_3581, "Manage jobs, their settings and agents";
    ApplicationReadWriteOwnedBy, "Application.ReadWrite.OwnedBy", 0x18a4_783c_866b_4cc7_a460_3d5e_5662_c884, "Make applications, and manage owned ones and their jobs";
    ApplicationReadAll, "Application.Read.All", 0x9a5d_68dd_52b0_4cc2_bd40_abcf_44ac_3a30, "Read applications and service principals";
    ApplicationReadWriteAll, "Application.ReadWrite.All", 0x1bfe_fb4e_e0b5_418b_a88f_73c4_6d2c_c8e9, "Manage applications and their secrets";
    AppRoleAssignmentReadWriteAll, "AppRoleAssignment.ReadWrite.All", 0x06b7_08a9_e830_4db3_a914_8e69_da51_d44f, "Grant application roles";
}

impl Role {
    /// Whether it covers owned applications only.
    #[must_use]
    pub(crate) fn is_owned_by(self) -> bool {
        self.value().ends_with(".OwnedBy")
    }

    #[must_use]
    pub(crate) fn by_id(id: Uuid) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.id() == id)
    }

    #[must_use]
    pub(crate) fn by_value(value: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.value() == value)
    }

    /// As the Graph resource's service principal lists it.
    #[must_use]
    pub(crate) fn to_app_role(self) -> AppRole {
        AppRole {
            id: self.id(),
            value: self.value().to_owned(),
            display_name: self.title().to_owned(),
            description: self.title().to_owned(),
            allowed_member_types: vec!["Application".to_owned()],
            is_enabled: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_values_are_unique() {
        for (at, role) in Role::ALL.iter().enumerate() {
            assert_eq!(Role::by_id(role.id()), Some(*role));
            assert_eq!(Role::by_value(role.value()), Some(*role));
            assert!(Role::ALL[at + 1..].iter().all(|other| other.id() != role.id()));
        }
        assert_eq!(Role::Upload.id().to_string(), "db31e92a-b9ea-4d87-bf6a-75a37a9ca35a");
        assert_eq!(Role::AppRoleAssignmentReadWriteAll.id().to_string(), "06b708a9-e830-4db3-a914-8e69da51d44f");
    }
}
