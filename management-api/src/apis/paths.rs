//! Context paths: two APIs of an environment never share one, not even partly.

use super::{ApiRecord, store};
use crate::db::Tx;
use crate::environments;
use crate::error::{ApiError, Result};
use crate::scope::Scope;
use definition::api::{Api, Path};
use definition::violation::Violation;
use std::collections::HashMap;

const CODE: &str = "api.listener.paths.path.exists";
const PARAMETER: &str = "api.listeners['http'].paths[].path.exists";

/// Saves the paths of an API, or refuses them. Paths with a host are compared with paths of the same host, paths
/// without one with paths without one; stopped APIs count.
pub(super) async fn save(tx: &mut Tx, scope: &Scope, api: &ApiRecord) -> Result<()> {
    let paths = distinct(&api.definition)?;
    environments::store::lock(tx, scope).await?;
    for (place, path) in &paths {
        if store::find_overlapping_path(tx, scope, api.id, path).await?.is_some() {
            return Err(taken(place, path));
        }
    }
    let paths: Vec<&Path> = paths.into_iter().map(|(_, path)| path).collect();
    store::replace_paths(tx, scope, api.id, &paths).await?;
    Ok(())
}

/// The paths with their places in the document; a path that stands there twice is refused.
fn distinct(api: &Api) -> Result<Vec<(String, &Path)>> {
    let mut seen = HashMap::new();
    let mut found = Vec::new();
    for (l, listener) in api.listeners.iter().enumerate() {
        for (p, path) in listener.paths.iter().enumerate() {
            let place = format!("listeners[{l}].paths[{p}].path");
            if let Some(first) = seen.insert((&path.host, &path.path), place.clone()) {
                let message =
                    format!("path [{}] stands at `{first}` already; remove one of the two", path.path);
                return Err(Violation::new(place, CODE, message)
                    .parameter(PARAMETER, path.path.as_str())
                    .into());
            }
            found.push((place, path));
        }
    }
    Ok(found)
}

fn taken(place: &str, path: &Path) -> ApiError {
    let message = format!("The path [{}] is already covered by an other API.", path.path);
    let violation = Violation::new(place, CODE, message);
    violation.parameter(PARAMETER, path.path.as_str()).value(path.path.as_str()).into()
}
