//! Load feeds: their checks looked up, the addresses of endpoints put in.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::ids::{CheckId, RegionId};

use super::super::checks::CheckKind;
use super::super::feeds::{Feed, FeedWay, LoadFeed, METRIC_LOAD, Place};
use super::super::read::{ADDRESS, Given, RawEndpoint, RawFeed, RawService, RawWay};
use super::super::types::{Check, Endpoint, Model};

/// A feed of which only an address may be missing.
pub(super) struct Template<'r> {
    raw: &'r RawFeed,
    check: Option<&'r Check>,
    way: Option<FeedWay>,
}

/// What of a feed does not depend on an address; `what` it is of, in words, and the checks whose answers may have it.
pub(super) fn template<'r>(
    raw: &'r RawFeed,
    what: &str,
    ids: &[CheckId],
    checks: &'r [Check],
    report: &mut Report,
) -> Option<Template<'r>> {
    let way = match &raw.way {
        RawWay::Pull(_) | RawWay::Agent(_) => None,
        RawWay::Push => Some(FeedWay::Push),
        RawWay::Check => {
            let (id, check) = answering(raw, what, ids, checks, report)?;
            if raw.max_age < check.interval {
                let message =
                    format!("the load feed of {what} has a `max_age` below the interval of check `{}`", check.key);
                let finding = Diagnostic::error("bad-value", message)
                    .at(raw.at.clone(), "each value would be too old before the next one comes")
                    .related(check.at.clone(), "the check");
                report.push(finding);
                return None;
            }
            return Some(Template { raw, check: Some(check), way: Some(FeedWay::Check(id)) });
        }
    };
    Some(Template { raw, check: None, way })
}

/// A capacity in answers, whose region has endpoints that say their load: what they add up to is in another unit.
pub(super) fn check_units(units: &[(RegionId, Location)], model: &Model, report: &mut Report) {
    let tells = |endpoint: &&Endpoint| {
        let feed = endpoint.load.feed();
        feed.is_some_and(|feed| feed.way != FeedWay::Push && feed.tells(METRIC_LOAD))
    };
    for (region, unit) in units {
        let mut endpoints = model.endpoints.iter().filter(|endpoint| endpoint.region == *region);
        let (Some(told), Some(region)) = (endpoints.find(tells), model.regions.get(region.index())) else { continue };
        let message =
            format!("the capacity of region `{}` is in answers, and its endpoints feed their load", region.key);
        let finding = Diagnostic::error("bad-value", message)
            .at(unit.clone(), "its capacity is in the unit of their load")
            .related(told.at.clone(), "one of them")
            .hint("leave `unit` out, or feed metrics of other names");
        report.push(finding);
    }
}

/// The first check over HTTP.
fn answering<'c>(
    raw: &RawFeed,
    what: &str,
    ids: &[CheckId],
    checks: &'c [Check],
    report: &mut Report,
) -> Option<(CheckId, &'c Check)> {
    let mut known = ids.iter().filter_map(|&id| Some((id, checks.get(id.index())?)));
    let is_http = |check: &Check| matches!(check.kind, CheckKind::Http(_) | CheckKind::Https { .. });
    let found = known.clone().find(|(_, check)| is_http(check));
    let request = |check: &'c Check| {
        if let CheckKind::Http(request) | CheckKind::Https { request, .. } = &check.kind {
            Some((check, request))
        } else {
            None
        }
    };
    let request = found.and_then(|(_, check)| request(check));
    let in_body = raw.picks.iter().any(|pick| matches!(pick.place, Place::Json(_)));
    if let Some((check, _)) = request.filter(|(_, request)| in_body && request.method == "HEAD") {
        let message = format!("the load of {what} stands in the body of an answer to HEAD");
        let finding = Diagnostic::error("bad-value", message)
            .at(raw.at.clone(), "it has none")
            .related(check.at.clone(), "the check");
        report.push(finding);
        return None;
    }
    if found.is_none() {
        let reason = match known.next() {
            Some((_, check)) => format!("check `{}` is {}, not HTTP", check.key, check.kind.as_str()),
            None => "there is no check".to_owned(),
        };
        let message = format!("the load of {what} stands in the answer to a check over HTTP");
        report.push(Diagnostic::error("missing-check", message).at(raw.at.clone(), reason));
    }
    found
}

impl Template<'_> {
    /// The feed, its address put in; `None` if that is missing.
    pub(super) fn feed(&self, address: Option<IpAddr>) -> Option<Feed> {
        let put = |text: &str| match address {
            _ if !text.contains(ADDRESS) => Some(text.to_owned()),
            Some(IpAddr::V4(address)) => Some(text.replace(ADDRESS, &address.to_string())),
            // Brackets that are there already are enough.
            Some(IpAddr::V6(address)) => {
                let bare = text.replace(&format!("[{ADDRESS}]"), ADDRESS);
                Some(bare.replace(ADDRESS, &format!("[{address}]")))
            }
            None => None,
        };
        let way = match (&self.way, &self.raw.way) {
            (Some(way), _) => way.clone(),
            (None, RawWay::Pull(url)) => FeedWay::Pull { url: put(url)? },
            (None, RawWay::Agent(address)) => FeedWay::Agent { address: put(address)? },
            (None, RawWay::Push | RawWay::Check) => return None,
        };
        let every = self.check.map_or(self.raw.every, |check| check.interval);
        Some(Feed { way, picks: self.raw.picks.clone(), every, max_age: self.raw.max_age })
    }
}

/// The feeds of a service's endpoints.
pub(super) struct OfService<'r> {
    ids: &'r [CheckId],
    checks: &'r [Check],
    own: Option<Template<'r>>,
}

impl<'r> OfService<'r> {
    pub(super) fn new(
        key: &str,
        raw: &'r RawService,
        ids: &'r [CheckId],
        checks: &'r [Check],
        report: &mut Report,
    ) -> Self {
        let own = raw.load.value().and_then(|feed| template(feed, &format!("service `{key}`"), ids, checks, report));
        let asked = match raw.load.value().map(|feed| &feed.way) {
            Some(RawWay::Pull(text) | RawWay::Agent(text)) => Some(text),
            Some(RawWay::Push | RawWay::Check) | None => None,
        };
        let endpoints = raw.endpoints.value().into_iter().flatten().flat_map(|(_, endpoints)| endpoints);
        let fed = endpoints.filter(|endpoint| endpoint.load.is_absent()).count();
        if let (Some(feed), Some(asked)) = (raw.load.value(), asked)
            && fed > 1
            && !asked.contains(ADDRESS)
        {
            let message = format!("all endpoints of service `{key}` would have one load");
            let finding = Diagnostic::error("bad-value", message)
                .at(feed.at.clone(), "the same document for each of them")
                .hint(format!("write {ADDRESS} where the address of the endpoint belongs"));
            report.push(finding);
        }
        Self { ids, checks, own }
    }

    /// The feed of an endpoint: its own, else that of the service.
    pub(super) fn of(&self, endpoint: &RawEndpoint, key: &str, report: &mut Report) -> LoadFeed {
        let of_record = || match endpoint.records.as_slice() {
            [record] => record.data.parse::<IpAddr>().ok(),
            _ => None,
        };
        let checked = endpoint.check_address.value().map(|address| address.value);
        let address = checked.or(endpoint.address).or_else(of_record);
        let given;
        let template = match &endpoint.load {
            Given::Value(raw) => {
                given = template(raw, &format!("endpoint `{key}`"), self.ids, self.checks, report);
                given.as_ref()
            }
            Given::Absent => self.own.as_ref(),
            Given::Wrong => None,
        };
        let Some(template) = template else { return LoadFeed::Nothing };
        match template.feed(address) {
            Some(feed) => LoadFeed::Feed(Arc::new(feed)),
            None => {
                let message = format!("endpoint `{key}` has no address to ask for its load");
                let finding = Diagnostic::error("missing-address", message)
                    .at(endpoint.at.clone(), format!("its load feed has {ADDRESS} in it"))
                    .hint("write check_address = \"192.0.2.1\", or a `load` of its own");
                report.push(finding);
                LoadFeed::Nothing
            }
        }
    }
}
