#!/usr/bin/env bash
# Real Kafka, Redis and S3 in containers on loopback ports, and `highwater serve` against them until Ctrl-C.
# The containers and what they hold go when it ends.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
source "$here/../images/names.env"

export AWS_ACCESS_KEY_ID=highwater AWS_SECRET_ACCESS_KEY=highwater-secret AWS_REGION=us-east-1
containers=(highwater-up-kafka highwater-up-redis highwater-up-s3 highwater-up-location)

# container NAME HOST-PORT PORT DOCKER-OPTIONS... IMAGE ARGUMENTS...
container() {
    local name=highwater-up-$1 published=127.0.0.1:$2:$3
    shift 3
    docker run --detach --rm --name "$name" --publish "$published" "$@" >/dev/null ||
        fail "cannot start $name on $published: is the port in use, or another \`./just up\` running?"
}

start() {
    container kafka 9092 9092 \
        --env CLUSTER_ID=aGlnaHdhdGVyLXVwLTAwMQ --env KAFKA_NODE_ID=1 --env KAFKA_PROCESS_ROLES=broker,controller \
        --env KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9094 \
        --env KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092 --env KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
        --env KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
        --env KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9094 --env KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 \
        --env KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 --env KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 \
        "$kafka_image"
    container redis 6379 6379 "$redis_image"
    container s3 7070 7070 --env ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID --env ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
        "$versitygw_image" --port :7070 --keep-alive posix /tmp
    container location 7071 7070 --env ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID --env ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
        "$versitygw_image" --port :7070 --keep-alive posix /tmp
}

# until_done WHAT COMMAND...: tries until it works, for half a minute.
until_done() {
    local what=$1
    shift
    for _ in {1..150}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    fail "$what did not happen within 30 s: see \`docker logs\` of ${containers[*]}"
}
kafka_started() { docker logs highwater-up-kafka 2>&1 | grep -q 'Kafka Server started'; }
# bucket_made PORT
bucket_made() {
    curl --fail --silent --request PUT --aws-sigv4 "aws:amz:$AWS_REGION:s3" --header "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "http://127.0.0.1:$1/highwater"
}

have curl || debian_packages curl
"$here/../engine.sh"
"$here/../images/images.sh"
cargo build --manifest-path "$root/Cargo.toml" --workspace --bin highwater
trap 'docker rm --force --volumes "${containers[@]}" >/dev/null 2>&1 || :' EXIT
trap : INT # Ctrl-C ends `highwater serve`, and this script after it
start
until_done "Kafka's start" kafka_started
until_done "the creation of bucket highwater" bucket_made 7070
until_done "the creation of bucket highwater at the second server" bucket_made 7071
say "Kafka 127.0.0.1:9092, Redis 127.0.0.1:6379, S3 http://127.0.0.1:7070 (access key $AWS_ACCESS_KEY_ID, secret $AWS_SECRET_ACCESS_KEY), and its location http://127.0.0.1:7071"
"$here/../binary.sh" highwater serve --config "$here/highwater.toml" "$@"
