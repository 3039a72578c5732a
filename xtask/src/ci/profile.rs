//! Each way to look into the gateway, once and for a short while: profiles of the processor time, the heap profile, tokio-console.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::flamegraph::{Demo, description};
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

/// Under the name of its crate each of our functions is found.
const OURS: &str = "aqueduct_";
const HEAP_PROFILE: &str = "dhat-heap.json";

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let folder = workspace.target_dir().join("ci").join("profile");
    fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, error))?;
    let samples = endpoint(workspace, log)?;
    flamegraph(log, &folder)?;
    let places = heap(workspace, log, &folder)?;
    console(workspace, log)?;
    Ok(Done::Passed(format!("{samples} samples, flame graph, heap of {places} places, tokio-console")))
}

/// The endpoint of the gateway as it is shipped, in two of its formats; how many samples it took.
fn endpoint(workspace: &Workspace, log: &Log) -> Result<u64> {
    let mut build = cargo(&workspace.root);
    build.args(["build", "--release", "--locked", "-p", "aqueduct-gateway"]);
    log.run(&mut build, LIMIT)?;
    log.note("profiles of the demo's gateway")?;
    let program = workspace.target_dir().join("release").join("aqueduct");
    let demo = Demo::start(Command::new(program).args(["--seconds", "4", "--rate", "10000"]))?;
    let profile = demo.admin_page("/debug/pprof/profile?seconds=1&hz=1000")?;
    let top = demo.admin_page("/debug/pprof/profile?seconds=1&hz=1000&format=top")?;
    demo.wait()?;
    let top = String::from_utf8_lossy(&top);
    log.note(&top)?;
    judge_top(&top)?;
    judge_pprof(&profile)
}

/// The command, whose picture must be one.
fn flamegraph(log: &Log, folder: &Path) -> Result<()> {
    let own = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    let out = folder.join("flamegraph.svg");
    let mut command = Command::new(own);
    command.args(["flamegraph", "--seconds", "2", "--out"]).arg(&out);
    log.run(&mut command, LIMIT)?;
    let picture = fs::read_to_string(&out).map_err(|error| Failure::at(&out, error))?;
    judge_picture(&picture)
}

/// A debug build, which is the quicker one; how many places allocated.
fn heap(workspace: &Workspace, log: &Log, folder: &Path) -> Result<usize> {
    let mut build = cargo(&workspace.root);
    build.args(["build", "--locked", "-p", "aqueduct-gateway", "--features", "dhat"]);
    log.run(&mut build, LIMIT)?;
    let file = folder.join(HEAP_PROFILE);
    if file.exists() {
        fs::remove_file(&file).map_err(|error| Failure::at(&file, error))?;
    }
    let program = workspace.target_dir().join("debug").join("aqueduct");
    let arguments = ["--seconds", "1", "--rate", "100"];
    let mut demo = Demo::start(Command::new(program).args(arguments).current_dir(folder))?;
    demo.word_after("ready").map(drop)?;
    demo.wait()?;
    let text = fs::read_to_string(&file).map_err(|error| Failure::at(&file, error))?;
    judge_heap(&text)
}

/// A build of its own, because the switch is the whole program's: the gateway with little else, and its dependencies not optimized.
fn console(workspace: &Workspace, log: &Log) -> Result<()> {
    let target = workspace.target_dir().join("ci").join("tokio-console");
    let mut build = cargo(&workspace.root);
    build.args(["build", "--locked", "-p", "aqueduct-gateway"]);
    build.args(["--no-default-features", "--features", "tokio-console"]);
    build.args(["--config", "profile.dev.package.\"*\".opt-level=0", "--config", "profile.dev.debug=false"]);
    build.env("RUSTFLAGS", "--cfg tokio_unstable").env("CARGO_TARGET_DIR", &target);
    log.run(&mut build, LIMIT)?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.map_err(|error| Failure::new(format!("a free port: {error}")))?.to_string();
    let mut command = Command::new(target.join("debug").join("aqueduct"));
    command.args(["--seconds", "2", "--rate", "100"]).env("TOKIO_CONSOLE_BIND", &address);
    // The line comes before that of the admin endpoint.
    let demo = Demo::start(&command)?;
    if !demo.has_said(&format!("tokio-console is served on {address}")) {
        return Err(Failure::new("the gateway does not say that it serves tokio-console"));
    }
    TcpStream::connect(&address)
        .map_err(|error| Failure::new(format!("tokio-console on {address}: {error}")))?;
    demo.wait()
}

fn judge_top(text: &str) -> Result<()> {
    let functions = text.lines().skip(2).count();
    if !text.contains("  self   total  function\n") || functions == 0 || functions > 20 {
        return Err(Failure::new(format!("no table of at most 20 functions:\n{text}")));
    }
    if text.contains(OURS) {
        return Ok(());
    }
    Err(Failure::new(format!("none of the functions is ours:\n{text}")))
}

fn judge_picture(picture: &str) -> Result<()> {
    if !picture.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg ")
        || !picture.ends_with("</svg>\n")
    {
        return Err(Failure::new("the flame graph is no whole SVG"));
    }
    let boxes = picture.matches("<g><title>").count();
    if boxes < 20 || boxes != picture.matches("</title>").count() || boxes != picture.matches("</g>").count()
    {
        return Err(Failure::new(format!("the flame graph has {boxes} boxes, or not all of them are whole")));
    }
    judge_top(&description(picture)?)
}

fn judge_heap(text: &str) -> Result<usize> {
    let heap: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("{HEAP_PROFILE} is not JSON: {error}")))?;
    match heap["pps"].as_array().map_or(0, Vec::len) {
        0 => Err(Failure::new(format!("{HEAP_PROFILE} has no program points"))),
        places => Ok(places),
    }
}

/// Reads a profile as far as its samples and its strings.
fn judge_pprof(profile: &[u8]) -> Result<u64> {
    const SAMPLE: u64 = 2;
    const VALUE: u64 = 2;
    const STRING_TABLE: u64 = 6;
    let broken = || Failure::new("the profile is not whole");
    let (mut samples, mut ours) = (0, 0);
    for (number, value) in fields(profile).ok_or_else(broken)? {
        match (number, value) {
            (SAMPLE, Some(sample)) => {
                for (number, value) in fields(sample).ok_or_else(broken)? {
                    if let (VALUE, Some(mut values)) = (number, value) {
                        samples += varint(&mut values).ok_or_else(broken)?;
                    }
                }
            }
            (STRING_TABLE, Some(text)) if String::from_utf8_lossy(text).contains(OURS) => ours += 1,
            _ => {}
        }
    }
    if samples == 0 || ours == 0 {
        return Err(Failure::new(format!(
            "the profile has {samples} samples and names {ours} functions of ours"
        )));
    }
    Ok(samples)
}

/// A field of a protobuf message: its number, and its bytes if it has any.
type Field<'a> = (u64, Option<&'a [u8]>);

/// The fields of a protobuf message, numbers without their value; nothing if it is cut off.
fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let value = varint(&mut message)?;
        match key & 7 {
            0 => fields.push((key >> 3, None)),
            2 => {
                let (bytes, rest) = message.split_at_checked(usize::try_from(value).ok()?)?;
                fields.push((key >> 3, Some(bytes)));
                message = rest;
            }
            _ => return None,
        }
    }
    Some(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the judgement of a profile: one with samples and our names passes, an empty, a cut and a nameless one do not.
    #[test]
    fn a_profile_must_have_samples_and_our_names() {
        // A sample with the values 300 and 1, and two strings.
        let mut profile = vec![0x12, 5, 0x12, 3, 0xac, 0x02, 1, 0x32, 0, 0x32, 13];
        profile.extend_from_slice(b"aqueduct_wire");
        assert_eq!(judge_pprof(&profile).expect("whole"), 300);
        assert!(judge_pprof(&[]).is_err(), "empty");
        assert!(judge_pprof(&profile[..profile.len() - 1]).is_err(), "cut");
        assert!(judge_pprof(&profile[..9]).is_err(), "nameless");
        assert!(judge_pprof(&profile[7..]).is_err(), "no samples");
    }

    #[test]
    fn a_table_must_have_our_functions() {
        let head = "9 samples\n  self   total  function\n";
        assert!(judge_top(&format!("{head} 50.0 %  60.0 %  aqueduct_wire::scan\n")).is_ok());
        assert!(judge_top(&format!("{head} 50.0 %  60.0 %  read\n")).is_err());
        assert!(judge_top(head).is_err() && judge_top("").is_err());
    }

    #[test]
    fn a_picture_must_be_whole() {
        let boxes = "<g><title>a</title></g>\n".repeat(20);
        let table = "9 samples\n  self   total  function\n 1.0 %  1.0 %  aqueduct_wire::scan\n";
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg >";
        assert!(judge_picture(&format!("{head}<desc>\n{table}</desc>{boxes}</svg>\n")).is_ok());
        assert!(judge_picture(&format!("{head}<desc>\n{table}</desc>{boxes}")).is_err(), "cut");
        assert!(judge_picture(&format!("{head}<desc>\n{table}</desc></svg>\n")).is_err(), "empty");
        assert!(judge_picture(&format!("{head}{boxes}</svg>\n")).is_err(), "no table");
    }

    #[test]
    fn a_heap_profile_must_have_places() {
        assert_eq!(judge_heap("{\"pps\": [{}, {}]}").expect("two"), 2);
        assert!(judge_heap("{\"pps\": []}").is_err() && judge_heap("").is_err());
    }
}
