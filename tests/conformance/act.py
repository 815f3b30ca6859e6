"""Runs the action and the GitHub templates with nektos/act against the embedded platforms.

    act.py GATE FOLDER SCENARIO=ORIGIN…

The runner is this machine. What the action calls is replaced: `cargo` installs GATE,
actions/upload-artifact records what it is given, and code scanning is a server in this program.
Prints one line per check.
"""

import base64
import gzip
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
gate, work, *given = sys.argv[1:]
work = pathlib.Path(work)
origins = dict(pair.split("=", 1) for pair in given)
failures = 0

UPLOAD_ARTIFACT = """
name: records what it is given
inputs: {name: {required: true}, path: {required: true}, if-no-files-found: {}, overwrite: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FOLDER: "${{ inputs.path }}"}
      run: |
        echo "$NAME $FOLDER $(ls "$FOLDER" | tr '\\n' ' ')" >>"$RECORD"
        exit "$ARTIFACT_SERVER"
"""
ALL_REPORTS = "compliance-gate.sarif junit.xml report.html report.json report.md"


class CodeScanning(http.server.BaseHTTPRequestHandler):
    """Accepts findings, or answers with `refusal`."""

    uploads = []
    refusal = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/repos/me/mine/code-scanning/sarifs", self.path
        assert self.headers["Authorization"] == "Bearer invented-by-act", self.headers["Authorization"]
        if self.refusal:
            self.answer(self.refusal, {"message": "Code scanning is not enabled for this repository."})
            return
        body["sarif"] = json.loads(gzip.decompress(base64.b64decode(body["sarif"])))
        self.uploads.append(body)
        self.answer(202, {"id": "47177e22-5596-11eb-80a1-c1e54ef945c6", "url": "https://api.example.com"})

    def do_GET(self):
        self.answer(200, {"processing_status": "complete", "analyses_url": "https://api.example.com"})

    def answer(self, status, body):
        text = json.dumps(body, indent=2).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Ended:
    """What came of a run."""

    def __init__(self, code, log, artifacts, findings):
        self.green = code == 0
        self.log = log
        self.artifacts = [line.strip().split(maxsplit=2) for line in artifacts.splitlines()]
        self.findings = findings

    def outputs(self):
        """The outputs of the action and of its steps."""
        return dict(re.findall(r"⚙  ::set-output:: ([a-z-]+)=(.*)", self.log))


def repository(name, workflow, policies):
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/it.yml").write_text(workflow)
    for path, scenario in policies.items():
        text = (ROOT / "tests/conformance/policy.yaml").read_text()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("http://127.0.0.1:8080", origins[scenario]))
    git = ["git", "-C", str(folder), "-c", "user.name=me", "-c", "user.email=me@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["remote", "add", "origin", "https://github.com/me/mine.git"],
        ["add", "."],
        ["commit", "--quiet", "--message", "it"],
    ):
        subprocess.run([*git, *arguments], check=True)
    return folder


def run(name, workflow, policies, event="push", payload=None, secrets=True, artifact_server=0, refusal=None):
    folder = repository(name, workflow, policies)
    record = work / f"{name}.artifacts"
    record.write_text("")
    (work / f"{name}.event.json").write_text(json.dumps(payload or {}))
    CodeScanning.refusal = refusal
    CodeScanning.uploads.clear()
    command = ["act", event, "-W", ".github/workflows/it.yml", "-P", "ubuntu-latest=-self-hosted"]
    command += ["--no-cache-server", "--pull=false", "--eventpath", str(work / f"{name}.event.json")]
    for action, at in (
        ("actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "upload-artifact"),
        ("example-org/compliance-gate@0000000000000000000000000000000000000000", "compliance-gate"),
    ):
        command += ["--local-repository", f"{action}={work / at}"]
    variables = {"GITHUB_API_URL": api, "RECORD": record, "ARTIFACT_SERVER": artifact_server}
    if secrets:
        for key in ("OPENCOMPLY_API_KEY", "OPENCOMPLY_VIEWER_API_KEY", "OPENCOMPLY_ADMIN_API_KEY"):
            command += ["--secret", f"{key}=invented-opencomply"]
        # The templates name one token; the policy asks two platforms.
        variables["GRAVITYZONE_API_KEY"] = "invented-gravityzone"
    command += ["--secret", "GITHUB_TOKEN=invented-by-act"]
    for key, value in variables.items():
        command += ["--env", f"{key}={value}"]
    environment = {"PATH": f"{work / 'bin'}:{os.environ['PATH']}", "HOME": str(work / "home")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    log = done.stdout + done.stderr
    (work / f"{name}.log").write_text(log)
    return Ended(done.returncode, log, record.read_text(), list(CodeScanning.uploads))


def template(name, scenario):
    text = (ROOT / "ci-templates/github" / name).read_text().replace("https://compliance.example.com", origins[scenario])
    # act is older than this key.
    text, found = re.subn(r"\n *deployment: false\b.*", "", text)
    assert found == 1, f"{name}: {found} times `deployment: false`"
    return text


def job(*gates):
    """A workflow with one job, whose steps are gates with these inputs."""
    lines = ["on: [push, pull_request]", "permissions: {}", "jobs:", "  it:", "    runs-on: ubuntu-latest", "    steps:"]
    lines.append("      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1")
    for inputs in gates:
        lines.append("      - uses: example-org/compliance-gate@0000000000000000000000000000000000000000")
        lines.append(f"        with: {json.dumps(inputs)}")
        lines.append("        env: {OPENCOMPLY_API_KEY: '${{ secrets.OPENCOMPLY_API_KEY }}'}")
    return "\n".join(lines)


def check(title, ended, **conditions):
    global failures
    wrong = [name.replace("_", " ") for name, holds in conditions.items() if not holds]
    # Nothing that a step masks or sets comes from a platform, and no token is printed.
    wrong += [word for word in ("::add-mask", "::set-env", "::stop-commands") if word in ended.log]
    wrong += ["a token was printed"] if re.search(r"invented-(opencomply|gravityzone|by-act)", ended.log) else []
    failures += bool(wrong)
    print(f"{'FAILED ' if wrong else 'ok     '} act: {title}" + "".join(f"\n        not so: {one}" for one in wrong))
    if wrong:
        print("\n".join(ended.log.splitlines()[-40:]))


shutil.rmtree(work, ignore_errors=True)
for folder in ("bin", "home", "upload-artifact", "compliance-gate/ci-templates"):
    (work / folder).mkdir(parents=True)
(work / "upload-artifact/action.yml").write_text(UPLOAD_ARTIFACT)
shutil.copy(ROOT / "action.yml", work / "compliance-gate")
shutil.copytree(ROOT / "action", work / "compliance-gate/action")
# Pins nothing, so the action builds.
(work / "compliance-gate/ci-templates/checksums.txt").write_text("")
cargo = work / "bin/cargo"
cargo.write_text(f'#!/bin/sh\nwhile [ "$1" != --root ]; do shift; done\nmkdir -p "$2/bin"\nln -sf {gate} "$2/bin"\n')
cargo.chmod(0o755)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CodeScanning)
threading.Thread(target=server.serve_forever, daemon=True).start()
api = f"http://127.0.0.1:{server.server_port}"
ONE = {"compliance-gate.yaml": "clean"}

# --- The templates ---
for scenario, verdict, code in (
    ("clean", "passed", "0"),
    ("healthy", "warned", "0"),
    ("blocked", "blocked", "1"),
    ("inconclusive", "inconclusive", "3"),
):
    ended = run(f"deploy-{scenario}", template("gate-on-deploy.yml", scenario), {"compliance-gate.yaml": scenario})
    check(
        f"gate-on-deploy.yml, {verdict}",
        ended,
        green_if_it_passes=ended.green == (code == "0"),
        deployed_only_then=("deploy here" in ended.log) == (code == "0"),
        outputs=(ended.outputs()["verdict"], ended.outputs()["exit-code"]) == (verdict, code),
        reports_uploaded=ended.artifacts
        == [["compliance-gate-reports", "compliance-gate-reports", ALL_REPORTS]],
        no_findings_uploaded_unless_asked=ended.findings == [],
    )

ended = run("audit", template("scheduled-audit.yml", "blocked"), {"compliance-gate.yaml": "blocked"}, event="schedule")
sarif = ended.findings[0]["sarif"]["runs"][0] if ended.findings else {"results": []}
prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in sarif["results"]]
check(
    "scheduled-audit.yml, blocked: findings are uploaded first",
    ended,
    red=not ended.green,
    one_upload=len(ended.findings) == 1 and ended.findings[0]["ref"] == "refs/heads/main",
    category=sarif.get("automationDetails") == {"id": "compliance-gate/compliance-gate.yaml/none/"},
    an_alert_per_finding=len(prints) > 100 and len(set(prints)) == len(prints),
)
ended = run("audit-partial", template("scheduled-audit.yml", "inconclusive"), {"compliance-gate.yaml": "inconclusive"}, event="schedule")
check(
    "scheduled-audit.yml, inconclusive: findings are not uploaded",
    ended,
    red=not ended.green and ended.outputs()["exit-code"] == "3",
    nothing_uploaded=ended.findings == [],
)

environments = template("environments.yml", "clean")
pull_request = {"pull_request": {"head": {"repo": {"full_name": "other/mine"}, "ref": "x"}, "base": {"ref": "main"}}}
merge_group = {"action": "checks_requested", "merge_group": {"head_ref": "refs/heads/gh-readonly-queue/main/pr-1-abc", "base_ref": "refs/heads/main"}}
for event, payload in (("push", {}), ("merge_group", merge_group)):
    ended = run(f"environments-{event}", environments, ONE, event=event, payload=payload)
    check(
        f"environments.yml, {event}: both environments are checked",
        ended,
        green=ended.green,
        verdicts=ended.log.count("verdict passed, blocked by nothing") >= 2,
        artifacts_of_their_own=sorted(artifact[0] for artifact in ended.artifacts)
        == ["compliance-gate-reports-production", "compliance-gate-reports-staging"],
    )
ended = run("environments-fork", environments, ONE, event="pull_request", payload=pull_request, secrets=False)
check(
    "environments.yml, a fork's pull request: skipped, with a warning",
    ended,
    green=ended.green,
    verdict="verdict skipped, blocked by nothing" in ended.log,
    warned="::warning title=Compliance gate was SKIPPED" in ended.log,
    nothing_uploaded=ended.artifacts == [] and ended.findings == [],
)

for name, event in (("gate-on-deploy.yml", "push"), ("scheduled-audit.yml", "schedule"), ("environments.yml", "merge_group")):
    payload = merge_group if event == "merge_group" else None
    ended = run(f"upload-fails-{name}", template(name, "clean"), ONE, event=event, payload=payload, artifact_server=1, refusal=403)
    check(
        f"{name}: a pass whose upload fails stays green, with a warning",
        ended,
        green=ended.green,
        warned="::warning title=Compliance gate::The reports were not uploaded" in ended.log,
    )

# --- The action ---
inputs = {"environment": "production", "allowed-origins": origins["clean"], "upload-sarif": "true"}
ended = run("uploads-fail", job(inputs), ONE, artifact_server=1, refusal=403)
check(
    "a pass whose uploads fail stays green, with two warnings",
    ended,
    green=ended.green and ended.outputs()["verdict"] == "passed",
    artifact="::warning title=Compliance gate::The reports were not uploaded" in ended.log,
    findings="::warning title=Findings were not uploaded to code scanning::GitHub answered 403: Code scanning is not enabled" in ended.log,
)
ended = run("uploads-fail-blocked", job(inputs | {"allowed-origins": origins["blocked"]}), {"compliance-gate.yaml": "blocked"}, artifact_server=1, refusal=500)
check("a block whose uploads fail is red with 1", ended, red=not ended.green, code=ended.outputs()["exit-code"] == "1")

two = {"compliance-gate.yaml": "clean", "deploy/gate.yaml": "clean"}
ended = run(
    "two-policies",
    job(
        inputs | {"config": "compliance-gate.yaml"},
        inputs | {"config": "deploy/gate.yaml"},
        inputs | {"config": "deploy/gate.yaml", "category": "eu"},
    ),
    two,
)
categories = [upload["sarif"]["runs"][0]["automationDetails"]["id"] for upload in ended.findings]
check(
    "two policies in one job, one of them twice: no upload replaces another",
    ended,
    green=ended.green,
    artifacts=len({artifact[0] for artifact in ended.artifacts}) == 3,
    folders=len({artifact[1] for artifact in ended.artifacts}) == 3
    and all(artifact[2] == ALL_REPORTS for artifact in ended.artifacts),
    categories=categories
    == [
        "compliance-gate/compliance-gate.yaml/production/",
        "compliance-gate/deploy/gate.yaml/production/",
        "compliance-gate/deploy/gate.yaml/production/eu/",
    ],
)
ended = run("invalid-second", job(inputs, inputs | {"config": "missing.yaml", "category": "x"}), ONE)
check(
    "an invalid run uploads no reports of the run before it",
    ended,
    red=not ended.green and ended.outputs()["exit-code"] == "2",
    reports=[artifact[2:] for artifact in ended.artifacts] == [[ALL_REPORTS], []],
)

elsewhere = inputs | {"allowed-origins": "https://elsewhere.example.com"}
ended = run("elsewhere", job(elsewhere), ONE)
check("an origin that the pipeline does not allow is 2", ended, red=not ended.green, code=ended.outputs()["exit-code"] == "2")

hostile = inputs | {"allowed-origins": origins["hostile"]}
ended = run("hostile", job(hostile), {"compliance-gate.yaml": "hostile"})
names = {"binary", "name", "reports"}  # of steps
names |= {"decision-predicate", "svr-predicate", "blocked-gates", "evidence-complete", "exit-code", "html", "json", "junit", "markdown", "sarif", "verdict"}
check("hostile text of a platform sets no output", ended, outputs=set(ended.outputs()) == names)

# --- Secrets that are missing ---
skip = inputs | {"on-missing-secrets": "skip"}
own = {"pull_request": {"head": {"repo": {"full_name": "me/mine"}}}}
ended = run("forgotten", job(skip), ONE, secrets=False)
check("a push without tokens is not skipped", ended, red=not ended.green, why="No token is set" in ended.log)
ended = run("own-branch", job(skip), ONE, event="pull_request", payload=own, secrets=False)
check("a pull request of the repository's own branch is not skipped", ended, red=not ended.green)
ended = run("fork-fails", job(inputs), ONE, event="pull_request", payload=pull_request, secrets=False)
check("a fork's pull request fails by default, and says why", ended, red=not ended.green, why="says nothing about the change itself" in ended.log)
for name, wrong in (("on-missing-secrets", "ignore"), ("category", "a/b"), ("install", "release")):
    ended = run(f"wrong-{name}", job(inputs | {name: wrong}), ONE)
    check(f"{name}: {wrong} is an error", ended, red=not ended.green, nothing_ran="Verdict: " not in ended.log)

sys.exit(bool(failures))
