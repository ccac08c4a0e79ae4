//! The headings of a document and the tree they make.

use std::ops::Range;

use crate::text::fold;

/// A heading.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) name: String,
    pub(crate) level: u8,
    pub(crate) span: Range<usize>,
    /// The names from the outermost heading to this one; without the document's title.
    pub(crate) path: Vec<String>,
    /// The name of the section that is about the list itself, where this one is or stands in such a section.
    pub(crate) about: Option<String>,
}

impl Heading {
    pub(crate) fn new(name: String, level: u8, span: Range<usize>) -> Self {
        Self { name, level, span, path: Vec::new(), about: None }
    }
}

/// Gives every heading its path, and returns the index of the document's title.
pub(crate) fn resolve(headings: &mut [Heading]) -> Option<usize> {
    let title = title(headings);
    let mut open: Vec<(u8, String, bool)> = Vec::new();
    // What follows a table of contents often stands below it; it is no category for that.
    let levels: Vec<u8> = headings.iter().map(|heading| heading.level).collect();
    let has_below = |at: usize| levels.get(at + 1).is_some_and(|next| *next > levels[at]);
    for (at, heading) in headings.iter_mut().enumerate() {
        open.retain(|(level, ..)| *level < heading.level);
        let is_nameless = heading.name.is_empty() || is_contents(&heading.name) && has_below(at);
        if Some(at) == title || is_nameless {
            open.push((heading.level, String::new(), false));
        } else {
            let is_top = open.iter().all(|(_, name, _)| name.is_empty());
            open.push((heading.level, heading.name.clone(), is_top && is_about_the_list(&heading.name)));
        }
        heading.path =
            open.iter().map(|(_, name, _)| name).filter(|name| !name.is_empty()).cloned().collect();
        heading.about = open.iter().find(|(.., about)| *about).map(|(_, name, _)| name.clone());
    }
    title
}

/// A first heading of level 1 is the title, unless the list uses that level for its categories.
fn title(headings: &[Heading]) -> Option<usize> {
    let first = headings.first().filter(|heading| heading.level == 1)?;
    let others = headings[1..].iter().filter(|heading| heading.level == 1);
    let categories = others.filter(|heading| !is_about_the_list(&heading.name)).count();
    // With categories on level 1 the title is recognised by having no section of its own below it.
    let stands_alone = headings.get(1).is_none_or(|next| next.level == 1 || is_about_the_list(&next.name));
    let is_awesome = first.name.to_lowercase().contains("awesome");
    (categories == 0 || stands_alone || is_awesome).then_some(0)
}

/// Whether a section of this name tells of the list, its rules, its makers or its rights.
fn is_about_the_list(name: &str) -> bool {
    let words: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    matches!(
        words.join(" ").as_str(),
        "license"
            | "licence"
            | "licensing of this list"
            | "list of licenses"
            | "list of licences"
            | "copyright"
            | "contributing"
            | "contribute"
            | "contribution"
            | "contributions"
            | "contributors"
            | "how to contribute"
            | "contribution guidelines"
            | "contributing guidelines"
            | "code of conduct"
            | "our contributors"
            | "sponsors"
            | "sponsor"
            | "our sponsors"
            | "backers"
            | "supporters"
            | "sponsorship"
            | "donate"
            | "donations"
            | "acknowledgements"
            | "acknowledgments"
            | "acknowledgement"
            | "credits"
            | "thanks"
            | "special thanks"
            | "star history"
            | "stargazers"
            | "stargazers over time"
            | "maintainers"
            | "legend"
            | "disclaimer"
    )
}

/// Whether a section of this name lists the others.
pub(crate) fn is_contents(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.trim_matches(|c: char| !c.is_alphanumeric());
    matches!(name, "contents" | "content" | "table of contents" | "toc" | "index" | "menu" | "categories")
}

/// The anchor GitHub gives a heading of this name, the first of its kind.
pub(crate) fn slug(name: &str) -> String {
    let keep = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    name.trim().to_lowercase().chars().filter(keep).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The headings written as HTML (`<h2 align="center">Tools</h2>`) in this block.
pub(crate) fn in_html(text: &str, block: Range<usize>) -> Vec<Heading> {
    let source = &text[block.clone()];
    let lower = source.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = lower[at..].find("<h").map(|start| at + start) {
        at = start + 2;
        let level =
            lower.as_bytes().get(at).filter(|digit| (b'1'..=b'6').contains(digit)).map(|digit| digit - b'0');
        let Some(level) = level else { continue };
        if !lower[at + 1..].starts_with(['>', ' ', '\t', '\n', '\r']) {
            continue;
        }
        let close = format!("</h{level}");
        let Some(end) = lower[at..].find(&close).map(|end| at + end) else { break };
        let name = without_tags(source[at + 1..end].split_once('>').map_or("", |(_, inner)| inner));
        if !name.is_empty() {
            found.push(Heading::new(name, level, block.start + start..block.end));
        }
        at = end;
    }
    found
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('>').map_or("", |(_, after)| after),
    }) {
        text.push_str(part);
    }
    for (entity, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
    {
        text = text.replace(entity, c);
    }
    fold(&text).into_owned()
}
