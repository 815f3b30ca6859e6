"""Real clients of Jira and ServiceNow against the simulator and the export; run by export.sh."""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import jira
import pysnc
import pysnow

BINARY = pathlib.Path(sys.argv[1]).resolve()
CASES = 4
TOKEN = "a-test-token-that-stands-in-no-text"
checks = 0


def check(what, holds):
    global checks
    checks += 1
    if not holds:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")


def refused(what, error, act):
    try:
        act()
    except error as raised:
        check(what, True)
        return raised
    return check(what, False)


class Simulator:
    """The embedded platforms, as their own process."""

    def __init__(self, folder, scenario):
        path = folder / "scenario.json"
        path.write_text(json.dumps(scenario))
        command = [BINARY, "simulate", "--listen", "127.0.0.1:0", "--scenario", path]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.origin = self.process.stdout.readline().split(" at ")[1].strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def export(folder, origin, *arguments):
    (folder / "compliance-gate.yaml").write_text(
        f"""version: 1
sources: {{bigid: {{url: {origin}}}}}
gates: [{{id: cases, source: bigid, max: 0}}]
export:
  ledger: tickets.jsonl
  jira: {{url: {origin}, project: SEC}}
  servicenow: {{url: {origin}}}
"""
    )
    environment = {
        "BIGID_TOKEN": TOKEN, "BIGID_TOKEN_KIND": "system",
        "JIRA_API_TOKEN": TOKEN, "JIRA_EMAIL": "robot@example.com",
        "SERVICENOW_USER": "robot", "SERVICENOW_PASSWORD": TOKEN,
    }
    ended = subprocess.run(
        [BINARY, "export", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if ended.returncode:
        sys.exit(f"FAILED  export {arguments}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def judge_jira(folder, origin):
    client = jira.JIRA(origin, basic_auth=("robot@example.com", TOKEN))
    check("jira: reads the server's information", client.deploymentType == "Cloud")
    fields = {"project": {"key": "SEC"}, "issuetype": {"name": "Task"}, "summary": "by hand"}
    made = client.create_issue({**fields, "labels": ["by-hand"], "description": "words"})
    found = client.enhanced_search_issues('project = SEC AND labels = "by-hand"')
    check("jira: finds what it made", [issue.key for issue in found] == [made.key])
    check("jira: reads it back", client.issue(made.key).fields.description == "words")
    many = client.create_issues([fields, {**fields, "summary": "two\nlines"}, fields])
    check("jira: a bulk may fail in part", sum(1 for one in many if one["error"]) == 1)
    refused("jira: the old search is gone", jira.JIRAError, lambda: client._session.get(
        f"{origin}/rest/api/2/search", params={"jql": "project = SEC"}))
    refused("jira: an unbounded search is refused", jira.JIRAError,
            lambda: client.enhanced_search_issues("order by created"))

    said = export(folder, origin, "jira", "--apply")
    check("export: makes an issue of every case", f"Jira: {CASES} created" in said)
    ours = client.enhanced_search_issues('project = SEC AND labels = "compliance-gate"')
    check("jira: sees them", len(ours) == CASES)
    marks = [label for issue in ours for label in issue.fields.labels if label.startswith("gate-")]
    check("jira: each has its own mark", len(set(marks)) == CASES)
    by_mark = [client.enhanced_search_issues(f'project = SEC AND labels = "{mark}"') for mark in marks]
    check("jira: each is found by it", all(len(found) == 1 for found in by_mark))

    first = ours[0]
    client.transition_issue(first, "31")
    said = export(folder, origin, "jira", "--apply")
    check("export: sees that jira closed one", f"{first.key} is closed and the case is open" in said)

    # What the client made counts as the case's ticket, also without a ledger.
    mark = next(label for label in first.fields.labels if label.startswith("gate-"))
    first.delete()
    other = client.create_issue({**fields, "labels": [mark]})
    (folder / "tickets.jsonl").unlink()
    said = export(folder, origin, "jira", "--apply")
    check("export: finds the issue that jira made", f"Jira: {CASES} found" in said and other.key in said)
    ours = client.enhanced_search_issues('project = SEC AND labels = "compliance-gate"')
    check("jira: there is no other one", len(ours) == CASES - 1)


def judge_pysnow(folder, origin):
    host = origin.removeprefix("http://")
    client = pysnow.Client(host=host, user="robot", password=TOKEN, use_ssl=False)
    incidents = client.resource(api_path="/table/incident")
    made = incidents.create(payload={"short_description": "by hand", "correlation_id": "hand:1"})
    found = incidents.get(query={"correlation_id": "hand:1"}).all()
    check("pysnow: finds what it made", [row["sys_id"] for row in found] == [made["sys_id"]])
    changed = incidents.update(query={"correlation_id": "hand:1"}, payload={"impact": "1", "urgency": "1"})
    check("pysnow: the priority is computed", changed["priority"] == "1")

    said = export(folder, origin, "servicenow", "--apply")
    check("export: makes an incident of every case", f"ServiceNow: {CASES} created" in said)
    ours = incidents.get(query={"correlation_display": "compliance-gate"}).all()
    check("pysnow: sees them", len(ours) == CASES)
    marks = {row["correlation_id"] for row in ours}
    check("pysnow: each has its own mark", len(marks) == CASES)

    first = ours[0]
    incidents.delete(query={"sys_id": first["sys_id"]})
    other = incidents.create(payload={"correlation_id": first["correlation_id"]})
    (folder / "tickets.jsonl").unlink()
    said = export(folder, origin, "servicenow", "--apply")
    check("export: finds the incident that pysnow made",
          f"ServiceNow: {CASES} found" in said and other["number"] in said)
    check("pysnow: there is no other one", len(incidents.get(query={}).all()) == CASES + 1)
    return marks


def certificate(folder):
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return key, cert


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def encrypted(origin, key, cert):
    """TLS in front of the simulator, since pysnc speaks nothing else."""
    host, port = origin.removeprefix("http://").split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    door = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def accept():
        while True:
            try:
                client, _ = door.accept()
            except ssl.SSLError:
                continue
            server = socket.create_connection((host, int(port)))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"https://127.0.0.1:{door.getsockname()[1]}"


def judge_pysnc(folder, origin, marks):
    key, cert = certificate(folder)
    client = pysnc.ServiceNowClient(encrypted(origin, key, cert), ("robot", TOKEN), verify=str(cert))
    records = client.GlideRecord("incident")
    for mark in sorted(marks):
        records = client.GlideRecord("incident")
        records.add_query("correlation_id", mark)
        records.query()
        rows = [row.get_value("correlation_id") for row in records]
        check(f"pysnc: finds {mark}", rows == [mark])
    fresh = client.GlideRecord("incident")
    fresh.initialize()
    fresh.short_description = "by pysnc"
    fresh.correlation_id = "hand:2"
    check("pysnc: makes an incident", bool(fresh.insert()))
    again = client.GlideRecord("incident")
    check("pysnc: reads it back", again.get("correlation_id", "hand:2"))
    again.state = "7"
    check("pysnc: closes it", bool(again.update()))


def main():
    scenario = {"bigid": {"open": {"critical": 1, "high": CASES - 1}, "resolved": 2}}
    scenario["bigid"] |= {name: {} for name in ("acknowledged", "silenced")}
    with tempfile.TemporaryDirectory() as name, Simulator(pathlib.Path(name), scenario) as simulator:
        folder = pathlib.Path(name)
        judge_jira(folder, simulator.origin)
        marks = judge_pysnow(folder, simulator.origin)
        judge_pysnc(folder, simulator.origin, marks)
    print(f"{checks} checks by jira, pysnow and pysnc hold")


main()
