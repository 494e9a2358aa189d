# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Debian packages that building, testing and the local stack need. Installs what is missing and touches nothing else.

# "a|b": either will do; the first is installed when neither is there.
readonly DEV_PACKAGES=(
    build-essential clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev cmake ninja-build pkg-config
    librdkafka-dev libpq-dev libcurl4-openssl-dev libuv1-dev libmicrohttpd-dev libssl-dev libavro-dev libjansson-dev
    libcriterion-dev libgnutls28-dev
    postgresql-15 postgresql-client-15 kcat "default-jre-headless|openjdk-17-jre-headless" maven
    shellcheck cppcheck jq curl python3 nodejs git ca-certificates
)

deps_supported() {
    local ID='' VERSION_ID=''
    [[ -r /etc/os-release ]] && . /etc/os-release
    [[ $ID == debian && $VERSION_ID == 12 ]] && command -v dpkg-query >/dev/null
}

# Prints the packages that are missing; one call of dpkg-query, so it costs some milliseconds.
deps_missing() {
    local installed entry name found
    # It returns 1 as soon as it does not know one of the names.
    # shellcheck disable=SC2046 # names without spaces; alternatives are split on purpose
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $(printf '%s ' "${DEV_PACKAGES[@]}" | tr '|' ' ') 2>/dev/null) || true
    for entry in "${DEV_PACKAGES[@]}"; do
        found=no
        for name in ${entry//|/ }; do
            ! grep -qx "installed $name" <<<"$installed" || found=yes
        done
        [[ $found == yes ]] || printf '%s\n' "${entry%%|*}"
    done
}

# The server package makes and starts a cluster of the system when it is first installed. We bring our own, so for the
# time of the installation it is told not to; the drop-in goes again, other installations are not ours to change.
deps_apt() {
    local sudo=() dropin=/etc/postgresql-common/createcluster.d/sluice-dev.conf rc=0
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null || die "$EX_UNAVAILABLE" "not root and no sudo; install as root: apt-get install $*"
        sudo=(sudo)
        note "sudo is used for this installation only"
    fi
    if [[ " $* " == *" postgresql-15 "* ]]; then
        "${sudo[@]}" mkdir -p "${dropin%/*}"
        printf 'create_main_cluster = false\n' | "${sudo[@]}" tee "$dropin" >/dev/null
    else
        dropin=''
    fi
    "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update >&2 &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
            -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >&2 || rc=$?
    [[ -z $dropin ]] || "${sudo[@]}" rm -f "$dropin"
    return "$rc"
}

deps() {
    local list missing
    [[ -z ${SLUICE_DEV_SKIP_DEPS:-} ]] || return 0
    if ! deps_supported; then
        err "./dev installs and runs on Debian 12; here, use the compose stack: docker compose up"
        note "(all tools installed by hand? SLUICE_DEV_SKIP_DEPS=1 ./dev ... goes on without this check)"
        exit "$EX_UNAVAILABLE"
    fi
    list=$(deps_missing) || die "cannot ask dpkg-query what is installed"
    [[ -n $list ]] || return 0
    mapfile -t missing <<<"$list"
    step "installing from Debian's packages: ${missing[*]}"
    deps_apt "${missing[@]}" || die "$EX_UNAVAILABLE" "apt-get failed (see above)"
    list=$(deps_missing)
    [[ -z $list ]] || die "still missing after the installation: ${list//$'\n'/ }"
}

cmd_deps() {
    (($# == 0)) || die "$EX_USAGE" "deps takes no arguments"
    deps
    good "everything is installed"
}
