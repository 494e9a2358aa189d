#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a callback process with an absurd setting of a platform, or a secret that is none, refuses to start: exit 78 and
# one message that names the variable and what was expected, and never shows a secret.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "bad settings of platforms are named, and no secret is shown" bare
t_program
# Nothing is asked of these before the settings are right.
export DATABASE_URL=postgresql://u:p@127.0.0.1:1/d KAFKA_BROKERS=127.0.0.1:1
: >"$T_DIR/outputs"

# refused WHAT REGEX NAME=VALUE
refused() {
    local name=AI_CS_PLATFORM_DEMO_CALLBACK_${3%%=*} rc=0 messages
    timeout 60 env "$name=${3#*=}" "$SLUICE_BIN" run callback </dev/null >"$T_DIR/out" 2>&1 || rc=$?
    cat "$T_DIR/out" >>"$T_DIR/outputs"
    [[ $rc == 78 ]] || t_fail "$1: expected exit 78, got $rc: $(tail -n 3 "$T_DIR/out")"
    messages=$(grep -E '^sluice: |level=error' "$T_DIR/out") || t_fail "$1: no message"
    [[ $(wc -l <<<"$messages") == 1 ]] || t_fail "$1: more than one message: $messages"
    [[ $messages == *"environment $name: "* ]] || t_fail "$1: the variable is not named: $messages"
    [[ $messages =~ $2 ]] || t_fail "$1: expected /$2/, got: $messages"
    t_ok "$1: $(grep -oE 'environment .*' <<<"$messages" | cut -c 1-150)"
}

schedule='expected 1 to 32 numbers of seconds from 1 to 604800, e.g. 10,30,60'
for value in 0 10,0 -1 10,-30 1000000000 604801 99999999999999999999 ten 10s 1.5 1e3 0x10 ' 10' '10,' ,10 10,,30 '10;30' "$(seq -s , 1 33)"; do
    refused "schedule \"${value:0:24}\"" "$schedule" "RETRY_SCHEDULE_SEC=$value"
done
for setting in TIMEOUT_MS=0 TIMEOUT_MS=120001 TIMEOUT_MS=fast MAX_RETRIES=-1 MAX_RETRIES=1001 POLL_INTERVAL_MS=0 BATCH_SIZE=0 \
    BATCH_SIZE=2001 BATCH_SIZE=1e9; do
    refused "$setting" 'expected a whole number in [0-9]+\.\.[0-9]+' "$setting"
done

# Each holds the word sesame or its base64, which no output may show.
word=$(printf sesame-sesame-sesame-sesame | base64)
for secret in "whsec_${word:0:16}" "whsec_$word!" "whsec_$word"$'\r\nx-injected: 1' "whsk_$word" "$(printf 'whsec_%s' "$(head -c 90 /dev/zero | base64 -w 0)")" \
    "sesame" "whsec_" " "; do
    refused "secret of ${#secret} bytes" 'environment [A-Z_0-9]*: .' "SECRET=$secret"
done
printf 'whsec_%s\n' "${word:0:16}" >"$T_DIR/short"
: >"$T_DIR/empty"
head -c 10000 /dev/zero | tr '\0' a >"$T_DIR/long"
for file in short empty long absent .; do
    refused "secret file $file" "environment [A-Z_0-9]*: ." "SECRET_FILE=$T_DIR/$file"
done
printf 'whsec_%s\n' "$word" >"$T_DIR/good"
export AI_CS_PLATFORM_DEMO_CALLBACK_SECRET_FILE=$T_DIR/good
refused "a secret and a file" 'there is another secret already' "SECRET=whsec_$word"
unset AI_CS_PLATFORM_DEMO_CALLBACK_SECRET_FILE
t_eq "secrets shown" 0 "$(grep -cE "sesame|${word:0:12}" "$T_DIR/outputs" || true)"

# And good ones are taken: the process gets to its servers, which are not there.
AI_CS_PLATFORM_DEMO_CALLBACK_SECRET="whsec_$word whsec_$(printf older-older-older-older-older | base64)" \
    AI_CS_PLATFORM_DEMO_CALLBACK_RETRY_SCHEDULE_SEC=$(seq -s , 1 32) start_role fine callback
wait_until 30 'grep -q "msg=platform .*platform=DEMO " "$(proc_log fine)"'
t_ok "good ones are taken"
