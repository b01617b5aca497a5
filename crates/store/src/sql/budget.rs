//! Grants, uses, and those who are held back.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use rollcall_model::ids::{JobId, PersonId, TenantId};
use rollcall_model::operation::OperationState;
use rollcall_model::{Code, Timestamp, limits};
use serde::Serialize;

use super::batch::{batch, hex, ids};
use super::identity::write_audit;
use super::{SqlStore, Transaction, jobs, outcome};
use crate::{Admission, Audit, BudgetRest, BudgetSettled, BudgetState, BudgetWanted, Budgets, Error, Fenced, Lease};

/// What is older does not count.
fn since(now: Timestamp) -> Timestamp {
    now.plus_ms(-limits::BUDGET_WINDOW_MS)
}

/// What the store knows of a person who wants something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// An earlier grant that still counts.
    granted: i64,
    staged: bool,
    released: bool,
}

/// Who fits: `used` counts everybody's writes and grants, those of the persons at hand included, whose earlier grants
/// they take over.
fn decide(
    wanted: &[BudgetWanted],
    known: &HashMap<PersonId, Known>,
    used: i64,
    limit: u32,
) -> Vec<(BudgetWanted, bool)> {
    let of = |person| known.get(&person).copied().unwrap_or_default();
    let own: i64 = wanted.iter().map(|wanted| of(wanted.person).granted).sum();
    let mut free = i64::from(limit) - (used - own);
    wanted
        .iter()
        .map(|wanted| {
            if of(wanted.person).released {
                return (BudgetWanted { cost: 0, ..*wanted }, true);
            }
            let fits = wanted.cost == 0 || i64::from(wanted.cost) <= free;
            free -= if fits { wanted.cost.into() } else { 0 };
            (*wanted, fits)
        })
        .collect()
}

#[derive(Serialize)]
struct PersonCost {
    person: String,
    n: u32,
}

fn costs(rows: impl Iterator<Item = BudgetWanted>) -> Result<String, Error> {
    batch(&rows.map(|wanted| PersonCost { person: hex(wanted.person.0), n: wanted.cost }).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct JobSum {
    job: i64,
    n: i64,
}

/// Writes of the window and when the first of them leaves it.
async fn standing(tx: &mut Transaction<'_>, job: &JobId, since: Timestamp) -> Result<(i64, Option<Timestamp>), Error> {
    let row = tx
        .row(
            sql!(
                "select cast(coalesce(sum(x.n), 0) as bigint) as used, min(x.at) as first from ( \
                     select u.n, u.at from budget_use u join job j on j.id = u.job where j.name = $1 and u.at > $2 \
                     union all \
                     select g.n, g.at from budget_grant g join job j on j.id = g.job where j.name = $1 and g.at > $2) x"
            ),
            args![job.as_str(), since],
        )
        .await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int("used")?, row.opt_time("first")?)))
}

async fn known(
    tx: &mut Transaction<'_>,
    wanted: &[BudgetWanted],
    since: Timestamp,
) -> Result<HashMap<PersonId, Known>, Error> {
    let rows = tx
        .rows(
            sql!("select p.uuid as uuid, case when g.at > $2 then g.n else 0 end as granted, \
                      s.person as staged, s.released as released from "
                 (rows 1: v blob) " r" then "person p on p.uuid = r.v \
                 left join budget_grant g on g.person = p.id left join staged s on s.person = p.id"),
            args![ids(wanted.iter().map(|wanted| wanted.person.0))?, since],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let known = Known {
                granted: row.opt_int("granted")?.unwrap_or_default(),
                staged: row.opt_int("staged")?.is_some(),
                released: row.opt_int("released")?.is_some(),
            };
            Ok((PersonId(row.uuid("uuid")?), known))
        })
        .collect()
}

/// Shows the open operations of these persons as held back, or as worked on again.
async fn show(tx: &mut Transaction<'_>, persons: &str, state: OperationState) -> Result<(), Error> {
    let code = (state == OperationState::Staged).then(|| i64::from(Code::BudgetSpent.number()));
    tx.run(
        sql!("update operation set state = $2, code = $3 where id in (select o.id from " (rows 1: v blob) " r"
             (each person as p, "p.uuid = r.v")
             (each operation as o, "o.job = p.job and o.person = p.id and o.state > 0 and o.state < 10") ")"),
        args![persons, state.number(), code],
    )
    .await
    .map(|_| ())
}

async fn admit(tx: &mut Transaction<'_>, admitted: &[BudgetWanted], staged: &str, now: Timestamp) -> Result<(), Error> {
    tx.run(
        sql!("insert into budget_grant (person, tenant, job, at, n) select p.id, p.tenant, p.job, $2, r.n from "
             (rows 1: person blob, n int) " r" then "person p on p.uuid = r.person where r.n > 0 \
             on conflict (person) do update set at = excluded.at, n = excluded.n"),
        args![costs(admitted.iter().copied())?, now],
    )
    .await?;
    if staged == "[]" {
        return Ok(());
    }
    tx.run(
        sql!("delete from staged where released is null and person in (select p.id from " (rows 1: v blob) " r" then
             "person p on p.uuid = r.v)"),
        args![staged],
    )
    .await?;
    show(tx, staged, OperationState::Working).await
}

async fn park(
    tx: &mut Transaction<'_>,
    parked: &[BudgetWanted],
    now: Timestamp,
    until: Timestamp,
) -> Result<(), Error> {
    let persons = ids(parked.iter().map(|wanted| wanted.person.0))?;
    tx.run(
        sql!("insert into staged (person, tenant, job, at, cost) select p.id, p.tenant, p.job, $2, r.n from "
             (rows 1: person blob, n int) " r" then "person p on p.uuid = r.person where true \
             on conflict (person) do update set cost = excluded.cost"),
        args![costs(parked.iter().copied())?, now],
    )
    .await?;
    tx.run(
        sql!("update person set due = $2 where due is not null and id in (select p.id from " (rows 1: v blob) " r" then
             "person p on p.uuid = r.v)"),
        args![persons.as_str(), until],
    )
    .await?;
    // What was granted before, and is not enough now, is not needed.
    tx.run(
        sql!("delete from budget_grant where person in (select p.id from " (rows 1: v blob) " r" then
             "person p on p.uuid = r.v)"),
        args![persons.as_str()],
    )
    .await?;
    show(tx, &persons, OperationState::Staged).await
}

/// What was granted for these persons: used and left over by job number.
async fn sums(tx: &mut Transaction<'_>, settled: &[BudgetSettled]) -> Result<BTreeMap<i64, (i64, i64)>, Error> {
    let used: HashMap<PersonId, u32> = settled.iter().map(|settled| (settled.person, settled.used)).collect();
    let rows = tx
        .rows(
            sql!("select p.uuid as uuid, g.job as job, g.n as n from " (rows 1: v blob) " r" then
                 "person p on p.uuid = r.v" then "budget_grant g on g.person = p.id"),
            args![ids(settled.iter().map(|settled| settled.person.0))?],
        )
        .await?;
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for row in &rows {
        let granted = row.int("n")?;
        let own = used.get(&PersonId(row.uuid("uuid")?)).copied().unwrap_or_default();
        let own = i64::from(own).min(granted);
        let sum = sums.entry(row.int("job")?).or_default();
        *sum = (sum.0 + own, sum.1 + granted - own);
    }
    Ok(sums)
}

/// What was written for these persons beside their grants.
async fn add_late(
    tx: &mut Transaction<'_>,
    late: &[BudgetSettled],
    sums: &mut BTreeMap<i64, (i64, i64)>,
) -> Result<(), Error> {
    if late.is_empty() {
        return Ok(());
    }
    let used = late.iter().map(|late| BudgetWanted { person: late.person, cost: late.used });
    let rows = tx
        .rows(
            sql!("select p.job as job, cast(sum(r.n) as bigint) as n from " (rows 1: person blob, n int) " r" then
                 "person p on p.uuid = r.person group by p.job"),
            args![costs(used)?],
        )
        .await?;
    for row in &rows {
        sums.entry(row.int("job")?).or_default().0 += row.int("n")?;
    }
    Ok(())
}

/// Those who are held back, as many as there is something left over for.
async fn wake(tx: &mut Transaction<'_>, job: i64, count: i64, now: Timestamp) -> Result<(), Error> {
    tx.run(
        sql!("update person set due = $2 where id in (select p.id from (select s.person from staged s \
                  where s.job = $1 and s.released is null order by s.at, s.person limit $3) x \
              join person p on p.id = x.person where p.due > $2 order by p.id" exclusive_p ")"),
        args![job, now, count],
    )
    .await
    .map(|_| ())
}

async fn number(tx: &mut Transaction<'_>, tenant: TenantId, job: &JobId) -> Result<Option<i64>, Error> {
    let row = tx
        .row(
            sql!("select j.id from job j join tenant t on t.id = j.tenant where t.uuid = $1 and j.name = $2"),
            args![tenant.0, job.as_str()],
        )
        .await?;
    row.map(|row| row.int("id")).transpose()
}

#[async_trait]
impl Budgets for SqlStore {
    async fn grant(
        &self,
        lease: &Lease,
        job: &JobId,
        wanted: &[BudgetWanted],
        now: Timestamp,
    ) -> Result<Fenced<Admission>, Error> {
        let mut tx = self.db.begin("granting a budget").await?;
        if outcome::held(&mut tx, lease).await?.is_none() {
            return Ok(Fenced::Stale);
        }
        // Not as somebody read it some time ago: by an old limit people would be held back whom nobody asks about
        // again.
        let limit = jobs::budget_of(&mut tx, job).await?.and_then(|(_, budget)| budget).unwrap_or(u32::MAX);
        outcome::lock_persons(&mut tx, wanted.iter().map(|wanted| wanted.person), "[]").await?;
        let (used, first) = standing(&mut tx, job, since(now)).await?;
        let known = known(&mut tx, wanted, since(now)).await?;
        let decided = decide(wanted, &known, used, limit);
        let pick = |fits: bool| decided.iter().filter(move |(_, own)| *own == fits).map(|(wanted, _)| *wanted);
        let (admitted, parked): (Vec<_>, Vec<_>) = (pick(true).collect(), pick(false).collect());
        if !admitted.is_empty() {
            let staged = admitted.iter().filter(|wanted| known.get(&wanted.person).is_some_and(|known| known.staged));
            admit(&mut tx, &admitted, &ids(staged.map(|wanted| wanted.person.0))?, now).await?;
        }
        let mut until = None;
        if !parked.is_empty() {
            let free = first.unwrap_or(now).plus_ms(limits::BUDGET_WINDOW_MS);
            let wait = free.max(now.plus_ms(limits::BUDGET_WAIT_MS_MIN));
            park(&mut tx, &parked, now, wait).await?;
            until = Some(wait);
        }
        tx.commit().await?;
        let persons = |list: &[BudgetWanted]| list.iter().map(|wanted| wanted.person).collect();
        Ok(Fenced::Done(Admission { admitted: persons(&admitted), parked: persons(&parked), until }))
    }

    async fn settle(&self, lease: &Lease, settled: &[BudgetSettled], now: Timestamp) -> Result<Fenced<()>, Error> {
        let mut tx = self.db.begin("settling a budget").await?;
        if outcome::held(&mut tx, lease).await?.is_none() {
            return Ok(Fenced::Stale);
        }
        outcome::lock_persons(&mut tx, settled.iter().map(|settled| settled.person), "[]").await?;
        let (late, settled): (Vec<_>, Vec<_>) =
            settled.iter().copied().partition(|settled| settled.rest == BudgetRest::Newer);
        let mut sums = sums(&mut tx, &settled).await?;
        add_late(&mut tx, &late, &mut sums).await?;
        if !sums.is_empty() {
            tx.run(
                sql!("delete from budget_grant where person in (select p.id from " (rows 1: v blob) " r" then
                     "person p on p.uuid = r.v)"),
                args![ids(settled.iter().map(|settled| settled.person.0))?],
            )
            .await?;
            let rows: Vec<_> = sums.iter().map(|(job, (used, _))| JobSum { job: *job, n: *used }).collect();
            let rows = batch(&rows)?;
            tx.run(
                sql!("insert into budget_use (tenant, job, at, n) select j.tenant, j.id, $2, r.n from "
                     (rows 1: job int, n int) " r join job j on j.id = r.job where r.n > 0"),
                args![rows.as_str(), now],
            )
            .await?;
            tx.run(
                sql!("delete from budget_use where at <= $2 and job in (select r.job from "
                     (rows 1: job int, n int) " r)"),
                args![rows, since(now)],
            )
            .await?;
        }
        let ended = settled.iter().filter(|settled| settled.rest == BudgetRest::Ended);
        tx.run(
            sql!("delete from staged where person in (select p.id from " (rows 1: v blob) " r" then
                 "person p on p.uuid = r.v)"),
            args![ids(ended.map(|settled| settled.person.0))?],
        )
        .await?;
        for (job, (_, left)) in sums.into_iter().filter(|(_, (_, left))| *left > 0) {
            wake(&mut tx, job, left, now).await?;
        }
        tx.commit().await?;
        Ok(Fenced::Done(()))
    }

    async fn budget_persons(&self, job: &JobId) -> Result<Vec<PersonId>, Error> {
        let sql = sql!(
            "select p.uuid as uuid from (select g.person from budget_grant g join job j on j.id = g.job where j.name = $1 \
                 union select s.person from staged s join job j on j.id = s.job where j.name = $1) x \
             join person p on p.id = x.person"
        );
        let rows = self.db.rows("reading whom a budget concerns", sql, args![job.as_str()]).await?;
        rows.iter().map(|row| Ok(PersonId(row.uuid("uuid")?))).collect()
    }

    async fn budget_state(&self, job: &JobId, now: Timestamp) -> Result<BudgetState, Error> {
        let sql = sql!(
            "select cast((select coalesce(sum(u.n), 0) from budget_use u where u.job = j.id and u.at > $2) \
                 + (select coalesce(sum(g.n), 0) from budget_grant g where g.job = j.id and g.at > $2) as bigint) as used, \
             (select count(*) from staged s where s.job = j.id and s.released is null) as staged, \
             (select count(*) from staged s where s.job = j.id and s.released is not null) as released \
             from job j where j.name = $1"
        );
        let row = self.db.row("reading a budget", sql, args![job.as_str(), since(now)]).await?;
        row.map_or(Ok(BudgetState::default()), |row| {
            Ok(BudgetState { used: row.int("used")?, staged: row.int("staged")?, released: row.int("released")? })
        })
    }

    async fn release(
        &self,
        tenant: TenantId,
        job: &JobId,
        count: Option<u32>,
        now: Timestamp,
        audit: &Audit,
    ) -> Result<i64, Error> {
        let mut tx = self.db.begin("releasing those who are held back").await?;
        let Some(number) = number(&mut tx, tenant, job).await? else { return Ok(0) };
        let rows = tx
            .rows(
                sql!("select p.uuid as uuid from (select s.person, s.at from staged s where s.job = $1 \
                          and s.released is null order by s.at, s.person limit $2) x \
                      join person p on p.id = x.person order by p.id" exclusive_p),
                args![number, count.map_or(i64::MAX, i64::from)],
            )
            .await?;
        let persons = rows.iter().map(|row| row.uuid("uuid")).collect::<Result<Vec<_>, _>>()?;
        let released = i64::try_from(persons.len()).unwrap_or(i64::MAX);
        let persons = ids(persons)?;
        tx.run(
            sql!("update staged set released = $2 where person in (select p.id from " (rows 1: v blob) " r" then
                 "person p on p.uuid = r.v)"),
            args![persons.as_str(), now],
        )
        .await?;
        due_now(&mut tx, &persons, now).await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(released)
    }
}

/// Everyone whom a job holds back is asked about anew; the job's row is locked.
pub(super) async fn unstage(tx: &mut Transaction<'_>, job: i64, now: Timestamp) -> Result<(), Error> {
    let rows = tx
        .rows(
            sql!("select p.uuid as uuid from (select s.person from staged s where s.job = $1) x \
                  join person p on p.id = x.person order by p.id" exclusive_p),
            args![job],
        )
        .await?;
    let persons = ids(rows.iter().map(|row| row.uuid("uuid")).collect::<Result<Vec<_>, _>>()?)?;
    due_now(tx, &persons, now).await?;
    tx.run(
        sql!("delete from staged where person in (select p.id from " (rows 1: v blob) " r" then
             "person p on p.uuid = r.v)"),
        args![persons],
    )
    .await
    .map(|_| ())
}

/// Makes persons who were held back due, and shows their operations as worked on.
async fn due_now(tx: &mut Transaction<'_>, persons: &str, now: Timestamp) -> Result<(), Error> {
    tx.run(
        sql!("update person set due = $2 where due > $2 and id in (select p.id from " (rows 1: v blob) " r" then
             "person p on p.uuid = r.v)"),
        args![persons, now],
    )
    .await?;
    show(tx, persons, OperationState::Working).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fits() {
        let id = |n: u128| PersonId(uuid::Uuid::from_u128(n));
        let check = |costs: &[u32], used: i64, limit: u32, known: &[(u128, Known)], expected: &[bool]| {
            let wanted: Vec<_> =
                (0_u128..).zip(costs).map(|(n, cost)| BudgetWanted { person: id(n), cost: *cost }).collect();
            let known = known.iter().map(|(n, known)| (id(*n), *known)).collect();
            let fits: Vec<bool> = decide(&wanted, &known, used, limit).into_iter().map(|(_, fits)| fits).collect();
            assert_eq!(fits, expected, "{costs:?} {used} of {limit} {known:?}");
        };
        let granted = |granted| Known { granted, ..Known::default() };
        let released = Known { staged: true, released: true, ..Known::default() };
        check(&[1, 1, 1], 0, 2, &[], &[true, true, false]);
        check(&[1, 1], 5, 5, &[], &[false, false]);
        check(&[1, 1], 7, 5, &[], &[false, false]);
        check(&[3, 1], 0, 2, &[], &[false, true]);
        check(&[1, 1], 0, 0, &[], &[false, false]);
        check(&[0, 1], 9, 0, &[], &[true, false]);
        // What a dead node was granted is taken over, not granted twice.
        check(&[2, 1], 2, 2, &[(0, granted(2))], &[true, false]);
        check(&[1, 1], 2, 2, &[(0, granted(2))], &[true, true]);
        // A release goes beside the budget.
        check(&[1, 9, 1], 4, 5, &[(1, released)], &[true, true, false]);
    }
}
