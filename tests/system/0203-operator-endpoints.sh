#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an operator and a supervisor see of a running relay: live, ready, metrics, health, ports, and how it ends.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "a running relay can be watched, doubled and ended"

http_of() { grep -oE 'msg=started.* http=[0-9.:]+' "$(proc_log "$1")" | tail -1 | grep -oE '[0-9.]+:[0-9]+$'; }
code() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

t_exit "health without an instance" 4 "$SLUICE_BIN" health relay
start_role r1 relay
wait_until 10 '[[ -n $(http_of r1) ]]'
one=$(http_of r1)
wait_until 10 '[[ $(code "http://$one/livez") == 200 ]]'
wait_role relay
t_eq "ready" 200 "$(code "http://$one/readyz")"
t_match "readyz names the parts" 'source callback.*owner' "$(curl -s "http://$one/readyz" | tr '\n' ' ')"
t_eq "an unknown path" 404 "$(code "http://$one/nothing")"
t_eq "another method" 405 "$(code -X POST "http://$one/livez")"
[[ $one == 127.0.0.1:* ]] || t_fail "not on loopback: $one"

# ---- A second one stands by, on another port, and counts as ready.
start_role r2 relay
wait_until 10 '[[ -n $(http_of r2) ]]'
two=$(http_of r2)
[[ $one != "$two" ]] || t_fail "both on $one"
wait_until 20 'curl -s "http://$two/readyz" | grep standby >/dev/null'
wait_until 20 '[[ $(code "http://$two/readyz") == 200 ]]' # ready, though it owns nothing
t_exit "health of both" 0 "$SLUICE_BIN" health relay
t_match "health names both ports" "${one#*:}.*${two#*:}|${two#*:}.*${one#*:}" "$(tr '\n' ' ' <<<"$T_OUT")"

# ---- Metrics: by the rules of the text format, and they move.
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
      SELECT 'p', 'e', 'u', '{}' FROM generate_series(1, 7)"
wait_until 20 'curl -s "http://$one/metrics" | grep -x "sluice_relay_records_published_total{source=\"callback\"} 7" >/dev/null'
t_match "content type" 'text/plain; *version=0.0.4' "$(curl -s -o /dev/null -w '%{content_type}' "http://$one/metrics")"
curl -s "http://$one/metrics" >"$T_DIR/metrics"
python3 - "$T_DIR/metrics" <<'PY' || t_fail "the metrics break the rules of the text format"
import re, sys
bad, helps, types, series, current = [], {}, {}, {}, None
NAME = r'[a-z][a-z0-9_]*'
for no, line in enumerate(open(sys.argv[1]).read().split('\n')[:-1], 1):
    m = re.fullmatch(r'# (HELP|TYPE) (\S+) (.+)', line)
    if m:
        kind, name, rest = m.groups()
        table = helps if kind == 'HELP' else types
        if name in table: bad.append(f'{no}: second {kind} of {name}')
        if kind == 'TYPE' and rest not in ('counter', 'gauge', 'histogram'): bad.append(f'{no}: type {rest}')
        table[name] = rest
        current = name
        continue
    m = re.fullmatch(rf'({NAME})(\{{(.*)\}})? (\S+)', line)
    if not m: bad.append(f'{no}: malformed: {line}'); continue
    name, _, labels, value = m.groups()
    if labels and not re.fullmatch(r'([a-z_]+="([^"\\\n]|\\["\\n])*")(,[a-z_]+="([^"\\\n]|\\["\\n])*")*', labels):
        bad.append(f'{no}: labels {labels}')
    float(value.replace('+Inf', 'inf'))
    family = name if name in types else re.sub(r'_(bucket|sum|count)$', '', name)
    if family != current: bad.append(f'{no}: {name} stands outside its family')
    if family not in types or family not in helps: bad.append(f'{no}: {name} has no HELP or TYPE'); continue
    if not family.startswith(('sluice_', 'process_')): bad.append(f'{no}: {family} is nobody\'s')
    if types[family] == 'counter' and not family.endswith('_total'): bad.append(f'{no}: counter {family} without _total')
    if types[family] == 'counter' and float(value) < 0: bad.append(f'{no}: counter {family} is negative')
    if types[family] != 'counter' and family.endswith('_total'): bad.append(f'{no}: {family} is no counter')
    if (name, labels) in series: bad.append(f'{no}: {name}{{{labels}}} twice')
    series[name, labels] = float(value.replace('+Inf', 'inf'))
for (name, labels), value in series.items():
    if name.endswith('_count') and types.get(name[:-6]) == 'histogram':
        top = ','.join(filter(None, [labels, 'le="+Inf"']))
        if series.get((name[:-6] + '_bucket', top)) != value: bad.append(f'{name}{{{labels}}}: +Inf is not the count')
for name in types:
    if name not in helps: bad.append(f'{name} has no HELP')
    if not any(s == name or s.startswith(name + '_') for s, _ in series): bad.append(f'{name} has no series')
print('\n'.join(bad) or f'ok: {len(types)} families, {len(series)} series')
sys.exit(1 if bad else 0)
PY
grep -qx 'sluice_relay_owner{source="callback"} 1' "$T_DIR/metrics" || t_fail "the owner does not say so"
curl -s "http://$two/metrics" | grep -x 'sluice_relay_owner{source="callback"} 0' >/dev/null || t_fail "the standby counts as owner"

# ---- SIGTERM ends the owner with 0, and the standby goes on.
stop_role r1 10
t_eq "exit code of SIGTERM" 0 "$T_RC"
wait_until 20 'curl -s "http://$two/readyz" | grep "callback.*owner" >/dev/null'
t_exit "health of the one that is left" 0 "$SLUICE_BIN" health relay
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload) VALUES ('p', 'e', 'u', '{}')"
wait_until 20 '[[ $(topic_count callback.events) == 8 ]]'

# ---- A relay that cannot drain (its statement waits for a lock) ends at once on the second SIGTERM.
psql -qAtX "$DATABASE_URL" -c "BEGIN" -c "LOCK TABLE cs_platform_event_outbox" -c "SELECT pg_sleep(60)" >/dev/null 2>&1 &
locker=$!
wait_until 10 '[[ $(t_db "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\''sluice relay'\'' AND wait_event_type = '\''Lock'\''") -ge 1 ]]'
pid=$(proc_pid r2)
kill -TERM "$pid"
sleep 1.5
proc_alive r2 || t_fail "it did not try to drain; the test proves nothing"
began=$SECONDS
kill -TERM "$pid"
role_exit r2 3
t_eq "exit code of the second SIGTERM" 130 "$T_RC"
((SECONDS - began <= 2)) || t_fail "the second SIGTERM took $((SECONDS - began)) s"
t_admin "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^SELECT pg_sleep'" >/dev/null
wait "$locker" 2>/dev/null || true

# ---- Not ready is neither healthy nor gone.
t_exit "health after all have ended" 4 "$SLUICE_BIN" health relay
start_role r3 relay KAFKA_BROKERS=127.0.0.1:1
wait_until 10 '[[ -n $(http_of r3) ]]'
t_exit "health of one that is not ready" 3 "$SLUICE_BIN" health relay
# Nothing is open, so nothing is waited for; a container gets ten seconds.
stop_role r3 8
t_eq "exit code of SIGTERM while the broker is away" 0 "$T_RC"
