//! LDAP messages on a byte stream: one BER sequence after another (RFC 4511 5.1). Public for the player of transcripts.

#![expect(clippy::no_effect_underscore_binding, reason = "in what the codec's derive makes of `Page`")]

use std::io::{self, ErrorKind};

use rasn::prelude::*;
use rasn_ldap::LdapMessage;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest message that is read. Nesting is bounded by the codec.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Simple paged results (RFC 2696).
pub const PAGED: &str = "1.2.840.113556.1.4.319";
/// The controls that are understood.
pub const CONTROLS: &[&str] = &[PAGED];

/// The value of the paged results control.
#[derive(AsnType, Encode, Decode)]
pub struct Page {
    /// Entries wanted; in an answer an estimate of all, 0 where there is none.
    pub size: u32,
    /// Where to go on; empty at the beginning and after the last page.
    pub cookie: OctetString,
}

/// The next message; `None` at the end of the stream. Broken BER and over-long messages are `InvalidData`.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<LdapMessage>> {
    let mut bytes = vec![0_u8; 2];
    match stream.read_exact(&mut bytes).await {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let mut length = usize::from(bytes[1]);
    if length > 0x7F {
        let width = length - 0x80;
        if !(1..=4).contains(&width) {
            return Err(invalid("the length of a message is malformed"));
        }
        let mut wide = vec![0_u8; width];
        stream.read_exact(&mut wide).await?;
        length = wide.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        bytes.append(&mut wide);
    }
    if length > MESSAGE_BYTES_MAX {
        return Err(invalid("a message is too long"));
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    stream.read_exact(&mut bytes[head..]).await?;
    rasn::ber::decode(&bytes).map(Some).map_err(|_| invalid("a message is no LDAP message"))
}

/// The bytes of a message.
pub fn encode(message: &LdapMessage) -> io::Result<Vec<u8>> {
    rasn::ber::encode(message).map_err(|_| invalid("a message cannot be encoded"))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
