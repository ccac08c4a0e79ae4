use std::collections::HashMap;

/// How one text differs from another, line by line.
#[derive(Debug)]
pub(crate) struct Difference<'t> {
    pub(crate) gone: Vec<&'t str>,
    pub(crate) new: Vec<&'t str>,
    /// Whether the lines that both have stand in the same order.
    pub(crate) rest_is_equal: bool,
}

impl<'t> Difference<'t> {
    pub(crate) fn between(before: &'t [u8], after: &'t [u8]) -> Difference<'t> {
        let lines = |bytes: &'t [u8]| -> Vec<&'t str> {
            std::str::from_utf8(bytes).expect("the list is UTF-8").split_inclusive('\n').collect()
        };
        let (before, after) = (lines(before), lines(after));
        let (kept_before, gone) = split(&before, &after);
        let (kept_after, new) = split(&after, &before);
        Difference { gone, new, rest_is_equal: kept_before == kept_after }
    }
}

/// Splits lines into those that the other text has, as often as it has them, and those it has not.
fn split<'t>(lines: &[&'t str], other: &[&'t str]) -> (Vec<&'t str>, Vec<&'t str>) {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in other {
        *left.entry(line).or_default() += 1;
    }
    lines.iter().copied().partition(|line| match left.get_mut(line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    })
}
