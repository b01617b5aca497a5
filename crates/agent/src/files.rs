//! Files: the one place that touches them. Errors name the path; what is ours has mode 0600, its folder 0700.
#![expect(clippy::disallowed_methods, reason = "this file wraps them")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use crate::Error;

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    at(path, fs::read_to_string(path))
}

/// The bytes of a file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    at(path, fs::read(path))
}

/// The first line of a file, as a secret.
pub(crate) fn read_secret(path: &Path) -> Result<SecretString, Error> {
    let text = zeroize::Zeroizing::new(read_text(path)?);
    Ok(SecretString::from(text.lines().next().unwrap_or("")))
}

/// Whether there is a file.
pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}

/// Makes a folder of our own, and those above it, where they are missing.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    at(path, fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// Writes a file whole: a reader sees the old bytes or the new ones, also after a power cut.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = beside(path);
    let mut file = at(&new, OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new))?;
    at(&new, file.write_all(bytes))?;
    at(&new, file.sync_all())?;
    at(path, fs::rename(&new, path))?;
    sync_folder(path)
}

/// Makes a file's name outlive a power cut.
fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    at(folder, File::open(folder).and_then(|folder| folder.sync_all()))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Puts bytes into a new file beside this one, under a name of its own, which is returned.
pub(crate) fn keep_aside(path: &Path, bytes: &[u8]) -> Result<PathBuf, Error> {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{number}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            replace(&aside, bytes)?;
            return Ok(aside);
        }
        number += 1;
    }
}

/// Held while a process uses a data folder, so that no second one does.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder, or says that somebody else has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("agent.lock");
        let file = at(&path, OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::FolderInUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(Error::File { path, source }),
        }
    }
}

/// A file that grows at its end.
#[derive(Debug)]
pub(crate) struct Appender {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
}

impl Appender {
    /// Opens or makes the file; also what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<u8>), Error> {
        let mut options = OpenOptions::new();
        let mut file = at(path, options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path))?;
        let mut held = Vec::new();
        // It may be new.
        sync_folder(path)?;
        at(path, file.read_to_end(&mut held))?;
        let bytes = held.len() as u64;
        Ok((Self { path: path.to_owned(), file: Arc::new(file), bytes }, held))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Cuts the file to its first `bytes` bytes.
    pub(crate) fn cut(&mut self, bytes: u64) -> Result<(), Error> {
        at(&self.path, self.file.set_len(bytes))?;
        at(&self.path, self.file.sync_all())?;
        self.bytes = bytes;
        at(&self.path, (&*self.file).seek(SeekFrom::Start(bytes)).map(drop))
    }

    /// Hands bytes to the operating system; they are safe after [`Self::sync`].
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Err(source) = (&*self.file).write_all(bytes) {
            // Half a line in the middle would hide what follows it: leave nothing of it.
            let _ = self.file.set_len(self.bytes);
            let _ = (&*self.file).seek(SeekFrom::Start(self.bytes));
            return Err(Error::File { path: self.path.clone(), source });
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Waits until everything appended is on disk.
    pub(crate) async fn sync(&self) -> Result<(), Error> {
        let file = self.file.clone();
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        at(&self.path, synced.unwrap_or_else(|_| Err(io::Error::other("the sync was ended half way"))))
    }

    /// Puts other bytes in the file's place, whole.
    pub(crate) fn rewrite(&mut self, bytes: &[u8]) -> Result<(), Error> {
        replace(&self.path, bytes)?;
        let (mut fresh, held) = Self::open(&self.path)?;
        fresh.bytes = held.len() as u64;
        *self = fresh;
        Ok(())
    }
}
