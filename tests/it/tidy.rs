//! The rules of ARCHITECTURE.md that only the source text can break: who may depend on what, where SQL stands, how long a
//! file may grow, and that no test waits by sleeping or is switched off.

use std::path::{Path, PathBuf};

/// Longest source file, lines.
const FILE_MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of the project with its path from the root; generated and fetched ones live in `target`.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the checkout can be read") {
            let path = entry.expect("the checkout can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                found.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 50, "only {} sources were found", found.len());
    found
}

/// The names in a manifest's `[dependencies]`.
fn dependencies(package: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(package).join("Cargo.toml"))
        .expect("every package has a manifest");
    let lines = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names =
        lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

fn refuse(package: &str, forbidden: &[&str]) {
    let there = dependencies(package);
    assert!(!there.is_empty(), "{package} has no dependencies: is the manifest read right?");
    let broken: Vec<_> = there.iter().filter(|name| forbidden.contains(&name.as_str())).collect();
    assert!(broken.is_empty(), "{package} must not depend on {broken:?}");
}

#[test]
fn definition_can_neither_wait_nor_touch_the_world() {
    refuse(
        "definition",
        &[
            "tokio",
            "futures",
            "async-trait",
            "tower",
            "hyper",
            "axum",
            "tonic",
            "reqwest",
            "sqlx",
            "rdkafka",
            "tracing",
            "metrics",
            "chrono",
            "rand",
            "gateway",
            "management-api",
            "proto",
        ],
    );
}

#[test]
fn the_planes_stay_apart() {
    refuse("gateway", &["sqlx", "management-api"]);
    refuse("management-api", &["rdkafka", "gateway"]);
    refuse("proto", &["definition", "gateway", "management-api"]);
}

#[test]
fn sql_stands_in_store_files_only() {
    let allowed = |path: &Path| path.ends_with("store.rs") || path.ends_with("db.rs");
    // The harness makes databases for others, and this file holds the words that are looked for.
    let product = |path: &Path| !path.starts_with("tests");
    let broken: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| product(path) && !allowed(path) && text.contains("sqlx::query"))
        .map(|(path, _)| path)
        .collect();
    assert!(broken.is_empty(), "SQL outside of store.rs: {broken:?}");
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, n)| *n > FILE_MAX_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {FILE_MAX_LINES} lines: {long:?}");
}

#[test]
fn tests_wait_for_conditions_and_none_is_switched_off() {
    let own = Path::new("tests/it/tidy.rs");
    for (path, text) in sources() {
        if path == own {
            continue;
        }
        assert!(!text.contains("#[ignore"), "{} switches a test off", path.display());
        let harness_may = path.ends_with("tests/it/harness/wait.rs");
        if path.starts_with("tests") && !harness_may {
            assert!(!text.contains("sleep("), "{} sleeps: wait for a condition with a limit", path.display());
        }
    }
}

#[test]
fn the_readme_names_every_policy() {
    let readme = std::fs::read_to_string("README.md").expect("the README");
    let table = readme.split("| purpose | policies |").nth(1).expect("the table of policies");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    named.sort_unstable();
    let run: Vec<&str> = definition::policy::POLICIES.iter().map(|policy| policy.id).collect();
    assert_eq!(named, run);
}
