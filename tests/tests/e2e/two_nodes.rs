//! Two service processes on one database: either takes uploads, the one with the agent's link does the work.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rollcall_tests::collect::{Api, LabInfo};
use serde_json::{Value, json};

use super::lab::{Lab, Options, program};
use super::person::{partial, person};

const FINAL: Duration = Duration::from_secs(30);

/// The second node; it ends with the test.
struct Node {
    process: Child,
    info: LabInfo,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn uploads_to_either_node_are_applied() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "postgres", agents: 1 }).await?;
    let node = start(&lab).await.context("the second node")?;
    let second = Api::connect(&node.info).await?;

    let people: Vec<Value> = (0..40).map(|at| person(&format!("n{at}"))).collect();
    let (here, there) = people.split_at(20);
    let (here, there) = tokio::try_join!(lab.send(here), lab.send_by(&second, there))?;
    for upload in [&here, &there] {
        // Either node tells of both.
        for api in [&lab.api, &second] {
            let upload = api.wait_until_final(upload, FINAL).await?;
            ensure!(upload.operations.iter().all(|operation| operation.state == "done"), "{upload:?}");
        }
    }
    lab.judge().await.context("both nodes")?;

    // Either node previews: the question finds its way to the agent.
    let body = json!({ "parameters": [{ "subjects": [{ "objectId": "n7", "objectTypeName": "User" }] }] });
    for api in [&lab.api, &second] {
        let answer = api.provision_on_demand("?preview=true", &body).await?;
        ensure!(answer["key"].as_str().is_some_and(|key| key.contains("RedundantExport")), "{answer}");
    }

    // The node with the link dies; the other takes uploads all the same, and they are applied when there is a link again.
    lab.act("kill", "service").await?;
    let changed: Vec<Value> =
        (0..40).map(|at| partial(&format!("n{at}"), json!({ "title": "Senior Clerk" }))).collect();
    let upload = lab.send_by(&second, &changed).await?;
    lab.act("start", "service").await?;
    second.wait_until_final(&upload, FINAL).await.context("after the first node's death")?;
    lab.judge().await
}

/// A node with a port and a data folder of its own, and the first one's database and master key.
async fn start(lab: &Lab) -> anyhow::Result<Node> {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let url = format!("https://localhost:{port}");
    let data = lab.info.dir.join("second");
    std::fs::create_dir_all(&data)?;
    let mut config: toml::Table = toml::from_str(&std::fs::read_to_string(&lab.info.config)?)?;
    let mut set = |section: &str, name: &str, value: toml::Value| {
        let section = config.entry(section).or_insert_with(|| toml::Table::new().into());
        section.as_table_mut().map(|table| table.insert(name.to_owned(), value))
    };
    let first: String = lab.info.dir.join("service/data/master.key").display().to_string();
    set("server", "listen", vec![format!("127.0.0.1:{port}")].into());
    set("server", "optional_listen", Vec::<String>::new().into());
    set("data", "dir", data.display().to_string().into());
    set("secrets", "master_key_file", first.into());
    let file = data.join("service.toml");
    std::fs::write(&file, toml::to_string(&config)?)?;
    let log = std::fs::File::create(data.join("service.log"))?;
    let mut command = Command::new(program("rollcall")?);
    command.args(["serve", "--config"]).arg(&file).stdout(log.try_clone()?).stderr(log).process_group(0);
    let info = LabInfo { auth: url.clone(), graph: url, ..lab.info.clone() };
    let mut node = Node { process: command.spawn()?, info };
    let deadline = Instant::now() + Duration::from_secs(20);
    while Api::connect(&node.info).await.is_err() {
        if node.process.try_wait()?.is_some() || Instant::now() > deadline {
            bail!("it does not answer: {}", std::fs::read_to_string(data.join("service.log"))?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(node)
}
