# shellcheck shell=bash
# Apache Kafka for the tests: its jars from Maven, once; an archive of loaded classes that halves its start; one broker
# per run. Sourced by with.sh, whose process is the broker's parent.

kafka_attempts_max=5   # free ports are a guess until the broker holds them
kafka_cluster_id=4L6g3nShT-eMCtK--X86sw

kafka_fetch_jars() {
  local stamp want
  stamp="$kafka_home/jars.stamp" want=$(cksum <"$root/tests/services/kafka.pom.xml")
  [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
  say "Kafka: fetching its jars with Maven (46 files, 44 MB)"
  rm -rf "$kafka_home"
  mkdir -p "$kafka_home/lib"
  mvn -q -B -f "$root/tests/services/kafka.pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$kafka_home/lib" -DincludeScope=runtime </dev/null ||
    fail "Maven could not fetch Kafka's jars; its message is above. Once they were fetched, no network is needed"
  echo "$want" >"$stamp"
}

# The archive belongs to one Java build and one folder; any other would be ignored silently, so it is made again.
kafka_make_archive() {
  local stamp want
  stamp="$kafka_home/archive.stamp"
  want=$(echo "$kafka_home"; cat "$kafka_home/jars.stamp"; "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1)
  [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
  say "Kafka: making the class data archive (once per Java version)"
  rm -f "$kafka_home/kafka.jsa"
  kafka_start "-XX:ArchiveClassesAtExit=$kafka_home/kafka.jsa"
  stop "$kafka_pid" TERM
  kafka_pid=
  echo "$want" >"$stamp"
}

# Asks for the cluster's metadata (version 1, no topics) and looks whether the answer lists one broker: it does as soon as
# the controller let the broker in, which is later than the opening of its port.
kafka_answers() {
  local brokers
  brokers=$(
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '\0\0\0\022\0\003\0\001\0\0\0\007\0\004test\0\0\0\0' >&3
    timeout 5 head -c 12 <&3 | od -An -tu1 | awk '{print $12}'
  )
  [ "${brokers:-0}" = 1 ]
}

# Sets kafka_pid, kafka_port, kafka_proxied (listening port) and kafka_advertised (the port a fault proxy binds).
kafka_start() {
  local attempt controller log="$run/kafka.log"
  for attempt in $(seq "$kafka_attempts_max"); do
    kafka_port=$(free_port) kafka_proxied=$(free_port) kafka_advertised=$(free_port) controller=$(free_port)
    rm -rf "$run/kafka"
    mkdir -p "$run/kafka"
    sed -e "s|@PLAIN_PORT@|$kafka_port|g" -e "s|@PROXIED_PORT@|$kafka_proxied|g" -e "s|@ADVERTISED_PORT@|$kafka_advertised|g" \
      -e "s|@CONTROLLER_PORT@|$controller|g" -e "s|@DATA@|$run/kafka/data|g" \
      "$root/tests/services/kafka.properties" >"$run/kafka/server.properties"
    "$root/tests/services/kafka-java.sh" kafka.tools.StorageTool format -t "$kafka_cluster_id" \
      -c "$run/kafka/server.properties" >"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "Kafka could not format its data folder"; }
    setsid setpriv --pdeathsig TERM "$root/tests/services/kafka-java.sh" "$@" kafka.Kafka "$run/kafka/server.properties" \
      >>"$log" 2>&1 </dev/null 9>&- &
    kafka_pid=$!
    ! await Kafka "$kafka_pid" "$log" kafka_answers "$kafka_port" || return 0
    stop "$kafka_pid" KILL
    grep -q 'Address already in use' "$log" || { tail -n 30 "$log" >&2; fail "Kafka did not start; the end of its log is above"; }
    say "Kafka: a port was taken meanwhile, trying others ($attempt of $kafka_attempts_max)"
  done
  fail "Kafka found no free ports in $kafka_attempts_max attempts"
}
