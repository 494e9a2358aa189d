# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev compose-test: the compose file for real, as a user would have it, in a project of its own (names, ports, network and
# image tags) that is removed at the end. Needs nothing but Docker with Compose; exit 77 and a reason where there is none.
#
# Promise: what was committed is delivered, whichever container is killed, and is still there after down and up.

readonly COMPOSE_DIR=$DEV_STATE/compose-test
readonly COMPOSE_EVENTS=3000 COMPOSE_PAUSE_MS=8

COMPOSE_LOAD='' COMPOSE_STEP=start

# ---------------------------------------------------------------------------------------------------- the project

# Why there is nothing to run it with; nothing when there is.
compose_unusable() {
    local version
    command -v docker >/dev/null || {
        printf 'docker is not installed\n'
        return 0
    }
    version=$(docker compose version --short 2>/dev/null) || {
        printf 'docker compose (version 2) is not installed\n'
        return 0
    }
    version=${version#v}
    [[ $(printf '2.24\n%s\n' "$version" | sort -V | sed -n 1p) == 2.24 ]] || {
        printf 'docker compose %s is older than 2.24\n' "$version"
        return 0
    }
    timeout 30 docker info >/dev/null 2>&1 || printf 'no docker engine answers\n'
}

# Settings reach the stack on both ways that users have, file and shell; short retries only save time.
compose_project() {
    local hash
    hash=$(cksum <<<"$DEV_ROOT" | cut -d' ' -f1)
    export COMPOSE_PROJECT_NAME=sluice-test-$hash IMAGE_TAG=test-$hash COMPOSE_PROGRESS=plain
    export STACK_SUBNET=10.214.$((hash % 256)).0/24 STACK_ENV_FILE=$COMPOSE_DIR/env
    export POSTGRES_PORT=${POSTGRES_PORT:-35432} KAFKA_PORT=${KAFKA_PORT:-39092} RECEIVER_PORT=${RECEIVER_PORT:-37601} GATEWAY_PORT=${GATEWAY_PORT:-37101}
    export EXPRESS_PORT=${EXPRESS_PORT:-37201} DEVICE_PORT=${DEVICE_PORT:-37301}
    IMAGE_REVISION=$(git -C "$DEV_ROOT" rev-parse --short HEAD 2>/dev/null) || IMAGE_REVISION=unknown
    export IMAGE_REVISION
    cat >"$COMPOSE_DIR/env" <<'TEXT'
AI_CS_PLATFORM_SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=2,2,5
AI_CS_PLATFORM_NEWAPI_CALLBACK_RETRY_SCHEDULE_SEC=2,2,5
AI_CS_PLATFORM_SHOP_1_CALLBACK_TIMEOUT_MS=1500
TEXT
    export AI_CS_PLATFORM_DEMO_CALLBACK_RETRY_SCHEDULE_SEC=2,2,5
}

# Every call is bounded: an engine that hangs must not hang the test.
dc() {
    timeout -k 10 "${DC_LIMIT:-300}" docker compose --project-directory "$DEV_ROOT" --env-file "$COMPOSE_DIR/env" "$@" 9>&-
}

dc_quiet() {
    dc "$@" >"$COMPOSE_DIR/last" 2>&1 || {
        show_tail "$COMPOSE_DIR/last" 30
        return 1
    }
}

compose_sql() { dc exec -T postgres psql -U sluice -qAtX -v ON_ERROR_STOP=1 -c "$1"; }
compose_ids() { dc ps -q "$1"; }

# ---------------------------------------------------------------------------------------------------- ends

# The load is a job: a process group of its own.
compose_load_end() {
    [[ -n $COMPOSE_LOAD ]] || return 0
    kill -TERM -- "-$COMPOSE_LOAD" 2>/dev/null || true
    wait "$COMPOSE_LOAD" 2>/dev/null || true
    COMPOSE_LOAD=''
}

compose_cleanup() {
    local rc=$? service
    trap - EXIT
    trap '' INT TERM PIPE
    compose_load_end
    if ((rc != 0)); then
        dc ps -a >&2 || true
        for service in $(dc config --services 2>/dev/null) demo; do
            dc logs --no-color --no-log-prefix "$service" >"$COMPOSE_DIR/$service.log" 2>&1 || true
            show_tail "$COMPOSE_DIR/$service.log" 15
        done
        err "compose-test has failed (exit code $rc), in: $COMPOSE_STEP; whole logs: $COMPOSE_DIR/*.log"
    fi
    dc --profile '*' down -v --remove-orphans >"$COMPOSE_DIR/down" 2>&1 || {
        err "the stack could not be removed: docker compose -p $COMPOSE_PROJECT_NAME down -v"
        show_tail "$COMPOSE_DIR/down"
    }
    docker rmi "sluice:$IMAGE_TAG" "sluice-tools:$IMAGE_TAG" >/dev/null 2>&1 || true
    exit "$rc"
}

# ---------------------------------------------------------------------------------------------------- checks

compose_step() {
    COMPOSE_STEP=$*
    step "$*"
}

# expect WHAT WANT GOT
expect() {
    [[ $2 == "$3" ]] || die "$1: expected \"$2\", found \"$3\""
    good "$1: $3"
}

compose_build() {
    compose_step "images"
    DC_LIMIT=1500 dc_quiet build migrate || die "the image could not be built"
    DC_LIMIT=900 dc_quiet --profile demo build demo || die "the image of the tools could not be built"
}

compose_up() { dc_quiet up -d --wait --wait-timeout 240 "$@" || die "the stack does not come up (see above)"; }

# What a service has in its environment; secrets are not among the names asked for.
compose_env() { dc exec -T "$1" printenv "$2" || true; }

no_zombies() {
    local states
    states=$(dc exec -T relay sh -c 'cat /proc/[0-9]*/status 2>/dev/null | grep ^State:') && [[ $states == *S* && $states != *Z* ]]
}

compose_image_checks() {
    local label
    compose_step "the image"
    expect "version" "$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' "$DEV_ROOT/CMakeLists.txt")+$IMAGE_REVISION" \
        "$(dc exec -T relay sluice version | cut -d' ' -f2)"
    label=$(docker inspect -f '{{index .Config.Labels "org.opencontainers.image.revision"}}' "sluice:$IMAGE_TAG")
    expect "label of the revision" "$IMAGE_REVISION" "$label"
    expect "user of a role" 10001 "$(dc exec -T callback id -u)"
    expect "PID 1" sluice "$(dc exec -T callback cat /proc/1/comm)"
    dc exec -T relay sh -c '(sleep 0.1 &)' || die "cannot run a command in the relay's container"
    wait_for 20 no_zombies || die "PID 1 leaves zombies"
    good "PID 1 buries orphans"
    expect "a setting from the file" 1500 "$(compose_env callback AI_CS_PLATFORM_SHOP_1_CALLBACK_TIMEOUT_MS)"
    expect "a setting from the shell" 2,2,5 "$(compose_env callback AI_CS_PLATFORM_DEMO_CALLBACK_RETRY_SCHEDULE_SEC)"
}

# In the network of the engine's machine, where 127.0.0.1 is what users see; the answer of Kafka names the advertised port.
compose_port_checks() {
    local tools=(docker run --rm --network host --entrypoint "" "sluice-tools:$IMAGE_TAG") found
    compose_step "ports on 127.0.0.1"
    found=$(timeout 60 "${tools[@]}" kcat -b "127.0.0.1:$KAFKA_PORT" -C -t callback.events -o beginning -e -c 1 -q -f '%k' -m 20) || found=''
    [[ $found == demo-* ]] || die "kcat through 127.0.0.1:$KAFKA_PORT reads \"$found\", expected the key of an event"
    timeout 60 "${tools[@]}" pg_isready -q -h 127.0.0.1 -p "$POSTGRES_PORT" || die "PostgreSQL does not answer on 127.0.0.1:$POSTGRES_PORT"
    timeout 60 "${tools[@]}" curl -fsS -o /dev/null "http://127.0.0.1:$RECEIVER_PORT/stats" || die "the receiver does not answer on 127.0.0.1:$RECEIVER_PORT"
    good "Kafka, PostgreSQL and the receiver answer"
    found=$(timeout 60 "${tools[@]}" curl -sS -m 20 -X POST "http://localhost:$DEVICE_PORT/api/v1/push/register" -H 'Content-Type: application/json' \
        -d '{"cid":"compose-test","merchant_id":"compose-test","platform":"android","appid":"default"}' -o /dev/null -w '%{http_code}') || true
    expect "a phone registers from this machine, without a token" 200 "$found"
    found=$(timeout 60 "${tools[@]}" curl -sS -m 20 -X POST "http://localhost:$EXPRESS_PORT/webhook/express/status" -H 'Content-Type: application/json' \
        -d '{"tracking_no":"COMPOSE-TEST","carrier":"YT","status":"in_transit"}') || true
    expect "the webhook of a number that nobody knows" '{"ok":false,"message":"waybill not found"}' "$found"
}

# ---------------------------------------------------------------------------------------------------- load and kills

compose_demo() { dc --profile demo run --rm -T -e DEMO_EVENTS="$1" -e DEMO_PAUSE_MS="${2:-0}" -e DEMO_LIMIT_SEC=240 demo; }

# What the demo says of its order stands in the tables too: the forged call and the second copy left nothing.
compose_paid() {
    expect "notifications, payments and balances after the demo" "1 1 10000" \
        "$(compose_sql "SELECT (SELECT count(*) FROM payment_callbacks WHERE verdict = 'ok') || ' ' || (SELECT count(*) FROM payment_transactions WHERE state = 'CONFIRMED')
            || ' ' || (SELECT sum(balance) FROM accounts WHERE kind = 'user')")"
    expect "parcels told, notifications sent, phones reached" "3 6 6" \
        "$(compose_sql "SELECT (SELECT count(*) FROM notify_queue WHERE process_status = 'queued') || ' ' || (SELECT count(*) FROM express_notifications WHERE send_status = 'success')
            || ' ' || (SELECT count(*) FROM push_deliveries WHERE status = 'delivered')")"
    expect "sluice selftest express" 0 "$(dc exec -T gateway sluice selftest express >/dev/null 2>&1; echo $?)"
    expect "sluice doctor" 0 "$(dc exec -T push sluice doctor >/dev/null 2>&1; echo $?)"
    expect "sluice account check" 0 "$(dc exec -T account sluice account check >/dev/null 2>&1; echo $?)"
}

compose_delivered() { compose_sql "SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'delivered'"; }
delivered_at_least() { (($(compose_delivered) >= $1)) || ! kill -0 "$COMPOSE_LOAD" 2>/dev/null; }

# kill -9 from outside. Not `docker kill`: a container that was ended by command is not started again by its policy.
compose_kill9() {
    local pid
    pid=$(docker inspect -f '{{.State.Pid}}' "$1")
    [[ $pid =~ ^[1-9][0-9]*$ ]] || die "container $1 does not run"
    timeout 60 docker run --rm --pid host --user 0 --cap-add KILL --entrypoint sh "sluice:$IMAGE_TAG" -c "kill -9 $pid" ||
        die "pid $pid of container $1 cannot be killed"
}

restarted() { (($(docker inspect -f '{{.RestartCount}}' "$1") >= 1)); }

# compose_kill_during_load SERVICE WHEN: the first container of the service, once WHEN events of all are delivered.
compose_kill_during_load() {
    local id
    id=$(compose_ids "$1" | sed -n 1p)
    wait_for 240 delivered_at_least "$2" || die "fewer than $2 events are delivered after 240 s"
    note "killing a container of $1; $(compose_sql "SELECT count(*) FILTER (WHERE status = 'delivered') || ' of ' || count(*) FROM cs_platform_event_outbox") committed events are delivered"
    compose_kill9 "$id"
    wait_for 60 restarted "$id" || die "$1: the killed container was not started again"
    good "$1 is started again"
}

# Members of the callback's group, as the status sees them.
three_members() { [[ $(dc exec -T relay sluice status | awk '$1 == "callback" && $2 == "callback.events" { print $7 }') == 3 ]]; }

compose_scale_and_kill() {
    compose_step "three callbacks, and kill -9 under load"
    compose_up --no-recreate --scale callback=3
    expect "containers of callback" 3 "$(compose_ids callback | wc -l)"
    wait_for 60 three_members || die "the group does not get three members: $(dc exec -T relay sluice status | grep callback.events)"
    good "three members share the partitions"
    set -m
    compose_demo "$COMPOSE_EVENTS" "$COMPOSE_PAUSE_MS" >"$COMPOSE_DIR/load" 2>&1 &
    COMPOSE_LOAD=$!
    set +m
    compose_kill_during_load callback 500
    compose_kill_during_load relay 1000
    wait "$COMPOSE_LOAD" || {
        COMPOSE_LOAD=''
        show_tail "$COMPOSE_DIR/load" 30
        die "the load was not delivered in full"
    }
    COMPOSE_LOAD=''
    sed -n '/^$/,$p' "$COMPOSE_DIR/load" >&2
    expect "containers of callback after all that" 3 "$(compose_ids callback | wc -l)"
}

# ---------------------------------------------------------------------------------------------------- down and up

# Rows by status, attempts, records of the topics, and the secrets (as a checksum).
compose_state() {
    compose_sql "SELECT 'rows ' || status || ' ' || count(*) FROM cs_platform_event_outbox GROUP BY status ORDER BY 1"
    compose_sql "SELECT 'attempts ' || count(*) FROM cs_platform_event_delivery_attempts"
    dc exec -T relay sh -c 'for t in callback.events callback.outcomes; do echo "records $t $(sluice tail $t | wc -l)"; done'
    dc exec -T receiver sh -c 'find /var/lib/sluice/secrets -type f | sort | xargs cat | sha256sum'
}

# Volumes of the project's containers that only a number names: `down` would leave them behind, and their data with them.
compose_anonymous_volumes() {
    dc ps -aq | xargs -r docker inspect -f '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{.Destination}}{{"\n"}}{{end}}{{end}}' |
        grep -E '^[0-9a-f]{64} ' || true
}

compose_down_up() {
    local before after anonymous
    compose_step "down, and up again"
    before=$(compose_state)
    anonymous=$(compose_anonymous_volumes)
    expect "volumes without a name" "" "${anonymous//$'\n'/ }"
    dc_quiet down || die "down failed"
    expect "containers left after down" 0 "$(dc ps -aq | wc -l)"
    compose_up
    after=$(compose_state)
    [[ $before == "$after" ]] || die "the state is not as it was:"$'\n'"$(diff <(printf '%s\n' "$before") <(printf '%s\n' "$after"))"
    note "${after//$'\n'/; }"
    good "rows, attempts, topics and secrets are as they were"
    compose_demo 30 >"$COMPOSE_DIR/last" 2>&1 || {
        show_tail "$COMPOSE_DIR/last"
        die "new events are not delivered"
    }
    good "new events are delivered"
}

# No secret may be seen in a log or in the image.
compose_no_secrets() {
    compose_step "secrets"
    dc logs --no-color >"$COMPOSE_DIR/last" 2>&1 || die "the logs cannot be read"
    grep -q 'secrets: channels: kept' "$COMPOSE_DIR/last" || die "the channels' keys were made again"
    grep -q 'secrets: demo: kept' "$COMPOSE_DIR/last" || die "the log of the job secrets is not among the logs"
    ! grep -E 'whsec_|PRIVATE KEY' "$COMPOSE_DIR/last" >&2 || die "a secret is in a log"
    docker history --no-trunc "sluice-tools:$IMAGE_TAG" >"$COMPOSE_DIR/last" || die "the image's history cannot be read"
    ! grep -F whsec_ "$COMPOSE_DIR/last" >&2 || die "a secret is in the image"
    good "none in the logs, none in the image"
}

compose_gone() {
    compose_step "down -v"
    dc_quiet --profile '*' down -v --remove-orphans || die "down -v failed"
    expect "containers, volumes and networks left" "" \
        "$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")$(docker volume ls -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")$(docker network ls -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")"
}

# ---------------------------------------------------------------------------------------------------- the command

cmd_compose_test() {
    local why
    (($# == 0)) || die "$EX_USAGE" "compose-test takes no arguments"
    mkdir -p "$COMPOSE_DIR"
    exec 9>"$COMPOSE_DIR/only-one"
    flock -n 9 || die 75 "another ./dev compose-test of this checkout is running"
    rm -f "$COMPOSE_DIR"/*.log
    : >"$COMPOSE_DIR/begun" # tells .ci/run that it came so far
    why=$(compose_unusable)
    if [[ -n $why ]]; then
        printf 'SKIP: %s\n' "$why" >&2
        exit 77
    fi
    compose_project
    trap compose_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    dc_quiet --profile '*' down -v --remove-orphans || die "what an earlier run left cannot be removed"
    compose_build
    compose_step "up"
    compose_up
    good "$(dc ps -a --format '{{.Service}} {{.Status}}' | paste -sd, | sed 's/,/, /g')"
    compose_image_checks
    compose_step "the demo job"
    compose_demo 300 >&2 || die "the demo job failed"
    compose_paid
    compose_port_checks
    compose_scale_and_kill
    compose_down_up
    compose_no_secrets
    compose_gone
    good "compose-test: all of it, in $SECONDS s"
}
