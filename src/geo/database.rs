//! A database in the MaxMind format → ranges of locations and ranges of autonomous systems.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};

use super::layer::Layer;
use super::locations::{Collector, NOWHERE};
use super::prefix::Network;
use super::record::Record;

/// A database file as it was read.
#[derive(Clone, Debug)]
pub struct DatabaseFile {
    /// The file as the operator names it.
    pub path: Arc<str>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl DatabaseFile {
    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit(['/', '\\']).next().unwrap_or(&self.path)
    }
}

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Its file's name, without folders.
    pub file: String,
    /// The type its maker gave it, e.g. `GeoLite2-City`.
    pub database_type: String,
    /// When it was made, in seconds since 1970.
    pub build_epoch: u64,
    /// Prefixes with data, IPv4 and IPv6 together.
    pub prefixes: usize,
}

/// What one database knows.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) info: DatabaseInfo,
    /// Indices into [`super::locations::Locations`].
    pub(super) locations: Layer,
    /// Numbers of autonomous systems; 0 where none is known.
    pub(super) asns: Layer,
}

impl Database {
    /// Reads a database; its locations are added to `locations`. The error says why it is damaged.
    pub(super) fn read(file: &DatabaseFile, locations: &mut Collector) -> Result<Self, String> {
        let reader = Reader::from_source(file.bytes.as_slice()).map_err(|error| error.to_string())?;
        verify(&reader).map_err(|error| error.to_string())?;
        let (mut places, mut asns) = (Layer::all(NOWHERE), Layer::all(0));
        let mut known: HashMap<usize, (u32, u32)> = HashMap::new();
        let mut prefixes = 0;
        for leaf in walk(&reader).map_err(|error| error.to_string())? {
            let Leaf { offset, network, record } = leaf.map_err(|error| error.to_string())?;
            let (location, asn) = match known.get(&offset) {
                Some(&values) => values,
                None => {
                    let record = decode(&record).map_err(|error| error.to_string())?;
                    let values = (locations.index(&record), record.asn.unwrap_or(0));
                    known.insert(offset, values);
                    values
                }
            };
            prefixes += 1;
            places.push(network, location);
            asns.push(network, asn);
        }
        let metadata = reader.metadata();
        let info = DatabaseInfo {
            file: file.name().to_owned(),
            database_type: metadata.database_type.clone(),
            build_epoch: metadata.build_epoch,
            prefixes,
        };
        Ok(Self { info, locations: places, asns })
    }
}

type Source<'b> = Reader<&'b [u8]>;

/// A prefix with data.
struct Leaf<'r, 'b> {
    /// Where its record is; equal for equal records.
    offset: usize,
    network: Network,
    record: LookupResult<'r, &'b [u8]>,
}

/// A record; an empty one if it is whole but has no shape that means anything here.
fn decode<'r>(record: &LookupResult<'r, &[u8]>) -> Result<Record<'r>, MaxMindDbError> {
    match record.decode() {
        Ok(record) => Ok(record.unwrap_or_default()),
        Err(MaxMindDbError::Decoding { .. }) => Ok(Record::default()),
        Err(error) => Err(error),
    }
}

/// The library's own check of the whole file, which also bounds every later walk. It insists on words of description
/// that say nothing about the data; files made by hand often lack them.
fn verify(reader: &Source<'_>) -> Result<(), MaxMindDbError> {
    match reader.verify() {
        Err(MaxMindDbError::InvalidDatabase { message, .. })
            if message.starts_with("description - ") || message.starts_with("database_type - ") =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Every prefix with data, in the order of addresses; an error is the last one.
fn walk<'r, 'b>(
    reader: &'r Source<'b>,
) -> Result<impl Iterator<Item = Result<Leaf<'r, 'b>, MaxMindDbError>>, MaxMindDbError> {
    // Prefixes without data are counted too: a tree whose nodes are shared could be walked for ages without an end.
    let most = (reader.metadata().node_count as usize).saturating_mul(3).saturating_add(2);
    // Trees lead to IPv4 on several ways, which the library knows by their common node. Where all of IPv4 is one leaf it
    // would take every leaf with the same record for such a way; then there are none.
    let has_ways_to_v4 = reader.lookup(Ipv4Addr::UNSPECIFIED.into())?.network()?.is_ipv4();
    let options = WithinOptions::default().include_networks_without_data();
    let networks = reader.networks(if has_ways_to_v4 { options } else { options.include_aliased_networks() })?;
    let leaves = networks.enumerate().map(move |(count, record)| {
        if count > most {
            return Err(MaxMindDbError::invalid_database("the search tree has more leaves than nodes"));
        }
        let record = record?;
        let Some(offset) = record.offset() else { return Ok(None) };
        let network = record.network()?;
        let network = Network { address: network.ip(), length: network.prefix() };
        Ok(Some(Leaf { offset, network, record }))
    });
    let mut failed = false;
    let until_error = leaves.take_while(move |leaf| !std::mem::replace(&mut failed, leaf.is_err()));
    Ok(until_error.filter_map(Result::transpose))
}

/// What a database calls itself, and what `look` makes of its first records; `None` if it cannot be read.
pub(super) fn sample<T>(bytes: &[u8], look: impl FnOnce(&str, &mut dyn Iterator<Item = Record<'_>>) -> T) -> Option<T> {
    let reader = Reader::from_source(bytes).ok()?;
    let leaves = walk(&reader).ok()?;
    let mut records = leaves.filter_map(|leaf| decode(&leaf.ok()?.record).ok());
    Some(look(&reader.metadata().database_type, &mut records))
}
