//! Splits shell text into simple commands. Supports only the syntax that the documentation uses.

use std::iter::Peekable;
use std::str::Chars;

/// A simple command: the line that it starts at, from 0, and its words without quotes, assignments and redirections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) line: usize,
    pub(crate) words: Vec<String>,
}

impl Simple {
    /// The words after `program`, if the command runs it.
    pub(crate) fn arguments(&self, program: &[&str]) -> Option<&[String]> {
        let start = self.words.get(..program.len())?;
        let is_program = start.iter().zip(program).all(|(word, name)| word == name);
        if is_program { self.words.get(program.len()..) } else { None }
    }
}

/// Words before a command that the shell, or `sudo`, runs.
const PREFIXES: [&str; 12] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "sudo", "exec"];

/// The simple commands of `text`, in its order.
pub(crate) fn commands(text: &str) -> Vec<Simple> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 0,
        word: None,
        words: Vec::new(),
        start: 0,
        found: Vec::new(),
        redirects: false,
        mark: None,
    };
    reader.read();
    reader.found
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    word: Option<String>,
    words: Vec<String>,
    /// The line of the first word.
    start: usize,
    found: Vec<Simple>,
    /// The next word is the file of a redirection, or the delimiter of a here-document.
    redirects: bool,
    /// The delimiter of the here-document after this line.
    mark: Option<String>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn push(&mut self, c: char) {
        self.begun().push(c);
    }

    /// The current word.
    fn begun(&mut self) -> &mut String {
        if self.word.is_none() && self.words.is_empty() {
            self.start = self.line;
        }
        self.word.get_or_insert_default()
    }

    fn read(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c) => self.push(c),
                },
                '\'' | '"' => self.quoted(c),
                '$' if self.rest.peek() == Some(&'(') => self.substitution(),
                '#' if self.word.is_none() => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                '<' if self.rest.peek() == Some(&'<') => {
                    self.next();
                    self.end_word();
                    self.redirects = true;
                    self.mark = Some(String::new());
                }
                '<' | '>' => {
                    // The number of a stream is part of the redirection.
                    self.word.take_if(|word| word.chars().all(|c| c.is_ascii_digit()));
                    self.end_word();
                    self.redirects = true;
                }
                '&' if self.redirects => {}
                '\n' => {
                    self.end_command();
                    self.skip_text();
                }
                ';' | '|' | '&' | '(' | ')' => self.end_command(),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn quoted(&mut self, quote: char) {
        self.begun();
        while let Some(c) = self.next() {
            match c {
                c if c == quote => break,
                '$' if quote == '"' && self.rest.peek() == Some(&'(') => self.substitution(),
                '\\' if quote == '"' => {
                    if let Some(c) = self.next() {
                        self.push(c);
                    }
                }
                c => self.push(c),
            }
        }
    }

    /// Skips the lines up to the delimiter.
    fn skip_text(&mut self) {
        let Some(mark) = self.mark.take() else { return };
        let mut line = String::new();
        while let Some(c) = self.next() {
            if c != '\n' {
                line.push(c);
            } else if std::mem::take(&mut line) == mark {
                break;
            }
        }
    }

    /// Keeps a command substitution as it is, and reads the commands in it.
    fn substitution(&mut self) {
        self.push('$');
        let (start, mut inner, mut depth) = (self.line, String::new(), 0);
        while let Some(c) = self.next() {
            self.push(c);
            inner.push(c);
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 {
                break;
            }
        }
        let inner = inner.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or_default();
        let commands = commands(inner).into_iter();
        self.found.extend(commands.map(|it| Simple { line: start + it.line, ..it }));
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        let is_assignment = self.words.is_empty()
            && word.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
        if std::mem::take(&mut self.redirects) {
            if let Some(mark) = self.mark.as_mut().filter(|mark| mark.is_empty()) {
                *mark = word;
            }
            return;
        }
        if is_assignment || self.words.is_empty() && PREFIXES.contains(&&*word) {
            return;
        }
        self.words.push(word);
    }

    fn end_command(&mut self) {
        self.end_word();
        self.redirects = false;
        if !self.words.is_empty() {
            self.found.push(Simple { line: self.start, words: std::mem::take(&mut self.words) });
        }
    }
}
