"""Two hundred gates of three frameworks and five accounts on one simulated OpenComply.

    soak.py BINARY

Half an hour of the platform's time passes at twenty times its pace. Its services restart every two
and a half minutes, for fifteen seconds. Other users start runs of their own, which take the runners
of unfinished ones, and cancel some of theirs; some gates are stopped by their CI host. A gate that
passes or blocks must be right, and none may be later than its deadline.
"""

import collections
import json
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

PACE = 20
MINUTE = 60 / PACE
GATES = 200
WINDOW = 30 * MINUTE
DEADLINE = 40 * MINUTE
GRACE = 3
TOKEN = "key-of-the-soak-4711"
FRAMEWORKS = ["baseline_security", "second", "third"]
ACCOUNTS = [f"10000000000{number}" for number in range(1, 6)]
SCOPES = [[account] for account in ACCOUNTS] + [ACCOUNTS]
SERVICES = ["scheduler", "search", "auth", "integration"]

chance = random.Random(17)


def scenario(restarts):
    """The platform: a job takes about 140 seconds, as a small framework on an idle one does."""
    alarms = {"second": {"critical": 7, "high": 21}, "third": {"high": 40, "low": 15}}
    frameworks = {name: {"title": name, "ok": 180, "alarms": of} for name, of in alarms.items()}
    integrations = [
        {"integration_type": "aws_cloud_account", "provider_id": account, "name": f"a-{account[-1]}"}
        for account in ACCOUNTS
    ]
    stages = {"created": 60, "runners": 40, "sink": 20, "summarizer": 20}
    pace = {stage: seconds * 1000 // PACE for stage, seconds in stages.items()}
    every, lasts = 150_000 // PACE, 15_000 // PACE
    outages = [
        {"service": SERVICES[number % 4], "after": 5_000 + number * every, "lasts": lasts}
        for number in range(24)
    ]
    return {
        "opencomply": {
            "frameworks": frameworks,
            "integrations": integrations,
            "job": {"pace": pace},
            "outages": outages if restarts else [],
        }
    }


class Platform:
    def __init__(self, binary, folder, restarts):
        path = folder / f"scenario-{restarts}.json"
        path.write_text(json.dumps(scenario(restarts)))
        self.log = open(folder / f"platform-{restarts}.log", "w+")
        command = [binary, "simulate", "-v", "--listen", "127.0.0.1:0", "--scenario", str(path)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.origin = self.wait_for_origin()

    def text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def wait_for_origin(self):
        for _ in range(200):
            if found := re.search(r"http://127\.0\.0\.1:\d+", self.text()):
                return found[0]
            time.sleep(0.1)
        sys.exit("the simulated platform did not start")

    def call(self, path, body):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        url = f"{self.origin}/main/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            return {}

    def end(self):
        self.process.terminate()
        self.process.wait()


class Gate:
    """One gate, as a process of its own."""

    def __init__(self, binary, folder, origin, number, framework, scope, run, most):
        self.folder = folder / f"gate-{number}"
        self.folder.mkdir()
        self.binary, self.framework, self.scope, self.run = binary, framework, scope, run
        entries = ", ".join(f'{{provider_id: "{account}"}}' for account in scope)
        (self.folder / "compliance-gate.yaml").write_text(
            f"version: 1\ndeadline: {int(DEADLINE)}s\nsources:\n  opencomply:\n"
            f"    url: {origin}\n    frameworks: [{framework}]\n    integrations: [{entries}]\n"
            f"    run: {run}\n    poll: {{interval: {10_000 // PACE}ms}}\n"
            f"gates:\n  - {{id: most, source: opencomply, max: {most}}}\n"
        )

    def start(self):
        names = [name for name in os.environ if not name.startswith(("CI", "GITHUB", "COMPLIANCE"))]
        variables = {name: os.environ[name] for name in names} | {"OPENCOMPLY_API_KEY": TOKEN}
        self.began = time.monotonic()
        self.output, self.errors = (open(self.folder / name, "w") for name in ("stdout", "stderr"))
        self.process = subprocess.Popen(
            [self.binary, "run", "--json", "report.json"],
            cwd=self.folder,
            env=variables,
            stdout=self.output,
            stderr=self.errors,
        )

    def wait(self):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.took = time.monotonic() - self.began
        self.memory, self.cpu = usage.ru_maxrss // 1024, usage.ru_utime + usage.ru_stime
        self.code = self.process.returncode

    def report(self):
        path = self.folder / "report.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def lines(self):
        return (self.folder / "stderr").read_text()

    def notes(self):
        """What a person is shown on the way, and what the report says."""
        return self.lines() + json.dumps(self.report())


def truth(binary, folder):
    """How many checks fail in each scope of each framework, on a platform that nothing disturbs."""
    platform = Platform(binary, folder, restarts=False)
    failed = {}

    def learn(framework):
        for scope in SCOPES:
            gate = Gate(
                binary, folder, platform.origin, f"{framework}-{len(scope)}-{scope[0]}", framework,
                scope, "{when: always}", 0,
            )
            gate.start()
            gate.wait()
            count = gate.report()["gates"][0]["observed"]["failed"]
            assert gate.code == (1 if count else 0), gate.lines()
            failed[framework, tuple(scope)] = count

    threads = [threading.Thread(target=learn, args=(framework,)) for framework in FRAMEWORKS]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    platform.end()
    return failed


def disturb(platform, until):
    """Other users: they start runs at any time, and cancel some of theirs at once."""
    started = cancelled = 0
    while time.monotonic() < until:
        time.sleep(chance.uniform(2, 6) * MINUTE)
        scope = chance.choice(SCOPES)
        known = platform.integrations
        body = {"integration_info": [{"integration_id": known[account]} for account in scope]}
        framework = chance.choice(FRAMEWORKS)
        answer = platform.call(f"schedule/api/v3/compliance/framework/{framework}/run", body)
        jobs = [str(job["job_id"]) for job in answer.get("jobs") or []]
        started += len(jobs)
        if jobs and chance.random() < 0.3:
            time.sleep(MINUTE / 2)
            body = {"job_type": "compliance", "selector": "job_id", "job_id": jobs}
            platform.call("schedule/api/v3/jobs/cancel", body)
            cancelled += len(jobs)
    platform.others = (started, cancelled)


def main(binary):
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak(os.path.abspath(binary), pathlib.Path(folder))


def soak(binary, folder):
    failed = truth(binary, folder)
    platform = Platform(binary, folder, restarts=True)
    request = urllib.request.Request(
        f"{platform.origin}/main/integration/api/v1/integrations",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request) as answer:
        items = json.load(answer)["integrations"]
    platform.integrations = {item["provider_id"]: item["integration_id"] for item in items}
    began = time.monotonic()
    others = threading.Thread(target=disturb, args=(platform, began + WINDOW))
    others.start()
    done = []

    def one(number):
        time.sleep(max(0, began + number * WINDOW / GATES - time.monotonic()))
        framework, scope = chance.choice(FRAMEWORKS), chance.choice(SCOPES)
        stale = f"{{when: stale, max_age: {int(5 * MINUTE)}s}}"
        run = ["{when: always}", "{when: always}", stale, "{when: never}"][number % 4]
        count = failed[framework, tuple(scope)]
        most = max(0, count - number % 2)
        gate = Gate(binary, folder, platform.origin, number, framework, scope, run, most)
        gate.expected = 1 if most < count else 0
        gate.stopped = number % 20 == 10
        gate.start()
        if gate.stopped:
            limit = threading.Timer(chance.uniform(0.5, 3) * MINUTE, gate.process.send_signal, [signal.SIGTERM])
            limit.start()
        gate.wait()
        done.append(gate)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(GATES)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    others.join()
    lines = platform.text()
    platform.end()
    judge(done, platform, lines, time.monotonic() - began)


def judge(done, platform, lines, took):
    wrong = [gate for gate in done if gate.code in (0, 1) and gate.code != gate.expected]
    late = [gate for gate in done if gate.took > DEADLINE + GRACE]
    crashed = [gate for gate in done if gate.code not in (0, 1, 3, 5, 143)]
    codes = collections.Counter(gate.code for gate in done)
    reasons = collections.Counter()
    for gate in done:
        if gate.code in (3, 5):
            report = gate.report()
            troubles = report["gates"][0]["troubles"] + report["sources"][0]["troubles"]
            first = troubles[0]["message"] if troubles else gate.lines()[-200:]
            first = re.sub(r"\d+", "N", first)
            reasons[re.sub(r".*framework `\w+`: ", "", first)[:150]] += 1
    seen = {
        "started a run": "starting a run",
        "joined one": ": joined job",
        "waited for another user's": "waiting for job",
        "used one of before": "relies on job",
        "saw a run lose its runners": "lost its runners",
        "waited through an outage": "no answer since",
    }
    print(f"{len(done)} gates, {len(FRAMEWORKS)} frameworks, {len(ACCOUNTS)} accounts, "
          f"{took * PACE / 60:.0f} minutes of the platform in {took:.0f} s")
    print("exit codes:", ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
    for what, words in seen.items():
        print(f"  {sum(words in gate.notes() for gate in done):4} {what}")
    for reason, count in reasons.most_common():
        print(f"  {count:4} undecided: {reason}")
    runs = len(re.findall(r"POST \S+/run 200", lines))
    print(f"runs started: {runs}, of which other users {platform.others[0]}, "
          f"who cancelled {platform.others[1]}; gates cancelled {lines.count('jobs/cancel 200') - platform.others[1]}")
    print(f"requests: {len(re.findall(r'(GET|POST) /main/', lines))}, "
          f"of which resource views {lines.count('quick/scan')}")
    print(f"a gate: at most {max(gate.memory for gate in done)} MiB, "
          f"{sum(gate.cpu for gate in done) / len(done):.2f} s of processor time on average, "
          f"the slowest {max(gate.took for gate in done):.0f} s of {DEADLINE:.0f} s")
    print(f"wrong verdicts: {len(wrong)}; later than the deadline: {len(late)}; other ends: {len(crashed)}")
    for gate in (wrong + late + crashed)[:5]:
        print(gate.code, gate.expected, f"{gate.took:.0f} s", gate.framework, gate.scope, gate.run)
        print(gate.lines()[-2000:])
    sys.exit(1 if wrong or late or crashed else 0)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(*sys.argv[1:])
