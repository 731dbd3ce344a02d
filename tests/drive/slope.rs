//! Whether a process grows: a line through samples of its memory.

use std::time::Duration;

/// Share of the samples, from the first on, that is warm-up and no slope.
const WARM_UP: f64 = 0.3;

/// Memory over time.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<(f64, f64)>);

impl Samples {
    pub(crate) fn add(&mut self, at: Duration, bytes: usize) {
        self.0.push((at.as_secs_f64() / 60.0, bytes as f64 / 1024.0));
    }

    /// KiB per minute of the straight line with the least squares, after the warm-up; 0 with fewer than two samples.
    pub(crate) fn slope_kib_per_minute(&self) -> f64 {
        let samples = &self.0[(self.0.len() as f64 * WARM_UP) as usize..];
        let count = samples.len() as f64;
        let (mean_at, mean_kib) = (
            samples.iter().map(|(at, _)| at).sum::<f64>() / count,
            samples.iter().map(|(_, kib)| kib).sum::<f64>() / count,
        );
        let (mut up, mut across) = (0.0, 0.0);
        for (at, kib) in samples {
            up += (at - mean_at) * (kib - mean_kib);
            across += (at - mean_at) * (at - mean_at);
        }
        if across > 0.0 { up / across } else { 0.0 }
    }

    /// The last sample, MiB.
    pub(crate) fn last_mib(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, kib)| kib / 1024.0)
    }
}
