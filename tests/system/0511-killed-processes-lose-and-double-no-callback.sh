#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whichever process of the road dies, every event ends delivered or dead, as its target wants it; each attempt that
# counts is counted once and numbered without a gap; a partner sees one id for each event, and a request again only when
# its first one was cut off.
#
# How it could break: offsets committed apart from outcomes; work that was done above a slow record forgotten; a producer
# that is not fenced; results that are guessed; a sink that applies a batch twice.
#
# The seed (SLUICE_TEST_SEED) fixes who is killed and after how many requests, not where in its work that hits it.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"

events=${SLUICE_TEST_EVENTS:-$(t_size 2400 20000)}
t_begin "killed processes lose and double no callback"
t_seed
cb_begin

cb_small

roles=(relay callback sink)
start_roles "${roles[@]}"

# In parts, a kill in the middle of each: when so many of its requests have come, whatever the machine's speed. The callback
# role is the one with most to get wrong.
victims=(relay callback sink callback)
parts=$((events / 200))
for ((part = 0; part < parts; part++)); do
    before=$(answered)
    victim=${victims[RANDOM % 4]} some=$((RANDOM % 150))
    cb_insert $((part * events / parts + 1)) $(((part + 1) * events / parts))
    wait_until 60 "(( \$(answered) > $((before + some)) ))"
    proc_alive "$victim" || t_fail "$victim has ended by itself"
    cb_cut "$victim" kill_role "$victim"
    start_role "$victim" "$victim"
done

# And one that surely leaves a transaction open: without one the rest would prove little.
for ((n = 0; n < 200; n++)); do
    ((n % 5)) || cb_insert $((events + n * 50 + 1)) $((events + (n + 5) * 50))
    sleep "0.$((RANDOM % 4))"
    ! cb_kill_in_transaction callback || break
done
((n < 200)) || t_fail "no transaction was open at any of $n moments"
start_role callback callback

cb_settle 300
cb_judge
cb_repeated "$CB_HELD" callback
aborted=$(cb_aborted)
((aborted > 0)) || t_fail "no aborted outcomes: this proves nothing"
t_ok "aborted outcomes, for read_uncommitted only: $aborted"
stop_roles "${roles[@]}"
