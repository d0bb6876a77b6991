//! What a good file becomes. Bad files: `tests/config_diagnostics.rs`; defaults: `tests/config_reference.rs`.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::dns::name::Name;

fn read(path: &str, text: &str) -> Config {
    let mut report = Report::new();
    let config = Config::read(path, text, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    config.unwrap()
}

#[test]
fn every_key_is_taken_over() {
    let text = r#"
        [dns]
        listen = ["192.0.2.1:53", "[2001:db8::1]:5353"]
        zones = "/var/lib/zones"
        origins = { "root.zone" = ".", "x" = "Example.COM" }
        threads = 0x10
        udp_payload = 1_400
        nsid = "fra-1"
        version = "none of your business"
        id = "fra"
        tcp = { connections = 20, per_client = 20, idle = "1m30s", read = "100ms" }
        [log]
        format = "json"
        level = "debug"
        [geoip]
        folder = "geo"
        databases = ["city.mmdb", "/opt/country.mmdb"]
        [admin]
        listen = "[::]:80"
        token_file = "../token"
        tls = { certificate = "a.crt", key = "/run/a.key" }
        [[admin.webhooks]]
        url = "https://hooks.example.com/x/"
        kinds = ["region_lost"]
        secret_file = "hook.secret"
        [state]
        folder = "s"
        max_age = "0s"
        [start]
        wait = "1s"
        strict = true
        [guard]
        window = "20s"
        hold = "0s"
        reference = ["tcp://192.0.2.53:53", "tcp://[2001:db8::53]:853"]
        [plan]
        peers = 3
        max_step = 20
        max_move = 15
        [latency]
        every = "5s"
        networks = 5000
        half_life = "30m"
        retention = "2d"
        margin = "8ms"
        margin_percent = 15
        max_detour = "80ms"
        max_move = 5
        probes_for = ["192.0.2.0/24", "2001:db8:1::/48"]
        [latency.vantage]
        region = "fra"
        methods = ["dns", "tcp"]
        per_second = 3
        per_network = "1h"
        allow = ["192.0.0.0/8"]
        deny = ["2001:db8::/32"]
        [cluster]
        etcd = ["https://192.0.2.7:2379/"]
        node = "fra-1"
        site = "fra"
    "#;
    let address = |text: &str| text.parse().unwrap();
    let expected = Config {
        dns: Dns {
            listen: vec![address("192.0.2.1:53"), address("[2001:db8::1]:5353")],
            zones: "/var/lib/zones".into(),
            origins: [("root.zone".into(), Name::root()), ("x".into(), Name::parse(b"example.com.", None).unwrap())]
                .into(),
            threads: 16,
            udp_payload: 1_400,
            nsid: Some("fra-1".into()),
            version: Some("none of your business".into()),
            id: Some("fra".into()),
            tcp: Tcp {
                connections: 20,
                per_client: 20,
                idle: Duration::from_secs(90),
                read: Duration::from_millis(100),
            },
        },
        log: Log { format: LogFormat::Json, level: LogLevel::Debug },
        geoip: GeoIp {
            folder: "/etc/meridian/geo".into(),
            databases: vec!["/etc/meridian/geo/city.mmdb".into(), "/opt/country.mmdb".into()],
        },
        admin: Admin {
            listen: address("[::]:80"),
            token_file: "/etc/meridian/../token".into(),
            tls: Some(TlsFiles { certificate: "/etc/meridian/a.crt".into(), key: "/run/a.key".into() }),
            webhooks: vec![Webhook {
                url: "https://hooks.example.com/x/".into(),
                kinds: vec!["region_lost".into()],
                secret_file: "/etc/meridian/hook.secret".into(),
            }],
        },
        state: State { folder: "/etc/meridian/s".into(), max_age: Duration::ZERO },
        start: Start { wait: Duration::from_secs(1), strict: true },
        guard: Guard {
            window: Duration::from_secs(20),
            hold: Duration::ZERO,
            reference: vec![Target::Tcp(address("192.0.2.53:53")), Target::Tcp(address("[2001:db8::53]:853"))],
        },
        plan: Plan { peers: 3, max_step: 20, max_move: 15 },
        latency: Latency {
            every: Duration::from_secs(5),
            networks: 5_000,
            half_life: Duration::from_secs(1_800),
            retention: Duration::from_secs(2 * 86_400),
            margin: Duration::from_millis(8),
            margin_percent: 15,
            max_detour: Duration::from_millis(80),
            max_move: 5,
            probes_for: vec![
                ("192.0.2.0".parse().expect("an address"), 24),
                ("2001:db8:1::".parse().expect("an address"), 48),
            ],
            vantage: Some(Vantage {
                region: "fra".into(),
                methods: vec![Method::Dns, Method::Tcp],
                per_second: 3,
                per_network: Duration::from_secs(3_600),
                allow: vec![("192.0.0.0".parse().expect("an address"), 8)],
                deny: vec![("2001:db8::".parse().expect("an address"), 32)],
            }),
        },
        cluster: Some(Cluster {
            etcd: vec!["https://192.0.2.7:2379".into()],
            node: "fra-1".into(),
            site: "fra".into(),
        }),
    };
    assert_eq!(read("/etc/meridian/meridian.toml", text), expected);
}

#[test]
fn paths_count_from_the_file() {
    for (path, zones) in [
        ("meridian.toml", "zones"),
        ("etc/m.toml", "etc/zones"),
        ("/etc/m.toml", "/etc/zones"),
        ("../m.toml", "../zones"),
    ] {
        assert_eq!(read(path, "").dns.zones, PathBuf::from(zones), "{path}");
    }
}

#[test]
fn port_zero_may_be_asked_for_twice() {
    let config = read("f", "[dns]\nlisten = ['127.0.0.1:0', '127.0.0.1:0']\n[admin]\nlisten = '127.0.0.1:0'");
    assert_eq!(config.dns.listen.len(), 2);
}

proptest! {
    /// Words that matter in any order: read or refused with a reason, and never a panic.
    #[test]
    fn any_text_is_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "[dns]", "[dns.tcp]", "[admin]", "[cluster]", "[[log]]", "\n", "listen", "connections", "per_client", "etcd",
                "node", "origins", "wait", ".", "=", "[", "]", "{", "}", ",", "\"", "'", "5", "0x", "-", "\"127.0.0.1:8053\"",
                "\"::1\"", "\"x\"", "\"10s\"", "#", "true", "é", "\"\"\"", "\\",
            ]),
            0..24,
        ),
    ) {
        let text = words.join(" ");
        let mut report = Report::new();
        let config = Config::read("f", &text, &mut report);
        prop_assert_eq!(config.is_none(), report.has_errors());
        prop_assert!(report.iter().all(|finding| finding.at.is_some()));
        let _ = report.render();
    }
}
