"""Runs ci-templates/shell/comment.sh against simple copies of three hosts' APIs.

Each host has comments of people already, on GitHub and GitLab more than one page of them. The first run
has to write a comment, the second to replace it, and another gate gets its own.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

SCRIPT = os.path.join(os.path.dirname(__file__), "../../ci-templates/shell/comment.sh")
TOKEN = "invented-token-of-a-host"


class Host(http.server.BaseHTTPRequestHandler):
    """Comments are a list of texts; the number of a comment is its place, from 1."""

    comments = []
    seen = []

    def respond(self):
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qs(query)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        Host.seen.append(self.command)
        is_azure = "/_apis/" in path
        token = self.headers.get("PRIVATE-TOKEN") if "/projects/" in path else self.headers.get("Authorization")
        if token not in (TOKEN, f"Bearer {TOKEN}") or (is_azure and query.get("api-version") != ["7.1"]):
            return self.answer(401, {})
        if self.command == "GET":
            numbered = list(enumerate(self.comments, 1))
            if is_azure:
                threads = [{"id": at, "comments": [{"id": 1, "content": text}]} for at, text in numbered]
                return self.answer(200, {"value": threads})
            first = (int(query["page"][0]) - 1) * 100
            return self.answer(200, [{"id": at, "body": text} for at, text in numbered[first : first + 100]])
        if self.command == "POST":
            if is_azure:
                body = {"body": body["comments"][0]["content"]}
            self.comments.append(body["body"])
            return self.answer(201, {})
        parts = path.split("/")
        at = int(parts[parts.index("threads") + 1] if is_azure else parts[-1])
        assert not is_azure or parts[-2:] == ["comments", "1"], path
        assert "/pulls/" not in path and self.command == ("PUT" if "/projects/" in path else "PATCH"), path
        self.comments[at - 1] = body["content" if is_azure else "body"]
        return self.answer(200, {})

    do_GET = do_POST = do_PUT = do_PATCH = respond

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    hosts = {
        "GitHub": {
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_API_URL": origin,
            "GITHUB_REPOSITORY": "shop/checkout",
            "GH_TOKEN": TOKEN,
        },
        "GitLab": {
            "CI_MERGE_REQUEST_IID": "7",
            "CI_API_V4_URL": f"{origin}/api/v4",
            "CI_PROJECT_ID": "12",
            "COMPLIANCE_GATE_COMMENT_TOKEN": TOKEN,
        },
        "Azure": {
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
            "SYSTEM_COLLECTIONURI": f"{origin}/shop/",
            "SYSTEM_TEAMPROJECTID": "b0a1",
            "BUILD_REPOSITORY_ID": "c2d3",
            "SYSTEM_ACCESSTOKEN": TOKEN,
        },
    }
    with tempfile.TemporaryDirectory() as folder:

        def run(variables, marker, words):
            report = os.path.join(folder, "report.md")
            text = f"### {words}\n\n<!-- compliance-gate:{marker} -->\n\n\"quoted\" \\ `code` ✅\n"
            with open(report, "w", encoding="utf-8") as file:
                file.write(text)
            environment = {"PATH": os.environ["PATH"], **variables}
            done = subprocess.run([SCRIPT, report], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
            assert TOKEN not in done.stdout + done.stderr
            return text, done.stdout

        for name, variables in hosts.items():
            people = [f"comment {at}" for at in range(230)]
            Host.comments[:] = people
            first, said = run(variables, "00aa", "blocked")
            assert "is written" in said and Host.comments == [*people, first], name
            other, _ = run(variables, "00ab", "another gate")
            assert Host.comments == [*people, first, other], name
            second, said = run(variables, "00aa", "passed")
            assert "is updated" in said and Host.comments == [*people, second, other], name

        Host.seen.clear()
        _, said = run({"GITHUB_REF": "refs/heads/main"}, "00aa", "passed")
        assert "no pull request" in said and not Host.seen
        refused = subprocess.run([SCRIPT, SCRIPT], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
        assert refused.returncode == 2
        # A host that refuses is an error of the script; templates do not let it change the verdict.
        wrong = {**hosts["GitHub"], "GH_TOKEN": "wrong"}
        report = os.path.join(folder, "report.md")
        refused = subprocess.run([SCRIPT, report], env={"PATH": os.environ["PATH"], **wrong}, capture_output=True, check=False)
        assert refused.returncode not in (0, 2)


if __name__ == "__main__":
    sys.exit(main())
