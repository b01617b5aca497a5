//! One SQL text for both engines, but for the parts named here.
//!
//! A batch is bound as one JSON text, an array of objects, and expanded by the database: that is what keeps the number
//! of statements fixed, whatever its size. Long texts go beside it as bytes, of which each row names its part. SQLite
//! parses the JSON once (`jsonb_each`: its elements stay binary; with `json_each` each would be written as text and
//! parsed again). `sql!` takes string literals and these parts:
//! - `(rows N: a blob, b int, c text)`: the batch bound as `$N`, as a derived table; blobs travel as hex;
//! - `(rows N, longs M: a blob, d long)`: the same, and `long` columns are texts cut out of the bytes bound as `$M`;
//! - `(rows N, ids M: a int, b id0, c id3)`: the same, and `$M` holds four ids of 16 bytes for each row, in their order;
//!   a nil one is null;
//! - `share`, `exclusive` (of a lease `l`), `exclusive_p` (of persons `p`), `exclusive_j` (of a job `j`, but rows that
//!   refer to it may be stored): row locks, where the engine has them;
//! - `(pick T as P, "query")`: joins those rows of `T` whose ids the query yields for each row before it; the query may
//!   have a limit of its own. PostgreSQL looks each up by its id, as with `each`;
//! - `then`: a join whose right side is looked up for each row of the left one, in this order. SQLite, which keeps no
//!   statistics of ours, would rather begin with all persons of a job;
//! - `(each T as P, "condition")`: the same with the rows of `T` that a key names, looked up for each row before it.
//!   PostgreSQL, where it expects no row to satisfy the rest of the condition, would rather read the whole table once and
//!   hold each row of it against the whole batch;
//! - `(maybe T as P, "condition")`: the same, and a row without one stays, with nulls;
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
         p.link_guid, p.link_confirmed, p.link_controller, p.link_usn, p.record, p.pending, p.confirmed, p.refused, \
         p.data, p.quiet, p.display_name, p.unlinked, p.look, p.cause"
    };
}

macro_rules! sqlite_part {
    ($text:literal) => { $text };
    (person) => { person_columns!() };
    (then) => { " cross join " };
    ((each $table:ident as $name:ident, $condition:literal)) => {
        concat!(" cross join ", stringify!($table), " ", stringify!($name), " on ", $condition, " ")
    };
    ((maybe $table:ident as $name:ident, $condition:literal)) => {
        concat!(" left join ", stringify!($table), " ", stringify!($name), " on ", $condition, " ")
    };
    ((pick $table:ident as $name:ident, $query:literal)) => {
        concat!(" join ", stringify!($table), " ", stringify!($name), " on ", stringify!($name), ".id in (", $query, ") ")
    };
    (share) => { "" };
    (exclusive) => { "" };
    (exclusive_p) => { "" };
    (exclusive_j) => { "" };
    ((rows $n:literal: $($column:tt)+)) => { sqlite_part!((rows $n, longs 0: $($column)+)) };
    ((rows $n:literal, ids $m:literal: $($column:tt)+)) => { sqlite_part!((rows $n, longs $m: $($column)+)) };
    ((rows $n:literal, longs $m:literal: $first:ident $type:ident $(, $more:ident $more_type:ident)*)) => {
        concat!(
            "(select ", sqlite_column!($m $first $type), $(", ", sqlite_column!($m $more $more_type),)*
            " from jsonb_each($", $n, "))"
        )
    };
}

macro_rules! sqlite_column {
    ($ids:literal $name:ident id0) => { sqlite_column!($ids $name at 1) };
    ($ids:literal $name:ident id1) => { sqlite_column!($ids $name at 17) };
    ($ids:literal $name:ident id2) => { sqlite_column!($ids $name at 33) };
    ($ids:literal $name:ident id3) => { sqlite_column!($ids $name at 49) };
    ($ids:literal $name:ident at $at:literal) => {
        concat!("nullif(substr($", $ids, ", key * 64 + ", $at, ", 16), zeroblob(16)) as ", stringify!($name))
    };
    ($longs:literal $name:ident blob) => {
        concat!("unhex(value ->> '", stringify!($name), "') as ", stringify!($name))
    };
    ($longs:literal $name:ident long) => {
        concat!(
            "cast(substr($",
            $longs,
            ", value ->> '$.",
            stringify!($name),
            "[0]', value ->> '$.",
            stringify!($name),
            "[1]') as text) as ",
            stringify!($name)
        )
    };
    ($longs:literal $name:ident $type:ident) => {
        concat!("value ->> '", stringify!($name), "' as ", stringify!($name))
    };
}

macro_rules! postgres_part {
    ($text:literal) => { $text };
    (person) => { person_columns!() };
    (then) => { " join " };
    ((each $table:ident as $name:ident, $condition:literal)) => {
        concat!(
            " cross join lateral (select * from ", stringify!($table), " ", stringify!($name), " where ", $condition,
            " offset 0) ", stringify!($name), " "
        )
    };
    ((maybe $table:ident as $name:ident, $condition:literal)) => {
        concat!(
            " left join lateral (select * from ", stringify!($table), " ", stringify!($name), " where ", $condition,
            " offset 0) ", stringify!($name), " on true "
        )
    };
    ((pick $table:ident as $name:ident, $query:literal)) => {
        concat!(
            " cross join lateral (", $query, ") picked cross join lateral (select * from ", stringify!($table), " ",
            stringify!($name), " where ", stringify!($name), ".id = picked.id offset 0) ", stringify!($name), " "
        )
    };
    (share) => { " for share of l" };
    (exclusive) => { " for update of l" };
    (exclusive_p) => { " for update of p" };
    (exclusive_j) => { " for no key update of j" };
    ((rows $n:literal: $($column:tt)+)) => { postgres_part!((rows $n, longs 0: $($column)+)) };
    ((rows $n:literal, ids $m:literal: $first:ident $type:ident $(, $more:ident $more_type:ident)*)) => {
        concat!(
            "(select ", postgres_column!($m $first $type), $(", ", postgres_column!($m $more $more_type),)*
            " from rows from (json_to_recordset($", $n, "::json) as (",
            postgres_type!($first $type), $(", ", postgres_type!($more $more_type),)*
            ")) with ordinality as x(", stringify!($first), $(", ", stringify!($more),)* ", row_at))"
        )
    };
    ((rows $n:literal, longs $m:literal: $first:ident $type:ident $(, $more:ident $more_type:ident)*)) => {
        concat!(
            "(select ", postgres_column!($m $first $type), $(", ", postgres_column!($m $more $more_type),)*
            " from json_to_recordset($", $n, "::json) as x(",
            postgres_type!($first $type), $(", ", postgres_type!($more $more_type),)* "))"
        )
    };
}

macro_rules! postgres_column {
    ($ids:literal $name:ident id0) => { postgres_column!($ids $name at 1) };
    ($ids:literal $name:ident id1) => { postgres_column!($ids $name at 17) };
    ($ids:literal $name:ident id2) => { postgres_column!($ids $name at 33) };
    ($ids:literal $name:ident id3) => { postgres_column!($ids $name at 49) };
    ($ids:literal $name:ident at $at:literal) => {
        concat!(
            "nullif(substr($", $ids, "::bytea, ((row_at - 1) * 64 + ", $at, ")::int, 16), \
             decode(repeat('00', 16), 'hex')) as ", stringify!($name)
        )
    };
    ($longs:literal $name:ident blob) => {
        concat!("decode(", stringify!($name), ", 'hex') as ", stringify!($name))
    };
    ($longs:literal $name:ident long) => {
        concat!(
            "convert_from(substr($",
            $longs,
            "::bytea, (",
            stringify!($name),
            " ->> 0)::int, (",
            stringify!($name),
            " ->> 1)::int), 'UTF8') as ",
            stringify!($name)
        )
    };
    ($longs:literal $name:ident $type:ident) => {
        stringify!($name)
    };
}

macro_rules! postgres_type {
    ($name:ident int) => {
        concat!(stringify!($name), " bigint")
    };
    ($name:ident long) => {
        concat!(stringify!($name), " json")
    };
    ($name:ident $type:ident) => {
        concat!(stringify!($name), " text")
    };
}
