//! What the transcripts cannot show: faults, the other dialect, TLS, size, and the limits of the imitation.

use std::collections::HashSet;
use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::exop::Exop;
use ldap3::{Ldap, LdapError, Mod, Scope, SearchEntry};
use rollcall_practice::{CONTROL_OID, Dialect};

use crate::support::{BASE, BIND, PASSWORD, Running, start};

/// The attributes of a user, disabled and without a password, with one more.
fn user(account: &str, extra: (&'static str, &str)) -> Vec<(String, HashSet<String>)> {
    let given = [("objectClass", "user"), ("sAMAccountName", account), ("userAccountControl", "514"), extra];
    given.map(|(name, value)| (name.to_owned(), HashSet::from([value.to_owned()]))).to_vec()
}

async fn add(ldap: &mut Ldap, cn: &str, extra: (&'static str, &str)) -> Result<(u32, String), LdapError> {
    let done = ldap.add(&format!("CN={cn},CN=Users,{BASE}"), user(&format!("a-{cn}"), extra)).await?;
    Ok((done.rc, done.text))
}

async fn found(ldap: &mut Ldap, filter: &str) -> usize {
    ldap.search(BASE, Scope::Subtree, filter, vec!["cn"]).await.unwrap().success().unwrap().0.len()
}

/// Asks for a fault as a client does.
async fn ask(ldap: &mut Ldap, fault: &str) -> u32 {
    let request = Exop { name: Some(CONTROL_OID.to_owned()), val: Some(fault.as_bytes().to_vec()) };
    ldap.extended(request).await.unwrap().1.rc
}

/// Drops all connections; whether the answer comes before its own is dropped is open.
async fn drop_all(ldap: &mut Ldap) -> Result<(), LdapError> {
    let request = Exop { name: Some(CONTROL_OID.to_owned()), val: Some(b"drop".to_vec()) };
    ldap.extended(request).await.map(|_| ())
}

/// Asks for a fault, adds Ada, and gives what the client sees and whether she is there afterwards.
async fn struck(fault: &str) -> (Option<u32>, bool) {
    let running = start(Dialect::Samba).await;
    let mut ldap = running.bound().await;
    assert_eq!(ask(&mut ldap, fault).await, 0);
    let seen = add(&mut ldap, "Ada", ("title", "Countess")).await.ok().map(|(code, _)| code);
    let mut other = running.bound().await;
    let there = found(&mut other, "(cn=Ada)").await == 1;
    // Once is once.
    let again = add(&mut other, "Eve", ("title", "x")).await.unwrap();
    assert_eq!(again.0, 0, "{}", again.1);
    (seen, there)
}

#[tokio::test]
async fn a_write_meets_each_fault_once() {
    assert_eq!(struck("unwilling 1").await, (Some(53), false));
    assert_eq!(struck("busy 1").await, (Some(51), false));
    assert_eq!(struck("drop-before-commit 1").await, (None, false));
    assert_eq!(struck("drop-after-commit 1").await, (None, true));
}

#[tokio::test]
async fn busy_meets_searches_and_is_counted() {
    let running = start(Dialect::Samba).await;
    let mut ldap = running.bound().await;
    assert_eq!(ask(&mut ldap, "busy 2").await, 0);
    for expected in [51, 51, 0] {
        let done = ldap.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.unwrap();
        assert_eq!(done.1.rc, expected);
    }
}

#[tokio::test]
async fn delay_holds_the_answer_back() {
    let running = start(Dialect::Samba).await;
    let mut ldap = running.bound().await;
    assert_eq!(ask(&mut ldap, "delay 700").await, 0);
    let slow = tokio::time::timeout(Duration::from_millis(600), found(&mut ldap, "(cn=x)")).await;
    assert!(slow.is_err());
    let mut ldap = running.bound().await;
    assert_eq!(ask(&mut ldap, "delay 0").await, 0);
    let fast = tokio::time::timeout(Duration::from_millis(600), found(&mut ldap, "(cn=x)")).await;
    assert_eq!(fast.unwrap(), 0);
}

#[tokio::test]
async fn dropping_all_connections_keeps_the_data() {
    let running = start(Dialect::Samba).await;
    let (mut one, mut two) = (running.bound().await, running.bound().await);
    assert_eq!(add(&mut one, "Ada", ("title", "x")).await.unwrap().0, 0);
    let mut third = running.bound().await;
    drop(drop_all(&mut third).await);
    for ldap in [&mut one, &mut two] {
        assert!(ldap.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.is_err());
    }
    let mut again = running.bound().await;
    assert_eq!(found(&mut again, "(cn=Ada)").await, 1);
    running.stop.send_replace(true);
    while again.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.is_ok() {}
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn faults_can_be_asked_for_over_ldap_by_who_is_bound() {
    let running = start(Dialect::Samba).await;
    let mut stranger = running.connect().await;
    assert_eq!(ask(&mut stranger, "unwilling 1").await, 1);
    let mut ldap = running.bound().await;
    assert_eq!(ask(&mut ldap, "nonsense 1").await, 2);
    for (text, expected) in [("unwilling 1", 53), ("busy 1", 51)] {
        assert_eq!(ask(&mut ldap, text).await, 0);
        assert_eq!(add(&mut ldap, "Ada", ("title", "x")).await.unwrap().0, expected);
    }
    assert_eq!(ask(&mut ldap, "drop-after-commit 1").await, 0);
    assert!(add(&mut ldap, "Ada", ("title", "x")).await.is_err());
    let mut ldap = running.bound().await;
    assert_eq!(found(&mut ldap, "(cn=Ada)").await, 1);
    drop(drop_all(&mut ldap).await);
    assert!(ldap.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.is_err());
}

#[tokio::test]
async fn tls_is_required_and_binds_are_checked() {
    let running = start(Dialect::Samba).await;
    let mut ldap = running.connect().await;
    for (name, password, code) in [
        (BIND, PASSWORD, 0),
        ("CORP\\Administrator", PASSWORD, 0),
        ("cn=administrator,cn=users,dc=corp,dc=example,dc=test", PASSWORD, 0),
        (BIND, "wrong", 49),
    ] {
        assert_eq!(ldap.simple_bind(name, password).await.unwrap().rc, code, "{name}");
    }
    let mut stranger = running.connect().await;
    assert_eq!(stranger.simple_bind(BIND, "wrong").await.unwrap().rc, 49);
    let done = stranger.search(BASE, Scope::Base, "(objectClass=*)", vec!["1.1"]).await.unwrap();
    assert_eq!(done.1.rc, 1, "a bind refused opens nothing");
    let plain = format!("ldap://{}", running.address);
    let (connection, mut ldap) = ldap3::LdapConnAsync::new(&plain).await.unwrap();
    ldap3::drive!(connection);
    assert!(ldap.simple_bind(BIND, PASSWORD).await.is_err());
}

async fn check(ldap: &mut Ldap, change: (&str, Mod<String>), code: u32, text: &str) {
    let (cn, change) = change;
    let done = ldap.modify(&format!("CN={cn},CN=Users,{BASE}"), vec![change]).await.unwrap();
    assert_eq!((done.rc, done.text.starts_with(text)), (code, true), "{}", done.text);
}

fn replace(name: &str, value: &str) -> Mod<String> {
    Mod::Replace(name.to_owned(), HashSet::from([value.to_owned()]))
}

#[tokio::test]
async fn microsofts_dialect_answers_as_microsoft_does() {
    let running = start(Dialect::Microsoft).await;
    let mut ldap = running.bound().await;
    for cn in ["Ada", "Bea"] {
        let principal = format!("{cn}@corp.example.test");
        assert_eq!(add(&mut ldap, cn, ("userPrincipalName", &principal)).await.unwrap().0, 0);
    }
    assert_eq!(add(&mut ldap, "Ada", ("title", "x")).await.unwrap().1.get(..8), Some("00002071"));
    let too_long = "00002082: AtrErr: DSID-00000000, #1:\n\t0: 00002082: DSID-00000000, problem 1005 \
                    (CONSTRAINT_ATT_TYPE), data 0, Att c (title):len 258\n";
    let taken = "00000524: UpdErr: DSID-00000000, problem 6005 (ENTRY_EXISTS), data 0\n";
    check(&mut ldap, ("Bea", replace("title", &"x".repeat(129))), 19, too_long).await;
    check(&mut ldap, ("Bea", replace("sAMAccountName", "A-ADA")), 68, taken).await;
    check(&mut ldap, ("Bea", replace("userPrincipalName", "ada@corp.example.test")), 19, "000021C8: AtrErr").await;
    check(&mut ldap, ("Bea", replace("userAccountControl", "512")), 53, "0000052D: SvcErr").await;
    check(&mut ldap, ("Bea", replace("cn", "Beatrix")), 67, "").await;
    let weak = "\"short\"".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let change = vec![Mod::Replace(b"unicodePwd".to_vec(), HashSet::from([weak]))];
    let done = ldap.modify(&format!("CN=Bea,CN=Users,{BASE}"), change).await.unwrap();
    assert_eq!((done.rc, done.text.get(..8)), (53, Some("0000052D")));
    let long = add(&mut ldap, &"x".repeat(65), ("title", "x")).await.unwrap();
    assert_eq!((long.0, long.1.ends_with("Att 3 (cn):len 130\n")), (19, true), "{}", long.1);
}

#[tokio::test]
async fn ten_thousand_are_found_by_index_and_pages_are_bounded() {
    for (dialect, code, shown) in [(Dialect::Samba, 0, 10_000), (Dialect::Microsoft, 4, 1_000)] {
        let running = start(dialect).await;
        fill(&running, 10_000).await;
        let mut ldap = running.bound().await;
        for n in (0..10_000).step_by(37) {
            let filter = format!("(&(objectCategory=person)(objectClass=user)(employeeID=e{n}))");
            let (entries, _) = ldap.search(BASE, Scope::Subtree, &filter, vec!["cn"]).await.unwrap().success().unwrap();
            let entry = SearchEntry::construct(entries.into_iter().next().unwrap());
            assert_eq!(entry.attrs["cn"], [format!("n{n}")]);
        }
        let all = ldap.search(BASE, Scope::Subtree, "(employeeID=*)", vec!["1.1"]).await.unwrap();
        assert_eq!((all.1.rc, all.0.len()), (code, shown));
    }
}

async fn fill(running: &Running, count: usize) {
    let writers = (0..4).map(|writer| async move {
        let mut ldap = running.bound().await;
        for n in (writer..count).step_by(4) {
            assert_eq!(add(&mut ldap, &format!("n{n}"), ("employeeID", &format!("E{n}"))).await.unwrap().0, 0);
        }
    });
    futures_util::future::join_all(writers).await;
}

#[tokio::test]
async fn what_no_transcript_covers_is_refused_not_guessed() {
    let running = start(Dialect::Samba).await;
    let mut ldap = running.bound().await;
    let said = |(code, text): (u32, String)| assert_eq!((code, text.contains("transcript")), (53, true), "{text}");
    for filter in [
        "(cn=A*)",
        "(cn<=x)",
        "(cn>=x)",
        "(objectCategory=computer)",
        "(cn~=x)",
        "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        "(title>=x)",
    ] {
        let done = ldap.search(BASE, Scope::Subtree, filter, vec!["cn"]).await.unwrap().1;
        said((done.rc, done.text));
    }
    for extra in [("servicePrincipalName", "x/y"), ("jpegPhoto", "x"), ("primaryGroupID", "512"), ("uSNChanged", "1")] {
        said(add(&mut ldap, "Ada", extra).await.unwrap());
    }
    let control = RawControl { ctype: "1.2.840.113556.1.4.805".to_owned(), crit: true, val: None };
    let done = ldap.with_controls(control).delete(&format!("CN=Ada,{BASE}")).await.unwrap();
    said((done.rc, done.text));
    let done = ldap.delete(&format!("CN=Users,{BASE}")).await.unwrap();
    said((done.rc, done.text));
    let done = ldap.compare(BASE, "dc", "corp").await.unwrap().0;
    said((done.rc, done.text));
}
