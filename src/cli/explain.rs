//! `meridian explain`: what a client would get, and why.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use crate::answer::explain::{Explanation, Question, RegionView, Step, client, explain, without_regions};
use crate::answer::{EvidenceView, WayView};
use crate::base::ids::RegionId;
use crate::cli::client::{Server, escape};
use crate::cli::{ConfigArgument, Exit, complain};
use crate::config::Config;
use crate::dns::{Name, RecordType};
use crate::metrics::ReloadResult;
use crate::run::{Loader, hash_key, load_settings};
use crate::snapshot::{Snapshot, Steering};
use crate::table::States;

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The name asked for
    #[arg(value_name = "NAME")]
    name: String,
    /// The type asked for
    #[arg(value_name = "TYPE", default_value = "A")]
    rtype: String,
    /// The client: an address, or the network a resolver tells, e.g. 203.0.113.0/24
    #[arg(long, value_name = "ADDR")]
    client: String,
    /// The resolver it asks through; without it the client itself
    #[arg(long, value_name = "ADDR")]
    resolver: Option<IpAddr>,
    /// As if everything in this region had failed; may be given several times
    #[arg(long, value_name = "REGION")]
    down: Vec<String>,
    /// As if this region had this load, of the clients it has, and the plan had followed; may be given several times
    #[arg(long, value_name = "REGION=NUMBER", conflicts_with = "offline")]
    load: Vec<String>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    /// Read the files instead of asking the server; takes everything as up
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: ExplainArguments) -> Exit {
    let mut out = io::stdout().lock();
    tell(arguments, &mut out).unwrap_or(Exit::Failed)
}

fn tell(arguments: ExplainArguments, out: &mut impl Write) -> io::Result<Exit> {
    let json = arguments.json;
    let explanation = match ask(arguments)? {
        Ok(explanation) => explanation,
        Err(exit) => return Ok(exit),
    };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?;
    } else {
        out.write_all(text(&explanation).as_bytes())?;
    }
    Ok(Exit::Ok)
}

fn ask(arguments: ExplainArguments) -> io::Result<Result<Explanation, Exit>> {
    let question = match question(&arguments) {
        Ok(question) => question,
        Err(reason) => {
            complain(&reason);
            return Ok(Err(Exit::Usage));
        }
    };
    let (server, config) = match Server::of(arguments.config) {
        Ok(found) => found,
        Err(exit) => return Ok(Err(exit)),
    };
    if arguments.offline {
        return offline(&config, &question, &arguments.down);
    }
    let mut path = format!(
        "/api/v1/explain?name={}&type={}&client={}/{}&resolver={}",
        escape(&question.name.to_string()),
        question.rtype,
        question.client.0,
        question.client.1,
        question.resolver
    );
    for region in &arguments.down {
        // Writing to a string can't fail.
        let _ = write!(path, "&down={}", escape(region));
    }
    for load in &arguments.load {
        let _ = write!(path, "&load={}", escape(load));
    }
    Ok(match server.get(&path) {
        Ok(answer) if answer.status.is_success() => {
            serde_json::from_value(answer.body).map_err(|error| complain_and(&error.to_string()))
        }
        Ok(answer) => Err(complain_and(&server.refusal(&answer))),
        Err(error) => Err(complain_and(&format!("{error}\nhint: --offline reads the files instead"))),
    })
}

fn complain_and(reason: &str) -> Exit {
    complain(reason);
    Exit::Failed
}

fn question(arguments: &ExplainArguments) -> Result<Question, String> {
    let name = arguments.name.trim_end_matches('.');
    let name: Name = format!("{name}.").parse().map_err(|error| format!("`{}`: {error}", arguments.name))?;
    let rtype = RecordType::from_text(arguments.rtype.to_ascii_uppercase().as_bytes())
        .ok_or_else(|| format!("`{}` is not a record type", arguments.rtype))?;
    let client = client(&arguments.client)?;
    Ok(Question { name, rtype, client, resolver: arguments.resolver.unwrap_or(client.0) })
}

/// The files as they are, everything up.
fn offline(config: &Config, question: &Question, down: &[String]) -> io::Result<Result<Explanation, Exit>> {
    let key = hash_key()?;
    let loaded = Loader::new(key).load(&load_settings(config), true);
    if loaded.result == ReloadResult::Refused {
        complain(&loaded.report.render());
        return Ok(Err(Exit::BadConfig));
    }
    let mut states = States::all_up(&loaded.model);
    let mut regions: Vec<RegionId> = Vec::new();
    for key in down {
        match loaded.model.region_by_key(key) {
            Some(region) => regions.push(region),
            None => return Ok(Err(complain_and(&format!("no such region: `{key}`")))),
        }
    }
    let steering = Steering::with_atlases(Arc::clone(&loaded.model), loaded.atlases, &states, 0);
    let snapshot =
        Snapshot { generation: 0, key, zones: loaded.zones, steering: steering.into(), options: Arc::default() };
    let mut assumed = vec!["everything is up (--offline)".to_owned()];
    assumed.extend(down.iter().map(|region| format!("{region} down")));
    let snapshot = if regions.is_empty() { snapshot } else { without_regions(&snapshot, &mut states, &regions) };
    Ok(Ok(explain(&snapshot, question, assumed)))
}

/// The explanation for people.
pub(super) fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_explanation(explanation, &mut text);
    text
}

fn write_explanation(explanation: &Explanation, out: &mut String) -> std::fmt::Result {
    let Explanation { question, client, resolver, generation, assumed, rcode, answers, scope, steps } = explanation;
    writeln!(out, "{question} for {client} by way of {resolver}")?;
    if !assumed.is_empty() {
        writeln!(out, "  assumed    {}", assumed.join("; "))?;
    }
    for step in steps {
        write_step(step, out)?;
    }
    if steps.is_empty() {
        writeln!(out, "  nothing on the way is steered: zone data answers")?;
    }
    writeln!(out, "  answer     {rcode}, scope /{scope}, generation {generation}")?;
    for record in answers {
        writeln!(out, "             {record}")?;
    }
    Ok(())
}

fn write_step(step: &Step, out: &mut String) -> std::fmt::Result {
    let Step {
        service, follows, rtype, policy, mode, place, regions, chosen, reason, ttl, pick, endpoints, spill, ..
    } = step;
    writeln!(out, "  service    {service} ({rtype}), policy {policy}: {mode}")?;
    if let Some(leader) = follows {
        writeln!(out, "  follows    {leader}")?;
    }
    if let Some(place) = place {
        writeln!(out, "  place      {}, by the {}", place.place, place.link)?;
        for source in &place.sources {
            writeln!(out, "             {source}")?;
        }
        let fence = if place.is_fenced { "; fenced" } else { "" };
        writeln!(out, "  ranked by  {}{fence}", place.ranked_by)?;
    }
    for (index, region) in regions.iter().enumerate() {
        let head = if index == 0 { "regions" } else { "" };
        writeln!(out, "  {head:<10} {}", region_line(region, chosen))?;
    }
    writeln!(out, "  chosen     {chosen}: {reason}, ttl {ttl}")?;
    if let Some(spill) = spill {
        writeln!(out, "  spill      {spill}")?;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let head = if index == 0 { format!("by {pick}") } else { String::new() };
        let state = match (endpoint.up, endpoint.answerable) {
            (true, true) => "up",
            (true, false) => "up, not answered",
            (false, true) => "down, answered all the same",
            (false, false) => "down",
        };
        let share = share_text(endpoint.share, endpoint.load.as_deref());
        writeln!(out, "  {head:<10} {} {state}{share}", endpoint.endpoint)?;
    }
    Ok(())
}

/// `  40.0 % (12 connections)`.
fn share_text(share: Option<f64>, load: Option<&str>) -> String {
    let share = share.map_or(String::new(), |share| format!("  {:.1} %", share * 100.0));
    let load = load.map_or(String::new(), |load| format!(" ({load})"));
    share + &load
}

fn region_line(region: &RegionView, chosen: &str) -> String {
    let tier = if region.tier == 0 { "-".into() } else { region.tier.to_string() };
    let distance = region.distance_km.map_or(String::new(), |distance| format!("  {distance:.0} km"));
    let share = share_text(region.share, region.weighed.as_deref());
    let load = region.load.filter(|_| region.weighed.is_none()).map_or(String::new(), |load| match load.max {
        Some(max) => format!("  load {} of {}", rounded(load.current), rounded(max)),
        None => format!("  load {}", rounded(load.current)),
    });
    let latency = region.latency.as_ref().map_or(String::new(), latency_text);
    let mark = if region.region == chosen { "  <-" } else { "" };
    format!("{tier:>2}. {:<12} {}{latency}{distance}{share}{load}{mark}", region.region, region.state)
}

/// `  23.4 ±1.2 ms (41.5 round trips, the last 4 s ago, by agent and beacon; 31.0 ms by distance)`.
fn latency_text(way: &WayView) -> String {
    let WayView { ms, error_ms, expected_ms, evidence } = way;
    if *error_ms == 0.0 {
        return format!("  {ms:.1} ms by distance");
    }
    let measured = match evidence {
        None => "measured of others like it".into(),
        Some(EvidenceView { samples, age_s, sources, .. }) => {
            let by = if sources.is_empty() { String::new() } else { format!(", by {}", sources.join(" and ")) };
            format!("{samples} round trips, the last {age_s} s ago{by}")
        }
    };
    format!("  {ms:.1} ±{error_ms:.1} ms ({measured}; {expected_ms:.1} ms by distance)")
}

/// To a tenth, and no more digits than that takes.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
