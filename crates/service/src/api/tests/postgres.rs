//! The same tests over PostgreSQL: this program runs itself once more, against a server of its own.

use std::process::Command;

use super::world::DATABASE;

#[expect(clippy::disallowed_methods, reason = "the server's own folder, in tests only")]
#[path = "../../../../store/tests/support/mod.rs"]
mod cluster;

#[tokio::test]
async fn everything_passes_there_too() {
    if std::env::var_os(DATABASE).is_some() {
        return;
    }
    let cluster = cluster::Cluster::shared();
    let url = cluster.database().await;
    let mut tests = Command::new(std::env::current_exe().unwrap());
    // Walking every route with every role says nothing about a database.
    tests.args(["api::tests::", "--skip", "api::tests::routes::", "--quiet"]).env(DATABASE, url);
    let output = tests.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.rsplit("test result: ok. ").next().and_then(|rest| rest.split(' ').next());
    let passed: usize = passed.and_then(|count| count.parse().ok()).unwrap_or(0);
    assert!(passed > 25, "too few tests ran: {text}");
}
