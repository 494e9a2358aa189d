#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a key with more events than can be held, for an endpoint that answers nothing, holds up no other key: what is too
# much behind its first event is put off without a call. Of a key no two are called at once, whatever happens.
#
# How it could break: events behind their key that fill the window of records; a key's events that are let past and called.
#
# No timeout ends a call here.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "a busy key holds up nobody"
cb_platforms
platform_set demo TIMEOUT_MS=120000 MAX_RETRIES=2 RETRY_SCHEDULE_SEC=1 BATCH_SIZE=20
receiver_start silent
cb_begin
export SLUICE_DELIVERY_RECORDS_MAX=200 SLUICE_DELIVERY_KEY_RECORDS_MAX=50
start_roles relay callback sink

# insert COUNT KEY-EXPRESSION RECEIVER PATH; the receiver knows the key by the payload.
insert() {
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
          SELECT 'demo', '$3', k, 'http://$(receiver_at "$3")$4', jsonb_build_object('key', k) FROM (SELECT $2 AS k FROM generate_series(1, $1) g) x"
}
rows() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE $1"; }
insert 600 "'busy'" silent /hang
insert 300 "'key-' || g" receiver /ok
wait_until 120 '[[ $(rows "event_type = '\''receiver'\'' AND status = '\''delivered'\''") == 300 ]]'
t_eq "other keys are delivered; of the busy one" 0 "$(rows "event_type = 'silent' AND status = 'delivered'")"
t_eq "calls to the silent endpoint" 1 "$(receiver_stat in_flight silent)"
t_eq "attempts that its events have been charged" 0 "$(rows "event_type = 'silent' AND attempt_count > 0")"

curl -fsS -m 10 -X POST -d '{"hang": false}' "http://$(receiver_at silent)/control" >/dev/null
cb_settle 120
t_eq "delivered in the end" 900 "$(rows "status = 'delivered'")"
t_eq "requests to the silent endpoint" 600 "$(receiver_stat requests silent)"
t_eq "calls of one key at once" 0 "$(receiver_stat overlaps silent)"
