#!/usr/bin/env bash
# Runs Artemis in place of this shell, so that the caller's child is the broker itself.
# usage: TIDEGATE_TEST_ARTEMIS_HOME=<folder with lib/ and classes/> artemis-java.sh <arguments of Broker…>
set -eu
home=${TIDEGATE_TEST_ARTEMIS_HOME:?run the tests with: make test}
printf 'handlers=java.util.logging.ConsoleHandler\n.level=WARNING\n' >logging.properties
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
  -Djava.util.logging.config.file=logging.properties -cp "$home/classes:$home/lib/*" Broker "$@"
