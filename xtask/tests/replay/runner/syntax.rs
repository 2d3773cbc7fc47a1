//! The grammar of GitHub's expressions.

use serde_json::Value;

use super::expression::Evaluated;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Literal(Value),
    Context(String),
    /// `a.b` and `a[b]`.
    Index(Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expr {
    /// Returns whether it calls a status function: otherwise `if` adds `success()`.
    pub(crate) fn calls_status_function(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Context(_) => false,
            Self::Call(name, args) => {
                let name = name.to_ascii_lowercase();
                ["success", "failure", "cancelled", "always"].contains(&name.as_str())
                    || args.iter().any(Self::calls_status_function)
            }
            Self::Not(of) => of.calls_status_function(),
            Self::Index(left, right) | Self::Binary(_, left, right) => {
                left.calls_status_function() || right.calls_status_function()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Text(String),
    Sign(&'static str),
}

/// Longest first, because some begin with others.
const OPERATORS: [&str; 15] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ","];

/// A number in JSON's notation, hexadecimal or octal.
pub(crate) fn number(text: &str) -> Option<f64> {
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        u32::from_str_radix(digits, radix).ok().map(f64::from)
    };
    let json = || serde_json::from_str::<serde_json::Number>(text).ok()?.as_f64();
    radix("0x", 16).or_else(|| radix("0o", 8)).or_else(json)
}

fn tokens(text: &str) -> Evaluated<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = if first == '\'' {
            let (token, length) = quoted(rest)?;
            tokens.push(Token::Text(token));
            length
        } else if first.is_ascii_digit() || matches!(first, '-' | '+') {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let found = number(&rest[..length]);
            tokens.push(Token::Number(found.ok_or_else(|| format!("no number: `{rest}`"))?));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else {
            let sign = OPERATORS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("unknown sign at `{rest}`"))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The string at the start of `text`, and its length in `text`: `''` is one quote.
fn quoted(text: &str) -> Evaluated<(String, usize)> {
    let mut found = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            found.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
            found.push('\'');
            chars.next();
        } else {
            return Ok((found, at + 1));
        }
    }
    Err(format!("a string without its end: {text}"))
}

/// Parses one expression.
pub(crate) fn parse(text: &str) -> Evaluated<Expr> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let expr = parser.binary(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// The operators between two operands, weakest first.
const LEVELS: [&[(&str, Op)]; 4] = [
    &[("||", Op::Or)],
    &[("&&", Op::And)],
    &[("==", Op::Equal), ("!=", Op::NotEqual)],
    &[("<=", Op::LessOrEqual), (">=", Op::GreaterOrEqual), ("<", Op::Less), (">", Op::Greater)],
];

impl Parser {
    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token::Sign(next)) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn needs(&mut self, sign: &str) -> Evaluated<()> {
        if self.takes(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }

    fn binary(&mut self, level: usize) -> Evaluated<Expr> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some((_, op)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            left = Expr::Binary(*op, Box::new(left), Box::new(self.binary(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Evaluated<Expr> {
        if self.takes("!") {
            return Ok(Expr::Not(Box::new(self.unary()?)));
        }
        let mut expr = self.primary()?;
        loop {
            let index = if self.takes(".") {
                let name = self.tokens.get(self.at).cloned();
                self.at += 1;
                match name {
                    Some(Token::Word(name)) => Expr::Literal(Value::String(name)),
                    other => return Err(format!("a name has to follow `.`, not {other:?}")),
                }
            } else if self.takes("[") {
                let index = self.binary(0)?;
                self.needs("]")?;
                index
            } else {
                return Ok(expr);
            };
            expr = Expr::Index(Box::new(expr), Box::new(index));
        }
    }

    fn primary(&mut self) -> Evaluated<Expr> {
        if self.takes("(") {
            let expr = self.binary(0)?;
            self.needs(")")?;
            return Ok(expr);
        }
        let token = self.tokens.get(self.at).cloned().ok_or("the expression ends too early")?;
        self.at += 1;
        Ok(match token {
            Token::Number(number) => Expr::Literal(Value::from(number)),
            Token::Text(text) => Expr::Literal(Value::String(text)),
            Token::Sign(sign) => return Err(format!("unexpected `{sign}`")),
            Token::Word(word) if self.takes("(") => Expr::Call(word, self.arguments()?),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => Expr::Literal(Value::Bool(true)),
                "false" => Expr::Literal(Value::Bool(false)),
                "null" => Expr::Literal(Value::Null),
                _ => Expr::Context(word),
            },
        })
    }

    fn arguments(&mut self) -> Evaluated<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.takes(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.binary(0)?);
            if self.takes(")") {
                return Ok(arguments);
            }
            self.needs(",")?;
        }
    }
}
