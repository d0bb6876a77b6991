//! The files of the demo, in a folder that goes with the process.

use std::fs;
use std::path::{Path, PathBuf};

use super::centers::CENTERS;
use super::{DemoError, DemoOptions};

const ZONE: &str = "\
$TTL 1h
@    SOA ns1 hostmaster 2026010101 2h 30m 14d 5m
@    NS  ns1
ns1  A   127.0.0.1
static  A     192.0.2.80
        HTTPS 1 . alpn=h2
docs    CNAME static
";

const REGIONS: &str = r#"[regions.fra]
label    = "Frankfurt"
location = { lat = 50.11, lon = 8.68 }
[regions.iad]
label    = "Ashburn"
location = { lat = 38.95, lon = -77.45 }
[regions.sin]
label    = "Singapore"
location = { lat = 1.35, lon = 103.99 }

[checks.web]
http     = { path = "/healthz", port = HTTP_PORT }
interval = "1s"
timeout  = "500ms"
retry    = "250ms"
fall     = 2
rise     = 3

[policies.near]
mode = "active-active"      # each client its nearest region
ramp = "20s"                # a region that comes back gets its clients little by little

[services.web]
names  = ["www.example.com"]
policy = "near"
check  = "web"
ttl    = { min = 1, max = 5 }

[services.api]
names  = ["api.example.com"]
policy = "failover"         # one region for everybody
order  = ["iad", "fra", "sin"]
check  = "web"
ttl    = { min = 1, max = 5 }
"#;

/// What is known of clients where there is no database: the networks of the guide.
const NETWORKS: &str = r#"[networks]
"88.198.0.0/16"  = { country = "DE", name = "a German network" }
"4.0.0.0/9"      = { country = "US", name = "an American network" }
"203.116.0.0/16" = { country = "SG", name = "a Singaporean network" }
"#;

/// The folder; it is removed with the value.
pub(super) struct Folder {
    path: PathBuf,
    knows_the_world: bool,
}

impl Folder {
    /// Writes everything.
    ///
    /// # Errors
    /// [`DemoError::Files`]
    pub(super) fn make(options: &DemoOptions) -> Result<Self, DemoError> {
        let path = std::env::temp_dir().join(format!("meridian-demo-{}", std::process::id()));
        let databases = has_databases(&options.geoip);
        let folder = Self { path: path.clone(), knows_the_world: databases };
        folder.write(options).map_err(|error| DemoError::Files { folder: path, error })?;
        Ok(folder)
    }

    fn write(&self, options: &DemoOptions) -> std::io::Result<()> {
        let zones = self.path.join("zones");
        fs::create_dir_all(&zones)?;
        fs::write(zones.join("example.com.zone"), ZONE)?;
        let mut regions = REGIONS.replace("HTTP_PORT", &options.http_port.to_string());
        for service in ["web", "api"] {
            regions.push_str(&format!("[services.{service}.endpoints]\n"));
            for (key, _, address) in CENTERS {
                regions.push_str(&format!("{key} = [\"{address}\"]\n"));
            }
        }
        fs::write(zones.join("regions.toml"), regions)?;
        let geoip = if self.knows_the_world {
            fs::canonicalize(&options.geoip)?
        } else {
            let own = self.path.join("geoip");
            fs::create_dir_all(&own)?;
            fs::write(own.join("networks.toml"), NETWORKS)?;
            own
        };
        let config = format!(
            "[dns]\nlisten = [\"{}\"]\n[admin]\nlisten = \"{}\"\n[log]\nlevel = \"error\"\n[geoip]\nfolder = {:?}\n",
            options.dns,
            options.admin,
            geoip.to_string_lossy()
        );
        fs::write(self.config(), config)
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.path.join("meridian.toml")
    }

    /// If there are location databases.
    pub(super) const fn knows_the_world(&self) -> bool {
        self.knows_the_world
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a folder for temporary files is no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn has_databases(folder: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "mmdb")))
}
