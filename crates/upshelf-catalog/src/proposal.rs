//! What a proposal may hold: parsed once, at the edge.

use upshelf_lists::UrlKey;
use upshelf_store::{Changes, SuggestionKind};

use crate::suggestions::{NewSuggestion, distinct};
use crate::{Fault, Refusal};

/// The most characters of a URL.
pub const MAX_URL: usize = 2_048;
/// The most characters of a title.
pub const MAX_TITLE: usize = 200;
/// The most characters of a description.
pub const MAX_DESCRIPTION: usize = 1_000;
/// The most characters of a reason.
pub const MAX_REASON: usize = 2_000;
/// The most tags of a resource.
pub const MAX_TAGS: usize = 20;
/// The most characters of a tag.
pub const MAX_TAG: usize = 40;
/// The most categories of a resource.
pub const MAX_CATEGORIES: usize = 10;

/// Gives the proposal with its texts trimmed and its tags folded.
///
/// # Errors
/// Names every field that cannot be taken.
pub(crate) fn checked(new: NewSuggestion) -> Result<NewSuggestion, Refusal> {
    let mut faults = Vec::new();
    let mut fault = |field, detail: &str| faults.push(Fault { field, detail: detail.to_owned() });
    let Changes { url, title, description, category_ids, tags } = new.changes;
    let changes = Changes {
        url: url.map(|url| url.trim().to_owned()),
        title: title.map(|title| one_line(&title)),
        description: description.map(|description| one_line(&description)),
        category_ids: category_ids.map(distinct),
        tags: tags.map(|tags| {
            let mut tags: Vec<String> = tags.iter().map(|tag| tag_slug(tag)).collect();
            tags.sort();
            tags.dedup();
            tags
        }),
    };
    let reason = new.reason.trim().to_owned();

    let adds = new.kind == SuggestionKind::Add;
    match (adds, new.resource_id) {
        (true, Some(_)) => fault("resource_id", "An addition has no resource yet."),
        (false, None) => fault("resource_id", "Say which resource."),
        _ => {}
    }
    if adds && new.base_version.is_some() {
        fault("base_version", "An addition has no version yet.");
    }
    let allowed: &[&str] = match new.kind {
        SuggestionKind::Add => &["url", "title", "description", "category_ids", "tags"],
        SuggestionKind::Edit => &["url", "title", "description", "tags"],
        SuggestionKind::Move => &["category_ids"],
        SuggestionKind::Remove => &[],
    };
    let needed: &[&str] = match new.kind {
        SuggestionKind::Add => &["url", "title", "category_ids"],
        SuggestionKind::Move => &["category_ids"],
        SuggestionKind::Edit | SuggestionKind::Remove => &[],
    };
    for (field, given) in [
        ("url", changes.url.is_some()),
        ("title", changes.title.is_some()),
        ("description", changes.description.is_some()),
        ("category_ids", changes.category_ids.is_some()),
        ("tags", changes.tags.is_some()),
    ] {
        if given && !allowed.contains(&field) {
            fault(field, &format!("A suggestion to {} does not change it.", new.kind));
        }
        if !given && needed.contains(&field) {
            fault(field, "It is missing.");
        }
    }
    if new.kind == SuggestionKind::Edit && changes == Changes::default() {
        fault("changes", "Say what to change.");
    }

    if let Some(url) = &changes.url {
        if url.chars().count() > MAX_URL {
            fault("url", &format!("At most {MAX_URL} characters."));
        } else if let Err(error) = UrlKey::of(url) {
            fault("url", &format!("It cannot be used: {error}."));
        } else if url.contains(char::is_whitespace) {
            fault("url", "It holds a space.");
        }
    }
    if let Some(title) = &changes.title {
        check_text(&mut fault, "title", title, 1, MAX_TITLE);
    }
    if let Some(description) = &changes.description {
        check_text(&mut fault, "description", description, 0, MAX_DESCRIPTION);
    }
    if let Some(ids) = &changes.category_ids
        && !(1..=MAX_CATEGORIES).contains(&ids.len())
    {
        fault("category_ids", &format!("1 to {MAX_CATEGORIES} categories."));
    }
    if let Some(tags) = &changes.tags {
        if tags.len() > MAX_TAGS {
            fault("tags", &format!("At most {MAX_TAGS} tags."));
        }
        if tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > MAX_TAG) {
            fault("tags", &format!("1 to {MAX_TAG} characters each, with a letter or digit."));
        }
    }
    if reason.chars().count() > MAX_REASON {
        fault("reason", &format!("At most {MAX_REASON} characters."));
    }
    if reason.contains('\0') {
        fault("reason", "It holds a NUL character.");
    }
    if faults.is_empty() {
        Ok(NewSuggestion { changes, reason, ..new })
    } else {
        Err(Refusal::Invalid(faults))
    }
}

fn check_text(
    fault: &mut impl FnMut(&'static str, &str),
    field: &'static str,
    text: &str,
    least: usize,
    most: usize,
) {
    let length = text.chars().count();
    if !(least..=most).contains(&length) {
        fault(field, &format!("{least} to {most} characters."));
    }
    if text.contains(char::is_control) {
        fault(field, "It holds a control character.");
    }
}

/// Folds line breaks and runs of white space to one space: an entry of a list is one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A tag's word: lower case, letters, digits, `+`, `#` and `.`, other runs as one hyphen.
pub(crate) fn tag_slug(tag: &str) -> String {
    let mut slug = String::with_capacity(tag.len());
    for character in tag.trim().chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() || matches!(character, '+' | '#' | '.') {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition() -> NewSuggestion {
        NewSuggestion {
            kind: SuggestionKind::Add,
            resource_id: None,
            base_version: None,
            changes: Changes {
                url: Some(" https://example.org/ ".into()),
                title: Some("An\n  example".into()),
                description: None,
                category_ids: Some(vec![uuid::Uuid::nil().into(), uuid::Uuid::nil().into()]),
                tags: Some(vec!["C++".into(), "Web  Dev!".into(), "c++".into()]),
            },
            reason: String::new(),
        }
    }

    fn faults(new: NewSuggestion) -> Vec<&'static str> {
        match checked(new) {
            Err(Refusal::Invalid(faults)) => faults.into_iter().map(|fault| fault.field).collect(),
            other => panic!("expected faults, found {other:?}"),
        }
    }

    #[test]
    fn texts_are_folded_to_one_line_and_repeats_dropped() {
        let changes = checked(addition()).expect("it is in order").changes;
        assert_eq!(changes.url.as_deref(), Some("https://example.org/"));
        assert_eq!(changes.title.as_deref(), Some("An example"));
        assert_eq!(changes.category_ids.map(|ids| ids.len()), Some(1));
        assert_eq!(changes.tags, Some(vec!["c++".to_owned(), "web-dev".to_owned()]));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut new = addition();
        new.resource_id = Some(uuid::Uuid::nil().into());
        new.changes.url = Some("javascript:alert(1)".into());
        new.changes.title = None;
        new.changes.tags = Some(vec!["!".into()]);
        assert_eq!(faults(new), ["resource_id", "title", "url", "tags"]);
    }

    #[test]
    fn a_removal_changes_nothing_and_an_edit_something() {
        let id = Some(uuid::Uuid::nil().into());
        let removal = NewSuggestion { kind: SuggestionKind::Remove, resource_id: id, ..addition() };
        assert_eq!(faults(removal), ["url", "title", "category_ids", "tags"]);
        let edit = NewSuggestion {
            kind: SuggestionKind::Edit,
            resource_id: id,
            changes: Changes::default(),
            ..addition()
        };
        assert_eq!(faults(edit), ["changes"]);
    }
}
