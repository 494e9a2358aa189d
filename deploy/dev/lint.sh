# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What can be said about the sources without running them. Each check prints what is wrong and where; all of them run,
# then the exit code tells.

# Calls with a better form: bounded, or reporting errors, or safe with threads.
readonly LINT_BANNED='strcpy|strcat|sprintf|vsprintf|atoi|atol|atoll|atof|strtok|gets|localtime|gmtime|system|popen'
readonly LINT_SPDX='SPDX-License-Identifier: Apache-2.0'

lint_format() {
    local out
    out=$(tracked '*.c' '*.h' | xargs -0 -r clang-format-14 --dry-run -Werror --style=file 2>&1) && return 0
    # One line a place says enough; ./dev fmt knows the rest.
    grep -E '^[^ ].*: (error|warning): ' <<<"$out" | cut -d: -f1,2 | sort -u -t: -k1,1 -k2,2n |
        awk -F: '{ n[$1]++; if (n[$1] <= 5) at[$1] = at[$1] " " $2 } END { for (f in n) printf "%s: %d lines not formatted:%s%s\n", f, n[f], at[f], (n[f] > 5 ? " ..." : "") }' | sort
    printf './dev fmt rewrites them\n'
    return 1
}

lint_shell() {
    tracked dev .ci/run '*.sh' | xargs -0 -r shellcheck -x
}

# Scripts that are started by name need the run bit; ctest starts the system tests so.
lint_run_bits() {
    local file rc=0
    while IFS= read -r -d '' file; do
        [[ -x $file ]] || {
            printf '%s: is started by name, but has no run bit\n' "$file"
            rc=1
        }
    done < <(tracked dev .ci/run 'tests/system/[0-9]*.sh' 'deploy/compose/*.sh')
    return "$rc"
}

# "banned-ok: reason" in the line is an exception.
lint_banned() {
    local found
    found=$(tracked '*.c' '*.h' | xargs -0 -r grep -nE "(^|[^A-Za-z0-9_>.])($LINT_BANNED)\(" | grep -v 'banned-ok: ') || return 0
    printf '%s\n' "$found"
    printf 'use bounded, error-reporting or _r forms (lib/base has them); a justified exception says "banned-ok: why"\n'
    return 1
}

lint_spdx() {
    local file rc=0
    while IFS= read -r -d '' file; do
        head -n 3 -- "$file" | grep -qF "$LINT_SPDX" || {
            printf '%s: no line "%s" among the first three\n' "$file" "$LINT_SPDX"
            rc=1
        }
    done < <(tracked dev .ci/run Dockerfile docker-compose.yml '*.c' '*.h' '*.sh' '*.sql')
    return "$rc"
}

# The image says its version in a label, and has no way to ask the project for it.
lint_image_version() {
    local project image
    project=$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    image=$(sed -n 's/^ARG VERSION=//p' Dockerfile)
    [[ -n $project && $image == "$project" ]] && return 0
    printf 'Dockerfile: ARG VERSION=%s, but CMakeLists.txt says %s\n' "$image" "$project"
    return 1
}

# Over the compilation database, so with the real include paths and definitions. Tests are left out: Criterion's macros
# are not ours to judge.
#   unknownMacro, missing includes: system headers are not read, on purpose (minutes instead of seconds)
#   normalCheckLevelMaxBranches: information only
#   readdirCalled: readdir is safe for streams that threads do not share; readdir_r is deprecated
#   resourceLeak, memleak: it does not know the cleanup attribute (CLEANUP); LeakSanitizer finds the real ones
#   uninitvar in two files: it takes the address of an error that is about to be filled for a use of it
lint_cppcheck() {
    local database
    database=$(build_dir release)/compile_commands.json
    [[ -e $database ]] || {
        printf '%s is missing; ./dev build first\n' "$database"
        return 1
    }
    cppcheck -q -j "$(nproc)" --project="$database" -i"$DEV_ROOT/tests" -i"$DEV_ROOT/build" \
        --enable=warning,portability,performance --inline-suppr --error-exitcode=1 --library=posix \
        --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=normalCheckLevelMaxBranches \
        --suppress=readdirCalled --suppress=resourceLeak --suppress=memleak \
        '--suppress=uninitvar:*/lib/avro/set.c' '--suppress=uninitvar:*/lib/avro/shape.c'
}

# Prints the lines between the marks <!-- topology --> and <!-- /topology --> of a file, without the code fence.
lint_topology_block() {
    sed -n '/^<!-- topology -->$/,/^<!-- \/topology -->$/p' "$1" | grep -v -e '^<!-- ' -e '^```'
}

# What is generated from the program must be what the program says now.
lint_generated() {
    local program rc=0 file found=no
    program=$(sluice_bin release)
    [[ -x $program ]] || {
        printf '%s is missing; ./dev build first\n' "$program"
        return 1
    }
    if ! diff -u docs/CONFIGURATION.md <("$program" config docs); then
        printf 'docs/CONFIGURATION.md is not current: ./dev sluice config docs >docs/CONFIGURATION.md\n'
        rc=1
    fi
    for file in README.md ARCHITECTURE.md; do
        grep -qs '^<!-- topology -->$' "$file" || continue
        found=yes
        if ! diff -u <(lint_topology_block "$file") <("$program" topology --mermaid | grep -v '^```'); then
            printf '%s: the block between <!-- topology --> and <!-- /topology --> differs from ./dev sluice topology --mermaid\n' "$file"
            rc=1
        fi
    done
    if ! diff -u <(sed -n '/^<!-- states -->$/,/^<!-- \/states -->$/p' docs/payments.md | grep -v -e '^<!-- ' -e '^```') \
        <("$program" topology --states); then
        printf 'docs/payments.md: the block between <!-- states --> and <!-- /states --> differs from ./dev sluice topology --states\n'
        rc=1
    fi
    if [[ $found == no ]]; then
        printf 'neither README.md nor ARCHITECTURE.md has a block <!-- topology --> ... <!-- /topology -->\n'
        rc=1
    fi
    return "$rc"
}

# lint_check WHAT COMMAND
lint_check() {
    local out
    if out=$(cd "$DEV_ROOT" && "$2" 2>&1 </dev/null); then
        good "$1"
    else
        say "${C_RED}FAIL${C_OFF} $1"
        printf '%s\n' "$out"
        LINT_FAILED+=("$1")
    fi
}

LINT_FAILED=()
lint_all() {
    LINT_FAILED=()
    lint_check "clang-format" lint_format
    lint_check "shellcheck" lint_shell
    lint_check "run bits" lint_run_bits
    lint_check "banned calls" lint_banned
    lint_check "license lines" lint_spdx
    lint_check "version of the image" lint_image_version
    lint_check "cppcheck" lint_cppcheck
    lint_check "generated files are current" lint_generated
    ((${#LINT_FAILED[@]} == 0)) && return 0
    err "lint: ${LINT_FAILED[*]}"
    return 1
}

cmd_lint() {
    deps
    # The other checks say what they can even when the tree does not build.
    [[ -x $(sluice_bin release) ]] || (build release) || true
    lint_all
}
