use super::*;

fn check(text: &str, variables: &[(&str, &str)], expected: Result<fn(&Config) -> bool, &[&str]>) {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match (Config::parse(text, variables), expected) {
        (Ok(config), Ok(holds)) => assert!(holds(&config), "{text}: {config:?}"),
        (Err(error), Err(words)) => {
            let said = error.to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
        }
        (found, _) => panic!("{text}: {found:?}"),
    }
}

#[test]
fn the_sample_is_the_default() {
    check(Config::sample(), &[], Ok(|config| *config == Config::default()));
    check("", &[], Ok(|config| *config == Config::default()));
}

#[test]
fn errors_name_field_and_remedy() {
    check("[server]\nlisen = []", &[], Err(&["lisen", "line 2", "listen"]));
    check("[server]\nlisten = []", &[], Err(&["server.listen", "at least one"]));
    check("[server]\nlisten = [\"x\"]", &[], Err(&["line 2"]));
    check("[server]\npublic_url = \"http://a\"", &[], Err(&["server.public_url", "https://"]));
    check("[server]\npublic_url = \"https://a/\"", &[], Err(&["server.public_url", "trailing slash"]));
    check("[tls]\nkey = \"a\"", &[], Err(&["tls.certificate", "both"]));
    check("[store]\nurl = \"mysql://x\"", &[], Err(&["store.url", "postgres://"]));
    check("[log]\nformat = \"xml\"", &[], Err(&["format", "json"]));
    check("", &[("ROLLCALL_SERVER__PORT", "1")], Err(&["ROLLCALL_SERVER__PORT", "port"]));
    check("", &[("ROLLCALL_SEVER__LISTEN", "1")], Err(&["ROLLCALL_SEVER__LISTEN", "sever"]));
}

#[test]
fn variables_take_precedence() {
    check("[log]\nlevel = \"warn\"", &[("ROLLCALL_LOG__LEVEL", "debug")], Ok(|config| config.log.level == "debug"));
    check("", &[("ROLLCALL_SERVER__STOP_TIMEOUT_S", "3")], Ok(|config| config.server.stop_timeout_s == 3));
    check("", &[("ROLLCALL_SERVER__LISTEN", "127.0.0.1:1, [::1]:2")], Ok(|config| config.server.listen.len() == 2));
    check("", &[("ROLLCALL_SERVER__LISTEN", "[\"127.0.0.1:1\"]")], Ok(|config| config.server.listen.len() == 1));
    check("", &[("ROLLCALL_URL", "https://client"), ("PATH", "/bin")], Ok(|config| *config == Config::default()));
}

#[test]
fn hosts() {
    for (url, host) in [("https://a.test", "a.test"), ("https://a.test:1", "a.test"), ("https://[::1]:1", "::1")] {
        let mut config = Config::default();
        config.server.public_url = url.to_owned();
        assert_eq!(config.public_host(), host);
    }
}

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../../../../docs/config.schema.json");
    assert!(
        committed == Config::schema(),
        "stale: run `cargo run -p rollcall -- config schema > docs/config.schema.json`"
    );
}
