//! Where a lab keeps files: in memory where there is room, and what is the lab's own address.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock, statvfs};

/// What must be free in memory before labs use it.
const MEMORY_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// The folder below which labs keep data that need not outlive the machine's uptime.
pub(crate) fn base() -> anyhow::Result<PathBuf> {
    let memory = Path::new("/dev/shm");
    let roomy = statvfs(memory).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= MEMORY_BYTES_MIN);
    let parent = if roomy { memory.to_owned() } else { std::env::temp_dir() };
    let base = parent.join(format!("rollcall-lab-{}", rustix::process::getuid().as_raw()));
    std::fs::create_dir_all(&base).with_context(|| base.display().to_string())?;
    Ok(base)
}

/// A number that stands for a lab's folder.
fn number(dir: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    hasher.finish()
}

/// A fresh folder for the data of the lab in `dir`.
pub(crate) fn fresh(dir: &Path) -> anyhow::Result<PathBuf> {
    let area = clear(dir)?;
    std::fs::create_dir_all(&area)?;
    Ok(area)
}

/// Removes the data of the lab in `dir`, and gives the place where it was.
pub(crate) fn clear(dir: &Path) -> anyhow::Result<PathBuf> {
    let area = base()?.join(format!("{:016x}", number(dir)));
    if area.exists() {
        std::fs::remove_dir_all(&area).with_context(|| area.display().to_string())?;
    }
    Ok(area)
}

/// Runs `work` while no other lab does: addresses are chosen and templates made by one at a time.
pub(crate) fn alone<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let file = std::fs::File::create(base()?.join("lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    work()
}

/// Loopback addresses of which the directory's ports are free, in a row: 127.x.y.1, 127.x.y.2 ... The default lab has
/// 127.0.10.1; others begin the search at a place of their own.
pub(crate) fn addresses(dir: &Path, count: u8, ports: &[u16]) -> anyhow::Result<Vec<String>> {
    let start = number(dir);
    let preferred = dir.ends_with(super::DIR_DEFAULT).then(|| "127.0.10".to_owned());
    let others = (0..2_000_u64).map(|step| {
        let at = start.wrapping_add(step) % (96 * 250);
        format!("127.{}.{}", 64 + at / 250, 1 + at % 250)
    });
    let is_free = |ip: &String| ports.iter().all(|port| TcpListener::bind((ip.as_str(), *port)).is_ok());
    let row = |net: String| (1..=count).map(|last| format!("{net}.{last}")).collect::<Vec<_>>();
    match preferred.into_iter().chain(others).map(row).find(|row| row.iter().all(is_free)) {
        Some(row) => Ok(row),
        None => bail!("no 127.x.y.1 with the ports {ports:?} free (ports below 1024 need root)"),
    }
}

/// A port of 127.0.0.1 that is free now.
pub(crate) fn port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| path.display().to_string())
}

/// A password that any policy takes: 24 letters and digits from the system's generator, and one of each class.
pub(crate) fn password() -> anyhow::Result<String> {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut bytes = [0_u8; 24];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let body: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    Ok(format!("aA1-{body}"))
}

/// User and group id of the first of `names` that the machine has.
pub(crate) fn user(names: &[&str]) -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    names.iter().find_map(|name| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
