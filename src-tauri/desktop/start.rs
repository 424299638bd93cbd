//! From nothing to a running shop with its window and tray; or to a dialog that says why not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chotdon_core::config::{Config, Language};
use chotdon_core::ports::{Clock, Notifier, Ports, SystemClock, Toast};
use chotdon_core::{Options, Shop, StartError, logging, private_file};
use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};

use crate::args::Args;
use crate::awake::Keeper;
use crate::desk::Desk;
use crate::notifications::Desktop;
use crate::{quit, secrets, tray, window, words};

/// How often, and after which wait, the data directory is asked for again: the process before a restart may be ending.
const LAST_BREATH: (u32, Duration) = (10, Duration::from_millis(200));

/// Why there is no shop: a stable code and a sentence.
#[derive(Debug)]
struct NotStarted {
    code: &'static str,
    detail: String,
}

impl NotStarted {
    fn new(code: &'static str, detail: impl ToString) -> Self {
        Self { code, detail: detail.to_string() }
    }
}

impl From<StartError> for NotStarted {
    fn from(error: StartError) -> Self {
        Self::new(error.code(), error)
    }
}

/// Starts the shop beside the event loop, then shows it.
pub(crate) fn begin(app: &AppHandle, args: Args) {
    let app = app.clone();
    quit::listen_to_the_system(&app);
    tauri::async_runtime::spawn(async move {
        let (hidden, route) = (args.hidden, args.route());
        // A thread of its own, so that a panic comes back as a value and is shown.
        let asked = app.clone();
        let opened =
            tauri::async_runtime::spawn_blocking(move || tauri::async_runtime::block_on(open(asked, args)));
        let opened = opened.await;
        match opened {
            Ok(Ok(Some(desk))) => {
                app.manage(desk);
                if quit::opened(&app) {
                    return;
                }
                if let Err(error) = tray::start(&app) {
                    tracing::warn!(%error, "there is no tray icon");
                }
                take_up(&app);
                if !hidden || route.is_some() {
                    window::show(&app, route);
                }
                #[cfg(debug_assertions)]
                crate::strangers::open(&app);
            }
            Ok(Ok(None)) => app.exit(0),
            _ if quit::opened(&app) => {}
            Ok(Err(why)) => say_why(&app, &why),
            Err(panic) => say_why(&app, &NotStarted::new("internal", panic)),
        }
    });
}

/// What the owner wanted of the machine before.
fn take_up(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let desk = app.state::<Desk>();
        if !desk.keep_awake(None) || app.state::<Keeper>().want(true).await.refused.is_none() {
            return;
        }
        // Nobody looks into the settings now, and a machine that falls asleep receives nothing.
        let language = desk.language();
        let toast = Toast {
            title: words::ASLEEP_TITLE.say(language).to_owned(),
            body: words::ASLEEP_BODY.say(language).to_owned(),
            route: "/settings?section=look".to_owned(),
            urgent: false,
        };
        if let Err(why) = Desktop::new(app.clone()).show(toast).await {
            tracing::warn!(%why, "that the machine may fall asleep is not shown");
        }
    });
}

/// `None` when the owner chose to leave.
async fn open(app: AppHandle, args: Args) -> Result<Option<Desk>, NotStarted> {
    let data_dir = args.data_dir().map_err(|error| NotStarted::new("directory_unusable", error))?;
    private_file::create_folder(&data_dir)
        .map_err(|error| NotStarted::new("directory_unusable", format!("{}: {error}", data_dir.display())))?;
    let env = settings_of_the_environment();
    let config = Config::load(&data_dir, args.demo, env.iter().cloned())
        .map_err(|error| NotStarted::new("config_invalid", error))?;
    let logging = logging::start(&data_dir, &config.log).ok();
    let language = config.shop.language;
    if !args.demo && secrets::belong_to_a_demo(&data_dir) {
        return Err(NotStarted::new("demo_data", words::DEMO_DATA.say(language)));
    }
    let store = secrets::open(&app, &data_dir, args.demo, language).await;
    let Some(secrets) = store.map_err(|error| NotStarted::new("secret_store_unavailable", error))? else {
        return Ok(None);
    };
    tracing::info!(secrets = secrets.kind(), data_dir = %data_dir.display(), demo = args.demo, "starting");
    let ports =
        Ports { clock: Arc::new(SystemClock), secrets, notifier: Arc::new(Desktop::new(app)), probe: None };
    let shop = start(&data_dir, args.demo, env, ports).await?;
    Ok(Some(Desk::new(shop, data_dir, logging)))
}

/// A sample shop may stand beside a real one, which has the usual address: it takes any free one then.
async fn start(
    data_dir: &Path,
    demo: bool,
    env: Vec<(String, String)>,
    ports: Ports,
) -> Result<Shop, StartError> {
    let options = Options { data_dir: data_dir.to_owned(), demo, public: None, private: None, env };
    let mut started = Shop::start(options.clone(), ports.clone()).await;
    for _ in 0..LAST_BREATH.0 {
        if !matches!(started, Err(StartError::AlreadyRunning(_))) {
            break;
        }
        SystemClock.sleep(LAST_BREATH.1).await;
        started = Shop::start(options.clone(), ports.clone()).await;
    }
    match started {
        Err(StartError::Listen(address, error)) if demo => {
            tracing::info!(%address, %error, "another address is taken for the demo");
            let anywhere = std::net::SocketAddr::new(address.ip(), 0);
            Shop::start(Options { public: Some(anywhere), ..options }, ports).await
        }
        started => started,
    }
}

/// `CHOTDON_SECTION__KEY` and what else is text.
#[allow(clippy::disallowed_methods)]
fn settings_of_the_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("CHOTDON_"))
        .collect()
}

/// Never a silent end: the sentence in the owner's language, the cause, the code; then the app ends with 1.
fn say_why(app: &AppHandle, why: &NotStarted) {
    tracing::error!(code = why.code, detail = why.detail, "not started");
    eprintln!("chotdon: {}: {}", why.code, why.detail);
    let language = Language::Vi;
    let sentence = words::not_started(why.code).say(language);
    let ending = app.clone();
    app.dialog()
        .message(format!("{sentence}\n\n{}: {}", why.code, why.detail))
        .title(words::CANNOT_START.say(language))
        .kind(MessageDialogKind::Error)
        .buttons(MessageDialogButtons::OkCustom(words::CLOSE.say(language).to_owned()))
        .show(move |_| ending.exit(1));
}
