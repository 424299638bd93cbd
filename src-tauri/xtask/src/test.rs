//! `cargo xtask test`: every check and every test, in order, each step timed. A step that fails does not
//! stop the others; one that stands on a failed step is left out.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{self, Ending, Stream};
use crate::project::Project;
use crate::report::{self, Counts, Outcome, Row};
use crate::{codegen, needs, python, ui};

/// Options of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave out the window's tests and the slow ones.
    #[arg(long)]
    quick: bool,
    /// Run only these steps; what they stand on is taken as done.
    #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "skip")]
    only: Vec<String>,
    /// Leave these steps out.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<String>,
    /// Name the steps and stop.
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    /// Steps that must not have failed.
    after: &'static [&'static str],
    /// True for a step that `--quick` leaves out.
    slow: bool,
    run: fn(&mut Runner<'_>) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "packages", after: &[], slow: false, run: packages },
    Step { name: "format", after: &[], slow: false, run: format },
    Step { name: "npm", after: &["packages"], slow: false, run: npm },
    Step { name: "ui-lint", after: &["npm"], slow: false, run: ui_lint },
    Step { name: "ui-check", after: &["npm"], slow: false, run: ui_check },
    Step { name: "ui-test", after: &["npm"], slow: false, run: ui_test },
    Step { name: "ui-build", after: &["npm"], slow: false, run: ui_build },
    Step { name: "clippy", after: &["packages", "ui-build"], slow: false, run: clippy },
    Step { name: "build", after: &["packages", "ui-build"], slow: false, run: build },
    Step { name: "codegen", after: &["build", "npm"], slow: false, run: api_types },
    Step { name: "rust-test", after: &["build"], slow: false, run: rust_test },
    Step { name: "schemathesis", after: &["build"], slow: true, run: public_api },
    Step { name: "foreign", after: &["build"], slow: true, run: foreign },
    Step { name: "ui-pages", after: &["npm"], slow: true, run: ui_pages },
    Step { name: "desktop", after: &["build"], slow: true, run: desktop },
];

/// The test programs that need other people's programs; each names the feature `foreign` in its manifest, but
/// for `secrets`, whose run is wider with them.
const FOREIGN_TESTS: &[&str] =
    &["drive_foreign", "remotes", "kolibri", "external_foreign", "tunnel_foreign", "secrets"];

/// Longer than any step takes on a slow machine.
const STEP_LIMIT: Duration = Duration::from_secs(45 * 60);

struct Runner<'a> {
    project: &'a Project,
    quick: bool,
    counts: Counts,
}

/// Runs the steps and prints the table.
pub(crate) fn test(project: &Project, options: &Options) -> Result<ExitCode> {
    if let Some(name) =
        options.only.iter().chain(&options.skip).find(|name| !STEPS.iter().any(|s| s.name == **name))
    {
        bail!("there is no step `{name}`; --list names them");
    }
    if options.list {
        for step in STEPS {
            println!("{}", step.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows: Vec<Row> = Vec::new();
    for step in STEPS {
        let mut runner = Runner { project, quick: options.quick, counts: Counts::default() };
        let started = Instant::now();
        let outcome = match left_out(step, options, &rows) {
            Some(why) => Outcome::Skipped(why),
            None => {
                println!("\n── {} ──", step.name);
                match (step.run)(&mut runner) {
                    Ok(()) => Outcome::Passed,
                    Err(error) => {
                        println!("{}: {error:#}", step.name);
                        Outcome::Failed(format!("{error:#}"))
                    }
                }
            }
        };
        let took = started.elapsed();
        if !matches!(outcome, Outcome::Skipped(_)) {
            println!("── {} took {:.1} s", step.name, took.as_secs_f64());
        }
        rows.push(Row { name: step.name, outcome, counts: runner.counts, took });
    }
    let (text, sum) = report::table(&rows);
    println!("\n{}", text.trim_end());
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn left_out(step: &Step, options: &Options, rows: &[Row]) -> Option<String> {
    let named = |names: &[String]| names.iter().any(|name| name == step.name);
    if named(&options.skip) || (!options.only.is_empty() && !named(&options.only)) {
        return Some("not asked for".to_owned());
    }
    if options.quick && step.slow && !named(&options.only) {
        return Some("left out by --quick".to_owned());
    }
    let broken =
        rows.iter().find(|row| step.after.contains(&row.name) && matches!(row.outcome, Outcome::Failed(_)));
    broken.map(|row| format!("stands on `{}`, which failed", row.name))
}

fn packages(_: &mut Runner<'_>) -> Result<()> {
    needs::ensure(needs::Purpose::Tests)?;
    needs::vietnamese_locale();
    println!("Everything the tests need is here.");
    Ok(())
}

fn format(runner: &mut Runner<'_>) -> Result<()> {
    runner.cargo(&["fmt", "--all", "--check"])
}

fn npm(runner: &mut Runner<'_>) -> Result<()> {
    ui::install(runner.project)?;
    // A mail server that the tests talk to.
    ui::install_in(runner.project, "tests")
}

fn ui_lint(runner: &mut Runner<'_>) -> Result<()> {
    runner.step(&mut ui::script(runner.project, "lint", &[]))
}

fn ui_check(runner: &mut Runner<'_>) -> Result<()> {
    runner.step(&mut ui::script(runner.project, "check", &[]))
}

fn ui_test(runner: &mut Runner<'_>) -> Result<()> {
    runner.step(&mut ui::script(runner.project, "test", &[]))
}

fn ui_build(runner: &mut Runner<'_>) -> Result<()> {
    ui::build(runner.project)
}

fn clippy(runner: &mut Runner<'_>) -> Result<()> {
    let features = ["--features", "chotdon-tests/desktop,chotdon-tests/schemathesis,chotdon-tests/foreign"];
    runner.cargo(
        &[&["clippy", "--workspace", "--all-targets"], &features[..], &["--", "--deny", "warnings"]].concat(),
    )
}

// One selection of packages for everything that is built: another one would unify other features and
// compile the dependencies a second time.
fn build(runner: &mut Runner<'_>) -> Result<()> {
    runner.cargo(&["build", "--workspace", "--bin", "chotdon", "--bin", "chotdon-server"])?;
    runner.cargo(&["test", "--workspace", "--no-run"])
}

fn api_types(runner: &mut Runner<'_>) -> Result<()> {
    codegen::check(runner.project)
}

fn rust_test(runner: &mut Runner<'_>) -> Result<()> {
    runner.cargo(&["test", "--workspace", "--no-fail-fast"])
}

// The public API against its own document.
fn public_api(runner: &mut Runner<'_>) -> Result<()> {
    let program = python::ensure(runner.project, &python::SCHEMATHESIS)?
        .join(format!("schemathesis{}", env::consts::EXE_SUFFIX));
    let mut cargo = runner.project.cargo();
    cargo.args(["test", "--workspace", "--features", "chotdon-tests/schemathesis", "--test", "schemathesis"]);
    runner.step(cargo.env("CHOTDON_SCHEMATHESIS", program))
}

// Stand-ins and protocols, judged by programs that are not ours.
fn foreign(runner: &mut Runner<'_>) -> Result<()> {
    let programs = python::ensure(runner.project, &python::FOREIGN)?;
    let mut cargo = runner.project.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast", "--features", "chotdon-tests/foreign"]);
    cargo.args(FOREIGN_TESTS.iter().flat_map(|name| ["--test", name]));
    runner.step(cargo.env("CHOTDON_FOREIGN", programs))
}

// Every page in Chromium: pictures, axe, the Content-Security-Policy.
fn ui_pages(runner: &mut Runner<'_>) -> Result<()> {
    let pictures = runner.project.state()?.join("pictures");
    let pictures = pictures.to_string_lossy().into_owned();
    runner.step(&mut ui::script(runner.project, "shots", &["--quick", "--out", &pictures]))
}

fn desktop(runner: &mut Runner<'_>) -> Result<()> {
    runner.cargo(&[
        "test",
        "--workspace",
        "--features",
        "chotdon-tests/desktop",
        "--test",
        "desktop",
        "--",
        "--test-threads",
        "1",
    ])
}

impl Runner<'_> {
    fn cargo(&mut self, arguments: &[&str]) -> Result<()> {
        let mut cargo = self.project.cargo();
        cargo.args(arguments);
        self.step(&mut cargo)
    }

    /// Runs `command` in a home of its own, shows its output and counts the tests in it.
    fn step(&mut self, command: &mut Command) -> Result<()> {
        let home = Home::make(self.project)?;
        home.apply(command)?;
        command.env("CHOTDON_DESKTOP_BIN", self.project.program("debug", "chotdon"));
        if self.quick {
            command.env("CHOTDON_TEST_QUICK", "1");
        }
        let shown = process::show(command);
        let counts = &mut self.counts;
        let ending = process::stream(command, STEP_LIMIT, |stream, line| {
            process::pass_through(stream, line);
            if stream == Stream::Out {
                counts.read(line);
            }
        })?;
        match ending {
            _ if ending.is_success() => Ok(()),
            Ending::Exited(status) => bail!("`{shown}` ended with {status}"),
            Ending::TimedOut => bail!("`{shown}` did not end within {} minutes", STEP_LIMIT.as_secs() / 60),
        }
    }
}

/// A home directory for one step, so that no test reads or writes the developer's own.
struct Home {
    dir: std::path::PathBuf,
}

impl Home {
    fn make(project: &Project) -> Result<Self> {
        let dir = project.state()?.join(format!("home-{}", std::process::id()));
        for name in ["config", "data", "cache", "state", "run"] {
            fs::create_dir_all(dir.join(name)).with_context(|| format!("creating {}", dir.display()))?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(dir.join("run"), fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { dir })
    }

    fn apply(&self, command: &mut Command) -> Result<()> {
        // Cargo's and rustup's own homes, and npm's cache, stay where they are.
        let home = env::home_dir().context("this user has no home directory")?;
        for (name, default) in
            [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("npm_config_cache", ".npm")]
        {
            command.env(name, env::var_os(name).map_or_else(|| home.join(default), Into::into));
        }
        command
            .env("HOME", &self.dir)
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .env("XDG_DATA_HOME", self.dir.join("data"))
            .env("XDG_CACHE_HOME", self.dir.join("cache"))
            .env("XDG_STATE_HOME", self.dir.join("state"))
            .env("XDG_RUNTIME_DIR", self.dir.join("run"))
            .env("LANG", "vi_VN.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(only: &[&str], skip: &[&str], quick: bool) -> Options {
        let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
        Options { quick, only: owned(only), skip: owned(skip), list: false }
    }

    fn step(name: &str) -> &'static Step {
        STEPS.iter().find(|step| step.name == name).expect("a known step")
    }

    #[test]
    fn steps_stand_only_on_earlier_steps() {
        for (place, step) in STEPS.iter().enumerate() {
            for name in step.after {
                assert!(
                    STEPS[..place].iter().any(|earlier| earlier.name == *name),
                    "{} after {name}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn a_step_on_a_failed_one_is_left_out() {
        let failed = |name| Row {
            name,
            outcome: Outcome::Failed(String::new()),
            counts: Counts::default(),
            took: Duration::ZERO,
        };
        let all = options(&[], &[], false);
        assert!(left_out(step("clippy"), &all, &[failed("ui-build")]).is_some());
        assert!(left_out(step("clippy"), &all, &[failed("format")]).is_none());
    }

    #[test]
    fn only_skip_and_quick_choose_steps() {
        assert!(left_out(step("format"), &options(&["clippy"], &[], false), &[]).is_some());
        assert!(left_out(step("clippy"), &options(&["clippy"], &[], false), &[]).is_none());
        assert!(left_out(step("format"), &options(&[], &["format"], false), &[]).is_some());
        assert!(left_out(step("desktop"), &options(&[], &[], true), &[]).is_some());
        assert!(left_out(step("desktop"), &options(&["desktop"], &[], true), &[]).is_none());
    }
}
