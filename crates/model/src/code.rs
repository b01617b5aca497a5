//! The stable codes that a user can see, one a failure or a reason to skip, each with a page under `docs/errors/`.
//!
//! Names that the cloud service uses for the same thing are kept (wire contract 4.4, engine-and-agent 5.7), so that
//! scripts which branch on them go on working; the others are ours.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a failure says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is wrong: a reason why nothing was, or need be, done.
    Reason,
    /// Something was done, with a reservation that a person should look at.
    Warning,
    /// It will fail again until data, mapping, rights or directory change.
    Permanent,
    /// It may well succeed if tried again, and is.
    Transient,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $number:literal, $kind:ident, $reason:literal, $action:literal;)*) => {
        /// A stable code. The number is what the store holds and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is; the tests that demand a page and a case for each read this list.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            #[must_use]
            pub fn number(self) -> i16 {
                match self { $(Self::$name => $number,)* }
            }

            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// One sentence on what happened, where the report brings none of its own.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// One sentence on what to do about it.
            #[must_use]
            pub fn recommended_action(self) -> &'static str {
                match self { $(Self::$name => $action,)* }
            }
        }
    };
}

codes! {
    RedundantExport, 1, Reason, "The directory already holds every value", "None";
    NotEffectivelyEntitled, 2, Reason, "The person is out of scope", "None, or change the scope filter";
    InactiveWithoutAccount, 3, Reason, "The person is inactive and has no account", "None; an account is made once `active` is true";
    DeleteIgnored, 4, Reason, "The job is set to do nothing on DELETE", "None, or set the job's delete action";
    NotLinked, 5, Reason, "DELETE applies to linked accounts only, and this person has none", "None";
    Superseded, 6, Reason, "A later operation replaced every value of this one", "None";
    BudgetSpent, 7, Reason, "The job's budget of disables, deletes, moves and clears is spent; this change waits", "Look at what is waiting; then `rollcall job release`, or wait until the budget is free again";
    EntrySynchronizationSkipped, 8, Reason, "A mapping to objectFilter holds the person back", "None, or change the mapping";
    ObjectMappingDisabled, 9, Reason, "The job's object mapping is switched off", "None, or switch it on";
    CreateOff, 10, Reason, "The job makes no accounts, and this person has none", "None, or switch the target action Create on";
    UpdateOff, 11, Reason, "The job does not change existing accounts", "None, or switch the target action Update on";
    FilteredAtImport, 12, Reason, "The job passes records of this kind over", "None, or change the filter at import";

    UnableToResolveReferenceAttributeValue, 20, Warning, "The manager has no account yet; it is set once there is one", "Send the manager's record, or give the manager's account its matching value";
    SelfReference, 21, Warning, "A person cannot be their own manager", "Correct the manager in the source";
    AttributeRefused, 22, Warning, "The directory refused a value; everything else was applied", "Correct the value or its mapping; it is not sent again until one of them changes";
    AccountFoundDisabled, 23, Warning, "The account was disabled by somebody else and is left so", "Enable it by hand, or send `active` false and then true";
    SeveralValuesOfOneType, 24, Warning, "Several elements have the same type; the primary one, or else the first, counts", "Send one element of each type";
    UnknownAttributeIgnored, 25, Warning, "An attribute that no mapping knows was kept and otherwise ignored", "Map the attribute, or do not send it";
    Drift, 26, Warning, "The directory differs from what was last confirmed; it is reported, not overwritten", "Correct the directory, or ask for a re-evaluation";
    AttributeDeniedByLocalPolicy, 27, Warning, "The agent's own policy forbids an attribute; everything else was applied", "Change the agent's policy, or do not map the attribute";
    DisabledInsteadOfDeleted, 28, Warning, "The job asks for deletion and the agent's own policy forbids it; the account was disabled", "Allow `delete` in the agent's policy, or set the job's delete action to disable";

    AttributeValidationFailed, 40, Permanent, "An attribute has the wrong type or an impossible value", "Correct the record at the place named";
    ImportSkipped, 41, Permanent, "The record has no value for the matching attribute", "Send the attribute";
    DuplicateSourceEntries, 42, Permanent, "Two operations of one request give one externalId different userNames", "Send each person once, under an externalId of their own";
    RecordTooLarge, 43, Permanent, "The merged record is larger than a person may be", "Send less";
    MandatoryFieldsMissing, 44, Permanent, "An attribute that every account needs has no value", "Send the source attribute, or give the mapping a default";
    ExpressionFailed, 45, Permanent, "An expression could not be evaluated for this record", "Correct the record or the expression";
    MatchingValueTooLong, 46, Permanent, "The externalId does not fit the matching attribute", "Use a shorter identifier, or match on another attribute";
    SchemaInvalid, 47, Permanent, "The job's mappings cannot be used", "Correct the mappings";

    DuplicateTargetEntries, 60, Permanent, "Several accounts carry the matching value", "Leave the value on one account";
    InvalidAnchor, 61, Permanent, "The linked account is gone", "Restore it, or break the link or rematch it";
    LinkedToAnotherPerson, 62, Permanent, "The matching account belongs to another person of this job", "Correct the matching value in the directory, or break the other link";
    ProtectedAccount, 63, Permanent, "The account is protected (adminCount or isCriticalSystemObject) and is never written", "Change it by hand";
    RefusedByLocalPolicy, 64, Permanent, "The agent's own policy forbids this", "Change the agent's policy, if this is wanted";
    ContainerNotFound, 65, Permanent, "The container does not exist", "Create it, or correct the mapping or the job's container";
    EntryConflict, 66, Permanent, "Another object already holds a value that must be unique", "Change the value or the mapping";
    HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique, 67, Permanent, "The userPrincipalName is taken in this forest", "Change the userName or the mapping";
    HybridSynchronizationActiveDirectoryInsufficientAccessRights, 68, Permanent, "The agent's account may not do this", "Grant the missing right on the container or the object";
    HybridSynchronizationActiveDirectoryCannotFindAttribute, 69, Permanent, "The directory's schema does not know the attribute", "Correct the mapping, or extend the schema";
    HybridSynchronizationActiveDirectoryInvalidParameter, 70, Permanent, "The directory refused a value", "Correct the value or its mapping";
    PasswordRefused, 71, Permanent, "The directory refused three generated passwords", "Look at the domain's password policy and filters";
    DirectoryRefused, 72, Permanent, "The directory refused the request", "Look at the result code and text";
    NotYetReplicated, 73, Transient, "The account is not on the writing controller yet", "Wait for replication";
    NoIdentifiersLeft, 74, Transient, "The controller has no identifiers (RIDs) left for new accounts", "Bring the domain's RID master back, or seize its role";
    NoUniqueValueLeft, 75, Transient, "Every value that the mapping offers is taken", "Give the mapping another rule, or a number behind the value";

    StalePlan, 80, Transient, "The account changed between looking and writing", "None: it is looked at again";
    DirectoryBusy, 81, Transient, "The directory is busy", "None, if it passes";
    EndpointUnavailable, 82, Transient, "The directory cannot be reached", "Look at the controller and the network";
    TimeOut, 83, Transient, "The directory did not answer in time", "Look at the controller; index the matching attribute";
    DirectoryInternalError, 84, Transient, "The directory reported an internal error", "Look at the controller's log";
    Interrupted, 85, Transient, "The agent stopped half way; what was done is logged", "None: it is looked at again";
    HybridIdentityServiceNoActiveAgents, 86, Transient, "No agent of this domain is connected", "Start an agent";
    BindRefused, 87, Transient, "The directory refused the agent's credentials; the domain waits", "Correct the bind name and password in the agent's configuration";
    InternalError, 99, Transient, "Something unexpected happened on our side", "Look at the service's log";
}

impl Code {
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    #[must_use]
    pub fn is_transient(self) -> bool {
        self.kind() == Kind::Transient
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no code.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no code of Rollcall")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_round_trip() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
            assert!(Code::ALL[at + 1..].iter().all(|other| other.number() != code.number()), "{code}");
        }
    }
}
