//! A filter as a tree.

#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Path, Op, Literal),
    In(Path, Vec<Literal>),
    Call(Function, Path, String),
    /// `path/any(variable:body)`; without a body: not empty.
    Any(Path, Option<(String, Box<Expr>)>),
    All(Path, String, Box<Expr>),
    /// `path/$count op number`.
    Count(Path, Op, i64),
}

pub type Path = Vec<String>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Str(String),
    Guid(uuid::Uuid),
    /// Milliseconds since 1970.
    Time(i64),
}
