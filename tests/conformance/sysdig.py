"""Reads the embedded Sysdig Secure with sdcclient and stix-shifter, and with compliance-gate."""

import datetime
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import sdcclient
from sdcclient import SdScanningClient, SdSecureClient
from stix_shifter.stix_translation import stix_translation
from stix_shifter.stix_transmission import stix_transmission

BINARY = sys.argv[1]
TAG = "registry.example.com/shop/api:1.4"
DAY = 24 * 3600
# Two that hold, one that is over, and one that is off.
EXCEPTIONS = [{"number": 0}, {"number": 1, "ends_in_days": 5}, {"number": 2, "ends_in_days": -1}, {"number": 3, "enabled": False}]
# 2,500 events, one a minute: about a day and three quarters, in several pages.
SCENARIO = {
    "sysdig": {
        "images": {"scanned": [{"tag": TAG, "stops": 3, "warns": 5, "goes": 2, "exceptions": EXCEPTIONS}]},
        "events": {"by_number": [0, 0, 40, 0, 700, 0, 760, 1000], "every_seconds": 60},
    }
}
failures = 0


def check(title, theirs, ours):
    """Says whether the two agree."""
    global failures
    agree = theirs == ours
    failures += not agree
    print(f"{'ok     ' if agree else 'FAILED '} {title}: {theirs} / {ours}")


def simulate(folder):
    """Starts the embedded platform, and waits until it prints its address."""
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))
    process = subprocess.Popen(
        [BINARY, "simulate", "--listen", "127.0.0.1:0", "--scenario", str(scenario)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    origin = process.stdout.readline().split()[-1]
    return process, origin


def gate(folder, origin, settings, gates, token="SYSDIG_API_TOKEN", accept=()):
    """Runs compliance-gate with one source, and returns its report."""
    lines = [f"  - {{id: g{at}, source: sysdig, {keys}}}" for at, keys in enumerate(gates)]
    policy = "\n".join(
        ["version: 1", "sources:", "  sysdig:", f"    url: {origin}/api", f"    iam_url: {origin}"]
        + [f"    {line}" for line in settings]
        + ["gates:", *lines, *accept, ""]
    )
    (folder / "compliance-gate.yaml").write_text(policy)
    subprocess.run(
        [BINARY, "run", "--quiet", "--json", "report.json"],
        cwd=folder,
        env={token: "a-token", "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return json.loads((folder / "report.json").read_text())


def failed(report, at=0):
    """How many failures the gate counted."""
    return report["gates"][at]["observed"]["failed"]


def all_events(client, seconds, wanted=None):
    """Pages back as the client's own examples do, until the window is left."""
    since = time.time() - seconds
    ok, answer = client.get_policy_events_duration(seconds, wanted)
    events = []
    while ok and answer["data"]:
        events += answer["data"]
        if answer["ctx"]["cursor"] is None:
            break
        if wanted:
            answer["ctx"]["filter"] = wanted
        ok, answer = client.get_more_policy_events(answer["ctx"])
    assert ok, answer
    stamp = lambda event: datetime.datetime.fromisoformat(event["timestamp"][:26] + "+00:00")
    return [event for event in events if stamp(event).timestamp() >= since]


def sdcclient_reads(folder, origin):
    secure = SdSecureClient(token="a-token", sdc_url=origin)
    for seconds in (DAY, 10 * DAY):
        theirs = len(all_events(secure, seconds))
        for detail in ("findings", "count"):
            report = gate(
                folder,
                origin,
                [f"events: {{window: {seconds}s, detail: {detail}}}"],
                ["max: 0"],
            )
            # The two look at the clock one after the other; an event a minute may come or go.
            ours = failed(report)
            check(f"sdcclient: events of {seconds} s, {detail}", abs(theirs - ours) <= 1, True)
    theirs = len(all_events(secure, 10 * DAY, 'severity in ("4","5")'))
    report = gate(
        folder, origin, [f"events: {{window: {10 * DAY}s, severities: medium}}"], ["max: 0"]
    )
    check("sdcclient: events of numbers 4 and 5", theirs, failed(report))
    one = all_events(secure, DAY)[0]
    ok, again = secure.get_policy_event(one["id"])
    check("sdcclient: one event by its id", (ok, again["id"]), (True, one["id"]))

    scanning = SdScanningClient(token="a-token", sdc_url=origin)
    ok, theirs = scanning.get_image_scanning_results(TAG)
    assert ok, theirs
    report = gate(
        folder,
        origin,
        ["images:", f'  - {{tag: "{TAG}"}}'],
        ["severity: high, max: 0", "severity: low, max: 0"],
    )
    ours = (failed(report, 0), failed(report, 1))
    check("sdcclient: stops and warnings of an image", (theirs["total_stop"], theirs["total_warn"]), ours)
    as_of = report["sources"][0]["parts"][0]["as_of"]
    ours = datetime.datetime.fromisoformat(as_of).replace(tzinfo=None)
    # The simulator counts from the moment of the question, and these were two.
    apart = abs(theirs["last_evaluation"].replace(tzinfo=None) - ours)
    check("sdcclient: when it was evaluated, to the minute", apart < datetime.timedelta(minutes=1), True)


def narrower_reads(folder, origin):
    """What gates select by is what the client's user would count by hand."""
    secure = SdSecureClient(token="a-token", sdc_url=origin)
    events = all_events(secure, 10 * DAY)
    labels = [event["labels"] for event in events]
    for selector, name, value in [
        ("namespace", "kubernetes.namespace.name", "shop"),
        ("image", "container.image.repo", "registry.example.com/shop/api"),
        ("container", "container.name", "shop-0"),
    ]:
        theirs = sum(of.get(name) == value for of in labels)
        report = gate(folder, origin, [f"events: {{window: {10 * DAY}s}}"], [f'{selector}: "{value}", max: 0'])
        check(f"sdcclient: events by {selector}", theirs, failed(report))
    ok, agents = secure.get_connected_agents()
    check("sdcclient: connected agents", (ok, len(agents) > 0), (True, True))

    # The same image, by the list of scans and by a file with its tag.
    scanning = SdScanningClient(token="a-token", sdc_url=origin)
    ok, theirs = scanning.get_image_scanning_results(TAG)
    assert ok, theirs
    (folder / "release.txt").write_text(f"{TAG}\n")
    for title, settings in [
        ("repository", ['images: [{repository: "registry.example.com/shop/*"}]']),
        ("file", ["images_file: release.txt"]),
    ]:
        report = gate(folder, origin, settings, ["severity: high, max: 0"])
        check(f"sdcclient: stops of an image by {title}", theirs["total_stop"], failed(report))


    # The list that is bound to the image is named by a call that the client does not have.
    digest = scanning.get_image(TAG)[1][0]["imageDigest"]
    url = f"{origin}/api/scanning/v1/images/{digest}/vulnexceptions?tag={TAG}"
    asked = urllib.request.Request(url, headers={"Authorization": "Bearer a-token"})
    [bound] = json.load(urllib.request.urlopen(asked))
    ok, bundle = scanning.get_vulnerability_exception_bundle(bound["id"])
    assert ok, bundle
    holds = lambda item: item["enabled"] and (item["expiration_date"] is None or item["expiration_date"] > time.time())
    theirs = sorted(item["trigger_id"] for item in bundle["items"] if holds(item))
    until = datetime.date.today() + datetime.timedelta(days=30)
    entry = f"id: there, upstream: sysdig.vulnerability_exception, reason: r, owner: o, expires: {until}"
    settings = [f'images: [{{tag: "{TAG}"}}]', "vulnerabilities: findings"]
    report = gate(folder, origin, settings, ['rule: "CVE-*", max: 0'], accept=["accept:", f"  - {{{entry}}}"])
    ours = sorted(one["rule"]["id"] for one in report["findings"] if one.get("accepted_by") == "there")
    check("sdcclient: vulnerability exceptions that hold", theirs, ours)


def iam_reads(folder, origin):
    """The helper's host is fixed, so the request is sent to ours instead."""
    import requests

    post = requests.post

    def here(url, **arguments):
        assert url == "https://iam.cloud.ibm.com/identity/token", url
        return post(f"{origin}/identity/token", **arguments)

    requests.post = here
    headers = sdcclient.IbmAuthHelper.get_headers(origin, "a-key", "an-instance")
    requests.post = post
    client = SdSecureClient(sdc_url=origin, custom_headers=headers)
    theirs = len(all_events(client, DAY))
    report = gate(
        folder,
        origin,
        ["instance_id: an-instance", f"events: {{window: {DAY}s}}"],
        ["max: 0"],
        token="IBMCLOUD_API_KEY",
    )
    check("sdcclient: events with a key of IBM Cloud", abs(theirs - failed(report)) <= 1, True)


def terminate_tls(folder, origin):
    """A port that speaks TLS for localhost, in front of the platform; and its certificate."""
    certificate, key = folder / "tls.pem", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = origin.removeprefix("http://").split(":")

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                end.close()

    def serve():
        while True:
            raw, _ = listener.accept()
            try:
                client = context.wrap_socket(raw, server_side=True)
            except (ssl.SSLError, OSError):
                continue
            platform = socket.create_connection((host, int(port)))
            for pair in ((client, platform), (platform, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], certificate.read_text()


def stix_shifter_reads(folder, origin):
    port, certificate = terminate_tls(folder, origin)
    connection = {
        "host": "localhost",
        "port": port,
        "selfSignedCert": certificate,
        "options": {"result_limit": 10000, "timeout": 30, "time_range": 5},
    }
    transmission = lambda: stix_transmission.StixTransmission(
        "sysdig", connection, {"auth": {"token": "a-token"}}
    )
    check("stix-shifter: ping", transmission().ping().get("success"), True)
    now = datetime.datetime.now(datetime.timezone.utc)
    span = [
        (now + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for days in (-10, 0)
    ]
    for pattern, settings in [
        ("[x-ibm-finding:x_threat_source = 'syscall']", "events: {window: 10d}"),
        (
            "[x-ibm-finding:name = 'Terminal shell in container']",
            "events: {window: 10d, rules: Terminal shell in container}",
        ),
    ]:
        query = f"{pattern} START t'{span[0]}' STOP t'{span[1]}'"
        translated = stix_translation.StixTranslation().translate(
            "sysdig", "query", "{}", query, {}
        )
        theirs = transmission().results(translated["queries"][0], 0, 10000)
        assert theirs["success"], theirs
        report = gate(folder, origin, [settings], ["max: 0"])
        check(f"stix-shifter: {pattern}", len(theirs["data"]), failed(report))


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    platform, origin = simulate(folder)
    try:
        sdcclient_reads(folder, origin)
        narrower_reads(folder, origin)
        iam_reads(folder, origin)
        stix_shifter_reads(folder, origin)
    finally:
        platform.terminate()
        platform.wait()
print(f"{failures} disagree" if failures else "all agree")
sys.exit(bool(failures))
