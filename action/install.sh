#!/usr/bin/env bash
# Installs the binary. Its path is the output `binary`.
#
# A commit of this action pins at most one release, with the SHA-256 of each of its files, in
# ci-templates/checksums.txt. So a workflow that pins the action by commit has pinned the binary too.
set -euo pipefail

checksums=$ACTION_PATH/ci-templates/checksums.txt
folder=${RUNNER_TEMP:?}/compliance-gate
mkdir -p "$folder"

die() {
    printf '::error title=compliance-gate was not installed::%s\n' "$*"
    exit 2
}

sha256() {
    # From stdin: for a path with a backslash, as on Windows, sha256sum prints a leading backslash.
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi <"$1" | cut -d ' ' -f 1
}

case "${RUNNER_OS:?}-${RUNNER_ARCH:?}" in
    Linux-X64) target=x86_64-unknown-linux-musl ;;
    Linux-ARM64) target=aarch64-unknown-linux-musl ;;
    macOS-X64) target=x86_64-apple-darwin ;;
    macOS-ARM64) target=aarch64-apple-darwin ;;
    Windows-X64) target=x86_64-pc-windows-msvc ;;
    *) target=none ;;
esac
suffix=
[[ $RUNNER_OS != Windows ]] || suffix=.exe

# Lines are `<sha256>  <version>/<file>`.
pinned=$(grep -E "^[0-9a-f]{64}  v[^/]+/compliance-gate-$target$suffix\$" "$checksums" || true)

download() {
    local sum=${pinned%% *} path=${pinned#*  } url
    url=${GITHUB_SERVER_URL:?}/${ACTION_REPOSITORY:?}/releases/download/$path
    binary=$folder/compliance-gate$suffix
    curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$binary" "$url" ||
        die "Failed to download $url. Retry, or set the input install to source."
    [[ $(sha256 "$binary") == "$sum" ]] ||
        die "$url does not have the SHA-256 that this commit of the action pins. Do not use it, and report it to its maintainers."
    printf '%s has the pinned SHA-256 %s\n' "$path" "$sum"
    verify_provenance
    chmod +x "$binary"
}

# The checksum is the proof. Provenance also states which workflow built it, and can only be
# verified on github.com, by a gh that knows attestations.
verify_provenance() {
    if [[ $GITHUB_SERVER_URL != https://github.com ]] || ! gh attestation --help >/dev/null 2>&1; then
        echo "Provenance is not verified: there is no gh that can verify attestations."
        return
    fi
    gh attestation verify "$binary" --repo "$ACTION_REPOSITORY" ||
        die "The release has no valid provenance from $ACTION_REPOSITORY."
}

build() {
    command -v cargo >/dev/null ||
        die "This commit of the action pins no release for $RUNNER_OS $RUNNER_ARCH, and building it needs cargo. Install Rust, or use a commit that pins a release."
    echo "Building from the action's own checkout. This takes some minutes."
    # From the action's folder, so that cargo ignores the workspace's rust-toolchain and .cargo/config.
    (cd "$ACTION_PATH" && cargo install --locked --profile dist --quiet --path . --root "$folder" \
        --target-dir "$folder/target") || die "Failed to build from source."
    binary=$folder/bin/compliance-gate$suffix
}

case "$INSTALL" in
    auto) if [[ -n $pinned && -n $ACTION_REPOSITORY ]]; then download; else build; fi ;;
    release)
        [[ -n $pinned ]] || die "This commit of the action pins no release for $RUNNER_OS $RUNNER_ARCH."
        download
        ;;
    source) build ;;
    *) die "The input install must be auto, release or source." ;;
esac
"$binary" --version
printf 'binary=%s\n' "$binary" >>"${GITHUB_OUTPUT:?}"
