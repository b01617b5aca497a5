use super::Examples;
pub(super) const ALL: Examples = &[];
