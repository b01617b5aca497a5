//! proxyAddresses (semantics `addresses`).

use super::super::addresses::{Leaving, after, normal};

fn list(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn check(leaving: Leaving, found: &str, wanted: &str, owned: &str, expected: &str) {
    let (wanted, owned) = (list(wanted), list(owned));
    let mut all = after(&list(found), &wanted, &owned, leaving);
    let again = after(&all, &wanted, &owned, leaving);
    all.sort();
    assert_eq!(all, list(expected), "found {found}, wanted {wanted:?}, owned {owned:?}");
    let mut again = again;
    again.sort();
    assert_eq!(again, all, "planned again");
}

/// semantics: addresses
#[test]
fn what_comes_stays_and_goes() {
    let check = |found, wanted, owned, expected| check(Leaving::WhatWeWrote, found, wanted, owned, expected);
    check("", "SMTP:a@x", "", "SMTP:a@x");
    // Another primary address: the one before stays as an alias, whoever wrote it.
    check("SMTP:a@x", "SMTP:b@x", "SMTP:a@x", "SMTP:b@x smtp:a@x");
    check("SMTP:a@x", "SMTP:b@x", "", "SMTP:b@x smtp:a@x");
    check("SMTP:a@x smtp:b@x", "SMTP:b@x", "SMTP:a@x", "SMTP:b@x smtp:a@x");
    check("SMTP:a@x smtp:b@x", "SMTP:b@x smtp:a@x", "SMTP:a@x smtp:b@x", "SMTP:b@x smtp:a@x");
    // Two by hand are one too many.
    check("SMTP:a@x SMTP:c@x", "SMTP:b@x", "", "SMTP:b@x smtp:a@x smtp:c@x");
    // An alias that we wrote goes, one of somebody else stays.
    check("SMTP:a@x smtp:b@x smtp:c@x", "SMTP:a@x", "SMTP:a@x smtp:b@x", "SMTP:a@x smtp:c@x");
    check("SMTP:a@x smtp:B@x", "SMTP:a@x", "SMTP:a@x smtp:b@x", "SMTP:a@x smtp:B@x");
    // Other kinds stay, even those that we wrote.
    check(
        "SMTP:a@x X500:/o=a sip:a@x X400:c=us",
        "SMTP:b@x",
        "SMTP:a@x sip:a@x",
        "SMTP:b@x X400:c=us X500:/o=a sip:a@x smtp:a@x",
    );
    // What has no kind is a mail address.
    check("a@x SMTP:b@x", "SMTP:b@x", "a@x SMTP:b@x", "SMTP:b@x");
    // Promoted by hand, and ours: a demoted one that we wrote goes at once.
    check("SMTP:a@x", "SMTP:b@x", "smtp:a@x", "SMTP:b@x");
    // Without another primary address the one that is there stays.
    check("SMTP:a@x", "smtp:b@x", "SMTP:a@x", "SMTP:a@x smtp:b@x");
    check("SMTP:a@x", "smtp:a@x", "SMTP:a@x", "SMTP:a@x");
    check("", "smtp:a@x", "", "smtp:a@x");
    // The spelling of the mapping is written.
    check("SMTP:A@X", "SMTP:a@x", "", "SMTP:a@x");
    check("smtp:A@X SIP:A@x", "smtp:a@x sip:a@x", "", "sip:a@x smtp:a@x");
    // Cleared: all that we wrote.
    check("SMTP:a@x smtp:b@x smtp:c@x sip:a@x", "", "SMTP:a@x smtp:b@x sip:a@x", "sip:a@x smtp:c@x");
}

/// semantics: addresses (flow types that only add)
#[test]
fn nothing_leaves_where_values_are_only_added() {
    let check = |found, wanted, expected| check(Leaving::Nothing, found, wanted, "SMTP:a@x smtp:b@x", expected);
    check("SMTP:a@x smtp:b@x", "SMTP:c@x", "SMTP:c@x smtp:a@x smtp:b@x");
    check("SMTP:a@x smtp:b@x", "", "SMTP:a@x smtp:b@x");
}

/// semantics: addresses (duplicates)
#[test]
fn each_address_once_and_one_of_them_primary() {
    for (values, expected) in [
        ("smtp:a@x SMTP:A@x", "SMTP:A@x"),
        ("SMTP:a@x smtp:A@x smtp:b@x", "SMTP:a@x smtp:b@x"),
        ("SMTP:a@x SMTP:b@x SMTP:c@x", "SMTP:a@x smtp:b@x smtp:c@x"),
        ("Smtp:a@x", "smtp:a@x"),
        ("sip:a@x SIP:a@x X500:/o=A", "sip:a@x X500:/o=A"),
        ("a@x :b", "a@x :b"),
    ] {
        assert_eq!(normal(&list(values)), list(expected), "{values}");
    }
}
