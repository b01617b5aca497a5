//! What the directory does at most: a driver that shares no code with the agent above `ldap3`.

use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ldap3::{Ldap, Scope, SearchEntry};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::feed::{Draw, external_id};
use super::report::{Blocks, Mode};
use crate::lab::DirectoryClient;
use crate::lab::state::Shown;

/// How many connections, and how many requests are under way on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) connections: usize,
    pub(super) outstanding: usize,
}

/// What is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// Enabled, with a password.
    Password,
    /// Disabled, without a password.
    Disabled,
    /// Enabled, without a password: Samba takes it. Only to have many accounts soon.
    Bare,
}

/// How people are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) by: Key,
    /// Persons in one search.
    pub(super) batch: usize,
    pub(super) shape: Shape,
}

/// The attribute that a search asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    EmployeeId,
    ObjectGuid,
}

/// A person in the directory.
#[derive(Clone, Debug)]
pub(super) struct Known {
    employee_id: String,
    guid: Vec<u8>,
}

/// The twenty attributes of a person, as the feed fills them.
const ATTRIBUTES: [&str; 20] = [
    "cn",
    "employeeID",
    "userPrincipalName",
    "sAMAccountName",
    "userAccountControl",
    "displayName",
    "givenName",
    "sn",
    "title",
    "mail",
    "telephoneNumber",
    "streetAddress",
    "l",
    "postalCode",
    "co",
    "c",
    "department",
    "division",
    "company",
    "employeeNumber",
];

/// Connections with the agent's own account: an administrator's rights are checked in less time.
pub(super) struct Raw {
    connections: Vec<Ldap>,
    base: String,
    container: String,
}

impl Raw {
    pub(super) async fn open(shown: &Shown, connections: usize) -> anyhow::Result<Self> {
        let file = shown.dir.join("agents/1/bind.password");
        let password = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let bound = DirectoryClient::bind(&shown.ldap, &shown.ca, &shown.agent_bind_dn, password.trim()).await?;
            open.push(bound.0);
        }
        Ok(Self { connections: open, base: shown.base_dn.clone(), container: shown.users_ou.clone() })
    }

    /// Adds accounts and gives the time from the first request to the last answer.
    pub(super) async fn add(&self, shape: Shape, account: Account, numbers: Range<u32>) -> anyhow::Result<Duration> {
        let next = Arc::new(AtomicU32::new(numbers.start));
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for ldap in self.handles(shape)? {
            let (mut ldap, next, container) = (ldap, Arc::clone(&next), self.container.clone());
            tasks.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return anyhow::Ok(());
                    }
                    let dn = format!("CN=Person Number {number:08},{container}");
                    let added = ldap.add(&dn, attributes(number, account)).await?;
                    added.success().with_context(|| format!("adding {dn}"))?;
                }
            });
        }
        finish(&mut tasks).await?;
        Ok(start.elapsed())
    }

    /// Reads people, twenty attributes each, and gives the time. Everybody must be found.
    pub(super) async fn read(&self, reading: Reading, people: &Arc<Vec<Known>>) -> anyhow::Result<Duration> {
        let (next, found) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for ldap in self.handles(reading.shape)? {
            let (mut ldap, base, people) = (ldap, self.base.clone(), Arc::clone(people));
            let (next, found) = (Arc::clone(&next), Arc::clone(&found));
            tasks.spawn(async move {
                loop {
                    let at = next.fetch_add(reading.batch, Ordering::Relaxed);
                    let Some(rest) = people.get(at..).filter(|rest| !rest.is_empty()) else { return anyhow::Ok(()) };
                    let filter = filter(reading.by, &rest[..rest.len().min(reading.batch)]);
                    let answer = ldap.search(&base, Scope::Subtree, &filter, ATTRIBUTES.to_vec()).await?;
                    let entries = answer.success()?.0;
                    found.fetch_add(entries.into_iter().map(SearchEntry::construct).count(), Ordering::Relaxed);
                }
            });
        }
        finish(&mut tasks).await?;
        let (time, found) = (start.elapsed(), found.load(Ordering::Relaxed));
        if found != people.len() {
            bail!("{found} of {} people were read", people.len());
        }
        Ok(time)
    }

    /// The people of these numbers as they stand in the directory.
    pub(super) async fn known(&self, numbers: Range<u32>) -> anyhow::Result<Vec<Known>> {
        let Some(mut ldap) = self.connections.first().cloned() else { bail!("no connection") };
        let numbers: Vec<u32> = numbers.collect();
        let mut known = Vec::with_capacity(numbers.len());
        for batch in numbers.chunks(100) {
            let wanted: Vec<Known> =
                batch.iter().map(|number| Known { employee_id: external_id(*number), guid: Vec::new() }).collect();
            let filter = filter(Key::EmployeeId, &wanted);
            let answer = ldap.search(&self.base, Scope::Subtree, &filter, vec!["employeeID", "objectGUID"]).await?;
            for entry in answer.success()?.0 {
                let entry = SearchEntry::construct(entry);
                let employee_id = entry.attrs.get("employeeID").and_then(|all| all.first()).cloned();
                // Bytes that happen to be text come among the texts.
                let guid = entry.bin_attrs.get("objectGUID").and_then(|all| all.first()).cloned();
                let text = entry.attrs.get("objectGUID").and_then(|all| all.first());
                let guid = guid.or_else(|| text.map(|text| text.clone().into_bytes()));
                known.push(Known {
                    employee_id: employee_id.context("no employeeID")?,
                    guid: guid.context("no objectGUID")?,
                });
            }
        }
        Ok(known)
    }

    /// The names of a person's attributes, and their `pwdLastSet`.
    pub(super) async fn look(&self, number: u32) -> anyhow::Result<(Vec<String>, String)> {
        let Some(mut ldap) = self.connections.first().cloned() else { bail!("no connection") };
        let filter = format!("(employeeID={})", external_id(number));
        let (entries, _) = ldap.search(&self.base, Scope::Subtree, &filter, vec!["*"]).await?.success()?;
        let entry = entries.into_iter().next().map(SearchEntry::construct);
        let entry = entry.with_context(|| format!("{} is not in the directory", external_id(number)))?;
        let set = entry.attrs.get("pwdLastSet").and_then(|all| all.first()).cloned().unwrap_or_default();
        let mut names: Vec<String> = entry.attrs.into_keys().chain(entry.bin_attrs.into_keys()).collect();
        names.sort();
        Ok((names, set))
    }

    /// A handle for each request that may be under way.
    fn handles(&self, shape: Shape) -> anyhow::Result<Vec<Ldap>> {
        if shape.connections > self.connections.len() {
            bail!("{} connections are open, not {}", self.connections.len(), shape.connections);
        }
        let wanted = &self.connections[..shape.connections];
        Ok(wanted.iter().flat_map(|ldap| std::iter::repeat_n(ldap.clone(), shape.outstanding)).collect())
    }

    /// The best shape for adds; `next` yields new numbers.
    pub(super) async fn sweep_adds(
        &self,
        account: Account,
        mode: Mode,
        mut next: impl FnMut(u32) -> Range<u32>,
    ) -> anyhow::Result<Shape> {
        let shapes = mode.pick(vec![(1, 1), (1, 4), (1, 16), (2, 1), (2, 4), (4, 1), (4, 4)], vec![(1, 1), (4, 1)]);
        // Passwords are hashed in many ways, each slow: a trial should take less than a second.
        let number = mode.pick(if account == Account::Password { 20 } else { 40 }, 10);
        let trial = async |shape| Ok((number, self.add(shape, account, next(number)).await?));
        sweep(&format!("raw add {account:?}"), shapes.into_iter().map(Shape::from).collect(), mode, trial).await
    }

    /// The best way of reading, found on the first of these people.
    pub(super) async fn sweep_reads(&self, people: &[Known], mode: Mode) -> anyhow::Result<Reading> {
        let people = Arc::new(people[..people.len().min(800)].to_vec());
        let number = u32::try_from(people.len())?;
        let mut readings = Vec::new();
        for by in [Key::EmployeeId, Key::ObjectGuid] {
            for batch in mode.pick(vec![25, 50, 100, 200], vec![50]) {
                for shape in mode.pick(vec![(1, 1), (1, 2), (2, 1), (2, 2)], vec![(1, 1)]) {
                    readings.push(Reading { by, batch, shape: shape.into() });
                }
            }
        }
        let trial = async |reading| Ok((number, self.read(reading, &people).await?));
        sweep("raw read", readings, mode, trial).await
    }
}

impl From<(usize, usize)> for Shape {
    fn from((connections, outstanding): (usize, usize)) -> Self {
        Self { connections, outstanding }
    }
}

/// Shapes of which the better ones are tried once more.
const FINALISTS: usize = 3;

/// Tries each shape twice, in turns, there and back as the directory grows meanwhile; then the best once more in the
/// same way, so that no single second decides. Prints each rate and gives the best shape. A smoke run tries each once.
async fn sweep<S: Copy + Debug>(
    what: &str,
    shapes: Vec<S>,
    mode: Mode,
    mut trial: impl AsyncFnMut(S) -> anyhow::Result<(u32, Duration)>,
) -> anyhow::Result<S> {
    let mut tried: Vec<(S, Blocks)> = shapes.into_iter().map(|shape| (shape, Blocks::default())).collect();
    for finals in mode.pick(vec![false, true], vec![false]) {
        let first = if finals { FINALISTS.min(tried.len()) } else { tried.len() };
        for _ in 0..mode.pick(2, 1) {
            tried[..first].reverse();
            for (shape, blocks) in &mut tried[..first] {
                let (number, time) = trial(*shape).await?;
                blocks.push(number, time);
            }
        }
        tried.sort_by(|(_, one), (_, other)| other.rate().total_cmp(&one.rate()));
    }
    for (shape, blocks) in &tried {
        let (rate, runs, spread) = (blocks.rate(), blocks.runs(), blocks.spread());
        eprintln!("{what}, {shape:?}: {rate:.1}/s ({runs} trials, spread {spread:.1})");
    }
    tried.first().map(|(shape, _)| *shape).context("an empty sweep")
}

async fn finish(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

/// Finds these people's accounts, and no other kind of object.
fn filter(by: Key, people: &[Known]) -> String {
    let mut out = "(&(objectCategory=person)(objectClass=user)(|".to_owned();
    for person in people {
        match by {
            Key::EmployeeId => {
                let _ = write!(out, "(employeeID={})", person.employee_id);
            }
            Key::ObjectGuid => {
                out.push_str("(objectGUID=");
                for byte in &person.guid {
                    let _ = write!(out, "\\{byte:02x}");
                }
                out.push(')');
            }
        }
    }
    out.push_str("))");
    out
}

/// The attributes of one add.
fn attributes(number: u32, account: Account) -> Vec<(Vec<u8>, HashSet<Vec<u8>>)> {
    let text = |name: &str, value: String| (name.as_bytes().to_vec(), HashSet::from([value.into_bytes()]));
    let control = if account == Account::Disabled { "514" } else { "512" };
    let mut out = vec![
        text("objectClass", "user".to_owned()),
        text("employeeID", external_id(number)),
        text("userPrincipalName", format!("b{number:08}@corp.example.test")),
        text("sAMAccountName", format!("b{number:08}")),
        text("userAccountControl", control.to_owned()),
        text("displayName", format!("Person Number {number:08}")),
        text("givenName", format!("Given {number:08}")),
        text("sn", format!("Family {number:08}")),
        text("title", "Senior Clerk 0000".to_owned()),
        text("mail", format!("b{number:08}@mail.example.test")),
        text("telephoneNumber", format!("+49 431 {number:08}")),
        text("streetAddress", format!("Hafenstr. {number:08}")),
        text("l", "Kiel".to_owned()),
        text("postalCode", "24103".to_owned()),
        text("co", "DE".to_owned()),
        text("c", "DE".to_owned()),
        text("department", "Department of Records".to_owned()),
        text("division", "Works".to_owned()),
        text("company", "Example Works".to_owned()),
        text("employeeNumber", format!("{number:08}")),
    ];
    if account == Account::Password {
        out.push((b"unicodePwd".to_vec(), HashSet::from([unicode_pwd(&password(number))])));
    }
    out
}

/// Twenty-four characters of four classes, without parts of a name.
fn password(number: u32) -> String {
    let mut draw = Draw(u64::from(number));
    let letters = (0..20).map(|at| {
        let letter = b'a' + u8::try_from(draw.below(26)).unwrap_or(0);
        char::from(if at % 2 == 0 { letter } else { letter.to_ascii_uppercase() })
    });
    letters.chain("4-7.".chars()).collect()
}

/// In quotes, UTF-16, little-endian (MS-ADTS 3.1.1.3.1.5).
fn unicode_pwd(password: &str) -> Vec<u8> {
    format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let person = |id: &str, guid: &[u8]| Known { employee_id: id.to_owned(), guid: guid.to_vec() };
        let people = [person("A", &[0, 255]), person("B", &[16, 1])];
        let check = |by: Key, expected: &str| {
            assert_eq!(filter(by, &people), format!("(&(objectCategory=person)(objectClass=user)(|{expected}))"));
        };
        check(Key::EmployeeId, "(employeeID=A)(employeeID=B)");
        check(Key::ObjectGuid, r"(objectGUID=\00\ff)(objectGUID=\10\01)");
    }

    #[test]
    fn an_add_has_what_is_read_back() {
        let names = |account| {
            let mut names: Vec<String> =
                attributes(7, account).into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect();
            names.sort();
            names
        };
        let mut expected: Vec<&str> = ATTRIBUTES.into_iter().filter(|name| *name != "cn").collect();
        expected.push("objectClass");
        expected.sort_unstable();
        assert_eq!(names(Account::Disabled), expected);
        expected.push("unicodePwd");
        expected.sort_unstable();
        assert_eq!(names(Account::Password), expected);
    }

    /// The second one is the fastest, but for one lucky trial of the first.
    #[tokio::test]
    async fn a_sweep_is_not_decided_by_one_trial() {
        for (mode, trials, best) in [(Mode::Full, 8 + 6, 'b'), (Mode::Smoke, 4, 'a')] {
            let mut tried = Vec::new();
            let found = sweep("", vec!['d', 'c', 'b', 'a'], mode, async |shape| {
                tried.push(shape);
                let is_lucky = tried.len() < 5;
                let ms = match shape {
                    'a' if is_lucky => 10,
                    'a' => 100,
                    'b' => 40,
                    'c' => 50,
                    _ => 90,
                };
                Ok((1, Duration::from_millis(ms)))
            });
            assert_eq!(found.await.unwrap(), best, "{mode:?}");
            assert_eq!(tried.len(), trials, "{mode:?}");
        }
    }

    #[test]
    fn passwords() {
        let one = password(1);
        assert_eq!(one.len(), 24);
        assert_ne!(one, password(2));
        assert_eq!(unicode_pwd("aB"), [b'"', 0, b'a', 0, b'B', 0, b'"', 0]);
    }
}
