# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev test: everything CI runs, from nothing, with a throw-away stack of its own; ./dev torture and ./dev bench work the
# same way.
# A stack started with ./dev up is not touched. Started again under another state directory (run_apart), so that every
# part of the script means that one.

# Does what follows with a state directory, ports and processes of its own.
run_apart() {
    local name=$1
    shift
    # The caller's shell may have the addresses of a stack; they are not this one's.
    unset DATABASE_URL KAFKA_BROKERS SLUICE_TEST_ADMIN_URL SLUICE_RUNTIME_DIR SLUICE_TOPIC_PREFIX SLUICE_DEV_PORT_BASE
    SLUICE_DEV_STATE=$DEV_STATE/$name exec "$DEV_ROOT/dev" "_$name" "$@"
}

# ---------------------------------------------------------------------------------------------------- phases

TEST_SUMMARY=()
TEST_FAILED=no

# run_job COMMAND...: in a process group of its own, waited for. Two reasons: bash runs a trap only after its foreground
# command has ended, which for ctest is minutes; and after a signal everything the job started can be ended with it.
# A subshell also keeps a `die` inside from ending us. Descriptors 6 and 9 are locks, not for children.
JOB=''
run_job() {
    local rc=0
    set -m
    (exec 6>&- 9>&- </dev/null && "$@") &
    JOB=$!
    set +m
    wait "$JOB" || rc=$?
    JOB=''
    return "$rc"
}

job_gone() { ! kill -0 -- "-$JOB" 2>/dev/null; }

job_end() {
    [[ -n $JOB ]] || return 0
    kill -TERM -- "-$JOB" 2>/dev/null || return 0
    # System tests stop what they have started.
    wait_for 30 job_gone || kill -KILL -- "-$JOB" 2>/dev/null
}

# phase NAME COMMAND...: timed, remembered; false when it failed.
phase() {
    local name=$1 started rc=0 seconds
    shift
    step "$name"
    started=$(now_ms)
    run_job "$@" || rc=$?
    seconds=$((($(now_ms) - started + 500) / 1000))
    ((rc == 0)) || TEST_FAILED=yes
    TEST_SUMMARY+=("$(printf '%-34s %-6s %5d s' "$name" "$( ((rc == 0)) && echo ok || echo FAILED)" "$seconds")")
    return "$rc"
}

# test_summary [COMMAND]
test_summary() {
    local line
    printf '\n'
    for line in "${TEST_SUMMARY[@]}"; do
        printf '%s\n' "$line"
    done
    printf '%-34s %-6s %5d s\n' "./dev ${1:-test}" "$([[ $TEST_FAILED == no ]] && echo ok || echo FAILED)" "$SECONDS"
}

# ctest_run PRESET LABELS [ARG...]: closing lines are ctest's own.
ctest_run() {
    local preset=$1 labels=$2
    shift 2
    # A Criterion worker's leak report does not fail it; the tests' own properties look for the report.
    # The addresses are in the environment (stack_env).
    SLUICE_BIN=$(sluice_bin "$preset") SLUICE_SOURCE_DIR=$DEV_ROOT \
        ctest --test-dir "$(build_dir "$preset")" -L "$labels" --output-on-failure --no-tests=error "$@" 2>&1
}

# From nothing, also after a run that was killed with -9 and could not clean up.
test_stack_up() {
    state_lock
    stack_stop && stack_wipe && infra_up 1
}

# ---------------------------------------------------------------------------------------------------- ends

# Also after Ctrl-C and after a failure. The logs of a failed run stay.
test_cleanup() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM PIPE
    job_end
    stack_stop >/dev/null 2>&1 || err "the test's stack could not be stopped; see SLUICE_DEV_STATE=$DEV_STATE ./dev status"
    if ((rc == 0)); then
        stack_wipe
    elif [[ -e $DEV_PG/log ]]; then
        note "logs of the servers: $DEV_STATE/pg/log, $DEV_STATE/kafka/1/log"
    fi
    exit "$rc"
}

test_lock() {
    mkdir -p "$DEV_STATE"
    exec 6>"$DEV_STATE/only-one"
    flock -n 6 || die 75 "another ./dev ${1} of this checkout is running"
    trap test_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# ---------------------------------------------------------------------------------------------------- the commands

test_builds() {
    phase "build release (gcc, -Werror)" build release -k 0 || return 1
    # Nothing runs from this build: its warnings are what it is for, so all of them are shown.
    phase "build clang (clang-14, -Werror)" build clang -k 0 || true
    phase "build asan (ASan + UBSan)" build asan -k 0 || return 1
}

test_everything() {
    test_builds || return 1
    phase "lint, generated files" lint_all || true
    phase "unit tests, release" ctest_run release '^(unit|lint)$' -j "$(nproc)" || true
    phase "unit tests, asan" ctest_run asan '^unit$' -j "$(nproc)" || true
    phase "PostgreSQL and Kafka" test_stack_up || return 1
    stack_env
    phase "integration tests, asan" ctest_run asan '^integration$' || true
    phase "system tests, asan" ctest_run asan '^system$' || true
}

# ./dev test -R NAME: only those tests, on the asan build.
test_some() {
    phase "build asan" build asan || return 1
    phase "PostgreSQL and Kafka" test_stack_up || return 1
    stack_env
    phase "tests, asan" ctest_run asan . "$@"
}

# Each system test has topics of its own, which stay to the end of the run: some thousand partitions.
cmd_test() {
    export SLUICE_DEV_KAFKA_HEAP=${SLUICE_DEV_KAFKA_HEAP:-512m}
    run_apart test "$@"
}

cmd__test() {
    test_lock test
    # No job of its own: sudo may want to ask at the terminal.
    step "packages"
    deps
    if (($#)); then
        test_some "$@" || true
    else
        test_everything || true
    fi
    test_summary
    [[ $TEST_FAILED == no ]]
}

# ./dev torture [account] [CTEST-ARGUMENT]...: long forms (account: those of the ledger), with a seed that is printed and
# decides about who is killed and when.
cmd_torture() {
    export SLUICE_DEV_KAFKA_HEAP=${SLUICE_DEV_KAFKA_HEAP:-512m}
    export SLUICE_TEST_SEED=${SLUICE_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
    [[ $SLUICE_TEST_SEED =~ ^[0-9]{1,15}$ ]] || die 2 "SLUICE_TEST_SEED must be a number, not $SLUICE_TEST_SEED"
    [[ ${1:-} != account ]] || set -- -L '^account$' "${@:2}"
    run_apart torture "$@"
}

cmd__torture() {
    test_lock torture
    step "packages"
    deps
    step "seed $SLUICE_TEST_SEED; SLUICE_TEST_SEED=$SLUICE_TEST_SEED ./dev torture does the same again"
    if phase "build asan" build asan && phase "PostgreSQL and Kafka" test_stack_up; then
        stack_env
        phase "torture, asan, seed $SLUICE_TEST_SEED" ctest_run asan '^torture$' "$@" || true
    fi
    test_summary torture
    [[ $TEST_FAILED == no ]]
}

# The measurements have servers to themselves, with more memory than the everyday stack.
cmd_bench() {
    # Without a name: which there are.
    if (($# == 0)); then
        build_if_missing
        exec "$(sluice_bin)" bench --help
    fi
    export SLUICE_DEV_KAFKA_HEAP=${SLUICE_DEV_KAFKA_HEAP:-1g}
    # Its tables hold millions of rows with random keys: with 64 MB it would be the kernel's page cache that is measured.
    [[ $1 != notify ]] || export SLUICE_DEV_PG_BUFFERS=${SLUICE_DEV_PG_BUFFERS:-1GB}
    run_apart bench "$@"
}

cmd__bench() {
    test_lock bench
    deps
    build release
    test_stack_up || return 1
    stack_env
    stack_prepare || die "tables or topics could not be made (see above)"
    mkdir -p "$SLUICE_RUNTIME_DIR"
    "$(sluice_bin release)" bench "$@"
}
