//! The desk's manners: closing is not quitting, one app per shop, a start that cannot be is said aloud.

use std::time::Duration;

use chotdon_tests::machine::Machine;

use crate::app::{App, MAIN, PATIENCE, close_window, command, desk, picture, press, wait_for_window};

const OPEN: &str = "the shop is open";
const NOT_STARTED: &str = "ChotDon không khởi động được";

#[test]
fn closing_the_window_leaves_the_shop_open_and_says_so_once() {
    let machine = desk();
    let mut app = App::start(&mut command(&machine));
    app.says(OPEN).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    close_window(&machine).unwrap();
    let told = machine.next_notification(PATIENCE).expect("the first close is explained");
    assert_eq!(told.title, "ChotDon vẫn đang chạy");
    picture(&machine, "closed");
    assert!(app.is_running());

    // A second start hands over to the first and ends; the window is back.
    let second = App::start(&mut command(&machine));
    assert_eq!(second.ends().unwrap(), 0);
    wait_for_window(&machine, MAIN).unwrap();
    close_window(&machine).unwrap();
    assert_eq!(machine.next_notification(Duration::from_millis(500)), None, "only the first close");
    assert!(app.is_running());
}

#[test]
fn the_notification_of_the_first_close_opens_the_window_again() {
    let machine = desk();
    let app = App::start(&mut command(&machine));
    app.says(OPEN).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    close_window(&machine).unwrap();
    machine.next_notification(PATIENCE).expect("the first close is explained");
    machine.click_notification().unwrap();
    wait_for_window(&machine, MAIN).unwrap();
}

#[test]
fn started_hidden_there_is_no_window_until_it_is_started_again() {
    let machine = desk();
    let mut hidden = command(&machine);
    let app = App::start(hidden.arg("--hidden"));
    app.says(OPEN).unwrap();
    let second = App::start(&mut command(&machine));
    assert_eq!(second.ends().unwrap(), 0);
    wait_for_window(&machine, MAIN).unwrap();
}

#[test]
fn the_system_ends_the_app_in_good_order() {
    let machine = desk();
    let app = App::start(&mut command(&machine));
    app.says(OPEN).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    machine.must(machine.command("kill").args(["-TERM", &app.id().to_string()])).unwrap();
    app.says("the shop is closed").unwrap();
    assert_eq!(app.ends().unwrap(), 0);
}

#[test]
fn a_demo_without_a_keyring_keeps_its_secrets_in_a_file() {
    let machine = Machine::start().unwrap().with_display().unwrap();
    let app = App::start(&mut command(&machine));
    assert!(app.says("starting").unwrap().contains("secrets=\"file\""));
    app.says(OPEN).unwrap();
}

#[test]
fn with_a_keyring_the_secrets_are_in_it() {
    let machine = desk();
    let app = App::start(&mut command(&machine));
    assert!(app.says("starting").unwrap().contains("secrets=\"keyring\""));
}

#[test]
fn a_start_that_cannot_be_is_a_dialog_with_the_cause_and_not_a_silent_end() {
    let machine = desk();
    let data = machine.home().join("data/ChotDon-demo");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("config.toml"), "[queue]\nlease_s = \"soon\"\n").unwrap();
    let mut app = App::start(&mut command(&machine));
    let said = app.says("config_invalid").unwrap();
    assert!(said.contains("lease_s"), "{said}");
    wait_for_window(&machine, NOT_STARTED).unwrap();
    picture(&machine, "not-started");
    assert!(app.is_running(), "it waits until it was read");
    press(&machine, NOT_STARTED, "Return").unwrap();
    assert_eq!(app.ends().unwrap(), 1);
}
