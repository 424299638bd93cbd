//! Tauri put together: plugins, state, the event loop.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use tauri::plugin::TauriPlugin;
use tauri::{RunEvent, Wry};
use tauri_plugin_window_state::StateFlags;

use crate::args::Args;
use crate::{awake, commands, links, quit, start, unlock, window};

/// What is remembered of the window.
pub(crate) const PLACE: StateFlags =
    StateFlags::SIZE.union(StateFlags::POSITION).union(StateFlags::MAXIMIZED);

/// Runs until the owner quits.
///
/// # Errors
/// When the system has no display, or nothing to show web pages with.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let data_dir = args.data_dir()?;
    let app = tauri::Builder::default()
        // First, so that a second start does nothing before it hands over.
        .plugin(one_per_shop(&data_dir))
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_window_state::Builder::new().with_state_flags(PLACE).build())
        .plugin(tauri_plugin_autostart::Builder::new().app_name("ChotDon").arg("--hidden").build())
        .manage(quit::Quitting::default())
        .manage(unlock::Unlocking::default())
        .manage(awake::Keeper::default())
        .invoke_handler(tauri::generate_handler![
            commands::api,
            commands::subscribe,
            commands::open_external,
            commands::start_at_login,
            commands::keep_awake,
            commands::restart,
            unlock::unlock_question,
            unlock::unlock_answer
        ])
        .setup(move |app| {
            start::begin(app.handle(), args);
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|_, event| {
        // Without a code: the last window closed. The shop goes on.
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            api.prevent_exit();
        }
    });
    Ok(())
}

/// A second start of the same shop shows the window of the first; a demo and a real shop stand side by side.
fn one_per_shop(data_dir: &Path) -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(format!("vn.chotdon.app.{}", shop_id(data_dir)))
        .callback(|app, arguments, _| {
            let route = links::route(arguments.iter().map(String::as_str));
            // A link that names no page does nothing at all.
            if route.is_some() || !arguments.iter().any(|argument| links::is_link(argument)) {
                window::show(app, route);
            }
        })
        .build()
}

/// Names the shop in `data_dir` among this user's shops.
pub(crate) fn shop_id(data_dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    data_dir.hash(&mut hasher);
    format!("shop{:016x}", hasher.finish())
}
