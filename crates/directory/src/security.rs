//! Who may do what: security descriptors (MS-DTYP 2.4) read from bytes, and access decided as AD decides it
//! (MS-ADTS 5.1.3). Pure: no directory is asked here.
//!
//! | module | what is in it |
//! |---|---|
//! | `sid` | [`Sid`] |
//! | `descriptor` | [`Descriptor`] and [`Ace`], from bytes and to bytes |
//! | `evaluate` | whether a right is granted, here and on the objects below |
//! | `sddl` | an entry's text form, both ways |

mod descriptor;
mod evaluate;
mod sddl;
mod sid;

#[cfg(test)]
mod tests;

pub use descriptor::{Ace, AceKind, Descriptor, Malformed, flag};
pub use evaluate::{Decision, decide, mapped};
pub use sid::Sid;

/// Bits of an access mask (MS-ADTS 5.1.3.2).
pub mod right {
    pub const CREATE_CHILD: u32 = 0x1;
    pub const DELETE_CHILD: u32 = 0x2;
    pub const LIST: u32 = 0x4;
    /// Validated write.
    pub const SELF_WRITE: u32 = 0x8;
    pub const READ_PROPERTY: u32 = 0x10;
    pub const WRITE_PROPERTY: u32 = 0x20;
    pub const DELETE_TREE: u32 = 0x40;
    pub const LIST_OBJECT: u32 = 0x80;
    /// An extended right, such as resetting a password.
    pub const CONTROL_ACCESS: u32 = 0x100;
    pub const DELETE: u32 = 0x0001_0000;
    pub const READ_CONTROL: u32 = 0x0002_0000;
    pub const WRITE_DACL: u32 = 0x0004_0000;
    pub const WRITE_OWNER: u32 = 0x0008_0000;
    pub const GENERIC_ALL: u32 = 0x1000_0000;
    pub const GENERIC_EXECUTE: u32 = 0x2000_0000;
    pub const GENERIC_WRITE: u32 = 0x4000_0000;
    pub const GENERIC_READ: u32 = 0x8000_0000;
    /// What generic all means for a directory object.
    pub const EVERYTHING: u32 = 0x000F_01FF;
}

/// GUIDs that are the same in every forest (MS-ADTS 5.1.3.2.1, 3.1.1.2.3.3; the schema's own for the classes).
pub mod known {
    use uuid::Uuid;

    /// Class user.
    pub const USER: Uuid = Uuid::from_u128(0xbf96_7aba_0de6_11d0_a285_00aa_0030_49e2);
    /// User-Force-Change-Password: set a password without knowing the old one.
    pub const RESET_PASSWORD: Uuid = Uuid::from_u128(0x0029_9570_246d_11d0_a768_00aa_006e_0529);
    /// DS-Replication-Get-Changes.
    pub const GET_CHANGES: Uuid = Uuid::from_u128(0x1131_f6aa_9c07_11d1_f79f_00c0_4fc2_dcd2);
    /// DS-Replication-Get-Changes-All: every password hash of the domain.
    pub const GET_CHANGES_ALL: Uuid = Uuid::from_u128(0x1131_f6ad_9c07_11d1_f79f_00c0_4fc2_dcd2);
    /// DS-Replication-Get-Changes-In-Filtered-Set.
    pub const GET_CHANGES_FILTERED: Uuid = Uuid::from_u128(0x89e9_5b76_444d_4c62_991a_0fac_beda_640c);
}
