use super::*;

fn refused(status: u16, code: &str, message: &str) -> Error {
    Error::Refused(Box::new(Refusal {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
        request_id: None,
        request: "GET /x".to_owned(),
        details: Vec::new(),
    }))
}

#[test]
fn exit_codes_are_those_of_the_design() {
    let io = |kind| Error::Output(std::io::Error::from(kind));
    let unreachable = |obstacle| Error::Unreachable { url: "u".to_owned(), cause: "c".to_owned(), obstacle };
    let check = |error: Error, expected: u8| assert_eq!(error.exit().code(), expected, "{error:?}");
    check(Error::Usage("x".to_owned()), 2);
    check(Error::SettingMissing { name: "ROLLCALL_JOB", flag: "--job" }, 2);
    check(Error::File { path: "f".into(), cause: std::io::ErrorKind::NotFound.into() }, 2);
    check(Error::Content { path: "f".into(), message: "m".to_owned() }, 2);
    check(unreachable(Obstacle::Connection), 3);
    check(unreachable(Obstacle::Certificate), 3);
    check(unreachable(Obstacle::Silence), 3);
    check(refused(403, "c", "m"), 3);
    check(Error::Unexpected { url: "u".to_owned(), cause: "c".to_owned() }, 3);
    check(io(std::io::ErrorKind::BrokenPipe), 0);
    check(io(std::io::ErrorKind::StorageFull), 3);
    assert_eq!(
        [Exit::Done, Exit::SomeFailed, Exit::Usage, Exit::Refused, Exit::TimedOut].map(Exit::code),
        [0, 1, 2, 3, 4]
    );
}

#[test]
fn remedies_name_what_to_change() {
    let check = |error: Error, expected: &str| {
        let remedy = error.remedy().unwrap_or_default();
        assert!(remedy.contains(expected), "{error:?}: {remedy}");
    };
    check(refused(401, "invalid_client", "AADSTS7000215: Invalid client secret"), "ROLLCALL_CLIENT_SECRET");
    check(refused(401, "invalid_client", "AADSTS7000222: expired"), "secret add");
    check(refused(400, "unauthorized_client", "AADSTS700016: unknown"), "ROLLCALL_CLIENT_ID");
    check(refused(400, "invalid_request", "AADSTS90002: Tenant"), "no such tenant");
    check(refused(400, "invalid_request", "AADSTS900023: Tenant"), "a GUID");
    check(refused(401, "InvalidAuthenticationToken", "expired"), "ROLLCALL_TENANT");
    check(refused(403, "Authorization_RequestDenied", "no"), "app grant");
    check(refused(404, "JobNotFound", "no"), "rollcall job list");
    let nobody = "No person with externalId 'E-9' is known to this job.";
    check(refused(404, "Request_ResourceNotFound", nobody), "Check the externalId, and ROLLCALL_JOB");
    check(Error::SettingMissing { name: "ROLLCALL_URL", flag: "--url" }, "--url");
    let obstacle = Obstacle::Certificate;
    check(Error::Unreachable { url: String::new(), cause: String::new(), obstacle }, "ROLLCALL_CA");
    assert_eq!(refused(400, "BadRequest", "at /Operations/3").remedy(), None);
}
