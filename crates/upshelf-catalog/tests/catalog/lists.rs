use std::path::PathBuf;

use anyhow::Result;
use upshelf_catalog::{Error, ImportReport, ImportRequest, Refusal};
use upshelf_lists::Format;
use upshelf_store::{Changes, PageRequest, ResourceFilter, ResourceSort, Role, SuggestionKind};
use upshelf_testkit::contract;

use crate::fixture::Site;

/// A real list, from the folder beside the project.
fn real(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{} must be there: {error}", path.display()))
}

async fn import(site: &Site, list: &str, bytes: impl Into<Vec<u8>>) -> Result<ImportReport, Error> {
    let request = ImportRequest { list: Some(list.to_owned()), ..ImportRequest::default() };
    site.catalog.import(bytes.into(), &request).await
}

async fn markdown(site: &Site, list: &str) -> String {
    let export = site.catalog.export(Format::Markdown, Some(list)).await.expect("the list is there");
    String::from_utf8(export.bytes).expect("it is text")
}

async fn titles(site: &Site) -> Vec<String> {
    let page = PageRequest::first(100);
    let found = site.catalog.resources(&ResourceFilter::default(), ResourceSort::Name, &page).await;
    found.expect("a list").items.into_iter().map(|resource| resource.title).collect()
}

fn counts(report: &ImportReport) -> [usize; 5] {
    [report.added, report.placed, report.unchanged, report.changed, report.removed]
}

const BASE: &str = "# Things\n\n## One\n\n- [A](https://a.example) - Is A.\n- [B](https://b.example) - Is B.\n- [D](https://d.example) - Is D.\n- [E](https://e.example) - Is E.\n\n## Two\n\n- [A](https://a.example) - Is A.\n- [X](https://x.example) - Is X.\n";

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn every_real_list_comes_out_as_it_went_in_and_adds_nothing_twice(site: &Site) -> Result<()> {
        for name in ["awesome-nodejs", "awesome-rust", "awesome-selfhosted", "free-programming-books-langs"] {
            let bytes = real(&format!("{name}.md"));
            let first = import(site, name, bytes.clone()).await?;
            assert!(first.added > 500, "{name}: {:?}", counts(&first));
            let out = site.catalog.export(Format::Markdown, Some(name)).await?;
            assert!(out.bytes == bytes, "{name} differs");
            let again = import(site, name, bytes.clone()).await?;
            let [added, placed, unchanged, changed, removed] = counts(&again);
            assert_eq!([added, placed, changed, removed], [0; 4], "{name}");
            assert!(unchanged >= first.added, "{name}");
            // The same content in other bytes is compared entry by entry, and adds nothing either.
            let mut longer = bytes.clone();
            longer.extend_from_slice(b"\n<!-- read again -->\n");
            let [added, placed, _, changed, removed] = counts(&import(site, name, longer).await?);
            assert_eq!([added, placed, changed, removed], [0; 4], "{name}");
        }
        Ok(())
    }

    async fn a_newer_file_brings_only_its_differences(site: &Site) -> Result<()> {
        assert_eq!(counts(&import(site, "things", BASE).await?), [5, 1, 0, 0, 0]);
        let newer = BASE
            .replace("- [B](https://b.example) - Is B.\n", "- [B](https://b.example) - Is a better B.\n- [C](https://c.example) - Is C.\n")
            .replace("- [X](https://x.example) - Is X.\n", "- [C](https://c.example) - Is C.\n");
        let report = import(site, "things", newer.as_str()).await?;
        assert_eq!(counts(&report), [1, 1, 4, 1, 1]);
        assert_eq!(titles(site).await, ["A", "B", "C", "D", "E"]);
        assert_eq!(markdown(site, "things").await, newer);
        // And back again: X is revived, C leaves.
        assert_eq!(counts(&import(site, "things", BASE).await?), [1, 0, 4, 1, 2]);
        assert_eq!(titles(site).await, ["A", "B", "D", "E", "X"]);
        Ok(())
    }

    async fn what_members_changed_survives_a_newer_file(site: &Site) -> Result<()> {
        import(site, "things", BASE).await?;
        let (curator, author) = (site.officer("maren", Role::Curator).await, site.member("ada").await);
        let page = PageRequest::first(100);
        let all = site.catalog.resources(&ResourceFilter::default(), ResourceSort::Name, &page).await?.items;
        let [a, b, d, _, x] = all.as_slice() else { panic!("five resources") };
        let one = b.categories[0].id;
        let change = async |kind, resource_id, changes| {
            let new = upshelf_catalog::NewSuggestion {
                kind,
                resource_id,
                base_version: None,
                changes,
                reason: String::new(),
            };
            let made = site.catalog.propose(&author, new).await.expect("it is good");
            site.catalog.approve(&curator, made.id, None).await.expect("it can be applied");
        };
        let described = Changes { description: Some("Is our D.".into()), ..Changes::default() };
        change(SuggestionKind::Edit, Some(d.id), described).await;
        change(SuggestionKind::Remove, Some(x.id), Changes::default()).await;
        let addition = Changes {
            url: Some("https://c.example".into()),
            title: Some("C".into()),
            description: Some("Is C".into()),
            category_ids: Some(vec![one]),
            tags: None,
        };
        change(SuggestionKind::Add, None, addition).await;
        let ours = BASE
            .replace("Is D.", "Is our D.")
            .replace("- [X](https://x.example) - Is X.\n", "")
            .replace("- [D]", "- [C](https://c.example) - Is C.\n- [D]");
        assert_eq!(markdown(site, "things").await, ours);

        // Upstream knows nothing of it, and changes A and D.
        let newer = BASE.replace("- [A](https://a.example) - Is A.", "- [A](https://a.example) - Is a newer A.")
            .replace("Is D.", "Is their D.");
        let report = import(site, "things", newer.as_str()).await?;
        assert_eq!(report.changed, 1, "{:?}", report.warnings);
        assert!(report.warnings.iter().any(|warning| warning.what.contains("members changed this entry")));
        assert_eq!(site.catalog.resource(a.id).await?.description, "Is a newer A.");
        assert_eq!(site.catalog.resource(d.id).await?.description, "Is our D.");
        assert_eq!(titles(site).await, ["A", "B", "C", "D", "E"]);
        let merged = ours.replace("- [A](https://a.example) - Is A.", "- [A](https://a.example) - Is a newer A.");
        assert_eq!(markdown(site, "things").await, merged);
        Ok(())
    }

    async fn a_dry_run_reports_and_changes_nothing(site: &Site) -> Result<()> {
        let request = ImportRequest { dry_run: true, ..ImportRequest::default() };
        let report = site.catalog.import(BASE.as_bytes().to_vec(), &request).await?;
        assert_eq!((counts(&report), report.list.as_str(), report.entries.len()), ([5, 1, 0, 0, 0], "things", 6));
        assert!(site.catalog.lists().await?.is_empty() && titles(site).await.is_empty());
        Ok(())
    }

    async fn the_only_list_is_meant_unless_the_file_shares_little_with_it(site: &Site) -> Result<()> {
        let bare = ImportRequest::default();
        site.catalog.import(BASE.as_bytes().to_vec(), &bare).await?;
        let renamed = BASE.replace("# Things", "# Fine things");
        assert_eq!(site.catalog.import(renamed.into_bytes(), &bare).await?.list, "things");
        let other = "# Other\n\n## One\n\n- [O](https://o.example) - Is O.\n";
        assert_eq!(site.catalog.import(other.as_bytes().to_vec(), &bare).await?.list, "other");
        assert_eq!(titles(site).await.len(), 6);
        // Two lists now: the export has to know which.
        let refused = site.catalog.export(Format::Markdown, None).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Invalid(faults))) if faults[0].field == "list"));
        let missing = site.catalog.export(Format::Markdown, Some("nothing")).await;
        assert!(matches!(missing, Err(Error::Refused(Refusal::NotFound("list")))));
        Ok(())
    }

    async fn bookmarks_come_in_with_their_tags_and_go_out_in_every_format(site: &Site) -> Result<()> {
        let file = real("bookmarks/shaarli.htm");
        let report = import(site, "marks", file).await?;
        assert!(report.added > 0, "{report:?}");
        assert!(!site.catalog.tags().await?.is_empty());
        for format in Format::ALL {
            let out = site.catalog.export(format, Some("marks")).await?;
            let read = upshelf_lists::read(format, out.bytes).expect("what is written can be read");
            assert_eq!(read.entries.len(), report.added + report.placed, "{format}");
        }
        Ok(())
    }

    async fn a_file_that_is_not_in_its_format_is_refused_whole(site: &Site) -> Result<()> {
        let request = ImportRequest { format: Some(Format::Json), ..ImportRequest::default() };
        let refused = site.catalog.import(b"[{\"url\": ".to_vec(), &request).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Invalid(_)))));
        assert!(site.catalog.lists().await?.is_empty());
        let slug = ImportRequest { list: Some("No Slug".into()), ..ImportRequest::default() };
        let refused = site.catalog.import(BASE.as_bytes().to_vec(), &slug).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Invalid(_)))));
        Ok(())
    }
}
