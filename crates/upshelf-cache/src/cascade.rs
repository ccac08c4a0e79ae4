//! What follows from what, declared once.

use std::collections::{HashMap, HashSet};

use crate::{Inv, glob};

/// A graph of invalidations: a name such as `resource:7` matches the rules for `resource:{id}`, and their targets follow.
///
/// Segments end at `:`; a segment in braces stands for any text and is put in wherever the targets name it. A target
/// [`Inv::cascade`] goes on to further rules.
///
/// ```
/// use upshelf_cache::{Cache, Cascade, Inv};
///
/// let cascade = Cascade::new([
///     ("resource:{id}", vec![Inv::pattern("cache:resources:popular:*"), Inv::cascade("categories")]),
///     ("categories", vec![Inv::key("cache:categories"), Inv::key("cache:tags")]),
///     ("profile:{id}", vec![Inv::key("cache:profile:{id}"), Inv::tag("collections-of:{id}")]),
/// ])?;
/// let cache = Cache::builder().cascade(cascade).build();
/// # let _ = cache;
/// # Ok::<(), upshelf_cache::CascadeError>(())
/// ```
#[derive(Debug, Default)]
pub struct Cascade {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    source: String,
    targets: Vec<Inv>,
}

/// Why a cascade cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CascadeError {
    /// Following the rules from this one may come back to it.
    #[error("the cascade from {0:?} comes back to itself")]
    Cycle(String),
    /// A target names something in braces that its rule does not.
    #[error("{target:?} does not say what {source_name:?} calls it")]
    Unbound {
        /// The rule's source.
        source_name: String,
        /// The target.
        target: String,
    },
}

impl Cascade {
    /// Checks the rules, each a source and the targets that follow from it.
    ///
    /// # Errors
    /// [`CascadeError::Cycle`] and [`CascadeError::Unbound`], before anything can go round in circles.
    pub fn new<S: Into<String>>(
        rules: impl IntoIterator<Item = (S, Vec<Inv>)>,
    ) -> Result<Self, CascadeError> {
        let rules =
            rules.into_iter().map(|(source, targets)| Rule { source: source.into(), targets }).collect();
        let cascade = Self { rules };
        cascade.check_names()?;
        cascade.check_cycles()?;
        Ok(cascade)
    }

    fn check_names(&self) -> Result<(), CascadeError> {
        for rule in &self.rules {
            let known: HashMap<_, _> =
                rule.source.split(':').filter_map(placeholder).map(|name| (name, "")).collect();
            for target in rule.targets.iter().filter_map(name_of) {
                if fill(target, &known, |text| text.to_owned()).is_none() {
                    return Err(CascadeError::Unbound {
                        source_name: rule.source.clone(),
                        target: target.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_cycles(&self) -> Result<(), CascadeError> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        fn visit(cascade: &Cascade, at: usize, marks: &mut [Mark]) -> Result<(), CascadeError> {
            let rule = &cascade.rules[at];
            match marks[at] {
                Mark::Done => return Ok(()),
                Mark::Open => return Err(CascadeError::Cycle(rule.source.clone())),
                Mark::New => marks[at] = Mark::Open,
            }
            for target in rule.targets.iter().filter_map(cascade_name) {
                for (next, rule) in cascade.rules.iter().enumerate() {
                    if may_meet(target, &rule.source) {
                        visit(cascade, next, marks)?;
                    }
                }
            }
            marks[at] = Mark::Done;
            Ok(())
        }
        let mut marks = vec![Mark::New; self.rules.len()];
        (0..self.rules.len()).try_for_each(|at| visit(self, at, &mut marks))
    }

    /// Adds everything that follows, each thing once.
    pub(crate) fn follow(&self, what: impl IntoIterator<Item = Inv>) -> Vec<Inv> {
        let mut all: Vec<Inv> = Vec::new();
        let mut seen = HashSet::new();
        all.extend(what.into_iter().filter(|inv| seen.insert(inv.clone())));
        let mut at = 0;
        while let Some(inv) = all.get(at) {
            if let Some(name) = cascade_name(inv) {
                let mut targets = Vec::new();
                for rule in &self.rules {
                    if let Some(values) = bind(&rule.source, name) {
                        targets.extend(rule.targets.iter().filter_map(|target| filled(target, &values)));
                    }
                }
                all.extend(targets.into_iter().filter(|inv| seen.insert(inv.clone())));
            }
            at += 1;
        }
        all
    }
}

fn placeholder(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn cascade_name(inv: &Inv) -> Option<&str> {
    match inv {
        Inv::Cascade(name) => Some(name),
        _ => None,
    }
}

fn name_of(inv: &Inv) -> Option<&str> {
    match inv {
        Inv::Key(name) | Inv::Tag(name) | Inv::Pattern(name) | Inv::Cascade(name) => Some(name),
        Inv::All => None,
    }
}

/// Tells whether some text could be both; says yes when in doubt.
fn may_meet(a: &str, b: &str) -> bool {
    let is_open = |segment: &str| segment.contains('{');
    a.split(':').count() == b.split(':').count()
        && a.split(':').zip(b.split(':')).all(|(a, b)| a == b || is_open(a) || is_open(b))
}

/// Reads the placeholders of a source from a name that matches it.
fn bind<'a>(source: &'a str, name: &'a str) -> Option<HashMap<&'a str, &'a str>> {
    let mut values = HashMap::new();
    let (mut sources, mut names) = (source.split(':'), name.split(':'));
    loop {
        match (sources.next(), names.next()) {
            (None, None) => return Some(values),
            (Some(source), Some(name)) => match placeholder(source) {
                Some(called) => {
                    if values.insert(called, name).is_some_and(|before| before != name) {
                        return None;
                    }
                }
                None if source == name => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// Puts values in for the placeholders of a text; `None` when one is unknown.
fn fill(text: &str, values: &HashMap<&str, &str>, escape: impl Fn(&str) -> String) -> Option<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&escape(values.get(name)?));
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn filled(target: &Inv, values: &HashMap<&str, &str>) -> Option<Inv> {
    let plain = |text: &str| fill(text, values, str::to_owned);
    Some(match target {
        Inv::Key(key) => Inv::key(plain(key)?),
        Inv::Tag(tag) => Inv::tag(plain(tag)?),
        // What stood for itself in a name must not cover more in a pattern.
        Inv::Pattern(pattern) => Inv::pattern(fill(pattern, values, glob::escape)?),
        Inv::Cascade(name) => Inv::cascade(plain(name)?),
        Inv::All => Inv::All,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_follows_is_named_once() {
        let cascade = Cascade::new([
            (
                "resource:{id}",
                vec![
                    Inv::pattern("cache:resource:{id}:*"),
                    Inv::cascade("category:{id}"),
                    Inv::cascade("search"),
                ],
            ),
            ("category:{id}", vec![Inv::key("cache:categories"), Inv::cascade("search")]),
            ("search", vec![Inv::tag("search-results")]),
        ])
        .expect("this goes round nowhere");
        let all = cascade.follow([Inv::cascade("resource:7*"), Inv::key("cache:categories")]);
        assert_eq!(
            all,
            [
                Inv::cascade("resource:7*"),
                Inv::key("cache:categories"),
                Inv::pattern("cache:resource:7\\*:*"),
                Inv::cascade("category:7*"),
                Inv::cascade("search"),
                Inv::tag("search-results"),
            ]
        );
    }

    #[test]
    fn a_name_without_rules_is_itself() {
        let cascade = Cascade::new([("resource:{id}", vec![Inv::all()])]).expect("this goes round nowhere");
        for name in ["resource", "resource:7:8", "member:7"] {
            assert_eq!(cascade.follow([Inv::cascade(name)]), [Inv::cascade(name)]);
        }
        assert_eq!(
            cascade.follow([Inv::tag("resource:7")]),
            [Inv::tag("resource:7")],
            "only a cascade follows rules"
        );
    }

    #[test]
    fn circles_are_refused() {
        for rules in [
            vec![("a:{id}", vec![Inv::cascade("a:{id}")])],
            vec![("a:{id}", vec![Inv::cascade("b")]), ("b", vec![Inv::cascade("a:1")])],
            vec![("a:{x}:b", vec![Inv::cascade("a:c:{x}")]), ("a:c:{y}", vec![Inv::cascade("a:{y}:b")])],
        ] {
            assert!(matches!(Cascade::new(rules), Err(CascadeError::Cycle(_))));
        }
    }

    #[test]
    fn a_diamond_is_no_circle() {
        let rules = [
            ("a", vec![Inv::cascade("b"), Inv::cascade("c")]),
            ("b", vec![Inv::cascade("d")]),
            ("c", vec![Inv::cascade("d")]),
            ("d", vec![Inv::all()]),
        ];
        assert!(Cascade::new(rules).is_ok());
    }

    #[test]
    fn a_target_may_only_name_what_its_source_names() {
        for target in ["cache:{who}", "cache:{id"] {
            let refused = Cascade::new([("resource:{id}", vec![Inv::key(target)])]);
            assert!(matches!(refused, Err(CascadeError::Unbound { .. })));
        }
    }
}
