//! A wall clock of one process that can be moved while it runs, by the library that the command `faketime` uses.
//! Monotonic clocks stay as they are.

use std::path::PathBuf;

use anyhow::Context as _;

pub(crate) struct MovedClock {
    library: PathBuf,
    file: PathBuf,
}

impl MovedClock {
    /// A clock that is right, for now; its setting is in `file`.
    pub(crate) fn new(file: PathBuf) -> anyhow::Result<Self> {
        let folders = std::fs::read_dir("/usr/lib")?.flatten();
        let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|path| path.exists()).context("faketime is not installed; ./check installs it")?;
        let clock = Self { library, file };
        clock.set(0)?;
        Ok(clock)
    }

    /// Moves the clock to so many seconds after, or before, the true time. A process sees it within a second.
    pub(crate) fn set(&self, seconds: i64) -> anyhow::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(new, &self.file)?)
    }

    /// What a process inherits that runs by this clock.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }
}
