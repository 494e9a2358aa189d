#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whichever process of the road of a parcel dies, with several of each and with the group being shared out again,
# each event becomes one notification for each audience, each notification one message for each phone, and the provider
# accepts each message once, by its id; nothing is missing.
#
# How it could break: positions apart from effects; ids that do not follow from the event; outcomes apart from offsets;
# results that are guessed; a sink that applies a batch twice.
#
# The seed (SLUICE_TEST_SEED) fixes who is killed and when, not where in its work that hits it.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
# shellcheck source=parcels.sh
. "$(dirname "$0")/parcels.sh"

events=${SLUICE_TEST_EVENTS:-$(t_size 1500 20000)}
t_begin "killed processes tell everybody once"
t_seed
pc_begin

# Short sessions and small transactions, so that kills hit many of them.
export SLUICE_SINK_SESSION_TIMEOUT_MS=1500 SLUICE_NOTIFY_SESSION_TIMEOUT_MS=1500 SLUICE_DELIVERY_SESSION_TIMEOUT_MS=6000
export SLUICE_SINK_BATCH_ROWS_MAX=20 SLUICE_NOTIFY_BATCH_ROWS_MAX=20
export SLUICE_DELIVERY_COMMIT_LINGER_MS=2 SLUICE_DELIVERY_INFLIGHT_MAX=50 SLUICE_DELIVERY_RECORDS_MAX=100

start_role relay relay
instances=()
for role in notify push sink; do
    for n in 1 2 3; do
        start_role "$role-$n" "$role"
        instances+=("$role-$n")
    done
done

# In parts, a kill in the middle of each: when so many of its messages have come, whatever the machine's speed.
parts=$((events / 150))
for ((part = 0; part < parts; part++)); do
    before=$(pc_stat accepted) victim=${instances[RANDOM % ${#instances[@]}]} some=$((RANDOM % 100))
    pc_insert $((part * events / parts + 1)) $(((part + 1) * events / parts))
    wait_until 90 "(( \$(pc_stat accepted) > $((before + some)) ))"
    proc_alive "$victim" || t_fail "$victim has ended by itself"
    kill_role "$victim"
    ((part % 3 != 2)) || wait_until 90 '[[ $(pc_unsettled) == 0 ]]' # the others take over
    start_role "$victim" "${victim%-*}"
done
t_ok "$parts kills among ${#instances[@]} processes"

pc_settle 300
pc_judge
stop_roles relay "${instances[@]}"
