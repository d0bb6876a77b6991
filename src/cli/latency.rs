//! `meridian latency`: what is measured of the ways between clients and regions, shown, exported, imported.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::limits::LATENCY_FILE_LEN_MAX;
use crate::cli::client::Server;
use crate::cli::{ConfigArgument, Exit, complain, say};
use crate::latency::{CellView, CountryRow, RegionCoverage, SurveyView};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LatencyArguments {
    #[command(subcommand)]
    command: Option<LatencyCommand>,
    /// All countries, not only the twenty of which most networks were measured
    #[arg(long)]
    all: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Debug, clap::Subcommand)]
enum LatencyCommand {
    /// Write all that was measured as a table, a line for each network and region
    Export {
        /// Where to; without it to standard output
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Take what was exported, here or elsewhere
    ///
    /// A way that is known gives way to a later measurement alone. Ends with 1 if a line was refused.
    Import {
        /// The file; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

/// Countries that are shown without `--all`.
const COUNTRIES: usize = 20;
/// Columns of a line, where the terminal says nothing.
const WIDTH: usize = 100;
/// Columns of a cell of the matrix, with what parts it from the one before.
const CELL: usize = 11;
/// Columns before the cells of a row of the matrix.
const HEAD: usize = 29;

pub(super) fn run(LatencyArguments { command, all, json, config }: LatencyArguments) -> Exit {
    let done = match command {
        None => show(config, all, json),
        Some(LatencyCommand::Export { file, config }) => export(config, file.as_deref()),
        Some(LatencyCommand::Import { file, config }) => import(config, &file),
    };
    done.unwrap_or_else(|exit| exit)
}

fn failed(reason: impl ToString) -> Exit {
    complain(&reason.to_string());
    Exit::Failed
}

fn show(config: ConfigArgument, all: bool, json: bool) -> Result<Exit, Exit> {
    let (server, _) = Server::of(config)?;
    let told = server.look("/api/v1/latency").map_err(failed)?;
    let text = if json {
        format!("{told:#}\n")
    } else {
        let view: SurveyView = serde_json::from_value(told).map_err(failed)?;
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(WIDTH);
        text(&view, if all { usize::MAX } else { COUNTRIES }, columns)
    };
    // A reader that has gone (`latency | head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Ok)
}

fn text(view: &SurveyView, countries: usize, columns: usize) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_view(view, countries, columns, &mut text);
    text
}

fn write_view(view: &SurveyView, countries: usize, columns: usize, out: &mut String) -> std::fmt::Result {
    let SurveyView { networks, networks_max, ways, elsewhere, waiting, .. } = view;
    writeln!(
        out,
        "{networks} networks of at most {networks_max}, {ways} ways; {elsewhere} are elsewhere than nearest"
    )?;
    if *networks == 0 {
        return writeln!(out, "nothing is measured: `meridian agent`, beacons and POST /api/v1/latency feed it");
    }
    if *waiting > 0 {
        writeln!(out, "{waiting} would change their best region, and may not yet (latency.max_move)")?;
    }
    writeln!(out, "\nregion       networks  round trips  best of  last       measured by")?;
    for RegionCoverage { region, networks, samples, age_s, best_of, sources } in &view.regions {
        let by: Vec<String> = sources.iter().map(|(source, count)| format!("{source} {count}")).collect();
        let (last, by) = (age(*age_s), if by.is_empty() { "-".into() } else { by.join(", ") });
        writeln!(out, "{region:<12} {networks:>8}  {samples:>11.0}  {best_of:>7}  {last:<9}  {by}")?;
    }
    write_matrix(view, countries, columns, out)?;
    for (index, gain) in view.gains.iter().enumerate() {
        if index == 0 {
            writeln!(out, "\nwho gains most by not going to the nearest region")?;
        }
        let less = gain.nearest_ms - gain.best_ms;
        let (nearest, best) =
            (format!("{} {:.1}", gain.nearest, gain.nearest_ms), format!("{} {:.1}", gain.best, gain.best_ms));
        let (network, country, samples) = (&gain.network, country(&gain.country), gain.samples);
        writeln!(
            out,
            "  {network:<20} {country:<2}  {nearest} -> {best} ms, {less:.1} less; {samples:.0} round trips"
        )?;
    }
    Ok(())
}

/// Regions that do not fit beside each other come below each other.
fn write_matrix(view: &SurveyView, countries: usize, columns: usize, out: &mut String) -> std::fmt::Result {
    let beside = (columns.saturating_sub(HEAD) / CELL).max(1);
    let rows = view.matrix.get(..countries.min(view.matrix.len())).unwrap_or_default();
    writeln!(out, "\nmilliseconds by country and region: * is best for most, ( ) nobody has measured itself")?;
    for (block, regions) in view.regions.chunks(beside).enumerate() {
        write!(out, "{}country  networks  elsewhere", if block > 0 { "\n" } else { "" })?;
        for region in regions {
            write!(out, "  {:>9}", region.region.chars().take(9).collect::<String>())?;
        }
        writeln!(out)?;
        for CountryRow { country: code, networks, elsewhere, ways } in rows {
            let most = ways.iter().map(|way| way.best_of).max().unwrap_or(0);
            write!(out, "{:<7}  {networks:>8}  {elsewhere:>9}", country(code))?;
            for way in ways.iter().skip(block * beside).take(regions.len()) {
                write!(out, "  {:>9}", cell(way, most))?;
            }
            writeln!(out)?;
        }
    }
    match view.matrix.len() - rows.len() {
        0 => Ok(()),
        more => writeln!(out, "and {more} more: --all"),
    }
}

/// `23.4*`, `(130.2)`.
fn cell(way: &CellView, most: usize) -> String {
    let Some(ms) = way.ms else { return "-".into() };
    let best = if way.best_of > 0 && way.best_of == most { "*" } else { "" };
    if way.networks == 0 { format!("({ms:.1}){best}") } else { format!("{ms:.1}{best}") }
}

fn country(code: &str) -> &str {
    if code.is_empty() { "?" } else { code }
}

/// `4 s ago`, `3 h ago`.
fn age(age_s: Option<u64>) -> String {
    match age_s {
        None => "never".into(),
        Some(s @ 0..120) => format!("{s} s ago"),
        Some(s @ 120..7_200) => format!("{} m ago", s / 60),
        Some(s @ 7_200..172_800) => format!("{} h ago", s / 3_600),
        Some(s) => format!("{} d ago", s / 86_400),
    }
}

fn export(config: ConfigArgument, file: Option<&Path>) -> Result<Exit, Exit> {
    let (server, _) = Server::of(config)?;
    let told = server.look("/api/v1/latency/export").map_err(failed)?;
    let Some(text) = told.as_str().map(|text| format!("{text}\n")) else {
        return Err(failed("the server does not answer with a table"));
    };
    match file {
        // A reader that has gone (`export | head`) is no failure.
        None => drop(io::stdout().write_all(text.as_bytes())),
        Some(file) => {
            std::fs::write(file, &text).map_err(|error| failed(format!("cannot write {}: {error}", file.display())))?;
            say(&format!(
                "{} ways in {}",
                text.lines().skip(1).filter(|line| !line.starts_with('#')).count(),
                file.display()
            ));
        }
    }
    Ok(Exit::Ok)
}

fn import(config: ConfigArgument, file: &Path) -> Result<Exit, Exit> {
    let (server, _) = Server::of(config)?;
    let name = file.display();
    let text = read(file).map_err(|error| failed(format!("cannot read {name}: {error}")))?;
    let (mut taken, mut known, mut refused, mut before) = (0, 0, 0, 0);
    for part in parts(&text, LATENCY_FILE_LEN_MAX) {
        let answer = server.post_table("/api/v1/latency/import", part).map_err(failed)?;
        // Nothing of this part was taken, or all of it is refused for another reason.
        if answer.body["refused"].is_null() {
            return Err(failed(server.refusal(&answer)));
        }
        let number = |key: &str| answer.body[key].as_u64().unwrap_or(0);
        (taken, refused) = (taken + number("taken"), refused + number("refused_in_all"));
        known += number("thinned");
        for told in answer.body["refused"].as_array().into_iter().flatten() {
            let line = before + told["index"].as_u64().unwrap_or(0);
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            complain(&format!("{name}:{line}: {}: {}", word(&told["kind"]), word(&told["reason"])));
        }
        before += part.lines().count() as u64;
    }
    let also = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let more = also(known, "known already") + &also(refused, "refused");
    say(&format!("{taken} lines taken{more}"));
    Ok(if refused > 0 { Exit::Failed } else { Exit::Ok })
}

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// A table in parts of whole lines, as long as a server takes at once.
fn parts(text: &str, len_max: usize) -> Vec<&str> {
    let (mut parts, mut left) = (Vec::new(), text);
    while left.len() > len_max {
        let end = left.as_bytes().get(..len_max).and_then(|part| part.iter().rposition(|&byte| byte == b'\n'));
        // A line that is longer than a whole part is no line of a table: the server says so.
        let Some((part, rest)) = end.and_then(|end| left.split_at_checked(end + 1)) else { break };
        parts.push(part);
        left = rest;
    }
    parts.push(left);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_goes_in_parts_of_whole_lines() {
        for (text, expected) in [
            ("", vec![""]),
            ("abc\nde\n", vec!["abc\nde\n"]),
            ("abc\nde\nfghi\nj\n", vec!["abc\nde\n", "fghi\nj\n"]),
            ("abcdefghijk\nl\n", vec!["abcdefghijk\nl\n"]),
        ] {
            assert_eq!(parts(text, 8), expected, "{text}");
        }
    }

    #[test]
    fn the_matrix_fits_and_says_who_is_best() {
        let way = |ms: f64, networks, best_of| CellView { ms: Some(ms), networks, best_of, ..CellView::default() };
        let row = |country: &str| CountryRow {
            country: country.into(),
            networks: 3,
            elsewhere: 2,
            ways: vec![way(20.0, 3, 1), way(8.5, 3, 2), way(130.04, 0, 0)],
        };
        let region = |key: &str| RegionCoverage { region: key.into(), age_s: Some(300), ..RegionCoverage::default() };
        let view = SurveyView {
            networks: 6,
            regions: ["fra", "iad", "sin"].map(region).into(),
            matrix: vec![row("DE"), row("")],
            ..SurveyView::default()
        };
        let wide = text(&view, 1, 100);
        for expected in [
            "country  networks  elsewhere        fra        iad        sin\n",
            "DE              3          2       20.0       8.5*    (130.0)\nand 1 more: --all\n",
            "fra                 0            0        0  5 m ago    -\n",
        ] {
            assert!(wide.contains(expected), "{wide}");
        }
        let narrow = text(&view, 9, 52);
        assert!(
            narrow.contains("iad\nDE ") && narrow.contains("\n\ncountry  networks  elsewhere        sin\n"),
            "{narrow}"
        );
        assert!(narrow.contains("?  ") && !narrow.contains("--all"), "{narrow}");
        assert!(text(&SurveyView::default(), 9, 80).contains("nothing is measured"));
    }
}
