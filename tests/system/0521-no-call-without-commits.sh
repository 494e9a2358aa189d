#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a crash repeats calls of at most the last 500 ms before the last commit. So while Kafka takes no commit, no
# further call is made, however many events are at hand; when it answers again, they go on.
#
# How it could break: calls that go on into nothing, all of which would be repeated after a crash or a lost assignment.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
events=3000
CB_KINDS="('slow', 1, 'demo', 'http://RECEIVER/slow/20', 'delivered', '1')"
t_begin "no call while nothing can be committed" bare
t_program
own_pg
own_kafka 1
t_migrate
cb_begin
start_roles relay callback sink

# 15 calls at once of 20 ms each: there is work for four seconds, and the broker is frozen in its first.
cb_insert 1 "$events"
wait_until 60 '(( $(answered) > 100 ))'
broker=$(cut -d' ' -f1 "$OWN_KAFKA/1/pid")
kill -STOP "$broker"
sleep 2
before=$(answered)
sleep 2
after=$(answered)
kill -CONT "$broker"
((before < events)) || t_fail "all $events events were sent before the broker was frozen: this proves nothing"
t_eq "requests while nothing can be committed" "$before" "$after"

cb_settle 120
cb_judge
stop_roles relay callback sink
