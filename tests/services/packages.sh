#!/usr/bin/env bash
# Checks what a build (`build`), a test run (`test`) or a benchmark (`bench`) needs and installs what is missing on Debian when run as root.
# Nothing is installed when nothing is missing. No service of the system is started, enabled or left behind: the tests
# run private instances of their own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

missing=()      # Debian package names
reasons=()      # the same in words, for people on other systems
need() {        # need <package> <what it is for> <command that succeeds when it is there>
  local package=$1 reason=$2
  shift 2
  "$@" >/dev/null 2>&1 || { missing+=("$package"); reasons+=("$package: $reason"); }
}

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' || command -v postgres; }
has_mosquitto() { command -v mosquitto || test -x /usr/sbin/mosquitto; }
has_util_linux() { command -v setpriv && command -v flock; }
has_java() {
  local version
  version=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ]
}

check_build() {
  need gcc        "C compiler for the bundled C libraries"     command -v gcc
  need g++        "C++ compiler for the Kafka client library"  command -v g++
  need make       "builds the Kafka client library"            command -v make
  need pkg-config "finds the system's OpenSSL"                 command -v pkg-config
  need libssl-dev "OpenSSL headers, TLS towards Kafka"         pkg-config --exists openssl
  need zlib1g-dev "zlib headers, compression towards Kafka"    pkg-config --exists zlib
}

check_test() {
  need openssl              "makes test certificates"              command -v openssl
  need util-linux           "setpriv and flock, to run services"   has_util_linux
  need postgresql           "PostgreSQL server, the store"         has_postgres
  need mosquitto            "MQTT broker"                          has_mosquitto
  need rabbitmq-server      "AMQP broker"                          test -x /usr/lib/rabbitmq/bin/rabbitmq-server
  need redis-server         "Redis server, counters of several nodes" command -v redis-server
  need default-jdk-headless "Java 17 or newer, runs Kafka"         has_java
  need maven                "fetches Kafka's jars"                 command -v mvn
}

check_bench() {
  need nginx-light "nginx, what proxies are compared with" test -x /usr/sbin/nginx
}

# The packages would start and enable servers of their own, on data folders of their own. Starting and PostgreSQL's folder
# are prevented here, the start at boot is switched off after the installation.
without_system_services() {
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
}

install() {
  say "Installing with apt: ${missing[*]}"
  without_system_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || say "apt-get update failed; trying with the package lists that are here"
  apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" </dev/null
  local package server
  for package in postgresql redis-server nginx-light mosquitto rabbitmq-server; do
    [[ " ${missing[*]} " == *" $package "* ]] || continue
    server=${package%-light}
    update-rc.d "$server" disable 2>/dev/null || true
    deb-systemd-helper disable "$server.service" >/dev/null 2>&1 || true
  done
}

case "${1:-}" in
  build) check_build ;;
  test)  check_build; check_test ;;
  bench) check_build; check_test; check_bench ;;
  *)     fail "usage: packages.sh build|test|bench" ;;
esac
command -v cargo >/dev/null ||
  fail "cargo is missing: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml") or newer with rustup, then run this again"
[ "${#missing[@]}" -gt 0 ] || { say "Packages: everything needed is installed"; exit 0; }

if ! command -v apt-get >/dev/null; then
  printf 'missing: %s\n' "${reasons[@]}" >&2
  fail "this is not Debian: install what the lines above name with your system's package tool, then run this again"
elif [ "$(id -u)" != 0 ]; then
  printf 'missing: %s\n' "${reasons[@]}" >&2
  fail "installing needs root. Run this once as root, then come back: apt-get update && apt-get install ${missing[*]}"
fi
install
