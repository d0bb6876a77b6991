//! Zones against a model that is slow and obviously right: a sorted map of names.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Record = (Name, RecordType, u32, Vec<u8>);
/// What a zone is, without how it is stored.
type Contents = BTreeMap<(Name, RecordType), (u32, BTreeSet<Vec<u8>>)>;

const KEY: HashKey = HashKey::new(11, 12);

fn apex() -> Name {
    "example.".parse().unwrap()
}

/// Names from few labels, so that parents, cuts, wildcards and empty names meet.
fn any_name() -> impl Strategy<Value = Name> {
    proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("*"), Just("C")], 0..4)
        .prop_map(|labels| labels.iter().fold(apex(), |name, label| name.prepend(label.as_bytes()).unwrap()))
}

fn any_record() -> impl Strategy<Value = Record> {
    let rtype = prop_oneof![
        6 => Just(RecordType::A),
        2 => Just(RecordType::TXT),
        1 => Just(RecordType::NS),
        1 => Just(RecordType::DNAME),
        1 => Just(RecordType::NSEC),
    ];
    (any_name(), rtype, prop_oneof![Just(60_u32), Just(300)], proptest::collection::vec(0_u8..3, 0..3))
}

fn any_zone() -> impl Strategy<Value = Vec<Record>> {
    (proptest::collection::vec(any_record(), 0..24), any::<bool>()).prop_map(|(mut records, signed)| {
        records.push((apex(), RecordType::SOA, 300, vec![0; 22]));
        if signed {
            records.push((apex(), RecordType::NSEC, 300, vec![9]));
        } else {
            records.retain(|(_, rtype, ..)| *rtype != RecordType::NSEC);
        }
        records
    })
}

fn build(records: &[Record]) -> Zone {
    let mut builder = Builder::new(KEY, &apex(), records.len());
    for (owner, rtype, ttl, rdata) in records {
        builder.push(owner.as_wire(), *rtype, *ttl, rdata).unwrap();
    }
    builder.finish().unwrap().0
}

fn contents(zone: &Zone) -> Contents {
    let mut all = Contents::new();
    for node in zone.nodes() {
        let owner = Name::from_wire(&zone.owner(node)).unwrap();
        for set in node.sets() {
            let previous =
                all.insert((owner.clone(), set.rtype), (set.ttl, set.rdatas().map(<[u8]>::to_vec).collect()));
            assert!(previous.is_none(), "one node per name, one RRset per type");
        }
    }
    all
}

fn expected(records: &[Record]) -> Contents {
    let mut all = Contents::new();
    for (owner, rtype, ttl, rdata) in records {
        let set = all.entry((owner.clone(), *rtype)).or_insert((*ttl, BTreeSet::new()));
        set.0 = set.0.min(*ttl);
        set.1.insert(rdata.clone());
    }
    all
}

/// Everything about nodes that is not records: which exist, and which are cut, DNAME or occluded.
fn shape(zone: &Zone) -> BTreeMap<Name, u8> {
    let structural = !Flags::CHILDREN.0;
    zone.nodes().map(|node| (Name::from_wire(&zone.owner(node)).unwrap(), node.flags().0 & structural)).collect()
}

fn expected_shape(contents: &Contents) -> BTreeMap<Name, u8> {
    let mut shape = BTreeMap::new();
    for (owner, _) in contents.keys() {
        let mut name = owner.clone();
        shape.insert(name.clone(), 0);
        while name != apex() {
            name = name.parent().unwrap();
            shape.insert(name.clone(), 0);
        }
    }
    let covers = |name: &Name, rtype: RecordType| {
        contents.contains_key(&(name.clone(), rtype)) && (rtype == RecordType::DNAME || *name != apex())
    };
    let names: Vec<Name> = shape.keys().cloned().collect();
    for name in names {
        let mut flags = Flags::default();
        if covers(&name, RecordType::NS) {
            flags = flags.with(Flags::CUT);
        }
        if covers(&name, RecordType::DNAME) {
            flags = flags.with(Flags::DNAME);
        }
        let mut above = name.clone();
        while above != apex() {
            above = above.parent().unwrap();
            if covers(&above, RecordType::NS) || covers(&above, RecordType::DNAME) {
                flags = flags.with(Flags::OCCLUDED);
            }
        }
        shape.insert(name, flags.0);
    }
    shape
}

fn folded(name: &Name) -> FoldedName {
    let mut folded = FoldedName::new();
    folded.fill(KEY, name.as_wire()).unwrap();
    folded
}

/// RFC 1034 §4.3.2 and RFC 4592 §3.3.1 over the shape, word by word.
fn expected_find(shape: &BTreeMap<Name, u8>, name: &Name) -> String {
    let flags = |name: &Name| shape.get(name).map(|&bits| Flags(bits));
    let mut path = vec![name.clone()];
    while path.last() != Some(&apex()) {
        let parent = path.last().unwrap().parent().unwrap();
        path.push(parent);
    }
    for above in path.iter().skip(1).rev() {
        let Some(bits) = flags(above) else { continue };
        if bits.has(Flags::CUT) {
            return format!("cut {above:?}");
        }
        if bits.has(Flags::DNAME) {
            return format!("dname {above:?}");
        }
    }
    if flags(name).is_some() {
        return format!("node {name:?}");
    }
    let encloser = path.iter().find(|above| flags(above).is_some()).unwrap();
    let wildcard = encloser.prepend(b"*").unwrap();
    if flags(&wildcard).is_some() { format!("wildcard {wildcard:?}") } else { format!("nothing below {encloser:?}") }
}

fn shown(zone: &Zone, name: &Name, found: Found<'_>) -> String {
    let owner = |node: Node<'_>| Name::from_wire(&zone.owner(node)).unwrap().to_lowercase();
    match found {
        Found::Node(node) => format!("node {:?}", owner(node)),
        Found::Wildcard(node, _) => format!("wildcard {:?}", owner(node)),
        Found::Cut(node, _) => format!("cut {:?}", owner(node)),
        Found::Dname(node, _) => format!("dname {:?}", owner(node)),
        Found::Nothing(labels) => {
            let encloser = Name::from_wire(folded(name).suffix(labels)).unwrap();
            format!("nothing below {encloser:?}")
        }
    }
}

fn check_zone(zone: &Zone, wanted: &Contents, asked: &[Name]) {
    assert_eq!(&contents(zone), wanted);
    assert_eq!(zone.record_count(), wanted.values().map(|(_, rdatas)| rdatas.len()).sum::<usize>());
    let wanted_shape = expected_shape(wanted);
    assert_eq!(shape(zone), wanted_shape);
    for name in asked.iter().chain(wanted_shape.keys()) {
        assert_eq!(
            shown(zone, name, zone.find(&folded(name))),
            expected_find(&wanted_shape, name).to_lowercase(),
            "{name}"
        );
    }
    let order: Option<Vec<Vec<u8>>> = zone.order().map(|order| order.iter().map(<[u8]>::to_vec).collect());
    let wanted_order = wanted.contains_key(&(apex(), RecordType::NSEC)).then(|| {
        let mut names: Vec<&Name> =
            wanted.keys().filter(|(_, rtype)| *rtype == RecordType::NSEC).map(|(name, _)| name).collect();
        names.sort();
        let relative = |name: &Name| name.as_wire()[..name.as_wire().len() - apex().as_wire().len()].to_vec();
        names.into_iter().map(|name| order::canonical_key(&relative(name)).to_vec()).collect()
    });
    assert_eq!(order, wanted_order);
}

proptest! {
    #[test]
    fn a_built_zone_is_its_records(records in any_zone(), asked in proptest::collection::vec(any_name(), 0..8)) {
        check_zone(&build(&records), &expected(&records), &asked);
    }

    #[test]
    fn applying_the_difference_gives_the_other_zone(a in any_zone(), b in any_zone(), asked in proptest::collection::vec(any_name(), 0..8)) {
        let (old, new) = (build(&a), build(&b));
        let diff = Diff::between(&old, &new);
        let applied = old.apply(&diff).unwrap();
        check_zone(&applied, &expected(&b), &asked);
        prop_assert!(Diff::between(&applied, &new).is_empty());
        // And back: what a chain of changes leaves behind must not matter.
        check_zone(&applied.apply(&Diff::between(&applied, &old)).unwrap(), &expected(&a), &asked);
    }
}

#[test]
fn a_zone_grows_over_many_shards_and_shrinks_again() {
    let records: Vec<Record> = (0..9_000)
        .map(|n| (apex().prepend(format!("h{n}").as_bytes()).unwrap(), RecordType::A, 60, vec![1, 2, 3, 4]))
        .chain([(apex(), RecordType::SOA, 60, vec![0; 22])])
        .collect();
    let small = build(&records[8_990..]);
    let large = build(&records);
    assert!(large.shards().len() > small.shards().len());
    let grown = small.apply(&Diff::between(&small, &large)).unwrap();
    assert_eq!(grown.shards().len(), large.shards().len());
    check_zone(&grown, &expected(&records), &[]);
    let shrunk = grown.apply(&Diff::between(&grown, &small)).unwrap();
    check_zone(&shrunk, &expected(&records[8_990..]), &[]);
}

#[test]
fn a_change_copies_only_the_shard_it_touches() {
    let records: Vec<Record> = (0..9_000)
        .map(|n| (apex().prepend(format!("h{n}").as_bytes()).unwrap(), RecordType::A, 60, vec![1, 2, 3, 4]))
        .chain([(apex(), RecordType::SOA, 60, vec![0; 22])])
        .collect();
    let zone = build(&records);
    let mut diff = Diff::new();
    let data = RrsetData::new(60, [&[9_u8, 9, 9, 9][..]]);
    diff.push(Change { owner: records[0].0.as_wire().into(), rtype: RecordType::A, set: Some(data) });
    let next = zone.apply(&diff).unwrap();
    let copied = next.shards().iter().zip(zone.shards()).filter(|(a, b)| !a.is(b)).count();
    assert_eq!(copied, 1);
}

#[test]
fn the_longest_apex_wins() {
    let zone = |text: &str| {
        let apex: Name = text.parse().unwrap();
        let mut builder = Builder::new(KEY, &apex, 1);
        builder.push(apex.as_wire(), RecordType::SOA, 60, &[0; 22]).unwrap();
        Served::Zone(Arc::new(builder.finish().unwrap().0))
    };
    let set = ZoneSet::of(
        KEY,
        [zone("."), zone("example."), zone("a.b.example."), Served::Failed("broken.example.".parse().unwrap())],
    );
    let found = |name: &str| {
        let name = folded(&name.parse().unwrap());
        set.find(&name, name.labels()).map(|served| served.apex().to_string())
    };
    for (name, apex) in [
        ("www.example.", "example."),
        ("A.B.Example.", "a.b.example."),
        ("b.example.", "example."),
        ("org.", "."),
        ("x.broken.example.", "broken.example."),
    ] {
        assert_eq!(found(name).as_deref(), Some(apex), "{name}");
    }
    let root: Name = ".".parse().unwrap();
    let fewer = ZoneSet::of(KEY, set.iter().filter(|served| *served.apex() != root).cloned());
    let org = folded(&"org.".parse().unwrap());
    assert!(fewer.find(&org, 1).is_none());
    assert_eq!(fewer.len(), 3);
}
