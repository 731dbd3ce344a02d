# shellcheck shell=bash
# Apache Artemis for the tests, the stand-in for Solace: its jars from Maven and one class that starts it, both once. The
# brokers themselves are started by tests. Sourced by with.sh.

artemis_home="$services/artemis"     # lib/ (jars) and classes/

artemis_prepare() {
  local stamp want
  stamp="$artemis_home/stamp" want=$(cat "$root/tests/services/artemis.pom.xml" "$root/tests/services/Broker.java" | cksum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
  say "Artemis: fetching its jars with Maven (50 files, 20 MB)"
  rm -rf "$artemis_home"
  mkdir -p "$artemis_home/lib" "$artemis_home/classes"
  mvn -q -B -f "$root/tests/services/artemis.pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$artemis_home/lib" -DincludeScope=runtime </dev/null ||
    fail "Maven could not fetch Artemis' jars; its message is above. Once they were fetched, no network is needed"
  "${JAVA_HOME:+$JAVA_HOME/bin/}javac" -cp "$artemis_home/lib/*" -d "$artemis_home/classes" "$root/tests/services/Broker.java" ||
    fail "the class that starts Artemis did not compile; the message is above"
  echo "$want" >"$stamp"
}
