//! Whose turn it is.

use tokio::sync::{mpsc, oneshot};

use super::{AHEAD, BATCH, Turn};
use crate::tests::incoming;
use crate::writer::{Asked, Nothing, Request};

struct Inbox {
    turn: Turn,
    sender: mpsc::Sender<Request>,
    inbox: mpsc::Receiver<Request>,
}

impl Inbox {
    fn new() -> Self {
        let (sender, inbox) = mpsc::channel(4 * BATCH);
        Self { turn: Turn::default(), sender, inbox }
    }

    fn pays(&self, times: usize) {
        for id in 1..=times {
            let (reply, _) = oneshot::channel();
            let input = incoming(i64::try_from(id).unwrap(), 1000, "DH123456");
            self.sender.try_send(Request::Intake(Asked { input, reply })).unwrap();
        }
    }

    fn works(&self, times: usize) {
        for _ in 0..times {
            self.sender.try_send(Request::Work(Box::new(Nothing))).unwrap();
        }
    }

    /// Payments and other units of the next commit.
    async fn next(&mut self) -> Option<(usize, usize)> {
        let batch = self.turn.gather(&mut self.inbox).await?;
        Some((batch.intake.len(), batch.len() - batch.intake.len()))
    }
}

#[tokio::test]
async fn payments_go_first_and_the_rest_follows_before_long() {
    let mut inbox = Inbox::new();
    inbox.works(3);
    inbox.pays(1);
    for _ in 0..AHEAD {
        assert_eq!(inbox.next().await, Some((1, 0)));
        inbox.pays(1);
    }
    assert_eq!(inbox.next().await, Some((1, 3)), "however many payments come");
    inbox.works(1);
    inbox.pays(2);
    assert_eq!(inbox.next().await, Some((2, 0)), "and then they are let go again");
}

#[tokio::test]
async fn work_waits_for_the_next_payment_once_it_kept_one_waiting_and_until_they_are_over() {
    let mut inbox = Inbox::new();
    inbox.pays(1);
    assert_eq!(inbox.next().await, Some((1, 0)));
    inbox.works(2);
    assert_eq!(inbox.next().await, Some((0, 2)));
    assert!(!inbox.turn.paying, "one payment now and then is in nobody's way");
    inbox.pays(1);
    assert_eq!(inbox.next().await, Some((1, 0)), "it came while the work was committed");
    assert!(inbox.turn.paying);
    inbox.works(2);
    assert_eq!(inbox.next().await, Some((0, 2)));
    assert!(!inbox.turn.paying, "it waited in silence; the next one waits for nothing");
}

#[tokio::test]
async fn a_full_commit_lets_nobody_go_first_and_nothing_is_left_behind_at_the_end() {
    let mut inbox = Inbox::new();
    inbox.works(BATCH - 1);
    inbox.pays(3);
    assert_eq!(inbox.next().await, Some((1, BATCH - 1)));
    inbox.works(1);
    drop(std::mem::replace(&mut inbox.sender, mpsc::channel(1).0));
    assert_eq!(inbox.next().await, Some((2, 0)));
    assert_eq!(inbox.next().await, Some((0, 1)));
    assert_eq!(inbox.next().await, None);
}
