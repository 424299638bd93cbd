//! `worker`: works for a shop on another machine until it is told to stop.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use chotdon_core::external::remote::{self, Life, Remote, RemoteError};
use chotdon_core::ports::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::cli::Worker;
use crate::end::End;
use crate::environment::Environment;
use crate::secret::read_value;
use crate::serve::Stop;

pub(crate) async fn run(args: Worker, environment: &Environment) -> Result<(), End> {
    let url = args.url.parse().map_err(|error| End::usage(format!("--url: {error}")))?;
    let work_dir = args.work_dir.or_else(|| default_dir(environment));
    let remote = Remote {
        url,
        name: args.name,
        key: read_value()?.ok_or_else(|| End::usage("no key came in by standard input"))?,
        work_dir: work_dir.ok_or_else(|| End::usage("give a directory with --work-dir"))?,
        once: args.once,
        insecure: args.insecure,
        programs: args.programs,
        clock: Arc::new(SystemClock),
        say: Arc::new(|line| eprintln!("chotdon-server: {line}")),
    };
    let (stop, mut signals) = (CancellationToken::new(), Stop::listen()?);
    let ordered = stop.clone();
    let life = remote::work(remote, stop);
    tokio::pin!(life);
    let ended = tokio::select! {
        ended = &mut life => ended,
        () = signals.wait() => {
            ordered.cancel();
            tokio::select! {
                ended = &mut life => ended,
                () = signals.wait() => Err(RemoteError::Machine("stopped before the shop was told".to_owned())),
            }
        }
    };
    match ended {
        Ok(Life::Done) => Ok(()),
        Ok(Life::Nothing) => Err(End::later(anyhow!("the shop has nothing to do for this worker"))),
        Ok(Life::TaskFailed) => Err(End::failed(anyhow!("the task failed; the shop knows why"))),
        Err(error @ RemoteError::Usage(_)) => Err(End::usage(error)),
        Err(error @ (RemoteError::Unreachable(_) | RemoteError::Taken(_))) => Err(End::later(error)),
        Err(error) => Err(End::failed(error)),
    }
}

fn default_dir(environment: &Environment) -> Option<PathBuf> {
    environment.data_dir().map(|dir| dir.with_file_name("ChotDon-worker"))
}
