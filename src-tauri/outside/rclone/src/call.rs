//! The calls. Each is one POST of JSON with our login.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::types::{Checked, Features, Item, Job, JobState, Place, Stats, Version};
use crate::{Error, Section};

/// Largest answer, bytes: a listing of 10,000 files has 3 MB.
const LARGEST: usize = 64 << 20;
/// Longest wait for a call that is no job.
const PATIENCE: Duration = Duration::from_secs(300);
/// What desktops leave in folders by themselves.
const DROPPINGS: [&str; 4] = [".DS_Store", "Thumbs.db", "desktop.ini", "._*"];

/// Where rclone listens.
#[derive(Debug, Clone)]
pub enum Ends {
    /// A socket of the file system.
    #[cfg(unix)]
    Socket(PathBuf),
    /// A port of 127.0.0.1.
    Port(u16),
}

/// A running rclone.
#[derive(Clone)]
pub struct Rclone {
    client: Client,
    base: String,
    user: String,
    password: SecretString,
}

impl std::fmt::Debug for Rclone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rclone").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Rclone {
    /// Talks to the rclone at `ends`, which was started with this login.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(ends: &Ends, user: &str, password: SecretString) -> Result<Self, Error> {
        let builder = Client::builder().no_proxy().timeout(PATIENCE);
        let (builder, base) = match ends {
            #[cfg(unix)]
            Ends::Socket(path) => (builder.unix_socket(path.as_path()), "http://rclone".to_owned()),
            Ends::Port(port) => (builder, format!("http://127.0.0.1:{port}")),
        };
        let client = builder.build().map_err(|e| Error::Unreachable(e.to_string()))?;
        Ok(Self { client, base, user: user.to_owned(), password })
    }

    async fn call<T: for<'a> Deserialize<'a>>(&self, name: &'static str, input: Value) -> Result<T, Error> {
        let gone = |error: reqwest::Error| Error::Unreachable(error.without_url().to_string());
        let sent = self
            .client
            .post(format!("{}/{name}", self.base))
            .basic_auth(&self.user, Some(self.password.expose_secret()))
            .header("Content-Type", "application/json")
            .body(input.to_string())
            .send();
        let mut answer = sent.await.map_err(gone)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(gone)? {
            body.extend_from_slice(&piece);
            if body.len() > LARGEST {
                return Err(Error::Unknown(name));
            }
        }
        if !status.is_success() {
            return Err(Error::answered(status.as_u16(), &body));
        }
        serde_json::from_slice(&body).map_err(|_| Error::Unknown(name))
    }

    /// Which rclone it is.
    ///
    /// # Errors
    /// [`Error`], as of every call.
    pub async fn version(&self) -> Result<Version, Error> {
        #[derive(Deserialize)]
        struct Answer {
            decomposed: Vec<u32>,
        }
        match self.call::<Answer>("core/version", json!({})).await?.decomposed[..] {
            [major, minor, patch, ..] => Ok(Version { major, minor, patch }),
            [major, minor] => Ok(Version { major, minor, patch: 0 }),
            _ => Err(Error::Unknown("core/version")),
        }
    }

    /// Ends it. It may be gone before it answers.
    pub async fn quit(&self) {
        let _ = self.call::<Value>("core/quit", json!({ "exitCode": 0 })).await;
    }

    /// Configures a remote, in its memory only. Passwords are obscured already, as in `rclone.conf`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_remote(&self, section: &Section) -> Result<(), Error> {
        let parameters: Map<String, Value> = section
            .options
            .iter()
            .map(|(name, value)| (name.clone(), json!(value.expose_secret())))
            .collect();
        let input = json!({
            "name": section.name, "type": section.kind, "parameters": parameters,
            "opt": { "nonInteractive": true, "noObscure": true, "noOutput": true },
        });
        self.call::<Value>("config/create", input).await.map(drop)
    }

    /// Forgets every remote that it has opened, so that a changed configuration is used.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forget_open_remotes(&self) -> Result<(), Error> {
        self.call::<Value>("fscache/clear", json!({})).await.map(drop)
    }

    /// What the remote can do.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn features(&self, place: &Place) -> Result<Features, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            hashes: Vec<String>,
            #[serde(default)]
            features: Map<String, Value>,
            precision: Option<i64>,
        }
        let answer: Answer = self.call("operations/fsinfo", json!({ "fs": place.fs() })).await?;
        let slow_hash = answer.features.get("SlowHash").and_then(Value::as_bool).unwrap_or(false);
        // A hundred years: rclone's word for a remote that keeps no times.
        let times = answer.precision.is_some_and(|ns| ns < 3_153_600_000_000_000_000);
        Ok(Features { hashes: answer.hashes, slow_hash, times })
    }

    /// Lists the files of a directory and those below it, with the hash named `hash`.
    ///
    /// # Errors
    /// [`Error`]; of class `NotFound` when the directory is not there.
    pub async fn list(&self, place: &Place, hash: Option<&str>) -> Result<Vec<Item>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            list: Option<Vec<Item>>,
        }
        let mut options = json!({ "recurse": true, "filesOnly": true, "noMimeType": true });
        if let Some(hash) = hash {
            options["showHash"] = json!(true);
            options["hashTypes"] = json!([hash]);
        }
        let input = json!({ "fs": place.fs(), "remote": "", "opt": options, "_filter": filter() });
        Ok(self.call::<Answer>("operations/list", input).await?.list.unwrap_or_default())
    }

    /// Copies what a directory has to another one, where it differs. `group` names the job's figures.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn copy(&self, from: &Place, to: &Place, group: &str) -> Result<Job, Error> {
        self.start("sync/copy", json!({ "srcFs": from.fs(), "dstFs": to.fs(), "_filter": filter() }), group)
            .await
    }

    /// Moves a directory: by one rename where the remote can, else file by file.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn move_into(&self, from: &Place, to: &Place, group: &str) -> Result<Job, Error> {
        let input = json!({ "srcFs": from.fs(), "dstFs": to.fs(), "deleteEmptySrcDirs": true });
        self.start("sync/move", input, group).await
    }

    /// Removes a directory with everything in it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn purge(&self, place: &Place, group: &str) -> Result<Job, Error> {
        self.start("operations/purge", json!({ "fs": place.fs(), "remote": "" }), group).await
    }

    /// Copies one file, from front to back, into the file as it will be called: it may be read while it grows.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn copy_file(
        &self,
        from: (&Place, &str),
        to: (&Place, &str),
        group: &str,
    ) -> Result<Job, Error> {
        let input = json!({
            "srcFs": from.0.fs(), "srcRemote": from.1, "dstFs": to.0.fs(), "dstRemote": to.1,
        });
        self.start("operations/copyfile", input, group).await
    }

    /// Compares two directories; `download` reads both where they have no hash in common.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn check(&self, from: &Place, to: &Place, download: bool, group: &str) -> Result<Job, Error> {
        let input =
            json!({ "srcFs": from.fs(), "dstFs": to.fs(), "download": download, "_filter": filter() });
        self.start("operations/check", input, group).await
    }

    /// Asks for the hash of every file below a directory; `download` reads them. The answer is for [`sums`].
    ///
    /// # Errors
    /// [`Error`].
    pub async fn hashsum(
        &self,
        place: &Place,
        hash: &str,
        download: bool,
        group: &str,
    ) -> Result<Job, Error> {
        let input = json!({ "fs": place.fs(), "hashType": hash, "download": download, "_filter": filter() });
        self.start("operations/hashsum", input, group).await
    }

    async fn start(&self, name: &'static str, mut input: Value, group: &str) -> Result<Job, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            jobid: i64,
            #[serde(default)]
            execute_id: String,
        }
        input["_async"] = json!(true);
        input["_group"] = json!(group);
        // One stream a file, written in order: parts of several streams cannot be read while they grow.
        let mut config = json!({ "Transfers": 2, "LowLevelRetries": 3, "MultiThreadStreams": 0 });
        if name == "operations/copyfile" {
            config["Inplace"] = json!(true);
        }
        input["_config"] = config;
        let answer: Answer = self.call(name, input).await?;
        Ok(Job { id: answer.jobid, execution: answer.execute_id })
    }

    /// How a job stands.
    ///
    /// # Errors
    /// [`Error`]; of class `JobUnknown` when it was another run's, or is over for longer than results are kept.
    pub async fn job(&self, job: &Job) -> Result<JobState, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            finished: bool,
            success: bool,
            #[serde(default)]
            error: String,
            #[serde(default)]
            execute_id: String,
            #[serde(default)]
            output: Value,
        }
        let answer: Answer = self.call("job/status", json!({ "jobid": job.id })).await?;
        if answer.execute_id != job.execution {
            return Err(Error::of_job("job not found"));
        }
        Ok(match (answer.finished, answer.success) {
            (false, _) => JobState::Running,
            (true, true) => JobState::Done(answer.output),
            (true, false) => JobState::Failed(answer.error),
        })
    }

    /// Stops a job; one that is not known needs no stopping.
    pub async fn stop(&self, job: &Job) {
        let _ = self.call::<Value>("job/stop", json!({ "jobid": job.id })).await;
    }

    /// Figures of a group of jobs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn stats(&self, group: &str) -> Result<Stats, Error> {
        self.call("core/stats", json!({ "group": group })).await
    }
}

impl Checked {
    /// From the answer of a [`Rclone::check`] job.
    ///
    /// # Errors
    /// [`Error::Unknown`] for anything else.
    pub fn of(output: Value) -> Result<Self, Error> {
        serde_json::from_value(output).map_err(|_| Error::Unknown("operations/check"))
    }
}

/// Path → lower-case hex, from the answer of a [`Rclone::hashsum`] job.
///
/// # Errors
/// [`Error::Unknown`] for anything else.
pub fn sums(output: Value) -> Result<std::collections::HashMap<String, String>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        hashsum: Vec<String>,
    }
    let unknown = || Error::Unknown("operations/hashsum");
    let answer: Answer = serde_json::from_value(output).map_err(|_| unknown())?;
    let split = |line: String| {
        line.split_once("  ")
            .map(|(sum, path)| (path.to_owned(), sum.to_ascii_lowercase()))
            .ok_or_else(unknown)
    };
    answer.hashsum.into_iter().map(split).collect()
}

fn filter() -> Value {
    json!({ "ExcludeRule": DROPPINGS })
}
