use super::*;

#[test]
fn frames_to_the_agent_refuse_unknown_fields() {
    let known = r#"{"type":"standby","domain":"corp.example.test"}"#;
    assert!(serde_json::from_str::<ToAgent>(known).is_ok());
    let unknown = r#"{"type":"standby","domain":"corp.example.test","colour":"red"}"#;
    assert!(serde_json::from_str::<ToAgent>(unknown).is_err());
}

#[test]
fn frames_from_the_agent_tolerate_unknown_fields() {
    let frame = r#"{"type":"renew","sequence":7,"controller":null,"colour":"red"}"#;
    assert_eq!(
        serde_json::from_str::<FromAgent>(frame).unwrap(),
        FromAgent::Renew { sequence: 7, controller: None, trouble: None }
    );
    assert_eq!(serde_json::from_str::<Capability>("\"teleport\"").unwrap(), Capability::Unknown);
}

/// Frames as they crossed the wire, one of each kind, those of protocol 1 first. A later build must still read those of
/// the agent, and an agent of protocol 1 must still be able to read what it is sent: so these texts are never edited,
/// only added.
const TO_AGENT: &[&str] = &[
    r#"{"type":"challenge","protocol":1,"nonce":"AAECAw=="}"#,
    r#"{"type":"standby","domain":"corp.example.test"}"#,
    r#"{"type":"active","domain":"corp.example.test","epoch":7,"leaseMs":10000,"jobContext":{"writingController":"dc1"}}"#,
    r#"{"type":"renewAck","sequence":3,"epoch":7,"renewed":true}"#,
    r#"{"type":"work","epoch":7,"needs":["create","manager"],"items":[{"person":"01a20800-0000-7000-8000-000000000001","externalId":"E-1","version":2,"link":null,"matching":[{"attribute":"employeeID","value":"E-1"}],"account":"enabledIfNewOrFirstLink","ifAbsent":"create","extent":"everything","attributes":[{"name":"title","values":["Buyer"],"apply":"always","mayWrite":"yes","mandatory":false}],"cn":"Ada","container":{"mapped":null,"default":"OU=Staff,DC=corp","mayMove":false},"manager":{"externalId":"E-9","guid":null,"matching":[],"mayWrite":"yes"},"mustChangePassword":false,"enableFoundDisabled":false,"lastLeftEnabled":null,"failure":null,"warnings":[]}]}"#,
    r#"{"type":"claimsAnswer","request":4,"answers":[{"person":"01a20800-0000-7000-8000-000000000001","guid":"01a20800-0000-7000-8000-000000000002","granted":true}]}"#,
    r#"{"type":"outcomesAck","ids":["01a20800-0000-7000-8000-000000000003"]}"#,
    r#"{"type":"drain"}"#,
    // Protocol 2.
    r#"{"type":"active","domain":"corp.example.test","epoch":8,"leaseMs":10000,"jobContext":{"writingController":"dc2","replication":{"from":"dc1","usn":4100,"waitMs":60000}}}"#,
    r#"{"type":"work","epoch":7,"needs":["urgentLane"],"lane":"urgent","items":[]}"#,
    r#"{"type":"work","epoch":7,"needs":["create","noPassword"],"items":[{"person":"01a20800-0000-7000-8000-000000000001","externalId":"E-1","version":2,"link":null,"matching":[{"attribute":"employeeID","value":"E-1"}],"account":"enabledIfNewOrFirstLink","ifAbsent":"create","extent":"everything","attributes":[],"cn":"Ada","container":{"mapped":null,"default":"OU=Staff,DC=corp","mayMove":false},"manager":null,"mustChangePassword":false,"initialPassword":"none","enableFoundDisabled":false,"lastLeftEnabled":null,"failure":null,"warnings":[]}]}"#,
    r#"{"type":"look","request":5,"epoch":7,"since":4100,"guids":["01a20800-0000-7000-8000-000000000002"]}"#,
    r#"{"type":"ask","request":6,"question":"schema"}"#,
    r#"{"type":"ask","request":7,"question":{"preview":{"states":[]}}}"#,
    r#"{"type":"work","epoch":7,"needs":["create","uniqueValues"],"items":[{"person":"01a20800-0000-7000-8000-000000000001","externalId":"E-1","version":2,"link":null,"matching":[{"attribute":"employeeID","value":"E-1"}],"account":"enabledIfNewOrFirstLink","ifAbsent":"create","extent":"everything","attributes":[],"unique":[{"name":"sAMAccountName","candidates":["ada","ada2"]}],"cn":"Ada","container":{"mapped":null,"default":"OU=Staff,DC=corp","mayMove":false},"manager":null,"mustChangePassword":false,"enableFoundDisabled":false,"lastLeftEnabled":null,"failure":null,"warnings":[]}]}"#,
    r#"{"type":"reserved","request":8,"answers":[{"person":"01a20800-0000-7000-8000-000000000001","attribute":"sAMAccountName","value":"ada2"}]}"#,
    r#"{"type":"release","epoch":7}"#,
    r#"{"type":"logLevel","filter":"debug"}"#,
    r#"{"type":"rotateKey"}"#,
    r#"{"type":"keyAccepted","publicKey":"AAECAw=="}"#,
];

const FROM_AGENT: &[&str] = &[
    r#"{"type":"hello","protocol":1,"agent":"01a20800-0000-7000-8000-000000000004","signature":"c2ln","version":"0.1.0","capabilities":["create"],"controller":{"host":"dc1","invocationId":"i","highestCommittedUsn":9,"writable":true}}"#,
    r#"{"type":"renew","sequence":3,"controller":null,"trouble":{"code":"BindRefused","reason":"no"}}"#,
    r#"{"type":"claims","request":4,"epoch":7,"claims":[{"person":"01a20800-0000-7000-8000-000000000001","guid":"01a20800-0000-7000-8000-000000000002"}]}"#,
    r#"{"type":"outcomes","epoch":7,"outcomes":[{"id":"01a20800-0000-7000-8000-000000000003","person":"01a20800-0000-7000-8000-000000000001","version":2,"epoch":7,"ended":5,"result":{"skipped":"RedundantExport"},"changes":[],"link":null,"dn":null,"confirmed":null,"refused":[],"warnings":[],"drift":[],"waitsForManager":null}]}"#,
    // Protocol 2.
    r#"{"type":"looked","request":5,"epoch":7,"invocationId":"dc1","upTo":4200,"complete":true,"seen":[["01a20800-0000-7000-8000-000000000002",4150]]}"#,
    r#"{"type":"reserve","request":8,"epoch":7,"wants":[{"person":"01a20800-0000-7000-8000-000000000001","attribute":"sAMAccountName","free":["ada2"],"taken":["ada"]}]}"#,
    r#"{"type":"answer","request":6,"answer":{"Ok":{"attributes":{}}}}"#,
    r#"{"type":"released","epoch":7}"#,
    r#"{"type":"newKey","publicKey":"AAECAw==","signature":"c2ln"}"#,
];

#[test]
fn recorded_frames_are_still_read_and_written_alike() {
    let kinds = |frames: &[&str]| {
        let kind = |text: &&str| text.split('"').nth(3).map(str::to_owned);
        frames.iter().filter_map(kind).collect::<Vec<_>>()
    };
    let of_to_agent: Vec<String> = TO_AGENT
        .iter()
        .map(|text| {
            let frame: ToAgent = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&frame).unwrap(), *text);
            // A new kind of frame does not compile until it is named here, and fails until it is recorded above.
            match frame {
                ToAgent::Challenge { .. } => "challenge",
                ToAgent::Standby { .. } => "standby",
                ToAgent::Active { .. } => "active",
                ToAgent::RenewAck { .. } => "renewAck",
                ToAgent::Work { .. } => "work",
                ToAgent::ClaimsAnswer { .. } => "claimsAnswer",
                ToAgent::Reserved { .. } => "reserved",
                ToAgent::OutcomesAck { .. } => "outcomesAck",
                ToAgent::Drain {} => "drain",
                ToAgent::Look { .. } => "look",
                ToAgent::Ask { .. } => "ask",
                ToAgent::Release { .. } => "release",
                ToAgent::LogLevel { .. } => "logLevel",
                ToAgent::RotateKey {} => "rotateKey",
                ToAgent::KeyAccepted { .. } => "keyAccepted",
            }
            .to_owned()
        })
        .collect();
    assert_eq!(of_to_agent, kinds(TO_AGENT));
    for text in FROM_AGENT {
        let frame: FromAgent = serde_json::from_str(text).unwrap();
        let written = serde_json::to_value(&frame).unwrap();
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        for (name, value) in read.as_object().unwrap() {
            assert_eq!(&written[name], value, "{name} of {text}");
        }
    }
    let expected = ["hello", "renew", "claims", "outcomes", "looked", "reserve", "answer", "released", "newKey"];
    assert_eq!(kinds(FROM_AGENT), expected);
}
