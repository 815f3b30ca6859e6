#!/usr/bin/env bash
# Checks the HTML report in headless Chromium, with axe-core: filter, keyboard, links, print, phone,
# dark, no script, 25,000 findings.
#
#   tests/conformance/browser.sh
#   SHOTS=FOLDER tests/conformance/browser.sh    also writes a picture of each page
#
# Needs target/sample-reports, which `cargo test` writes.
set -euo pipefail
# shellcheck source=tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source=pages.sh
source "$root/tests/conformance/pages.sh"

pages=$tools/pages
install_browser
make_pages "$pages"
cp "$root"/target/sample-reports/{hostile,many}.html "$pages"
NODE_PATH=$tools/browser/node_modules node "$root/tests/conformance/browser.cjs" "$pages" ${SHOTS:+"$SHOTS"} || failures=1
verdict
