//! The named steps at which a fault test may end the process (debug builds only): the environment variable
//! `ROLLCALL_KILL_AT` holds a name, and optionally `:n` for the n-th time that step is reached.

macro_rules! kill_points {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $process:ident;)*) => {
        /// A step of the way of one record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum KillPoint { $($(#[$doc])* $name,)* }

        impl KillPoint {
            /// Every step; the fault test kills at each and fails for one that was not hit.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The process that dies.
            #[must_use]
            pub fn process(self) -> Process {
                match self { $(Self::$name => Process::$process,)* }
            }
        }
    };
}

/// Which of our processes a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    Service,
    Agent,
}

kill_points! {
    BeforeIntakeCommit, "before-intake-commit", Service;
    AfterIntakeCommit, "after-intake-commit", Service;
    BeforeMergeCommit, "before-merge-commit", Service;
    AfterMergeCommit, "after-merge-commit", Service;
    BeforeWorkSend, "before-work-send", Service;
    AfterWorkSend, "after-work-send", Service;
    BeforeClaimCommit, "before-claim-commit", Service;
    AfterClaimCommit, "after-claim-commit", Service;
    BeforeReserveCommit, "before-reserve-commit", Service;
    AfterReserveCommit, "after-reserve-commit", Service;
    BeforeRecordCommit, "before-record-commit", Service;
    AfterRecordCommit, "after-record-commit", Service;
    BeforeReserveSend, "before-reserve-send", Agent;
    AfterReserved, "after-reserved", Agent;
    BeforeJournalSync, "before-journal-sync", Agent;
    AfterJournalSync, "after-journal-sync", Agent;
    BeforeLdapWrite, "before-ldap-write", Agent;
    AfterLdapWrite, "after-ldap-write", Agent;
    BeforeResultSync, "before-result-sync", Agent;
    BeforeOutcomeSend, "before-outcome-send", Agent;
    AfterOutcomeSend, "after-outcome-send", Agent;
}

impl KillPoint {
    /// Which pass through this step the setting (`name` or `name:n`, n from 1) asks to die at; `None` where it names
    /// another step.
    #[must_use]
    pub fn pass_in(self, setting: &str) -> Option<u32> {
        let (name, pass) = setting.split_once(':').unwrap_or((setting, "1"));
        (name == self.as_str()).then(|| pass.parse().unwrap_or(1))
    }
}
