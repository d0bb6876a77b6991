//! The series of what is steered and checked.

use crate::base::limits::CHECK_SERIES_MAX;
use crate::control::{EndpointFigures, Figures, LoadView, PlanView, PlannedRegion, RegionState};
use crate::health::Action;
use crate::model::FeedError;
use crate::plan::Method;
use crate::table::Standing;

use super::PROBE_RESULTS;
use super::table::*;
use super::text::{Buckets, Text};

/// The probes of one check, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckFigures {
    /// The check's key.
    pub check: String,
    /// Probes that have ended, in the order of [`PROBE_RESULTS`].
    pub ended: [u64; PROBE_RESULTS.len()],
    /// How long those took that passed or failed.
    pub latency: Buckets,
}

/// The series of health checks.
pub(super) fn render_checks(checks: &[CheckFigures], text: &mut Text) {
    let checks = if checks.len() <= CHECK_SERIES_MAX { checks } else { &[] };
    text.metric(&CHECKS, |series| {
        for check in checks {
            for (result, ended) in PROBE_RESULTS.iter().zip(check.ended) {
                series.add(&[&check.check, result], ended);
            }
        }
    });
    text.metric(&CHECK_LATENCY, |series| {
        checks.iter().for_each(|check| series.add_histogram(&[&check.check], &check.latency));
    });
}

/// The series of what control knows.
pub(super) fn render(figures: &Figures, text: &mut Text) {
    text.metric(&CHECK_UP, |series| {
        for target in &figures.targets {
            if let Some(is_up) = target.is_up {
                series.add(&[&target.check, &target.address], u8::from(is_up));
            }
        }
    });
    render_endpoints(&figures.endpoints, text);
    text.metric(&ENDPOINTS, |series| {
        for (state, count) in ["up", "down"].iter().zip(figures.up) {
            series.add(&[state], count);
        }
    });
    text.metric(&REGION_UP, |series| {
        figures.regions.iter().for_each(|region| series.add(&[&region.key], region.up));
    });
    text.metric(&REGION_STATE, |series| {
        for region in &figures.regions {
            for state in RegionState::ALL {
                series.add(&[&region.key, state.as_str()], u8::from(region.state == state));
            }
        }
    });
    render_loads(figures, text);
    text.metric(&SERVICES, |series| {
        for (standing, count) in Standing::ALL.iter().zip(figures.standings) {
            series.add(&[standing.as_str()], count);
        }
    });
    let services = &figures.services;
    text.metric(&SERVICE_ELIGIBLE, |series| {
        services.iter().for_each(|service| series.add(&[&service.key], service.eligible));
    });
    text.metric(&SERVICE_ALL_DOWN, |series| {
        services.iter().for_each(|service| series.add(&[&service.key], u8::from(service.is_all_down)));
    });
    text.metric(&SERVICE_ACTIVE, |series| {
        for service in services {
            service.active.iter().for_each(|region| series.add(&[&service.key, region], 1));
        }
    });
    text.metric(&FAILOVERS, |series| {
        services.iter().for_each(|service| series.add(&[&service.key], service.failovers));
    });
    text.metric(&OVERRIDES, |series| {
        for (action, count) in Action::ALL.iter().zip(figures.overrides) {
            series.add(&[override_text(*action)], count);
        }
    });
    for (metric, moments) in [(&OVERRIDE_OLDEST, figures.override_oldest), (&OVERRIDE_EXPIRY, figures.override_expiry)]
    {
        text.metric(metric, |series| {
            for (action, moment) in Action::ALL.iter().zip(moments) {
                // A moment counts milliseconds.
                moment.iter().for_each(|moment| series.add(&[override_text(*action)], moment.0 / 1_000));
            }
        });
    }
    text.single(&GUARD_STATE, figures.guard);
    text.single(&GUARD_HELD, figures.guard_held);
    text.metric(&SAFETY_ON, |series| figures.safety.iter().for_each(|(rule, on, _)| series.add(&[rule], on)));
    text.metric(&SAFETY_BROKEN, |series| {
        figures.safety.iter().for_each(|(rule, _, is_broken)| series.add(&[rule], u8::from(*is_broken)));
    });
    let evacuations = || figures.evacuations.iter();
    text.metric(&EVACUATION_LEFT, |series| evacuations().for_each(|(region, left, _)| series.add(&[region], left)));
    text.metric(&EVACUATION_HELD, |series| {
        evacuations().for_each(|(region, _, is_held)| series.add(&[region], u8::from(*is_held)));
    });
}

fn render_loads(figures: &Figures, text: &mut Text) {
    let loads = || figures.regions.iter().map(|region| (&*region.key, &region.load));
    let mut gauge = |metric, value: fn(&LoadView) -> Option<f64>| {
        text.metric(metric, |series| {
            for (region, load) in loads() {
                value(load).iter().for_each(|value| series.add(&[region], value));
            }
        });
    };
    gauge(&REGION_LOAD, |load| load.current);
    gauge(&REGION_LOAD_AGE, |load| load.age_s);
    gauge(&REGION_CAPACITY_TARGET, |load| load.target);
    gauge(&REGION_CAPACITY_MAX, |load| load.max);
    render_plan(figures.plan.as_ref(), text);
    text.metric(&FEEDS, |series| {
        for (state, count) in LoadView::STATES.iter().zip(figures.feeds) {
            series.add(&[state], count);
        }
    });
    text.metric(&FEED_ERRORS, |series| {
        for (kind, count) in FeedError::ALL.iter().zip(figures.feed_errors) {
            series.add(&[kind.as_str()], count);
        }
    });
}

/// The series of the capacity plan.
fn render_plan(plan: Option<&PlanView>, text: &mut Text) {
    let mut gauge = |metric, value: fn(&PlannedRegion) -> Option<f64>| {
        text.metric(metric, |series| {
            for region in plan.iter().flat_map(|plan| &plan.regions) {
                value(region).iter().for_each(|value| series.add(&[&region.region], value));
            }
        });
    };
    gauge(&REGION_LOAD_PLANNED, |region| region.max.map(|_| region.planned));
    gauge(&REGION_CAPACITY_LEVEL, |region| region.level);
    gauge(&REGION_SHED, |region| Some(region.shed));
    text.metric(&REGION_SPILL, |series| {
        for spill in plan.iter().flat_map(|plan| &plan.spills) {
            series.add(&[&spill.from, &spill.to], spill.demand);
        }
    });
    text.metric(&PLAN_METHOD, |series| {
        for method in plan.iter().flat_map(|_| Method::ALL) {
            series.add(&[method.as_str()], u8::from(plan.is_some_and(|plan| plan.method == method.as_str())));
        }
    });
    text.metric(&PLAN_PENDING, |series| plan.iter().for_each(|plan| series.add(&[], plan.pending)));
    text.metric(&PLAN_LIMITED, |series| plan.iter().for_each(|plan| series.add(&[], plan.limited)));
    text.metric(&PLAN_EXTRA, |series| plan.iter().for_each(|plan| series.add(&[], plan.extra_km)));
}

/// The value of label `action`.
const fn override_text(action: Action) -> &'static str {
    match action {
        Action::Up => "up",
        Action::Drain => "drain",
        Action::Down => "down",
    }
}

fn render_endpoints(endpoints: &[EndpointFigures], text: &mut Text) {
    let labels = |endpoint: &EndpointFigures| {
        let mut parts = endpoint.key.splitn(3, '/').map(str::to_owned);
        [(); 3].map(|()| parts.next().unwrap_or_default())
    };
    let labeled: Vec<([String; 3], &EndpointFigures)> =
        endpoints.iter().map(|endpoint| (labels(endpoint), endpoint)).collect();
    let labeled =
        || labeled.iter().map(|([service, region, own], endpoint)| ([&**service, &**region, &**own], endpoint));
    text.metric(&ENDPOINT_UP, |series| {
        labeled().for_each(|(labels, endpoint)| series.add(&labels, u8::from(endpoint.is_up)));
    });
    text.metric(&ENDPOINT_FLIP, |series| {
        for (labels, endpoint) in labeled() {
            endpoint.flip_s.iter().for_each(|seconds| series.add(&labels, seconds));
        }
    });
    text.metric(&ENDPOINT_FLAPS, |series| labeled().for_each(|(labels, endpoint)| series.add(&labels, endpoint.flaps)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::moment::Moment;
    use crate::control::SpillView;
    use crate::control::{RegionFigures, ServiceFigures, TargetFigures};

    #[test]
    fn figures_become_series() {
        let mut text = Text::default();
        let service = |key: &str, active: Option<&str>| ServiceFigures {
            key: key.into(),
            eligible: 2,
            is_all_down: active.is_none(),
            active: active.map(Into::into),
            failovers: 7,
        };
        let target =
            |address: &str, is_up: Option<bool>| TargetFigures { check: "web".into(), address: address.into(), is_up };
        let endpoint =
            |key: &str, flip_s: Option<u32>| EndpointFigures { key: key.into(), is_up: true, flip_s, flaps: 3 };
        let load = LoadView {
            state: "fresh",
            source: "pull",
            current: Some(12.5),
            target: Some(80.0),
            max: Some(100.0),
            at: Some(Moment(1)),
            age_s: Some(0.5),
            error: None,
        };
        let region = PlannedRegion {
            region: "fra".into(),
            fed: Some(12.5),
            load: 12.5,
            planned: 11.0,
            target: Some(80.0),
            max: Some(100.0),
            level: Some(90.0),
            home: 16.0,
            shed: 0.25,
            received: 0.0,
            held: false,
        };
        let spill = SpillView { from: "fra".into(), to: "ams".into(), demand: 4.0, part: 0.25 };
        let plan = PlanView {
            at: Some(Moment(1)),
            method: "optimal",
            demand: 16.0,
            classes: 1,
            pending: 0.5,
            limited: 0.25,
            extra_km: 360.0,
            regions: vec![region],
            spills: vec![spill],
        };
        let figures = Figures {
            regions: vec![RegionFigures { key: "fra".into(), state: RegionState::Degraded, up: 0.25, load }],
            services: vec![service("mail", Some("fra")), service("web", None)],
            endpoints: vec![endpoint("web/fra/2001:db8::1", Some(4)), endpoint("mail/fra/mx1/2", None)],
            targets: vec![target("192.0.2.1", Some(false)), target("192.0.2.2", None)],
            standings: [1, 0, 0, 1, 0],
            up: [2, 0],
            overrides: [0, 5, 0],
            override_oldest: [None, Some(Moment(1_800_000_000_999)), None],
            override_expiry: [None; 3],
            guard: 2,
            guard_held: 9,
            safety: vec![("two".into(), 1, true)],
            evacuations: vec![("fra".into(), 0.75, true)],
            feed_errors: [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            feeds: [4, 0, 1],
            plan: Some(plan),
        };
        let latency = Buckets { bounds: &[0.1], counts: vec![3, 1], sum: 0.5 };
        let check = CheckFigures { check: "web".into(), ended: [2, 1, 4], latency };
        render_checks(&[check], &mut text);
        render(&figures, &mut text);
        let text = text.finish();
        let series: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(
            series,
            [
                "meridian_checks_total{check=\"web\",result=\"pass\"} 2",
                "meridian_checks_total{check=\"web\",result=\"fail\"} 1",
                "meridian_checks_total{check=\"web\",result=\"inconclusive\"} 4",
                "meridian_check_latency_seconds_bucket{check=\"web\",le=\"0.1\"} 3",
                "meridian_check_latency_seconds_bucket{check=\"web\",le=\"+Inf\"} 4",
                "meridian_check_latency_seconds_sum{check=\"web\"} 0.5",
                "meridian_check_latency_seconds_count{check=\"web\"} 4",
                "meridian_check_up{check=\"web\",address=\"192.0.2.1\"} 0",
                "meridian_endpoint_up{service=\"web\",region=\"fra\",endpoint=\"2001:db8::1\"} 1",
                "meridian_endpoint_up{service=\"mail\",region=\"fra\",endpoint=\"mx1/2\"} 1",
                "meridian_endpoint_flip_seconds{service=\"web\",region=\"fra\",endpoint=\"2001:db8::1\"} 4",
                "meridian_endpoint_flaps_total{service=\"web\",region=\"fra\",endpoint=\"2001:db8::1\"} 3",
                "meridian_endpoint_flaps_total{service=\"mail\",region=\"fra\",endpoint=\"mx1/2\"} 3",
                "meridian_endpoints{state=\"up\"} 2",
                "meridian_endpoints{state=\"down\"} 0",
                "meridian_region_up{region=\"fra\"} 0.25",
                "meridian_region_state{region=\"fra\",state=\"ok\"} 0",
                "meridian_region_state{region=\"fra\",state=\"degraded\"} 1",
                "meridian_region_state{region=\"fra\",state=\"down\"} 0",
                "meridian_region_state{region=\"fra\",state=\"drained\"} 0",
                "meridian_region_state{region=\"fra\",state=\"forced-down\"} 0",
                "meridian_region_state{region=\"fra\",state=\"disabled\"} 0",
                "meridian_region_load{region=\"fra\"} 12.5",
                "meridian_region_load_age_seconds{region=\"fra\"} 0.5",
                "meridian_region_capacity_target{region=\"fra\"} 80",
                "meridian_region_capacity_max{region=\"fra\"} 100",
                "meridian_region_load_planned{region=\"fra\"} 11",
                "meridian_region_capacity_level{region=\"fra\"} 90",
                "meridian_region_shed_ratio{region=\"fra\"} 0.25",
                "meridian_spill_answers{from=\"fra\",to=\"ams\"} 4",
                "meridian_plan_method{method=\"home\"} 0",
                "meridian_plan_method{method=\"waterfall\"} 0",
                "meridian_plan_method{method=\"optimal\"} 1",
                "meridian_plan_pending_answers 0.5",
                "meridian_plan_limited_answers 0.25",
                "meridian_plan_extra_kilometers 360",
                "meridian_feeds{state=\"fresh\"} 4",
                "meridian_feeds{state=\"held\"} 0",
                "meridian_feeds{state=\"estimated\"} 1",
                "meridian_feed_errors_total{kind=\"connect\"} 0",
                "meridian_feed_errors_total{kind=\"timeout\"} 3",
                "meridian_feed_errors_total{kind=\"status\"} 0",
                "meridian_feed_errors_total{kind=\"unreadable\"} 0",
                "meridian_feed_errors_total{kind=\"missing\"} 0",
                "meridian_feed_errors_total{kind=\"number\"} 0",
                "meridian_feed_errors_total{kind=\"contradictory\"} 0",
                "meridian_feed_errors_total{kind=\"absurd\"} 0",
                "meridian_feed_errors_total{kind=\"future\"} 0",
                "meridian_feed_errors_total{kind=\"old\"} 0",
                "meridian_feed_errors_total{kind=\"unknown\"} 0",
                "meridian_services{standing=\"eligible\"} 1",
                "meridian_services{standing=\"drained\"} 0",
                "meridian_services{standing=\"some-up\"} 0",
                "meridian_services{standing=\"all-down\"} 1",
                "meridian_services{standing=\"gone\"} 0",
                "meridian_service_regions_eligible{service=\"mail\"} 2",
                "meridian_service_regions_eligible{service=\"web\"} 2",
                "meridian_service_all_down{service=\"mail\"} 0",
                "meridian_service_all_down{service=\"web\"} 1",
                "meridian_service_active{service=\"mail\",region=\"fra\"} 1",
                "meridian_failovers_total{service=\"mail\"} 7",
                "meridian_failovers_total{service=\"web\"} 7",
                "meridian_overrides{action=\"up\"} 0",
                "meridian_overrides{action=\"drain\"} 5",
                "meridian_overrides{action=\"down\"} 0",
                "meridian_override_oldest_timestamp_seconds{action=\"drain\"} 1800000000",
                "meridian_guard_state 2",
                "meridian_guard_held_endpoints 9",
                "meridian_safety_regions_on{rule=\"two\"} 1",
                "meridian_safety_broken{rule=\"two\"} 1",
                "meridian_evacuation_left_ratio{region=\"fra\"} 0.75",
                "meridian_evacuation_held{region=\"fra\"} 1",
            ]
        );
    }
}
