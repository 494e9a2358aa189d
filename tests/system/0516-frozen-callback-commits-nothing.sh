#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a callback process that was frozen for longer than the group waits, with calls under way whose answers have come
# meanwhile, commits nothing of that when it thaws: another process has taken its partitions and has made these calls
# again, under the same ids.
#
# How it could break: offsets or outcomes that go into a transaction without the group's generation; a process that does not
# ask whether it was away before it goes on.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "a frozen callback process commits nothing"
cb_platforms
platform_set demo TIMEOUT_MS=120000 BATCH_SIZE=40
receiver_start silent
CB_KINDS="
  ('ok',   1, 'demo', 'http://RECEIVER/ok', 'delivered', '1'),
  ('hang', 1, 'demo', 'http://$(receiver_at silent)/hang', 'delivered', '1')"
cb_begin
export SLUICE_DELIVERY_SESSION_TIMEOUT_MS=3000 SLUICE_DELIVERY_COMMIT_LINGER_MS=5
start_role relay relay
start_role sink sink
start_role callback1 callback
wait_role callback 60

cb_insert 1 60
# 30 hang, for which there are places; the others are committed, so what is under way is known.
wait_until 60 '[[ $(receiver_stat in_flight silent) == 30 && $(cb_unsettled) == 30 ]]'
cb_cut callback1 kill_role callback1 STOP
start_role callback2 callback
wait_until 90 '(( $(receiver_stat requests silent) >= 60 ))'
t_ok "the other process has taken over and made the calls again"
lines=$(wc -l <"$(proc_log callback1)")
# Answers of both come now; those of the frozen one wait in its sockets.
curl -fsS -m 10 -X POST -d '{"hang": false}' "http://$(receiver_at silent)/control" >/dev/null
cb_settle 90
cb_insert 61 120
kill_role callback1 CONT
wait_until 60 'tail -n +$((lines + 1)) "$(proc_log callback1)" | grep -q "partitions lost\|partitions revoked"'
t_ok "the frozen one has noticed"
cb_insert 121 400
cb_settle 120
cb_judge
# Each that hung was asked twice and has one outcome.
cb_repeated 30 callback
t_eq "requests at the silent endpoint that were made twice" 30 "$(t_db "SELECT sum(extra) FROM repeated")"
stop_roles callback1 callback2 sink relay
