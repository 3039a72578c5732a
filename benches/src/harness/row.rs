//! Rows: what a suite promises to measure, and what came out.

use serde::Serialize;

use super::bar::{Bar, ParseBarError};
use super::run::Samples;
use super::stats::{median, spread};

/// Which direction of a figure is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better, as for throughput.
    Higher,
    /// Less is better, as for time and memory.
    Lower,
}

/// A row that a suite promises to measure.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The name, unique in its suite.
    pub name: &'static str,
    /// The unit of `ours` and `peer`.
    pub unit: &'static str,
    /// The good direction.
    pub better: Better,
    /// Who is measured beside us, if anybody.
    pub peer: Option<&'static str>,
    /// The condition, if there is one.
    pub bar: Option<&'static str>,
}

impl Declared {
    /// A row where less is better.
    #[must_use]
    pub const fn lower(name: &'static str, unit: &'static str) -> Declared {
        Declared { name, unit, better: Better::Lower, peer: None, bar: None }
    }

    /// A row where more is better.
    #[must_use]
    pub const fn higher(name: &'static str, unit: &'static str) -> Declared {
        Declared { name, unit, better: Better::Higher, peer: None, bar: None }
    }

    /// Measured beside this peer.
    #[must_use]
    pub const fn against(self, peer: &'static str) -> Declared {
        Declared { peer: Some(peer), ..self }
    }

    /// Held against this bar.
    #[must_use]
    pub const fn bar(self, bar: &'static str) -> Declared {
        Declared { bar: Some(bar), ..self }
    }
}

/// A measured row. Serialized, it is one line of `--json`; the field names are an interface.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The suite.
    pub suite: String,
    /// The name, unique in the suite.
    pub name: String,
    /// The unit of `ours` and `peer`.
    pub unit: String,
    /// The good direction.
    pub better: Better,
    /// The median of our samples.
    pub ours: f64,
    /// Who was measured beside us in the same run.
    pub peer_name: Option<String>,
    /// The median of the peer's samples.
    pub peer: Option<f64>,
    /// `ours / peer`.
    pub ratio: Option<f64>,
    /// The condition.
    pub bar: Option<String>,
    /// Whether the condition holds.
    pub holds: Option<bool>,
    /// How many samples stand behind `ours`.
    pub samples: usize,
    /// The interquartile range of our samples divided by their median.
    pub spread: f64,
}

impl Row {
    /// Makes the row of a declaration from what was measured for it.
    ///
    /// # Errors
    /// A bar that cannot be read.
    pub fn new(suite: &str, declared: &Declared, samples: &Samples) -> Result<Row, ParseBarError> {
        let ours = median(&samples.ours);
        let peer = declared.peer.map(|_| median(&samples.peer));
        let ratio = peer.map(|peer| ours / peer).filter(|ratio| ratio.is_finite());
        let bar: Option<Bar> = declared.bar.map(str::parse).transpose()?;
        Ok(Row {
            suite: suite.to_owned(),
            name: declared.name.to_owned(),
            unit: declared.unit.to_owned(),
            better: declared.better,
            ours: rounded(ours),
            peer_name: declared.peer.map(str::to_owned),
            peer: peer.map(rounded),
            ratio: ratio.map(rounded),
            bar: declared.bar.map(str::to_owned),
            holds: bar.and_then(|bar| bar.holds(ours, ratio)),
            samples: samples.ours.len(),
            spread: rounded(spread(&samples.ours)),
        })
    }

    /// Whether the peer did better.
    #[must_use]
    pub fn loses(&self) -> bool {
        self.ratio.is_some_and(|ratio| match self.better {
            Better::Higher => ratio < 1.0,
            Better::Lower => ratio > 1.0,
        })
    }
}

/// Four significant digits, more than any of these measurements has.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits.abs());
    if digits >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: Declared = Declared::lower("scan", "ns/span").against("prost").bar("ratio<=0.5");

    fn samples(ours: &[f64], peer: &[f64]) -> Samples {
        Samples { ours: ours.to_vec(), peer: peer.to_vec() }
    }

    /// Guards medians, the ratio's direction and the verdict.
    #[test]
    fn a_row_is_made_of_medians() {
        let row = Row::new("wire", &DECLARED, &samples(&[3.0, 1.0, 2.0], &[4.0, 8.0, 5.0])).unwrap();
        assert_eq!((row.ours, row.peer, row.ratio), (2.0, Some(5.0), Some(0.4)));
        assert_eq!((row.holds, row.samples), (Some(true), 3));
        assert!(!row.loses());
        let row = Row::new("wire", &DECLARED, &samples(&[6.0], &[5.0])).unwrap();
        assert_eq!(row.holds, Some(false));
        assert!(row.loses());
    }

    /// Guards the names and types of the JSON line, which other programs read.
    #[test]
    fn a_row_is_one_json_object() {
        let row = Row::new("wire", &DECLARED, &samples(&[2.0, 2.0], &[5.0])).unwrap();
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"suite":"wire","name":"scan","unit":"ns/span","better":"lower","ours":2.0,"peer_name":"prost","peer":5.0,"ratio":0.4,"bar":"ratio<=0.5","holds":true,"samples":2,"spread":0.0}"#
        );
        let alone = Declared::higher("rate", "1/s");
        let row = Row::new("wire", &alone, &samples(&[2.0], &[])).unwrap();
        let json = serde_json::to_value(&row).unwrap();
        for field in ["peer_name", "peer", "ratio", "bar", "holds"] {
            assert!(json[field].is_null(), "{field}");
        }
        assert_eq!(json["better"], "higher");
    }

    /// Guards that a peer which measured nothing gives no ratio and no verdict, rather than a made-up one.
    #[test]
    fn without_a_peers_figure_nothing_holds() {
        let row = Row::new("wire", &DECLARED, &samples(&[2.0], &[])).unwrap();
        assert_eq!((row.ratio, row.holds), (None, None));
        let row = Row::new("wire", &DECLARED, &samples(&[2.0], &[0.0])).unwrap();
        assert_eq!((row.ratio, row.holds), (None, None));
    }

    /// Guards rounding on both sides of 1.
    #[test]
    fn figures_have_four_digits() {
        assert_eq!(rounded(0.123_456), 0.1235);
        assert_eq!(rounded(161_037.4), 161_000.0);
        assert_eq!(rounded(-12.3456), -12.35);
        assert_eq!(rounded(0.0), 0.0);
    }
}
