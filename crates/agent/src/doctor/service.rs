//! The way to the service.

use std::time::Duration;

use rollcall_model::{Timestamp, limits};

use super::network::{self, Opening};
use super::{Options, Report};
use crate::address::{self, Address};

/// A difference of clocks that is worth saying, and one that Kerberos refuses (RFC 4120 section 5.9.1's usual limit).
const CLOCK_WARN_MS: i64 = 5_000;
const CLOCK_FAIL_MS: i64 = 300_000;

/// DNS, TCP and TLS, through the proxy where there is one; then an answer, and its clock.
pub(super) async fn look(report: &mut Report, options: &Options<'_>) {
    let settings = &options.config.service;
    let (address, tls) = match (Address::parse(&settings.url), address::tls(settings.ca.as_deref())) {
        (Ok(address), Ok(tls)) => (address, tls),
        (Err(error), _) | (_, Err(error)) => {
            return report.fail("service: configuration", error.to_string(), "correct the [service] section");
        }
    };
    let host = address.bare_host();
    let stream = match &options.proxy {
        Some(proxy) => match proxy.tunnel(&address.host, address.port).await {
            Ok(stream) => {
                report.ok("service: proxy", format!("{proxy} leads to {}:{}", address.host, address.port));
                Some(stream)
            }
            Err(why) => {
                let remedy = "see to service.proxy, and to what the proxy lets through (CONNECT to this port)";
                report.fail("service: proxy", format!("{proxy}: {why}"), remedy);
                None
            }
        },
        None => network::connect(report, "service", host, address.port).await,
    };
    let Some(stream) = stream else { return };
    if address.encrypted {
        let before = report.checks.len();
        network::handshake(report, "service", stream, host, Opening::Direct, tls.clone()).await;
        if report.checks.iter().skip(before).any(|check| check.verdict == super::Verdict::Fail) {
            return;
        }
    }
    match ask(&address, &tls, options).await {
        Ok(date) => {
            report.ok("service: answer", format!("{} answers", settings.url));
            clock(report, "service: clock", date, options.clock.now());
        }
        Err(why) => report.fail("service: answer", why, "see that service.url is Rollcall's address"),
    }
}

/// The service's own time, from its answer.
async fn ask(
    address: &Address,
    tls: &rustls::ClientConfig,
    options: &Options<'_>,
) -> Result<Option<Timestamp>, String> {
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_millis(limits::LDAP_TIMEOUT_MS.unsigned_abs()))
        .no_proxy();
    if let Some(proxy) = &options.proxy {
        client = client.proxy(proxy.for_requests().map_err(|error| error.to_string())?);
    }
    let client = client.build().map_err(|error| error.to_string())?;
    let answer = client.get(address.http("/healthz")).send().await.map_err(|error| error.without_url().to_string())?;
    if !answer.status().is_success() {
        return Err(format!("/healthz answers {}", answer.status()));
    }
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let read = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    Ok(read.map(|date| Timestamp(date.timestamp().as_microsecond())))
}

/// Says how far another clock is from ours.
pub(super) fn clock(report: &mut Report, name: &str, theirs: Option<Timestamp>, ours: Timestamp) {
    let Some(theirs) = theirs else {
        return report.warn(name, "it does not tell the time", "compare both clocks by hand");
    };
    let difference_ms = theirs.ms_since(ours);
    let found = format!("it is {:.1} s from ours", ms_as_seconds(difference_ms));
    let remedy = "let both hosts follow the same time servers";
    match difference_ms.abs() {
        0..CLOCK_WARN_MS => report.ok(name, found),
        CLOCK_WARN_MS..CLOCK_FAIL_MS => report.warn(name, found, remedy),
        _ => report.fail(name, format!("{found}: certificates and Kerberos tickets fail"), remedy),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a person's eyes, to a tenth of a second")]
fn ms_as_seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn clocks() {
        for (theirs_ms, verdict) in [
            (Some(0), Verdict::Ok),
            (Some(-4_900), Verdict::Ok),
            (Some(6_000), Verdict::Warn),
            (Some(-301_000), Verdict::Fail),
            (None, Verdict::Warn),
        ] {
            let mut report = Report::default();
            let ours = Timestamp(1_000_000_000_000);
            clock(&mut report, "clock", theirs_ms.map(|ms| ours.plus_ms(ms)), ours);
            assert_eq!(report.checks[0].verdict, verdict, "{theirs_ms:?}");
        }
    }
}
