//! The stable codes of refused requests, each with a page under `docs/errors/`. [`Code`](crate::Code) says what became
//! of a record; these say why a request was not taken.
//!
//! Names that clients of the cloud service know are kept (wire contract 2.7, 3.3); the others are ours.

use std::fmt;

macro_rules! refusals {
    ($($name:ident, $text:literal;)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal { $($name,)* }

        impl Refusal {
            /// Every one there is; the check that demands a page for each reads this list.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As `error.code` has it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

refusals! {
    BadRequest, "BadRequest";
    InvalidRequest, "InvalidRequest";
    SchemaInvalid, "SchemaInvalid";
    MappingTestFailed, "MappingTestFailed";
    InvalidAuthenticationToken, "InvalidAuthenticationToken";
    InvalidEnrolmentToken, "InvalidEnrolmentToken";
    RequestDenied, "Authorization_RequestDenied";
    UnknownPath, "ResourceNotFound";
    ResourceNotFound, "Request_ResourceNotFound";
    JobNotFound, "JobNotFound";
    MethodNotAllowed, "MethodNotAllowed";
    Conflict, "Conflict";
    PreconditionFailed, "PreconditionFailed";
    RequestEntityTooLarge, "RequestEntityTooLarge";
    IdempotencyKeyReused, "IdempotencyKeyReused";
    TooManyRequests, "TooManyRequests";
    InternalServerError, "InternalServerError";
    ServiceUnavailable, "ServiceUnavailable";
    NoActiveAgents, "HybridIdentityServiceNoActiveAgents";
    AgentSilent, "AgentSilent";
    NotEndedYet, "NotEndedYet";
    InsufficientStorage, "InsufficientStorage";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
