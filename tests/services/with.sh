#!/usr/bin/env bash
# with.sh [--brokers] <command…>: starts private PostgreSQL and Kafka on free loopback ports (and with --brokers a Mosquitto, a
# RabbitMQ and an Artemis), runs the command with their addresses in its environment (TIDEGATE_TEST_…) and stops what was
# started, also after Ctrl-C or a failure. Ends with the command's exit code.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
source "$here/certs.sh"
source "$here/postgres.sh"
source "$here/kafka.sh"
source "$here/artemis.sh"
source "$here/brokers.sh"
brokers=
[ "${1:-}" != --brokers ] || { brokers=yes; shift; }
[ "$#" -gt 0 ] || fail "usage: with.sh [--brokers] <command…>"

# Processes that a test started itself and could not stop. A pid alone proves nothing (it may have been given to another
# program since), so the process must work below this run's folder.
stop_strays() {
  local file pid
  for file in "$run"/pids/*; do
    [ -f "$file" ] || continue
    pid=$(basename "$file")
    case $(readlink "/proc/$pid/cwd" 2>/dev/null || true) in "$run"/*) stop "$pid" KILL ;; esac
    rm -f "$file"
  done
}

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  stop_strays
  brokers_stop
  [ -z "${kafka_pid:-}" ] || stop "$kafka_pid" TERM
  postgres_stop
  exit "$code"
}

# Many clients at once need many files; a shell's usual 1024 are too few.
hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -gt 65536 ] && hard=65536
ulimit -Sn "$hard" 2>/dev/null || true

mkdir -p "$services"
exec 9>"$services/lock"
flock -n 9 || { say "Another run in this checkout has its services up; waiting for it"; flock 9; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

rm -rf "$run"
mkdir -p "$run/pids"
export TIDEGATE_TEST_KAFKA_HOME="$kafka_home"
kafka_fetch_jars
kafka_make_archive
export TIDEGATE_TEST_ARTEMIS_HOME="$artemis_home"
artemis_prepare

certs_make
say "Starting PostgreSQL and Kafka (private instances, data in target/services/run)"
postgres_start
kafka_start
export TIDEGATE_TEST_POSTGRES_URL="postgres://tidegate@127.0.0.1:$postgres_port/postgres"
export TIDEGATE_TEST_KAFKA="127.0.0.1:$kafka_port"
export TIDEGATE_TEST_KAFKA_PROXIED="$kafka_proxied:$kafka_advertised"
export TIDEGATE_TEST_RUN="$run"
say "PostgreSQL on port $postgres_port, Kafka on port $kafka_port"
if [ -n "$brokers" ]; then
  say "Starting Mosquitto, RabbitMQ and Artemis"
  brokers_start
  export TIDEGATE_TEST_MOSQUITTO="127.0.0.1:$mosquitto_port" TIDEGATE_TEST_RABBITMQ="$rabbitmq_user@127.0.0.1:$rabbitmq_port"
  export TIDEGATE_TEST_ARTEMIS_AMQP="$artemis_user@127.0.0.1:$artemis_amqp_port" TIDEGATE_TEST_ARTEMIS_MQTT="$artemis_user@127.0.0.1:$artemis_mqtt_port"
fi
"$@" 9>&-
