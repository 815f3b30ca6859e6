"""Reads a code quality list as GitLab does: code_quality.py FILE."""

import json
import sys

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}
text = open(sys.argv[1], "rb").read()
problems = ["a byte order mark"] if text.startswith(b"\xef\xbb\xbf") else []
entries = json.loads(text)
fingerprints = set()
for at, entry in enumerate(entries):
    words = [entry.get(key) for key in ("description", "check_name", "fingerprint")]
    location = entry.get("location", {})
    begin = location.get("lines", {}).get("begin")
    if not all(isinstance(word, str) and word for word in words + [location.get("path")]):
        problems.append(f"entry {at} lacks a text: {entry}")
    if entry.get("severity") not in SEVERITIES or not isinstance(begin, int):
        problems.append(f"entry {at} has no known severity or no line: {entry}")
    if words[2] in fingerprints:
        problems.append(f"entry {at} has the fingerprint of another: {entry}")
    fingerprints.add(words[2])
print("\n".join(problems[:20]))
sys.exit(bool(problems))
