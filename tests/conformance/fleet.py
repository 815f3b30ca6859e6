"""Records of a fleet: generates them, and runs the queries of docs/fleet.md over them.

    fleet.py generate FOLDER [COUNT]    records of 200 repositories over a year, one file each day
    fleet.py query FOLDER               every SQL block of docs/fleet.md in DuckDB, with rows and seconds
    fleet.py spark FOLDER               the same in Spark, whose rows must be those of DuckDB
"""

import datetime
import gzip
import hashlib
import json
import pathlib
import random
import re
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
SYSTEMS = ["opencomply", "gravityzone", "sysdig", "bigid", "bigpanda"]
VERDICTS = {"passed": 0, "warned": 0, "blocked": 1, "inconclusive": 3, "unreachable": 5}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def gate(random, at, verdict):
    breached = verdict == "blocked" and random.random() < 0.2
    state = "breached" if breached else "held"
    return {
        "id": f"{SYSTEMS[at % 5]}-{at}",
        "level": "block",
        "state": state,
        "blocks": breached,
        "limits": {"max": 0},
        "observed": {
            "failed": random.randrange(1, 200) if breached else 0,
            "accepted": random.randrange(3),
            "known": 0,
            "outOfScope": 0,
        },
    }


def accepted(random, at, day):
    cause = random.random() < 0.1
    return {
        "id": f"entry-{at}",
        "kind": "cause" if cause else "match",
        "reason": "made up",
        "owner": f"#team-{random.randrange(20)}",
        "expires": str(day + datetime.timedelta(days=random.randrange(1, 200))),
        "findings": 0 if cause else random.randrange(1, 30),
        "gates": [f"{SYSTEMS[at % 5]}-{at}"],
    }


def record(random, number, count):
    decided = START + datetime.timedelta(seconds=number * 365 * 86400 // count)
    service = random.randrange(200)
    repository = f"octo-org/service-{service}"
    environment = random.choice(["production", "staging"])
    verdict = random.choices(list(VERDICTS), [80, 8, 8, 3, 1])[0]
    stamp = decided.strftime("%Y-%m-%dT%H:%M:%SZ")
    policy = digest(repository)
    # A few repositories stay on the first policy of their organisation.
    organisation = digest(f"organisation {0 if service < 5 else decided.month // 4}")
    run = f"https://git.example.com/{repository}/actions/runs/{number}"
    files = [("compliance-gate.yaml", policy), ("org-policy", organisation)]
    policies = [{"name": name, "digest": {"sha256": sha256}, "mode": "enforce", "verdict": verdict} for name, sha256 in files]
    sources = [
        {
            "name": name,
            "system": name,
            "origin": f"https://{name}.example.com",
            "simulated": False,
            "jobs": [],
            "problems": {},
        }
        for name in SYSTEMS
    ]
    return {
        "decided_at": stamp,
        "exit_code": VERDICTS[verdict],
        "repository": repository,
        "run_url": run,
        "policy_sha256": policy,
        "org_policy_sha256": organisation,
        "schema": "urn:compliance-gate:decision:1",
        "verdict": verdict,
        "exitCode": VERDICTS[verdict],
        "mode": "enforce",
        "purpose": "gate",
        "environment": environment,
        "decidedAt": stamp,
        "simulated": False,
        "policies": policies,
        "acceptFiles": [],
        "evidence": {"complete": verdict != "inconclusive", "asOf": [stamp], "sources": sources},
        "gates": [gate(random, at, verdict) for at in range(8)],
        "accepted": [accepted(random, at, decided.date()) for at in range(random.randrange(4))],
        "run": {
            "host": "github",
            "url": run,
            "id": str(number),
            "repository": repository,
            "commit": digest(run)[:40],
            "actor": "deploy",
        },
        "tool": {"name": "compliance-gate", "version": "0.1.0", "sha256": digest("0.1.0")},
    }


def generate(folder, count=20_000):
    random_of_fleet = random.Random(42)
    days = {}
    for number in range(int(count)):
        line = record(random_of_fleet, number, int(count))
        days.setdefault(line["decided_at"][:10], []).append(json.dumps(line, separators=(",", ":")))
    size = 0
    for day, lines in days.items():
        place = pathlib.Path(folder) / f"date={day}"
        place.mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines) + "\n"
        size += len(text)
        (place / "records.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{count} records, {size / 2**20:.1f} MiB, {len(days)} files")


def blocks(language, bucket, folder):
    """The blocks of docs/fleet.md in a language of SQL, over records in this folder."""
    text = (ROOT / "docs/fleet.md").read_text()
    found = re.findall(rf"```{language}\n(.*?);\n```", text, re.S)
    return [sql.replace(f"{bucket}://example-bucket/gate/v1", str(folder)) for sql in found]


def measured(sql, run):
    """The rows of a statement, which is printed with the time that it took."""
    started = time.monotonic()
    rows = [tuple(row) for row in run(sql)]
    took = time.monotonic() - started
    print(f"{took:6.2f} s  {len(rows):4d} rows  {' '.join(sql.split())[:70]}")
    if not rows and sql.startswith("SELECT"):
        raise SystemExit("a query of docs/fleet.md finds nothing in the generated records")
    return rows


def query(folder):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    parquet = pathlib.Path(folder).with_suffix(".parquet")
    answers = {}
    for sql in blocks("sql", "s3", folder):
        sql = sql.replace("records.parquet", str(parquet))
        answers[sql] = measured(sql, lambda sql: connection.execute(sql).fetchall())
    print(f"{parquet.stat().st_size / 2**10:.0f} KiB of Parquet")
    return answers


def spark(folder):
    from pyspark.sql import SparkSession

    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    answers = query(folder)
    for sql in blocks("sql spark", "s3a", folder):
        measured(sql, lambda sql: session.sql(sql).collect())
    for sql, expected in answers.items():
        if sql.startswith("SELECT"):
            rows = measured(sql.replace("unnest(", "explode("), lambda sql: session.sql(sql).collect())
            assert rows == expected, (rows[:3], expected[:3])
    session.stop()


if __name__ == "__main__":
    {"generate": generate, "query": query, "spark": spark}[sys.argv[1]](*sys.argv[2:])
