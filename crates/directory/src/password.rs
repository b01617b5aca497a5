//! First passwords: made for our own add, never kept.

use rollcall_model::Random;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Sixty-four characters, so that six bits of a byte pick one without bias. Upper and lower case, digits and signs
/// that every keyboard and AD's complexity rule know; those that are easily misread are left out.
const ALPHABET: &[u8; 64] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.!#%+";

/// The shortest password that is made: 144 bits of randomness.
pub const PASSWORD_CHARS_MIN: usize = 24;

/// Parts of names shorter than this are not looked for; AD's complexity rule does not either.
const NAME_PART_CHARS_MIN: usize = 3;

/// A random password of `length` characters, but at least [`PASSWORD_CHARS_MIN`], with characters of three classes or
/// more, in which none of `name_parts` (three characters or longer, whatever the case) occurs. Drawn anew until it is
/// so, which keeps every password that qualifies equally likely.
#[must_use]
pub fn generate(random: &dyn Random, name_parts: &[&str], length: usize) -> SecretString {
    let length = length.max(PASSWORD_CHARS_MIN);
    let parts: Vec<String> = name_parts
        .iter()
        .flat_map(|part| part.split(|c: char| !c.is_alphanumeric()).chain([*part]))
        .filter(|part| part.chars().count() >= NAME_PART_CHARS_MIN)
        .map(str::to_lowercase)
        .collect();
    let mut turn = 0_usize;
    loop {
        let candidate = draw(random, length, turn);
        if qualifies(candidate.expose_secret(), &parts) {
            return candidate;
        }
        turn = turn.wrapping_add(1);
    }
}

/// One candidate. Each turn after the first shifts the characters by a fixed pattern: that leaves a good generator's
/// output as uniform as it was, and lets the search end even with one that is stuck on one byte.
fn draw(random: &dyn Random, length: usize, turn: usize) -> SecretString {
    let mut bytes = Zeroizing::new(vec![0_u8; length]);
    random.fill(&mut bytes);
    let mut text = String::with_capacity(length);
    for (at, byte) in bytes.iter().enumerate() {
        let pick = usize::from(*byte).wrapping_add(at.wrapping_mul(turn).wrapping_mul(11));
        text.push(char::from(ALPHABET[pick % ALPHABET.len()]));
    }
    SecretString::from(text)
}

fn qualifies(password: &str, parts: &[String]) -> bool {
    let has = |class: fn(&u8) -> bool| usize::from(password.bytes().any(|byte| class(&byte)));
    let classes = has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation);
    let folded = Zeroizing::new(password.to_lowercase());
    classes >= 3 && !parts.iter().any(|part| folded.contains(part.as_str()))
}

/// `unicodePwd` as AD takes it: the password in quotes, UTF-16, little-endian (MS-ADTS 3.1.1.3.1.5).
pub(crate) fn to_unicode_pwd(password: &SecretString) -> Zeroizing<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * password.expose_secret().len() + 4);
    for unit in std::iter::once(u16::from(b'"'))
        .chain(password.expose_secret().encode_utf16())
        .chain(std::iter::once(u16::from(b'"')))
    {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    Zeroizing::new(bytes)
}

#[cfg(test)]
mod tests;
