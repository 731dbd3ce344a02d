# shellcheck shell=bash
# Certificates for the tests, in every form that users have: PEM, PKCS#12, and JKS as Java's own tool writes it. Made anew
# for each run, about a second; they are worth nothing outside of it. Sourced by with.sh.

certs_password=changeit

# certs_authority <name>: a certificate authority.
certs_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout "$1.key" -out "$1.crt" \
    -subj "/CN=Tidegate test $1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# certs_leaf <name> <authority> <subject> <names or nothing> <extended key usage> <more arguments for openssl x509…>
certs_leaf() {
  local name=$1 authority=$2 subject=$3 names=$4 usage=$5
  shift 5
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" -subj "$subject"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n%s' "$usage" \
    "${names:+subjectAltName=$names
}" >"$name.ext"
  openssl x509 -req -in "$name.csr" -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -out "$name.crt" \
    -extfile "$name.ext" "$@"
  cat "$name.key" "$name.crt" >"$name.pem"
}

certs_stores() {
  local pass="pass:$certs_password" tool="${JAVA_HOME:+$JAVA_HOME/bin/}keytool" kind
  openssl pkcs8 -topk8 -in client.key -out client-enc.key -passout "$pass" -v2 aes-256-cbc
  openssl pkcs12 -export -name client -inkey client.key -in client.crt -certfile ca.crt -out client.p12 -passout "$pass"
  "$tool" -importkeystore -noprompt -srckeystore client.p12 -srcstoretype PKCS12 -srcstorepass "$certs_password" \
    -destkeystore client.jks -deststoretype JKS -deststorepass "$certs_password" -destkeypass "$certs_password"
  for kind in p12:PKCS12 jks:JKS; do
    "$tool" -importcert -noprompt -alias ca -file ca.crt -keystore "trust.${kind%:*}" -storetype "${kind#*:}" \
      -storepass "$certs_password"
  done
  # Without the mark that Java's tool puts on what is trusted; people have both.
  openssl pkcs12 -export -nokeys -in ca.crt -out trust-unmarked.p12 -passout "$pass"
}

# Fills $run/certs.
certs_make() {
  mkdir -p "$run/certs"
  (
    set -e
    cd "$run/certs"
    certs_authority ca
    certs_authority other-ca
    certs_leaf server    ca       /CN=localhost       DNS:localhost,IP:127.0.0.1 serverAuth,clientAuth -days 30
    certs_leaf expired   ca       /CN=localhost       DNS:localhost,IP:127.0.0.1 serverAuth            -days -1
    certs_leaf wronghost ca       /CN=other.example   DNS:other.example          serverAuth            -days 30
    certs_leaf client    ca       /CN=tidegate-client ''                         clientAuth            -days 30
    certs_leaf stranger  other-ca /CN=stranger        ''                         clientAuth            -days 30
    certs_stores
  ) >"$run/certs.log" 2>&1 || { tail -n 20 "$run/certs.log" >&2; fail "the test certificates could not be made"; }
}
