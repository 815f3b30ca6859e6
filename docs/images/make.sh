#!/usr/bin/env bash
# Makes the pictures of this folder from the real program and simulated platforms: docs/images/make.sh
#
# Needs target/debug/compliance-gate (`cargo build`). Installs Chromium below target/conformance and with
# apt-get, as tests/conformance/run does.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../tests/conformance/tools.sh
source "$root/tests/conformance/tools.sh"
# shellcheck source=../../tests/conformance/pages.sh
source "$root/tests/conformance/pages.sh"

install_browser
packages pngquant
pages=$tools/pictures
rm -rf "$pages"
page blocked blocked 1 --org-policy org.yaml
# Once more, as a person sees it.
(
    cd "$pages/blocked"
    CLICOLOR_FORCE=1 COLUMNS=90 "$gate" run --ci none --environment production --org-policy org.yaml \
        --html report.html --save-evidence evidence.jsonl 2>/dev/null || true
) | python3 "$root/docs/images/terminal_svg.py" >"$root/docs/images/blocked-terminal.svg"
NODE_PATH=$tools/browser/node_modules node "$root/docs/images/screenshot.cjs" "$pages/blocked.html" "$root/docs/images/blocked-html.png"
pngquant --force --strip --output "$root/docs/images/blocked-html.png" 64 "$root/docs/images/blocked-html.png"
verdict
