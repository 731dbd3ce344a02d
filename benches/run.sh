#!/usr/bin/env bash
# `make bench`: gets what is missing, builds the product and the benchmark program in release mode, and runs every
# measurement against private brokers, which are stopped afterwards.
# Arguments take the place of `all`, for example: make bench ARGS="produce --rounds 7 --seconds 6".
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
services="$here/../tests/services"
cd "$here/.."

# The second of a list of CPUs like 0-3 or 0,2-5; nothing when there is only one.
second_cpu() {
  tr ',' '\n' <<<"$1" | awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) if (++n == 2) { print cpu; exit } }'
}

# Runs inside with.sh, which has put Kafka's address into the environment.
if [ "${1:-}" = --measure ]; then
  shift
  command=$1
  shift
  case "$command" in
    start|deploy|proxy|expressions|help|-*) broker=() ;;
    brokers)
      broker=(--kafka "$TIDEGATE_TEST_KAFKA" --mqtt "$TIDEGATE_TEST_MOSQUITTO" --rabbitmq "$TIDEGATE_TEST_RABBITMQ"
        --amqp "$TIDEGATE_TEST_ARTEMIS_AMQP")
      ;;
    *) broker=(--kafka "$TIDEGATE_TEST_KAFKA") ;;
  esac
  exec target/release/tidegate-bench "$command" ${broker[@]+"${broker[@]}"} "$@"
fi

"$services/packages.sh" bench
printf '==> Building the product and the benchmark program (release; the first build takes about ten minutes)\n'
cargo build --release --workspace
[ "$#" -gt 0 ] || set -- all
with=()
[ "$1" != brokers ] || with=(--brokers)

# The broker shares a CPU with the load generator, so that the other one is left to the contenders. The benchmark program
# gets both back and places everything else itself.
all=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
second=$(second_cpu "$all")
if [ -n "$second" ] && command -v taskset >/dev/null; then
  exec taskset -c "$second" "$services/with.sh" ${with[@]+"${with[@]}"} taskset -c "$all" "$here/run.sh" --measure "$@"
fi
exec "$services/with.sh" ${with[@]+"${with[@]}"} "$here/run.sh" --measure "$@"
