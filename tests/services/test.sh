#!/usr/bin/env bash
# `make test`: installs what is missing, builds, and runs every test of the workspace against private PostgreSQL and Kafka;
# the tests start Redis servers of their own.
# Arguments are passed on to `cargo test` (make test ARGS="--test it kafka").
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$root"

"$here/packages.sh" test
say "Building the product and its tests"
cargo test --workspace --no-run "$@"
exec "$here/with.sh" cargo test --workspace "$@"
