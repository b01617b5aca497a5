//! Kills of service, agent and directory at random moments, while people come, change, leave and return.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{partial, person};
use super::seeded::{SEED, Seeded, seed};

const KILLS: usize = 20;
const PERSONS: u64 = 200;
const FINAL_S_MAX: u64 = 180;

#[tokio::test]
async fn twenty_random_kills_on_samba() -> anyhow::Result<()> {
    twenty_kills("sqlite").await
}

#[tokio::test]
async fn twenty_random_kills_on_samba_and_postgres() -> anyhow::Result<()> {
    twenty_kills("postgres").await
}

async fn twenty_kills(store: &'static str) -> anyhow::Result<()> {
    let seed = seed()?;
    println!("{SEED}={seed}");
    let mut lab = Lab::up(Options { directory: "samba", store, agents: 1 }).await?;
    run(&mut lab, seed).await.with_context(|| format!("repeat it with {SEED}={seed}"))
}

async fn run(lab: &mut Lab, seed: u64) -> anyhow::Result<()> {
    let mut random = Seeded(seed);
    let requests = requests(&mut random);
    let killing = async {
        let mut random = Seeded(seed ^ 1);
        for _ in 0..KILLS {
            random.pause_ms(50, 700).await;
            let what = ["service", "agent", "directory"][usize::try_from(random.between(0, 2))?];
            println!("kill {what}");
            lab.act("kill", what).await?;
            random.pause_ms(0, 300).await;
            lab.act("start", what).await?;
        }
        anyhow::Ok(())
    };
    let uploading = async {
        for request in &requests {
            lab.send_until_accepted(request, Duration::from_secs(30)).await?;
            random.pause_ms(100, 1_200).await;
        }
        anyhow::Ok(())
    };
    let (killed, uploaded) = tokio::join!(killing, uploading);
    killed?;
    uploaded?;
    lab.settle(Duration::from_secs(FINAL_S_MAX)).await?;
    lab.judge().await
}

/// Everybody is created; then titles change, people leave, some of them return, and titles change again; 25 to a
/// request, in an order of chance.
fn requests(random: &mut Seeded) -> Vec<Vec<Value>> {
    let mut requests = Vec::new();
    let mut each = |ids: &mut Vec<u64>, record: &dyn Fn(u64) -> Value| {
        random.shuffle(ids);
        requests.extend(ids.chunks(25).map(|ids| ids.iter().map(|id| record(*id)).collect::<Vec<_>>()));
    };
    let mut everybody: Vec<u64> = (0..PERSONS).collect();
    let mut leavers: Vec<u64> = (0..PERSONS).step_by(3).collect();
    let mut returners: Vec<u64> = (0..PERSONS).step_by(6).collect();
    each(&mut everybody, &|id| {
        let mut record = person(&format!("r{id}"));
        // A manager of their own batch, of an earlier one, or of one that is still to come.
        record[super::person::ENTERPRISE]["manager"] = json!({ "value": format!("r{}", id / 2) });
        record
    });
    each(&mut everybody, &|id| partial(&format!("r{id}"), json!({ "title": format!("Clerk {id}") })));
    each(&mut leavers, &|id| partial(&format!("r{id}"), json!({ "active": false })));
    each(&mut returners, &|id| partial(&format!("r{id}"), json!({ "active": true })));
    each(&mut everybody, &|id| partial(&format!("r{id}"), json!({ "title": format!("Senior Clerk {id}") })));
    requests
}
