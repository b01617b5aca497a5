//! The lab's peers, for real: a domain controller restored from the template, the rights of the delegated account,
//! trust by the lab's authority alone, a PostgreSQL cluster.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use ldap3::controls::RawControl;
use ldap3::{Mod, Scope, SearchEntry};

use super::ca::Authority;
use super::connect::{Directory, wait_until_bound};
use super::process::Process;
use super::samba::{self, BASE_DN, PORTS, account_dn};
use super::{area, pair, postgres};

/// Ends a process when a test ends, however it ends.
struct Ends(Process);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// sAMAccountName of every deleted object that shows a USN.
async fn tombstones(directory: &mut Directory) -> Vec<String> {
    let show_deleted = RawControl { ctype: "1.2.840.113556.1.4.417".to_owned(), crit: true, val: None };
    let names = vec!["sAMAccountName", "uSNChanged"];
    let search = directory.0.with_controls(show_deleted).search(BASE_DN, Scope::Subtree, "(uSNChanged>=1)", names);
    let (found, _) = search.await.unwrap().success().unwrap();
    let entries = found.into_iter().filter(|entry| !entry.is_ref()).map(SearchEntry::construct);
    let deleted = entries.filter(|entry| entry.dn.contains("0ADEL:") && entry.attrs.contains_key("uSNChanged"));
    deleted.map(|entry| entry.attrs["sAMAccountName"][0].clone()).collect()
}

fn user(name: &str, unit: &str) -> (String, Vec<(String, HashSet<String>)>) {
    let set = |value: &str| HashSet::from([value.to_owned()]);
    let attributes = vec![
        ("objectClass".to_owned(), set("user")),
        ("sAMAccountName".to_owned(), set(name)),
        ("employeeID".to_owned(), set(name)),
        ("userAccountControl".to_owned(), set("514")),
    ];
    (format!("CN={name},{unit},{BASE_DN}"), attributes)
}

#[tokio::test]
async fn a_restored_domain_gives_the_agent_its_rights_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let area = area::fresh(dir.path()).unwrap();
    let authority = Authority::create(&dir.path().join("tls")).unwrap();
    let ip = area::alone(|| area::addresses(dir.path(), 1, PORTS)).unwrap().remove(0);
    let tls = authority.issue("directory", &[&ip]).unwrap();
    let folder = area.join("directory");
    let mut controller = samba::restore(&folder, &ip, &tls, &authority.certificate, dir.path()).unwrap();
    let start = Instant::now();
    controller.process.spawn().unwrap();
    let process = Ends(controller.process);
    let url = format!("ldaps://{ip}");
    let (administrator, agent) = (account_dn("Administrator"), account_dn("svc-rollcall"));
    let alive = || if process.0.is_alive() { Ok(()) } else { anyhow::bail!("{}", process.0.died()) };
    let ca = &authority.certificate;
    let mut admin =
        wait_until_bound(&url, ca, &administrator, &controller.passwords.administrator, alive).await.unwrap();
    println!("the controller answers after {:.2} s", start.elapsed().as_secs_f64());
    let mut agent = Directory::bind(&url, ca, &agent, &controller.passwords.agent).await.unwrap();

    // Within its units the account may add, write, move and delete users.
    let (dn, attributes) = user("E-1", "OU=Staff");
    agent.0.add(&dn, attributes).await.unwrap().success().unwrap();
    let password: Vec<u8> =
        format!("\"{}\"", area::password().unwrap()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let title = Mod::Replace(b"title".to_vec(), HashSet::from([b"Buyer".to_vec()]));
    let reset = Mod::Replace(b"unicodePwd".to_vec(), HashSet::from([password]));
    let enable = Mod::Replace(b"userAccountControl".to_vec(), HashSet::from([b"512".to_vec()]));
    agent.0.modify(&dn, vec![title, reset, enable]).await.unwrap().success().unwrap();
    let other = format!("OU=Other,{BASE_DN}");
    agent.0.modifydn(&dn, "CN=E-1", true, Some(&other)).await.unwrap().success().unwrap();
    let found = admin.search(BASE_DN, "(employeeID=E-1)", &["title"]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].dn, format!("CN=E-1,{other}"));
    agent.0.delete(&found[0].dn).await.unwrap().success().unwrap();

    // What became of it the account may see too: the tombstone lies outside its units.
    assert_eq!(tombstones(&mut agent).await, ["E-1"]);

    // Elsewhere, and on the administrator, it may not: 50 is insufficientAccessRights.
    let (outside, attributes) = user("E-2", "CN=Users");
    assert_eq!(agent.0.add(&outside, attributes).await.unwrap().rc, 50);
    let title = Mod::Replace(b"title".to_vec(), HashSet::from([b"Owner".to_vec()]));
    assert_eq!(agent.0.modify(&administrator, vec![title]).await.unwrap().rc, 50);

    // employeeID is indexed, or every match would read the whole domain.
    let name = format!("CN=Employee-ID,CN=Schema,CN=Configuration,{BASE_DN}");
    let schema = admin.search(&name, "(objectClass=*)", &["searchFlags"]).await.unwrap();
    assert_eq!(schema[0].attrs["searchFlags"], ["1"]);

    // Another lab's authority does not verify it.
    let stranger = Authority::create(&dir.path().join("stranger")).unwrap();
    assert!(Directory::bind(&url, &stranger.certificate, &administrator, "x").await.is_err());

    // Killed and started again on the same data, it is the same domain.
    process.0.kill().unwrap();
    assert!(Directory::bind(&url, ca, &administrator, &controller.passwords.administrator).await.is_err());
    let mut again = process.0.clone();
    again.spawn().unwrap();
    let again = Ends(again);
    let alive = || if again.0.is_alive() { Ok(()) } else { anyhow::bail!("{}", again.0.died()) };
    wait_until_bound(&url, ca, &administrator, &controller.passwords.administrator, alive).await.unwrap();
    drop(again);
    std::fs::remove_dir_all(area).unwrap();
}

/// Waits until a user is where another controller put it.
async fn seen(directory: &mut Directory, name: &str) {
    let start = Instant::now();
    while directory.search(BASE_DN, &format!("(employeeID={name})"), &["cn"]).await.unwrap().is_empty() {
        assert!(start.elapsed().as_secs() < 30, "{name} is not replicated");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    println!("{name} is replicated after {:.2} s", start.elapsed().as_secs_f64());
}

#[tokio::test]
async fn two_controllers_replicate_both_ways_and_after_a_death() {
    let dir = tempfile::tempdir().unwrap();
    let area = area::fresh(dir.path()).unwrap();
    let hosts = std::fs::read("/etc/hosts").unwrap();
    let authority = Authority::create(&dir.path().join("tls")).unwrap();
    let ips = area::alone(|| area::addresses(dir.path(), 2, pair::PORTS)).unwrap();
    let tls: Vec<_> = ips.iter().map(|ip| authority.issue(ip, &[ip]).unwrap()).collect();
    let ca = &authority.certificate;
    let (mut processes, passwords) = pair::restore(&area, &ips, &tls, ca, dir.path()).unwrap();
    let start = Instant::now();
    for process in &mut processes {
        process.spawn().unwrap();
    }
    let ends: Vec<Ends> = processes.iter().cloned().map(Ends).collect();
    let administrator = account_dn("Administrator");
    let mut directories = Vec::new();
    for (ip, process) in ips.iter().zip(&processes) {
        let alive = || if process.is_alive() { Ok(()) } else { anyhow::bail!("{}", process.died()) };
        let url = format!("ldaps://{ip}");
        directories.push(wait_until_bound(&url, ca, &administrator, &passwords.administrator, alive).await.unwrap());
    }
    pair::prove(&mut directories, &processes).await.unwrap();
    println!("both controllers replicate after {:.2} s", start.elapsed().as_secs_f64());
    let [first, second] = &mut directories[..] else { panic!("not two") };

    let (dn, attributes) = user("R-1", "OU=Staff");
    first.0.add(&dn, attributes).await.unwrap().success().unwrap();
    seen(second, "R-1").await;
    let (dn, attributes) = user("R-2", "OU=Staff");
    second.0.add(&dn, attributes).await.unwrap().success().unwrap();
    seen(first, "R-2").await;

    // The delegated account may do on the second what it may on the first.
    let url = format!("ldaps://{}", ips[1]);
    let mut agent = Directory::bind(&url, ca, &account_dn("svc-rollcall"), &passwords.agent).await.unwrap();
    agent.0.delete(&dn).await.unwrap().success().unwrap();
    assert_eq!(tombstones(&mut agent).await, ["R-2"]);

    // What the second takes while the first is dead, the first has once it lives again.
    processes[0].kill().unwrap();
    let (dn, attributes) = user("R-3", "OU=Staff");
    second.0.add(&dn, attributes).await.unwrap().success().unwrap();
    processes[0].spawn().unwrap();
    let again = Ends(processes[0].clone());
    let alive = || if again.0.is_alive() { Ok(()) } else { anyhow::bail!("{}", again.0.died()) };
    let url = format!("ldaps://{}", ips[0]);
    let mut first = wait_until_bound(&url, ca, &administrator, &passwords.administrator, alive).await.unwrap();
    seen(&mut first, "R-3").await;

    assert_eq!(std::fs::read("/etc/hosts").unwrap(), hosts, "the machine's names are its own");
    drop((ends, again));
    std::fs::remove_dir_all(area).unwrap();
}

#[tokio::test]
async fn a_cluster_of_the_labs_own() {
    let dir = tempfile::tempdir().unwrap();
    let area = area::fresh(dir.path()).unwrap();
    let mut cluster = postgres::create(&area.join("postgres"), dir.path(), postgres::Sync::Off).unwrap();
    cluster.start().await.unwrap();
    let process = Ends(cluster.process);
    let out = std::process::Command::new("psql").args([&cluster.url, "-tAc", "show fsync"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "off", "{}", String::from_utf8_lossy(&out.stderr));
    process.0.stop().unwrap();
    assert!(!process.0.is_alive());
    std::fs::remove_dir_all(area).unwrap();
}

#[test]
fn a_process_is_started_killed_and_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::new(super::state::Role::Service, Path::new("/bin/sleep"), dir.path()).args(["60"]);
    process.spawn().unwrap();
    assert!(process.is_alive());
    process.kill().unwrap();
    assert!(!process.is_alive());
    let old = process.pid;
    process.spawn().unwrap();
    assert_ne!(process.pid, old);
    process.stop().unwrap();
    assert!(!process.is_alive());
}
