//! A way as a line of a file: what is exported, imported, and kept over a restart.
//!
//! ```text
//! network,region,ms,low_ms,high_ms,samples,measured_at,sources
//! 203.0.113.0/24,fra,23.40,21.12,27.90,41.5,1769990000000,agent+beacon
//! ```
//!
//! After them, as comments, come networks that are not sent to the region that distance would choose: `#best,NETWORK,REGION`.
//!
//! `ms` is the median, `low_ms` and `high_ms` are the quartiles, `samples` the round trips that count, `measured_at` is the last
//! one's moment in milliseconds since 1970; they counted then, and have faded since.

use std::fmt;

use crate::base::limits::LATENCY_MASS_MAX;
use crate::base::moment::Moment;
use crate::geo::Group;

use super::cell::Cell;
use super::measurement::{ClientNetwork, Refusal, RefusalKind, microseconds};
use super::source::{Source, Sources};
use super::survey::Survey;

/// What a line begins with that says where a network was sent: a comment to whoever imports.
pub const BEST: &str = "#best,";

/// A way as a line of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The network.
    pub client: ClientNetwork,
    /// The region's key.
    pub region: String,
    /// The median, microseconds.
    pub us: u32,
    /// The quartiles, microseconds.
    pub quartiles_us: (u32, u32),
    /// Round trips that counted when it was measured last.
    pub samples: f64,
    /// When it was measured last.
    pub at: Moment,
    /// Who measured it.
    pub sources: Sources,
}

impl Line {
    /// The first line of a file.
    pub const HEADER: &str = "network,region,ms,low_ms,high_ms,samples,measured_at,sources";

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.trim_end().split(',').collect();
        let &[network, region, ms, low, high, samples, at, sources] = fields.as_slice() else {
            return Err(format!("{} fields, not the 8 of `{}`", fields.len(), Self::HEADER));
        };
        let time = |name: &str, text: &str| {
            let ms = text.parse::<f64>().map_err(|_| format!("`{name}`: `{}` is no number", text.escape_debug()))?;
            microseconds(ms).map_err(|refusal| format!("`{name}`: {}", refusal.reason))
        };
        let samples: Option<f64> = samples.parse().ok().filter(|samples| (0.0..=1e6).contains(samples));
        let named =
            |word: &str| Source::from_word(word).ok_or_else(|| format!("no such source: `{}`", word.escape_debug()));
        let sources = sources.split('+').filter(|word| !word.is_empty()).map(named);
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            client: ClientNetwork::parse(network).map_err(|refusal| refusal.reason)?,
            region: region.to_owned(),
            us: time("ms", ms)?,
            quartiles_us: (time("low_ms", low)?, time("high_ms", high)?),
            samples: samples.ok_or_else(|| "`samples` is a number from 0".to_owned())?,
            at: Moment(at.parse().map_err(|_| "`measured_at` is milliseconds since 1970".to_owned())?),
            sources: sources.into_iter().fold(Sources::NONE, |all, source| all.with(Sources::of(source))),
        })
    }

    /// The same, and this one has a part in it too.
    #[must_use]
    pub fn with(self, source: Source) -> Self {
        Self { sources: self.sources.with(Sources::of(source)), ..self }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, region, us, quartiles_us: (low, high), samples, at, sources } = self;
        let ms = |us: &u32| f64::from(*us) / 1_000.0;
        write!(f, "{client},{region},{:.3},{:.3},{:.3},{samples:.2},{},", ms(us), ms(low), ms(high), at.0)?;
        for (number, source) in sources.iter().enumerate() {
            write!(f, "{}{}", if number > 0 { "+" } else { "" }, source.as_str())?;
        }
        Ok(())
    }
}

impl Survey {
    /// All ways, as lines of a file.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.store.iter().flat_map(move |(client, entry)| {
            entry.cells.iter().filter_map(move |(region, cell)| {
                let of = |percent| cell.percentile(percent);
                Some(Line {
                    client,
                    region: self.sites.get(usize::from(*region))?.key.to_string(),
                    us: of(50)?,
                    quartiles_us: (of(25)?, of(75)?),
                    // As it was then: whoever reads it knows how long ago that was.
                    samples: cell.samples(cell.last(), self.half_life_ms()),
                    at: cell.last(),
                    sources: cell.sources(),
                })
            })
        })
    }

    /// All ways as a file, and where networks are sent by them: whoever goes on from there moves nobody.
    #[must_use]
    pub fn file(&self) -> String {
        let lines = self.lines().map(|line| format!("{line}\n"));
        let sent = self.published.elsewhere(&self.sites).filter_map(|(group, best)| {
            let Group::Network(address, length) = group else { return None };
            Some(format!("{BEST}{address}/{length},{}\n", self.sites.get(usize::from(best))?.key))
        });
        std::iter::once(format!("{}\n", Line::HEADER)).chain(lines).chain(sent).collect()
    }

    /// Takes a way as a line has it; false: something as new is known of it already.
    ///
    /// # Errors
    /// If there is no such region, or it was measured in the future or before what is kept.
    pub fn restore(&mut self, now: Moment, line: &Line) -> Result<bool, Refusal> {
        let refuse = |kind, reason: &str| Err(Refusal { kind, reason: reason.to_owned() });
        if line.at > now {
            return refuse(RefusalKind::TooNew, "measured in the future");
        }
        if now.since(line.at) > self.settings.retention {
            return refuse(RefusalKind::TooOld, "measured before what is kept");
        }
        let site = self.site(&line.region)?;
        let cell = self.cell(line.client, site, line.at);
        if cell.percentile(50).is_some() && cell.last() >= line.at {
            return Ok(false);
        }
        let mut restored = Cell::new(line.at);
        let samples = line.samples.min(f64::from(LATENCY_MASS_MAX));
        let (low, high) = line.quartiles_us;
        for (us, part) in [(low, 0.25), (line.us, 0.5), (high, 0.25)] {
            restored.restore(us, samples * part, line.sources);
        }
        restored.restored_at(line.at);
        *cell = restored;
        Ok(true)
    }

    /// Takes where an earlier process sent a network, as [`Self::file`] has it in a line that begins with [`BEST`]; a line that
    /// says something else is passed over.
    pub fn restore_best(&mut self, line: &str) {
        let told = line.strip_prefix(BEST).and_then(|rest| rest.split_once(','));
        if let Some((network, region)) = told
            && let (Ok(client), Ok(site)) = (ClientNetwork::parse(network), self.site(region))
        {
            self.published.restore(client, site);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let text = "203.0.113.0/24,fra,23.400,21.120,27.900,41.50,1769990000000,agent+beacon";
        assert_eq!(Line::parse(text).unwrap().to_string(), text);
        for (text, reason) in [
            ("", "1 fields, not the 8 of `network,region,ms,low_ms,high_ms,samples,measured_at,sources`"),
            ("203.0.112.0/20,fra,1,1,1,1,0,push", "203.0.112.0/20 is wider than /24: measurements are of one network"),
            ("203.0.113.0/24,fra,x,1,1,1,0,push", "`ms`: `x` is no number"),
            ("203.0.113.0/24,fra,1,0,1,1,0,push", "`low_ms`: 0 ms is no round trip: 0.05 to 10000 is believed"),
            ("203.0.113.0/24,fra,1,1,1,-1,0,push", "`samples` is a number from 0"),
            ("203.0.113.0/24,fra,1,1,1,1,now,push", "`measured_at` is milliseconds since 1970"),
            ("203.0.113.0/24,fra,1,1,1,1,0,guess", "no such source: `guess`"),
        ] {
            assert_eq!(Line::parse(text), Err(reason.to_owned()), "{text}");
        }
    }
}
