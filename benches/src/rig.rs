//! The place where a measurement happens: which CPU belongs to whom, how many files may be open, where children write.

use crate::proc_files;
use anyhow::Context;
use std::{path::PathBuf, process::Command};
use tempfile::TempDir;

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 500;

/// Where a child may run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cpu {
    /// The CPU of contenders; everything else keeps off it.
    Contender,
    /// The CPU of load generator, readers and broker.
    Load,
    /// All of them.
    Any,
}

/// Prepared once per command; removes its folder at the end.
pub(crate) struct Rig {
    folder: TempDir,
    /// All allowed CPUs; empty when nothing is pinned.
    cpus: Vec<u32>,
}

impl Rig {
    /// Pins this process to the load's CPU and raises its limit of open files for `connections` at both ends. Fails when
    /// the limit cannot be raised far enough; pinning is left out where it is not possible.
    pub(crate) fn prepare(connections: u64) -> anyhow::Result<Self> {
        let wanted = connections + OTHER_FILES;
        let files =
            rlimit::increase_nofile_limit(wanted).context("the limit of open files could not be read")?;
        anyhow::ensure!(
            files >= wanted,
            "{connections} connections need {wanted} open files, the limit is {files}: raise it (ulimit -Hn) or take fewer clients"
        );
        let cpus = proc_files::allowed_cpus()?;
        let pinned = cpus.len() > 1 && pin_this_process(cpus[1]);
        if !pinned {
            println!(
                "note: nothing is pinned (needs two CPUs and taskset): contenders, load and broker disturb each other"
            );
        }
        let folder = tempfile::Builder::new().prefix("tidegate-bench.").tempdir()?;
        Ok(Self { folder, cpus: if pinned { cpus } else { Vec::new() } })
    }

    /// A path in the folder of this run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program and first arguments that start a child on `cpu`. `taskset` becomes the child: the pid stays the same.
    pub(crate) fn prefix(&self, cpu: Cpu) -> Vec<String> {
        let list = match (self.cpus.as_slice(), cpu) {
            ([first, _, ..], Cpu::Contender) => first.to_string(),
            ([_, second, ..], Cpu::Load) => second.to_string(),
            ([first, second, ..], Cpu::Any) => format!("{first},{second}"),
            ([] | [_], _) => return Vec::new(),
        };
        vec!["taskset".into(), "-c".into(), list]
    }
}

fn pin_this_process(cpu: u32) -> bool {
    let pid = std::process::id().to_string();
    let result = Command::new("taskset").args(["-a", "-c", "-p", &cpu.to_string(), &pid]).output();
    result.is_ok_and(|output| output.status.success())
}
