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

/// Puts a file under another name in its folder, also over a power cut.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    at(to, fs::rename(from, to))?;
    sync_folder(to)
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
    /// What the last rewrite kept.
    kept_bytes: u64,
    /// The file that takes this one's place; it is given all that is appended meanwhile.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    file: Arc<File>,
    bytes: u64,
    kept_bytes: u64,
}

/// The new file is in place.
pub(crate) struct Replaced(());

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
        Ok((Self { path: path.to_owned(), file: Arc::new(file), bytes, kept_bytes: 0, next: None }, held))
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

    /// How much the last rewrite kept.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    pub(crate) fn is_being_rewritten(&self) -> bool {
        self.next.is_some()
    }

    /// Hands bytes to the operating system; they are safe after [`Self::sync`].
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        append(&self.path, &self.file, &mut self.bytes, bytes)?;
        match &mut self.next {
            Some(next) => append(&self.path, &next.file, &mut next.bytes, bytes),
            None => Ok(()),
        }
    }

    /// Waits until everything appended so far is on disk. The file is not borrowed meanwhile.
    pub(crate) fn sync(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (path, file) = (self.path.clone(), self.file.clone());
        let next = self.next.as_ref().map(|next| next.file.clone());
        async move {
            let sync = move || file.sync_data().and_then(|()| next.map_or(Ok(()), |next| next.sync_data()));
            at(&path, off_thread(sync).await)
        }
    }

    /// Begins to put other bytes in the file's place. What is appended until the end goes into both, so that whichever
    /// is found after a crash is whole. The rest of the work is the answer's; then [`Self::end_rewrite`] is due.
    pub(crate) fn begin_rewrite(
        &mut self,
        bytes: &[u8],
    ) -> Result<impl Future<Output = Result<Replaced, Error>> + Send + use<>, Error> {
        let (path, new) = (self.path.clone(), beside(&self.path));
        let file = at(&new, OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new))?;
        let file = Arc::new(file);
        let mut length = 0;
        append(&new, &file, &mut length, bytes)?;
        self.next = Some(Next { file: file.clone(), bytes: length, kept_bytes: length });
        Ok(async move {
            let replace = {
                let path = path.clone();
                move || {
                    file.sync_all()?;
                    fs::rename(&new, &path)?;
                    File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
                }
            };
            at(&path, off_thread(replace).await).map(Replaced)
        })
    }

    /// The new file is in place: from now on there is no other.
    pub(crate) fn end_rewrite(&mut self, _: Replaced) {
        if let Some(next) = self.next.take() {
            (self.file, self.bytes, self.kept_bytes) = (next.file, next.bytes, next.kept_bytes);
        }
    }
}

fn append(path: &Path, file: &File, length: &mut u64, bytes: &[u8]) -> Result<(), Error> {
    let mut end = file;
    if let Err(source) = end.write_all(bytes) {
        // Half a line in the middle would hide what follows it: leave nothing of it.
        let _ = file.set_len(*length);
        let _ = end.seek(SeekFrom::Start(*length));
        return Err(Error::File { path: path.to_owned(), source });
    }
    *length += bytes.len() as u64;
    Ok(())
}

/// Where waiting for the disk holds nobody up.
async fn off_thread(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("the work was ended half way")))
}
