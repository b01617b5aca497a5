//! A PostgreSQL cluster of the tests' own: in a temporary directory, on a Unix socket, without syncing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Where Debian puts the server.
const BINARIES: &str = "/usr/lib/postgresql/15/bin";
/// Whom the server runs as where the tests run as root, which it refuses to.
const SERVER_USER: &str = "postgres";

/// A running server; it ends with the last test that holds it.
pub(crate) struct Cluster {
    server: Child,
    dir: tempfile::TempDir,
    databases: AtomicU32,
}

static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    /// The cluster that all tests of this process share.
    pub(crate) fn shared() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cluster) = running.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start(&["fsync=off"]));
        *running = Arc::downgrade(&cluster);
        cluster
    }

    /// `settings`: of the server, beside those that a test needs; none where it is to be measured.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if is_root() {
            run(Command::new("chown").arg(SERVER_USER).arg(dir.path()));
        }
        let data = dir.path().join("data");
        let mut initdb = server_command("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=postgres", "--pgdata"]);
        run(initdb.arg(&data));
        let mut server = server_command("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(dir.path());
        for setting in ["listen_addresses=", "max_connections=200"].iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { server, dir, databases: AtomicU32::new(0) }
    }

    fn url_of(&self, database: &str) -> String {
        let socket: PathBuf = self.dir.path().to_owned();
        format!("postgres://postgres@localhost/{database}?host={}", socket.display())
    }

    /// URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        self.copy_of(&self.url_of("template1")).await
    }

    /// URL of a new database like this one, to which nobody may be connected.
    pub(crate) async fn copy_of(&self, url: &str) -> String {
        let template = url.split(['/', '?']).nth(3).unwrap();
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await;
        connection.execute(AssertSqlSafe(format!("create database {name} template {template}"))).await.unwrap();
        connection.close().await.unwrap();
        self.url_of(&name)
    }

    async fn connect(&self) -> PgConnection {
        let url = self.url_of("postgres");
        let mut last = None;
        for _ in 0..300 {
            match PgConnection::connect(&url).await {
                Ok(connection) => return connection,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not answer: {last:?}\n{}", self.log());
    }

    /// What the server has to tell.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT: the server's immediate shutdown.
        let _ = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// A program of the server's, run as its own user; `setpriv` replaces itself by the program.
fn server_command(program: &str) -> Command {
    let path = Path::new(BINARIES).join(program);
    assert!(path.exists(), "{} is missing: install postgresql-15", path.display());
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={SERVER_USER}")).arg(format!("--regid={SERVER_USER}")).arg("--clear-groups");
    command.arg(path).current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
