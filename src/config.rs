//! The process's own configuration: one optional TOML file, overridden by `TIDEGATE_*` variables, read once.
//!
//! Keys are flat and the same in both places: `database_url` in the file is `TIDEGATE_DATABASE_URL` in the
//! environment. Unlike API definitions, which are read leniently, an unknown key is refused: a misspelt setting must
//! not be silently ignored. Every violation is reported at once.

use gateway::endpoint::http_proxy::Upstream;
use gateway::limiter::StoreUrl;
use gateway::networks::CallbackNetworks;
use gateway::trust::TrustedProxies;
use management_api::seal::SealKey;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Prefix of the environment variables.
const PREFIX: &str = "TIDEGATE_";
/// Variables below this prefix belong to the test harness and are not settings.
const TEST_PREFIX: &str = "TIDEGATE_TEST_";

/// Every key, with what it means: the list that `--help` texts and error texts are made from.
const KEYS: &[(&str, &str)] = &[
    ("database_url", "postgres://user:password@host/name, or sqlite://path for one management node"),
    ("admin_password", "password of the first administrator `admin`, needed while the store has no user"),
    ("sync_token", "secret that gateways present to management, at least 16 characters"),
    (
        "seal_key",
        "32 random bytes in base64 that seal API keys in the store, the same on every management node; needed as \
         soon as there are API keys",
    ),
    ("rest_listen", "address of the management REST API, default 127.0.0.1:8083"),
    ("sync_listen", "address of the sync server for gateways, default 127.0.0.1:8084"),
    ("gateway_listen", "address of the gateway's data plane, default 127.0.0.1:8082"),
    (
        "node_listen",
        "address of health, readiness and metrics, default 127.0.0.1:18083 (management), :18082 (gateway, and the gateway of `dev`)",
    ),
    ("management", "comma-separated management sync addresses (http://host:8084) that a gateway connects to"),
    ("tags", "comma-separated sharding tags of a gateway; none: it serves every API"),
    ("api_key_header", "header that gateways look for API keys in, default X-Gravitee-Api-Key; empty: none"),
    ("api_key_parameter", "query parameter that gateways look for API keys in, default api-key; empty: none"),
    ("tenant", "tenant of a gateway: it uses endpoints for this tenant or for all; none: every endpoint"),
    (
        "trusted_proxies",
        "comma-separated addresses and blocks (10.0.0.0/8) of proxies whose X-Forwarded-For and -Proto a gateway believes",
    ),
    (
        "webhook_allowed_networks",
        "comma-separated addresses and blocks (10.0.0.0/8) that webhooks may call although they are not public; none: \
         public addresses only",
    ),
    (
        "rate_limit_redis_url",
        "redis://user:password@host:6379/0 where gateways count together what policies limit; none: each for itself",
    ),
    (
        "system_proxy",
        "proxy of endpoints with useSystemProxy: http://, socks4:// or socks5://[user:password@]host:port",
    ),
    ("node_id", "stable name of a gateway node; default: a new one at each start"),
    ("log", "log filter, default info"),
    ("log_format", "text or json, default text"),
];

/// Shortest accepted sync token, characters.
const SYNC_TOKEN_MIN_CHARS: usize = 16;

/// The raw settings and what is wrong with them so far.
#[derive(Debug)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
    violations: Vec<String>,
}

/// Log settings.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

impl Settings {
    /// Reads the file, when one is named, and the process environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(crate) fn read(file: Option<&Path>) -> Settings {
        let file =
            file.map(Path::to_path_buf).or_else(|| std::env::var_os("TIDEGATE_CONFIG").map(PathBuf::from));
        Settings::from_sources(
            file.as_deref(),
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    fn from_sources(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Settings {
        let mut settings = Settings { values: BTreeMap::new(), violations: Vec::new() };
        if let Some(file) = file {
            settings.read_file(file);
        }
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            if !name.starts_with(TEST_PREFIX) && name != "TIDEGATE_CONFIG" {
                settings.insert(&key.to_ascii_lowercase(), value, &name);
            }
        }
        settings
    }

    fn read_file(&mut self, file: &Path) {
        let source = config::File::from(file.to_path_buf()).format(config::FileFormat::Toml);
        let table = config::Config::builder()
            .add_source(source)
            .build()
            .and_then(|c| c.try_deserialize::<BTreeMap<String, config::Value>>());
        match table {
            Err(error) => self.violations.push(format!("{}: {error}", file.display())),
            Ok(table) => {
                for (key, value) in table {
                    let place = format!("`{key}` in {}", file.display());
                    // A list is written as a TOML array or as one comma-separated text.
                    let text = match value.clone().into_array() {
                        Ok(items) => items
                            .into_iter()
                            .map(config::Value::into_string)
                            .collect::<Result<Vec<_>, _>>()
                            .map(|v| v.join(",")),
                        Err(_) => value.into_string(),
                    };
                    match text {
                        Ok(text) => self.insert(&key, text, &place),
                        Err(_) => self
                            .violations
                            .push(format!("{place} must be a text, a number or a list of texts")),
                    }
                }
            }
        }
    }

    fn insert(&mut self, key: &str, value: String, place: &str) {
        if let Some(target) = key.strip_suffix("_file").filter(|target| is_key(target)) {
            match std::fs::read_to_string(&value) {
                Ok(text) => drop(self.values.insert(target.to_owned(), text.trim_end().to_owned())),
                Err(error) => {
                    self.violations.push(format!("{place}: cannot read the file it names: {error}"))
                }
            }
        } else if is_key(key) {
            self.values.insert(key.to_owned(), value);
        } else {
            let known = KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
            self.violations.push(format!(
                "{place} is not a setting; the settings are {known}, each also with the suffix _file"
            ));
        }
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A text that may be empty on purpose.
    pub(crate) fn named(&self, key: &str) -> Option<String> {
        self.values.get(key).cloned()
    }

    /// A comma-separated list, empty when absent.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A secret.
    pub(crate) fn secret(&self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    /// A text that must be there.
    pub(crate) fn required(&mut self, key: &str) -> String {
        let text = self.text(key).map(str::to_owned);
        text.unwrap_or_else(|| {
            let meaning = KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, meaning)| meaning);
            self.violations.push(format!("{PREFIX}{} is missing: {meaning}", key.to_ascii_uppercase()));
            String::new()
        })
    }

    /// The sync token, long enough not to be guessed.
    pub(crate) fn sync_token(&mut self) -> SecretString {
        let token = self.required("sync_token");
        if !token.is_empty() && token.chars().count() < SYNC_TOKEN_MIN_CHARS {
            self.violations.push(format!(
                "TIDEGATE_SYNC_TOKEN is too short: at least {SYNC_TOKEN_MIN_CHARS} characters"
            ));
        }
        SecretString::from(token)
    }

    /// The key that seals API keys, when there is one.
    pub(crate) fn seal_key(&mut self) -> Option<SealKey> {
        match self.text("seal_key").map(SealKey::parse)? {
            Ok(key) => Some(key),
            Err(reason) => {
                self.violations.push(format!("TIDEGATE_SEAL_KEY {reason}"));
                None
            }
        }
    }

    /// An address to listen on.
    pub(crate) fn address(&mut self, key: &str, default: &str) -> SocketAddr {
        let text = self.text(key).unwrap_or(default).to_owned();
        text.parse().unwrap_or_else(|_| {
            self.violations.push(format!(
                "{PREFIX}{}: `{text}` is not an address and port, like {default}",
                key.to_ascii_uppercase()
            ));
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// Where the store is.
    pub(crate) fn database_url(&mut self) -> String {
        let url = self.required("database_url");
        let known = ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.starts_with(scheme));
        if !url.is_empty() && !known {
            // The URL may hold a password, so it is not repeated.
            self.violations
                .push("TIDEGATE_DATABASE_URL begins with neither postgres:// nor sqlite://".to_owned());
        }
        url
    }

    /// The sync addresses of management.
    pub(crate) fn management(&mut self) -> Vec<String> {
        self.required("management");
        let addresses = self.list("management");
        for address in &addresses {
            let authority = address.strip_prefix("http://").unwrap_or_default().trim_end_matches('/');
            let port =
                authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
            if !port.is_some_and(|(host, port)| !host.is_empty() && port != 0) {
                self.violations
                    .push(format!("TIDEGATE_MANAGEMENT: `{address}` is not of the form http://host:8084"));
            }
        }
        addresses
    }

    /// Where gateways count together what policies limit.
    pub(crate) fn rate_limit_store(&mut self) -> Option<StoreUrl> {
        // The URL may hold a password, so it is not repeated.
        let store = self.text("rate_limit_redis_url")?.parse();
        store.map_err(|error| self.violations.push(format!("TIDEGATE_RATE_LIMIT_REDIS_URL: {error}"))).ok()
    }

    /// The proxy of a gateway node.
    pub(crate) fn system_proxy(&mut self) -> Option<Upstream> {
        // The URL may hold a password, so it is not repeated.
        let proxy = self.text("system_proxy")?.parse();
        proxy.map_err(|reason| self.violations.push(format!("TIDEGATE_SYSTEM_PROXY {reason}"))).ok()
    }

    /// Proxies in front of a gateway.
    pub(crate) fn trusted_proxies(&mut self) -> TrustedProxies {
        TrustedProxies::parse(&self.list("trusted_proxies")).unwrap_or_else(|error| {
            self.violations.push(format!("TIDEGATE_TRUSTED_PROXIES: {error}"));
            TrustedProxies::default()
        })
    }

    /// Networks that callbacks of webhooks may be in.
    pub(crate) fn callback_networks(&mut self) -> CallbackNetworks {
        CallbackNetworks::parse(&self.list("webhook_allowed_networks")).unwrap_or_else(|error| {
            self.violations.push(format!("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS: {error}"));
            CallbackNetworks::default()
        })
    }

    /// Log settings.
    pub(crate) fn log(&mut self) -> Log {
        if let Err(error) = self.text("log").unwrap_or("info").parse::<tracing_subscriber::EnvFilter>() {
            self.violations.push(format!("TIDEGATE_LOG cannot be read: {error}"));
        }
        let format = self.text("log_format").unwrap_or("text").to_owned();
        if !matches!(format.as_str(), "text" | "json") {
            self.violations.push(format!("TIDEGATE_LOG_FORMAT: `{format}` is neither text nor json"));
        }
        Log { filter: self.text("log").unwrap_or("info").to_owned(), json: format == "json" }
    }

    /// Fails with every violation found so far.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        if self.violations.is_empty() {
            return Ok(());
        }
        anyhow::bail!("the configuration cannot be used:\n  - {}", self.violations.join("\n  - "))
    }
}

fn is_key(key: &str) -> bool {
    KEYS.iter().any(|(name, _)| *name == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn settings(toml: &str, environment: &[(&str, &str)]) -> Settings {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        Settings::from_sources(
            Some(file.path()),
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = settings(
            "rest_listen = \"127.0.0.1:1\"\ntags = [\"a\", \"b\"]",
            &[("TIDEGATE_REST_LISTEN", "127.0.0.1:2"), ("PATH", "/")],
        );
        assert_eq!(settings.text("rest_listen"), Some("127.0.0.1:2"));
        assert_eq!(settings.list("tags"), ["a", "b"]);
        settings.check().unwrap();
    }

    #[test]
    fn every_violation_is_reported_at_once() {
        let mut settings = settings(
            "colour = 1",
            &[
                ("TIDEGATE_REST_LISTN", "x"),
                ("TIDEGATE_GATEWAY_LISTEN", "here"),
                ("TIDEGATE_SYNC_TOKEN", "short"),
                ("TIDEGATE_SEAL_KEY", "c2hvcnQ="),
                ("TIDEGATE_MANAGEMENT", "http://ok:1,garbage"),
                ("TIDEGATE_LOG", "a=b=c"),
                ("TIDEGATE_TRUSTED_PROXIES", "10.0.0.0/8,me"),
                ("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8,home"),
                ("TIDEGATE_RATE_LIMIT_REDIS_URL", "https://:hush@store"),
                ("TIDEGATE_SYSTEM_PROXY", "ftp://:hush@proxy"),
            ],
        );
        settings.required("database_url");
        settings.sync_token();
        settings.seal_key();
        settings.address("gateway_listen", "127.0.0.1:8082");
        settings.management();
        settings.log();
        settings.trusted_proxies();
        settings.callback_networks();
        settings.rate_limit_store();
        settings.system_proxy();
        let text = settings.check().unwrap_err().to_string();
        for part in [
            "`colour` in ",
            "TIDEGATE_REST_LISTN is not a setting",
            "TIDEGATE_DATABASE_URL is missing",
            "too short",
            "TIDEGATE_SEAL_KEY is not 32 bytes",
            "`here` is not an address",
            "`garbage` is not of the form http://host:8084",
            "TIDEGATE_LOG cannot be read",
            "TIDEGATE_SYSTEM_PROXY is not of the form",
            "TIDEGATE_TRUSTED_PROXIES: `me`: neither an address",
            "TIDEGATE_WEBHOOK_ALLOWED_NETWORKS: `home`: neither an address",
            "TIDEGATE_RATE_LIMIT_REDIS_URL: is not the address of a Redis server",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"a-token-of-sufficient-length\n").unwrap();
        let mut settings = settings("", &[("TIDEGATE_SYNC_TOKEN_FILE", file.path().to_str().unwrap())]);
        assert_eq!(settings.required("sync_token"), "a-token-of-sufficient-length");
        settings.check().unwrap();
    }
}
