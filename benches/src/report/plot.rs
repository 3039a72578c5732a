//! Plots of a run: for each suite, our figures as shares of the peers'.

use std::path::Path;

use plotters::prelude::*;

use crate::Failure;
use crate::harness::{Better, Row};

const WIDTH: u32 = 860;
const BAR: i32 = 22;
const TOP: i32 = 56;
const LABELS: i32 = 400;
const RIGHT: i32 = 90;

/// Draws the rows of a suite that have a peer: one bar each, in cost relative to the peer (less is better, whatever the
/// row's direction), with a line at 1. Writes nothing and returns `false` where no row has a peer.
///
/// # Errors
/// The file cannot be written.
pub(super) fn plot(path: &Path, suite: &str, rows: &[&Row]) -> Result<bool, Failure> {
    let bars: Vec<(String, f64)> = rows.iter().filter_map(|row| Some((label(row)?, cost(row)?))).collect();
    if bars.is_empty() {
        return Ok(false);
    }
    let height = TOP + BAR * bars.len() as i32 + 30;
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    let failed = |error| format!("{}: {error}", path.display());
    area.fill(&WHITE).map_err(failed)?;
    let text = ("sans-serif", 13).into_font().color(&BLACK);
    let title = format!("{suite}: cost relative to the peer (less is better)");
    area.draw(&Text::new(title, (12, 12), ("sans-serif", 17).into_font().color(&BLACK))).map_err(failed)?;

    let most = bars.iter().map(|(_, cost)| *cost).fold(1.0, f64::max);
    let scale = f64::from(WIDTH as i32 - LABELS - RIGHT) / most;
    for (index, (label, cost)) in bars.iter().enumerate() {
        let top = TOP + BAR * index as i32;
        let end = LABELS + (cost * scale) as i32;
        let colour = if *cost <= 1.0 { RGBColor(46, 125, 50) } else { RGBColor(198, 40, 40) };
        area.draw(&Text::new(label.clone(), (12, top + 3), text.clone())).map_err(failed)?;
        area.draw(&Rectangle::new([(LABELS, top + 2), (end, top + BAR - 4)], colour.filled()))
            .map_err(failed)?;
        area.draw(&Text::new(format!("{cost:.2}"), (end + 5, top + 3), text.clone())).map_err(failed)?;
    }
    let one = LABELS + scale as i32;
    let line = [(one, TOP - 6), (one, TOP + BAR * bars.len() as i32 + 4)];
    area.draw(&PathElement::new(line, BLACK.stroke_width(1))).map_err(failed)?;
    area.draw(&Text::new("1 = the peer", (one - 32, TOP - 22), text)).map_err(failed)?;
    area.present().map_err(failed)?;
    Ok(true)
}

fn label(row: &Row) -> Option<String> {
    let peer = row.peer_name.as_deref()?;
    let label = format!("{} / {peer}", row.name);
    // The labels have a fixed width; the full name stands in the table.
    Some(if label.chars().count() > 60 { label.chars().take(59).chain(['…']).collect() } else { label })
}

fn cost(row: &Row) -> Option<f64> {
    let ratio = row.ratio.filter(|ratio| *ratio > 0.0)?;
    Some(match row.better {
        Better::Lower => ratio,
        Better::Higher => 1.0 / ratio,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Declared, Samples};

    /// Guards that a plot is an SVG with a bar for each row that has a peer, and that higher-is-better is turned round.
    #[test]
    fn a_plot_has_a_bar_for_each_peer() {
        let row = |declared: Declared, ours, peer| {
            Row::new("wire", &declared, &Samples { ours: vec![ours], peer: vec![peer] }).unwrap()
        };
        let rows = [
            row(Declared::lower("scan", "ns").against("prost"), 1.0, 4.0),
            row(Declared::higher("rate", "1/s").against("tonic"), 4.0, 1.0),
            row(Declared::lower("alone", "ns"), 1.0, 1.0),
        ];
        assert_eq!(cost(&rows[0]), Some(0.25));
        assert_eq!(cost(&rows[1]), Some(0.25));
        let path = std::env::temp_dir().join(format!("aqueduct-plot-{}.svg", std::process::id()));
        let drawn = plot(&path, "wire", &rows.iter().collect::<Vec<_>>());
        let svg = std::fs::read_to_string(&path);
        let _ = std::fs::remove_file(&path);
        assert!(drawn.unwrap());
        let svg = svg.unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("scan / prost") && !svg.contains("alone"), "{svg}");
        assert!(!plot(&path, "wire", &[&rows[2]]).unwrap());
    }
}
