//! What a rule applies to.

use crate::{ItemFacts, Kind, Pattern, Value};

/// A condition on an item, compiled once.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{Kind, Pattern, Predicate, ValueTest};
///
/// let slow_queries = Predicate::all([
///     Predicate::kind(Kind::Client),
///     Predicate::attribute("db.system.name", ValueTest::Exists),
///     Predicate::name(Pattern::glob("SELECT *")),
/// ]);
/// let elsewhere = Predicate::resource("deployment.environment.name", ValueTest::Matches(Pattern::exact("production"))).negated();
/// ```
#[derive(Clone, Debug)]
pub struct Predicate(Condition);

#[derive(Clone, Debug)]
enum Condition {
    Name(Pattern),
    Kind(Kind),
    Attribute(Box<str>, ValueTest),
    Resource(Box<str>, ValueTest),
    All(Box<[Predicate]>),
    Any(Box<[Predicate]>),
    Not(Box<Predicate>),
}

/// A condition on the value of an attribute. One that is absent or of another type meets none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ValueTest {
    /// There is one.
    Exists,
    /// It is a text that the pattern matches.
    Matches(Pattern),
    /// It is a number from the first to the second, both included.
    Between(f64, f64),
    /// It is this truth value.
    Bool(bool),
}

impl ValueTest {
    /// A number not below this.
    #[must_use]
    pub const fn at_least(number: f64) -> Self {
        ValueTest::Between(number, f64::INFINITY)
    }

    /// A number not above this.
    #[must_use]
    pub const fn at_most(number: f64) -> Self {
        ValueTest::Between(f64::NEG_INFINITY, number)
    }

    /// Whether a value meets it.
    #[must_use]
    pub fn meets(&self, value: Option<Value<'_>>) -> bool {
        match (self, value) {
            (ValueTest::Exists, Some(_)) => true,
            (ValueTest::Matches(pattern), Some(Value::Str(text))) => pattern.matches(text),
            (ValueTest::Between(from, to), Some(Value::Int(number))) => {
                (*from..=*to).contains(&(number as f64))
            }
            (ValueTest::Between(from, to), Some(Value::Double(number))) => (*from..=*to).contains(&number),
            (ValueTest::Bool(wanted), Some(Value::Bool(bool))) => *wanted == bool,
            _ => false,
        }
    }
}

impl Predicate {
    /// On the name.
    #[must_use]
    pub fn name(pattern: Pattern) -> Self {
        Predicate(Condition::Name(pattern))
    }

    /// On the kind.
    #[must_use]
    pub fn kind(kind: Kind) -> Self {
        Predicate(Condition::Kind(kind))
    }

    /// On the attribute with this key.
    #[must_use]
    pub fn attribute(key: &str, test: ValueTest) -> Self {
        Predicate(Condition::Attribute(key.into(), test))
    }

    /// On the resource's attribute with this key.
    #[must_use]
    pub fn resource(key: &str, test: ValueTest) -> Self {
        Predicate(Condition::Resource(key.into(), test))
    }

    /// All of them hold; of none that is so.
    #[must_use]
    pub fn all(predicates: impl IntoIterator<Item = Predicate>) -> Self {
        Predicate(Condition::All(predicates.into_iter().collect()))
    }

    /// At least one of them holds; of none that is not so.
    #[must_use]
    pub fn any(predicates: impl IntoIterator<Item = Predicate>) -> Self {
        Predicate(Condition::Any(predicates.into_iter().collect()))
    }

    /// It does not hold.
    #[must_use]
    pub fn negated(self) -> Self {
        Predicate(Condition::Not(Box::new(self)))
    }

    /// Whether it holds for this item.
    ///
    /// # Allocation
    ///
    /// None.
    #[must_use]
    pub fn holds<F: ItemFacts + ?Sized>(&self, facts: &F) -> bool {
        match &self.0 {
            Condition::Name(pattern) => pattern.matches(facts.name()),
            Condition::Kind(kind) => *kind == facts.kind(),
            Condition::Attribute(key, test) => test.meets(facts.attribute(key)),
            Condition::Resource(key, test) => test.meets(facts.resource(key)),
            Condition::All(all) => all.iter().all(|each| each.holds(facts)),
            Condition::Any(any) => any.iter().any(|each| each.holds(facts)),
            Condition::Not(inner) => !inner.holds(facts),
        }
    }
}
