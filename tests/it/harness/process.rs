//! A child process of a test: silent, its output in a file that is shown only when the test fails, ended with the test.

use super::services::services;
use super::wait::{SOON, until, within};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Lines of a log that a failing test shows.
const LOG_TAIL_LINES: usize = 60;

/// What Linux counts CPU time in, milliseconds.
const CLOCK_TICK_MS: u64 = 10;

/// How a child is started; the same each time it is started again.
pub(crate) struct Process {
    /// What it is called in failure texts.
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    child: Option<Child>,
    pid_file: Option<PathBuf>,
}

impl Process {
    /// Nothing runs yet. The child's working folder and log are below `folder`, which is below this run's folder: that
    /// is how strays are known after a test run that was cut off.
    pub(crate) fn new(name: &str, program: impl Into<PathBuf>, folder: &Path) -> Process {
        Process {
            name: name.to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            folder: folder.to_owned(),
            child: None,
            pid_file: None,
        }
    }

    pub(crate) fn arguments<I: IntoIterator<Item = impl Into<String>>>(mut self, arguments: I) -> Process {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Everything the process wrote so far, over all its starts.
    pub(crate) fn output(&self) -> String {
        std::fs::read(self.log())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Starts the child; its environment holds nothing but what was set and what a program needs to find others.
    pub(crate) fn start(&mut self) {
        let log =
            OpenOptions::new().create(true).append(true).open(self.log()).expect("the log can be written");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(inherited())
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log can be shared"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        if let Some(pid) = child.id() {
            let pids = services().run.join("pids");
            std::fs::create_dir_all(&pids).expect("the run's folder is writable");
            let pid_file = pids.join(pid.to_string());
            std::fs::write(&pid_file, &self.name).expect("the pid is written");
            self.pid_file = Some(pid_file);
        }
        self.child = Some(child);
    }

    /// Waits until `condition` holds; fails at once when the process ends first.
    pub(crate) async fn ready(&mut self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let waiting = format!("{} to be ready ({what})", self.name);
        until(&waiting, SOON * 2, async || {
            if let Some(code) = self.exited() {
                panic!("{} ended with {code} before it was ready", self.name);
            }
            condition().await.then_some(())
        })
        .await;
    }

    /// The exit status when the process has ended; `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<String> {
        let child = self.child.as_mut().unwrap_or_else(|| panic!("{} was not started", self.name));
        child.try_wait().expect("a child can be asked").map(|status| status.to_string())
    }

    pub(crate) fn pid(&self) -> u32 {
        let pid = self.child.as_ref().and_then(Child::id);
        pid.unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    /// Threads of the process now.
    pub(crate) fn threads(&self) -> usize {
        self.status("Threads:")
    }

    /// Resident memory of the process now, bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    fn status(&self, name: &str) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in the status of {}", self.name))
    }

    /// CPU time that the process has used since it was started.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the process lives");
        let (_, fields) = stat.rsplit_once(')').expect("the name stands in parentheses");
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * CLOCK_TICK_MS)
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM").await;
        let mut child = self.child.take().expect("it ran");
        let what = format!("{} to end after SIGTERM", self.name);
        within(&what, SOON, child.wait()).await.expect("a child can be waited for");
        self.forget();
    }

    /// Ends the process without notice (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        child.kill().await.expect("a child can be killed");
        self.forget();
    }

    /// Sends a signal by name, for instance `STOP` and `CONT`.
    pub(crate) async fn signal(&self, signal: &str) {
        // The shell's own `kill`: a bare machine has no program of that name.
        let status =
            Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", self.pid())).status().await;
        assert!(status.is_ok_and(|status| status.success()), "{}: SIG{signal} was not delivered", self.name);
    }

    /// The pid may belong to another program soon.
    fn forget(&mut self) {
        if let Some(file) = self.pid_file.take() {
            drop(std::fs::remove_file(file));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
            eprintln!(
                "---- {} ({}) ----\n{tail}\n---- end of {} ----",
                self.name,
                self.log().display(),
                self.name
            );
        }
        if let Some(child) = self.child.as_mut() {
            // An error means that it has ended already.
            drop(child.start_kill());
        }
        self.forget();
    }
}

/// What a program needs to find its interpreter; nothing of the tests' own settings.
#[expect(clippy::disallowed_methods, reason = "a child without a search path finds neither bash nor java")]
fn inherited() -> Vec<(&'static str, String)> {
    ["PATH", "HOME", "JAVA_HOME", "JAVA_TOOL_OPTIONS"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok().map(|value| (name, value)))
        .collect()
}
