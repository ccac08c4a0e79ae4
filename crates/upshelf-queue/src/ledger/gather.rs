//! Statements that are shared: while one runs, what is asked next gathers for the one after it. Nothing waits when idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::local::Pools;
use crate::{Error, Result};

/// Questions of one statement.
const MOST: usize = 500;

/// Something to ask the database that may be asked with others of its kind.
pub(crate) trait Question: Send + Sync + Sized {
    type Answer: Send;

    /// Asks in one statement; there is one answer to each question, in their order.
    fn ask(pools: &Pools, questions: &[Self]) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

/// Gathers questions. Whoever asks runs the statement for all that wait, so there is no task that closing could lose.
pub(crate) struct Gather<Q: Question> {
    waiting: Mutex<Vec<Waiting<Q>>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting<Q: Question> {
    question: Q,
    answer: oneshot::Sender<Result<Q::Answer, Arc<Error>>>,
}

impl<Q: Question> Default for Gather<Q> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<Q: Question> Gather<Q> {
    /// Asks, with whoever asks meanwhile. An error may be that of others, and asking again helps as ever.
    pub(crate) async fn ask(&self, pools: &Pools, question: Q) -> Result<Q::Answer, Arc<Error>> {
        let (sender, mut answer) = oneshot::channel();
        self.waiting().push(Waiting { question, answer: sender });
        let _turn = tokio::select! {
            biased;
            answer = &mut answer => return answer.unwrap_or_else(|_| Err(given_up())),
            turn = self.turn.lock() => turn,
        };
        // More may wait before it than one statement takes.
        loop {
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => self.answer_some(pools).await,
                Err(oneshot::error::TryRecvError::Closed) => return Err(given_up()),
            }
        }
    }

    async fn answer_some(&self, pools: &Pools) {
        let (mut questions, mut senders) = (Vec::new(), Vec::new());
        {
            let mut waiting = self.waiting();
            let count = waiting.len().min(MOST);
            for Waiting { question, answer } in waiting.drain(..count) {
                questions.push(question);
                senders.push(answer);
            }
        }
        match Q::ask(pools, &questions).await {
            Ok(answers) => {
                for (sender, answer) in senders.into_iter().zip(answers) {
                    // Whoever asked may be gone.
                    let _ = sender.send(Ok(answer));
                }
            }
            // One that the database refuses must not take the others with it: each on its own, then.
            Err(error) if questions.len() > 1 && error.is_refusal() => {
                for (sender, question) in senders.into_iter().zip(questions.chunks(1)) {
                    let answer = Q::ask(pools, question).await.map(|mut answers| answers.remove(0));
                    let _ = sender.send(answer.map_err(Arc::new));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for sender in senders {
                    let _ = sender.send(Err(Arc::clone(&error)));
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting<Q>>> {
        // Every change of the list is one call, so it is whole even after a panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever ran the statement was dropped in the middle of it.
fn given_up() -> Arc<Error> {
    Arc::new(Error::Database { doing: "ask the database", source: "the statement was given up".into() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::SqlitePool;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::error::During;

    /// Whoever answers: notes how many questions came at once, and answers when it may.
    struct Desk {
        sizes: Mutex<Vec<usize>>,
        open: Semaphore,
    }

    /// A number, and who is asked what twice that is.
    struct Double(u32, Arc<Desk>);

    /// What the database refuses.
    const REFUSED: u32 = 13;
    /// What makes it look as if it were away.
    const AWAY: u32 = 14;

    impl Question for Double {
        type Answer = u32;

        async fn ask(pools: &Pools, questions: &[Self]) -> Result<Vec<u32>> {
            let desk = &questions[0].1;
            desk.sizes.lock().expect("nobody panics here").push(questions.len());
            desk.open.acquire().await.expect("it is never closed").forget();
            let Pools::Sqlite { write, .. } = pools else { panic!("these tests are on SQLite") };
            if questions.iter().any(|question| question.0 == AWAY) {
                write.close().await;
            }
            let sql = match questions.iter().any(|question| question.0 == REFUSED) {
                true => "SELECT json('no JSON')",
                false => "SELECT 1",
            };
            sqlx::raw_sql(sql).execute(write).await.during("double numbers")?;
            Ok(questions.iter().map(|question| 2 * question.0).collect())
        }
    }

    struct Fixture {
        desk: Arc<Desk>,
        pools: Pools,
        gather: Arc<Gather<Double>>,
    }

    type Asked = tokio::task::JoinHandle<Result<u32, Arc<Error>>>;

    impl Fixture {
        fn new() -> Self {
            let pool = SqlitePool::connect_lazy("sqlite::memory:").expect("an address");
            let desk = Desk { sizes: Mutex::default(), open: Semaphore::new(0) };
            Self {
                desk: Arc::new(desk),
                pools: Pools::Sqlite { write: pool.clone(), read: pool },
                gather: Arc::default(),
            }
        }

        /// Asks, and comes back when the question waits or is being answered.
        async fn ask(&self, number: u32) -> Asked {
            let (gather, pools) = (Arc::clone(&self.gather), self.pools.clone());
            let question = Double(number, Arc::clone(&self.desk));
            let asked =
                tokio_util::task::TaskTracker::new().spawn(async move { gather.ask(&pools, question).await });
            tokio::task::yield_now().await;
            asked
        }

        fn open(&self, times: usize) {
            self.desk.open.add_permits(times);
        }

        fn sizes(&self) -> Vec<usize> {
            self.desk.sizes.lock().expect("nobody panics here").clone()
        }
    }

    async fn answer(asked: Asked) -> Result<u32, Arc<Error>> {
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await;
        answer.expect("it is answered").expect("it does not panic")
    }

    #[tokio::test]
    async fn what_is_asked_while_a_statement_runs_shares_the_next() {
        let fixture = Fixture::new();
        let mut asked = Vec::new();
        for number in 0..9 {
            asked.push(fixture.ask(number).await);
        }
        fixture.open(2);
        for (number, asked) in (0..9).zip(asked) {
            assert_eq!(answer(asked).await.expect("it is answered"), 2 * number);
        }
        assert_eq!(fixture.sizes(), [1, 8]);
    }

    #[tokio::test]
    async fn more_than_one_statement_takes_are_all_answered() {
        let fixture = Fixture::new();
        let mut asked = Vec::new();
        for number in 0..2 * u32::try_from(MOST).expect("it is small") + 2 {
            asked.push(fixture.ask(1_000 + number).await);
        }
        fixture.open(10);
        for (number, asked) in (1_000..).zip(asked) {
            assert_eq!(answer(asked).await.expect("it is answered"), 2 * number);
        }
        assert_eq!(fixture.sizes(), [1, MOST, MOST, 1]);
    }

    #[tokio::test]
    async fn what_the_database_refuses_fails_alone() {
        let fixture = Fixture::new();
        let mut asked = Vec::new();
        for number in [1, 2, REFUSED, 3] {
            asked.push(fixture.ask(number).await);
        }
        fixture.open(10);
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(answer(asked).await.ok());
        }
        assert_eq!(answers, [Some(2), Some(4), None, Some(6)]);
        assert_eq!(fixture.sizes(), [1, 3, 1, 1, 1]);
    }

    #[tokio::test]
    async fn while_the_database_is_away_nobody_asks_it_one_by_one() {
        let fixture = Fixture::new();
        let mut asked = Vec::new();
        for number in [1, AWAY, 2, 3] {
            asked.push(fixture.ask(number).await);
        }
        fixture.open(10);
        assert_eq!(answer(asked.remove(0)).await.expect("it is answered"), 2);
        for asked in asked {
            assert!(answer(asked).await.is_err());
        }
        assert_eq!(fixture.sizes(), [1, 3]);
    }

    #[tokio::test]
    async fn who_is_dropped_while_asking_for_others_leaves_them_an_error_and_room() {
        let fixture = Fixture::new();
        let first = fixture.ask(1).await;
        let (leads, follows) = (fixture.ask(2).await, fixture.ask(3).await);
        fixture.open(1);
        assert_eq!(answer(first).await.expect("it is answered"), 2);
        while fixture.sizes() != [1, 2] {
            tokio::task::yield_now().await;
        }
        leads.abort();
        assert!(answer(follows).await.is_err());
        let next = fixture.ask(4).await;
        fixture.open(1);
        assert_eq!(answer(next).await.expect("it is answered"), 8);
    }
}
