//! The practice directory stays small.

/// Most lines of it, tests aside.
const LINES_MAX: usize = 1_500;

#[test]
#[expect(clippy::disallowed_methods, reason = "the sources are counted")]
fn it_has_at_most_1500_lines() {
    let mut lines = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = file.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "rs"), "{} is not counted", path.display());
        lines += std::fs::read_to_string(&path).unwrap().lines().count();
    }
    assert!((1..=LINES_MAX).contains(&lines), "{lines} lines");
}
