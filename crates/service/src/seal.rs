//! Secrets at rest: XChaCha20-Poly1305 under the master key, bound to the place they are stored at.

use aws_lc_rs::hmac;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rollcall_model::Random;
use zeroize::Zeroizing;

use crate::Error;

const NONCE_BYTES: usize = 24;
/// Format of a sealed value: this byte, the nonce, the ciphertext with its tag.
const FORMAT: u8 = 1;

/// The key that seals everything else; 32 bytes in a file of its own, apart from the database.
#[derive(Clone)]
pub(crate) struct MasterKey(Zeroizing<[u8; 32]>);

/// Where a sealed value stands. It opens nowhere else, so that values cannot be swapped inside the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) row: &'a str,
    pub(crate) column: &'a str,
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        format!("rollcall\n{}\n{}\n{}", self.table, self.row, self.column).into_bytes()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

impl MasterKey {
    /// A fresh one.
    #[must_use]
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut key = Zeroizing::new([0_u8; 32]);
        random.fill(key.as_mut_slice());
        Self(key)
    }

    /// From the file's text: 64 hexadecimal digits.
    pub(crate) fn from_text(text: &str) -> Result<Self, Error> {
        let bytes = Zeroizing::new(
            data_encoding::HEXLOWER_PERMISSIVE
                .decode(text.trim().as_bytes())
                .map_err(|_| Error::Keys("the master key file must hold 64 hexadecimal digits".to_owned()))?,
        );
        let key: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| Error::Keys("the master key file must hold 64 hexadecimal digits".to_owned()))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The file's text.
    #[must_use]
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", data_encoding::HEXLOWER.encode(self.0.as_slice())))
    }

    /// Seals `plain` for one place.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
        let mut nonce = [0_u8; NONCE_BYTES];
        random.fill(&mut nonce);
        let aad = place.bytes();
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| Error::Keys("sealing failed".to_owned()))?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same place under the same key.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broken = || {
            Error::Keys(format!(
                "what is sealed in {}.{} (row {}) does not open with this master key; give the file that belongs to \
                 this database in secrets.master_key_file",
                place.table, place.column, place.row
            ))
        };
        let (format, rest) = sealed.split_first().ok_or_else(broken)?;
        let (nonce, text) = rest.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| broken())?;
        if *format != FORMAT {
            return Err(broken());
        }
        let aad = place.bytes();
        let opened = self.cipher().decrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad });
        opened.map(Zeroizing::new).map_err(|_| broken())
    }

    /// 32 bytes that follow from the key, for one purpose and one name (HMAC-SHA256, RFC 2104).
    #[must_use]
    pub(crate) fn derive(&self, purpose: &str, name: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice());
        let tag = hmac::sign(&key, format!("rollcall\n{}\n{purpose}\n{name}", purpose.len()).as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;

    #[test]
    fn opens_only_at_its_place_and_under_its_key() {
        let key = MasterKey::generate(&SystemRandom);
        let place = Place { table: "signing_key", row: "k1", column: "sealed" };
        let sealed = key.seal(place, b"secret", &SystemRandom).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(key.open(place, &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(MasterKey::from_text(&key.to_text()).unwrap().open(place, &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open(Place { row: "k2", ..place }, &sealed).is_err());
        assert!(MasterKey::generate(&SystemRandom).open(place, &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open(place, &changed).is_err());
        assert!(key.open(place, &sealed[..10]).is_err());
        assert!(key.open(place, &[]).is_err());
        assert!(MasterKey::from_text("abc").is_err());
    }
}
