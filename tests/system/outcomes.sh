# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of the sink: outcome records without a callback role. Sourced after lib.sh.

# outcome_json ID QUEUE_SEQ KIND [MESSAGE [DELAY_MS]]: parked is no request, everything else is one.
outcome_json() {
    local request=true status=500
    [[ $3 != parked ]] || request=false
    [[ $3 != delivered ]] || status=200
    printf '{"event_id":"%s","queue_seq":%s,"platform":"demo","event_type":"e","callback_target":"x","outcome":"%s",' "$1" "$2" "$3"
    printf '"was_request":%s,"response_status":%s,"error_message":"%s","delay_ms":%s,"happened_at":1700000000000000}\n' \
        "$request" "$status" "${4:-none}" "${5:-86400000}"
}

# outcome_send ID QUEUE_SEQ KIND [MESSAGE [DELAY_MS]]: in a transaction of its own.
outcome_send() {
    printf '%s\t%s\n' "$1" "$(outcome_json "$@")" | outcome_kcat -K $'\t'
}

# outcome_kcat [kcat argument]...: what is on standard input (or in the file named), into callback.outcomes. A broker that
# has just started refuses transactions for a moment, before anything is sent.
outcome_kcat() {
    local i
    cat >"$T_DIR/kcat.in" </dev/stdin
    for ((i = 0; i < 40; i++)); do
        ! kcat -P -q -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.outcomes" -X partitioner=murmur2_random \
            -X "transactional.id=$T_ID" "$@" <"$T_DIR/kcat.in" 2>"$T_DIR/kcat.log" || return 0
        grep -q 'init_transactions' "$T_DIR/kcat.log" || break
        sleep 0.5
    done
    t_fail "kcat: $(tail -n 3 "$T_DIR/kcat.log")"
}

# A row of the outbox; prints its id. The next one's queue_seq is one higher.
outcome_row() {
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
          VALUES ('demo', 'e', 'https://127.0.0.1:1/', '{}') RETURNING id"
}

attempts() { t_db "SELECT count(*) FROM cs_platform_event_delivery_attempts"; }

# role_http NAME: where its operator endpoints are.
role_http() { grep -m 1 -oE 'msg=started .*http=[0-9.:]+' "$(proc_log "$1")" | sed 's/.*http=//'; }
