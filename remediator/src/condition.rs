//! Conditions of steps, and the test for health: asked of Prometheus or of the facts, three-valued.

/// When a step is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A PromQL query that yields 1 (yes) or 0 (no).
    Promql(crate::promql::Query),
    /// An expression over the facts that yields a boolean.
    Expr(Box<str>),
    /// All of them hold.
    All(Vec<Self>),
    /// At least one of them holds.
    Any(Vec<Self>),
}
