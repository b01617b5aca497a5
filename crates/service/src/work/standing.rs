//! Which accounts are known to be as they were, without reading them (design: what did not change).
//!
//! The worker remembers the `uSNChanged` of accounts it asked about, and up to which number of the writing controller
//! that is true. One search for everything since then brings it up to date; whoever is not in its answer has not
//! changed. An account that is not remembered is asked for by its GUID, that attribute alone.

use std::collections::HashMap;

use rollcall_model::ids::ObjectGuid;
use rollcall_model::limits;

/// What an agent answered to a question of [`Standing::question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// The controller's `invocationId`.
    pub(super) controller: String,
    pub(super) up_to: i64,
    pub(super) complete: bool,
    pub(super) seen: Vec<(ObjectGuid, i64)>,
}

/// Numbers of one controller.
#[derive(Debug, Default)]
pub(super) struct Standing {
    controller: String,
    up_to: i64,
    known: HashMap<ObjectGuid, i64>,
    /// Changes since cannot be learned: what is known holds for the question it was asked for.
    only_once: bool,
}

impl Standing {
    /// What has to be asked to know about these accounts: everything since a number, and some by name. `highest` is
    /// the controller's `highestCommittedUSN` as last heard.
    pub(super) fn question(
        &mut self,
        controller: &str,
        highest: i64,
        wanted: &[ObjectGuid],
    ) -> (Option<i64>, Vec<ObjectGuid>) {
        let far = highest.saturating_sub(self.up_to) > limits::STANDING_CHANGES_MAX;
        if self.controller != controller || self.only_once || far || self.known.len() > limits::STANDING_ACCOUNTS_MAX {
            *self = Self { controller: controller.to_owned(), ..Self::default() };
        }
        let since = (!self.known.is_empty()).then_some(self.up_to);
        (since, wanted.iter().copied().filter(|guid| !self.known.contains_key(guid)).collect())
    }

    /// Takes an answer in. One from another controller, or about less than is known, teaches nothing.
    pub(super) fn learn(&mut self, looked: &Looked) {
        if looked.controller != self.controller {
            *self = Self::default();
            return;
        }
        if !looked.complete {
            self.known.clear();
        }
        self.only_once = !looked.complete;
        self.up_to = looked.up_to;
        self.known.extend(looked.seen.iter().copied());
    }

    /// Whether an account's number is still the one recorded of it.
    pub(super) fn stands(&self, guid: ObjectGuid, usn_changed: i64) -> bool {
        self.known.get(&guid) == Some(&usn_changed)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn guid(number: u128) -> ObjectGuid {
        ObjectGuid(Uuid::from_u128(number))
    }

    fn looked(up_to: i64, seen: &[(u128, i64)]) -> Looked {
        let seen = seen.iter().map(|(number, usn)| (guid(*number), *usn)).collect();
        Looked { controller: "a".to_owned(), up_to, complete: true, seen }
    }

    #[test]
    fn the_first_question_is_about_all_and_the_next_about_changes() {
        let mut standing = Standing::default();
        assert_eq!(standing.question("a", 100, &[guid(1), guid(2)]), (None, vec![guid(1), guid(2)]));
        standing.learn(&looked(100, &[(1, 10), (2, 20)]));
        assert!(standing.stands(guid(1), 10) && !standing.stands(guid(1), 9) && !standing.stands(guid(3), 10));
        assert_eq!(standing.question("a", 101, &[guid(2), guid(3)]), (Some(100), vec![guid(3)]));
        standing.learn(&looked(110, &[(2, 105), (3, 30)]));
        assert!(!standing.stands(guid(2), 20), "changed since");
        assert!(standing.stands(guid(1), 10) && standing.stands(guid(3), 30));
        assert_eq!(standing.question("a", 110, &[]), (Some(110), vec![]));
    }

    #[test]
    fn what_cannot_be_kept_up_to_date_is_forgotten() {
        let check = |case: &str, prepare: fn(&mut Standing), controller: &str, highest: i64| {
            let mut standing = Standing::default();
            let _ = standing.question("a", 100, &[guid(1)]);
            standing.learn(&looked(100, &[(1, 10)]));
            prepare(&mut standing);
            assert_eq!(standing.question(controller, highest, &[guid(1)]), (None, vec![guid(1)]), "{case}");
            assert!(!standing.stands(guid(1), 10), "{case}");
        };
        check("another controller", |_| {}, "b", 100);
        check("too many changes", |_| {}, "a", 101 + limits::STANDING_CHANGES_MAX);
        check(
            "deletions cannot be seen",
            |standing| standing.learn(&Looked { complete: false, ..looked(100, &[(1, 10)]) }),
            "a",
            100,
        );
        check(
            "an answer of another controller",
            |standing| standing.learn(&Looked { controller: "b".to_owned(), ..looked(100, &[(1, 10)]) }),
            "a",
            100,
        );
    }

    #[test]
    fn without_sight_of_deletions_the_accounts_just_read_stand() {
        let mut standing = Standing::default();
        let _ = standing.question("a", 100, &[guid(1), guid(2)]);
        standing.learn(&Looked { complete: false, ..looked(100, &[(1, 10)]) });
        assert!(standing.stands(guid(1), 10) && !standing.stands(guid(2), 20));
    }
}
