//! Persons as rows.

use std::collections::BTreeMap;

use rollcall_model::fold;
use rollcall_model::ids::{JobId, ObjectGuid, PersonId, Version};
use rollcall_model::person::{Link, Pending, Person};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Row;
use super::batch::{Longs, Place, batch, hex, shown};
use super::intake::{as_sent, lane};
use super::log::read_code;
use super::sweep::BACKGROUND;
use crate::{Cause, Error, PersonUpdate};

/// A person as an element of a batch.
#[derive(Serialize)]
pub(super) struct PersonJson<'a> {
    pub(super) job: &'a str,
    pub(super) uuid: String,
    folded: String,
    external_id: Option<String>,
    version: i64,
    due: Option<i64>,
    lane: i64,
    attempts: i32,
    last_code: Option<i16>,
    pub(super) link_guid: Option<String>,
    link_confirmed: i64,
    link_controller: Option<String>,
    link_usn: Option<i64>,
    record: Place,
    pending: Option<Place>,
    confirmed: Option<Place>,
    refused: Option<Place>,
    data: Option<String>,
    quiet: Option<i64>,
    display_name: Option<String>,
    look: Option<i64>,
    cause: Option<i16>,
    made_from: Option<i64>,
}

impl<'a> PersonJson<'a> {
    fn new(update: &'a PersonUpdate, longs: &mut Longs) -> Result<Self, Error> {
        let person = &update.person;
        let folded = fold(&person.external_id);
        let link = person.link.as_ref();
        Ok(Self {
            job: update.job.as_str(),
            uuid: hex(person.id.0),
            external_id: as_sent(&person.external_id, &folded),
            folded,
            version: person.version.0,
            due: update.due.map(|due| due.0),
            lane: lane_of(update),
            attempts: update.attempts,
            last_code: update.last_code.map(rollcall_model::Code::number),
            link_guid: link.map(|link| hex(link.guid.0)),
            link_confirmed: link.is_some_and(|link| link.confirmed).into(),
            link_controller: link.and_then(|link| link.invocation_id.as_deref()).map(shown),
            link_usn: link.and_then(|link| link.usn_changed),
            record: longs.push(&person.record)?,
            pending: (person.pending != Pending::default()).then(|| longs.push(&person.pending)).transpose()?,
            confirmed: person.confirmed.as_ref().map(|confirmed| longs.push(confirmed)).transpose()?,
            refused: (!person.refused.is_empty()).then(|| longs.push(&person.refused)).transpose()?,
            data: update.data.map(|data| hex(Uuid::from_bytes(data))),
            quiet: update.quiet,
            display_name: update.display_name.as_deref().map(shown),
            look: update.look.map(|look| look.0),
            cause: update.cause.map(Cause::number),
            made_from: None,
        })
    }

    /// The batch as one text, and its long texts. A GUID that two persons of a job claim stays with the first.
    pub(super) fn batch(
        updates: &'a [PersonUpdate],
        made_from: &BTreeMap<PersonId, Version>,
    ) -> Result<(String, Longs), Error> {
        let mut longs = Longs::default();
        let mut rows = updates
            .iter()
            .map(|update| {
                let made_from = made_from.get(&update.person.id).map(|version| version.0);
                Ok(Self { made_from, ..Self::new(update, &mut longs)? })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let mut taken = std::collections::HashSet::new();
        for row in &mut rows {
            if let Some(guid) = &row.link_guid
                && !taken.insert((row.job, guid.clone()))
            {
                row.link_guid = None;
            }
        }
        Ok((batch(&rows)?, longs))
    }
}

/// Whoever no operation asks for comes behind all others, unless a disable hurries.
fn lane_of(update: &PersonUpdate) -> i64 {
    if update.cause.is_some() && !update.urgent { BACKGROUND } else { lane(update.urgent) }
}

fn parse<T: DeserializeOwned>(row: &Row, column: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Inconsistent {
        table: "person",
        column,
        row: row.uuid("uuid").map(|id| id.to_string()).unwrap_or_default(),
        why: error.to_string(),
    })
}

/// A person and what surrounds them, from the columns `sql!` calls `person`.
pub(super) fn read_person(row: &Row) -> Result<PersonUpdate, Error> {
    let folded = row.text("folded")?;
    let link = row
        .opt_uuid("link_guid")?
        .map(|guid| {
            Ok::<_, Error>(Link {
                guid: ObjectGuid(guid),
                confirmed: row.flag("link_confirmed")?,
                invocation_id: row.opt_text("link_controller")?,
                usn_changed: row.opt_int("link_usn")?,
            })
        })
        .transpose()?;
    let optional = |column| row.opt_text(column);
    Ok(PersonUpdate {
        job: JobId::from_text(&row.text("job")?),
        person: Person {
            id: PersonId(row.uuid("uuid")?),
            external_id: row.opt_text("external_id")?.unwrap_or(folded),
            record: parse(row, "record", &row.text("record")?)?,
            version: Version(row.int("version")?),
            pending: optional("pending")?.map(|text| parse(row, "pending", &text)).transpose()?.unwrap_or_default(),
            link,
            confirmed: optional("confirmed")?.map(|text| parse(row, "confirmed", &text)).transpose()?,
            refused: optional("refused")?
                .map(|text| parse::<BTreeMap<_, _>>(row, "refused", &text))
                .transpose()?
                .unwrap_or_default(),
        },
        due: row.opt_time("due")?,
        attempts: i32::try_from(row.int("attempts")?).unwrap_or(i32::MAX),
        urgent: row.int("lane")? == 0,
        last_code: read_code(row, "last_code")?,
        data: row.opt_half_sha256("data")?,
        quiet: row.opt_int("quiet")?,
        display_name: row.opt_text("display_name")?,
        unlinked: row.opt_int("unlinked")?.map(Version),
        look: row.opt_time("look")?,
        cause: row.opt_int("cause")?.and_then(|number| Cause::from_number(i16::try_from(number).ok()?)),
    })
}
