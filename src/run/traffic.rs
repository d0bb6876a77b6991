//! What was answered: totals of steered answers under text keys, and rates of the last seconds.
//!
//! Each lane counts by the layout of the model it answers from ([`Cells`]). Here all of that is added up under the keys
//! of services and regions, so that totals outlive models; a key that no model in use has is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer::Counts;
use crate::base::limits::{TRAFFIC_SHOWN_MAX, TRAFFIC_WINDOW_S};
use crate::base::moment::Moment;
use crate::metrics::{AnswerRate, Buckets, Rates, Traffic, TransportLabel, TransportRate, rcode_text};
use crate::policy::Reason;
use crate::snapshot::{Cells, Row};

/// Buckets of scopes: common lengths of prefixes, in bits.
const SCOPE_BUCKETS: &[f64] = &[0.0, 8.0, 16.0, 20.0, 24.0, 28.0, 32.0, 40.0, 48.0, 56.0, 64.0, 128.0];

/// Answers by [`Reason`].
type ByReason = [u64; Reason::ALL.len()];

/// Totals of steered answers, and what the last seconds brought.
#[derive(Default)]
pub(super) struct Answered {
    rows: Vec<(Row, ByReason)>,
    /// Where in `rows` a key stands.
    places: HashMap<Row, usize>,
    layouts: Vec<Layout>,
    lanes: Vec<Seen>,
    /// Answers by the length of their scope in bits.
    scopes_v4: Vec<u64>,
    scopes_v6: Vec<u64>,
    recent: VecDeque<Second>,
    /// `rows` as they were when the last of `recent` was noted.
    noted: Vec<ByReason>,
}

/// A layout in use, and where its rows stand in [`Answered::rows`].
struct Layout {
    cells: Arc<Cells>,
    places: Vec<usize>,
}

/// A lane's counters, as they were when they were read last.
struct Seen {
    counts: Arc<Counts>,
    numbers: Vec<u64>,
}

/// What was counted up to a moment.
struct Second {
    at: Instant,
    /// Since the one before: the row, the reason, and how many answers.
    answers: Vec<(usize, usize, u64)>,
    /// By [`TransportLabel`], all since the start.
    totals: [Traffic; TransportLabel::ALL.len()],
}

impl Answered {
    /// Takes over what all lanes have counted, those included that are over.
    pub(super) fn take(&mut self, lanes: &[Arc<Counts>]) {
        for counts in lanes {
            self.take_lane(counts);
        }
        let known = self.layouts.len();
        self.lanes.retain(|seen| lanes.iter().any(|counts| Arc::ptr_eq(counts, &seen.counts)));
        self.layouts.retain(|layout| lanes.iter().any(|counts| Arc::ptr_eq(counts.cells(), &layout.cells)));
        if known != self.layouts.len() {
            self.forget();
        }
    }

    fn take_lane(&mut self, counts: &Arc<Counts>) {
        let at = self.lanes.iter().position(|seen| Arc::ptr_eq(&seen.counts, counts)).unwrap_or_else(|| {
            let numbers = vec![0; counts.cells().count()];
            self.lanes.push(Seen { counts: Arc::clone(counts), numbers });
            self.lanes.len() - 1
        });
        let layout = self.layout(counts.cells());
        let (Some(seen), Some(layout)) = (self.lanes.get_mut(at), self.layouts.get(layout)) else { return };
        let mut fresh = Vec::with_capacity(seen.numbers.len());
        for (number, before) in counts.read().zip(&mut seen.numbers) {
            fresh.push(number.wrapping_sub(*before));
            *before = number;
        }
        let (v4, v6, rows) = Cells::part(&fresh);
        self.scopes_v4.resize(v4.len(), 0);
        self.scopes_v6.resize(v6.len(), 0);
        add(&mut self.scopes_v4, v4);
        add(&mut self.scopes_v6, v6);
        for (numbers, &place) in rows.zip(&layout.places) {
            if let Some((_, totals)) = self.rows.get_mut(place) {
                add(totals, numbers);
            }
        }
    }

    /// The number of a layout; one that is new has its keys looked up.
    fn layout(&mut self, cells: &Arc<Cells>) -> usize {
        if let Some(known) = self.layouts.iter().position(|layout| Arc::ptr_eq(&layout.cells, cells)) {
            return known;
        }
        let (rows, places) = (&mut self.rows, &mut self.places);
        let place = |row: &Row| {
            *places.entry(row.clone()).or_insert_with(|| {
                rows.push((row.clone(), ByReason::default()));
                rows.len() - 1
            })
        };
        let places = cells.rows().iter().map(place).collect();
        self.layouts.push(Layout { cells: Arc::clone(cells), places });
        self.noted.resize(self.rows.len(), ByReason::default());
        self.layouts.len() - 1
    }

    /// Forgets the rows that no layout in use has.
    fn forget(&mut self) {
        let mut is_used = vec![false; self.rows.len()];
        for &place in self.layouts.iter().flat_map(|layout| &layout.places) {
            is_used[place] = true;
        }
        let mut next = 0;
        let moved: Vec<Option<usize>> = is_used
            .iter()
            .map(|&used| {
                next += usize::from(used);
                used.then(|| next - 1)
            })
            .collect();
        let mut used = is_used.iter().copied();
        self.rows.retain(|_| used.next().unwrap_or(false));
        let mut used = is_used.iter().copied();
        self.noted.retain(|_| used.next().unwrap_or(false));
        self.places = self.rows.iter().enumerate().map(|(place, (row, _))| (row.clone(), place)).collect();
        for place in self.layouts.iter_mut().flat_map(|layout| &mut layout.places) {
            *place = moved[*place].unwrap_or(0);
        }
        for second in &mut self.recent {
            second.answers.retain_mut(|(place, ..)| moved[*place].map(|to| *place = to).is_some());
        }
    }

    /// Notes what the last second brought, if one has passed; `totals` by [`TransportLabel`].
    pub(super) fn note(&mut self, now: Instant, totals: [Traffic; TransportLabel::ALL.len()]) {
        // A little less than the second of whoever sweeps, whose timer is not exact.
        let is_early = |last: &Second| now.saturating_duration_since(last.at) < Duration::from_millis(900);
        if self.recent.back().is_some_and(is_early) {
            return;
        }
        let mut answers = Vec::new();
        for (place, ((_, totals), noted)) in self.rows.iter().zip(&mut self.noted).enumerate() {
            for (reason, (total, noted)) in totals.iter().zip(noted).enumerate() {
                if total != noted {
                    answers.push((place, reason, total.wrapping_sub(*noted)));
                    *noted = *total;
                }
            }
        }
        self.recent.push_back(Second { at: now, answers, totals });
        while self.recent.len() > TRAFFIC_WINDOW_S + 1 {
            self.recent.pop_front();
        }
    }

    /// All rows that were ever answered, by service and region.
    pub(super) fn totals(&self) -> Vec<(Row, ByReason)> {
        let answered = self.rows.iter().filter(|(_, totals)| totals.iter().any(|&total| total > 0));
        let mut rows: Vec<(Row, ByReason)> = answered.cloned().collect();
        rows.sort_unstable();
        rows
    }

    /// The scopes of steered answers with a client subnet option, of IPv4 and of IPv6.
    pub(super) fn scopes(&self) -> [Buckets; 2] {
        [buckets(&self.scopes_v4), buckets(&self.scopes_v6)]
    }

    /// The rates of the last [`TRAFFIC_WINDOW_S`] seconds; `at`: this moment.
    pub(super) fn rates(&self, at: Moment) -> Rates {
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else {
            return Rates { at, ..Rates::default() };
        };
        let window_s = last.at.saturating_duration_since(first.at).as_secs_f64();
        let mut rates = Rates { at, window_s, ..Rates::default() };
        if window_s <= 0.0 {
            return rates;
        }
        let per_second = |count: u64| count as f64 / window_s;
        let mut answers: HashMap<(usize, usize), u64> = HashMap::new();
        for &(place, reason, count) in self.recent.iter().skip(1).flat_map(|second| &second.answers) {
            *answers.entry((place, reason)).or_default() += count;
        }
        let mut answers: Vec<((usize, usize), u64)> = answers.into_iter().collect();
        answers.sort_unstable_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
        let rest = answers.split_off(answers.len().min(TRAFFIC_SHOWN_MAX));
        rates.others_per_second = per_second(rest.iter().map(|(_, count)| count).sum());
        rates.answers = answers
            .into_iter()
            .filter_map(|((place, reason), count)| {
                let (row, _) = self.rows.get(place)?;
                let (service, region) = (row.service.to_string(), row.region.to_string());
                let reason = Reason::ALL.get(reason)?.as_str();
                Some(AnswerRate { service, region, reason, per_second: per_second(count) })
            })
            .collect();
        rates.answers.sort_by(|a, b| (&a.service, &a.region, a.reason).cmp(&(&b.service, &b.region, b.reason)));
        for transport in TransportLabel::ALL {
            let (before, after) = (&first.totals[transport.index()], &last.totals[transport.index()]);
            let grown = |of: fn(&Traffic) -> u64| per_second(of(after).saturating_sub(of(before)));
            let rate = TransportRate {
                queries_per_second: grown(|traffic| traffic.queries.iter().sum()),
                dropped_per_second: grown(|traffic| traffic.dropped.iter().sum()),
            };
            rates.transports.insert(transport.as_str(), rate);
            for (index, (after, before)) in after.responses.iter().zip(&before.responses).enumerate() {
                if after > before {
                    *rates.rcodes.entry(rcode_text(index)).or_default() += per_second(after - before);
                }
            }
        }
        rates
    }
}

/// Numbers by length as buckets.
fn buckets(by_length: &[u64]) -> Buckets {
    let mut buckets = Buckets { bounds: SCOPE_BUCKETS, counts: vec![0; SCOPE_BUCKETS.len() + 1], sum: 0.0 };
    for (length, &count) in by_length.iter().enumerate() {
        let length = length as f64;
        buckets.counts[SCOPE_BUCKETS.partition_point(|&bound| bound < length)] += count;
        buckets.sum += length * count as f64;
    }
    buckets
}

fn add(totals: &mut [u64], numbers: &[u64]) {
    for (total, number) in totals.iter_mut().zip(numbers) {
        *total += number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::metrics::{DropReason, rcode_index};
    use crate::model;
    use crate::snapshot::Steering;
    use crate::table::States;

    /// A model of services with one region, `fra`.
    fn steering(services: &[&str]) -> Steering {
        let mut text = String::from("[regions.fra]\n");
        for key in services {
            text += &format!("[services.{key}]\nnames = [\"{key}.example.\"]\npolicy = \"weighted\"\n");
            text += "endpoints = { fra = [\"192.0.2.1\"] }\n";
        }
        let model = Arc::new(model::read(&[("regions.toml".into(), &text)], &mut Report::new()).unwrap());
        let states = States::all_up(&model);
        Steering::new(model, &states, 1)
    }

    /// Counts answers of the service with this number.
    fn count(counts: &Counts, service: usize, reason: Reason, times: usize) {
        // Two rows a service, the first one its region's.
        let first = counts.cells().count() - counts.cells().rows().len() * Reason::ALL.len();
        let cell = u32::try_from(first + 2 * service * Reason::ALL.len()).unwrap();
        (0..times).for_each(|_| counts.answered(cell, reason));
    }

    fn told(answered: &Answered) -> Vec<(String, u64, u64)> {
        let totals = answered.totals().into_iter();
        let of = |counts: &ByReason, reason: Reason| counts[reason.index()];
        totals
            .map(|(row, counts)| {
                let name = format!("{}/{}", row.service, row.region);
                (name, of(&counts, Reason::Preferred), of(&counts, Reason::Failover))
            })
            .collect()
    }

    #[test]
    fn totals_outlive_models_and_go_with_their_keys() {
        let (first, second) = (steering(&["a", "b"]), steering(&["0", "b"]));
        let old: Vec<Arc<Counts>> = (0..2).map(|_| Arc::new(Counts::new(first.cells()))).collect();
        let new = Arc::new(Counts::new(second.cells()));
        let mut answered = Answered::default();
        count(&old[0], 0, Reason::Preferred, 1);
        count(&old[0], 1, Reason::Preferred, 2);
        count(&old[1], 1, Reason::Failover, 3);
        answered.take(&old);
        assert_eq!(told(&answered), [("a/fra".into(), 1, 0), ("b/fra".into(), 2, 3)]);
        // One lane has gone on to the next model; what it counted before counts once more.
        count(&old[0], 1, Reason::Preferred, 4);
        count(&new, 1, Reason::Preferred, 8);
        count(&new, 0, Reason::Failover, 16);
        answered.take(&[Arc::clone(&old[0]), Arc::clone(&new), Arc::clone(&old[1])]);
        assert_eq!(told(&answered), [("0/fra".into(), 0, 16), ("a/fra".into(), 1, 0), ("b/fra".into(), 14, 3)]);
        // Now all have.
        answered.take(&[Arc::clone(&new)]);
        assert_eq!(told(&answered), [("0/fra".into(), 0, 16), ("b/fra".into(), 14, 3)]);
        count(&new, 1, Reason::Preferred, 1);
        answered.take(&[new]);
        assert_eq!(told(&answered), [("0/fra".into(), 0, 16), ("b/fra".into(), 15, 3)]);
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let (first, second) = (steering(&["a", "b"]), steering(&["b"]));
        let mut counts = Arc::new(Counts::new(first.cells()));
        let mut answered = Answered::default();
        let (start, at) = (Instant::now(), Moment(7));
        assert_eq!(answered.rates(at), Rates { at, ..Rates::default() });
        let mut udp = Traffic::default();
        // Long before the window, 100 answers of `a`; then each second 2 of `b`, and 1 of `a` until the model changes.
        count(&counts, 0, Reason::Preferred, 100);
        for second_number in 0..=20 {
            if second_number == 15 {
                counts = Arc::new(Counts::new(second.cells()));
            }
            let b = usize::from(second_number < 15);
            count(&counts, b, Reason::Equal, 2);
            count(&counts, 0, Reason::Failover, b);
            udp.queries[0] += 30;
            udp.responses[rcode_index(3)] += 10;
            udp.dropped[DropReason::Short.index()] += 1;
            answered.take(&[Arc::clone(&counts)]);
            let now = start + Duration::from_secs(second_number);
            answered.note(now, [udp, Traffic::default()]);
            // Too early: nothing is noted.
            answered.note(now + Duration::from_millis(500), [udp, Traffic::default()]);
        }
        let rates = answered.rates(at);
        let b = AnswerRate { service: "b".into(), region: "fra".into(), reason: "equal", per_second: 2.0 };
        // `a` went with the model that had it.
        assert_eq!((rates.window_s, rates.answers.as_slice(), rates.others_per_second), (10.0, &[b][..], 0.0));
        let udp = TransportRate { queries_per_second: 30.0, dropped_per_second: 1.0 };
        assert_eq!(rates.transports, [("tcp", TransportRate::default()), ("udp", udp)].into());
        assert_eq!(rates.rcodes, [("NXDOMAIN", 10.0)].into());
    }

    #[test]
    fn scopes_become_buckets() {
        let steering = steering(&["a"]);
        let counts = Arc::new(Counts::new(steering.cells()));
        for (is_v6, scope) in [(false, 0), (false, 24), (false, 23), (false, 32), (true, 56), (true, 57), (true, 128)] {
            counts.scoped(is_v6, scope);
        }
        let mut answered = Answered::default();
        answered.take(&[counts]);
        let [v4, v6] = answered.scopes();
        assert_eq!((v4.counts, v4.sum), (vec![1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0], 79.0));
        assert_eq!((v6.counts, v6.sum), (vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0], 241.0));
    }
}
