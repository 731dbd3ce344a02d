# shellcheck shell=bash
# Mosquitto, RabbitMQ and Artemis for a benchmark, one of each, on free loopback ports. Tests start brokers of their own, with
# faults in mind (tests/it/harness). Sourced by with.sh, whose process is their parent.

# The users that the benchmark program knows.
rabbitmq_user=app:app-secret
artemis_user=app:app-secret

# broker_listens <port>
broker_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# broker_spawn <name> <port> <command…>: starts it in a folder of its own and waits for the port. Sets broker_pid.
broker_spawn() {
  local name=$1 port=$2 log="$run/$1.log"
  shift 2
  mkdir -p "$run/$name"
  (cd "$run/$name" && exec setsid setpriv --pdeathsig TERM "$@" >"$log" 2>&1 </dev/null 9>&-) &
  broker_pid=$!
  brokers_pids+=("$broker_pid")
  await "$name" "$broker_pid" "$log" broker_listens "$port" ||
    { tail -n 30 "$log" >&2; fail "$name did not start; the end of its log is above"; }
}

# Sets brokers_pids, mosquitto_port, rabbitmq_port, artemis_amqp_port and artemis_mqtt_port.
brokers_start() {
  brokers_pids=()
  mosquitto_start
  rabbitmq_start
  artemis_start
}

brokers_stop() {
  local pid
  for pid in ${brokers_pids[@]+"${brokers_pids[@]}"}; do stop "$pid" TERM; done
}

# It saves at its end only: what is measured is the path, not the disk.
mosquitto_start() {
  mosquitto_port=$(free_port)
  mkdir -p "$run/mosquitto"
  printf 'user root\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\nlistener %s 127.0.0.1\n' "$mosquitto_port" \
    >"$run/mosquitto/mosquitto.conf"
  broker_spawn mosquitto "$mosquitto_port" /usr/sbin/mosquitto -c "$run/mosquitto/mosquitto.conf"
}

rabbitmq_start() {
  local folder="$run/rabbitmq" names
  rabbitmq_port=$(free_port) names=$(free_port)
  mkdir -p "$folder"
  printf 'listeners.tcp.1 = 127.0.0.1:%s\nload_definitions = %s/definitions.json\nlog.file.level = warning\ndisk_free_limit.absolute = 50MB\n' \
    "$rabbitmq_port" "$folder" >"$folder/rabbitmq.conf"
  printf '{"vhosts":[{"name":"/"}],"users":[{"name":"%s","password":"%s","tags":""}],"permissions":[{"user":"%s","vhost":"/","configure":".*","write":".*","read":".*"}]}\n' \
    "${rabbitmq_user%%:*}" "${rabbitmq_user#*:}" "${rabbitmq_user%%:*}" >"$folder/definitions.json"
  echo '[].' >"$folder/enabled_plugins"
  # A name server of its own: the node would start one that outlives it.
  broker_spawn rabbitmq-names "$names" epmd -address 127.0.0.1 -port "$names"
  broker_spawn rabbitmq "$rabbitmq_port" env RABBITMQ_NODENAME="tidegate$rabbitmq_port@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_NODE_PORT="$rabbitmq_port" RABBITMQ_DIST_PORT="$(free_port)" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$names" \
    RABBITMQ_MNESIA_BASE="$folder/mnesia" RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_LOGS="$folder/log/rabbit.log" \
    RABBITMQ_PID_FILE="$folder/pid" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/enabled_plugins" \
    RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$folder/advanced.config" \
    RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_GENERATED_CONFIG_DIR="$folder/generated" HOME="$folder" RUNNING_UNDER_SYSTEMD=true \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} -setcookie tidegate" \
    /usr/lib/rabbitmq/bin/rabbitmq-server
}

artemis_start() {
  local folder="$run/artemis" script="$root/tests/services/artemis-java.sh"
  artemis_amqp_port=$(free_port) artemis_mqtt_port=$(free_port)
  mkdir -p "$folder"
  sed -e "s|@DATA@|$folder/data|g" -e "s|@CERTS@|$run/certs|g" -e "s|@AMQP@|$artemis_amqp_port|" -e "s|@MQTT@|$artemis_mqtt_port|" \
    -e "s|@AMQPS@|$(free_port)|" -e "s|@EXPIRED@|$(free_port)|" -e "s|@WRONGHOST@|$(free_port)|" -e "s|@MUTUAL@|$(free_port)|" \
    -e "s|@MQTTS@|$(free_port)|" "$root/tests/services/artemis.xml" >"$folder/broker.xml"
  broker_spawn artemis "$artemis_amqp_port" env TIDEGATE_TEST_ARTEMIS_HOME="$artemis_home" "$script" "file:$folder/broker.xml" "$artemis_user:app"
}
