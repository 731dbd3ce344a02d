#!/usr/bin/env bash
# `make bench`: gets what is missing, builds the product and the benchmark program in release mode, starts a private
# Kafka on free loopback ports, runs every measurement and stops what it started, also after Ctrl-C or a failure.
# Arguments are passed on instead of `all` (make bench ARGS="produce --rounds 7 --seconds 6"): `--kafka` is added to the
# commands that need it.
set -euo pipefail
services=$(dirname "${BASH_SOURCE[0]}")/../tests/services
source "$services/common.sh"
source "$services/kafka.sh"
cd "$root"
# Beside a test run of the same checkout, not instead of it: jars are shared, data and logs are not.
run="$root/target/services/bench"

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  [ -z "${kafka_pid:-}" ] || stop "$kafka_pid" TERM
  exit "$code"
}

# The broker shares a CPU with the load generator; the other one belongs to the contenders.
pin_kafka() {
  local cpus
  command -v taskset >/dev/null || return 0
  cpus=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
  case "$cpus" in
    *[,-]*) taskset -a -c -p "$(second_cpu "$cpus")" "$kafka_pid" >/dev/null ;;
  esac
}

# The second of a list like 0-3 or 0,2-5.
second_cpu() {
  tr ',' '\n' <<<"$1" | awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) if (++n == 2) { print cpu; exit } }'
}

"$services/packages.sh" test
mkdir -p "$root/target/services"
exec 9>"$root/target/services/lock"
flock -n 9 || { say "A test run of this checkout is going on, and would disturb the figures; waiting for it"; flock 9; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

rm -rf "$run"
mkdir -p "$run"
export TIDEGATE_TEST_KAFKA_HOME="$kafka_home"
kafka_fetch_jars
kafka_make_archive
say "Building the product and the benchmark program (release)"
cargo build --release --workspace 9>&-

say "Starting Kafka (a private instance, data in target/services/bench)"
kafka_start
pin_kafka
command=${1:-all}
[ $# -eq 0 ] || shift
case "$command" in
  start|deploy|help|-*) broker=() ;;
  *) broker=(--kafka "127.0.0.1:$kafka_port") ;;
esac
say "Kafka on port $kafka_port; measuring (close other programs: they cost figures)"
target/release/tidegate-bench "$command" ${broker[@]+"${broker[@]}"} "$@" 9>&-
