//! .NET's regular expressions on engines of Rust: a linear one, and one that backtracks, with a bound, where a pattern
//! looks around or back.

mod replacement;
mod translate;

use std::cell::Cell;

use rollcall_model::limits::{
    EXPRESSION_BUILT_CHARS_MAX, PATTERN_BACKTRACKS_MAX, PATTERN_BYTES_MAX, PATTERN_SEARCHES_MAX,
};
use translate::{Translated, translate};

/// Instructions of a pattern that backtracks: far more than anybody writes.
const PATTERN_INSTRUCTIONS_MAX: usize = 20_000;

/// What to write instead of a pattern that cannot be used.
pub(crate) const PATTERN_HINT: &str = "patterns are those of .NET; a backslash is written twice, as in \"\\\\d+\"";

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    engine: Engine,
    /// For a subject that ends with a newline, before which `$` also matches; `None` where that makes no difference.
    before_newline: Option<Engine>,
    names: Vec<String>,
    /// From .NET's number of a group to the engine's: .NET counts groups without a name first.
    numbers: Vec<usize>,
}

#[derive(Debug)]
enum Engine {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Where a match and its groups lie, by the engine's numbers.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

/// What searches of one evaluation may still cost.
#[derive(Debug)]
pub(crate) struct Work {
    searches_left: Cell<usize>,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self { searches_left: Cell::new(PATTERN_SEARCHES_MAX) }
    }
}

/// The pattern took more steps than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exploded;

impl Exploded {
    /// What a reader is told.
    pub(crate) const WHY: &str = "the pattern takes too many steps on this value; write it without nested repetitions";
}

impl Engine {
    fn new(pattern: &str, backtracks: bool) -> Result<Self, String> {
        if backtracks {
            let mut builder = fancy_regex::RegexBuilder::new(pattern);
            builder.backtrack_limit(PATTERN_BACKTRACKS_MAX);
            builder.delegate_size_limit(PATTERN_BYTES_MAX).max_prog_size(PATTERN_INSTRUCTIONS_MAX);
            return builder
                .build()
                .map(|regex| Self::Backtracking(Box::new(regex)))
                .map_err(|error| plain(&error.to_string()));
        }
        let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
        built.map(Self::Linear).map_err(|error| plain(&error.to_string()))
    }

    fn is_match(&self, text: &str, work: &Work) -> Result<bool, Exploded> {
        match self {
            Self::Linear(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => {
                work.spend()?;
                regex.is_match(text).map_err(|_| Exploded)
            }
        }
    }

    /// Where the next match lies; cheaper than its groups.
    fn place_at(&self, text: &str, at: usize, work: &Work) -> Result<Option<(usize, usize)>, Exploded> {
        match self {
            Self::Linear(regex) => Ok(regex.find_at(text, at).map(|found| (found.start(), found.end()))),
            Self::Backtracking(_) => {
                Ok(self.find_at(text, at, work)?.and_then(|groups| groups.first().copied().flatten()))
            }
        }
    }

    fn find_at(&self, text: &str, at: usize, work: &Work) -> Result<Option<Groups>, Exploded> {
        match self {
            Self::Linear(regex) => {
                let mut places = regex.capture_locations();
                let found = regex.captures_read_at(&mut places, text, at);
                Ok(found.map(|_| (0..places.len()).map(|group| places.get(group)).collect()))
            }
            Self::Backtracking(regex) => {
                work.spend()?;
                let found = regex.captures_from_pos(text, at).map_err(|_| Exploded)?;
                let place = |group: Option<fancy_regex::Match<'_>>| group.map(|found| (found.start(), found.end()));
                Ok(found.map(|captures| (0..captures.len()).map(|group| place(captures.get(group))).collect()))
            }
        }
    }
}

impl Work {
    fn spend(&self) -> Result<(), Exploded> {
        let left = self.searches_left.get().checked_sub(1).ok_or(Exploded)?;
        self.searches_left.set(left);
        Ok(())
    }
}

/// An engine's complaint in one line: the drawing of the pattern above it is of a translated one.
fn plain(error: &str) -> String {
    let last = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it is not well formed");
    last.trim().trim_start_matches("error: ").to_owned()
}

impl Pattern {
    /// Compiles a pattern as .NET would read it; what it says instead where it cannot be used.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let Translated { plain, before_newline, backtracks, groups } = translate(pattern)?;
        let mut names: Vec<String> = Vec::new();
        let mut numbers = vec![0];
        numbers.extend((1..).zip(&groups).filter(|(_, name)| name.is_none()).map(|(number, _)| number));
        numbers.extend((1..).zip(&groups).filter(|(_, name)| name.is_some()).map(|(number, _)| number));
        names.extend(groups.iter().map(|name| name.clone().unwrap_or_default()));
        let engine = Engine::new(&plain, backtracks)?;
        let before_newline = before_newline.map(|pattern| Engine::new(&pattern, true)).transpose()?;
        Ok(Self { engine, before_newline, names, numbers })
    }

    fn engine(&self, text: &str) -> &Engine {
        self.before_newline.as_ref().filter(|_| text.ends_with('\n')).unwrap_or(&self.engine)
    }

    /// The engine's number of a group; a name, or .NET's number.
    pub(crate) fn group(&self, name: &str) -> Option<usize> {
        if let Some(at) = self.names.iter().position(|known| !known.is_empty() && known == name) {
            return Some(at + 1);
        }
        self.numbers.get(name.parse::<usize>().ok()?).copied()
    }

    /// The names of its groups.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).filter(|name| !name.is_empty())
    }

    pub(crate) fn is_match(&self, text: &str, work: &Work) -> Result<bool, Exploded> {
        self.engine(text).is_match(text, work)
    }

    pub(crate) fn find(&self, text: &str, work: &Work) -> Result<Option<Groups>, Exploded> {
        self.engine(text).find_at(text, 0, work)
    }

    /// Visits every match from left to right. As .NET does, an empty one counts directly behind a match too.
    fn each<T>(
        text: &str,
        next: impl Fn(usize) -> Result<Option<T>, Exploded>,
        place: impl Fn(&T) -> Option<(usize, usize)>,
        mut visit: impl FnMut(&T, (usize, usize)),
    ) -> Result<(), Exploded> {
        let mut at = 0;
        while at <= text.len() {
            let Some(found) = next(at)? else { break };
            let Some((start, end)) = place(&found) else { break };
            visit(&found, (start, end));
            at = if start == end { next_border(text, end) } else { end };
        }
        Ok(())
    }

    /// Every match exchanged for what `template` makes of it.
    pub(crate) fn replace(&self, text: &str, template: &str, work: &Work) -> Result<String, Exploded> {
        let engine = self.engine(text);
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        let mut exchange = |(start, end): (usize, usize), add: &dyn Fn(&mut String)| {
            if out.len() <= EXPRESSION_BUILT_CHARS_MAX {
                out.push_str(text.get(done..start).unwrap_or(""));
                add(&mut out);
                done = end;
            }
        };
        if template.contains('$') {
            Self::each(
                text,
                |at| engine.find_at(text, at, work),
                whole,
                |groups, place| {
                    exchange(place, &|out| replacement::expand(template, self, text, groups, out));
                },
            )?;
        } else {
            let next = |at| engine.place_at(text, at, work);
            Self::each(text, next, |place| Some(*place), |_, place| exchange(place, &|out| out.push_str(template)))?;
        }
        out.push_str(text.get(done..).unwrap_or(""));
        Ok(out)
    }

    /// In every match only the text of one group exchanged for `new`, which stands for itself.
    pub(crate) fn replace_group(&self, text: &str, group: usize, new: &str, work: &Work) -> Result<String, Exploded> {
        let engine = self.engine(text);
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        Self::each(
            text,
            |at| engine.find_at(text, at, work),
            whole,
            |groups, _| {
                if let Some(Some((start, end))) = groups.get(group)
                    && *start >= done
                    && out.len() <= EXPRESSION_BUILT_CHARS_MAX
                {
                    out.push_str(text.get(done..*start).unwrap_or(""));
                    out.push_str(new);
                    done = *end;
                }
            },
        )?;
        out.push_str(text.get(done..).unwrap_or(""));
        Ok(out)
    }
}

/// Where a match as a whole lies.
fn whole(groups: &Groups) -> Option<(usize, usize)> {
    groups.first().copied().flatten()
}

fn next_border(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(text.len() + 1, |c| at + c.len_utf8())
}
