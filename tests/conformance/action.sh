#!/usr/bin/env bash
# Runs the action's installation against a release: pinned, tampered with, and not pinned.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

work=$tools/action
rm -rf "$work"
mkdir -p "$work/ci-templates" "$work/temp" "$work/release/me/compliance-gate/releases/download/v9.9.9"
asset=compliance-gate-x86_64-unknown-linux-musl
ln "$gate" "$work/release/me/compliance-gate/releases/download/v9.9.9/$asset"
: >"$work/server.log"
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/release" 0 >"$work/server.log" 2>&1 &
platforms+=("$!")
until server=$(sed -n 's/.*(\(http:[^)]*\)\/).*/\1/p' "$work/server.log") && [[ -n $server ]]; do sleep 0.1; done

# installs PIN INSTALL: what it prints is in $said, its exit code in $code, the binary in $binary.
installs() {
    printf '# pinned\n%s' "$1" >"$work/ci-templates/checksums.txt"
    : >"$work/output"
    code=0
    said=$(env -i PATH="$PATH" HOME="$work" ACTION_PATH="$work" ACTION_REPOSITORY=me/compliance-gate INSTALL="$2" \
        GITHUB_OUTPUT="$work/output" GITHUB_SERVER_URL="$server" RUNNER_TEMP="$work/temp" RUNNER_OS=Linux RUNNER_ARCH=X64 \
        bash "$root/action/install.sh" 2>&1) || code=$?
    binary=$(sed -n 's/^binary=//p' "$work/output")
}
said() {
    judge "action's installation: $1" test "$code $binary" = "$2"
    judge "action's installation: $1, and says so" grep --quiet --fixed-strings "$3" <<<"$said"
}

sum=$(sha256sum "$gate")
pin="${sum%% *}  v9.9.9/$asset"
installs "$pin"$'\n' auto
said "takes the pinned release" "0 $work/temp/compliance-gate/compliance-gate" "has the pinned SHA-256"
installs "00000000${pin:8}"$'\n' auto
said "refuses a file with another SHA-256" "2 " "does not have the SHA-256"
installs '' release
said "release without a pin fails" "2 " "pins no release"
installs "$pin"$'\n' latest
said "refuses an input that it does not know" "2 " "must be auto, release or source"
verdict
