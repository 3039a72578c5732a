//! Scores of a few windows under the same settings.

/// Windows that are kept.
const LENGTH: usize = 12;

/// The last scores under the same settings, with the load at the time. Both as natural logarithms, so that differences are shares.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Series {
    scores: [f64; LENGTH],
    /// Of items a second.
    loads: [f64; LENGTH],
    len: usize,
}

impl Series {
    pub(crate) fn push(&mut self, score: f64, load: f64) {
        if self.len == LENGTH {
            self.scores.copy_within(1.., 0);
            self.loads.copy_within(1.., 0);
            self.len -= 1;
        }
        self.scores[self.len] = score;
        self.loads[self.len] = load;
        self.len += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn scores(&self) -> &[f64] {
        &self.scores[..self.len]
    }

    pub(crate) fn loads(&self) -> &[f64] {
        &self.loads[..self.len]
    }

    pub(crate) fn mean(&self) -> f64 {
        mean(self.scores())
    }

    pub(crate) fn load(&self) -> f64 {
        mean(self.loads())
    }

    /// The last of the scores, which speak of what came last where a queue is still filling or draining.
    pub(crate) fn tail(&self, windows: usize) -> Series {
        let mut tail = Series::default();
        for index in self.len.saturating_sub(windows)..self.len {
            tail.push(self.scores[index], self.loads[index]);
        }
        tail
    }

    /// Whether the scores are level: the newer half is where the older was, give or take the noise or this much.
    pub(crate) fn is_level(&self, noise: f64, much: f64) -> bool {
        let (older, newer) = self.scores().split_at(self.len / 2);
        if older.is_empty() {
            return false;
        }
        let error = noise * (1.0 / older.len() as f64 + 1.0 / newer.len() as f64).sqrt();
        (mean(newer) - mean(older)).abs() <= (3.0 * error).max(much)
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The sum of squared distances from the mean.
pub(crate) fn squares(values: &[f64]) -> f64 {
    let middle = mean(values);
    values.iter().map(|value| (value - middle).powi(2)).sum()
}

/// How noisy the logarithm of a figure is, learnt from windows under the same settings.
///
/// Three windows say little about their own spread, so what all before them said counts as well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    variance: f64,
    weight: f64,
}

impl Default for Noise {
    /// A percent, until something else is known.
    fn default() -> Self {
        Self { variance: 1e-4, weight: 3.0 }
    }
}

impl Noise {
    /// How many windows the memory counts for at most.
    const MEMORY: f64 = 30.0;

    /// Takes in two figures that followed each other: their squared difference is twice the variance, and a slow drift hardly adds to it. What is far out counts as three
    /// standard deviations: a queue that fills up is not noise.
    pub(crate) fn pair(&mut self, before: f64, now: f64) {
        let sample = ((now - before).powi(2) / 2.0).min(9.0 * self.variance).max(1e-8);
        self.weight = (self.weight + 1.0).min(Self::MEMORY);
        self.variance += (sample - self.variance) / self.weight;
    }

    /// The standard deviation of one window, by this memory and by two series together.
    pub(crate) fn deviation(&self, a: &[f64], b: &[f64]) -> f64 {
        let degrees = (a.len().saturating_sub(1) + b.len().saturating_sub(1)) as f64 + self.weight;
        ((squares(a) + squares(b) + self.variance * self.weight) / degrees).max(0.0).sqrt()
    }
}
