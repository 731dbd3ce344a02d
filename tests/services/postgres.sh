# shellcheck shell=bash
# A private PostgreSQL for one run: own data folder, loopback only, no durability (its data is thrown away).
# Sourced by with.sh, whose process is the server's parent.

postgres_attempts_max=5

postgres_bin() {
  local newest
  newest=$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -t/ -k5,5n | tail -n 1)
  dirname "${newest:-$(command -v postgres)}"
}

# PostgreSQL refuses to run as root; its user must then be able to reach the data folder, which a checkout below a closed
# home folder does not allow.
postgres_choose_folder() {
  postgres_as=()
  postgres_dir="$run/postgres"
  mkdir -p "$postgres_dir"
  [ "$(id -u)" = 0 ] || return 0
  postgres_as=(setpriv --reuid=postgres --regid=postgres --init-groups)
  if ! "${postgres_as[@]}" test -x "$run"; then
    postgres_dir=$(mktemp -d -t tidegate-postgres.XXXXXX)
    say "PostgreSQL: its user cannot reach $run, using $postgres_dir"
  fi
  chown postgres "$postgres_dir"
}

# Sets postgres_pid, postgres_port and postgres_dir.
postgres_start() {
  local bin attempt log="$run/postgres.log"
  bin=$(postgres_bin)
  postgres_choose_folder
  # From its own folder: initdb and the server complain about a working directory that they cannot read.
  (cd "$postgres_dir" && ${postgres_as[@]+"${postgres_as[@]}"} "$bin/initdb" -D "$postgres_dir/data" -U tidegate -A trust -E UTF8 \
    --locale=C --no-sync) >"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "PostgreSQL could not make its data folder"; }
  for attempt in $(seq "$postgres_attempts_max"); do
    postgres_port=$(free_port)
    (
      cd "$postgres_dir" || exit
      exec setsid ${postgres_as[@]+"${postgres_as[@]}"} setpriv --pdeathsig INT "$bin/postgres" -D "$postgres_dir/data" -h 127.0.0.1 \
        -p "$postgres_port" -c unix_socket_directories= -c shared_buffers=64MB -c max_connections=400 \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off
    ) >>"$log" 2>&1 </dev/null 9>&- &
    postgres_pid=$!
    ! await PostgreSQL "$postgres_pid" "$log" "$bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" || return 0
    stop "$postgres_pid" QUIT
    grep -q 'Address already in use' "$log" || { tail -n 30 "$log" >&2; fail "PostgreSQL did not start; the end of its log is above"; }
    say "PostgreSQL: the port was taken meanwhile, trying another ($attempt of $postgres_attempts_max)"
  done
  fail "PostgreSQL found no free port in $postgres_attempts_max attempts"
}

postgres_stop() {
  [ -z "${postgres_pid:-}" ] || stop "$postgres_pid" INT
  case "${postgres_dir:-}" in ''|"$run"/*) ;; *) rm -rf "$postgres_dir" ;; esac
}
