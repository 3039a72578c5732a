//! The gateway as its users start it: a process, a configuration file, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use aqueduct_testkit::Folder;
use serde_json::Value;

/// No test waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `aqueduct run` to its end, for configurations that do not start.
pub(crate) fn run_to_end(config: &str) -> Output {
    run_to_end_with(&[], config)
}

/// As [`run_to_end`], with variables of the environment.
pub(crate) fn run_to_end_with(environment: &[(&str, &str)], config: &str) -> Output {
    let folder = Folder::create();
    command(&folder.write("aqueduct.yaml", config))
        .envs(environment.iter().copied())
        .output()
        .expect("the binary starts")
}

fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aqueduct"));
    command.args(["run", "--drain-seconds", "5", "--config"]).arg(config).stdin(Stdio::null());
    // The proxies of whoever runs the tests are none of theirs.
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command
}

/// A running gateway, killed when the test ends.
pub(crate) struct Gateway {
    process: Child,
    lines: Receiver<String>,
    /// What it said so far.
    pub(crate) log: Vec<String>,
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) admin: String,
    /// Where its configuration is.
    _folder: Folder,
}

impl Gateway {
    /// Starts with gRPC and HTTP doors and the admin endpoint on free ports. `receiver` and `exporter` are lines of
    /// the receiver's and the `otlp` exporter's settings.
    pub(crate) fn start(receiver: &str, exporter: &str) -> Self {
        Self::start_with(&[], receiver, exporter)
    }

    /// As [`Gateway::start`], with further arguments of `aqueduct run`.
    pub(crate) fn start_with(arguments: &[&str], receiver: &str, exporter: &str) -> Self {
        let exporter = format!("tls: {{insecure: true}}\n    {exporter}");
        Self::launch(arguments, &[], &configuration(receiver, "otlp", &exporter))
    }

    /// Starts with these variables of the environment, and an exporter of this type with these lines of settings.
    pub(crate) fn start_exporting(environment: &[(&str, &str)], kind: &str, settings: &str) -> Self {
        Self::launch(&[], environment, &configuration("", kind, settings))
    }

    pub(crate) fn launch(arguments: &[&str], environment: &[(&str, &str)], config: &str) -> Self {
        let folder = Folder::create();
        let mut command = command(&folder.write("aqueduct.yaml", config));
        command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary starts");
        let stderr = process.stderr.take().expect("piped");
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        let mut gateway = Self {
            process,
            lines,
            log: Vec::new(),
            grpc: String::new(),
            http: String::new(),
            admin: String::new(),
            _folder: folder,
        };
        gateway.grpc = gateway.wait_for("OTLP/gRPC listens on ");
        gateway.http = gateway.wait_for("OTLP/HTTP listens on ");
        gateway.admin = gateway.wait_for("admin listens on ");
        gateway.wait_for("ready");
        gateway
    }

    /// Waits for a log line with this text; the word after it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("the gateway did not say {text:?}; it said {:#?}", self.log)
            };
            let found =
                line.split_once(text).map(|(_, rest)| rest.split(' ').next().unwrap_or("").to_owned());
            self.log.push(line);
            if let Some(word) = found {
                return word;
            }
        }
    }

    /// The cores that the threads of this name may run on, a list such as `0-3` for each thread.
    #[cfg(target_os = "linux")]
    pub(crate) fn cores_of(&self, thread: &str) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("it runs");
        let statuses =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
        let named = statuses.filter(|status| status.lines().next().is_some_and(|name| name.contains(thread)));
        let cores = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            line.expect("Linux says so").trim().to_owned()
        };
        named.map(cores).collect()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.process.id()).expect("a pid");
        let pid = rustix::process::Pid::from_raw(pid).expect("not zero");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Waits for the end; the rest of the log is in `log`.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        self.process.wait().expect("it was started")
    }

    /// Stops it the regular way and checks that it succeeded.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}: {:#?}", self.log);
        std::mem::take(&mut self.log)
    }

    /// An admin page: status code and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.ask("GET", path);
        (status, String::from_utf8(body).expect("text"))
    }

    /// An admin page: status code, head and body.
    pub(crate) fn ask(&self, method: &str, path: &str) -> (u16, String, Vec<u8>) {
        let mut stream = self.asking(method, path);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, head, answer.split_off(end + 4))
    }

    /// A connection on which an admin page has been asked for.
    pub(crate) fn asking(&self, method: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.admin).expect("the admin endpoint listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        stream
    }

    /// The one row of `/statusz` for this signal.
    pub(crate) fn row(&self, signal: &str) -> Value {
        let status: Value = serde_json::from_str(&self.get("/statusz").1).expect("JSON");
        let rows = status["pipelines"].as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["signal"] == signal).expect("a row of the signal")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A configuration with one exporter; the receiver's and the exporter's settings are lines.
pub(crate) fn configuration(receiver: &str, kind: &str, exporter: &str) -> String {
    let pipelines: String = ["traces", "metrics", "logs"]
        .map(|signal| {
            format!("    {signal}: {{receivers: [otlp], processors: [batch], exporters: [{kind}]}}\n")
        })
        .concat();
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: \"127.0.0.1:0\"}}
      http: {{endpoint: \"127.0.0.1:0\"}}
    {receiver}
processors:
  batch: {{timeout: 20ms}}
exporters:
  {kind}:
    {exporter}
service:
  telemetry: {{metrics: {{address: \"127.0.0.1:0\"}}}}
  pipelines:
{pipelines}"
    )
}
