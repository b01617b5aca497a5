use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// SplitMix64: enough for statistics, repeatable.
struct Seeded(AtomicU64);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut x = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (x >> 56) as u8;
        }
    }
}

struct Stuck(u8);

impl Random for Stuck {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn seeded() -> Seeded {
    Seeded(AtomicU64::new(7))
}

// semantics: password
#[test]
fn passwords_are_long_mixed_and_free_of_names() {
    let random = seeded();
    // Parts this common in random text are what makes the rule visible: without it about one in two would fail.
    let names = ["Ab", "a b-abc", "xyz", "qrs", "Ann", "Bob", "tom", "Eve", "kim", "lee"];
    for asked in [0, 24, 25, 64] {
        for _ in 0..500 {
            let password = generate(&random, &names, asked);
            let text = password.expose_secret();
            assert_eq!(text.len(), asked.max(24));
            assert!(qualifies(text, &[]), "{text}");
            for part in ["abc", "xyz", "qrs", "ann", "bob", "tom", "eve", "kim", "lee"] {
                assert!(!text.to_lowercase().contains(part), "{text} holds {part}");
            }
        }
    }
}

// semantics: password
#[test]
fn what_does_not_qualify() {
    for (password, parts, expected) in [
        ("abcdefGH2", vec![], true),
        ("abcdefgh2", vec![], false),
        ("ABCDEF-2", vec![], true),
        ("abADA2xx", vec!["ada".to_owned()], false),
        ("ab-da2XX", vec!["ada".to_owned()], true),
    ] {
        assert_eq!(qualifies(password, &parts), expected, "{password}");
    }
}

#[test]
fn every_character_is_equally_likely() {
    let random = seeded();
    let mut counts = BTreeMap::new();
    let rounds = 4_000;
    for _ in 0..rounds {
        for c in generate(&random, &[], 32).expose_secret().chars() {
            *counts.entry(c).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(counts.len(), 64);
    let expected = rounds * 32 / 64;
    for (c, count) in counts {
        assert!(count.abs_diff(expected) < expected / 8, "{c}: {count} of {expected}");
    }
}

#[test]
fn a_stuck_generator_does_not_hang() {
    for byte in [0, 17, 63, 255] {
        assert!(qualifies(generate(&Stuck(byte), &["abc"], 24).expose_secret(), &["abc".to_owned()]));
    }
}

#[test]
fn the_wire_form_is_quoted_utf16() {
    assert_eq!(to_unicode_pwd(&SecretString::from("aé")).as_slice(), [b'"', 0, b'a', 0, 0xE9, 0, b'"', 0]);
}
