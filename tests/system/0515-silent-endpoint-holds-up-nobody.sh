#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an endpoint that answers nothing holds up nobody else, neither events of other platforms nor those of its own
# platform to other endpoints. When it answers at last, what it has missed is delivered too.
#
# How it could break: places in flight that one endpoint may take all of; a queue in which its events stand before others;
# events that wait for it in memory until nothing more is read.
#
# No timeout ends a call here: the silent endpoint keeps what it is given to the end of the test.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
events=${SLUICE_TEST_EVENTS:-1200}
t_begin "a silent endpoint holds up nobody"
cb_platforms
for platform in demo new-partner third; do
    platform_set $platform TIMEOUT_MS=120000 MAX_RETRIES=2 RETRY_SCHEDULE_SEC=1 BATCH_SIZE=20
done
receiver_start silent
CB_KINDS="
  ('ok',           2, 'demo',        'http://RECEIVER/ok',      'delivered', '1'),
  ('slow',         1, 'demo',        'http://RECEIVER/slow/20', 'delivered', '1'),
  ('silent',       2, 'demo',        'http://$(receiver_at silent)/hang', 'delivered', '1'),
  ('other-ok',     1, 'new-partner', 'http://RECEIVER/ok',      'delivered', '1'),
  ('other-silent', 1, 'new-partner', 'http://$(receiver_at silent)/hang', 'delivered', '1'),
  ('third-ok',     2, 'third',       'http://RECEIVER/ok',      'delivered', '1')"
cb_begin
export SLUICE_CALLBACK_PARK_MAX_MS=3000 SLUICE_DELIVERY_RECORDS_MAX=400
start_roles relay callback sink

cb_insert 1 "$events"
rows() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE $1"; }
silent=$(rows "event_type LIKE '%silent'")
((silent * 3 >= events)) || t_fail "only $silent of $events events are silent"
wait_until 120 '[[ $(rows "event_type NOT LIKE '\''%silent'\'' AND status <> '\''delivered'\''") == 0 ]]'
t_eq "delivered before the silent endpoint has answered anything" $((events - silent)) "$(rows "status = 'delivered'")"
t_eq "its own so far" 0 "$(receiver_stat ids_delivered silent)"
hanging=$(receiver_stat in_flight silent)
((hanging > 0 && hanging <= 30)) || t_fail "$hanging calls hang there; expected 1 to 15 of each of two platforms"
t_ok "calls it holds: $hanging; parked: $(rows "status = 'retrying' AND attempt_count = 0")"

curl -fsS -m 10 -X POST -d '{"hang": false}' "http://$(receiver_at silent)/control" >/dev/null
cb_settle 120
cb_judge
cb_repeated 0 callback
