//! `meridian demand`: what the running server is asked, as a file for `meridian simulate`.

use std::io::{self, Write};

use crate::cli::client::Server;
use crate::cli::files::load;
use crate::cli::standing::counted;
use crate::cli::{ConfigArgument, Exit, complain};
use crate::simulate::Profile;

#[derive(Debug, clap::Args)]
pub(super) struct DemandArguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: DemandArguments) -> Exit {
    demand(arguments).unwrap_or_else(|exit| exit)
}

fn demand(DemandArguments { config }: DemandArguments) -> Result<Exit, Exit> {
    let path = config.config.clone();
    let (server, _) = Server::of(config)?;
    let failed = |reason: &str| {
        complain(reason);
        Exit::Failed
    };
    let told = server.look("/api/v1/demand").map_err(|reason| failed(&reason))?;
    let counted = counted(&told);
    if counted.is_empty() {
        return Err(failed(
            "the server counts nobody: it does where a region has a capacity, once something was asked",
        ));
    }
    let files = load(path)?;
    let model = &files.loaded.model;
    let profile = Profile::recorded(model, &files.loaded.atlases, &counted, f64::from(files.config.plan.peers));
    // A reader that has gone (`demand | head`) is no failure.
    drop(io::stdout().write_all(profile.to_file(model).as_bytes()));
    Ok(Exit::Ok)
}
