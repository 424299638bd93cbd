//! `serve`: a shop from start to drained stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use chotdon_core::ports::{NoDesktop, Ports, SystemClock};
use chotdon_core::{Options, Shop, StartError, logging, private_file};

use crate::cli::{SecretsIn, Serve};
use crate::end::End;
use crate::environment::Environment;
use crate::notify::Manager;
use crate::place::Place;
use crate::running::Running;
use crate::secret::print_line;

pub(crate) async fn serve(args: Serve, environment: &Environment) -> Result<(), End> {
    let place = Place::of(&args.shop, environment)?;
    private_file::create_folder(&place.data_dir)
        .map_err(|error| End::failed(anyhow!("{}: {error}", place.data_dir.display())))?;
    let config = place.config(args.demo)?;
    if !args.demo && place.has_demo_key() && args.shop.secrets != Some(SecretsIn::Keyring) {
        return Err(End::failed(anyhow!(
            "{} belongs to a demo, whose secrets are not protected: use --demo, or another data directory",
            place.data_dir.display()
        )));
    }
    let logging = logging::start(&place.data_dir, &config.log)
        .map_err(|error| End::failed(anyhow!("the log cannot be written: {error}")))?;
    let secrets = place.secret_store(args.demo).await?;
    tracing::info!(secrets = secrets.kind(), data_dir = %place.data_dir.display(), demo = args.demo, "starting");

    let options = Options {
        data_dir: place.data_dir.clone(),
        demo: args.demo,
        public: Some(args.public),
        private: Some(args.private),
        env: environment.settings(),
    };
    #[cfg(debug_assertions)]
    let probe = crate::trouble::wished(environment);
    #[cfg(not(debug_assertions))]
    let probe = None;
    let ports = Ports { clock: Arc::new(SystemClock), secrets, notifier: Arc::new(NoDesktop), probe };
    let mut stop = Stop::listen()?;
    let shop = Shop::start(options, ports).await.map_err(why_not)?;
    let running = Running::new(shop.public_addr(), shop.private_addr());
    let announcement = running
        .announce(&place.data_dir)
        .map_err(|error| End::failed(anyhow!("run.json cannot be written: {error}")))?;
    print_line(&running.ready_line())?;

    let manager = Manager::of(environment);
    manager.tell("READY=1");
    tokio::select! {
        () = stop.wait() => {}
        () = manager.feed(&shop) => {}
    }
    manager.tell("STOPPING=1");
    let drain = Duration::from_secs(u64::from(shop.config().queue.drain_s));
    tracing::info!(drain_s = drain.as_secs(), "stopping; running stages may finish");
    tokio::select! {
        () = shop.shutdown(drain) => {}
        () = stop.wait() => tracing::warn!("asked to stop a second time; not waiting any longer"),
    }
    drop(announcement);
    drop(logging);
    Ok(())
}

/// A shop that is running already may be gone in a moment; everything else takes a person.
fn why_not(error: StartError) -> End {
    match error {
        StartError::AlreadyRunning(_) => End::later(error),
        _ => End::failed(error),
    }
}

/// The signals that end a daemon.
pub(crate) struct Stop {
    #[cfg(unix)]
    term: tokio::signal::unix::Signal,
    #[cfg(unix)]
    int: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    pub(crate) fn listen() -> Result<Self, End> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| End::failed(anyhow!("signals: {error}")));
        Ok(Self { term: listen(SignalKind::terminate())?, int: listen(SignalKind::interrupt())? })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    pub(crate) fn listen() -> Result<Self, End> {
        Ok(Self {})
    }

    pub(crate) async fn wait(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
