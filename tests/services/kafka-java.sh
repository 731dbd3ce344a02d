#!/usr/bin/env bash
# Runs one of Kafka's main classes in place of this shell, so that the caller's child is the broker itself.
# usage: TIDEGATE_TEST_KAFKA_HOME=<folder with lib/ and kafka.jsa> kafka-java.sh [-XX:… …] <class> <arguments…>
set -eu
home=${TIDEGATE_TEST_KAFKA_HOME:?run the tests with: make test}
archive=()
# While the archive is being made there is none to read.
case "$*" in *ArchiveClassesAtExit*) ;; *) [ ! -f "$home/kafka.jsa" ] || archive=("-XX:SharedArchiveFile=$home/kafka.jsa") ;; esac
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
  ${archive[@]+"${archive[@]}"} -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
  -cp "$home/lib/*" "$@"
