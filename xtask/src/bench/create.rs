//! Accounts made a second, beside what the directory does at most.

use anyhow::bail;
use serde_json::json;

use super::feed::{Active, Record, people};
use super::raw::{Account, Raw, Shape};
use super::report::{Blocks, By, Figure, Goal, Mode, On};
use super::stand::Stand;
use super::{Bench, Stage};
use crate::lab::Kind;

/// Connections of the raw driver.
const CONNECTIONS: usize = 4;
pub(super) const WITH_PASSWORD: Goal = Goal::new(On::Ratio, By::AtLeast, 0.97);
pub(super) const DISABLED: Goal = Goal::new(On::Ratio, By::AtLeast, 0.90);
pub(super) const PRACTICE: Goal = Goal::new(On::Value, By::AtLeast, 2_000.0);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let stand = bench.stand(Kind::Samba, Stage::Shared).await?;
    let raw = Raw::open(&stand.lab.shown, CONNECTIONS).await?;
    let with_password = samba(stand, &raw, Account::Password, WITH_PASSWORD, mode).await?;
    // As shipped, inactive people without an account are skipped, and every new account has a password.
    stand.set(&json!({ "createInactive": true, "initialPassword": "none" })).await?;
    let disabled = samba(stand, &raw, Account::Disabled, DISABLED, mode).await?;
    stand.set(&json!({ "createInactive": false, "initialPassword": "generated" })).await?;
    Ok(vec![with_password, disabled, practice(bench).await?])
}

/// Blocks of one hundred on one directory that grows: raw, ours, ours, raw, and so on, so that neither has the smaller
/// directory.
async fn samba(stand: &mut Stand, raw: &Raw, account: Account, goal: Goal, mode: Mode) -> anyhow::Result<Figure> {
    let block = mode.pick(100, 10);
    let shape = raw.sweep_adds(account, mode, |number| stand.take(number)).await?;
    // Once without a clock, as the sweep was for the raw driver.
    let warm = block_of_ours(stand, account, block).await?;
    compare(raw, warm.0, stand.take(1).start, account).await?;
    let (mut ours, mut limit) = (Blocks::default(), Blocks::default());
    for round in 0..mode.pick(if account == Account::Password { 10 } else { 20 }, 2) {
        for is_raw in if round % 2 == 0 { [true, false] } else { [false, true] } {
            if is_raw {
                limit.push(block, raw.add(shape, account, stand.take(block)).await?);
            } else {
                ours.push(block, block_of_ours(stand, account, block).await?.1);
            }
        }
    }
    let Shape { connections, outstanding } = shape;
    eprintln!(
        "create {account:?}: raw {:.1}/s ({connections} connections x {outstanding}, spread {:.1}), ours {:.1}/s",
        limit.rate(),
        limit.spread(),
        ours.rate()
    );
    Ok(Figure {
        name: "create",
        case: if account == Account::Password { "with password" } else { "disabled, no password" }.to_owned(),
        value: ours.rate(),
        unit: "records/s",
        limit: Some(limit.rate()),
        goal: Some(goal),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: ours.number(),
        runs: ours.runs(),
        spread: ours.spread(),
    })
}

/// From before the first request to the last operation's end; gives the first person's number too.
async fn block_of_ours(stand: &mut Stand, account: Account, block: u32) -> anyhow::Result<(u32, std::time::Duration)> {
    let active = if account == Account::Disabled { Active::No } else { Active::Yes };
    let numbers = stand.take(block);
    let records: Vec<Record> = people(numbers.clone()).into_iter().map(|record| Record { active, ..record }).collect();
    let time = stand.run(&records, "done").await?;
    Ok((numbers.start, time))
}

/// Ours and a raw account must have the same attributes, or two different things are compared.
async fn compare(raw: &Raw, ours: u32, new: u32, account: Account) -> anyhow::Result<()> {
    raw.add(Shape { connections: 1, outstanding: 1 }, account, new..new + 1).await?;
    let ((our_names, our_set), (raw_names, raw_set)) = (raw.look(ours).await?, raw.look(new).await?);
    if our_names != raw_names {
        bail!("ours and the raw driver's accounts differ: {our_names:?} against {raw_names:?}");
    }
    // pwdLastSet is 0 where no password was ever set; the job's setting that asks for a change at first logon is off.
    if (our_set == "0") != (raw_set == "0") {
        bail!("only one of ours and the raw driver's accounts has a password: pwdLastSet {our_set} and {raw_set}");
    }
    Ok(())
}

async fn practice(bench: &mut Bench) -> anyhow::Result<Figure> {
    let (block, rounds) = bench.mode.pick((5_000, 4), (100, 2));
    let stand = bench.stand(Kind::Practice, Stage::Shared).await?;
    let warm = people(stand.take(block / 10));
    stand.run(&warm, "done").await?;
    let mut ours = Blocks::default();
    for _ in 0..rounds {
        let records = people(stand.take(block));
        ours.push(block, stand.run(&records, "done").await?);
    }
    Ok(Figure {
        name: "create",
        case: "practice directory".to_owned(),
        value: ours.rate(),
        unit: "records/s",
        limit: None,
        goal: Some(PRACTICE),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: ours.number(),
        runs: ours.runs(),
        spread: ours.spread(),
    })
}
