"""Recounts a JUnit file, and looks for cases that a host would drop as duplicates."""

import sys

from junitparser import Error, Failure, JUnitXml, Skipped

COUNTERS = ("tests", "failures", "errors", "skipped")
problems = []
names = set()
total = 0
for suite in JUnitXml.fromfile(sys.argv[1]):
    stated = {counter: getattr(suite, counter) for counter in COUNTERS}
    counted = dict.fromkeys(COUNTERS, 0)
    for case in suite:
        counted["tests"] += 1
        for result in case.result:
            for kind, counter in ((Failure, "failures"), (Error, "errors"), (Skipped, "skipped")):
                counted[counter] += isinstance(result, kind)
        if (case.classname, case.name) in names:
            problems.append(f"twice: {case.classname} {case.name}")
        names.add((case.classname, case.name))
    if stated != counted:
        problems.append(f"{suite.name}: {stated} stated, {counted} counted")
    total += counted["tests"]
if total == 0:
    problems.append("no test case at all")
print("\n".join(problems))
sys.exit(bool(problems))
