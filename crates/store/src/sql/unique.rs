//! Reservations of values that must be unique.
//!
//! Whoever reserves holds the domain's lease row alone, and whoever records an outcome shares it: so nobody else
//! changes a value of the domain between reading and writing here.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use rollcall_model::ids::{PersonId, TenantId};
use rollcall_model::{Timestamp, fold, fold_taken, limits};
use serde::Serialize;

use super::batch::{batch, hex, ids};
use super::{SqlStore, Transaction};
use crate::{Error, Fenced, Lease, RecordBatch, Taken, UniqueValues, Wanted};

/// Reserved for an account that is about to be made.
const RESERVED: i64 = 0;
// 1: held by an account that we made; 2: quarantined, as that account is no more.
/// Of an account in the directory.
const SEEN: i64 = 3;

/// An attribute and a value as they are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Key {
    attribute: String,
    folded: String,
}

impl Key {
    fn new(attribute: &str, value: &str) -> Self {
        Self { attribute: fold(attribute).replace('\0', " "), folded: fold_taken(value) }
    }

    /// Whether anything is left of the value.
    fn is_some(&self) -> bool {
        !self.folded.is_empty()
    }
}

#[derive(Serialize)]
struct Place<'a> {
    n: usize,
    attribute: &'a str,
    folded: &'a str,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Given<'a> {
    person: i64,
    attribute: &'a str,
    folded: &'a str,
}

/// What stands about a value in the store.
#[derive(Clone, Copy)]
struct Standing {
    person: Option<i64>,
    state: i64,
}

#[async_trait]
impl UniqueValues for SqlStore {
    async fn taken_values(
        &self,
        tenant: TenantId,
        domain: &str,
        values: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error> {
        let keys: Vec<Key> = values.iter().map(|(attribute, value)| Key::new(attribute, value)).collect();
        let rows: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(n, key)| Place { n, attribute: &key.attribute, folded: &key.folded })
            .collect();
        let sql = sql!("select r.n, p.uuid as person from " (rows 1: n int, attribute text, folded text)
             " r join tenant t on t.uuid = $2" (each unique_value as v, "v.tenant = t.id and v.domain = $3 \
                 and v.attribute = r.attribute and v.folded = r.folded and (v.until is null or v.until > $4)")
             "left join person p on p.id = v.person order by r.n");
        let args = args![batch(&rows)?, tenant.0, domain.to_lowercase(), now];
        let rows = self.db.rows("looking for taken values", sql, args).await?;
        let read = |row: &super::Row| {
            let n = usize::try_from(row.int("n")?).unwrap_or(usize::MAX);
            Ok(Taken { n, person: row.opt_uuid("person")?.map(PersonId) })
        };
        rows.iter().map(read).collect()
    }

    async fn reserve(
        &self,
        lease: &Lease,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<Fenced<Vec<Option<usize>>>, Error> {
        let mut tx = self.db.begin("reserving unique values").await?;
        let row = tx
            .row(
                sql!("select l.tenant from lease l join tenant t on t.id = l.tenant \
                      where t.uuid = $1 and l.domain = $2 and l.epoch = $3" exclusive),
                args![lease.tenant.0, lease.domain.to_lowercase(), lease.epoch.0],
            )
            .await?;
        let Some(row) = row else { return Ok(Fenced::Stale) };
        let place = (row.int("tenant")?, lease.domain.to_lowercase());
        tx.run(
            sql!("delete from unique_value where tenant = $1 and domain = $2 and until <= $3"),
            args![place.0, place.1.as_str(), now],
        )
        .await?;
        let persons = numbers(&mut tx, place.0, wanted).await?;
        let standing = standing(&mut tx, &place, wanted).await?;
        let answers = decide(wanted, &persons, standing);
        give(&mut tx, &place, wanted, &persons, &answers).await?;
        note_seen(&mut tx, &place, wanted, now).await?;
        tx.commit().await?;
        Ok(Fenced::Done(answers))
    }
}

/// The persons' numbers in the store.
async fn numbers(tx: &mut Transaction<'_>, tenant: i64, wanted: &[Wanted]) -> Result<HashMap<PersonId, i64>, Error> {
    let rows = tx
        .rows(
            sql!("select p.uuid, p.id from " (rows 1: v blob) " r"
                 (each person as p, "p.uuid = r.v and p.tenant + 0 = $2")),
            args![ids(wanted.iter().map(|wanted| wanted.person.0))?, tenant],
        )
        .await?;
    rows.iter().map(|row| Ok((PersonId(row.uuid("uuid")?), row.int("id")?))).collect()
}

/// Remembers for a while what the directory holds. Of what is somebody's here more is known.
async fn note_seen(
    tx: &mut Transaction<'_>,
    (tenant, domain): &(i64, String),
    wanted: &[Wanted],
    now: Timestamp,
) -> Result<(), Error> {
    let keys: HashSet<Key> =
        wanted.iter().flat_map(|wanted| wanted.seen.iter().map(|value| Key::new(&wanted.attribute, value))).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let until = now.plus_ms(limits::UNIQUE_SEEN_MS);
    tx.run(
        sql!("insert into unique_value (tenant, domain, attribute, folded, person, state, until) \
              select $2, $3, r.attribute, r.folded, null, 3, $4 from " (rows 1: attribute text, folded text)
             " r where true on conflict (tenant, domain, attribute, folded) do update set until = excluded.until \
                 where unique_value.state = 3"),
        args![batch(&keys.into_iter().collect::<Vec<_>>())?, *tenant, domain.as_str(), until],
    )
    .await
    .map(|_| ())
}

/// What stands about all candidates.
async fn standing(
    tx: &mut Transaction<'_>,
    (tenant, domain): &(i64, String),
    wanted: &[Wanted],
) -> Result<HashMap<Key, Standing>, Error> {
    let keys: HashSet<Key> = wanted
        .iter()
        .flat_map(|wanted| wanted.candidates.iter().map(|value| Key::new(&wanted.attribute, value)))
        .collect();
    let rows = tx
        .rows(
            sql!("select v.attribute, v.folded, v.person, v.state from " (rows 1: attribute text, folded text)
                 " r" (each unique_value as v, "v.tenant = $2 and v.domain = $3 and v.attribute = r.attribute \
                     and v.folded = r.folded")),
            args![batch(&keys.into_iter().collect::<Vec<_>>())?, *tenant, domain.as_str()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let key = Key { attribute: row.text("attribute")?, folded: row.text("folded")? };
            Ok((key, Standing { person: row.opt_int("person")?, state: row.int("state")? }))
        })
        .collect()
}

/// The place of each one's value in its candidates.
fn decide(
    wanted: &[Wanted],
    persons: &HashMap<PersonId, i64>,
    mut standing: HashMap<Key, Standing>,
) -> Vec<Option<usize>> {
    for wanted in wanted {
        let person = persons.get(&wanted.person).copied();
        for key in wanted.seen.iter().map(|value| Key::new(&wanted.attribute, value)) {
            // Reserved for another it may be in the directory because their account was made just now.
            let is_anothers = standing.get(&key).is_some_and(|found| found.state != RESERVED || found.person != person);
            if !is_anothers {
                standing.insert(key, Standing { person: None, state: SEEN });
            }
        }
    }
    let decide = |wanted: &Wanted| {
        let person = *persons.get(&wanted.person)?;
        let keys: Vec<Key> = wanted.candidates.iter().map(|value| Key::new(&wanted.attribute, value)).collect();
        let is_own = |key: &Key| standing.get(key).is_some_and(|found| found.person == Some(person));
        let is_reserved = |key: &Key| is_own(key) && standing.get(key).is_some_and(|found| found.state == RESERVED);
        let at = keys
            .iter()
            .position(is_reserved)
            .or_else(|| keys.iter().position(|key| is_own(key) || (!standing.contains_key(key) && key.is_some())))?;
        standing.insert(keys[at].clone(), Standing { person: Some(person), state: RESERVED });
        Some(at)
    };
    wanted.iter().map(decide).collect()
}

/// Gives back what is reserved and not wanted any more, then reserves.
async fn give(
    tx: &mut Transaction<'_>,
    (tenant, domain): &(i64, String),
    wanted: &[Wanted],
    persons: &HashMap<PersonId, i64>,
    answers: &[Option<usize>],
) -> Result<(), Error> {
    let keys: Vec<(i64, Key)> = wanted
        .iter()
        .zip(answers)
        .filter_map(|(wanted, answer)| {
            // Nothing is kept where nothing was given.
            let value = answer.and_then(|at| wanted.candidates.get(at)).map_or("", String::as_str);
            Some((*persons.get(&wanted.person)?, Key::new(&wanted.attribute, value)))
        })
        .collect();
    let all: Vec<_> = keys
        .iter()
        .map(|(person, key)| Given { person: *person, attribute: &key.attribute, folded: &key.folded })
        .collect();
    tx.run(
        sql!("delete from unique_value where id in (select v.id from " (rows 1: person int, attribute text, folded text)
             " r" (each unique_value as v, "v.person = r.person and v.attribute = r.attribute and v.folded <> r.folded \
                 and v.tenant = $2 and v.domain = $3 and v.state = 0") ")"),
        args![batch(&all)?, *tenant, domain.as_str()],
    )
    .await?;
    let mut given = all;
    given.retain(|given| !given.folded.is_empty());
    given.sort_unstable();
    given.dedup();
    tx.run(
        sql!("insert into unique_value (tenant, domain, attribute, folded, person, state) \
              select $2, $3, r.attribute, r.folded, r.person, 0 from "
             (rows 1: person int, attribute text, folded text)
             " r where true on conflict (tenant, domain, attribute, folded) do update \
                 set person = excluded.person, state = 0, until = null"),
        args![batch(&given)?, *tenant, domain.as_str()],
    )
    .await
    .map(|_| ())
}

#[derive(Serialize)]
struct Ended {
    person: String,
    until: i64,
}

/// What outcomes mean for the values of their persons: an account has them, is no more, or will not be made.
pub(super) async fn record(
    tx: &mut Transaction<'_>,
    tenant: i64,
    batch_of: &RecordBatch,
    linked: &str,
) -> Result<(), Error> {
    if !batch_of.linked.is_empty() {
        tx.run(
            sql!("update unique_value set state = 1, until = null where id in (select v.id from "
                 (rows 1: job text, v text) " r" then "job j on j.name = r.job"
                 (each person as p, "p.job = j.id and p.folded = r.v and p.tenant = $2")
                 (each unique_value as v, "v.person = p.id and v.state <> 1") ")"),
            args![linked, tenant],
        )
        .await?;
    }
    if !batch_of.released.is_empty() {
        tx.run(
            sql!("delete from unique_value where id in (select v.id from " (rows 1: v blob) " r"
                 (each person as p, "p.uuid = r.v and p.tenant + 0 = $2")
                 (each unique_value as v, "v.person = p.id and v.state = 0") ")"),
            args![ids(batch_of.released.iter().map(|id| id.0))?, tenant],
        )
        .await?;
    }
    if !batch_of.quarantined.is_empty() {
        let rows: Vec<_> = batch_of
            .quarantined
            .iter()
            .map(|(person, until)| Ended { person: hex(person.0), until: until.0 })
            .collect();
        quarantine(tx, tenant, &batch(&rows)?).await?;
    }
    Ok(())
}

/// The accounts of these persons (`person`, `until`) are no more.
async fn quarantine(tx: &mut Transaction<'_>, tenant: i64, rows: &str) -> Result<(), Error> {
    tx.run(
        sql!("update unique_value set state = 2, until = (select max(x.until) from "
             (rows 1: person blob, until int) " x" then "person p on p.uuid = x.person and p.id = unique_value.person) \
                 where id in (select v.id from " (rows 1: person blob, until int) " x"
             (each person as p, "p.uuid = x.person and p.tenant + 0 = $2")
             (each unique_value as v, "v.person = p.id and v.state < 2") ")"),
        args![rows, tenant],
    )
    .await
    .map(|_| ())
}

/// The link of one person (a job's name, a folded `externalId`) was broken.
pub(super) async fn quarantine_unlinked(
    tx: &mut Transaction<'_>,
    tenant: TenantId,
    job: &str,
    key: &str,
    until: Timestamp,
) -> Result<(), Error> {
    tx.run(
        sql!(
            "update unique_value set state = 2, until = $4 where state < 2 and person = (select p.id from person p \
                  join job j on j.id = p.job join tenant t on t.id = j.tenant \
                  where t.uuid = $1 and j.name = $2 and p.folded = $3)"
        ),
        args![tenant.0, job, key, until],
    )
    .await
    .map(|_| ())
}
