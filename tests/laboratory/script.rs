//! Scenarios as text: a world, and what happens to it. Words stand in `world.lab`; what happens:
//!
//! ```text
//! busy FACTOR                            all requests, from the beginning
//! closed REGION                          it is not answered in the beginning
//! capacity REGION TARGET MAX             from the beginning
//! at SECOND busy CONTINENT FACTOR over SECONDS
//! at SECOND lose REGION                  it fails; health checks take it out 15 seconds later
//! at SECOND open REGION                  it may be answered
//! at SECOND slow REGION FACTOR over SECONDS     a request costs so much more load
//! at SECOND mute REGION                  its feed falls silent
//! at SECOND lie REGION LOAD              its feed says this and nothing else
//! at SECOND capacity REGION TARGET MAX
//! ```

/// A data centre.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) key: String,
    pub(crate) place: (f64, f64),
    pub(crate) target: f64,
    pub(crate) max: f64,
    pub(crate) is_closed: bool,
}

/// Clients that no rule can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct City {
    pub(crate) key: String,
    pub(crate) continent: String,
    pub(crate) place: (f64, f64),
    /// Requests per second.
    pub(crate) requests: f64,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Busy { continent: String, factor: f64, over_s: f64 },
    Lose(usize),
    Open(usize),
    Slow { region: usize, factor: f64, over_s: f64 },
    Mute(usize),
    Lie { region: usize, load: f64 },
    Capacity { region: usize, target: f64, max: f64 },
}

/// A world and what happens to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) regions: Vec<Region>,
    pub(crate) cities: Vec<City>,
    pub(crate) resolvers: usize,
    /// The part of resolvers that keep answers for twice their TTL.
    pub(crate) stubborn: f64,
    pub(crate) ttl_s: u32,
    pub(crate) feed_every_s: i64,
    pub(crate) feed_late_s: i64,
    pub(crate) feed_noise: f64,
    /// Seconds before and after the moment 0.
    pub(crate) warm_s: i64,
    pub(crate) run_s: i64,
    pub(crate) events: Vec<(i64, Event)>,
}

impl Scenario {
    /// Reads texts one after the other.
    pub(crate) fn read(texts: &[&str]) -> Self {
        let mut scenario = Self::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            if !words.is_empty() {
                scenario.line(&words).unwrap_or_else(|| panic!("`{line}` says nothing"));
            }
        }
        scenario
    }

    fn line(&mut self, words: &[&str]) -> Option<()> {
        match *words {
            ["region", key, _, latitude, longitude, target, max] => self.regions.push(Region {
                key: key.into(),
                place: (number(latitude)?, number(longitude)?),
                target: number(target)?,
                max: number(max)?,
                is_closed: false,
            }),
            ["city", key, continent, latitude, longitude, requests] => self.cities.push(City {
                key: key.into(),
                continent: continent.into(),
                place: (number(latitude)?, number(longitude)?),
                requests: number(requests)?,
            }),
            ["resolvers", count] => self.resolvers = count.parse().ok()?,
            ["stubborn", part] => self.stubborn = percent(part)?,
            ["ttl", seconds] => self.ttl_s = seconds.parse().ok()?,
            ["feed", "every", every, "late", late, "noise", noise] => {
                self.feed_every_s = every.parse().ok()?;
                self.feed_late_s = late.parse().ok()?;
                self.feed_noise = percent(noise)?;
            }
            ["warm", seconds] => self.warm_s = seconds.parse().ok()?,
            ["run", seconds] => self.run_s = seconds.parse().ok()?,
            ["busy", factor] => {
                let factor = number(factor)?;
                self.cities.iter_mut().for_each(|city| city.requests *= factor);
            }
            ["closed", region] => {
                let region = self.region(region)?;
                self.regions[region].is_closed = true;
            }
            ["capacity", region, target, max] => {
                let region = self.region(region)?;
                (self.regions[region].target, self.regions[region].max) = (number(target)?, number(max)?);
            }
            ["at", second, ref event @ ..] => {
                let event = self.event(event)?;
                self.events.push((second.parse().ok()?, event));
            }
            _ => return None,
        }
        Some(())
    }

    fn event(&self, words: &[&str]) -> Option<Event> {
        Some(match *words {
            ["busy", continent, factor, "over", seconds] => {
                Event::Busy { continent: continent.into(), factor: number(factor)?, over_s: number(seconds)? }
            }
            ["lose", region] => Event::Lose(self.region(region)?),
            ["open", region] => Event::Open(self.region(region)?),
            ["slow", region, factor, "over", seconds] => {
                Event::Slow { region: self.region(region)?, factor: number(factor)?, over_s: number(seconds)? }
            }
            ["mute", region] => Event::Mute(self.region(region)?),
            ["lie", region, load] => Event::Lie { region: self.region(region)?, load: number(load)? },
            ["capacity", region, target, max] => {
                Event::Capacity { region: self.region(region)?, target: number(target)?, max: number(max)? }
            }
            _ => return None,
        })
    }

    fn region(&self, key: &str) -> Option<usize> {
        self.regions.iter().position(|region| region.key == key)
    }
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok()
}

fn percent(word: &str) -> Option<f64> {
    Some(number(word.strip_suffix('%')?)? / 100.0)
}
