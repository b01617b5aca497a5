//! A small disk of its own for the service's data, which can be filled up and emptied again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

const SIZE: &str = "size=512m,mode=0700";

/// Mounted in memory over the folder; gone when dropped.
pub(super) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Moves a folder that nobody uses to a disk of its own.
    pub(super) fn under(folder: &Path) -> anyhow::Result<Self> {
        let before = folder.with_extension("before");
        std::fs::rename(folder, &before)?;
        std::fs::create_dir(folder)?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder))?;
        let disk = Self { folder: folder.to_owned() };
        run(Command::new("cp").arg("-a").arg(before.join(".")).arg(folder))?;
        std::fs::remove_dir_all(before)?;
        Ok(disk)
    }

    /// Leaves no block free.
    pub(super) fn fill(&self) -> anyhow::Result<()> {
        let file = std::fs::File::create(self.ballast())?;
        let mut bytes = 0;
        loop {
            let stat = statvfs(&self.folder)?;
            let free = stat.f_bavail * stat.f_frsize;
            if free == 0 {
                return Ok(());
            }
            match fallocate(&file, FallocateFlags::empty(), bytes, free) {
                Ok(()) => bytes += free,
                // The service was faster.
                Err(rustix::io::Errno::NOSPC) => {}
                Err(error) => return Err(error).context("filling the disk"),
            }
        }
    }

    pub(super) fn empty(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The service may still run there.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.folder)) {
            eprintln!("{error:#}");
        }
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let out = command.output()?;
    ensure!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}
