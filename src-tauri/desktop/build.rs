//! Tells Tauri which commands the window may call and where the capabilities lie.

use tauri_build::{AppManifest, Attributes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src-tauri/desktop/capabilities");
    // The page is compiled in.
    println!("cargo:rerun-if-changed=ui/dist");
    let commands = AppManifest::new().commands(&[
        "api",
        "subscribe",
        "open_external",
        "start_at_login",
        "keep_awake",
        "restart",
        "unlock_question",
        "unlock_answer",
    ]);
    let attributes = Attributes::new()
        .capabilities_path_pattern("./src-tauri/desktop/capabilities/*.json")
        .app_manifest(commands);
    Ok(tauri_build::try_build(attributes)?)
}
