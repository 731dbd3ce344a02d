# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. Names the folders once and says things in plain words.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
services="$root/target/services"     # everything the tests fetch or make; `rm -rf target` removes all of it
kafka_home="$services/kafka"         # lib/ (jars) and kafka.jsa (class data archive)
run="$services/run"                  # data, logs and pids of the instances of one run
ready_limit_s=60                     # a loaded machine once took 13 s; beyond this something is wrong

say()  { printf '==> %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# A free loopback port below the range that outgoing connections use, so that none of them can take it
# between this look and the service's bind. The caller retries when another program was faster.
free_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# await <what> <pid> <log> <command…>: waits until the command succeeds. Returns 1 when the process ended first or
# the time is over; the caller decides whether that is fatal.
await() {
  local what=$1 pid=$2 log=$3 deadline=$((SECONDS + ready_limit_s))
  shift 3
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || return 1
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "$what did not answer within $ready_limit_s s; the end of $log:" >&2
      tail -n 30 "$log" >&2
      return 1
    fi
    sleep 0.05
  done
}

# stop <pid> <signal>: asks, waits up to 10 s, then kills. Silent when the process is gone already.
stop() {
  local pid=$1 signal=$2 deadline=$((SECONDS + 10))
  kill "-$signal" "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null
    sleep 0.02
  done
  wait "$pid" 2>/dev/null || true
}
