#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whatever needs a session of its own refuses one through a connection pooler, with a text and exit code 78.
#
# How it could break: a role that opens its session without the check; the check as an error that is waited out.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "a pooler is refused"
POOLER=$(dirname -- "$SLUICE_BIN")/tests/pooler
[[ -x $POOLER ]] || t_fail "$POOLER is not built"

rest=${DATABASE_URL#*@}
port=${rest#*:}
start_proc pooler "$POOLER" "${port%%/*}"
wait_until 10 '[[ -s $(proc_log pooler) ]]'
pooled="${DATABASE_URL%@*}@127.0.0.1:$(head -n 1 "$(proc_log pooler)")/${rest#*/}?sslmode=disable"

t_eq "the pooler works" 1 "$(psql -qAtX "$pooled" -c 'SELECT 1')"
t_exit "status owns nothing and does not mind" 0 env DATABASE_URL="$pooled" "$SLUICE_BIN" status
t_exit "doctor does" 3 env DATABASE_URL="$pooled" "$SLUICE_BIN" doctor
t_match "and says which" 'FAIL +pooler .* -> DATABASE_URL must name PostgreSQL itself' "$(tr '\n' ' ' <<<"$T_OUT")"

for role in relay sink callback; do
    t_exit "run $role" 78 timeout 30 env DATABASE_URL="$pooled" "$SLUICE_BIN" run "$role"
    t_match "what it says" 'goes through a connection pooler; DATABASE_URL must name PostgreSQL itself' "$T_OUT"
done
t_exit "migrate" 78 timeout 30 env DATABASE_URL="$pooled" "$SLUICE_BIN" migrate
t_exit "relay position set" 78 timeout 30 env DATABASE_URL="$pooled" "$SLUICE_BIN" relay position set callback --to now --yes
t_exit "position set" 78 timeout 30 env DATABASE_URL="$pooled" "$SLUICE_BIN" position set sink --to latest --yes
t_eq "and nothing was written" 0 "$(t_db "SELECT count(*) FROM sluice_positions")"
