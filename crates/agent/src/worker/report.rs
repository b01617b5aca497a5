//! After the writes of a batch: what they led to is read back in one search, managers of new accounts are set, and
//! everybody who has ended is reported.

use std::collections::{BTreeSet, HashMap};

use rollcall_directory::{Error as DirectoryError, Filter, Scope, Search};
use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::outcome::AppliedChange;
use rollcall_model::person::Link;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, fold};

use super::batch::{Batch, Pass, UNANSWERED_MAX};
use super::gate::Rank;
use super::task::{Fresh, Progress, Task};
use crate::apply::change_id;
use crate::controller::{Session, within};
use crate::journal::{Intent, Record};
use crate::{Error, recover};
use rollcall_wire::link::Lane;

impl Batch {
    /// Reads new accounts back and sets their managers, which could not be part of the add.
    pub(super) async fn follow_up(&mut self, session: &Session) -> Result<Pass, Error> {
        if self.wanted().all(|task| task.fresh.is_none()) {
            return Ok(Pass::Complete);
        }
        let pass = self.read_back(session).await?;
        if pass != Pass::Complete {
            return Ok(pass);
        }
        let steps: Vec<Intent> = self.wanted().flat_map(|task| task.steps.iter().cloned()).collect();
        self.shared.intend(steps).await?;
        // What is begun is ended before others begin.
        self.write(session, if self.lane == Lane::Urgent { Rank::Urgent } else { Rank::Begun }).await
    }

    /// Where the written accounts now are and what they hold, and which objects the adds made, in one search.
    async fn read_back(&mut self, session: &Session) -> Result<Pass, Error> {
        let mut wanted = vec![];
        let mut attributes = BTreeSet::from([target::SAM_ACCOUNT_NAME.to_lowercase()]);
        for task in self.wanted() {
            if let Some(filter) = task.read_back_by() {
                wanted.push(filter);
                attributes.extend(reconcile::attributes_needed(&task.desired));
            }
        }
        if wanted.is_empty() {
            return Ok(Pass::Complete);
        }
        let search = Search {
            base: session.root.default_naming_context.clone(),
            scope: Scope::Subtree,
            filter: Filter::Or(wanted),
            attributes: attributes.into_iter().collect(),
        };
        let found = Answer::of(within(session.reader.search(&search)).await);
        let mut pass = Pass::Complete;
        for task in self.tasks.iter_mut().filter(|task| task.place.is_wanted()) {
            if task.is_dirty
                && let Some(entry) = task.guid().and_then(|guid| found.entries.get(&guid))
            {
                task.seen = Some(task.left(entry, &self.shared.policy));
                task.is_dirty = false;
            }
            let Some(fresh) = task.fresh.take() else { continue };
            let Some(entry) = found.made(&fresh) else {
                pass = Pass::Lost;
                task.look_again();
                continue;
            };
            task.desired.link =
                Some(Link { guid: entry.guid, confirmed: false, invocation_id: None, usn_changed: None });
            task.seen = Some(task.left(entry, &self.shared.policy));
            self.shared.journal.append([Record::Found { change: fresh.change, guid: entry.guid }])?;
            let write = task
                .manager
                .as_ref()
                .and_then(|manager| reconcile::manager_after_create(&task.desired, entry.guid, &entry.dn, manager));
            match write.and_then(|write| task.permitted(write, &self.shared.policy)) {
                Some(write) => {
                    let change = change_id(&*self.shared.random, self.shared.clock.now());
                    let intent = task.intent(write, self.epoch, change);
                    task.steps.push_back(intent);
                }
                None if task.is_ended() => {}
                None => task.progress = Progress::Ended(None),
            }
        }
        Ok(pass)
    }

    /// Reports on tasks that have ended, and takes them out, with those that were overtaken.
    pub(super) async fn conclude(&mut self, session: &Session, pass: Pass) -> Result<(), Error> {
        if pass == Pass::Complete {
            // Without an answer the outcome is reported all the same; the next look then reads the account.
            self.read_back(session).await?;
        }
        let shared = self.shared.clone();
        self.tasks.retain(|task| task.place.is_wanted());
        // A write without an answer is looked up before its person is reported.
        let (ended, rest): (Vec<Task>, Vec<Task>) = std::mem::take(&mut self.tasks)
            .into_iter()
            .partition(|task| task.is_ended() && !shared.journal.state().is_unsettled(task.desired.person));
        self.tasks = rest;
        let mut outcomes = vec![];
        for task in ended {
            let open = shared.journal.open_of(task.desired.person);
            let mut changes: Vec<AppliedChange> = open.into_iter().filter_map(|open| open.result).collect();
            // An account that could not be read back at first.
            for change in changes.iter_mut().filter(|change| change.failure.is_none()) {
                change.guid = change.guid.or(task.guid());
            }
            let now = shared.clock.now();
            let id = change_id(&*shared.random, now);
            outcomes.push(task.outcome(id, self.epoch, now, changes, &session.root.invocation_id));
        }
        shared.journal.append(outcomes.iter().map(|outcome| Record::Outcome { outcome: Box::new(outcome.clone()) }))?;
        shared.report(outcomes).await
    }

    /// The epoch is over, or the agent is being stopped. What reached the directory is reported; a write whose answer
    /// is unknown is looked up with the next connection.
    pub(super) async fn give_up(&mut self) -> Result<(), Error> {
        let shared = self.shared.clone();
        let persons: Vec<_> = self.wanted().map(|task| task.desired.person).collect();
        let is_own = |person| persons.contains(&person);
        let outcomes = recover::interrupt(&shared.journal, &*shared.clock, &*shared.random, is_own)?;
        self.tasks.clear();
        shared.report(outcomes).await
    }
}

/// What a search for written accounts found.
#[derive(Default)]
struct Answer {
    entries: HashMap<ObjectGuid, Entry>,
    by_dn: HashMap<String, ObjectGuid>,
    by_account_name: HashMap<String, ObjectGuid>,
}

impl Answer {
    /// No answer is like an empty one: nothing is concluded from either.
    fn of(found: Result<Vec<Entry>, DirectoryError>) -> Self {
        let mut answer = Self::default();
        for entry in found.unwrap_or_default() {
            answer.by_dn.insert(entry.dn.normalised(), entry.guid);
            if let Some(name) = entry.value(target::SAM_ACCOUNT_NAME) {
                answer.by_account_name.insert(fold(name), entry.guid);
            }
            answer.entries.insert(entry.guid, entry);
        }
        answer
    }

    /// The account that an add made: under the name it was given, or, if somebody was quick to move it, with its
    /// account name.
    fn made(&self, fresh: &Fresh) -> Option<&Entry> {
        let by_name = || self.by_account_name.get(&fold(fresh.account_name.as_ref()?));
        self.entries.get(self.by_dn.get(&fresh.dn.normalised()).or_else(by_name)?)
    }
}

impl Task {
    /// What finds the account after the writes; `None` where it is known as it is.
    fn read_back_by(&self) -> Option<Filter> {
        match (&self.fresh, &self.seen) {
            (Some(Fresh { account_name: Some(name), .. }), _) => {
                Some(Filter::Equal(target::SAM_ACCOUNT_NAME.to_owned(), name.clone()))
            }
            (Some(_), _) => {
                self.desired.matching.first().map(|rule| Filter::Equal(rule.attribute.clone(), rule.value.clone()))
            }
            (None, Some(seen)) if self.is_dirty => Some(Filter::Guid(seen.guid)),
            (None, _) => None,
        }
    }

    /// A made account that could not be read back is found by its matching value with the next connection, and then
    /// linked and completed.
    fn look_again(&mut self) {
        self.unanswered += 1;
        self.progress = Progress::Due;
        if self.unanswered >= UNANSWERED_MAX {
            let reason = "the new account cannot be read back";
            self.fail(Failure::new(Code::EndpointUnavailable, None, reason));
        }
    }
}
