use super::Example;
pub(super) const ALL: &[Example] = &[];
