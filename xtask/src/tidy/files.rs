//! The tree's text files: sizes, names of modules, and what must not stand in a file.

use std::path::{Path, PathBuf};

/// Lines of a source file, without its tests.
const LINES_MAX: usize = 700;
/// Names that say nothing about what is in a module.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// One text file.
pub(super) struct File {
    /// From the workspace's folder.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Every text file of ours.
pub(super) struct Tree(Vec<File>);

impl Tree {
    /// Reads the folders that hold text of ours; build products and hidden state stay outside.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
                if hidden || name == "target" || name == "Cargo.lock" {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    waiting.push(entry.path());
                } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
                    let path = entry.path().strip_prefix(root)?.to_owned();
                    files.push(File { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    /// Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.0.iter().filter(|file| file.path.extension().is_some_and(|end| end == "rs"))
    }
}

impl File {
    /// Whether the whole file is tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.file_stem().is_some_and(|stem| stem == "tests")
            || self.path.components().any(|part| part.as_os_str() == "tests")
    }

    /// The lines before the tests at the file's end.
    fn own_lines(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines
            .windows(2)
            .position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod ") && two[1].trim_end().ends_with('{'));
        tests.unwrap_or(lines.len())
    }
}

/// What is wrong with the files.
pub(super) fn complaints(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    for file in tree.rust() {
        let shown = file.path.display();
        let lines = file.own_lines();
        if lines > LINES_MAX && !file.is_test() {
            out.push(format!("{shown}: {lines} lines, {LINES_MAX} at most"));
        }
        let parts = file.path.iter().filter_map(|part| part.to_str());
        if let Some(name) = parts.map(|part| part.trim_end_matches(".rs")).find(|name| EMPTY_NAMES.contains(name)) {
            out.push(format!("{shown}: a module named '{name}' says nothing about what is in it"));
        }
    }
    for file in &tree.0 {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(why) = forbidden(line) {
                out.push(format!("{}:{}: {why}", file.path.display(), at + 1));
            }
        }
    }
    out
}

/// Why a line must not be committed. The patterns are put together here so that this file does not hold them.
fn forbidden(line: &str) -> Option<&'static str> {
    // Homes and work folders of whoever builds; a path below the repository never starts like this.
    let homes = [["/wo", "rk/main"], ["/wo", "rk/shared"], ["/wo", "rk/target"], ["/ro", "ot/"]];
    if homes.iter().any(|home| line.contains(home.concat().as_str())) || is_home_path(line) {
        return Some("a path of one machine");
    }
    let hosts =
        [["index.crates", ".io"], ["static.crates", ".io"], ["registry.npmjs", ".org"], ["proxy.golang", ".org"]];
    if hosts.iter().any(|host| line.contains(host.concat().as_str())) {
        return Some("the name of a registry's host; the configured one is used");
    }
    None
}

/// A folder below the homes: examples write `~`.
fn is_home_path(line: &str) -> bool {
    let home = ["/ho", "me/"].concat();
    line.split(home.as_str()).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Tree {
        Tree(vec![File { path: path.into(), text: text.to_owned() }])
    }

    #[test]
    fn sizes_and_names() {
        let check = |path: &str, text: &str, expected: &[&str]| {
            assert_eq!(complaints(&file(path, text)), expected, "{path}");
        };
        let long = "x\n".repeat(701);
        check("a/src/lib.rs", &long, &["a/src/lib.rs: 701 lines, 700 at most"]);
        check("a/src/lib.rs", &format!("{}#[cfg(test)]\nmod tests {{\n{long}", "x\n".repeat(9)), &[]);
        check("a/src/x/tests.rs", &long, &[]);
        check("a/src/util.rs", "", &["a/src/util.rs: a module named 'util' says nothing about what is in it"]);
        check(
            "a/src/helper/mod.rs",
            "",
            &["a/src/helper/mod.rs: a module named 'helper' says nothing about what is in it"],
        );
        check("docs/a.md", "ok\n", &[]);
        let path = ["/ho", "me/ada/x"].concat();
        check("docs/a.md", &path, &["docs/a.md:1: a path of one machine"]);
        let host = ["https://index.crates", ".io/"].concat();
        check("docs/a.md", &host, &["docs/a.md:1: the name of a registry's host; the configured one is used"]);
    }
}
