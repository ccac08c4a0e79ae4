use anyhow::Result;
use upshelf_store::{NewComment, PageRequest};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn comments_are_listed_newest_last_with_their_writers_page_by_page(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        let (about, other) = (f.suggestion(ada).await, f.suggestion(ada).await);
        let mut tx = f.write().await;
        for (suggestion_id, member_id, body) in
            [(about, ada, "first"), (other, bob, "elsewhere"), (about, bob, "second"), (about, ada, "third")]
        {
            let new = NewComment {
                id: f.clock.id(),
                suggestion_id,
                member_id,
                body: body.to_owned(),
                created_at: f.pass(1),
            };
            tx.add_comment(&new).await?;
        }
        let all = pages(2, async |page| tx.list_comments(about, page).await).await;
        let read: Vec<_> = all.iter().map(|c| (c.username.as_str(), c.body.as_str())).collect();
        assert_eq!(read, [("Ada", "first"), ("Bob", "second"), ("Ada", "third")]);
        assert_eq!(all[1].member_id, bob);
        assert!(all.is_sorted_by_key(|comment| comment.created_at));
        assert_eq!(tx.list_comments(other, &PageRequest::first(9)).await?.items.len(), 1);
        Ok(())
    }
}
