//! Which room may know which (docs/ARCHITECTURE.md): the table as data, held against the resolved graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::graph::{self, Members};

/// One row of the table. Names of ours stand without their prefix `rollcall-`.
struct Room {
    name: &'static str,
    /// Ours that it may import directly; `None`: anything.
    may_import: Option<&'static [&'static str]>,
    /// What must not be reached through normal dependencies at any depth: ours or foreign.
    must_not_reach: &'static [&'static str],
}

/// Foreign crates that read a clock or a zone when they like.
const CLOCKS: &[&str] = &["jiff", "chrono", "time"];
/// Foreign crates that make random numbers.
const RANDOMNESS: &[&str] = &["rand", "rand_core", "fastrand", "getrandom"];

const ROOMS: &[Room] = &[
    Room { name: "model", may_import: Some(&[]), must_not_reach: &["tokio", "sqlx", "axum", "ldap3", "tracing"] },
    Room { name: "syntax", may_import: Some(&[]), must_not_reach: &["tokio", "sqlx", "axum", "ldap3", "tracing"] },
    Room {
        name: "engine",
        may_import: Some(&["model", "syntax"]),
        must_not_reach: &["tokio", "CLOCKS", "RANDOMNESS", "store", "wire"],
    },
    Room { name: "wire", may_import: Some(&["model", "syntax"]), must_not_reach: &["axum", "sqlx", "engine"] },
    Room { name: "store", may_import: Some(&["model", "syntax"]), must_not_reach: &["axum", "engine", "wire"] },
    Room { name: "directory", may_import: Some(&["model"]), must_not_reach: &["engine", "wire", "store", "axum"] },
    Room {
        name: "practice",
        may_import: Some(&["model"]),
        must_not_reach: &["syntax", "engine", "wire", "store", "directory", "service", "agent", "cli"],
    },
    Room {
        name: "agent",
        may_import: Some(&["engine", "directory", "wire", "model"]),
        must_not_reach: &["store", "axum", "practice"],
    },
    Room {
        name: "service",
        may_import: Some(&["engine", "store", "wire", "syntax", "model"]),
        must_not_reach: &["directory", "ldap3", "practice"],
    },
    Room {
        name: "cli",
        may_import: Some(&["engine", "wire", "syntax", "model"]),
        must_not_reach: &["store", "directory"],
    },
    // The mains, and what stands outside.
    Room { name: "rollcall", may_import: None, must_not_reach: &[] },
    Room { name: "agent-bin", may_import: None, must_not_reach: &[] },
    Room { name: "xtask", may_import: None, must_not_reach: &[] },
    // It holds the outside checker, which must not share a mistake with what it checks.
    Room { name: "tests", may_import: Some(&["model"]), must_not_reach: &["engine", "store", "directory", "axum"] },
];

/// The workspace's crates and, for each, what it imports of ours and all that it reaches.
pub(super) struct Rooms {
    imports: BTreeMap<String, BTreeSet<String>>,
    reaches: BTreeMap<String, BTreeMap<String, String>>,
}

impl Rooms {
    /// Asks for every workspace member what it imports and what it reaches.
    pub(super) fn read(root: &Path, members: &Members) -> anyhow::Result<Self> {
        let ours: BTreeSet<&str> = members.0.iter().map(|member| member.name.as_str()).collect();
        let mut rooms = Self { imports: BTreeMap::new(), reaches: BTreeMap::new() };
        for member in &members.0 {
            let imports = member.imports.iter().filter(|name| ours.contains(name.as_str()));
            rooms.imports.insert(short(&member.name), imports.map(|name| short(name)).collect());
            let reached = graph::reached(root, &member.name)?;
            rooms
                .reaches
                .insert(short(&member.name), reached.into_iter().map(|(name, way)| (short(&name), way)).collect());
        }
        Ok(rooms)
    }
}

/// `rollcall-model` is `model`.
fn short(name: &str) -> String {
    name.strip_prefix("rollcall-").unwrap_or(name).to_owned()
}

/// What breaks the table, each with the way by which it is reached.
pub(super) fn complaints(rooms: &Rooms) -> Vec<String> {
    let mut out = Vec::new();
    for (name, imports) in &rooms.imports {
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            out.push(format!("{name}: a crate of the workspace that is not in the table (xtask/src/tidy/walls.rs)"));
            continue;
        };
        if let Some(allowed) = room.may_import {
            for import in imports.iter().filter(|import| !allowed.contains(&import.as_str())) {
                out.push(format!("{name} may not import {import}"));
            }
        }
        let reached = rooms.reaches.get(name);
        for forbidden in room.must_not_reach.iter().flat_map(|entry| expand(entry)) {
            if let Some(path) = reached.and_then(|reached| reached.get(*forbidden)) {
                out.push(format!("{name} must not reach {forbidden}: {path}"));
            }
        }
    }
    for room in ROOMS.iter().filter(|room| !rooms.imports.contains_key(room.name)) {
        out.push(format!("{}: in the table, but no crate of the workspace", room.name));
    }
    out
}

/// The crates that an entry stands for.
fn expand<'a>(entry: &'a &'static str) -> &'a [&'static str] {
    match *entry {
        "CLOCKS" => CLOCKS,
        "RANDOMNESS" => RANDOMNESS,
        _ => std::slice::from_ref(entry),
    }
}

/// The table as Markdown.
pub(crate) fn table() -> String {
    let mut out = String::from("| crate | may import of ours | must not reach |\n|---|---|---|\n");
    for room in ROOMS {
        let may = match room.may_import {
            None => "anything".to_owned(),
            Some([]) => "-".to_owned(),
            Some(names) => names.join(", "),
        };
        let not: Vec<String> = room.must_not_reach.iter().map(|entry| expand(entry).join(", ")).collect();
        let not = if not.is_empty() { "-".to_owned() } else { not.join(", ") };
        let _ = writeln!(out, "| {} | {may} | {not} |", room.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace in which every room is there and imports what it may, changed by `change`.
    fn with(change: impl FnOnce(&mut Rooms)) -> Vec<String> {
        let mut rooms = Rooms { imports: BTreeMap::new(), reaches: BTreeMap::new() };
        for room in ROOMS {
            let imports = room.may_import.unwrap_or(&[]).iter().map(ToString::to_string).collect();
            rooms.imports.insert(room.name.to_owned(), imports);
            rooms.reaches.insert(room.name.to_owned(), BTreeMap::new());
        }
        change(&mut rooms);
        complaints(&rooms)
    }

    #[test]
    fn a_breach_is_named() {
        assert_eq!(with(|_| ()), Vec::<String>::new());
        let import = with(|rooms| {
            rooms.imports.get_mut("service").unwrap().insert("directory".to_owned());
        });
        assert_eq!(import, ["service may not import directory"]);
        let reach = with(|rooms| {
            rooms.reaches.get_mut("engine").unwrap().insert("chrono".to_owned(), "engine > x > chrono".to_owned());
        });
        assert_eq!(reach, ["engine must not reach chrono: engine > x > chrono"]);
        let unknown = with(|rooms| {
            rooms.imports.insert("attic".to_owned(), BTreeSet::new());
        });
        assert!(unknown[0].starts_with("attic: a crate of the workspace that is not in the table"), "{unknown:?}");
        let gone = with(|rooms| {
            rooms.imports.remove("cli");
        });
        assert_eq!(gone, ["cli: in the table, but no crate of the workspace"]);
    }
}
