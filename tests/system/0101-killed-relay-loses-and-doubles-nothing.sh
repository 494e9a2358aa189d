#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whatever dies, every committed row is in its topic exactly once for a read_committed reader, per key in the
# order of queue_seq, and no rolled-back row is.
#
# How it could break: a position that is committed before or after the records and not with them; a position read before
# the predecessor is fenced; a cursor by number that runs past a late committer; an order by transaction id.
#
# The seed (SLUICE_TEST_SEED) fixes who is killed and after how long, not where in its work that hits it. Some of the
# kills are aimed: at the moment when the records of a transaction are in the log and its end is not.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"

seed=${SLUICE_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
kills=${SLUICE_TEST_KILLS:-12}
rows_wanted=20000
RANDOM=$((seed % 32768))
t_begin "a killed relay loses and doubles nothing"
t_ok "seed $seed"
oracle_begin

# Small transactions and small windows, so that kills hit all paths: read at once and walked, whole and half done.
export SLUICE_RELAY_BATCH_ROWS_MAX=40 SLUICE_RELAY_WINDOW_ROWS_MAX=60 SLUICE_RELAY_STANDBY_POLL_MS=50

declare -A up=() # relays that should run

relay_up() {
    [[ -z ${up[$1]:-} ]] || return 0
    start_role "$1" relay
    up[$1]=yes
}

# kill_one NAME HOW: aimed = when a relay (mostly this one) is committing.
kill_one() {
    local pid
    [[ -n ${up[$1]:-} ]] || return 0
    pid=$(proc_pid "$1") || t_fail "$1 has ended by itself"
    if [[ $2 == aimed ]]; then
        # The shell's own "Killed" message goes with the redirection.
        {
            oracle_await_commit "kill -KILL $pid"
            wait "$pid"
        } >/dev/null 2>&1 || true
    fi
    kill_role "$1"
    up[$1]=''
}

relay_up r1
wait_until 30 'relay_owns r1 callback'
oracle_write writers 8 625 --random-seed="$seed" --rate=340

done_kills=0 aimed=0
while ((done_kills < kills)) || proc_alive writers; do
    ((done_kills < 3 * kills)) || break
    relay_up r1
    # Sometimes a second one, which is then a standby or fights for the source with the first.
    ((RANDOM % 3 != 0)) || relay_up r2
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
    victim=r$((1 + RANDOM % 2))
    [[ -n ${up[$victim]:-} ]] || victim=r1
    if ((RANDOM % 2)); then
        kill_one $victim aimed
        aimed=$((aimed + 1))
    else
        kill_one $victim blindly
    fi
    # Now and then the other one too, so that nobody stands by.
    ((RANDOM % 4 != 0)) || kill_one r$((3 - ${victim#r})) blindly
    done_kills=$((done_kills + 1))
done
wait_until 120 '! proc_alive writers'
t_ok "$done_kills kills, $aimed of them aimed at a commit"
grep -q 'number of failed transactions: 0' "$(proc_log writers)" || t_fail "the writers: $(tail -n 3 "$(proc_log writers)")"

relay_up r1
oracle_settle
rows=$(oracle_rows)
((rows >= rows_wanted)) || t_fail "the writers left only $rows rows, not $rows_wanted"
oracle_judge_all
for r in r1 r2; do
    [[ -z ${up[$r]:-} ]] || proc_alive $r || t_fail "$r has ended by itself"
done
t_eq "rows that were rolled back" t "$(t_db "SELECT max(queue_seq) > $rows FROM cs_platform_event_outbox")"

# Without this the test would prove little: some kill has to have hit an open transaction with its records in the log.
all=$(oracle_count read_uncommitted)
((all > rows)) || t_fail "no aborted records exist; no kill hit an open transaction"
t_ok "aborted records, seen only by read_uncommitted: $((all - rows))"
stop_role r1
t_eq "the relay's end" 0 "$T_RC"
