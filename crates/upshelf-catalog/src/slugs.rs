//! Words for URLs, made of titles.

use std::collections::HashSet;

/// A word for URLs: lower-case letters and digits of any script, hyphens between.
pub(crate) fn slugify(title: &str) -> String {
    let mut slug = String::new();
    for character in title.chars().flat_map(char::to_lowercase).take(80) {
        match character {
            '+' => slug.push_str("plus"),
            '#' => slug.push_str("sharp"),
            character if character.is_alphanumeric() => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "list".to_owned() } else { slug }
}

/// The slug of a category: its title, with its parent's where two are alike, with a number where even that is taken.
pub(crate) fn unique_slug(path: &[String], taken: &mut HashSet<String>) -> String {
    let own = slugify(path.last().map_or("", String::as_str));
    let candidates =
        [Some(own.clone()), (path.len() > 1).then(|| format!("{}-{own}", slugify(&path[path.len() - 2])))];
    let numbered = (2_u32..).map(|number| format!("{own}-{number}"));
    let slug = candidates
        .into_iter()
        .flatten()
        .chain(numbered)
        .find(|slug| !taken.contains(slug))
        .expect("there is always another number");
    taken.insert(slug.clone());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_keep_what_tells_names_apart() {
        assert_eq!(slugify("Command-line & Tools"), "command-line-tools");
        assert_ne!(slugify("C"), slugify("C#"));
        assert_ne!(slugify("C"), slugify("C++"));
        assert_eq!(slugify("日本語"), "日本語");
        assert_eq!(slugify("!!!"), "list");
    }

    #[test]
    fn like_named_categories_get_their_parents_name_then_a_number() {
        let mut taken = HashSet::new();
        let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(unique_slug(&path(&["Tools"]), &mut taken), "tools");
        assert_eq!(unique_slug(&path(&["Web", "Tools"]), &mut taken), "web-tools");
        assert_eq!(unique_slug(&path(&["Web", "Tools"]), &mut taken), "tools-2");
    }
}
