"""The platforms once more, written from the notes on their APIs alone: another reading of the same documents.

`Server(**faults)` serves Sysdig Secure, GravityZone, BigID and BigPanda on one port of 127.0.0.1. The data are few, and made so that
each selector and setting divides them. What a fault does is said where it is used.
"""

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

NOW = int(time.time())
HOUR, DAY = 3600, 24 * 3600
ZONE = {"id": "1", "name": "Entire Infrastructure"}
POLICY = {"id": "15", "name": "CIS Example"}
DIGESTS = {name: "sha256:" + digit * 64 for name, digit in [("old", "1"), ("new", "2"), ("bare", "3"), ("web", "4")]}
TAGS = {
    "registry.example.com/shop/api:1": "old",
    "registry.example.com/shop/api:2": "new",
    "registry.example.com/shop/bare:1": "bare",
    "registry.example.com/web/site:1": "web",
}


class Refused(Exception):
    """An answer that is no 200."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


# --- Sysdig: the query language (notes 4): `field in (…)`, `field = value`, `field != value`, `field contains value`,
# `field startsWith value` and `field exists`, each perhaps after `not`, joined by `and`.


def conditions(text):
    for part in re.split(r"""\s+and\s+(?=(?:[^"]*"[^"]*")*[^"]*$)""", text.strip()):
        found = re.fullmatch(r"""(not\s+)?([\w.]+)\s*(in|=|!=|contains|startsWith|exists)\s*(.*)""", part.strip())
        if not found or (found[3] == "exists") != (found[4] == ""):
            raise Refused(400, {"message": "Invalid parameter"})
        negated, field, operator, value = found.groups()
        words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s,()"]+)', value)
        yield bool(negated) != (operator == "!="), field, operator, [re.sub(r"\\(.)", r"\1", quoted) or bare for quoted, bare in words]


COMPARE = {"contains": lambda own, value: value in own, "startsWith": str.startswith}


def takes(text, known):
    """Whether a row, as a function from a field to its texts, fits a filter."""
    for negated, field, operator, values in conditions(text) if text else []:
        if known(field) is None:
            raise Refused(400, {"message": "Invalid parameter"})
        own, fits = [one for one in known(field) if one], COMPARE.get(operator, str.__eq__)
        met = bool(own) if operator == "exists" else any(fits(one, value) for one in own for value in values)
        if met == negated:
            return False
    return True


def resource(kind, name, passed, control, **more):
    row = {"hash": f"{abs(hash((control, name))):032x}"[:32], "name": name, "passed": passed, "acceptance": None,
           "zones": [ZONE], "control": control, "kind": kind, "labelValues": [], **more}
    row.setdefault("lastSeenDate", str((NOW - HOUR) * 1000))
    return row


def resources():
    cloud = {"type": "S3 Bucket", "location": "eu-central-1", "organization": ""}
    kube = {"type": "Deployment"}
    return [
        resource("cloud", "shop-data", False, "1", account="1111", globalId="arn:shop", **cloud | {"labelValues": ["team:shop"]}),
        resource("cloud", "web-data", False, "1", account="2222", globalId="arn:web", **cloud | {"labelValues": ["team:web"]}),
        resource("cloud", "docs", True, "1", account="1111", globalId="arn:docs", **cloud | {"labelValues": ["team:shop"]}),
        resource("kube", "api", False, "2", clusterName="production", namespace="shop", **kube),
        resource("kube", "site", False, "2", clusterName="production", namespace="web", **kube),
        resource("kube", "job", True, "2", clusterName="staging", namespace="shop", **kube),
    ]


def control(number, name, severity, kind):
    rows = [row for row in resources() if row["control"] == number]
    path = {"cloud": "cloud/resources", "kube": "kube/resources"}[kind]
    more = "&providerType=AWS&resourceKind=AWS_S3_BUCKET" if kind == "cloud" else "&resourceKind=workload"
    return {
        "id": number, "name": name, "description": "", "target": "AWS", "type": 8, "platform": "", "severity": severity,
        "pass": False, "objectsCount": sum(not row["passed"] for row in rows), "acceptedCount": 0, "isManual": False,
        "passingCount": sum(row["passed"] for row in rows), "lastUpdate": str(NOW - HOUR), "remediationId": number,
        "resourceApiEndpoint": f"/api/cspm/v1/{path}?controlId={number}{more}&filter=policyId=15 and zones.id=1",
    }


def requirements():
    for number, name, severity, kind in [("1", "Private buckets", "High", "cloud"), ("2", "No privileged pods", "High", "kube")]:
        one = control(number, name, severity, kind)
        yield {
            "requirementId": f"16{number}", "name": f"1.{number} {name}", "description": "", "pass": False, "severity": severity,
            "policyId": POLICY["id"], "policyName": POLICY["name"], "zone": ZONE, "failedControls": 1,
            "highSeverityCount": one["objectsCount"], "mediumSeverityCount": 0, "lowSeverityCount": 0, "acceptedCount": 0,
            "passingCount": one["passingCount"], "controls": [one],
        }


def numbered(query, rows, total=str):
    number, size = int(query.get("pageNumber", 1)), int(query.get("pageSize", 10))
    return {"data": rows[(number - 1) * size : number * size], "totalCount": total(len(rows))}


class Sysdig:
    def __init__(self, faults):
        self.faults = faults

    def views(self, query, _):
        history = [{"date": str(NOW - HOUR), "requirementPassingScore": 50, "failedRequirements": 2, "evaluatedResources": 6}]
        policy = {"name": POLICY["name"], "failedControls": 2, "resourcePassingScore": 33, "requirementsHistory": history}
        return {"data": [{"zoneName": ZONE["name"], "policies": [policy]}]}

    def requirements(self, query, _):
        def known(row):
            return lambda field: {"name": [row["name"]], "policy.name": [row["policyName"]], "zone.name": [ZONE["name"]],
                                  "pass": ["false"], "severity": ["3"], "platform": ["AWS"]}.get(field)
        return numbered(query, [row for row in requirements() if takes(query.get("filter"), known(row))])

    def of_control(self, kind):
        def answer(query, _):
            def known(row):
                return lambda field: {
                    "zones.id": ["1"], "zoneName": [ZONE["name"]], "policyId": ["15"], "policyName": [POLICY["name"]],
                    "pass": [str(row["passed"]).lower()], "accepted": ["false"], "name": [row["name"]],
                    "account": [row.get("account")], "location": [row.get("location")],
                    "clusterName": [row.get("clusterName")], "namespace": [row.get("namespace")],
                }.get(field)
            rows = [row for row in resources() if row["kind"] == kind and row["control"] == query["controlId"]]
            hidden = ("control", "kind")
            rows = [row for row in rows if takes(query.get("filter"), known(row))]
            return numbered(query, [{k: v for k, v in row.items() if k not in hidden} for row in rows], int)
        return answer

    def catalogue(self, query, _):
        rows = [{"id": one["controls"][0]["id"], "name": one["controls"][0]["name"], "description": "", "severity": "High"}
                for one in requirements()]
        return {"data": rows if int(query.get("pageNumber", 1)) <= 1 else []}

    def inventory(self, query, _):
        def known(row):
            texts = {"account": [row.get("account")], "cluster": [row.get("clusterName")], "namespace": [row.get("namespace")],
                     "labels": row["labelValues"], "project": ["project-7"] if row["name"] == "web-data" else [],
                     "subscription": ["sub-9"] if row["name"] == "docs" else [], "zone": [ZONE["name"]], "name": [row["name"]],
                     "platform": ["AWS" if row["kind"] == "cloud" else "Kubernetes"], "region": [row.get("location")],
                     "type": [row["type"]], "organization": [""], "policy": [POLICY["name"]],
                     "distribution": ["gke"] if row["kind"] == "kube" else [], "version": ["1.30"] if row["kind"] == "kube" else [],
                     "externalDNS": ["web.example.com"] if row["name"] == "web-data" else [], "nodeType": [], "osName": []}
            return texts.get
        asked = (query.get("fields") or "id,hash,name").split(",")
        text = None if self.faults.get("unfiltered") else query.get("filter")
        rows = [row for row in resources() if takes(text, known(row))]
        return numbered(query, [{key: row.get(key, row["hash"]) for key in asked} for row in rows], int)

    def accounts(self, query, _):
        if self.faults.get("accounts_unknown"):
            return {"x": 1}
        on = {"secureConfigPosture": {"type": "FEATURE_SECURE_CONFIG_POSTURE", "enabled": True}}
        off, gone = self.faults.get("posture_off"), self.faults.get("disconnected")
        return {"accounts": [{"id": f"uuid-{name}", "providerId": name, "provider": "PROVIDER_AWS", "providerAlias": f"team-{name}",
                              "enabled": True, "feature": {} if name == off else on} for name in ["1111", "2222"] if name != gone]}

    # Images (notes 5). The path for tags that no page lists does not exist here.

    def image(self, digest):
        names = [name for name, known in DIGESTS.items() if known == digest]
        if not names:
            raise Refused(404, {"message": "image not found in DB"})
        return names[0]

    def results(self, query, _):
        rows = [{"imageDigest": DIGESTS[name], "imageId": name * 8, "fullTag": tag, "analysisStatus": "analyzed",
                 "analyzedAt": NOW - HOUR, "policyStatus": "PASS"} for tag, name in sorted(TAGS.items())]
        for row in rows:
            if row["imageDigest"] == DIGESTS["new"]:
                row.update(self.faults.get("row", {}))
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        page = rows[offset : offset + limit]
        return {"options": {"offset": offset, "limit": limit, "canLoadMore": offset + len(page) < len(rows)},
                "results": page, "totalRows": len(rows)}

    def evaluation(self, query, path):
        name = self.image(path[0])
        rule = {"gateAction": "go", "checkOutput": ""}
        policy = {"policyId": "p", "policyName": "Default", "status": "pass", "nStop": 0, "nWarn": 0,
                  "gateResults": [{"gate": "vulnerabilities", "ruleResults": [rule]}]}
        return {"imageDigest": path[0], "imageId": name * 8, "status": "pass", "nStop": 0, "nWarn": 0, "at": NOW - HOUR,
                "results": [] if name == "bare" else [policy]}

    def vulnerabilities(self, name):
        one = lambda number, severity, fix: {
            "vuln": f"CVE-2026-{number}", "severity": severity, "package": f"p{number}-1", "package_name": f"p{number}",
            "package_version": "1", "package_type": "dpkg", "package_path": "pkgdb", "fix": fix, "url": "https://v.example/x",
            "disclosure_date": "2026-01-01T00:00:00Z"}
        old = [one(1, "Critical", "None"), one(2, "High", "1.1")]
        return {"old": old, "new": [*old, one(3, "Critical", "2.0")], "bare": [], "web": old[:1]}[name]

    def summary(self, query, path):
        counts = {}
        for row in self.vulnerabilities(self.image(path[0])):
            counts[row["severity"]] = counts.get(row["severity"], 0) + 1
        return {"os": counts, "non-os": {}}

    def listed(self, query, path):
        rows = self.vulnerabilities(self.image(path[0])) if path[1] == "os" else []
        return {"imageDigest": path[0], "vtype": path[1], "vulns": rows[int(query.get("offset", 0)) :], "canLoadMore": False}

    def exceptions(self, query, path):
        name = self.image(path[0])
        if "exceptions" in self.faults:
            return self.faults["exceptions"]
        until = NOW + (DAY if "exception_over" not in self.faults else -DAY)
        item = {"id": "i1", "gate": "vulnerabilities", "trigger_id": "CVE-2026-1+*", "notes": "not reachable",
                "enabled": "exception_off" not in self.faults, "expiration_date": until}
        return [{"id": "global", "version": "1_0", "name": "Default", "comment": "", "items": [item] if name == "old" else []}]

    def feeds(self, query, _):
        def group(name, days):
            synced = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - days * DAY - HOUR))
            return {"name": name, "enabled": True, "last_sync": synced, "record_count": 9}
        days = self.faults.get("feed_days", 0)
        groups = [group("debian:12", days), group("alpine:3.19", self.faults.get("group_days", days))]
        # The scanner notes this after every cycle, whether or not its groups failed.
        return [{"name": "vulnerabilities", "enabled": True, "last_full_sync": group("", 0)["last_sync"], "groups": groups},
                {"name": "packages", "enabled": False, "last_full_sync": None, "groups": []}]

    # Events (notes 6): newest first; `from` and `to`, or `cursor`.

    def events(self):
        def event(number, minutes, namespace, repository):
            nanos = (NOW - minutes * 60) * 10**9 + number
            labels = {"aws.accountId": "1111", "aws.region": "eu-central-1", "kubernetes.cluster.name": "production",
                      "kubernetes.namespace.name": namespace, "container.name": f"{namespace}-1",
                      "container.image.repo": repository, "container.image.tag": "2", "host.hostName": f"node-{number}"}
            return {"id": f"e{number}", "cursor": f"c{number}", "timestamp": nanos, "customerId": 1, "originator": "policy",
                    "category": "runtime", "source": "syscall", "name": "Shell", "description": "", "severity": 2, "agentId": 1,
                    "containerId": f"c0ffee{number}", "machineId": "m", "actions": [], "labels": labels,
                    "content": {"ruleName": "Terminal shell in container", "ruleTags": [], "output": "x", "fields": {},
                                "falsePositive": False}}
        if self.faults.get("no_events"):
            return []
        # Shown now, and of a minute before the moment that the fault states.
        late = [event(0, (NOW - at) // 60 + 1, "shop", "registry.example.com/shop/api") for at in self.faults.get("late", [])]
        return late + [event(1, 30, "shop", "registry.example.com/shop/api"), event(2, 90, "web", "registry.example.com/web/site")]

    def asked_events(self, query):
        def known(row):
            return lambda field: {"severity": [str(row["severity"])], "ruleName": [row["content"]["ruleName"]],
                                  "source": [row["source"]], "name": [row["name"]], "category": [row["category"]]}.get(field)
        return [row for row in self.events() if takes(query.get("filter"), known(row))]

    def feed(self, query, _):
        rows = self.asked_events(query)
        if "cursor" in query:
            if "from" in query:
                raise Refused(400, {"message": "bad request"})
            at = [row["cursor"] for row in rows].index(query["cursor"]) + 1 if query["cursor"] != "c0" else len(rows)
            page = rows[at : at + int(query.get("limit", 100))]
            return {"page": {"returned": len(page), "prev": None, "next": None}, "data": page}
        since, until = int(query["from"]), int(query["to"])
        if until - since > 14 * DAY * 10**9:
            raise Refused(400, {"message": "bad request"})
        rows = [row for row in rows if since <= row["timestamp"] <= until]
        page = rows[: int(query.get("limit", 100))]
        prev = page[-1]["cursor"] if page else "c0"
        return {"page": {"total": len(rows), "returned": len(page), "prev": prev, "next": "c0"}, "data": page}

    def count(self, query, _):
        since, until = int(query["from"]), int(query["to"])
        counts = {str(number): 0 for number in range(8)}
        for row in self.asked_events(query):
            counts[str(row["severity"])] += since <= row["timestamp"] <= until
        return {"policyEvents": {"countBySeverity": counts}, "scanningEvents": None, "cloudsecEvents": None}

    def agents(self, query, _):
        agents = self.faults.get("agents")
        if agents is None:
            raise Refused(404, {"message": "Not Found"})
        return agents

    def has_events(self, query, _):
        return self.faults.get("has_events") or {"hasEvents": not self.faults.get("never_events"), "hasLegacyEvents": False}

    def routes(self):
        scan, events = "/api/scanning/v1", "/api/v1/secureEvents"
        cspm = "/api/cspm/v1"
        return [
            (f"{cspm}/compliance/views", self.views), (f"{cspm}/compliance/requirements", self.requirements),
            (f"{cspm}/cloud/resources", self.of_control("cloud")), (f"{cspm}/kube/resources", self.of_control("kube")),
            (f"{cspm}/policy/controls/search", self.catalogue), (f"{cspm}/inventory/resources", self.inventory),
            ("/api/cloudauth/v1/accounts", self.accounts), (f"{scan}/results", self.results),
            (f"{scan}/images/([^/]+)/policyEvaluation", self.evaluation), (f"{scan}/images/([^/]+)/vulnSummary", self.summary),
            (f"{scan}/images/([^/]+)/vulnexceptions", self.exceptions),
            (f"{scan}/images/([^/]+)/vuln/([^/]+)", self.listed), (f"{scan}/system/feeds", self.feeds), (events, self.feed),
            (f"{events}/status", lambda query, path: {}), (f"{events}/count", self.count),
            (f"{events}/hasEvents", self.has_events), ("/api/agents/connected", self.agents),
        ]


# --- GravityZone (notes 2): a cursor holds everything that was asked for.


def check(number, result, severity, group, original=None, section="CM"):
    meta = {"compliance_type": "system_compliance", "compliance_id": "nist-sp-800-53-r5", "section_id": section}
    return {"id": f"check-{number}", "type": "check", "links": {"self": f"/v1/cspm/checks/check-{number}"}, "attributes": {
        "result": result, "severity": severity, "original_severity": original or severity,
        "status": "open" if result == "fail" else None, "resource_type": "EC2 Security Group", "resource_id": f"sg-{number}",
        "resource_name": None, "resource_region": "us-east-1", "scan_name": "prod", "scan_group_name": group, "title": "Closed ports",
        "description": "x", "created_at": "2024-01-02T03:04:05+00:00"}, "relationships": {
        "scan": {"data": {"id": "scan-1", "type": "scan"}}, "scan_group": {"data": {"id": f"id-{group}", "type": "scan_group"}},
        "rule": {"data": {"id": "r", "type": "rule", "meta": {"name": "cloud_scan/aws/ec2/ports", "version": 1}}},
        "controls": {"data": [{"id": "CM-7", "type": "control", "meta": meta}]}}}


CHECKS = [check(1, "fail", "low", "shop", original="high"), check(2, "fail", "medium", "web", section="AC"), check(3, "pass", "low", "shop"),
          check(4, "pass", "low", "web", section="AC")]


def checks(query, _):
    if "page_cursor" in query:
        asked = json.loads(base64.urlsafe_b64decode(query["page_cursor"]))
    else:
        asked = {key: query[key] for key in query if key != "page_limit"} | {"at": 0}
    size, at = int(query.get("page_limit", 500)), asked["at"]
    names = {"results": "result", "severities": "severity", "statuses": "status", "resource_types": "resource_type"}
    rows = [row for row in CHECKS if all(row["attributes"][names[key]] in asked[key].split(",") for key in names if key in asked)]
    related = {"scan_groups": "scan_group", "scans": "scan"}
    rows = [row for row in rows
            if all(row["relationships"][related[key]]["data"]["id"] in asked[key].split(",") for key in related if key in asked)]
    page, more = rows[at : at + size], at + size < len(rows)
    cursor = base64.urlsafe_b64encode(json.dumps(asked | {"at": at + size}).encode()).decode()
    link = f"/v1/cspm/checks?page_cursor={cursor}&page_limit={size}"
    return {"data": page, "links": {"self": "x", "next": link if more else None},
            "meta": {"total": len(rows), "elapsed": at + len(page)}}


# --- BigID (notes A): `filter` is a list of conditions, and `skip` begins a page.


def case(number, status, severity, assignee):
    return {"_id": f"{number:024x}", "id": f"{number:024x}", "caseId": f"SPC-{number}", "caseLabel": "Open share",
            "caseStatus": status, "severityLevel": severity, "policyName": "Passwords", "policyDescription": "x", "assignee": assignee,
            "dataSourceName": "share", "dataSourceType": "smb", "numberOfAffectedObjects": 2, "created_at": "2026-01-01T00:00:00Z"}


CASES = [case(n, "open", "critical" if n == 1 else "low", "ann@example.com" if n % 2 else "bob@example.com") for n in range(1, 13)]
CASES += [case(n, "remediated", "high", None) for n in range(13, 1201)]


class BigId:
    def __init__(self, faults):
        self.faults, self.pages = faults, 0

    def all_cases(self, query, _):
        rows = CASES
        ignored = self.faults.get("ignore_filter")
        for one in json.loads(query.get("filter", "[]")) if not ignored else []:
            values = one["value"] if isinstance(one["value"], list) else [one["value"]]
            rows = [row for row in rows if row[one["field"]] in values]
        skip, limit = int(query.get("skip", 0)), int(query.get("limit", 50))
        self.pages += limit > 1
        shown = rows[skip : skip + limit]
        if self.faults.get("hide_critical"):
            rows = [row for row in rows if row["severityLevel"] != "critical"]
            shown = rows[skip : skip + limit]
        return {"status": "success", "statusCode": 200, "message": None, "data": {"totalCount": len(rows), "cases": shown}}

    def by_severity(self, query, _):
        counts = {}
        for row in CASES:
            if row["caseStatus"] == query.get("caseStatus", "open"):
                counts[row["severityLevel"]] = counts.get(row["severityLevel"], 0) + 1
        return [{"severityLevel": word, "value": count} for word, count in counts.items()]


# --- BigPanda (notes B): times in seconds, pages from 1.


def entry(minutes, kind, action, **shown):
    return {"actor": {"type": "user", "user": {"id": "u", "email": "ann@example.com", "name": "Ann"}}, "action_type": action,
            "timestamp": NOW - minutes * 60, "resource_id": f"{kind}-1", "resource_type": kind, "object": shown}


class BigPanda:
    def __init__(self, faults):
        self.faults = faults

    def log(self, query, _):
        rows = [entry(45, "correlation_patterns", "update", id="p", filter="x", active=False, tags=["host"])]
        rows.append(entry(50, "api_keys", "update", id="k", name="deploy", active=True))
        rows += [entry((NOW - at) // 60 + 1, "api_keys", "create", id="n", name="new") for at in self.faults.get("late", [])]
        since, until = int(query["start"]), int(query["end"])
        rows = [row for row in rows if since <= row["timestamp"] <= until]
        page, size = int(query.get("page", 1)), int(query.get("per_page", 100))
        return {"total": len(rows), "items": rows[(page - 1) * size : page * size]}

    def plans(self, query, _):
        raise Refused(204, None)


class Server:
    """All platforms, with faults. `headers` are those of each request, in order, with names in lower case."""

    def __init__(self, **faults):
        self.headers, self.faults = [], faults
        self.bigid = BigId(faults)
        panda = BigPanda(faults)
        routes = Sysdig(faults).routes() + [
            ("/v1/cspm/checks", checks), ("/api/v1/actionable-insights/all-cases", self.bigid.all_cases),
            ("/api/v1/actionable-insights/cases-by-severity", self.bigid.by_severity),
            ("/resources/v2.0/audit/logs", panda.log), ("/resources/v2.0/ordered-maintenance-plans", panda.plans),
            ("/resources/v2.0/maintenance-plans", panda.plans)]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                parts = urlsplit(self.path)
                try:
                    status, body = 200, outer.answer(routes, unquote(parts.path), dict(parse_qsl(parts.query)))
                except Refused as refused:
                    status, body = refused.status, refused.body
                text = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, routes, path, query):
        if self.faults.get("refuse_token"):
            raise Refused(401, {"message": "cannot verify credentials", "referenceId": "0"})
        for pattern, answer in routes:
            found = re.fullmatch(pattern, path)
            if found:
                return answer(query, found.groups())
        raise Refused(404, {"message": "404 page not found"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
