//! A row as a user resource.

use rollcall_model::limits;
use rollcall_model::source::CORE_USER;
use serde_json::{Map, Value, json};

use super::mapping::{Bound, Empty, Mapping, Rule};
use super::problem::{Place, Problems, shown};
use super::rows::Row;
use super::target::Kind;

/// One person's record.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) external_id: String,
    pub(crate) data: Value,
}

/// `None` where the row has problems; they are added.
pub(crate) fn of_row(
    row: &Row,
    bound: &Bound<'_>,
    header: &[String],
    mapping: &Mapping,
    problems: &mut Problems,
) -> Option<Made> {
    let mut data = Map::from_iter([("schemas".to_owned(), Value::Null)]);
    let (mut external_id, mut good) = (None, true);
    for (target, value) in &mapping.fixed {
        target.put(&mut data, value.clone());
    }
    for ((cell, rule), name) in row.cells.iter().zip(&bound.rules).zip(header) {
        let Some(rule) = rule else { continue };
        match of_cell(cell.trim(), rule, mapping) {
            Ok(None) => {}
            Ok(Some(value)) => {
                if rule.target.is_external_id() {
                    external_id = value.as_str().map(str::to_owned);
                }
                rule.target.put(&mut data, value);
            }
            Err(why) => {
                problems.add(Place::cell(row.number, name), why);
                good = false;
            }
        }
    }
    let external_id = external_id.filter(|_| good)?;
    let mut schemas = vec![CORE_USER.to_owned()];
    schemas.extend(data.keys().filter(|name| name.contains(':')).cloned());
    data.insert("schemas".to_owned(), json!(schemas));
    Some(Made { external_id, data: Value::Object(data) })
}

fn of_cell(cell: &str, rule: &Rule, mapping: &Mapping) -> Result<Option<Value>, String> {
    if cell.is_empty() {
        return match rule.empty {
            Empty::Omitted => Ok(None),
            Empty::Clears => Ok(Some(Value::Null)),
            Empty::Refused if rule.target.is_external_id() => {
                Err("the cell is empty: every person needs an externalId".to_owned())
            }
            Empty::Refused => Err("the cell is empty, and the mapping says `required`".to_owned()),
        };
    }
    if rule.target.is_external_id() && cell.chars().count() > limits::EXTERNAL_ID_CHARS_MAX {
        return Err(format!("longer than {} characters, which an externalId may have", limits::EXTERNAL_ID_CHARS_MAX));
    }
    let quoted = |why: String| format!("{} {why}", shown(cell));
    match (rule.target.kind, &rule.date) {
        (Kind::Flag, _) => mapping.words.read(cell).map(|flag| Some(Value::Bool(flag))).map_err(quoted),
        (Kind::Text, Some(date)) => date.read(cell).map(|text| Some(Value::String(text))).map_err(quoted),
        (Kind::Text, None) => Ok(Some(Value::String(cell.to_owned()))),
    }
}
