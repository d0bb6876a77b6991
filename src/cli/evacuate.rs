//! `meridian evacuate`: a region gives up its share step by step. The server does it; this only says so.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::limits::{EVACUATION_STEP, EVACUATION_STEP_MIN};
use crate::base::units::{format_duration, parse_duration};
use crate::cli::client::Server;
use crate::cli::operate::{WhyArguments, owner, post};
use crate::cli::{ConfigArgument, Exit, complain, say};

#[derive(Debug, clap::Args)]
pub(super) struct EvacuateArguments {
    /// The region that is to be drained
    #[arg(value_name = "REGION")]
    region: String,
    /// Percent of its share that each step takes
    #[arg(long, value_name = "PERCENT", default_value_t = EVACUATION_STEP,
          value_parser = clap::value_parser!(u8).range(i64::from(EVACUATION_STEP_MIN)..=100))]
    step: u8,
    /// From one step to the next; without it a minute, or the longest TTL if that is longer
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    every: Option<Duration>,
    /// How long the drain at the end lasts; without it until `enable`
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    why: WhyArguments,
    /// Even if it takes away the last eligible region of a service
    #[arg(long)]
    yes: bool,
    /// Only say what each step would come to
    #[arg(long)]
    dry_run: bool,
    /// End an evacuation: the region gets its share back as one that has recovered
    #[arg(long, conflicts_with_all = ["dry_run", "every", "duration", "yes", "override_safety"])]
    cancel: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: EvacuateArguments) -> Exit {
    let EvacuateArguments { region, step, every, duration, why, yes, dry_run, cancel, config } = arguments;
    if cancel {
        let body = json!({ "region": region, "owner": owner(), "reason": why.reason() });
        return post(config, "/api/v1/evacuate/cancel", &body);
    }
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    let body = why.add_to(json!({
        "region": region, "step": step, "every_s": seconds(every), "for_s": seconds(duration), "owner": owner(), "confirm": yes,
    }));
    if dry_run { foresee(config, &body) } else { post(config, "/api/v1/evacuate", &body) }
}

/// Says what would happen; ends with 1 if it would be refused or held.
fn foresee(config: ConfigArgument, body: &Value) -> Exit {
    let (server, _) = match Server::of(config) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    match server.post("/api/v1/evacuate/preview", body) {
        Ok(answer) if answer.status.is_success() => {
            let (text, is_well) = shown(&answer.body);
            say(text.trim_end());
            if is_well { Exit::Ok } else { Exit::Failed }
        }
        Ok(answer) => {
            complain(&server.refusal(&answer));
            Exit::Failed
        }
        Err(error) => {
            complain(&error.to_string());
            Exit::Failed
        }
    }
}

/// The preview in words, and whether nothing speaks against it.
fn shown(view: &Value) -> (String, bool) {
    let mut text = String::new();
    let plan = view["plan"].as_str().unwrap_or_default();
    // Writing to a string can't fail.
    if !plan.is_empty() {
        let _ = writeln!(text, "{plan}");
    }
    if let Some(refusal) = view["refusal"].as_str() {
        let _ = writeln!(text, "it would be refused: {refusal}");
    }
    let mut is_well = view["refusal"].is_null();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for step in list(&view["steps"]) {
        let after = format_duration(Duration::from_secs(step["at_s"].as_u64().unwrap_or(0)));
        let _ = writeln!(text, "\nafter {after}: {} % of its share left", step["left"]);
        let loads = list(&step["loads"]);
        if loads.is_empty() {
            let _ = writeln!(text, "  no capacity is known: nobody can tell if there is room");
        }
        for load in loads {
            let number = |key: &str| load[key].as_f64().unwrap_or(0.0);
            let (now, then, target, max) = (number("now"), number("then"), number("target"), number("max"));
            let region = load["region"].as_str().unwrap_or("-");
            let _ = writeln!(text, "  {region:<12} {now:>10.1} → {then:>10.1}   target {target}, max {max}");
        }
        if let Some(full) = step["full"].as_str() {
            is_well = false;
            let _ = writeln!(text, "  it would be held here: {full}");
        }
    }
    (text, is_well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_told_step_by_step() {
        let load = json!({"region": "iad", "now": 30.0, "then": 45.0, "target": 40.0, "max": 50.0, "level": 45.0});
        let view = json!({
            "allowed": true, "refusal": null, "plan": "fra gives up its share",
            "steps": [
                {"left": 50, "at_s": 0, "full": null, "loads": []},
                {"left": 0, "at_s": 60, "full": "no room: iad", "loads": [load]},
            ],
        });
        let (text, is_well) = shown(&view);
        assert!(!is_well);
        for part in [
            "fra gives up its share\n",
            "after 0s: 50 % of its share left\n  no capacity is known",
            "after 1m: 0 % of its share left\n  iad                30.0 →       45.0   target 40, max 50\n",
            "  it would be held here: no room: iad\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(shown(&json!({"refusal": null, "plan": "x", "steps": []})).1);
        assert_eq!(shown(&json!({"refusal": "no"})), ("it would be refused: no\n".to_owned(), false));
    }
}
