//! Graph's spellings of one path, brought to the one that is routed (OData 4.01 part 2, 4.3; wire contract 2.1):
//! `servicePrincipals('id')`, `servicePrincipals(appId='x')`, any case of the fixed segments, a slash at the end.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Which of Graph's versions was asked for. Both are routed as `v1.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GraphVersion {
    #[default]
    V1,
    Beta,
}

impl GraphVersion {
    /// As it stands in a URL.
    #[must_use]
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::Beta => "beta",
        }
    }
}

/// Fixed segments, as routed.
const SEGMENTS: &[&str] = &[
    "servicePrincipals",
    "applications",
    "applicationTemplates",
    "instantiate",
    "addPassword",
    "appRoleAssignments",
    "appRoleAssignedTo",
    "synchronization",
    "jobs",
    "bulkUpload",
    "start",
    "pause",
    "schema",
    "filterOperators",
    "functions",
    "parseExpression",
    "directories",
    "discover",
    "templates",
    "auditLogs",
    "provisioning",
    "directoryProvisioning",
];

/// What may stand in a segment unescaped.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'=');

/// The routed path, and Graph's version where it is one of Graph's.
#[must_use]
pub(crate) fn canonical(path: &str) -> (String, Option<GraphVersion>) {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let version = match segments.clone().next() {
        Some(first) if first.eq_ignore_ascii_case("v1.0") => GraphVersion::V1,
        Some(first) if first.eq_ignore_ascii_case("beta") => GraphVersion::Beta,
        _ => {
            let kept = path.trim_end_matches('/');
            return (if kept.is_empty() { "/".to_owned() } else { kept.to_owned() }, None);
        }
    };
    segments.next();
    let mut out = String::from("/v1.0");
    for segment in segments {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let (name, key) = match decoded.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?))) {
            Some((name, key)) => (name, Some(key.replace('\'', ""))),
            None => (&*decoded, None),
        };
        let known = SEGMENTS.iter().find(|known| known.eq_ignore_ascii_case(name));
        // Only the name of a collection may carry a key in brackets.
        match (known, key) {
            (Some(known), Some(key)) => {
                out.push('/');
                out.push_str(known);
                out.push('/');
                out.extend(utf8_percent_encode(&key, KEPT));
            }
            (Some(known), None) => {
                out.push('/');
                out.push_str(known);
            }
            (None, _) => {
                out.push('/');
                out.extend(utf8_percent_encode(&decoded, KEPT));
            }
        }
    }
    (out, Some(version))
}

/// Rewrites a request's path to the canonical one.
pub(crate) fn rewrite(mut request: Request) -> Request {
    let (path, version) = canonical(request.uri().path());
    if let Some(version) = version {
        request.extensions_mut().insert(version);
    }
    if path != request.uri().path() {
        let text = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        if let Ok(path_and_query) = text.parse::<PathAndQuery>() {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_path() {
        let routed = "/v1.0/servicePrincipals/5d0f/synchronization/jobs/API2AD.a.b/bulkUpload";
        for path in [
            routed,
            "/beta/servicePrincipals/5d0f/synchronization/jobs/API2AD.a.b/bulkUpload/",
            "/V1.0/serviceprincipals/5d0f/Synchronization/Jobs/API2AD.a.b/BULKUPLOAD",
            "/v1.0/servicePrincipals('5d0f')/synchronization/jobs('API2AD.a.b')/bulkupload",
            "/v1.0/servicePrincipals(%275d0f%27)/synchronization/jobs/API2AD.a.b/bulkUpload",
            "/v1.0//servicePrincipals/5d0f/synchronization/jobs/API2AD.a.b/bulkUpload",
        ] {
            assert_eq!(canonical(path).0, routed, "{path}");
        }
        for (path, expected) in [
            ("/v1.0/servicePrincipals(appId='7')", "/v1.0/servicePrincipals/appId=7"),
            ("/beta/auditLogs/provisioning/", "/v1.0/auditLogs/provisioning"),
            ("/rollcall/v1/jobs/x/links/START/", "/rollcall/v1/jobs/x/links/START"),
            ("/v1.0/servicePrincipals/a%2Fb", "/v1.0/servicePrincipals/a%2Fb"),
            ("/", "/"),
        ] {
            assert_eq!(canonical(path).0, expected);
        }
    }

    proptest! {
        #[test]
        fn any_path_is_brought_to_one_form(path in "/(v1\\.0|beta)/[ -~]{0,60}") {
            let (once, _) = canonical(&path);
            prop_assert!(once.parse::<PathAndQuery>().is_ok());
        }
    }
}
