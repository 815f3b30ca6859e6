"""Runs compliance-gate against the second server, and compares exit codes and words with what has to follow."""

import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from second_server import DIGESTS, Server

BINARY = sys.argv[1]
failures = 0
TOKENS = {
    "SYSDIG_API_TOKEN": "t1", "GRAVITYZONE_API_KEY": "t2", "BIGID_TOKEN": "t3", "BIGID_TOKEN_KIND": "system", "BIGPANDA_API_KEY": "t4"
}
PATHS = {"gravityzone": "/v1"}


def gate(title, server, folder, source, settings, gates, code, says="", more=(), seen=None, accept=""):
    """One run of the gate against a server. `seen` looks at the server afterwards."""
    global failures
    url = server.origin + PATHS.get(source, "")
    lines = ["version: 1", "sources:", f"  {source}:", f"    url: {url}", *(f"    {line}" for line in settings), "gates:"]
    lines += [f"  - {{id: g{at}, source: {source}, {keys}}}" for at, keys in enumerate(gates)]
    if accept:
        lines += ["accept:", f"  - {{id: there, upstream: {accept}, reason: r, owner: o, expires: {date.today() + timedelta(days=30)}}}"]
    (Path(folder) / "compliance-gate.yaml").write_text("\n".join([*lines, ""]))
    variables = TOKENS | {"PATH": os.environ["PATH"], "COMPLIANCE_GATE_VERBOSE": "1"}
    ended = subprocess.run([BINARY, "run", *more], cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    text = " ".join((ended.stdout + ended.stderr).split())
    good = ended.returncode == code and says in text and (seen is None or seen(server))
    failures += not good
    print(f"{'ok     ' if good else 'FAILED '} {title}: exit {ended.returncode}")
    if not good:
        print(f"        expected {code} and `{says}`\n{ended.stdout}\n{ended.stderr}")


def run(title, source, settings, gates, code, says="", faults=None, folder=None, seen=None, accept=""):
    """One run against a server of its own."""
    with tempfile.TemporaryDirectory() as own, Server(**(faults or {})) as server:
        gate(title, server, folder or own, source, settings, gates, code, says, seen=seen, accept=accept)


def pair(title, source, settings, red, green, **more):
    """A gate that is breached, and one that holds by the same selector or setting."""
    run(f"{title}, breached", source, settings, [red], 1, **more)
    run(f"{title}, held", source, settings, [green], 0, **more)


NEW = 'images: [{tag: "registry.example.com/shop/api:2"}]'
FIND = "vulnerabilities: findings"

# Sysdig posture: labels, clusters, namespaces; projects, subscriptions and labels of the inventory; accounts.
pair("posture, label", "sysdig", ["posture: {}"], 'label: "team=shop", max: 0', 'label: "team=shop", max: 1')
pair("posture, namespace", "sysdig", ["posture: {}"], "namespace: shop, max: 0", "namespace: shop, max: 1")
pair("posture, cluster", "sysdig", ["posture: {}"], "cluster: production, max: 1", "cluster: production, max: 2")
for key, value, red in [("labels", '"team:web"', 1), ("project", "project-7", 1), ("subscription", "sub-9", 0)]:
    settings = [f"posture: {{inventory: {{{key}: {value}}}}}"]
    run(f"inventory, {key}", "sysdig", settings, ["max: 0"], red)
for key, value, red in [("labels", '"team:w*"', 1), ("external_dns", '"*example*"', 1), ("project", '"(none)"', 1), ("version", '"*"', 1),
                        ("distribution", "gke", 1), ("name", '"doc*"', 0)]:
    run(f"inventory, {key} {value}", "sysdig", [f"posture: {{inventory: {{{key}: {value}}}}}"], ["max: 0"], red)
run("inventory, a filter ignored", "sysdig", ['posture: {inventory: {labels: "team:w*"}}'], ["max: 9"], 3, "ignores", {"unfiltered": True})
run("inventory, no such operator", "sysdig", ['posture: {inventory: {name: "*data"}}'], ["max: 9"], 2, "*data*")
run("inventory, a value that nothing has", "sysdig", ["posture: {inventory: {project: p}}"], ["max: 9"], 2, "matches no resource")
account = ['posture: {inventory: {account: "1111"}}']
run("account connected", "sysdig", account, ["max: 1"], 0)
run("account disconnected", "sysdig", account, ["max: 1"], 3, "1111", {"disconnected": "1111"})
run("posture of the account off", "sysdig", account, ["max: 1"], 3, "1111", {"posture_off": "1111"})
for name, fault in [("off", {"posture_off": "1111"}), ("gone", {"disconnected": "1111"})]:
    run(f"account {name}, of a gate", "sysdig", ["posture: {}"], ['account: "1111", max: 9'], 3, "1111", fault)
    run(f"account {name}, by name or number", "sysdig", ["posture: {}"], ["each: account, max: 9"], 3, "1111", fault)
    run(f"account {name}, of no gate", "sysdig", ["posture: {}"], ["max: 9"], 0, "account 1111", fault)
    run(f"account {name}, left out", "sysdig", ["posture: {}"], ['max: 9, except: {account: "1111"}'], 0, "Verdict: passed", fault)
run("accounts not known, of a gate", "sysdig", ["posture: {}"], ['account: "1111", max: 9'], 3, "not known", {"accounts_unknown": True})
run("accounts not known", "sysdig", ["posture: {}"], ["max: 9"], 0, "not known", {"accounts_unknown": True})

# Sysdig images: the list of scans, files, repositories, comparison, feeds, no policy, fixable.
run("tag by the list of scans", "sysdig", [NEW], ["severity: high, max: 0"], 0)
pair("fixable", "sysdig", [NEW, FIND], "severity: critical, fixable: true, max: 0", "severity: critical, fixable: true, max: 1")
shop = 'images: [{repository: "registry.example.com/shop/*"}]'
run("repository", "sysdig", [shop, FIND], ["severity: critical, max: 2"], 1)
run("repository, all counted", "sysdig", [shop, FIND], ["severity: critical, max: 3"], 0)
old = 'compare_to: "registry.example.com/shop/api:1"'
pair("nothing new", "sysdig", [NEW, FIND, old], "severity: \">= high\", max: 0", "severity: \">= high\", max: 1")
run("nothing new, image unknown", "sysdig", [NEW, FIND, 'compare_to: "r/a:1"'], ["severity: high, max: 9"], 3, "no scan of image r/a:1")
feed = [NEW, FIND, "feed_max_age: 2d"]
run("feed of today", "sysdig", feed, ["severity: critical, max: 2"], 0, "synchronised")
run("feed two weeks old", "sysdig", feed, ["severity: critical, max: 2"], 3, "14days", {"feed_days": 14})
group = {"group_days": 14}
run("one group two weeks old", "sysdig", feed, ["severity: critical, max: 2"], 3, "vulnerabilities/alpine:3.19", group)
run("one group two weeks old, another named", "sysdig", [*feed, 'feed_groups: "debian:*"'], ["severity: critical, max: 2"], 0,
    faults=group)
run("the list of scans says FAIL", "sysdig", [shop], ["severity: high, max: 0"], 3, "says `FAIL`", {"row": {"policyStatus": "FAIL"}})
run("not analysed in the list", "sysdig", [shop], ["severity: high, max: 0"], 3, "shop/api:2", {"row": {"analysisStatus": "not_analyzed"}})
accepted = ['images: [{tag: "registry.example.com/shop/api:1"}]', FIND]
there = "sysdig.vulnerability_exception"
run("exception, and no entry for it", "sysdig", accepted, ["severity: critical, max: 0"], 1, "accepted on the platform")
run("exception", "sysdig", accepted, ["severity: critical, max: 0"], 0, accept=there)
run("exceptions that cannot be read", "sysdig", accepted, ["severity: critical, max: 0"], 1, "could not be read",
    {"exceptions": {"oops": 1}}, accept=there)
run("exception that is over", "sysdig", accepted, ["severity: critical, max: 0"], 1, faults={"exception_over": True}, accept=there)
run("exception that is off", "sysdig", accepted, ["severity: critical, max: 0"], 1, faults={"exception_off": True}, accept=there)
bare = 'images: [{tag: "registry.example.com/shop/bare:1"}]'
run("no policy applies", "sysdig", [bare], ["max: 0"], 3, "no policy evaluated")
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "release.txt").write_text(f"# release\nregistry.example.com/shop/api:2\n{DIGESTS['web']}\n")
    pair("images_file", "sysdig", ["images_file: release.txt", FIND], "severity: critical, max: 2", "severity: critical, max: 3",
         folder=folder)

# Sysdig events: by namespace, image, container, label; a quiet window; access.
day = ["events: {window: 24h}"]
for selector in ["namespace: shop", 'image: "registry.example.com/shop/api"', "container: shop-1", "cluster: production, namespace: web",
                 "host: node-2", "category: runtime, namespace: web", "event_source: syscall, container: web-1",
                 'label: "kubernetes.namespace.name=web"', 'account: "1111", namespace: shop']:
    pair(f"events, {selector}", "sysdig", day, f"{selector}, max: 0", f"{selector}, max: 1")
run("quiet, and there were events", "sysdig", day, ["max: 0"], 0, faults={"no_events": True})
never = {"no_events": True, "never_events": True}
run("quiet, and there never was one", "sysdig", day, ["max: 0"], 3, "never had an event", never)
off = {"no_events": True, "agents": {"total": 1, "agents": [{"id": 1, "connected": False}]}}
run("quiet, and no agent is connected", "sysdig", day, ["max: 0"], 3, "no agent is connected", off)
odd = {"no_events": True, "agents": {"x": 1}, "has_events": {"x": 1}}
run("quiet, and nothing readable about who watches", "sysdig", day, ["max: 0"], 3, "no answer of a known shape", odd)
pair("events, categories", "sysdig", ["events: {window: 24h, categories: runtime}"], "max: 1", "max: 2")
run("quiet: allowed", "sysdig", ["events: {window: 24h, quiet: allowed}"], ["max: 0"], 0, "needs to be watching", never)
run("401", "sysdig", day, ["max: 0"], 4, "IBMCLOUD_API_KEY", {"refuse_token": True})
crn = "crn:v1:bluemix:public:sysdig-secure:us-south:a/0123:guid-7::"
run("CRN, team and headers", "sysdig", [f'instance_id: "{crn}"', 'headers: {Account: "0123"}', *day], ["max: 2"], 0,
    seen=lambda server: all(sent["account"] == "0123" and sent["ibminstanceid"] == "guid-7" for sent in server.headers))

# Windows without gaps.
for source, wide, short, since in [
    ("sysdig", ["events: {window: 1h}"], ["events: {window: 10m}"], ["events: {window: since_previous}"]),
    ("bigpanda", ["window: 1h"], ["window: 10m"], ["window: since_previous"]),
]:
    high = ['severity: ">= high", max: 0']
    run(f"{source}: since_previous, none given", source, since, high, 3, "to begin, run once")
    # Evidence of another server is that of another platform, so all runs are against one.
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        for title, settings, code, says, more in [
            ("a run that blocks", wide, 1, "", ["--save-evidence", "blocked.jsonl"]),
            ("since a run that blocked", since, 3, "did not pass", ["--previous", "blocked.jsonl"]),
            ("a run that passes", short, 0, "", ["--save-evidence", "passed.jsonl"]),
            ("since a run that passed", since, 0, "", ["--previous", "passed.jsonl"]),
        ]:
            gate(f"{source}: {title}", server, folder, source, settings, high, code, says, more)
        server.faults["late"] = [int(time.time())]
        gate(f"{source}: what arrived late", server, folder, source, since, high, 1, "from before the window counted", ["--previous", "passed.jsonl"])

# GravityZone: scan groups, and a severity that was lowered.
pair("scan_group", "gravityzone", [], "scan_group: web, max: 0", "scan_group: web, max: 1")
pair("section", "gravityzone", [], "section: nist-sp-800-53-r5/AC, max: 0", "section: AC, max: 1")
pair("section, pass rate", "gravityzone", [], "section: CM, min_pass_rate: 51%", "section: CM, min_pass_rate: 50%")
run("severity lowered", "gravityzone", [], ["severity: high, max: 0"], 1, "lowered from high to low")

# BigID: assignees, a filter that the totals prove, a filter that is ignored, a case that is missing.
pair("assignee", "bigid", [], "status: open, assignee: ann@example.com, max: 5", "status: open, assignee: ann@example.com, max: 6")
run("filter proven by totals", "bigid", [], ["max: 12"], 0, "1,188 cases not read", seen=lambda server: server.bigid.pages < 3)
run("filter ignored", "bigid", [], ["max: 12"], 0, faults={"ignore_filter": True}, seen=lambda server: server.bigid.pages > 1)
run("a critical case that is not listed", "bigid", [], ["severity: low, max: 99"], 3, "cases-by-severity", {"hide_critical": True})

# BigPanda: what was switched off, and a key that came back.
run("pattern switched off", "bigpanda", [], ["rule: correlation_patterns.update, severity: high, max: 0"], 1)
run("key brought back", "bigpanda", [], ["rule: api_keys.update, severity: high, max: 0"], 1)
run("401 names the regions", "bigpanda", [], ["max: 0"], 4, "api.eu.bigpanda.io", {"refuse_token": True})

sys.exit(failures > 0)
