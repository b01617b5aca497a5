//! From .NET's notation to that of the engines: what is written alike but means something else, and what only .NET has.

use std::iter::Peekable;
use std::str::Chars;

/// A pattern in the engines' notation.
pub(super) struct Translated {
    /// For a subject that does not end with a newline.
    pub plain: String,
    /// For one that does, where that makes a difference.
    pub before_newline: Option<String>,
    /// Whether it looks around or back.
    pub backtracks: bool,
    /// The names of its groups in the order they open.
    pub groups: Vec<Option<String>>,
}

/// Unicode blocks that mappings name, as ranges of a class.
const BLOCKS: &[(&str, &str)] = &[
    ("IsBasicLatin", r"\x00-\x7F"),
    ("IsLatin-1Supplement", r"\x{80}-\x{FF}"),
    ("IsLatinExtended-A", r"\x{100}-\x{17F}"),
    ("IsLatinExtended-B", r"\x{180}-\x{24F}"),
    ("IsLatinExtendedAdditional", r"\x{1E00}-\x{1EFF}"),
    ("IsCombiningDiacriticalMarks", r"\x{300}-\x{36F}"),
    ("IsGreek", r"\x{370}-\x{3FF}"),
    ("IsGreekandCoptic", r"\x{370}-\x{3FF}"),
    ("IsCyrillic", r"\x{400}-\x{4FF}"),
    ("IsArmenian", r"\x{530}-\x{58F}"),
    ("IsHebrew", r"\x{590}-\x{5FF}"),
    ("IsArabic", r"\x{600}-\x{6FF}"),
    ("IsHiragana", r"\x{3040}-\x{309F}"),
    ("IsKatakana", r"\x{30A0}-\x{30FF}"),
    ("IsCJKUnifiedIdeographs", r"\x{4E00}-\x{9FFF}"),
    ("IsHangulSyllables", r"\x{AC00}-\x{D7AF}"),
];

/// What .NET calls a word's characters.
const WORD: &str = r"\p{L}\p{Mn}\p{Nd}\p{Pc}";

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    plain: String,
    /// The same with the two-part meaning of `$`.
    newline: String,
    differs: bool,
    backtracks: bool,
    groups: Vec<Option<String>>,
    /// Whether a flag made `$` mean the end of any line.
    multi_line: bool,
}

/// Translates, or says what cannot be.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        plain: String::new(),
        newline: String::new(),
        differs: false,
        backtracks: false,
        groups: Vec::new(),
        multi_line: false,
    };
    while let Some(c) = translator.rest.next() {
        match c {
            '\\' => translator.escape()?,
            '[' => {
                let class = translator.class()?;
                translator.push(&class);
            }
            '(' => translator.group()?,
            '$' if !translator.multi_line => translator.end_of_text(),
            '{' => translator.brace(),
            '}' => translator.push(r"\}"),
            ']' => translator.push(r"\]"),
            c => translator.push_char(c),
        }
    }
    let Translator { plain, newline, differs, backtracks, groups, .. } = translator;
    Ok(Translated { plain, before_newline: differs.then_some(newline), backtracks, groups })
}

impl Translator<'_> {
    fn push(&mut self, text: &str) {
        self.plain.push_str(text);
        self.newline.push_str(text);
    }

    fn push_char(&mut self, c: char) {
        self.plain.push(c);
        self.newline.push(c);
    }

    /// `$` and `\Z`: the end, or before a newline that ends the text.
    fn end_of_text(&mut self) {
        self.plain.push_str(r"\z");
        self.newline.push_str(r"(?=\n?\z)");
        self.differs = true;
    }

    /// A brace that begins no repetition stands for itself.
    fn brace(&mut self) {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').take(24).collect();
        let is_closed = self.rest.clone().nth(ahead.chars().count()) == Some('}');
        let mut bounds = ahead.splitn(2, ',');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let fits =
            bounds.next().is_some_and(is_number) && bounds.next().is_none_or(|most| most.is_empty() || is_number(most));
        if is_closed && fits {
            self.push("{");
            self.push(&ahead);
            self.push("}");
            self.rest.nth(ahead.chars().count());
        } else {
            self.push(r"\{");
        }
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("it ends with a backslash".to_owned()) };
        match c {
            'Z' => self.end_of_text(),
            'w' => self.push(&format!("[{WORD}]")),
            'W' => self.push(&format!("[^{WORD}]")),
            'b' | 'B' | 'A' | 'z' | 'd' | 'D' | 's' | 'S' => self.push(&format!("\\{c}")),
            'G' => return Err("\\G is not known here".to_owned()),
            'k' => {
                self.backtracks = true;
                let name = self.bracketed().ok_or("a name is missing after \\k")?;
                self.push(&format!("\\k<{name}>"));
            }
            '1'..='9' => {
                self.backtracks = true;
                let mut number = c.to_string();
                while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                // .NET counts groups without a name first; one that is open by now has that number in most patterns.
                let unnamed = (1_usize..).zip(&self.groups).filter(|(_, name)| name.is_none()).map(|(at, _)| at);
                let named = (1_usize..).zip(&self.groups).filter(|(_, name)| name.is_some()).map(|(at, _)| at);
                let wanted = number.parse::<usize>().ok().and_then(|number| unnamed.chain(named).nth(number - 1));
                let at = wanted.ok_or_else(|| format!("there is no group {number} before \\{number}"))?;
                self.push(&format!("(?:\\{at})"));
            }
            c => {
                let atom = self.atom(c)?;
                self.push(&atom);
            }
        }
        Ok(())
    }

    /// An escape that means the same inside and outside of a class.
    fn atom(&mut self, c: char) -> Result<String, String> {
        Ok(match c {
            'd' | 'D' | 's' | 'S' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => format!("\\{c}"),
            'e' => r"\x1B".to_owned(),
            '0' => {
                let mut digits = String::new();
                while digits.len() < 2
                    && let Some(digit) = self.rest.next_if(|c| ('0'..='7').contains(c))
                {
                    digits.push(digit);
                }
                format!("\\x{{{:X}}}", u32::from_str_radix(&digits, 8).unwrap_or(0))
            }
            'c' => match self.rest.next() {
                Some(letter @ ('a'..='z' | 'A'..='Z')) => {
                    format!("\\x{{{:X}}}", u32::from(letter.to_ascii_uppercase()) - 64)
                }
                _ => return Err("a letter is missing after \\c".to_owned()),
            },
            'x' | 'u' => {
                let count = if c == 'x' { 2 } else { 4 };
                let digits: String = self.rest.by_ref().take(count).collect();
                if digits.len() != count || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(format!("{count} hexadecimal digits are missing after \\{c}"));
                }
                format!("\\x{{{digits}}}")
            }
            'p' | 'P' => self.category(c)?,
            c if c.is_ascii_alphanumeric() => return Err(format!("\\{c} is no escape")),
            c if c.is_ascii_punctuation() && c != '<' && c != '>' => format!("\\{c}"),
            c => literal(c),
        })
    }

    /// `\p{L}`, `\P{IsCyrillic}`.
    fn category(&mut self, sign: char) -> Result<String, String> {
        if self.rest.next() != Some('{') {
            return Err(format!("a category in braces is missing after \\{sign}"));
        }
        let name: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
        match BLOCKS.iter().find(|(block, _)| *block == name) {
            Some((_, ranges)) if sign == 'p' => Ok(format!("[{ranges}]")),
            Some((_, ranges)) => Ok(format!("[^{ranges}]")),
            None if name.starts_with("Is") => Err(format!("the Unicode block {name} is not known here")),
            None => Ok(format!("\\{sign}{{{name}}}")),
        }
    }

    /// `<name>` or `'name'`.
    fn bracketed(&mut self) -> Option<String> {
        let close = match self.rest.next()? {
            '<' => '>',
            '\'' => '\'',
            _ => return None,
        };
        let mut name = String::new();
        loop {
            match self.rest.next()? {
                c if c == close => return (!name.is_empty()).then_some(name),
                c => name.push(c),
            }
        }
    }

    /// What follows an opening parenthesis.
    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.groups.push(None);
            self.push("(");
            return Ok(());
        }
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('#'), _) => {
                if self.rest.find(|c| *c == ')').is_none() {
                    return Err("a comment is not closed".to_owned());
                }
            }
            (Some('=' | '!' | '>'), _) | (Some('<'), Some('=' | '!')) => {
                self.backtracks = true;
                self.push("(?");
            }
            (Some('<' | '\''), _) => {
                let name = self.bracketed().ok_or("the name of a group is not closed")?;
                if name.contains('-') {
                    return Err("groups that take another one back are not known here".to_owned());
                }
                let is_new = !self.groups.iter().flatten().any(|known| *known == name);
                let is_name = |c: char| c.is_alphanumeric() || c == '_';
                if !is_new || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(format!("the name {name} cannot be used for a group, or is used twice"));
                }
                self.push(&format!("(?<{name}>"));
                self.groups.push(Some(name));
            }
            (Some('('), _) => return Err("alternatives on a condition, (?(...)...), are not known here".to_owned()),
            _ => self.flags()?,
        }
        Ok(())
    }

    /// `(?i)`, `(?i-s:`, `(?:`.
    fn flags(&mut self) -> Result<(), String> {
        self.push("(?");
        let mut on = true;
        while let Some(c) = self.rest.next() {
            match c {
                '-' => on = false,
                'm' if on => self.multi_line = true,
                'i' | 's' | 'x' | 'm' => {}
                ':' | ')' => {
                    self.push_char(c);
                    return Ok(());
                }
                c => return Err(format!("the option {c} is not known here")),
            }
            self.push_char(c);
        }
        Err("a group is not closed".to_owned())
    }

    /// A class after its opening bracket, nested ones of a subtraction included.
    fn class(&mut self) -> Result<String, String> {
        let mut out = String::from("[");
        if self.rest.next_if_eq(&'^').is_some() {
            out.push('^');
        }
        let mut is_first = true;
        loop {
            let Some(c) = self.rest.next() else { return Err("a class is not closed".to_owned()) };
            match c {
                ']' if !is_first => break,
                '-' if self.rest.peek() == Some(&'[') && !is_first => {
                    self.rest.next();
                    out.push_str("--");
                    out.push_str(&self.class()?);
                }
                c => {
                    let is_class = c == '\\' && self.rest.peek().is_some_and(|next| "dDsSwWpP".contains(*next));
                    out.push_str(&self.member(c)?);
                    let mut ahead = self.rest.clone();
                    // Behind a whole class, a hyphen is one: [\w-.].
                    if !is_class && ahead.next() == Some('-') && !matches!(ahead.next(), Some(']' | '[') | None) {
                        self.rest.next();
                        let Some(end) = self.rest.next() else { return Err("a class is not closed".to_owned()) };
                        out.push('-');
                        out.push_str(&self.member(end)?);
                    }
                }
            }
            is_first = false;
        }
        out.push(']');
        Ok(out)
    }

    /// One member of a class.
    fn member(&mut self, c: char) -> Result<String, String> {
        if c != '\\' {
            return Ok(literal(c));
        }
        match self.rest.next() {
            None => Err("it ends with a backslash".to_owned()),
            Some('w') => Ok(WORD.to_owned()),
            Some('W') => Ok(format!("[^{WORD}]")),
            Some('b') => Ok(r"\x08".to_owned()),
            Some(c) => self.atom(c),
        }
    }
}

/// A character that stands for itself, inside a class and outside.
fn literal(c: char) -> String {
    if c.is_ascii_punctuation() && c != '<' && c != '>' && c != '_' { format!("\\{c}") } else { c.to_string() }
}
