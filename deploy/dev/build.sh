# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Building through the CMake presets; builds live in build/PRESET.

DEV_PRESET=${SLUICE_DEV_PRESET:-release}

build_dir() { printf '%s/build/%s\n' "$DEV_ROOT" "${1:-$DEV_PRESET}"; }
sluice_bin() { printf '%s/sluice\n' "$(build_dir "${1:-}")"; }

build_presets() { sed -n 's/.*{"name": "\([a-z]*\)", "configurePreset".*/\1/p' "$DEV_ROOT/CMakePresets.json"; }

# build PRESET: configure (cheap when nothing changed) and compile. One at a time for each preset.
build() {
    local preset=$1 dir log
    dir=$(build_dir "$preset")
    log=$dir/configure.log
    build_presets | grep -qx "$preset" || die "$EX_USAGE" "no preset $preset; there are: $(build_presets | tr '\n' ' ')"
    mkdir -p "$dir"
    exec 7>"$dir/.dev-lock"
    flock 7
    if ! (cd "$DEV_ROOT" && cmake --preset "$preset" >"$log" 2>&1 7>&-); then
        show_tail "$log" 40
        die "cmake --preset $preset failed"
    fi
    # Below two jobs a core the linker of the tests leaves cores idle; more only costs memory.
    ninja -C "$dir" -j "$(($(nproc) + 1))" "${@:2}" >&2 7>&- || die "the build of $preset failed"
    exec 7>&-
}

# For commands that only need the program: built when it is not there.
build_if_missing() {
    [[ -x $(sluice_bin) ]] && return 0
    deps
    step "building build/$DEV_PRESET"
    build "$DEV_PRESET"
}

cmd_build() {
    (($# <= 1)) || die "$EX_USAGE" "build takes one preset: $(build_presets | tr '\n' ' ')"
    deps
    build "${1:-$DEV_PRESET}"
    good "$(sluice_bin "${1:-}")"
}

tracked() { git -C "$DEV_ROOT" ls-files -z --cached --others --exclude-standard -- "$@"; }

cmd_fmt() {
    deps
    (cd "$DEV_ROOT" && tracked '*.c' '*.h' | xargs -0 -r clang-format-14 -i --style=file)
    good "formatted"
}
