//! The files that a client reads, each error with its path.
#![expect(clippy::disallowed_methods, reason = "the one file of this crate that touches files")]

use std::io::Read as _;
use std::path::Path;

use crate::error::Error;

/// Reads a whole file; `-` is the standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_start(path, usize::MAX)
}

/// Like [`read`], but no more than so many bytes, however large or endless the file is.
pub(crate) fn read_start(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let start = |source: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        source.take(u64::try_from(bytes_max).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = if path.as_os_str() == "-" {
        start(&mut std::io::stdin())
    } else {
        std::fs::File::open(path).and_then(|mut file| start(&mut file))
    };
    bytes.map_err(|cause| Error::File { path: path.to_owned(), cause })
}

/// Writes a whole file in place of what was there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|cause| Error::Unwritable { path: path.to_owned(), cause })
}

/// Like [`read`], as text; `None` where there is no such file.
pub(crate) fn read_text_if_present(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::File { path: path.to_owned(), cause }),
    }
}

/// Whether somebody else than the owner may read or change the file. Always `false` where there are no such modes.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
