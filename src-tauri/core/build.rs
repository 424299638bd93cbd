//! Makes a stand-in for the built UI when there is none, so that the crate builds without Node.js.

use std::path::Path;
use std::{fs, io};

const STAND_IN: &str = "<!doctype html><meta charset=\"utf-8\"><title>ChotDon</title>\
<p>The pages are not built. Run <code>cargo xtask run</code>, or <code>npm ci && npm run build</code> in <code>ui/</code>.</p>\n";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../ui/dist");
    let page = Path::new("../../ui/dist/index.html");
    if !page.exists() {
        fs::create_dir_all("../../ui/dist")?;
        fs::write(page, STAND_IN)?;
    }
    Ok(())
}
