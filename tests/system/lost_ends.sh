# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A Kafka broker that loses the ends of transactions, as described in lib/kafka/hanging.h. Sourced after lib.sh.
#
# Brokers tell each other (and themselves) how transactions end over their inter-broker listener. Here that is reached
# through a forwarder only: without it a transaction is decided and no partition learns of it. (Partitions ask in the same
# way whether a transaction is known, so that is switched off.) A broker that has just been started looks at once for
# transactions that are over time, and offsets are written slowly (after a second), so that a kill finds transactions open.

ends_kafka() {
    ENDS_FROM=$(port_single $$)
    ENDS_TO=$(port_single $$)
    ends_told
    own_kafka 1 "listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,INTERNAL://127.0.0.1:$ENDS_TO" \
        "advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,INTERNAL://127.0.0.1:$ENDS_FROM" \
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT \
        inter.broker.listener.name=INTERNAL transaction.partition.verification.enable=false \
        group.coordinator.append.linger.ms=1000 transaction.abort.timed.out.transaction.cleanup.interval.ms=100
}

# Partitions learn of ends, as usual; or they do not.
ends_told() { start_proc forward python3 "$T_LIB/forward.py" "$ENDS_FROM" "$ENDS_TO"; }
ends_untold() { kill_role forward; }

# The broker is killed and comes back when transactions that were under way are over time. It has ends to tell then, tries
# it while it is not to be reached, and gives that up when it is told that nobody leads the partitions.
ends_broker_killed() {
    own_kafka_kill9
    ends_untold
    sleep 3
    own_kafka_start
    ends_told
}

# ends_hung NAME DECISION: how many partitions the process found hanging after that decision.
ends_hung() { grep -c "msg=\"a transaction hangs\" .*decided=$2" "$(proc_log "$1")" || true; }

# ends_report NAME DECISION: whether the broker really lost an end is a race in it, which a busy machine decides otherwise
# now and then. The books must agree in any case; in the long form it must have happened.
ends_report() {
    local n
    n=$(ends_hung "$1" "$2")
    ((n > 0)) || ! t_is_long || t_fail "the end of no transaction was lost: $2"
    t_ok "partitions in which the end of a transaction was lost, $2: $n"
}
