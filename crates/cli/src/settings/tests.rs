#![expect(clippy::disallowed_methods, reason = "tests write the files that the settings are read from")]

use secrecy::ExposeSecret as _;

use super::*;

const ENVIRONMENT: &[(&str, &str)] = &[
    ("ROLLCALL_URL", "https://env.test"),
    ("ROLLCALL_TENANT", "env-tenant"),
    ("ROLLCALL_CLIENT_ID", "env-client"),
    ("ROLLCALL_CLIENT_SECRET", "env-secret"),
    ("ROLLCALL_CA", "/env/ca.pem"),
    ("ROLLCALL_JOB", "env-job"),
    ("ROLLCALL_SERVICE_PRINCIPAL", "env-principal"),
];
const PROFILE: &str = r#"
url = "https://file.test:8443"
tenant = "file-tenant"
client_id = "file-client"
client_secret = "file-secret"
ca = "ca.pem"
job = "file-job"
service_principal = "file-principal"
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(profile: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.file("profile.toml", profile, 0o600);
        folder
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn options(&self) -> Options {
        Options { profile: Some(self.0.path().join("profile.toml")), ..Options::default() }
    }
}

fn resolve(options: &Options, environment: &[(&str, &str)]) -> Result<Settings, Error> {
    Settings::resolve(options, &Environment::new(environment.iter().copied()))
}

/// Every setting as text, in the order of the profile.
fn shown(settings: &Settings) -> Vec<String> {
    vec![
        settings.url.to_string(),
        settings.tenant.clone(),
        settings.client_id.clone(),
        settings.client_secret.expose_secret().to_owned(),
        settings.ca.as_ref().unwrap().display().to_string(),
        settings.job.clone().unwrap(),
        settings.service_principal.clone().unwrap(),
    ]
}

#[test]
fn flags_over_environment_over_file() {
    let folder = Folder::new(PROFILE);
    let secret = folder.file("secret", "flag-secret\n", 0o600);
    let from_file = resolve(&folder.options(), &[]).unwrap();
    let ca = folder.0.path().join("ca.pem").display().to_string();
    let file =
        ["https://file.test:8443/", "file-tenant", "file-client", "file-secret", &ca, "file-job", "file-principal"];
    assert_eq!(shown(&from_file), file);

    let from_environment = resolve(&folder.options(), ENVIRONMENT).unwrap();
    let environment =
        ["https://env.test/", "env-tenant", "env-client", "env-secret", "/env/ca.pem", "env-job", "env-principal"];
    assert_eq!(shown(&from_environment), environment);

    let text = |text: &str| Some(text.to_owned());
    let flags = Options {
        url: text("https://flag.test"),
        tenant: text("flag-tenant"),
        client_id: text("flag-client"),
        client_secret_file: Some(secret),
        ca: Some("/flag/ca.pem".into()),
        job: text("flag-job"),
        service_principal: text("flag-principal"),
        ..folder.options()
    };
    let from_flags = resolve(&flags, ENVIRONMENT).unwrap();
    let flags = [
        "https://flag.test/",
        "flag-tenant",
        "flag-client",
        "flag-secret",
        "/flag/ca.pem",
        "flag-job",
        "flag-principal",
    ];
    assert_eq!(shown(&from_flags), flags);

    // An empty variable is none.
    let emptied: Vec<_> = ENVIRONMENT.iter().map(|(name, _)| (*name, "")).collect();
    assert_eq!(shown(&resolve(&folder.options(), &emptied).unwrap()), file);
}

#[test]
fn the_default_profile_is_below_the_config_folder() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("rollcall");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("profile.toml"), PROFILE).unwrap();
    let config = folder.path().display().to_string();
    let found = resolve(&Options::default(), &[("XDG_CONFIG_HOME", &config)]).unwrap();
    assert_eq!(found.tenant, "file-tenant");
    std::fs::rename(folder.path().join("rollcall"), folder.path().join("r")).unwrap();
    let dot = folder.path().join(".config");
    std::fs::create_dir_all(&dot).unwrap();
    std::fs::rename(folder.path().join("r"), dot.join("rollcall")).unwrap();
    assert_eq!(resolve(&Options::default(), &[("HOME", &config)]).unwrap().tenant, "file-tenant");
}

#[test]
fn what_is_missing_is_named() {
    for missing in ["ROLLCALL_URL", "ROLLCALL_TENANT", "ROLLCALL_CLIENT_ID", "ROLLCALL_CLIENT_SECRET"] {
        let some: Vec<_> = ENVIRONMENT.iter().filter(|(name, _)| *name != missing).copied().collect();
        let error = resolve(&Options::default(), &some).unwrap_err();
        assert_eq!(error.to_string(), format!("{missing} is not set"));
    }
    let some: Vec<_> = ENVIRONMENT.iter().filter(|(name, _)| *name != "ROLLCALL_JOB").copied().collect();
    assert_eq!(resolve(&Options::default(), &some).unwrap().job().unwrap_err().to_string(), "ROLLCALL_JOB is not set");
}

#[test]
fn a_profile_that_is_named_must_be_there_and_right() {
    let check = |profile: &str, expected: &str| {
        let folder = Folder::new(profile);
        let error = resolve(&folder.options(), ENVIRONMENT).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    };
    check("colour = 'red'", "line 1: unknown field `colour`");
    check("url = 'https://x'\nclient_secret = hunter2", "line 2");
    let missing = Options { profile: Some("/nowhere/profile.toml".into()), ..Options::default() };
    assert!(resolve(&missing, ENVIRONMENT).unwrap_err().to_string().contains("no such profile"));
}

#[test]
fn a_secret_open_to_others_is_warned_about() {
    let check = |profile: &str, mode: u32, expected: usize| {
        let folder = Folder::new("");
        folder.file("profile.toml", profile, mode);
        assert_eq!(resolve(&folder.options(), ENVIRONMENT).unwrap().warnings.len(), expected, "{mode:o}");
    };
    check(PROFILE, 0o600, 0);
    check(PROFILE, 0o400, 0);
    check(PROFILE, 0o640, 1);
    check(PROFILE, 0o604, 1);
    check("job = 'x'", 0o644, 0);
}

#[test]
fn addresses() {
    let check = |text: &str, expected: Result<&str, &str>| match (origin(text), expected) {
        (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (seen, _) => panic!("{text}: {seen:?}"),
    };
    check("https://rollcall.test", Ok("https://rollcall.test/"));
    check("https://rollcall.test:8443/", Ok("https://rollcall.test:8443/"));
    check("http://127.0.0.1:80", Ok("http://127.0.0.1/"));
    check("http://localhost:8080", Ok("http://localhost:8080/"));
    check("http://[::1]:8080", Ok("http://[::1]:8080/"));
    check("http://rollcall.test", Err("use https"));
    check("http://127.0.0.1.evil.test", Err("use https"));
    check("ldap://rollcall.test", Err("https://"));
    check("rollcall.test", Err("cannot be the service's address"));
    check("https://rollcall.test/v1.0", Err("leave out"));
    check("https://u:p@rollcall.test", Err("credentials"));
}

#[test]
fn no_debug_shows_the_secret() {
    let settings = resolve(&Options::default(), ENVIRONMENT).unwrap();
    assert!(!format!("{settings:?}").contains("env-secret"));
    assert!(!format!("{:?}", Environment::new(ENVIRONMENT.iter().copied())).contains("env-secret"));
}
