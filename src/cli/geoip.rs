//! `meridian geoip lookup`: what the databases say of an address, and the region order that follows.

use std::io::{self, Write};
use std::net::IpAddr;

use serde_json::json;

use crate::answer::explain::place_text;
use crate::cli::client::Server;
use crate::cli::{ConfigArgument, Exit, complain};
use crate::geo::ClassId;
use crate::metrics::ReloadResult;
use crate::run::{Loaded, Loader, hash_key, load_settings};

#[derive(Debug, clap::Subcommand)]
pub(super) enum GeoIpCommand {
    /// What the databases say of an address, and the order of regions that follows for each service
    Lookup(LookupArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct LookupArguments {
    /// An IPv4 or IPv6 address
    #[arg(value_name = "ADDR")]
    address: IpAddr,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(command: GeoIpCommand) -> Exit {
    let GeoIpCommand::Lookup(arguments) = command;
    let mut out = io::stdout().lock();
    lookup(arguments, &mut out).unwrap_or(Exit::Failed)
}

fn lookup(arguments: LookupArguments, out: &mut impl Write) -> io::Result<Exit> {
    let (_, config) = match Server::of(arguments.config) {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let loaded = Loader::new(hash_key()?).load(&load_settings(&config), true);
    if loaded.result == ReloadResult::Refused {
        complain(&loaded.report.render());
        return Ok(Exit::BadConfig);
    }
    let places = loaded.atlases.places();
    let located = places.find(arguments.address);
    let network = format!("{}/{}", located.network.0, located.network.1);
    let orders = orders(&loaded, arguments.address);
    if arguments.json {
        let sources: Vec<_> = located
            .sources
            .iter()
            .map(|(who, network, what)| json!({ "source": who, "network": network, "says": what }))
            .collect();
        let services: serde_json::Map<String, serde_json::Value> =
            orders.into_iter().map(|(service, order)| (service, json!(order))).collect();
        let all = json!({
            "address": arguments.address.to_string(), "place": place_text(&located.place), "network": network,
            "sources": sources, "services": services,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(Exit::Ok);
    }
    writeln!(out, "{}: {} ({network})", arguments.address, place_text(&located.place))?;
    for (who, network, what) in &located.sources {
        writeln!(out, "  {who}: {network} {what}")?;
    }
    for (service, order) in orders {
        writeln!(out, "  {service:<16} {}", order.join(" > "))?;
    }
    Ok(Exit::Ok)
}

/// For each service that ranks by place: its regions as this address prefers them, equals joined by `=`.
fn orders(loaded: &Loaded, address: IpAddr) -> Vec<(String, Vec<String>)> {
    let model = &loaded.model;
    let ranked = model.services().filter_map(|(id, service)| {
        let atlas = loaded.atlases.of(id)?;
        let (class, _) = atlas.locate(address);
        if class == ClassId::UNKNOWN {
            return Some((service.key.to_string(), vec!["(nobody knows the client: default, order, all)".into()]));
        }
        let tier = |mask: u128| {
            let keys = (0..).zip(&model.regions).filter(|(index, _)| mask >> index & 1 == 1);
            keys.map(|(_, region)| region.key.to_string()).collect::<Vec<_>>().join(" = ")
        };
        Some((service.key.to_string(), atlas.class(class).tiers.iter().map(|&mask| tier(mask)).collect()))
    });
    ranked.collect()
}
