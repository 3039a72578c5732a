//! `cargo xtask flamegraph`: where the gateway's processor time goes under load, as a picture and as a table.
//!
//! The demo is the load: it runs the load generator, the gateway and the sink as processes of their own, and judges in the end that nothing was lost. The
//! profile is the gateway's own, from its admin endpoint.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::process::{cargo, hand_over};
use crate::workspace::Workspace;

const SECONDS: u32 = 10;
/// What the endpoint takes.
const MOST_SECONDS: u32 = 300;
/// Samples a second: a kernel that ticks less often takes fewer.
const HZ: u32 = 1_000;
/// How long the demo runs beyond the profile: before it and after.
const MARGIN_SECONDS: u32 = 3;
/// How long a process may take to say something, beyond what it was asked to take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::read(workspace, arguments)?;
    let mut build = cargo(&workspace.root);
    build.args(["build", "--release", "--locked", "-p", "aqueduct-gateway"]);
    if hand_over(build)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    let program = workspace.target_dir().join("release").join("aqueduct");
    let seconds = options.seconds;
    let demo =
        Demo::start(Command::new(program).args(["--seconds", &(seconds + MARGIN_SECONDS).to_string()]))?;
    let picture =
        demo.admin_page(&format!("/debug/pprof/profile?seconds={seconds}&hz={HZ}&format=flamegraph"))?;
    demo.wait()?;
    let picture =
        String::from_utf8(picture).map_err(|error| Failure::new(format!("the picture: {error}")))?;
    if let Some(folder) = options.out.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::at(folder, error))?;
    }
    fs::write(&options.out, &picture).map_err(|error| Failure::at(&options.out, error))?;
    print!("{}", description(&picture)?);
    println!("the picture: {}", options.out.display());
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    seconds: u32,
    out: PathBuf,
}

impl Options {
    fn read(workspace: &Workspace, arguments: &[String]) -> Result<Self> {
        let mut options = Self { seconds: SECONDS, out: workspace.target_dir().join("flamegraph.svg") };
        let mut left = arguments.iter();
        while let Some(name) = left.next() {
            let value = left.next();
            match (name.as_str(), value) {
                ("--seconds", Some(value)) => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=MOST_SECONDS).contains(seconds));
                    options.seconds = seconds.ok_or_else(|| {
                        Failure::new(format!(
                            "--seconds {value}: write a whole number from 1 to {MOST_SECONDS}"
                        ))
                    })?;
                }
                ("--out", Some(value)) => options.out = PathBuf::from(value),
                ("--seconds" | "--out", None) => return Err(Failure::new(format!("{name} needs a value"))),
                _ => {
                    return Err(Failure::new(format!(
                        "no argument {name:?}; there are --seconds N and --out FILE"
                    )));
                }
            }
        }
        Ok(options)
    }
}

/// The table that the gateway writes into the picture's description.
pub(crate) fn description(picture: &str) -> Result<String> {
    let inside = picture.split_once("<desc>\n").and_then(|(_, rest)| rest.split_once("</desc>"));
    let (text, _) = inside.ok_or_else(|| Failure::new("the picture has no description"))?;
    Ok(text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

/// A running `aqueduct demo`, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Demo {
    process: Child,
    lines: Receiver<String>,
    /// What it has said, for whoever must know why it failed.
    said: Vec<String>,
    admin: String,
}

impl Demo {
    /// Starts the program with `demo` and these further arguments, and waits for the admin endpoint of its gateway.
    pub(crate) fn start(arguments: &Command) -> Result<Self> {
        let mut command = Command::new(arguments.get_program());
        command.arg("demo").args(arguments.get_args());
        for (name, value) in arguments.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = arguments.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let path = Path::new(arguments.get_program());
        let mut process = command.spawn().map_err(|error| Failure::at(path, error))?;
        let errors = process.stderr.take();
        let mut demo = Self { process, lines: lines(errors), said: Vec::new(), admin: String::new() };
        demo.admin = demo.word_after("admin listens on ")?;
        Ok(demo)
    }

    /// Waits for a line with this text; the word after it.
    pub(crate) fn word_after(&mut self, text: &str) -> Result<String> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).map_err(|_| {
                Failure::new(format!("the demo did not say {text:?}; it said\n{}", self.said.join("\n")))
            })?;
            let found =
                line.split_once(text).map(|(_, rest)| rest.split(' ').next().unwrap_or(rest).to_owned());
            self.said.push(line);
            if let Some(word) = found {
                return Ok(word);
            }
        }
    }

    /// Whether it has said this up to the line that was waited for last.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.said.iter().any(|line| line.contains(text))
    }

    /// The body of a page of the gateway's admin endpoint.
    pub(crate) fn admin_page(&self, path: &str) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| Failure::new(format!("{path}: {error}"));
        let mut stream = TcpStream::connect(&self.admin).map_err(failed)?;
        let limit = PATIENCE + Duration::from_secs(MOST_SECONDS.into());
        stream.set_read_timeout(Some(limit)).map_err(failed)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)
            .map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        body(path, &answer)
    }

    /// Waits for the end, which is bad if something was lost.
    pub(crate) fn wait(mut self) -> Result<()> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(Failure::new("the demo does not end")),
            }
        }
        let status = self.process.wait().map_err(|error| Failure::new(format!("the demo: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("the demo ended with {status}; it said\n{}", self.said.join("\n"))))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ended already is the usual case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads on a thread, so that a silent process can be given up.
fn lines(errors: Option<ChildStderr>) -> Receiver<String> {
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in errors
            .into_iter()
            .flat_map(|errors| BufReader::new(errors).lines().map_while(std::io::Result::ok))
        {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// What is behind the head of an answer that says 200.
fn body(path: &str, answer: &[u8]) -> Result<Vec<u8>> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| Failure::new(format!("{path}: an answer without a head")))?;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
    if head.split(' ').nth(1) == Some("200") {
        return Ok(body.to_owned());
    }
    let first = head.lines().next().unwrap_or_default();
    Err(Failure::new(format!("{path}: {first}: {}", String::from_utf8_lossy(body).trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Options> {
        let workspace = Workspace::of_this_binary().expect("this test runs in its workspace");
        Options::read(
            &workspace,
            &arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>(),
        )
    }

    /// Guards the arguments: no typing error is taken for a default.
    #[test]
    fn arguments_are_read_or_refused() {
        assert_eq!(read(&[]).expect("defaults").seconds, 10);
        let options = read(&["--out", "a.svg", "--seconds", "2"]).expect("both");
        assert_eq!(options, Options { seconds: 2, out: PathBuf::from("a.svg") });
        let refused = |arguments: &[&str]| read(arguments).expect_err("wrong").to_string();
        assert_eq!(refused(&["--seconds", "0"]), "--seconds 0: write a whole number from 1 to 300");
        assert_eq!(refused(&["--seconds"]), "--seconds needs a value");
        assert_eq!(refused(&["--hz", "3"]), "no argument \"--hz\"; there are --seconds N and --out FILE");
    }

    #[test]
    fn the_description_is_text_again() {
        let picture = "<svg><desc>\n 9 %  a&lt;b&gt; &amp;lt;\n</desc></svg>";
        assert_eq!(description(picture).expect("there is one"), " 9 %  a<b> &lt;\n");
        assert!(description("<svg/>").is_err());
    }

    /// Guards against a page that says why there is no profile being taken for one.
    #[test]
    fn only_a_good_answer_is_a_body() {
        assert_eq!(
            body("/p", b"HTTP/1.1 200 OK\r\na: b\r\n\r\n\xff\r\n\r\n").expect("good"),
            b"\xff\r\n\r\n"
        );
        let refused = body("/p", b"HTTP/1.1 409 Conflict\r\n\r\nlater\n").expect_err("refused").to_string();
        assert_eq!(refused, "/p: HTTP/1.1 409 Conflict: later");
        assert!(body("/p", b"HTTP/1.1 200 OK").is_err());
    }
}
