//! Persons at rest, by columns that stand beside their record: neither it nor the confirmed values are read.

use rollcall_model::ids::{JobId, ObjectGuid, PersonId, Version};

use super::batch::texts;
use super::{Db, Row, inconsistent};
use crate::{Error, RestingPerson};

fn read(row: &Row) -> Result<RestingPerson, Error> {
    let key = row.text("folded")?;
    Ok(RestingPerson {
        person: PersonId(row.uuid("uuid")?),
        version: Version(row.int("version")?),
        external_id: row.opt_text("external_id")?.unwrap_or_else(|| key.clone()),
        key,
        display_name: row.opt_text("display_name")?,
        guid: ObjectGuid(row.uuid("link_guid")?),
        usn_changed: row.int("link_usn")?,
        controller: row.text("link_controller")?,
        data: row.opt_half_sha256("data")?.ok_or_else(|| inconsistent("data", "it is empty"))?,
        quiet: row.int("quiet")?,
    })
}

pub(super) async fn resting(db: &Db, job: &JobId, keys: &[String]) -> Result<Vec<RestingPerson>, Error> {
    let sql = sql!("select p.folded, p.uuid, p.version, p.external_id, p.display_name, p.link_guid, p.link_usn, \
                 p.link_controller, p.data, p.quiet from " (rows 2: v text)
             " r" then "job j on j.name = $1" (each person as p, "p.job = j.id and p.folded = r.v \
             and p.quiet is not null and p.due is null and p.pending is null and p.refused is null \
             and p.last_code is null and p.link_guid is not null and p.link_confirmed = 1 \
             and p.link_usn is not null and p.link_controller is not null and p.data is not null"));
    let args = args![job.as_str(), texts(keys.iter().map(String::as_str))?];
    db.rows("reading persons at rest", sql, args).await?.iter().map(read).collect()
}
