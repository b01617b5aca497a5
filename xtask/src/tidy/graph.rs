//! The resolved graph, asked of cargo itself: `cargo metadata` for the members and what they name, `cargo tree` for
//! what really comes in (metadata also lists optional crates that no feature has switched on).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The platform that we release for.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The workspace's crates.
pub(super) struct Members(pub(super) Vec<Member>);

/// One crate of the workspace.
pub(super) struct Member {
    /// As in its manifest.
    pub(super) name: String,
    /// Its direct normal dependencies, ours and foreign.
    pub(super) imports: BTreeSet<String>,
}

/// A foreign or own package that comes in.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: String,
    pub(super) features: BTreeSet<String>,
}

impl Members {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let metadata: Metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec()?;
        let member = |package: &cargo_metadata::Package| {
            let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            Member {
                name: package.name.to_string(),
                imports: normal.map(|dependency| dependency.name.clone()).collect(),
            }
        };
        Ok(Self(metadata.packages.iter().map(member).collect()))
    }
}

/// Everything that one crate reaches through normal dependencies, each with the way to it. Features are those that it
/// gets when built alone; what a procedural macro uses at build time is not reached.
pub(super) fn reached(root: &Path, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let edges = "normal,no-proc-macro";
    let text = tree(root, &["-p", name, "-e", edges, "--prefix", "depth", "--format", " {p}"])?;
    Ok(paths(&text))
}

/// Every package of the workspace's graph: normal, build and development dependencies.
pub(super) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let format = "{p}|{l}|{f}";
    let text =
        tree(root, &["--workspace", "-e", "normal,build,dev", "--prefix", "none", "--no-dedupe", "--format", format])?;
    let lines: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.into_iter().map(package).collect()
}

fn package(line: &str) -> anyhow::Result<Package> {
    let [package, licence, features] = line.split('|').collect::<Vec<_>>()[..] else { bail!("cargo tree: {line}") };
    let mut words = package.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    let version = words.next().unwrap_or_default().trim_start_matches('v').to_owned();
    let features = features.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned).collect();
    Ok(Package { name, version, licence: licence.to_owned(), features })
}

/// Reads a tree whose lines begin with their depth.
fn paths(text: &str) -> BTreeMap<String, String> {
    let mut way: Vec<&str> = Vec::new();
    let mut out = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(depth), Some(name)) = (words.next().and_then(|depth| depth.parse::<usize>().ok()), words.next())
        else {
            continue;
        };
        way.truncate(depth);
        way.push(name);
        if depth > 0 {
            out.entry(name.to_owned()).or_insert_with(|| way.join(" > "));
        }
    }
    out
}

fn tree(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--quiet", "--target", PLATFORM])
        .args(args)
        .output()
        .context("cargo tree")?;
    if !out.status.success() {
        bail!("cargo tree {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr));
    }
    Ok(String::from_utf8(out.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let found = paths("0 a v1\n1 b v1\n2 c v1\n1 d v1\n2 c v1 (*)\n");
        let ways: Vec<(&str, &str)> = found.iter().map(|(name, way)| (name.as_str(), way.as_str())).collect();
        assert_eq!(ways, [("b", "a > b"), ("c", "a > b > c"), ("d", "a > d")]);
    }

    #[test]
    fn packages_of_lines() {
        let found = package("ring v0.17.0 (proc-macro)|Apache-2.0 AND ISC|alloc,std").unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("ring", "0.17.0"));
        assert_eq!(found.licence, "Apache-2.0 AND ISC");
        assert!(found.features.contains("std"));
    }
}
