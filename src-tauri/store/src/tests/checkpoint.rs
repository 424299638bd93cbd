//! The log and the file.

use super::{bench, incoming};
use crate::Error;
use crate::checkpoint::EVERY;

#[tokio::test]
async fn what_was_committed_is_brought_into_the_file_beside_the_writer() {
    let bench = bench().await;
    let file = bench.store.path().to_owned();
    let before = std::fs::metadata(&file).unwrap().len();
    let mut id = 0;
    while std::fs::metadata(&file).unwrap().len() == before {
        id += 1;
        assert!(id < 100 * i64::try_from(EVERY).unwrap(), "the file never grew");
        bench.store.take_in(incoming(id, 1_000, "no code")).await.unwrap();
    }
    assert!(id > i64::try_from(EVERY / 2).unwrap(), "not with every commit: {id}");
    bench.sound().await;
}

#[tokio::test]
async fn after_a_checkpoint_that_was_not_synced_nothing_is_acknowledged() {
    let bench = bench().await;
    bench.store.take_in(incoming(1, 1_000, "no code")).await.unwrap();
    assert!(!bench.store.halted());
    bench.store.writer.halt.note(&Error::Halted("the disk".to_owned()));
    assert!(bench.store.halted(), "before anybody writes");
    let refused = bench.store.take_in(incoming(2, 1_000, "no code")).await;
    assert!(matches!(refused, Err(Error::Halted(_))), "{refused:?}");
}
