//! Files: read, written whole and at once, with the mode that belongs to them. The one place that touches them.
#![expect(clippy::disallowed_methods, reason = "this file is the wrapper; its errors name the path")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::Error;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// 0600: the service alone.
    Secret,
    /// 0644.
    Public,
}

/// The whole file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { doing: "read", path: path.to_owned(), source }),
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), Error> {
    let fail = |source| Error::File { doing: "write", path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let bits = match mode {
        Mode::Secret => 0o600,
        Mode::Public => 0o644,
    };
    // A left-over of a crash may have another mode: it is made anew.
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(bits).open(temporary).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(temporary, path).map_err(fail)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
    }
    Ok(())
}

/// Makes an empty file that only the service can read, where there is none.
pub(crate) fn make_secret(path: &Path) -> Result<(), Error> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::File { doing: "make", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Takes a file that is there away from everybody but the service.
pub(crate) fn hide(path: &Path) -> Result<(), Error> {
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { doing: "set the mode of", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Removes a file that is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|source| Error::File { doing: "remove", path: path.to_owned(), source })
}

/// Makes a folder, and those above it, that only the service can enter.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| Error::File {
        doing: "make the folder",
        path: path.to_owned(),
        source,
    })
}

/// Names and modes of the files of a folder.
#[cfg(test)]
pub(crate) fn modes(folder: &Path) -> Vec<(String, u32)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().display().to_string(), entry.metadata().unwrap().permissions().mode() & 0o777))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read(&path).unwrap(), None);
        for (text, mode, bits) in [("a", Mode::Secret, 0o600), ("b", Mode::Public, 0o644), ("c", Mode::Secret, 0o600)] {
            write(&path, text.as_bytes(), mode).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), Some(text.as_bytes()));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, bits);
        }
        let (made, open) = (folder.path().join("made"), folder.path().join("open"));
        make_secret(&made).unwrap();
        make_secret(&made).unwrap();
        write(&open, b"x", Mode::Public).unwrap();
        for path in [&made, &open] {
            hide(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        hide(&folder.path().join("none")).unwrap();
        let error = write(&folder.path().join("no/such/folder"), b"", Mode::Public).unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
