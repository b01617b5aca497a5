//! One SQL text for both engines, but for the parts named here.
//!
//! A batch is bound as one JSON text, an array of objects, and expanded by the database: that is what keeps the number
//! of statements fixed. `sql!` takes string literals and these parts:
//! - `(rows N: a blob, b int, c text)`: the batch bound as `$N`, as a derived table; blobs travel as hex;
//! - `share`, `exclusive` (of a lease `l`), `exclusive_p` (of persons `p`): row locks, where the engine has them;
//! - `(pick T as P, "query")`: joins those rows of `T` whose ids the query yields for each row before it; the query may
//!   have a limit of its own;
//! - `person`: the columns of a person `p` of a job `j`.

/// A statement in both dialects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

macro_rules! sql {
    ($($part:tt)+) => {
        $crate::sql::Sql {
            sqlite: concat!($(sqlite_part!($part)),+),
            postgres: concat!($(postgres_part!($part)),+),
        }
    };
}

macro_rules! person_columns {
    () => {
        "p.uuid, j.name as job, p.folded, p.external_id, p.version, p.due, p.lane, p.attempts, p.last_code, \
         p.link_guid, p.link_confirmed, p.link_controller, p.link_usn, p.record, p.pending, p.confirmed, p.refused"
    };
}

macro_rules! sqlite_part {
    ($text:literal) => { $text };
    (person) => { person_columns!() };
    ((pick $table:ident as $name:ident, $query:literal)) => {
        concat!(" join ", stringify!($table), " ", stringify!($name), " on ", stringify!($name), ".id in (", $query, ") ")
    };
    (share) => { "" };
    (exclusive) => { "" };
    (exclusive_p) => { "" };
    ((rows $n:literal: $first:ident $type:ident $(, $more:ident $more_type:ident)*)) => {
        concat!(
            "(select ", sqlite_column!($first $type), $(", ", sqlite_column!($more $more_type),)*
            " from json_each($", $n, "))"
        )
    };
}

macro_rules! sqlite_column {
    ($name:ident blob) => {
        concat!("unhex(value ->> '", stringify!($name), "') as ", stringify!($name))
    };
    ($name:ident $type:ident) => {
        concat!("value ->> '", stringify!($name), "' as ", stringify!($name))
    };
}

macro_rules! postgres_part {
    ($text:literal) => { $text };
    (person) => { person_columns!() };
    ((pick $table:ident as $name:ident, $query:literal)) => {
        concat!(
            " cross join lateral (", $query, ") picked join ", stringify!($table), " ", stringify!($name),
            " on ", stringify!($name), ".id = picked.id "
        )
    };
    (share) => { " for share of l" };
    (exclusive) => { " for update of l" };
    (exclusive_p) => { " for update of p" };
    ((rows $n:literal: $first:ident $type:ident $(, $more:ident $more_type:ident)*)) => {
        concat!(
            "(select ", postgres_column!($first $type), $(", ", postgres_column!($more $more_type),)*
            " from json_to_recordset($", $n, "::json) as x(",
            postgres_type!($first $type), $(", ", postgres_type!($more $more_type),)* "))"
        )
    };
}

macro_rules! postgres_column {
    ($name:ident blob) => {
        concat!("decode(", stringify!($name), ", 'hex') as ", stringify!($name))
    };
    ($name:ident $type:ident) => {
        stringify!($name)
    };
}

macro_rules! postgres_type {
    ($name:ident int) => {
        concat!(stringify!($name), " bigint")
    };
    ($name:ident $type:ident) => {
        concat!(stringify!($name), " text")
    };
}
