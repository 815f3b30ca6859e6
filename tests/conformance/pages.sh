# shellcheck shell=bash disable=SC2154 # tools.sh is read before it
# HTML reports of the real binary, one for each verdict, and the browser that opens them.

export OPENCOMPLY_API_KEY=invented GRAVITYZONE_API_KEY=invented BIGID_TOKEN=invented SYSDIG_API_TOKEN=invented

install_browser() {
    mkdir -p "$tools"
    command -v npm >/dev/null || packages nodejs npm
    packages chromium fonts-dejavu-core poppler-utils
    [[ -d $tools/browser/node_modules/axe-core ]] ||
        npm install --silent --no-audit --no-fund --prefix "$tools/browser" playwright-core@1.65.1 axe-core@4.14.1
}

# page NAME SCENARIO EXIT [ARGUMENT]...: runs the policy people.yaml, as a job of GitHub would. The variable
# `edit` may hold a further command of sed for the policy.
page() {
    local name=$1 scenario=$2 expected=$3 code=0 policy
    shift 3
    policy=$pages/$name/compliance-gate.yaml
    # A repository by itself, so that its paths are short.
    mkdir -p "$pages/$name/.git"
    platform "$scenario"
    sed -e "s|http://127.0.0.1:8080|$origin|; s|LATER|$(date -u -d '60 days' +%F)|; s|SOON|$(date -u -d '9 days' +%F)|
        s|PAST|$(date -u -d '5 days ago' +%F)|" -e "${edit:-}" "$root/tests/conformance/people.yaml" >"$policy"
    sed "s|http://127.0.0.1:8080|$origin|" "$root/tests/conformance/people-org.yaml" >"$pages/$name/org.yaml"
    (
        cd "$pages/$name"
        env GITHUB_ACTIONS=true GITHUB_SHA=0123456789abcdef0123456789abcdef01234567 GITHUB_RUN_ID=7 \
            GITHUB_REPOSITORY=shop/checkout GITHUB_SERVER_URL=https://git.example.com GITHUB_ACTOR=deployer \
            "$gate" run --ci github --environment production --html "$pages/$name.html" --markdown "$pages/$name.md" \
            --save-evidence "$pages/$name.jsonl" "$@"
    ) >"$pages/$name.log" 2>&1 || code=$?
    [[ $code = "$expected" ]] || fail "page $name exits $code, not $expected: $(tail -n 3 "$pages/$name.log")"
}

make_pages() {
    local pages=$1
    rm -rf "$pages"
    mkdir -p "$pages"
    edit='/^accept:/,/^owners:/{/^owners:/!d}' page passed clean 0
    page warned healthy 0
    page blocked blocked 1 --org-policy org.yaml
    page inconclusive inconclusive 3
    page denied bigid-refused 4
    edit='s|\[baseline_security\]|[baseline_securty]|' page invalid healthy 2
}
