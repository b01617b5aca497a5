//! Seeded faults of service, store, clocks, agent, link and directory under load, on Samba; then the outside checker's
//! verdict. `docs/guides/lab.md` says how the full run is made.

pub(super) mod clock;
mod disk;
mod ldap_proxy;
mod link_proxy;
mod load;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_model::limits;
use rollcall_tests::checker::Object;
use rollcall_tests::collect::Api;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;

use self::clock::MovedClock;
use self::disk::SmallDisk;
use self::ldap_proxy::LdapProxy;
use self::link_proxy::LinkProxy;
use self::load::{Load, Progress, id, manager};
use self::plan::{Kind, Tally, plan, table};
use super::lab::{Lab, Options};
use super::person::value;
use super::seeded::{SEED, Seeded, seed};

/// Variables that make the run another size.
const FAULTS: &str = "ROLLCALL_E2E_FAULTS";
const PERSONS: &str = "ROLLCALL_E2E_PERSONS";
/// As `./check` runs it: every kind comes.
const FAULTS_DEFAULT: usize = 24;
const PERSONS_DEFAULT: usize = 240;
/// From so many faults on, stops last longer.
const FULL: usize = 100;
/// How long the next write, or the first refusal, may take to come.
const FELT_S_MAX: u64 = 30;
const FINAL_S_MAX: u64 = 240;
const CLOCK_S_MAX: u64 = 1_800;
const CLOCK_BACK_S_MAX: u64 = 60;

#[tokio::test]
async fn on_sqlite() -> anyhow::Result<()> {
    on("sqlite").await
}

#[tokio::test]
async fn on_postgres() -> anyhow::Result<()> {
    on("postgres").await
}

async fn on(store: &'static str) -> anyhow::Result<()> {
    let number = |name: &str, default: usize| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    };
    let (seed, faults, persons) = (seed()?, number(FAULTS, FAULTS_DEFAULT)?, number(PERSONS, PERSONS_DEFAULT)?);
    let repeat = format!("{SEED}={seed} {FAULTS}={faults} {PERSONS}={persons} on {store}");
    println!("{repeat}");
    let mut lab = Lab::up(Options { directory: "samba", store, agents: 1 }).await?;
    let result = run(&mut lab, store, seed, faults, persons).await;
    if result.is_err() {
        let kept = keep_logs(&lab.info.dir, store)?;
        println!("the processes' logs are in {}", kept.display());
    }
    result.with_context(|| format!("repeat it with {repeat}"))
}

/// Copies the logs out of the lab's folder, which goes with the lab.
fn keep_logs(lab: &Path, store: &str) -> anyhow::Result<PathBuf> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{store}"));
    std::fs::create_dir_all(&kept)?;
    for log in std::fs::read_dir(lab.join("log"))? {
        let log = log?;
        std::fs::copy(log.path(), kept.join(log.file_name()))?;
    }
    Ok(kept)
}

async fn run(lab: &mut Lab, store: &str, seed: u64, faults: usize, persons: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    // Far more is moved and disabled than a job may in a day.
    lab.api.set(&json!({ "budget": null })).await?;
    let site = Site::prepare(lab, store).await?;
    let progress = Progress::of(faults);
    let load = Load::new(lab, &progress, seed ^ 2, persons).await?;
    let mut random = Seeded(seed);
    let plan = plan(&mut random, faults);
    let mut striking =
        Striking { lab, site: &site, progress: &progress, random, service_ahead_s: 0, is_full: faults >= FULL };
    let striking = async {
        let tally = striking.all(&plan).await;
        // However it ended: the load would go on for ever.
        progress.over.store(true, Ordering::SeqCst);
        tally
    };
    let (tally, elsewhere) = tokio::try_join!(striking, load.run())?;
    let struck = began.elapsed();
    // The clock was moved: the token is of another time.
    lab.api = Api::connect(&lab.info).await?;
    lab.settle(Duration::from_secs(FINAL_S_MAX)).await?;
    let settled = began.elapsed();
    judge(lab, &elsewhere).await?;
    let sent = lab.sent();
    let operations: usize = sent.iter().map(|sent| sent.records.len()).sum();
    println!("{}", table(&tally));
    println!("answers lost and requests cut: {:?}; requests not accepted: {:?}", site.ldap.done(), progress.refused());
    println!(
        "{faults} faults, {persons} persons, {} requests, {operations} operations; faults {:.0} s, then {:.0} s until all \
         was final, then {:.0} s for the verdict: every promise kept",
        sent.len(),
        struck.as_secs_f64(),
        settled.saturating_sub(struck).as_secs_f64(),
        began.elapsed().saturating_sub(settled).as_secs_f64(),
    );
    Ok(())
}

/// What stands between the processes, and what can be done to them.
struct Site {
    link: LinkProxy,
    ldap: LdapProxy,
    service_clock: MovedClock,
    agent_clock: MovedClock,
    /// With SQLite.
    disk: Option<SmallDisk>,
}

impl Site {
    /// Puts the proxies between, the service's data on a small disk, and both processes on clocks of their own.
    async fn prepare(lab: &Lab, store: &str) -> anyhow::Result<Self> {
        let dir = &lab.info.dir;
        let port = lab.info.graph.rsplit(':').next().and_then(|port| port.parse().ok()).context("no port")?;
        let controller = lab.info.ldap.strip_prefix("ldaps://").context("no ldaps URL")?;
        let link = LinkProxy::to(port).await?;
        let ldap = LdapProxy::to(controller, &dir.join("tls")).await?;
        let service_clock = MovedClock::new(dir.join("service.clock"))?;
        let agent_clock = MovedClock::new(dir.join("agent.clock"))?;
        lab.stop("agent").await?;
        lab.stop("service").await?;
        redirect(&dir.join("agents/1/agent.toml"), link.port, ldap.port)?;
        let disk = (store == "sqlite").then(|| SmallDisk::under(&dir.join("service/data"))).transpose()?;
        let site = Self { link, ldap, service_clock, agent_clock, disk };
        site.start(lab, "service").await?;
        site.start(lab, "agent").await?;
        Ok(site)
    }

    async fn start(&self, lab: &Lab, what: &str) -> anyhow::Result<()> {
        let variables = match what {
            "service" => self.service_clock.variables(),
            "agent" => self.agent_clock.variables(),
            _ => Vec::new(),
        };
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lab.act_with("start", what, &variables).await
    }
}

/// Points an agent's configuration at the proxies.
fn redirect(config: &Path, link: u16, ldap: u16) -> anyhow::Result<()> {
    let mut text: toml::Table = toml::from_str(&std::fs::read_to_string(config)?)?;
    for (section, url) in
        [("service", format!("https://localhost:{link}")), ("directory", format!("ldaps://localhost:{ldap}"))]
    {
        let section = text.get_mut(section).and_then(toml::Value::as_table_mut).context("no such section")?;
        section.insert("url".to_owned(), url.into());
    }
    Ok(std::fs::write(config, toml::to_string(&text)?)?)
}

/// Lets stopped processes go on, however the test ends: the lab could not end them otherwise.
struct Stopped {
    pid: Pid,
    signal: fn(Pid, Signal) -> rustix::io::Result<()>,
}

impl Stopped {
    fn stop(lab: &Lab, what: &str) -> anyhow::Result<Self> {
        // Samba's tasks are processes of its group.
        let signal = if what == "directory" { kill_process_group } else { kill_process };
        let pid = lab.pid(what)?;
        signal(pid, Signal::STOP)?;
        Ok(Self { pid, signal })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = (self.signal)(self.pid, Signal::CONT);
    }
}

/// Who makes the faults.
struct Striking<'a> {
    lab: &'a Lab,
    site: &'a Site,
    progress: &'a Progress,
    random: Seeded,
    /// How far the service's clock is ahead.
    service_ahead_s: u64,
    /// Whether stops last as long as they do in a full run.
    is_full: bool,
}

impl Striking<'_> {
    async fn all(&mut self, plan: &[Kind]) -> anyhow::Result<Tally> {
        let mut tally = Tally::new();
        for (at, kind) in plan.iter().enumerate() {
            self.random.pause_ms(200, 900).await;
            println!("{:>7.1} s fault {at}: {kind:?}", Duration::from_micros(self.lab.tick()).as_secs_f64());
            self.strike(*kind).await.with_context(|| format!("fault {at}, {kind:?}"))?;
            *tally.entry(*kind).or_default() += 1;
            self.progress.done.store(at + 1, Ordering::SeqCst);
        }
        Ok(tally)
    }

    async fn strike(&mut self, kind: Kind) -> anyhow::Result<()> {
        let lease_ms = limits::LEASE_MS.unsigned_abs();
        let long_ms = if self.is_full { 20_000 } else { lease_ms + 1_000 };
        let short_ms = if self.is_full { lease_ms - 1_000 } else { 2_000 };
        match kind {
            Kind::ServiceKilled => self.kill("service").await,
            Kind::AgentKilled => self.kill("agent").await,
            Kind::DirectoryKilled => self.kill("directory").await,
            Kind::ServiceStopped => self.stop("service", 1_000, short_ms).await,
            Kind::AgentStopped => self.stop("agent", 1_000, short_ms).await,
            Kind::DirectoryStopped => self.stop("directory", 1_000, short_ms).await,
            Kind::ServiceStoppedPastLease => self.stop("service", lease_ms + 500, long_ms).await,
            Kind::AgentStoppedPastLease => self.stop("agent", lease_ms + 500, long_ms).await,
            Kind::StoreFailed => self.fail_store().await,
            Kind::ServiceClockMoved => {
                // Back by little, and not before the lab began: what was due soon is due that much later.
                self.service_ahead_s = if self.random.below(2) == 0 {
                    self.service_ahead_s + self.random.between(1, CLOCK_S_MAX)
                } else {
                    self.service_ahead_s.saturating_sub(self.random.between(1, CLOCK_BACK_S_MAX))
                };
                let seconds = i64::try_from(self.service_ahead_s)?;
                self.move_clock(&self.site.service_clock, seconds).await
            }
            Kind::AgentClockMoved => {
                let seconds = i64::try_from(self.random.between(0, 2 * CLOCK_S_MAX))? - i64::try_from(CLOCK_S_MAX)?;
                self.move_clock(&self.site.agent_clock, seconds).await
            }
            Kind::LinkCut => {
                self.site.link.cut();
                Ok(())
            }
            Kind::LinkSilent => {
                self.site.link.silence();
                self.random.pause_ms(1_000, short_ms).await;
                self.site.link.speak();
                Ok(())
            }
            Kind::AnswerDropped => {
                let count = u32::try_from(self.random.between(1, 3))?;
                let lost = self.site.ldap.drop_answers(count, Duration::from_secs(FELT_S_MAX)).await;
                ensure!(lost > 0, "no write came whose answer could be lost");
                Ok(())
            }
            Kind::RequestCut => {
                let count = u32::try_from(self.random.between(1, 3))?;
                let cut = self.site.ldap.cut_requests(count, Duration::from_secs(FELT_S_MAX)).await;
                ensure!(cut > 0, "no write came that could be cut");
                Ok(())
            }
            Kind::AnswersDelayed => {
                self.site.ldap.delay_ms(self.random.between(50, 500));
                self.random.pause_ms(500, short_ms).await;
                self.site.ldap.delay_ms(0);
                Ok(())
            }
        }
    }

    async fn kill(&mut self, what: &str) -> anyhow::Result<()> {
        self.lab.act("kill", what).await?;
        self.random.pause_ms(0, 1_000).await;
        self.site.start(self.lab, what).await
    }

    async fn stop(&mut self, what: &str, least_ms: u64, most_ms: u64) -> anyhow::Result<()> {
        let _stopped = Stopped::stop(self.lab, what)?;
        self.random.pause_ms(least_ms, most_ms).await;
        Ok(())
    }

    /// The store refuses for a while, which the client is told.
    async fn fail_store(&mut self) -> anyhow::Result<()> {
        let status = if self.site.disk.is_some() { 507 } else { 503 };
        let told = |progress: &Progress| progress.refused().get(&status).copied().unwrap_or(0);
        let before = told(self.progress);
        self.progress.hurry.store(true, Ordering::SeqCst);
        match &self.site.disk {
            Some(disk) => disk.fill()?,
            None => self.lab.act("kill", "postgres").await?,
        }
        let deadline = Instant::now() + Duration::from_secs(FELT_S_MAX);
        while told(self.progress) == before && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.random.pause_ms(0, 2_000).await;
        self.progress.hurry.store(false, Ordering::SeqCst);
        match &self.site.disk {
            Some(disk) => disk.empty()?,
            None => self.lab.act("start", "postgres").await?,
        }
        ensure!(told(self.progress) > before, "no request was answered {status}: {:?}", self.progress.refused());
        Ok(())
    }

    async fn move_clock(&mut self, clock: &MovedClock, seconds: i64) -> anyhow::Result<()> {
        clock.set(seconds)?;
        self.random.pause_ms(1_500, 3_000).await;
        Ok(())
    }
}

/// The checker's verdict, and what it cannot know: nobody but us was there, so nothing may be excused, and everybody
/// stands where the lab's mapping puts them.
async fn judge(lab: &mut Lab, elsewhere: &[bool]) -> anyhow::Result<()> {
    // An agent may still tell of what it had written before it died.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let verdict = match lab.judge().await {
            Ok(()) => placed(lab, elsewhere).await.map_err(|(at, error)| (Some(at), error)),
            Err(error) => Err((None, error)),
        };
        match verdict {
            Ok(()) => break,
            Err((None, error)) if Instant::now() > deadline => return Err(error),
            Err((Some(at), error)) if Instant::now() > deadline => return Err(error.context(lab.story(&id(at)).await?)),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
    for sent in lab.sent() {
        for operation in lab.api.upload(&sent.upload).await?.operations {
            let excuse = operation
                .code
                .as_deref()
                .is_some_and(|code| matches!(code, "AccountFoundDisabled" | "AttributeRefused" | "Drift"));
            ensure!(operation.state != "failed" && !excuse, "{operation:?}");
        }
    }
    Ok(())
}

/// Everybody is in the container of their last division and has their manager.
/// Gives the number of a person who is misplaced.
async fn placed(lab: &mut Lab, elsewhere: &[bool]) -> Result<(), (usize, anyhow::Error)> {
    let objects = lab.directory.objects().await.map_err(|error| (0, error))?;
    let found: BTreeMap<String, Object> = objects.into_iter().map(|object| (object.person.clone(), object)).collect();
    elsewhere
        .iter()
        .enumerate()
        .try_for_each(|(at, is_elsewhere)| is_placed(lab, &found, at, *is_elsewhere).map_err(|error| (at, error)))
}

fn is_placed(lab: &Lab, found: &BTreeMap<String, Object>, at: usize, is_elsewhere: bool) -> anyhow::Result<()> {
    // Whether there must be one is the checker's to say: who left before his account was made has none.
    let Some(object) = found.get(&id(at)) else { return Ok(()) };
    let container = if is_elsewhere { &lab.info.other_ou } else { &lab.info.users_ou };
    ensure!(object.dn.ends_with(&format!(",{container}")), "{} is not in {container}", object.dn);
    let wanted = manager(at).and_then(|manager| found.get(&id(manager))).map(|manager| manager.dn.as_str());
    ensure!(
        value(object, "manager") == wanted,
        "{}: manager {:?}, not {wanted:?}",
        object.dn,
        value(object, "manager")
    );
    Ok(())
}
