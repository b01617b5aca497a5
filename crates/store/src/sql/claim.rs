//! Who an account belongs to.

use std::collections::{HashMap, HashSet};

use rollcall_model::ids::{ObjectGuid, PersonId};
use serde::Serialize;
use uuid::Uuid;

use super::batch::{batch, hex};
use super::{Db, Row, outcome};
use crate::{ClaimResult, Error, Fenced, Lease};

#[derive(Serialize)]
struct ClaimJson {
    n: usize,
    person: String,
    guid: String,
}

/// A claim and what the store holds about it.
struct Claim {
    n: usize,
    person: i64,
    job: i64,
    guid: Uuid,
    /// What the person is linked to.
    link: Option<Uuid>,
    /// Whether another person has the account.
    taken: bool,
}

fn read_claim(row: &Row) -> Result<Claim, Error> {
    Ok(Claim {
        n: usize::try_from(row.int("n")?).unwrap_or(usize::MAX),
        person: row.int("person")?,
        job: row.int("job")?,
        guid: row.uuid("guid")?,
        link: row.opt_uuid("link_guid")?,
        taken: row.opt_int("holder")?.is_some(),
    })
}

/// Claims of unknown persons, and of persons who are linked to another account already, count as taken.
pub(super) async fn claim_links(
    db: &Db,
    lease: &Lease,
    claims: &[(PersonId, ObjectGuid)],
) -> Result<Fenced<Vec<ClaimResult>>, Error> {
    let mut tx = db.begin("claiming accounts").await?;
    // The lease row is locked for this transaction alone: two that claim one account come one after the other.
    let row = tx
        .row(
            sql!("select l.tenant from lease l join tenant t on t.id = l.tenant \
                  where t.uuid = $1 and l.domain = $2 and l.epoch = $3" exclusive),
            args![lease.tenant.0, lease.domain.to_lowercase(), lease.epoch.0],
        )
        .await?;
    let Some(row) = row else { return Ok(Fenced::Stale) };
    let tenant = row.int("tenant")?;
    outcome::lock_persons(&mut tx, claims.iter().map(|(person, _)| *person), "[]").await?;
    let rows: Vec<_> = claims
        .iter()
        .enumerate()
        .map(|(n, (person, guid))| ClaimJson { n, person: hex(person.0), guid: hex(guid.0) })
        .collect();
    let found = tx
        .rows(
            sql!("select r.n, p.id as person, p.job, r.guid, p.link_guid, h.id as holder from "
                 (rows 1: n int, person blob, guid blob)
                 " r join person p on p.uuid = r.person and p.tenant = $2 \
                 left join person h on h.job = p.job and h.link_guid = r.guid and h.id <> p.id order by r.n"),
            args![batch(&rows)?, tenant],
        )
        .await?
        .iter()
        .map(read_claim)
        .collect::<Result<Vec<_>, _>>()?;
    let (results, granted) = decide(claims.len(), &found);
    if !granted.is_empty() {
        let rows: Vec<_> =
            granted.iter().map(|claim| Granted { person: claim.person, guid: hex(claim.guid) }).collect();
        tx.run(
            sql!("update person set link_guid = r.guid, link_confirmed = 0, link_controller = null, link_usn = null \
                  from " (rows 1: person int, guid blob) " r where person.id = r.person and person.link_guid is null"),
            args![batch(&rows)?],
        )
        .await?;
        tx.commit().await?;
    }
    Ok(Fenced::Done(results))
}

#[derive(Serialize)]
struct Granted {
    person: i64,
    guid: String,
}

/// The first claim of an account wins, and a person gets one account.
fn decide(claims: usize, found: &[Claim]) -> (Vec<ClaimResult>, Vec<&Claim>) {
    let mut results = vec![ClaimResult::TakenByAnother; claims];
    let mut granted: Vec<&Claim> = Vec::new();
    let mut holder: HashMap<(i64, Uuid), i64> = HashMap::new();
    let mut served: HashSet<i64> = HashSet::new();
    for claim in found {
        let is_own = claim.link == Some(claim.guid) || holder.get(&(claim.job, claim.guid)) == Some(&claim.person);
        let is_free = claim.link.is_none()
            && !claim.taken
            && !holder.contains_key(&(claim.job, claim.guid))
            && !served.contains(&claim.person);
        if is_free {
            holder.insert((claim.job, claim.guid), claim.person);
            served.insert(claim.person);
            granted.push(claim);
        }
        if (is_own || is_free)
            && let Some(result) = results.get_mut(claim.n)
        {
            *result = ClaimResult::Granted;
        }
    }
    (results, granted)
}
