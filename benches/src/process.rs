//! Children: floors and product. Each writes its output to a file of its own, is measured by its pid and ends with the
//! value that holds it.

use crate::{
    proc_files,
    rig::{Cpu, Rig},
    wait,
};
use anyhow::Context;
use std::{ffi::OsString, fs, path::PathBuf, process::Stdio, time::Duration};
use tokio::process::{Child, Command};

/// A child that was asked to end is killed after this time.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Lines of a child's output that are repeated in an error.
const LOG_LINES_SHOWN: usize = 15;

/// Beginning of the product's environment variables.
const SETTINGS_PREFIX: &str = "TIDEGATE_";

/// What is to be started.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) cpu: Cpu,
}

/// A running child; killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(rig: &Rig, program: Program) -> anyhow::Result<Self> {
        // A folder each: `dev` keeps its data in the working folder.
        let folder = rig.path(&program.name);
        fs::create_dir(&folder)?;
        let log = folder.join("output.log");
        let output = fs::File::create(&log)?;
        let mut words: Vec<OsString> = rig.prefix(program.cpu).into_iter().map(OsString::from).collect();
        words.push(program.path.clone().into());
        words.extend(program.args);
        let mut command = Command::new(&words[0]);
        // Settings of the user's own installation must not reach the product that is measured.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(SETTINGS_PREFIX) {
                command.env_remove(name);
            }
        }
        // A backtrace per error value would be measured too.
        command.env("RUST_BACKTRACE", "0");
        command.args(&words[1..]).envs(program.env).current_dir(folder);
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).kill_on_drop(true);
        let child =
            command.spawn().with_context(|| format!("{} could not be started", program.path.display()))?;
        let pid = child.id().context("a child without pid")?;
        Ok(Self { name: program.name, child, pid, log })
    }

    /// Starts one of this program's own floors and waits for the addresses that it prints.
    pub(crate) async fn floor(
        rig: &Rig,
        name: &str,
        args: &[&str],
    ) -> anyhow::Result<(Self, Vec<std::net::SocketAddr>)> {
        let mut floor = Self::spawn(
            rig,
            Program {
                name: name.into(),
                path: std::env::current_exe()?,
                args: args.iter().map(OsString::from).collect(),
                env: Vec::new(),
                cpu: Cpu::Contender,
            },
        )?;
        let addresses = wait::until(&format!("{name} to listen"), STOP_LIMIT, async || {
            floor.ensure_running()?;
            let output = fs::read_to_string(&floor.log)?;
            let line = output
                .split_inclusive('\n')
                .find_map(|line| line.strip_prefix("listening ")?.strip_suffix('\n'));
            line.map(|line| line.split(' ').map(|address| Ok(address.parse()?)).collect()).transpose()
        })
        .await?;
        Ok((floor, addresses))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// CPU time so far, microseconds.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<u64> {
        proc_files::cpu_us(self.pid)
    }

    /// Resident memory once it stopped moving (by less than one percent for a second), KiB.
    pub(crate) async fn quiet_rss_kib(&self) -> anyhow::Result<u64> {
        let mut previous = proc_files::rss_kib(self.pid)?;
        let mut since = tokio::time::Instant::now();
        wait::until(&format!("the memory of {} to settle", self.name), Duration::from_secs(20), async || {
            let now = proc_files::rss_kib(self.pid)?;
            if now.abs_diff(previous) * 100 > previous {
                (previous, since) = (now, tokio::time::Instant::now());
            }
            Ok((since.elapsed() >= Duration::from_secs(1)).then_some(now))
        })
        .await
    }

    /// An error with the end of the child's output when it has ended.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let output = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = output.lines().collect();
            let end = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            anyhow::bail!("{} ended ({status}); the end of its output:\n{end}", self.name);
        }
        Ok(())
    }

    /// Asks the child to end and waits for it; kills it when it does not.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.ensure_running()?;
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        anyhow::ensure!(asked.success(), "{} could not be asked to end", self.name);
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            println!("note: {} did not end within {STOP_LIMIT:?} of SIGTERM and was killed", self.name);
            self.child.kill().await?;
        }
        Ok(())
    }
}
