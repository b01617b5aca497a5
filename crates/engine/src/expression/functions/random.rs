//! Random values, from a generator that the context seeds: one person and mapping, one value.

use std::cell::{Cell, RefCell};

use rollcall_model::limits::RANDOM_STRING_CHARS_MAX;
use rollcall_syntax::Span;
use sha2::{Digest as _, Sha256};

use super::convert::bytes::hyphenated;
use super::{Family, FunctionInfo, Nature, Type, constant_number, in_range, optional, required};
use crate::expression::scope::Arguments;
use crate::expression::{Argument, Fault, Unusable, Value};

const NOTE: &str = "The same job, person and mapping always get the same value.";

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("Guid", &[], Type::Text, |a| {
        let mut bytes = [0; 16];
        bytes.fill_with(|| a.scope.generator.byte());
        // Version 4, variant 1 (RFC 9562 5.4).
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        a.built(hyphenated(&data_encoding::HEXLOWER.encode(&bytes)))
    })
    .of(Family::Random)
    .nature(Nature::Random)
    .told("A random GUID, lower case with hyphens.", &[NOTE]),
    FunctionInfo::new(
        "RandomNum",
        &[required("low", Type::Number), required("high", Type::Number)],
        Type::Number,
        |a| {
            let (low, high) = (a.number(0)?.unwrap_or(0), a.number(1)?.unwrap_or(0));
            let Some(span) = high.checked_sub(low).and_then(|span| u64::try_from(span).ok()) else {
                return Err(a.fault(1, &a.value(1)?, "the highest number must not be below the lowest"));
            };
            let drawn = a.scope.generator.below(span.saturating_add(1));
            Ok(Value::Number(low.saturating_add_unsigned(drawn)))
        },
    )
    .of(Family::Random)
    .nature(Nature::Random)
    .told("A random whole number between two, both included.", &[NOTE]),
    FunctionInfo::new(
        "RandomString",
        &[
            required("length", Type::Number),
            required("minNumbers", Type::Number),
            required("minSpecial", Type::Number),
            required("minCapital", Type::Number),
            required("minLower", Type::Number),
            optional("charactersToAvoid", Type::Text),
        ],
        Type::Text,
        random_string,
    )
    .check(check_string)
    .of(Family::Random)
    .nature(Nature::Random)
    .told(
        "A random text with at least so many digits, special characters, capitals and small letters.",
        &[NOTE, "At most 256 characters, and at least as many as the four numbers together."],
    ),
];

/// Refuses constants that no text can keep to.
fn check_string(_: Span, arguments: &[Argument]) -> Result<(), Unusable> {
    for at in 0..5 {
        let message = "RandomString: lengths are from 0 to 256";
        in_range(arguments, at, 0..=256, message, "at most 256 characters can be made")?;
    }
    let least: i64 = (1..5).filter_map(|at| constant_number(arguments, at)).sum();
    let message = format!("RandomString: the length is below the sum of the minimums, {least}");
    in_range(arguments, 0, least..=256, &message, "make it longer, or the minimums smaller")
}

const CLASSES: [&str; 4] =
    ["0123456789", "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"];

fn random_string<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let count = |at: usize| match a.number(at)?.map_or(Ok(0), usize::try_from) {
        Ok(count) if count <= RANDOM_STRING_CHARS_MAX => Ok(count),
        _ => Err(a.fault(at, &a.value(at)?, &format!("it must be from 0 to {RANDOM_STRING_CHARS_MAX}"))),
    };
    let length = count(0)?;
    let avoided = a.text_or_empty(5)?;
    let classes = CLASSES.map(|class| class.chars().filter(|c| !avoided.contains(*c)).collect::<Vec<char>>());
    let (mut out, mut wanted) = (Vec::with_capacity(length), 0);
    for (at, class) in classes.iter().enumerate() {
        let least = count(at + 1)?;
        wanted += least;
        for _ in 0..least {
            let Some(c) = a.scope.generator.pick(class) else {
                return Err(a.fault(5, &a.value(5)?, "it leaves no character of a class that must be there"));
            };
            out.push(c);
        }
    }
    if wanted > length {
        return Err(a.fault(0, &a.value(0)?, &format!("the length is below the sum of the minimums, {wanted}")));
    }
    // Letters and digits fill up what is left, as long as there are any: special characters are only those asked for.
    let plain: Vec<char> = [0, 2, 3].iter().flat_map(|at| classes[*at].iter().copied()).collect();
    let filling = if plain.is_empty() { &classes[1] } else { &plain };
    while out.len() < length {
        match a.scope.generator.pick(filling) {
            Some(c) => out.push(c),
            None => return Err(a.fault(5, &a.value(5)?, "it leaves no character at all")),
        }
    }
    for at in (1..out.len()).rev() {
        let other = usize::try_from(a.scope.generator.below(at as u64 + 1)).unwrap_or(0);
        out.swap(at, other);
    }
    a.built(out.into_iter().collect())
}

/// SHA-256 in counter mode over the seed: unpredictable to who does not know it.
pub(in crate::expression) struct Generator {
    seed: [u8; 32],
    block: RefCell<[u8; 32]>,
    drawn: Cell<u64>,
}

impl Generator {
    pub(in crate::expression) fn new(seed: [u8; 32]) -> Self {
        Self { seed, block: RefCell::new([0; 32]), drawn: Cell::new(0) }
    }

    fn byte(&self) -> u8 {
        let drawn = self.drawn.get();
        self.drawn.set(drawn + 1);
        let mut block = self.block.borrow_mut();
        if drawn.is_multiple_of(32) {
            let mut hash = Sha256::new();
            hash.update(b"rollcall expression v1");
            hash.update(self.seed);
            hash.update((drawn / 32).to_le_bytes());
            *block = hash.finalize().into();
        }
        block[usize::try_from(drawn % 32).unwrap_or(0)]
    }

    /// A number below `bound`, each equally likely; 0 where `bound` is 0.
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let mut bytes = [0; 8];
            bytes.fill_with(|| self.byte());
            let drawn = u64::from_le_bytes(bytes);
            if drawn < fair {
                return drawn % bound;
            }
        }
    }

    fn pick(&self, from: &[char]) -> Option<char> {
        let at = self.below(from.len() as u64);
        from.get(usize::try_from(at).ok()?).copied()
    }
}
