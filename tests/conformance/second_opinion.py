#!/usr/bin/env python3
"""A second opinion: decides the evidence in FOLDER/*.jsonl again, from docs/verification.md alone, and compares
with the decision in each file and with FOLDER/expected.json. Exit code 1 if any differs. Policies are in JSON."""
import hashlib, json, re, sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
SEVERITIES = ["none", "informational", "low", "medium", "high", "critical", "unknown"]
VERDICTS = ["passed", "warned", "unreachable", "inconclusive", "denied", "blocked", "invalid", "interrupted",
            "terminated", "hung-up", "quit"]
CODES = dict(zip(VERDICTS, [0, 0, 5, 3, 4, 1, 2, 130, 143, 129, 131]))
IDENTITY = ["framework", "control", "rule", "resource", "resource_type", "account", "region", "scan_group", "section",
            "cluster", "namespace", "image", "label"]
OF_FAILURES = ["status", "actor", "assignee", "older_than", "fixable", "container", "host", "category",
               "event_source"]
SELECTORS = IDENTITY + OF_FAILURES + ["severity"]
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
def instant(text):
    text = text.replace("Z", "+00:00")
    whole, fraction, zone = re.fullmatch(r"([^.+]*?)(?:\.(\d+))?([+-]\d\d:\d\d)", text).groups()
    return datetime.fromisoformat(whole + zone) + timedelta(microseconds=int(((fraction or "0") + "0" * 6)[:6]))
def period(text):
    return timedelta(seconds=sum(int(n) * UNITS[unit[0]] for n, unit in re.findall(r"(\d+)\s*([a-z]+)", text)))
def listed(value): return [] if value is None else value if isinstance(value, list) else [value]
def like(word, text, fold):
    if text == "(none)": return word in ("(none)", "*")
    pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in word)
    return re.fullmatch(pattern, text, re.S | (re.I if fold else 0)) is not None
def severities(value):
    found = set()
    for word in listed(value):
        sign, word, at = word[:2], word.lstrip("<>= "), SEVERITIES.index(word.lstrip("<>= "))
        found |= set(SEVERITIES[at:-1] if sign == ">=" else SEVERITIES[:at + 1] if sign == "<=" else [word])
    return found

class Part:
    def __init__(self, line):
        self.line, self.findings, self.answers, self.table = line, [], [], None
        self.checks = line["proof"].get("checks")

def read(path):
    """The lines of a file, checked as far as the document says."""
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == "", "the last line has no line break"
    before = "".join(line + "\n" for line in lines[:-1]).encode()
    digest = hashlib.sha256(before).hexdigest()
    assert lines[-1] == '{"end":{"lines":%d,"sha256":"%s"}}' % (len(lines) - 1, digest), "the digest differs"
    sources, rules, subjects, documents, decision, header, part = {}, [], [], [], None, None, None
    for text in lines[:-1]:
        (kind, line), = json.loads(text).items()
        if kind == "header": header = line
        elif kind == "source":
            name, source = line["name"], {"problems": line.get("problems", []), "parts": []}
            sources[name] = source
        elif kind == "part":
            source["parts"].append(part := Part(line))
        elif kind == "rule": rules.append(line["id"])
        elif kind == "subject": subjects.append(dict(line, rule=rules[line["rule"]] if "rule" in line else None))
        elif kind == "finding":
            seen = line.get("first_seen") if header.get("ages") else None
            part.findings.append({**subjects[line["subject"]], **line, "source": name, "first_seen": seen})
        elif kind == "table": part.table = (set(line["by"]), [])
        elif kind == "count": part.table[1].append((subjects[line["subject"]], line["passed"], line["failed"]))
        elif kind == "answer": part.answers.append(line)
        elif kind == "document": documents.append([line, ""])
        elif kind == "text": documents[-1][1] += line
        elif kind == "decision": decision = line
    for line, text in documents:
        assert hashlib.sha256(text.encode()).hexdigest() == line["sha256"], "a document differs"
    texts = {(bool(line.get("organisation")), line["path"]): text for line, text in documents}
    policies = {}  # the first document of each is its policy
    for (organisation, _), text in texts.items():
        policies[organisation] = policies.get(organisation) or json.loads(text)
    for organisation, policy in policies.items():
        for entry in policy.setdefault("accept", []):
            entry.update(whose=organisation, applies=False, known=[])
            if "baseline" in entry:
                known = [json.loads(line) for line in texts[organisation, entry["baseline"]].split("\n") if line.strip()]
                entry.update(known=known[1:], applies=known[0]["environment"] == decision.get("environment"))
    return sources, policies.get(False), policies.get(True), decision

def takes(terms, entry):
    """Whether an organisation takes an entry of the repository."""
    terms = terms.get("match" if "match" in entry else "baseline" if "baseline" in entry else "")
    if terms is None or any(key not in entry for key in terms.get("require", [])): return False
    most = period(terms.get("max_life", "9999w")).days
    long = "max_life" in terms and life(entry.get("from", "1970-01-01"), entry) > most
    words = entry.get("match", {})
    given = severities(words.get("severity", "<= critical")) if words else {line["severity"] for line in entry["known"]}
    most = severities(terms.get("severity", SEVERITIES))
    worst = max(map(SEVERITIES.index, given - {"unknown"}), default=0) <= max(map(SEVERITIES.index, most - {"unknown"}))
    return (not words or narrow(words) or "max_findings" in terms) and worst and not long and "unknown" not in given - most
def narrow(words):
    literal = lambda field: field in words and not any(set("*?") & set(word) for word in listed(words[field]))
    worst = severities(words.get("severity")) - {"unknown"}
    return (literal("rule") or literal("control")) and literal("resource") and bool(worst)

def beside(own, org):
    """The organisation's policy as it is decided beside the repository's."""
    names = {}
    for name, source in org["sources"].items():
        theirs = own.get("sources", {}).get(name)
        source.update({key: theirs[key] for key in source.pop("from_repository", [])})
        names[name] = name if theirs in (None, source) else "org/" + name
    renamed = lambda words: [names[name] for name in listed(words)]
    for gate in org["gates"]:
        gate["id"] = "org/" + gate["id"]
        gate["source"] = list(names.values()) if gate["source"] == "all" else renamed(gate["source"])
    for entry in org["accept"]:
        entry["gates"] = ["org/" + gate for gate in entry.get("gates", [])]
        entry.update({"gate_off": "org/" + entry["gate_off"]} if "gate_off" in entry else {})
    terms = org.get("accept_from_repository", {})
    for entry in own["accept"]:
        for_all = not entry.get("gates") and ("match" in entry or entry.get("applies"))
        if (for_all or any(gate.startswith("org/") for gate in entry.get("gates", []))) and takes(terms, entry):
            org["accept"].append(dict(json.loads(json.dumps(entry)), taken=True))
    for place in [one for entry in org["accept"] for one in (entry, entry.get("match", {})) if "source" in one]:
        place["source"] = renamed(place["source"])
    most = terms.get("match", {}).get("max_findings", 0)
    return dict(org, sources={names[name]: source for name, source in org["sources"].items()}, most_by_taken=most)

def texts(check, field):
    """What a check states of a selector; of a row of counts only what subjects have."""
    facets = check.get("facets", {}).get(field, [])
    if field == "resource": words = [check.get("resource"), check.get("name")] + facets
    elif field == "account":
        words = [(check.get("account") or {}).get(key) for key in ("id", "name")]
    elif field == "status":
        words = [check.get("status"), "open" if check.get("status") and not check.get("closed") else None]
    else: words = facets or [check.get(field)]
    return [word for word in words if word]
def controls_match(words, check, meets, empty):
    wanted = {field: words[field] for field in ("framework", "control") if field in words}
    if not wanted: return True
    pairs = [{"framework": c["framework"], "control": c["id"]} for c in check.get("controls", [])]
    if not pairs: return empty(wanted)
    return any(all(meets(wanted[field], [pair[field]] if pair[field] else []) for field in wanted) for pair in pairs)

def selects(words, check, now, unstated, fields=None):
    """Whether a gate's selectors match. `unstated`: whether what is not stated matches."""
    def meets(patterns, stated):
        return unstated if not stated else any(like(p, t, True) for t in stated for p in listed(patterns))
    def one(field, patterns):
        if field == "severity": return check["severity"] == "unknown" or check["severity"] in severities(patterns)
        if field != "older_than": return meets(patterns, texts(check, field))
        since = check.get("created_at") or check.get("first_seen")
        return not since or now - instant(since) >= period(patterns)
    asked = [field for field in words if field not in ("framework", "control") and (fields is None or field in fields)]
    return all(one(field, words[field]) for field in asked) and controls_match(words, check, meets, lambda _: False)

def covered(words, check, fold, is_row=False):
    """Whether a map of `except` or `match` covers a check: nothing stated matches only `unknown`."""
    def meets(patterns, stated):
        patterns = listed(patterns)
        return "unknown" in patterns if not stated else any(like(p, t, fold) for t in stated for p in patterns)
    def one(field, patterns):
        if field == "severity": return check["severity"] in severities(patterns)
        if is_row and field not in ("rule", "resource_type", "account", "region"): return False
        return check["source"] in listed(patterns) if field == "source" else meets(patterns, texts(check, field))
    return all(one(field, words[field]) for field in words if field not in ("framework", "control")) and \
        controls_match(words, check, meets, lambda w: all(meets(p, []) for p in w.values()))
def excluded(excepts, check, is_row=False): return any(covered(one, check, True, is_row) for one in excepts)
def counts_account(gate, account, now):
    """Whether checks of an account are in a gate, by its `account` words and what it leaves out by account alone."""
    row, alone = {"severity": "unknown", "account": account}, [e for e in listed(gate.get("except")) if [*e] == ["account"]]
    words = {"account": gate["account"]} if "account" in gate else {}
    return not excluded(alone, row, True) and selects(words, row, now, True)
def canonical(words, excepts):
    plain = {f: listed(v) for f, v in words.items() if f not in ("severity", "older_than")}
    severity = sorted(severities(words["severity"])) if "severity" in words else None
    older = int(period(words["older_than"]).total_seconds()) if "older_than" in words else None
    return json.dumps([plain, severity, older, [canonical(one, []) for one in excepts]], sort_keys=True)
def of_answer(selection):
    severity = lambda one: {"severity": list(one["severity"])} if "severity" in one else {}
    older = {"older_than": "%ds" % selection["older_than"]} if "older_than" in selection else {}
    excepts = [{**one.get("words", {}), **severity(one)} for one in selection.get("except", [])]
    return canonical({**selection.get("words", {}), **severity(selection), **older}, excepts)

def count(part, words, excepts, now):
    """Passed and failed, or None where it is not known."""
    for answer in part.answers:
        if of_answer(answer["selection"]) == canonical(words, excepts): return answer["passed"], answer["failed"]
    fields = set(words) | {field for one in excepts for field in one}
    if part.table is None or not fields <= part.table[0]: return None
    passed, failed = [], 0
    for row, ok, bad in part.table[1]:
        if not excluded(excepts, row, True) and selects(words, row, now, True):
            passed.append(0 if ok is not None and not selects(words, row, now, False) else ok)
            failed += bad
    return None if None in passed else sum(passed), failed

def shown(part, words, excepts, now):
    """3 something, 2 not known, 1 nothing."""
    if any(selects(words, f, now, False) and not excluded(excepts, f) for f in part.findings): return 3
    counted = count(part, words, excepts, now)
    if counted is not None and counted[0] is not None: return 3 if counted[0] + counted[1] else 1
    return 2 if part.checks is not None else 1

class Gate:
    def __init__(self, gate, sources, policy, decision):
        self.gate, self.problems, self.failures, self.counted_only = gate, [], [], 0
        now = self.now = instant(decision["now"])
        evidence, excepts, least = policy.get("evidence", {}), listed(gate.get("except")), gate.get("min_evaluated")
        words = {field: gate[field] for field in SELECTORS if field in gate}
        nothing_allowed = evidence.get("min_evaluated", 1) == 0 or least == 0
        of_passes = {field: words[field] for field in words if field not in OF_FAILURES}
        passes_except = [one for one in excepts if not set(one) & set(OF_FAILURES)]
        needs_passes = "min_pass_rate" in gate or (least or 0) > 0
        passed, evaluated, parts, excuses, out_of_scope = 0, 0, [], [], {}
        entries = [entry for entry in policy.get("accept", []) if in_force(entry, gate, decision)]
        self.names = list(policy["sources"]) if gate["source"] == "all" else listed(gate["source"])
        def doubt(problem, source, known_at):
            self.problems.append(problem["cause"])
            for entry in entries:
                if entry.get("cause") != problem["cause"] or source not in listed(entry.get("source")): continue
                if "up_to" not in entry or known_at and timedelta(0) <= now - known_at <= period(entry["up_to"]):
                    return excuses.append(entry)
        for name in self.names:
            self.problems += [] if name in sources else ["incomplete"]
            source = sources.get(name, {"problems": [], "parts": []})
            for problem in source["problems"]: doubt(problem, name, None)
            for part in source["parts"]:
                line, framework, incomplete = part.line, part.line.get("framework"), part.line.get("incomplete")
                if framework and not any(like(w, framework, True) for w in listed(words.get("framework", "*"))):
                    continue
                own = [p for p in line.get("problems", []) if not (p["cause"] == "empty" and nothing_allowed)]
                too_few = part.checks is not None and part.checks < evidence.get("min_evaluated", 1)
                own += [{"cause": "empty"}] if too_few and not own and not nothing_allowed else []
                for account in line.get("accounts_without_results", []):
                    is_asked = ("account" in words or gate.get("each") == "account") and counts_account(gate, account, now)
                    own += [{"cause": "incomplete"}] if is_asked and "why" in account else []
                    own += [{"cause": "empty"}] if is_asked and "why" not in account and not nothing_allowed else []
                at = line.get("as_of") or line.get("read_at")
                if "max_age" in evidence and not line.get("problems"):
                    if at is None or not timedelta(hours=-14) <= now - instant(at) <= period(evidence["max_age"]):
                        own.append({"cause": "stale"})
                for problem in own: doubt(problem, name, at and instant(at))
                if own: continue
                parts.append((name, part))
                whole = count(part, words, [], now) if excepts and incomplete else (0, 0)
                if whole is None or whole[1] > 0: self.problems.append(incomplete["cause"])
                elif excepts:
                    before = out_of_scope.get(name, [1] * len(excepts))
                    found = [any(covered(one, f, True) for f in part.findings) for one in excepts]
                    seen = [3 if is_found else self.rows_excluded(one, part) for is_found, one in zip(found, excepts)]
                    out_of_scope[name] = [max(pair) for pair in zip(before, seen)]
                if not incomplete:
                    self.failures += [f for f in part.findings if not excluded(excepts, f) and any(
                        selects(words, dict(f, severity=s), now, True) for s in (f["severity"], severity(f, entries)))]
                else:
                    counted = count(part, words, excepts, now)
                    self.problems += [] if counted else [incomplete["cause"]]
                    self.counted_only += counted[1] if counted else 0
                if needs_passes:
                    counted = count(part, of_passes, passes_except, now)
                    within = (f for f in part.findings if not excluded(passes_except, f))
                    found = sum(selects(of_passes, f, now, True) for f in within)
                    ok, bad = counted or (None, 0)
                    passed = None if ok is None or passed is None else passed + ok
                    evaluated += (ok or 0) + (bad if incomplete else found)
        by_map = zip(*out_of_scope.values())
        self.warnings = any(max(seen) == 1 for seen in [*out_of_scope.values(), *by_map])
        self.known = 0
        self.accept(entries, policy.get("most_by_taken", 0))
        failed = self.failed = len(self.failures) + self.counted_only
        if not self.problems:
            self.words(words, excepts, parts)
            if needs_passes and passed is None: self.problems.append("incomplete")
            elif needs_passes and evaluated < (least if least is not None else 1): self.problems.append("empty")
        if not self.problems and not parts and least != 0: self.problems.append("incomplete")
        missed = "max" in gate and failed > gate["max"]
        if "min_pass_rate" in gate and not self.problems and passed + failed + self.known > 0:
            rate = Fraction(gate["min_pass_rate"].strip().rstrip("%").strip()) / 100
            missed |= Fraction(passed, passed + failed + self.known) < rate
        self.state = "breached" if missed else "inconclusive" if self.problems else "held"
        self.forgiven = bool(self.problems) and len(excuses) >= len(self.problems)
        self.by_level = gate.get("level", "block") == "block" and gate.get("blocks_from", "") <= today(decision)
        self.is_off = any(entry.get("gate_off") == gate["id"] for entry in entries)
        self.may_block = self.by_level and not self.is_off
        self.blocks = self.may_block and self.state != "held" and (self.state == "breached" or not self.forgiven)
    def rows_excluded(self, one, part):
        if part.table and set(one) <= part.table[0]:
            return 3 if any(covered(one, row, True, True) for row, _, _ in part.table[1]) else 1
        is_known = not set(one) & set(OF_FAILURES) and not any("unknown" in listed(words) for words in one.values())
        counted = count(part, one, [], self.now) if is_known else None
        if counted and counted[0] is not None: return 3 if counted[0] + counted[1] else 1
        return 2 if part.checks is not None else 1
    def accept(self, entries, left_for_taken):
        used, of = set(), lambda f: severity(f, entries)
        order = sorted(self.failures, key=lambda f: (SEVERITIES.index(of(f)), f["id"]))
        for entry in entries:
            is_limited = "match" in entry and entry.get("taken") and not narrow(entry["match"])
            most, rest = [entry.get("max_findings", len(order)), left_for_taken if is_limited else len(order)], []
            lines = sorted((dict(line) for line in entry["known"] if entry["applies"]), key=level)
            for finding in reversed(order) if lines else order:
                if min(most) > 0 and self.covers(entry, finding, of(finding), lines):
                    most = [left - 1 for left in most]
                    left_for_taken -= bool(is_limited)
                    self.known += "baseline" in entry
                    used.add((entry["whose"], entry["id"]))
                else: rest.append(finding)
            order = rest[::-1] if lines else rest
        self.failures, self.covered = order, used
    def covers(self, entry, finding, severity, lines):
        if "match" in entry:
            known = severity != "unknown" or "severity" in entry["match"]
            return known and covered(entry["match"], dict(finding, severity=severity), False)
        waiver = finding.get("waiver", {})
        if entry.get("upstream") == waiver.get("kind", ""):
            held = "fault" not in waiver and ("until" not in waiver or instant(waiver["until"]) > self.now)
            return held and severity != "unknown"
        if changed_there(entry, finding):
            now = finding["rerating"][1]
            return now != "unknown" and "severity" in self.gate and now not in severities(self.gate["severity"])
        for line in [] if finding.get("event") else lines:
            if line["fingerprint"] == finding["id"] and line["count"] > 0 and level(line) >= SEVERITIES.index(severity):
                line["count"] -= 1
                return True
        return False
    def words(self, words, excepts, parts):
        lists = {field: words[field] for field in IDENTITY if field in words}
        tried = [dict(lists, **{field: [word]}) for field in lists for word in listed(lists[field])]
        of_checks = {name for name, part in parts if part.checks is not None}
        answered = any(part.checks is None for _, part in parts)
        if self.gate.get("min_evaluated") == 0 or not of_checks: return
        if tried:
            seen = [max(shown(part, one, [], self.now) for _, part in parts) for one in tried]
            self.problems += ["empty"] if not answered and 1 in seen else []
            for name in of_checks if answered or set(seen) != {1} else []:
                own = [part for source, part in parts if source == name and part.checks is not None]
                sight = max(shown(part, one, [], self.now) for part in own for one in tried)
                self.problems += ["empty"] if sight == 1 else []
            self.problems += ["incomplete"] if 2 in seen else []
        left = [one for one in excepts if set(one) <= set(IDENTITY) | {"severity"}]
        if left and not self.problems:
            sight = max(shown(part, lists, left, self.now) for _, part in parts)
            self.problems += {1: ["empty"], 2: ["incomplete"], 3: []}[sight]
    def verdict(self):
        of_cause = {"invalid": "invalid", "setup": "invalid", "denied": "denied", "unreachable": "unreachable"}
        own = [of_cause.get(cause, "inconclusive") for cause in self.problems]
        worst = max(own + ["blocked"] * (self.state == "breached") + ["passed"], key=VERDICTS.index)
        if worst != "passed" and not self.may_block or (self.forgiven and self.state != "breached"): return "warned"
        return "blocked" if self.forgiven and worst != "passed" else worst

def today(decision): return instant(decision["now"]).astimezone(timezone.utc).date().isoformat()
def changed_there(entry, finding):
    system = finding["source"].removeprefix("org/").split("/")[0]
    return "rerating" in finding and entry.get("upstream") == system + ".severity"
def level(line): return SEVERITIES.index(line["severity"])

def severity(finding, entries):
    """The severity by which a finding counts."""
    return finding["rerating"][1] if any(changed_there(e, finding) for e in entries) else finding["severity"]
def life(start, entry): return (datetime.fromisoformat(entry["expires"]) - datetime.fromisoformat(start)).days
def in_force(entry, gate, decision):
    return entry.get("from", "") <= today(decision) <= entry["expires"] and (
        not entry.get("gates") or gate["id"] in entry["gates"]) \
        and (not entry.get("environments") or decision.get("environment") in entry["environments"])
def exit_code(verdict, mode): return 0 if mode == "observe" and CODES[verdict] in (1, 3, 4, 5) else CODES[verdict]
def rank(one):
    at = VERDICTS.index(one[0])
    return min(at, VERDICTS.index("warned")) if exit_code(*one) == 0 else at, one[1] == "enforce", at

def decide(path):
    sources, own, org, decision = read(path)
    own = own or {"gates": [], "accept": []}
    policies = [own] if own["gates"] or not org else []
    policies += [beside(own, org)] if org else []
    ruled = [[Gate(gate, sources, policy, decision) for gate in policy["gates"]] for policy in policies]
    covered = {key for gates in ruled for gate in gates for key in gate.covered}
    verdicts = [verdict_of(*one, sources, covered, decision) for one in zip(policies, ruled)]
    verdict, mode = max(verdicts, key=rank)
    of = lambda gate: {"state": gate.state, "blocks": gate.blocks, "failed": gate.failed}
    found = {gate.gate["id"]: of(gate) for gates in ruled for gate in gates}
    return {"verdict": verdict, "exit_code": exit_code(verdict, mode), "gates": found}, decision

def verdict_of(policy, gates, sources, covered, decision):
    names = {name for gate in gates for name in gate.names}
    used = [sources[name] for name in names if name in sources]
    warned = any(counts_account(gate.gate, account, gate.now) for gate in gates for name in gate.names if name in sources
                 for p in sources[name]["parts"] if not p.line.get("problems")
                 for account in p.line.get("accounts_without_results", []))
    warned |= any(gate.warnings for gate in gates)
    whole = len(used) == len(names) and all(not s["problems"] and all(
        not p.line.get("problems") and "incomplete" not in p.line for p in s["parts"]) for s in used)
    for entry in policy["accept"]:
        if in_force(dict(entry, gates=[]), None, decision):
            warned |= life(today(decision), entry) <= 14
            warned |= life(entry.get("from", today(decision)), entry) > (31 if "cause" in entry else 366)
            judged = any(in_force(entry, gate, decision) for gate in policy["gates"])
            forgives = "match" in entry or "upstream" in entry or entry.get("applies")
            warned |= bool(whole and judged and forgives and (entry["whose"], entry["id"]) not in covered)
    verdicts = [gate.verdict() for gate in gates] + ["warned"] * bool(warned)
    verdicts += [decision["at_least"]] if decision.get("at_least") else []
    off = [gate.is_off for gate in gates if gate.by_level]
    verdicts += ["invalid"] * bool(off and all(off))
    return max(verdicts, key=VERDICTS.index), policy.get("mode", "enforce")

def main(folder):
    files, expected, wrong = sorted(Path(folder).glob("*.jsonl")), Path(folder, "expected.json"), 0
    expected = json.loads(expected.read_text()) if expected.exists() else {}
    for path in files:
        try: found, decision = decide(path)
        except Exception as error: found, decision = {"error": repr(error)}, {}
        wanted = expected.get(path.stem) or {**found, **{key: decision.get(key) for key in ("verdict", "exit_code")}}
        if found != wanted:
            wrong += 1
            print(f"{path.stem}:\n  found  {json.dumps(found)}\n  wanted {json.dumps(wanted)}")
    print(f"{len(files) - wrong} of {len(files)} agree")
    return 1 if wrong or not files else 0

if __name__ == "__main__": sys.exit(main(sys.argv[1]))

