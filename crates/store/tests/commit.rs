//! What an answer of `accept` promises on SQLite: commits that are shared, on disk, and all or nothing where the disk
//! is full.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail by panicking, and own their files")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rollcall_model::Timestamp;
use rollcall_model::ids::JobId;
use rollcall_store::conformance::World;
use rollcall_store::{Accepted, Error, NewUpload, SQLITE_FILE_NAME, Store, open};

const ROOM: i64 = 1_000_000;

async fn accept(store: &dyn Store, upload: &NewUpload) -> Result<Accepted, Error> {
    store.accept(upload, ROOM, Timestamp(0)).await
}

/// Commits in a write-ahead log: frames that name the size of the file after them (24 bytes of header and a page each,
/// behind 32 bytes of the log's own).
fn commits(wal: &Path) -> usize {
    let bytes = std::fs::read(wal).unwrap();
    let page = usize::try_from(u32::from_be_bytes(bytes[8..12].try_into().unwrap())).unwrap();
    let salt = &bytes[16..24];
    bytes[32..].chunks_exact(24 + page).filter(|frame| &frame[8..16] == salt && frame[4..8] != [0; 4]).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_share_commits_and_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("sqlite", dir.path()).await.unwrap();
    let world = World::new(store.as_ref(), 1).await;
    let wal = dir.path().join(format!("{SQLITE_FILE_NAME}-wal"));
    let before = commits(&wal);
    let requests: Vec<_> = (0..120)
        .map(|at| match at % 6 {
            4 => NewUpload { job: JobId::from_text("no job"), ..world.upload(&["x"]) },
            // Fails in the middle of its transaction, when its upload is stored: two operations have one index.
            5 => {
                let mut request = world.upload(&["y", "y"]);
                request.operations[1].index = 0;
                request
            }
            _ => world.upload(&["a", "b"]),
        })
        .collect();
    let answers: Vec<_> = requests
        .iter()
        .cloned()
        .map(|request| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { accept(store.as_ref(), &request).await })
        })
        .collect();
    for (at, (request, answer)) in requests.iter().zip(answers).enumerate() {
        let answer = answer.await.unwrap();
        let stored = store.upload(world.tenant, request.id).await.unwrap();
        if at % 6 < 4 {
            assert_eq!(answer.unwrap(), Accepted::New);
            assert_eq!(stored.unwrap().operations.len(), 2);
        } else {
            assert!(answer.is_err());
            assert_eq!(stored, None);
        }
    }
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 1_000).await.unwrap();
    assert_eq!(waiting.len(), 160, "and nothing of those that failed");
    let commits = commits(&wal) - before;
    assert!((1..60).contains(&commits), "{commits} commits for 80 uploads");
}

/// Callers that give up leave neither a lock nor half an upload.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = open("sqlite", dir.path()).await.unwrap();
    let world = World::new(store.as_ref(), 1).await;
    let mut given_up = Vec::new();
    for at in 0..200_u64 {
        let request = world.upload(&["a", "b"]);
        given_up.push(request.id);
        let store = Arc::clone(&store);
        let call = tokio::spawn(async move { accept(store.as_ref(), &request).await });
        tokio::time::sleep(std::time::Duration::from_micros(at * 10)).await;
        call.abort();
    }
    let last = world.upload(&["c"]);
    assert_eq!(accept(store.as_ref(), &last).await.unwrap(), Accepted::New);
    world.merge(store.as_ref(), &[world.person("p")]).await;
    for id in given_up {
        if let Some(upload) = store.upload(world.tenant, id).await.unwrap() {
            assert_eq!(upload.operations.len(), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_in_the_files() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open("sqlite", dir.path()).await.unwrap();
    let world = Arc::new(World::new(store.as_ref(), 1).await);
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (store, request) = (Arc::clone(&store), world.upload(&["a", "b", "c"]));
            tokio::spawn(async move {
                assert_eq!(accept(store.as_ref(), &request).await.unwrap(), Accepted::New);
                request.id
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for call in calls {
        accepted.push(call.await.unwrap());
    }
    // As a machine that stops now would leave them: the store is still open.
    for suffix in ["", "-wal"] {
        let name = format!("{SQLITE_FILE_NAME}{suffix}");
        std::fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let survivor = open("sqlite", copy.path()).await.unwrap();
    for id in accepted {
        assert_eq!(survivor.upload(world.tenant, id).await.unwrap().unwrap().operations.len(), 3);
    }
}

/// A file system in memory, of its own size; unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(disk.0.path()));
        disk
    }

    fn resize(&self, size: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.0.path()));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {} (it takes root)", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let disk = SmallDisk::new("3m");
    let store = open("sqlite", disk.0.path()).await.unwrap();
    let world = World::new(store.as_ref(), 1).await;
    let mut answers = Vec::new();
    // Together, so that commits are shared: a neighbour's answer must be as true as one's own.
    for _ in 0..20 {
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let request = NewUpload { body: vec![7; 20_000], ..world.upload(&["a", "b"]) };
                let store = Arc::clone(&store);
                tokio::spawn(async move { (request.id, accept(store.as_ref(), &request).await) })
            })
            .collect();
        for call in calls {
            answers.push(call.await.unwrap());
        }
    }
    let (mut stored, mut refused) = (0, 0);
    for (id, answer) in &answers {
        let upload = store.upload(world.tenant, *id).await.unwrap();
        match answer {
            Ok(Accepted::New) => {
                stored += 1;
                assert_eq!(upload.unwrap().operations.len(), 2);
            }
            Err(Error::NoSpace { .. }) => {
                refused += 1;
                assert_eq!(upload, None, "nothing of it is stored");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(stored > 10 && refused > 10, "{stored} stored, {refused} refused");
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 10_000).await.unwrap();
    assert_eq!(waiting.len(), 2 * stored);
    disk.resize("64m");
    let upload = world.upload(&["c"]);
    assert_eq!(accept(store.as_ref(), &upload).await.unwrap(), Accepted::New);
    store.close().await;
}
