//! nginx as an upstream server and as the proxy that the product is compared with: one worker, no access log, connections
//! kept on both sides.

use crate::{
    http_client::get,
    process::{Process, Program},
    rig::{Cpu, Rig},
    stack::{self, free_addresses},
};
use anyhow::Context;
use std::{ffi::OsString, fs, net::SocketAddr, path::Path};

/// Connections to the upstream that are kept.
const KEPT_MAX: usize = 256;
/// Requests after which nginx would close a connection: never within a run.
const REQUESTS_MAX: u64 = 1_000_000_000;

/// A running nginx.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// A server that answers every request with 200 and two bytes.
    pub(crate) async fn upstream(rig: &Rig, binary: &Path) -> anyhow::Result<Self> {
        Self::start(rig, binary, "upstream", Cpu::Load, |address| {
            format!("server {{ listen {address}; keepalive_requests {REQUESTS_MAX}; location / {{ return 200 'ok'; }} }}")
        })
        .await
    }

    /// A proxy in front of `upstream`.
    pub(crate) async fn proxy(rig: &Rig, binary: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::start(rig, binary, "nginx", Cpu::Contender, |address| {
            format!(
                "upstream backend {{ server {upstream}; keepalive {KEPT_MAX}; keepalive_requests {REQUESTS_MAX}; }}
                server {{ listen {address}; keepalive_requests {REQUESTS_MAX};
                  location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}"
            )
        })
        .await
    }

    async fn start(
        rig: &Rig,
        binary: &Path,
        name: &str,
        cpu: Cpu,
        server: impl FnOnce(SocketAddr) -> String,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            binary.exists(),
            "{} is missing: make bench installs nginx, or name it with --nginx",
            binary.display()
        );
        let [address] = free_addresses()?;
        let file = rig.path(&format!("{name}.conf"));
        fs::write(&file, configuration(&server(address))).context("nginx's configuration")?;
        let mut folder: OsString = rig.path(name).into();
        folder.push("/");
        // One process: its pid is the one that is measured.
        let args = ["-p".into(), folder, "-c".into(), file.into(), "-e".into(), "stderr".into()].to_vec();
        let program = Program { name: name.into(), path: binary.into(), args, env: Vec::new(), cpu };
        let mut process = Process::spawn(rig, program)?;
        stack::answers(&mut process, address, &get("/", "*/*")).await?;
        Ok(Self { process, address })
    }
}

fn configuration(server: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;
        events {{ worker_connections 2048; }}
        http {{ access_log off; client_body_buffer_size 64k; client_body_temp_path body; proxy_temp_path proxy;
          fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          {server}
        }}"
    )
}
