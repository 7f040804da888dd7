//! One request for many questions. While a request is on its way, further questions queue up, and the next request asks
//! all of them. So each request is sent after its questions were asked, and an answer is as fresh as one of its own would be.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot::{self, error::TryRecvError};

/// Questions of one kind that share requests.
#[derive(Debug)]
pub(crate) struct Coalesce<Q, A> {
    waiting: Mutex<Vec<(Q, oneshot::Sender<A>)>>,
    asking: tokio::sync::Mutex<()>,
}

impl<Q, A> Default for Coalesce<Q, A> {
    fn default() -> Self {
        Coalesce { waiting: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }
}

impl<Q: Clone, A> Coalesce<Q, A> {
    /// The answer to a question. `send` asks for all that wait, and answers each in its place.
    pub async fn ask<F: Future<Output = Vec<A>>>(&self, question: Q, send: impl Fn(Vec<Q>) -> F) -> A {
        loop {
            let (answer, mut heard) = oneshot::channel();
            self.lock().push((question.clone(), answer));
            let _asking = self.asking.lock().await;
            match heard.try_recv() {
                Ok(answer) => return answer,
                // Whoever asked for this one too was stopped.
                Err(TryRecvError::Closed) => continue,
                Err(TryRecvError::Empty) => {}
            }
            // What nobody waits for any more is not asked: it may be old.
            let waiting = mem::take(&mut *self.lock()).into_iter().filter(|(_, asker)| !asker.is_closed());
            let (questions, askers): (Vec<Q>, Vec<_>) = waiting.unzip();
            for (answer, asker) in send(questions).await.into_iter().zip(askers) {
                drop(asker.send(answer)); // who asked may have gone
            }
            if let Ok(answer) = heard.try_recv() {
                return answer;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Q, oneshot::Sender<A>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers each number with its double; a request waits for a permit, and the numbers of each are kept.
    struct Asked {
        together: Coalesce<u64, u64>,
        requests: Mutex<Vec<Vec<u64>>>,
        permits: Semaphore,
    }

    impl Asked {
        fn new() -> Arc<Self> {
            let (together, requests) = (Coalesce::default(), Mutex::default());
            Arc::new(Asked { together, requests, permits: Semaphore::new(0) })
        }

        async fn ask(&self, number: u64) -> u64 {
            let send = async |numbers: Vec<u64>| {
                self.requests.lock().unwrap().push(numbers.clone());
                self.permits.acquire().await.unwrap().forget();
                numbers.into_iter().map(|number| 2 * number).collect()
            };
            self.together.ask(number, send).await
        }

        fn requests(&self) -> Vec<Vec<u64>> {
            self.requests.lock().unwrap().clone()
        }
    }

    /// Asks without waiting for the answer.
    async fn begin(asked: &Arc<Asked>, number: u64) -> tokio::task::JoinHandle<u64> {
        let asking = tokio::spawn({
            let asked = asked.clone();
            async move { asked.ask(number).await }
        });
        tokio::task::yield_now().await;
        asking
    }

    #[tokio::test]
    async fn those_who_ask_while_a_request_is_on_its_way_are_asked_for_by_the_next_one() {
        let asked = Asked::new();
        let mut asking = vec![];
        for number in 1..=4 {
            asking.push(begin(&asked, number).await);
        }
        assert_eq!(asked.requests(), [vec![1]], "none that was sent before it was asked answers a question");
        asked.permits.add_permits(9);
        let answers: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
        assert_eq!((answers, asked.requests()), (vec![2, 4, 6, 8], vec![vec![1], vec![2, 3, 4]]));
    }

    #[tokio::test]
    async fn a_question_whose_asker_was_stopped_is_never_asked() {
        let asked = Asked::new();
        let first = begin(&asked, 1).await;
        let second = begin(&asked, 2).await;
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        asked.permits.add_permits(9);
        assert_eq!((first.await.unwrap(), asked.ask(3).await), (2, 6));
        assert_eq!(asked.requests(), [vec![1], vec![3]]);
    }

    #[tokio::test]
    async fn when_the_one_who_asks_for_all_is_stopped_the_others_ask_again() {
        let asked = Asked::new();
        let first = begin(&asked, 1).await;
        let second = begin(&asked, 2).await;
        let third = begin(&asked, 3).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        while asked.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        asked.permits.add_permits(9);
        assert_eq!(third.await.unwrap(), 6);
        assert_eq!(asked.requests(), [vec![1], vec![2, 3], vec![3]]);
    }
}
