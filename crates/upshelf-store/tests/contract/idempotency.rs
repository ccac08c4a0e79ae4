use anyhow::Result;
use upshelf_store::{Claim, Reply};
use upshelf_testkit::contract;

use crate::fixture::Fixture;

fn reply() -> Reply {
    Reply { status: 201, content_type: Some("application/json".to_owned()), body: b"{\0}".to_vec() }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn the_first_request_runs_and_the_others_get_its_reply(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        assert_eq!(tx.claim_idempotency("k", "print", f.now()).await?, Claim::New);
        let running = Claim::Running { fingerprint: "print".to_owned() };
        assert_eq!(tx.claim_idempotency("k", "other", f.now()).await?, running);
        tx.finish_idempotency("k", &reply()).await?;
        let replay = Claim::Replay { fingerprint: "print".to_owned(), reply: reply() };
        assert_eq!(tx.claim_idempotency("k", "other", f.pass(3_600)).await?, replay);
        tx.release_idempotency("k").await?;
        assert_eq!(tx.claim_idempotency("k", "print", f.now()).await?, replay, "a kept reply stays");
        Ok(())
    }

    async fn of_many_requests_at_once_one_runs(f: &Fixture) -> Result<()> {
        let claim = async || {
            let mut tx = f.store.write().await?;
            let claim = tx.claim_idempotency("k", "print", f.now()).await?;
            tx.commit().await?;
            anyhow::Ok(claim)
        };
        let (a, b, c, d) = tokio::join!(claim(), claim(), claim(), claim());
        let new = [a?, b?, c?, d?].iter().filter(|claim| **claim == Claim::New).count();
        assert_eq!(new, 1);
        Ok(())
    }

    async fn a_released_or_dead_claim_can_be_claimed_again(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        assert_eq!(tx.claim_idempotency("k", "one", f.now()).await?, Claim::New);
        tx.release_idempotency("k").await?;
        assert_eq!(tx.claim_idempotency("k", "two", f.now()).await?, Claim::New);
        let running = Claim::Running { fingerprint: "two".to_owned() };
        assert_eq!(tx.claim_idempotency("k", "three", f.pass(299)).await?, running);
        assert_eq!(tx.claim_idempotency("k", "three", f.pass(1)).await?, Claim::New);
        Ok(())
    }

    async fn old_replies_are_deleted(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        assert_eq!(tx.claim_idempotency("k", "print", f.now()).await?, Claim::New);
        tx.finish_idempotency("k", &reply()).await?;
        assert_eq!(tx.delete_idempotency_before(f.now(), 9).await?, 0);
        let later = f.pass(1);
        assert_eq!(tx.delete_idempotency_before(later, 0).await?, 0);
        assert_eq!(tx.delete_idempotency_before(later, 9).await?, 1);
        assert_eq!(tx.claim_idempotency("k", "print", f.now()).await?, Claim::New);
        Ok(())
    }
}
