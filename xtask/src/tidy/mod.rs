//! Checks of the whole tree that no compiler makes. Each gives a list of complaints; none stops at the first.

mod files;
mod graph;
mod licences;
mod pages;
pub(crate) mod walls;

use std::path::Path;

use anyhow::bail;

/// Runs every check and fails with all complaints.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let members = graph::Members::read(root)?;
    let sources = files::Tree::read(root)?;
    let checks: [(&str, Vec<String>); 6] = [
        ("walls", walls::complaints(&walls::Rooms::read(root, &members)?)),
        ("licences", licences::complaints(root, &members)?),
        ("files", files::complaints(&sources)),
        ("errors", pages::error_pages(root)),
        ("semantics", pages::semantics(root, &sources)),
        ("generated", crate::generate::stale(root)),
    ];
    let mut bad = 0;
    for (name, complaints) in &checks {
        println!("{name:<10} {}", if complaints.is_empty() { "ok" } else { "FAILED" });
        for complaint in complaints {
            println!("           {complaint}");
        }
        bad += complaints.len();
    }
    if bad > 0 {
        bail!("{bad} complaints");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::run(crate::root()).unwrap();
    }
}
