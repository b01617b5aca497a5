//! Late reports: what an agent, back again, says of a time when the lease was its own.
//!
//! Of a write whose answer it never had, the agent can only see whether the account is now as that write would have
//! left it. If the write was lost, whoever took over has made the same one since, and told of it. Which of the two it
//! was shows in the log: the next change of the same value began either where ours would have begun, or where it would
//! have ended. The log is in the order of the agents' clocks, which may have been moved: where the same agent has held
//! the domain ever since, it is not looked at.

use rollcall_engine::expression::REDACTED;
use rollcall_model::outcome::{AppliedChange, Outcome};
use rollcall_model::plan::Action;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{CompareOperator, Error, LogField, LogFilter, LogOrder, LogQuery, LogRow, LogStatus, LogValue};
use tracing::info;

use super::domain::Worker;

/// Later changes of one account that are looked at.
const ROWS_MAX: i64 = 100;

impl Worker {
    /// The outcomes without those changes that were in truth another agent's.
    pub(super) async fn without_others_changes(&self, outcomes: &[Outcome]) -> Result<Vec<Outcome>, Error> {
        let since = self.active.as_ref().map(|active| active.agent_since);
        let mut told = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let mut outcome = outcome.clone();
            let is_late = since.is_none_or(|since| outcome.epoch < since);
            let mut changes = Vec::with_capacity(outcome.changes.len());
            for change in outcome.changes {
                let is_guess = change.confirmed_after_crash && change.failure.is_none();
                if is_late && is_guess && is_anothers(&change, &self.later_rows(&change).await?) {
                    info!(person = %outcome.person, change = %change.id, "a write that was lost was made by another agent since");
                } else {
                    changes.push(change);
                }
            }
            outcome.changes = changes;
            told.push(outcome);
        }
        Ok(told)
    }

    /// What the log holds of the account since a change was planned, oldest first.
    async fn later_rows(&self, change: &AppliedChange) -> Result<Vec<LogRow>, Error> {
        let (Some(guid), Some(planned)) = (change.guid, planned_at(change)) else { return Ok(Vec::new()) };
        let compare = |field, operator, value| Box::new(LogFilter::Compare { field, operator, value });
        // Whoever took over waited for longer than the agents' clocks may differ by.
        let since = planned.plus_ms(-limits::LDAP_TIMEOUT_MS);
        let filter = LogFilter::And(
            compare(LogField::At, CompareOperator::GreaterOrEqual, LogValue::Time(since)),
            compare(LogField::TargetId, CompareOperator::Equal, LogValue::Uuid(guid.0)),
        );
        let order = LogOrder::OldestFirst;
        let query = LogQuery { tenant: self.tenant, filter: Some(filter), order, limit: ROWS_MAX, after: None };
        self.options.store.log(&query).await
    }
}

/// When the change's id was made.
fn planned_at(change: &AppliedChange) -> Option<Timestamp> {
    let (seconds, nanos) = change.id.0.get_timestamp()?.to_unix();
    Some(Timestamp(i64::try_from(seconds).ok()?.checked_mul(1_000_000)? + i64::from(nanos / 1_000)))
}

/// Whether these rows of the same account, oldest first, show that the change was not made when it was planned.
fn is_anothers(change: &AppliedChange, rows: &[LogRow]) -> bool {
    let mut later = rows
        .iter()
        .filter(|row| row.change > change.id && matches!(row.status, LogStatus::Success | LogStatus::Warning));
    if change.action == Action::Create {
        return later.any(|row| row.action == Action::Create);
    }
    let later: Vec<&LogRow> = later.collect();
    change.properties.iter().any(|own| {
        let next = later
            .iter()
            .find_map(|row| row.details.properties.iter().find(|next| next.name.eq_ignore_ascii_case(&own.name)));
        next.is_some_and(|next| next.old == own.old && !next.old.iter().any(|old| old == REDACTED))
    })
}

#[cfg(test)]
mod tests {
    use rollcall_model::ids::{ChangeId, Epoch, JobId, LogId, ObjectGuid, PersonId, TenantId};
    use rollcall_model::outcome::Conclusion;
    use rollcall_model::plan::PropertyChange;
    use rollcall_store::{LogDetails, RecordBatch};
    use uuid::Uuid;

    use super::super::bench::{self, Bench};
    use super::*;

    fn title(old: &str, new: &str) -> PropertyChange {
        PropertyChange { name: "title".to_owned(), old: vec![old.to_owned()], new: vec![new.to_owned()] }
    }

    fn change(action: Action) -> AppliedChange {
        AppliedChange {
            guid: Some(ObjectGuid(Uuid::from_u128(1))),
            properties: vec![title("Clerk", "Buyer")],
            confirmed_after_crash: true,
            ..bench::change(ChangeId(Uuid::from_u128(10)), action)
        }
    }

    fn row(change: u128, action: Action, status: LogStatus, property: PropertyChange) -> LogRow {
        LogRow {
            id: LogId(Uuid::from_u128(change)),
            tenant: TenantId(Uuid::nil()),
            job: JobId::from_text("API2AD.t.j"),
            change: ChangeId(Uuid::from_u128(change)),
            cycle: Uuid::nil(),
            at: Timestamp(0),
            duration_ms: 0,
            action,
            status,
            code: None,
            person: None,
            version: None,
            external_id: "E-1".to_owned(),
            source_name: None,
            guid: None,
            target_name: None,
            details: LogDetails { properties: vec![property], ..LogDetails::default() },
        }
    }

    #[test]
    fn the_next_change_of_the_value_tells_whose_it_was() {
        let check = |case: &str, action: Action, rows: &[LogRow], expected: bool| {
            assert_eq!(is_anothers(&change(action), rows), expected, "{case}");
        };
        let update = |number, old, new| row(number, Action::Update, LogStatus::Success, title(old, new));
        check("nobody's", Action::Update, &[], false);
        check("made again", Action::Update, &[update(11, "Clerk", "Buyer")], true);
        check(
            "made on from there",
            Action::Update,
            &[update(11, "Buyer", "Clerk"), update(12, "Clerk", "Buyer")],
            false,
        );
        check("an earlier one", Action::Update, &[update(9, "Clerk", "Buyer")], false);
        check("the same, reported before", Action::Update, &[update(10, "Clerk", "Buyer")], false);
        let failed = row(11, Action::Update, LogStatus::Failure, title("Clerk", "Buyer"));
        check("a failed one", Action::Update, &[failed], false);
        let create = row(11, Action::Create, LogStatus::Success, title("", "Buyer"));
        check("another's account", Action::Create, &[create], true);
        check("our account, changed", Action::Create, &[update(11, "Buyer", "Clerk")], false);
    }

    /// The agent's clock was put back meanwhile, so that an earlier row looks like a later one.
    #[tokio::test]
    async fn nobody_else_wrote_while_the_agent_held_the_domain() {
        let bench = Bench::new().await;
        let mut node = bench.node();
        let _connected = bench.connect(&mut node, &bench.enrol().await, "dc1", &[]).await;
        node.take_lease().await.unwrap();
        let row = LogRow {
            tenant: bench.world.tenant,
            job: bench.world.job.clone(),
            at: bench.now(),
            guid: Some(ObjectGuid(Uuid::from_u128(1))),
            ..row(u128::MAX, Action::Update, LogStatus::Success, title("Clerk", "Buyer"))
        };
        let batch = RecordBatch { log: vec![row], ..RecordBatch::default() };
        let _ = bench.store.record(&bench.world.lease, &batch, bench.now()).await.unwrap();
        let id = Uuid::from_u128((1_700_000_000_000 << 80) | (7 << 76) | (2 << 62));
        let outcome = Outcome {
            epoch: Epoch(5),
            changes: vec![AppliedChange { id: ChangeId(id), ..change(Action::Update) }],
            ..bench::outcome(PersonId(Uuid::from_u128(2)), 1, Conclusion::Interrupted)
        };
        for (since, expected) in [(4, 1), (5, 1), (6, 0)] {
            node.active.as_mut().unwrap().agent_since = Epoch(since);
            let told = node.without_others_changes(std::slice::from_ref(&outcome)).await.unwrap();
            assert_eq!(told[0].changes.len(), expected, "{since}");
        }
    }

    #[test]
    fn an_id_says_when_its_change_was_planned() {
        // RFC 9562 5.7: 48 bits of milliseconds, then version and variant.
        let id = Uuid::from_u128((1_768_470_070_005 << 80) | (7 << 76) | (2 << 62) | 1);
        let change = AppliedChange { id: ChangeId(id), ..change(Action::Update) };
        assert_eq!(planned_at(&change), Some(Timestamp(1_768_470_070_005_000)));
    }
}
