//! A real shop on a machine without a keyring: the window before it asks, and what it is answered holds.

use std::process::Command;

use chotdon_tests::machine::Machine;

use crate::app::{App, MAIN, binary, picture, press, wait_for_no_window, wait_for_window};

const UNLOCK: &str = "^ChotDon · ";
const PASSPHRASE: &str = "bon tu de nho";

fn start(machine: &Machine) -> App {
    let mut command: Command = machine.command(binary());
    App::start(command.env("LIBGL_ALWAYS_SOFTWARE", "1").env("NO_AT_BRIDGE", "1"))
}

/// Types into the field that has the focus.
fn types(machine: &Machine, text: &str) {
    activate(machine);
    machine.must(machine.command("xdotool").args(["type", "--delay", "20", text])).unwrap();
}

fn activate(machine: &Machine) {
    let search = ["search", "--onlyvisible", "--name", UNLOCK, "windowactivate", "--sync"];
    machine.must(machine.command("xdotool").args(search)).unwrap();
}

/// Goes on to another field.
fn tab(machine: &Machine, times: usize) {
    for _ in 0..times {
        press(machine, UNLOCK, "Tab").unwrap();
    }
}

fn secrets(machine: &Machine) -> std::path::PathBuf {
    machine.home().join("data/ChotDon/secrets.bin")
}

fn stop(machine: &Machine, app: App) {
    machine.must(machine.command("kill").args(["-TERM", &app.id().to_string()])).unwrap();
    app.says("the shop is closed").unwrap();
    assert_eq!(app.ends().unwrap(), 0);
}

#[test]
fn without_a_keyring_the_owner_sets_a_passphrase_and_is_asked_for_it_at_the_next_start() {
    let machine = Machine::start().unwrap().with_display().unwrap();
    let app = start(&machine);
    app.says("the secrets are out of reach").unwrap();
    wait_for_window(&machine, UNLOCK).unwrap();
    app.says("the owner is asked for").unwrap();
    picture(&machine, "no-keyring");
    assert!(!secrets(&machine).exists(), "nothing is written before the owner has said where");
    // The passphrase has the focus; the field after it repeats it.
    types(&machine, PASSPHRASE);
    tab(&machine, 1);
    types(&machine, PASSPHRASE);
    press(&machine, UNLOCK, "Return").unwrap();
    app.says("the shop is open").unwrap();
    wait_for_no_window(&machine, UNLOCK).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    let file = std::fs::read(secrets(&machine)).unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("admin.token"), "encrypted");
    stop(&machine, app);

    // A wrong one opens nothing and changes nothing.
    let app = start(&machine);
    wait_for_window(&machine, UNLOCK).unwrap();
    app.says("the owner is asked for").unwrap();
    types(&machine, "khong phai no");
    press(&machine, UNLOCK, "Return").unwrap();
    app.says("the passphrase is wrong or the file is damaged").unwrap();
    picture(&machine, "wrong-passphrase");
    assert_eq!(std::fs::read(secrets(&machine)).unwrap(), file);
    press(&machine, UNLOCK, "alt+F4").unwrap();
    assert_eq!(app.ends().unwrap(), 0, "closing the window is leaving");

    let app = start(&machine);
    wait_for_window(&machine, UNLOCK).unwrap();
    app.says("the owner is asked for").unwrap();
    types(&machine, PASSPHRASE);
    // Do not ask again.
    tab(&machine, 1);
    press(&machine, UNLOCK, "space").unwrap();
    press(&machine, UNLOCK, "Return").unwrap();
    app.says("the shop is open").unwrap();
    stop(&machine, app);
    let app = start(&machine);
    app.says("the shop is open").unwrap();
    stop(&machine, app);
}
