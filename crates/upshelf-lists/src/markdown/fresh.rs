//! A new list from a library that never was one.

use std::collections::{HashMap, HashSet};

use super::style::Style;
use super::{notes, outline, write};
use crate::text::{escape, fold};
use crate::{Entry, UrlKey};

/// A category and what is below it.
#[derive(Default)]
struct Category<'a> {
    name: &'a str,
    items: Vec<String>,
    below: Vec<usize>,
}

/// Writes a list that passes the main rules of awesome-lint: badge, contents with anchors, `- [Name](url) - Text.`
///
/// A resource that stands in several places is listed at the first of them, as that linter asks; what cannot be a link
/// is left out. Categories keep the order in which they first appear.
pub fn fresh(title: &str, entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let entries: Vec<Entry> = entries.into_iter().collect();
    let mut categories = vec![Category::default()];
    let mut places: HashMap<Vec<&str>, usize> = HashMap::new();
    let mut seen = HashSet::new();
    for entry in &entries {
        let Ok(key) = UrlKey::of(&entry.url) else { continue };
        let (Some(line), true) = (item(entry), seen.insert(key)) else { continue };
        let (mut at, mut path) = (0, Vec::new());
        for name in entry.section.iter().chain(&entry.group).filter(|name| !fold(name).is_empty()) {
            path.push(name.as_str());
            let next = *places.entry(path.clone()).or_insert(categories.len());
            if next == categories.len() {
                categories.push(Category { name, ..Category::default() });
                categories[at].below.push(next);
            }
            at = next;
        }
        categories[at].items.push(line);
    }
    let title = fold(title);
    let title = if title.is_empty() { "Awesome List" } else { &title };
    let mut text = format!(
        "# {} [![Awesome](https://awesome.re/badge.svg)](https://awesome.re)\n",
        write::heading(title)
    );
    // The order in which headings stand decides how GitHub numbers equal anchors.
    let mut order = Vec::new();
    let mut open: Vec<(usize, usize)> = categories[0].below.iter().rev().map(|at| (*at, 0)).collect();
    while let Some((at, depth)) = open.pop() {
        order.push((at, depth));
        open.extend(categories[at].below.iter().rev().map(|at| (*at, depth + 1)));
    }
    if !order.is_empty() {
        text.push_str("\n## Contents\n\n");
    }
    let mut slugs = HashMap::from([(outline::slug(title), 1), ("contents".to_owned(), 1)]);
    for (at, depth) in &order {
        let slug = outline::slug(&fold(categories[*at].name));
        let count = slugs.entry(slug.clone()).or_insert(0);
        let anchor = if *count == 0 { slug } else { format!("{slug}-{count}") };
        *count += 1;
        // The linter wants the contents no deeper than two levels.
        if *depth < 2 {
            let name = escape(categories[*at].name);
            text.push_str(&format!("{}- [{name}](#{anchor})\n", "  ".repeat(*depth)));
        }
    }
    push_items(&mut text, &categories[0].items);
    for (at, depth) in order {
        let name = write::heading(&fold(categories[at].name));
        text.push_str(&format!("\n{} {name}\n", "#".repeat((depth + 2).min(6))));
        push_items(&mut text, &categories[at].items);
    }
    text.into_bytes()
}

fn push_items(text: &mut String, items: &[String]) {
    if !items.is_empty() {
        text.push('\n');
    }
    for item in items {
        text.push_str(item);
        text.push('\n');
    }
}

fn item(entry: &Entry) -> Option<String> {
    let title = fold(&entry.title);
    let title = if title.is_empty() { &entry.url } else { title.as_ref() };
    let link = format!("- [{}]({})", escape(title), write::address(&entry.url, false).ok()?);
    let style = Style { emphasis: String::new(), separator: " - ".into(), full_stop: Some(true) };
    let description = write::description(&entry.description, false);
    let description = description.trim_end_matches([' ', '-', '–', '—', ',']);
    let description = style.finish(&capital(description));
    Some(if description.is_empty() { link } else { format!("{link} - {description}") })
}

/// Begins with a capital, unless the first word is spelled in its own way (`eBPF`, `bash/POSIX`).
fn capital(description: &str) -> String {
    let end = notes::sentence_end(description);
    let word = description[..end].split_whitespace().next().unwrap_or_default();
    let mut letters = description.chars();
    match letters.next() {
        Some(first)
            if first.is_lowercase() && word.chars().all(|c| c.is_lowercase() || ",.;:-'’".contains(c)) =>
        {
            first.to_uppercase().chain(letters).collect()
        }
        _ => description.to_owned(),
    }
}
