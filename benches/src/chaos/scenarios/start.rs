//! What a gateway finds when it starts.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use super::{Arena, DRAIN, Failure, NOTICE, Row};
use crate::chaos::gateway::{Config, Gateway, Settings, spawn};
use crate::chaos::load::Load;
use crate::chaos::sink::Sink;
use crate::process::Ended;

/// The exit code for a configuration that cannot be used.
const EXIT_CONFIG: i32 = 2;

pub(super) fn unreachable(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let nobody = Arena::free_address()?;
    let mut gateway = Gateway::start(arena, &Settings::to(nobody))?;
    let load = Load::usual(arena, arena.pick(3.0, 6.0)).start(arena, gateway.grpc)?;
    let line = gateway.wait_for_line(DRAIN, "export fails and is retried")?;
    row.expect(line.contains("so far"), format_args!("the log has no total: {line}"));
    let ready = gateway.page("/readyz")?;
    row.expect(ready.status == 200, format_args!("/readyz says {}: {}", ready.status, ready.body));
    let state: Value = serde_json::from_str(&ready.body)?;
    let exporter = &state["exporters"][0];
    row.expect(
        exporter["connected"] == false && exporter["last_error"].is_string(),
        format_args!("/readyz does not show the failure: {exporter}"),
    );
    let offered = load.finish()?;
    // All attempts until now failed for one cause.
    let told = gateway.lines_with("export fails");
    row.expect(told.len() == 1, format_args!("the log has {} lines about one cause: {told:?}", told.len()));
    row.note(told.first().map_or("", String::as_str).trim_start_matches("aqueduct: ").to_owned());

    let sink = Sink::start_on(arena, &nobody.to_string(), &[])?;
    gateway.wait_for_line(DRAIN, "export works again")?;
    let first = sink.since.elapsed();
    row.expect(first <= NOTICE, format_args!("nothing left within {NOTICE:?}, the first after {first:?}"));
    let mut books = gateway.at_rest(DRAIN)?;
    row.recover_seconds = Some(sink.since.elapsed().as_secs_f64());
    let state: Value = serde_json::from_str(&gateway.page("/readyz")?.body)?;
    row.expect(state["exporters"][0]["connected"] == true, format_args!("/readyz still says {state}"));
    gateway.stop()?;
    let ends = offered.account(&sink.stop()?, row)?;
    books.compare("otlp", &ends);
    row.books(&books);
    row.expect_nothing_lost();
    row.expect_retries();
    Ok(())
}

pub(super) fn port_in_use(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let settings = Settings { grpc: address, ..Settings::to(address) };
    let ended = run_to_end(arena, &settings.yaml())?;
    let said = ended.lines.join("\n");
    let code = ended.code;
    row.expect(code.is_some_and(|code| code != 0), format_args!("the exit code is {code:?}"));
    row.expect(
        said.contains(&address.port().to_string()) && said.contains("receivers.otlp.protocols.grpc.endpoint"),
        format_args!("port or setting is missing: {said}"),
    );
    row.expect(ended.lines.len() == 1, format_args!("more than one message: {said}"));
    row.note(format_args!("exit code {}: {said}", code.unwrap_or(-1)));
    Ok(())
}

pub(super) fn bad_config(arena: &Arena, row: &mut Row) -> Result<(), Failure> {
    let sound = Settings::to(Arena::free_address()?).yaml();
    let ended = run_to_end(arena, &sound.replace("acknowledge:", "acknowlege:"))?;
    let said = ended.lines.join("\n");
    let code = ended.code;
    row.expect(code == Some(EXIT_CONFIG), format_args!("the exit code is {code:?}"));
    row.expect(
        said.contains(":3:") && said.contains("receivers.otlp.acknowlege") && said.contains("`acknowledge`"),
        format_args!("line, key or the nearest key is missing: {said}"),
    );
    row.expect(said.matches("unknown key").count() == 1, format_args!("more than one message: {said}"));
    row.note(format_args!(
        "exit code {}: {}",
        code.unwrap_or(-1),
        ended.lines.first().map_or("", String::as_str)
    ));
    Ok(())
}

fn run_to_end(arena: &Arena, yaml: &str) -> Result<Ended, Failure> {
    let config = Config::write(yaml)?;
    spawn(arena, &config, Duration::from_secs(10))?.end(DRAIN)
}
