//! A small sample library in our own words.

use anyhow::{Context as _, Result, bail};
use upshelf_catalog::{Catalog, ImportRequest, NewAccount, NewSuggestion};
use upshelf_lists::Format;
use upshelf_store::{Changes, Member, PageRequest, ResourceFilter, ResourceSort, Role, Side, SuggestionKind};

use crate::config::Config;
use crate::progress::Progress;
use crate::site::Site;

const LIST: &str = include_str!("demo/list.md");

const MEMBERS: [(&str, Role); 7] = [
    ("maren", Role::Curator),
    ("tomasz", Role::Member),
    ("yuki", Role::Member),
    ("amara", Role::Member),
    ("leif", Role::Member),
    ("noor", Role::Member),
    ("paolo", Role::Member),
];

pub(crate) async fn run(config: &Config) -> Result<()> {
    let progress = Progress::of("filling the shelf");
    let site = Site::open(config).await?;
    let filled = fill(&site.catalog).await;
    site.close().await;
    drop(progress);
    let (resources, suggestions) = filled?;
    eprintln!(
        "{resources} resources, {} members, {suggestions} suggestions; now run: upshelf",
        MEMBERS.len()
    );
    Ok(())
}

async fn fill(catalog: &Catalog) -> Result<(usize, usize)> {
    if !catalog.lists().await?.is_empty() {
        bail!("the library is not empty; the demo fills only an empty one");
    }
    let request = ImportRequest { format: Some(Format::Markdown), ..ImportRequest::default() };
    let report =
        catalog.import(LIST.as_bytes().to_vec(), &request).await.context("could not import the sample")?;
    let mut members = Vec::with_capacity(MEMBERS.len());
    for (name, role) in MEMBERS {
        // Nobody signs in as a sample member: the password is made up and forgotten.
        let password = upshelf_catalog::new_set_up_code() + &upshelf_catalog::new_set_up_code();
        let account =
            NewAccount { username: name.to_owned(), email: format!("{name}@example.org"), password };
        members.push(catalog.create_member(account, role).await?);
    }
    let suggestions = suggest(catalog, &members).await?;
    Ok((report.added, suggestions))
}

async fn suggest(catalog: &Catalog, members: &[Member]) -> Result<usize> {
    let categories = catalog.categories().await?;
    let category = |slug: &str| {
        let mut waiting: Vec<_> = categories.iter().collect();
        while let Some(node) = waiting.pop() {
            if node.slug == slug {
                return Ok(node.id);
            }
            waiting.extend(&node.children);
        }
        bail!("the sample has no category {slug}")
    };
    let all = catalog
        .resources(&ResourceFilter::default(), ResourceSort::Name, &PageRequest::first(PageRequest::MAX))
        .await?;
    let resource = |title: &str| {
        all.items
            .iter()
            .find(|resource| resource.title == title)
            .map(|resource| resource.id)
            .with_context(|| format!("the sample has no resource {title}"))
    };
    let text = |text: &str| Some(text.to_owned());
    let suggestions = [
        (
            SuggestionKind::Add,
            None,
            Changes {
                url: text("https://www.sqlite.org/lang.html"),
                title: text("SQL as SQLite understands it"),
                description: text("The whole language on one page of railroad diagrams."),
                category_ids: Some(vec![category("databases")?]),
                tags: Some(vec!["sql".to_owned(), "reference".to_owned()]),
            },
            "I look it up every week.",
            6,
            1,
        ),
        (
            SuggestionKind::Add,
            None,
            Changes {
                url: text("https://www.w3.org/WAI/tips/"),
                title: text("Tips for accessible pages"),
                description: text("Short lists for writing, designing and developing for everybody."),
                category_ids: Some(vec![category("the-web")?]),
                tags: Some(vec!["accessibility".to_owned()]),
            },
            "We have nothing about accessibility yet.",
            4,
            0,
        ),
        (
            SuggestionKind::Edit,
            Some(resource("The Rust book")?),
            Changes {
                description: text(
                    "The language from the first program to threads, with exercises in the browser.",
                ),
                ..Changes::default()
            },
            "It has quizzes now.",
            3,
            0,
        ),
        (
            SuggestionKind::Move,
            Some(resource("Regular expressions 101")?),
            Changes { category_ids: Some(vec![category("tools")?]), ..Changes::default() },
            "It is a tool more than a text.",
            2,
            2,
        ),
        (
            SuggestionKind::Remove,
            Some(resource("Semantic versioning")?),
            Changes::default(),
            "Everybody knows it by now.",
            1,
            4,
        ),
    ];
    let count = suggestions.len();
    for (at, (kind, resource_id, changes, reason, up, down)) in suggestions.into_iter().enumerate() {
        let author = &members[(at + 1) % members.len()];
        let new = NewSuggestion { kind, resource_id, base_version: None, changes, reason: reason.to_owned() };
        let suggestion = catalog.propose(author, new).await?;
        let sides = std::iter::repeat_n(Side::Up, up).chain(std::iter::repeat_n(Side::Down, down));
        let voters = members.iter().filter(|member| member.id != author.id);
        for (voter, side) in voters.zip(sides) {
            catalog.vote(voter, suggestion.id, Some(side), None).await?;
        }
        catalog.add_comment(author, suggestion.id, "What do you think?").await?;
    }
    Ok(count)
}
