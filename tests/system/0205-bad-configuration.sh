#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Whatever is configured wrongly is said in one message that names the field and what was expected, with the exit code
# that tells a supervisor whether to try again, in bounded time, and without a secret.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "every wrong setting is named, and no secret is shown"

password=${DATABASE_URL#*//*:}
password=${password%%@*}
: >"$T_DIR/outputs"

# refused WHAT CODE REGEX COMMAND...: one message, on one line, that matches.
refused() {
    local what=$1 code=$2 regex=$3 rc=0 messages out
    shift 3
    out=$T_DIR/out.$BASHPID
    timeout 25 "$@" </dev/null >"$out" 2>&1 || rc=$?
    cat "$out" >>"$T_DIR/outputs"
    [[ $rc == "$code" ]] || t_fail "$what: expected exit $code, got $rc: $(tail -n 3 "$out")"
    messages=$(grep -E '^sluice: |msg="the role has failed"' "$out") || t_fail "$what: no message"
    [[ $(wc -l <<<"$messages") == 1 ]] || t_fail "$what: more than one message: $messages"
    messages=${messages//\\\"/\"} # in a log line quotes are escaped
    [[ $messages =~ $regex ]] || t_fail "$what: expected /$regex/, got: $messages"
    t_ok "$what: exit $code, ${messages:0:160}"
}
S=$SLUICE_BIN

# ---- Brokers away: said in bounded time; meanwhile the other cases run
refused "topics, broker away" 69 'no answer from Kafka at 127.0.0.1:1' env KAFKA_BROKERS=127.0.0.1:1 "$S" topics &
refused "tail, broker away" 69 'no answer from Kafka at 127.0.0.1:1' env KAFKA_BROKERS=127.0.0.1:1 "$S" tail callback.events --timeout-ms 2000 &
start_role r2 relay KAFKA_BROKERS=127.0.0.1:1 SLUICE_TOPIC_PREFIX="away$T_ID."
start_role r1 relay SLUICE_TOPIC_PREFIX="none$T_ID."

# ---- Options, from each of the three places
refused "unknown flag" 2 'unknown flag --relay.batch.rowsmax; did you mean --relay.batch.rows.max' "$S" run relay --relay.batch.rowsmax=5
refused "unknown environment" 78 'SLUICE_RELAY_BATCH_ROWS: unknown; did you mean SLUICE_RELAY_BATCH_ROWS_MAX' env SLUICE_RELAY_BATCH_ROWS=5 "$S" status
printf '# mine\nrelay.batch.rows = 5\n' >"$T_DIR/unknown.conf"
refused "unknown key of a file" 78 'option relay.batch.rows \(file .*/unknown.conf:2\): unknown' "$S" status --config "$T_DIR/unknown.conf"
printf 'relay.batch.rows.max = lots\n' >"$T_DIR/bad.conf"
refused "bad number in a file" 78 'relay.batch.rows.max \(file .*/bad.conf:1\): "lots" is not a whole number; expected 1..50000' "$S" status --config "$T_DIR/bad.conf"
refused "missing file" 78 'no-such.conf' "$S" status --config "$T_DIR/no-such.conf"
for value in 1e6 10k 0x10 ' 5' 5.0 ''; do
    refused "number \"$value\"" 78 'relay.batch.rows.max \(flag .*\): .* expected 1..50000' "$S" status "--relay.batch.rows.max=$value"
done
for value in -1 0 50001 99999999999999999999; do
    refused "number $value" 78 "relay.batch.rows.max \\(environment SLUICE_RELAY_BATCH_ROWS_MAX\\): .* expected 1..50000" \
        env SLUICE_RELAY_BATCH_ROWS_MAX=$value "$S" status
done
refused "bad choice" 78 'relay.poison.policy .*"drop".* dlq\|stop' "$S" status --relay.poison.policy=drop
refused "no database" 78 'database.url|DATABASE_URL' env -u DATABASE_URL "$S" run relay
refused "no brokers" 78 'kafka.brokers|KAFKA_BROKERS' env -u KAFKA_BROKERS "$S" run relay
refused "position without a database" 78 'database.url|DATABASE_URL' env -u DATABASE_URL "$S" position show
refused "position without brokers" 78 'kafka.brokers|KAFKA_BROKERS' env -u KAFKA_BROKERS "$S" position set sink --to latest
refused "a setting librdkafka does not know" 78 'option kafka.no.such: No such configuration property' "$S" run relay --kafka.no.such=1

refused "no such topic" 4 'no.such.topic' "$S" tail no.such.topic

# ---- DATABASE_URL
wrong=${DATABASE_URL/:$password@/:hunter2@}
refused "not a URL" 78 'DATABASE_URL is not a connection URL; expected postgresql://' env DATABASE_URL=mysql://a:hunter2@b/c "$S" status
refused "wrong password" 78 'password authentication failed for user "sluice"' env DATABASE_URL="$wrong" "$S" migrate
refused "wrong password, relay" 78 'password authentication failed' env DATABASE_URL="$wrong" "$S" run relay
refused "wrong database" 78 'database "no_such" does not exist' env DATABASE_URL="${DATABASE_URL%/*}/no_such" "$S" status
refused "wrong database, relay" 78 'database "no_such" does not exist' env DATABASE_URL="${DATABASE_URL%/*}/no_such" "$S" run relay
refused "server away" 69 'cannot connect to PostgreSQL at 127.0.0.1:1/x' env DATABASE_URL=postgresql://a:hunter2@127.0.0.1:1/x "$S" status

# ---- sources.json
sources() { printf '%s' "$2" >"$T_DIR/$1.json" && printf '%s\n' "$T_DIR/$1.json"; }
builtin=$(cat "$DEV_ROOT/schemas/sources.json")
source_refused() { refused "$1" 78 "$2" env SLUICE_SOURCES_FILE="$3" "$S" run relay; }
source_refused "no sources.json" 'option sources.file: cannot read .*/none.json: No such file' "$T_DIR/none.json"
source_refused "half a sources.json" 'half.json: line 2: ' "$(sources half $'{"version": 1,\n "sources": [')"
source_refused "unknown key" 'unknown.json: source callback: unknown key "tabel' "$(sources unknown "${builtin/\"table\"/\"tabel\": \"x\", \"table\"}")"
source_refused "missing key" 'missing.json: source callback: key "dlq" expected a name' "$(sources missing "${builtin/\"dlq\": \"callback.dlq\",/}")"
source_refused "unknown schema" 'source callback: no Avro schema is called no_such' "$(sources schema "${builtin/\"schema\": \"callback_event\"/\"schema\": \"no_such\"}")"

# ---- Topics that are not there are waited for, and said
wait_until 20 'grep -q "topic none$T_ID.*does not exist; run .sluice topics apply" "$(proc_log r1)"'
proc_alive r1 || t_fail "a missing topic ended the relay"
stop_role r1

# ---- Brokers away: the relay waits and says so
http=''
wait_until 10 'http=$(grep -oE "http=[0-9.:]+" "$(proc_log r2)" | cut -d= -f2)'
wait_until 20 'curl -s "http://$http/readyz" | grep -iE "source (callback|payment).*(Kafka|broker)" >/dev/null'
t_eq "not ready" 503 "$(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz")"
t_eq "alive" 200 "$(curl -s -o /dev/null -w '%{http_code}' "http://$http/livez")"
curl -s "http://$http/readyz" >>"$T_DIR/outputs"
curl -s "http://$http/metrics" >>"$T_DIR/outputs"
stop_role r2
t_eq "exit code while the broker is away" 0 "$T_RC"

# ---- The database is not as it must be: an operator can mend it while the supervisor tries again.
# database_refused WHAT REGEX BREAK-SQL MEND-SQL
database_refused() {
    t_admin "$3"
    refused "$1" 1 "$2" "$S" run relay
    t_admin "$4"
}
O=cs_platform_event_outbox
database_refused "missing column" 'source payment: table payment_outbox has no column "event_type' \
    "ALTER TABLE payment_outbox RENAME event_type TO kind" "ALTER TABLE payment_outbox RENAME kind TO event_type"
database_refused "missing table" 'source payment: table payment_outbox does not exist; run .sluice migrate' \
    "ALTER TABLE payment_outbox RENAME TO away" "ALTER TABLE away RENAME TO payment_outbox"
database_refused "wrong type" 'source callback: column "next_attempt_at" of table .* is text; expected timestamp with time zone' \
    "ALTER TABLE $O DISABLE TRIGGER USER; DROP TRIGGER sluice_queue_update ON $O; DROP TRIGGER sluice_wait_update ON $O;
     ALTER TABLE $O ALTER next_attempt_at DROP DEFAULT, ALTER next_attempt_at TYPE text" \
    "ALTER TABLE $O ALTER next_attempt_at TYPE timestamptz USING next_attempt_at::timestamptz"
database_refused "missing trigger" 'trigger sluice_[a-z_]+ is missing or disabled on table cs_platform_event_outbox' "" \
    "DROP TABLE $O CASCADE; DELETE FROM sluice_migrations WHERE version > 1; DROP TABLE payment_outbox CASCADE"
t_migrate
database_refused "disabled trigger" 'source payment: trigger sluice_queue_insert is missing or disabled on table payment_outbox' \
    "ALTER TABLE payment_outbox DISABLE TRIGGER sluice_queue_insert" "ALTER TABLE payment_outbox ENABLE TRIGGER sluice_queue_insert"
database_refused "sequence with a cache" 'sequence sluice_queue_seq has CACHE 20 INCREMENT 1; expected CACHE 1' \
    "ALTER SEQUENCE sluice_queue_seq CACHE 20" "ALTER SEQUENCE sluice_queue_seq CACHE 1"
database_refused "row-level security of the owner" 'source payment: row-level security of table payment_outbox would hide rows' \
    "ALTER TABLE payment_outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;" \
    "ALTER TABLE payment_outbox DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"

# A role that owns nothing: with the grants that `migrate --print-role` prints, and with a policy in its way.
"$S" migrate --print-role | sed "s/sluice_run/run_$T_ID/; s/sluice_run/run_$T_ID/g; s/change-me/hunter2/" >"$T_DIR/role.sql"
t_admin -f "$T_DIR/role.sql"
drop_role() { t_admin "DROP OWNED BY run_$T_ID; DROP ROLE run_$T_ID" >/dev/null 2>&1 || true; }
T_AT_END=drop_role
few=postgresql://run_$T_ID:hunter2@${DATABASE_URL#*@}
t_admin "ALTER TABLE payment_outbox ENABLE ROW LEVEL SECURITY"
refused "row-level security of another role" 1 'source payment: row-level security of table payment_outbox would hide rows' \
    env DATABASE_URL="$few" "$S" run relay
t_admin "ALTER TABLE payment_outbox DISABLE ROW LEVEL SECURITY"
start_role few relay "DATABASE_URL=$few"
t_db "INSERT INTO $O (platform, event_type, callback_target, payload, next_attempt_at) VALUES ('p', 'e', 'u', '{}', now()),
      ('p', 'e', 'u', '{}', now() + interval '2 s')"
wait_until 30 '[[ $(topic_count callback.events) == 2 ]]'
t_ok "the least-privilege role publishes and sweeps"
stop_role few

# ---- Secrets
"$S" config >>"$T_DIR/outputs" 2>&1
cat "$T_DIR"/*.log >>"$T_DIR/outputs"
wait # for those that ran beside the others
[[ ! -e $T_DIR/.failed ]] || exit 1
grep -qF "$password" "$T_DIR/outputs" && t_fail "the password is shown: $(grep -nF "$password" "$T_DIR/outputs" | head -1)"
grep -qF hunter2 "$T_DIR/outputs" && t_fail "a wrong password is shown: $(grep -nF hunter2 "$T_DIR/outputs" | head -1)"
t_ok "no password in $(wc -l <"$T_DIR/outputs") lines of output"
