"""What the benchmarks share: the embedded platforms, a relay in front of them that records answers,
replays them and delays them, and a launcher that measures processes."""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

# All that a measured process has in its environment.
TOKENS = {"OPENCOMPLY_API_KEY": "a-token", "GRAVITYZONE_API_KEY": "a-token",
          "BIGPANDA_API_KEY": "a-token", "SYSDIG_API_TOKEN": "a-token", "BIGID_TOKEN": "a-token",
          "PATH": os.environ["PATH"]}
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "keep-alive"}


class Platforms:
    """`compliance-gate simulate` with a scenario: a name, or its JSON."""

    def __init__(self, binary, scenario):
        self.folder = tempfile.TemporaryDirectory()
        if isinstance(scenario, dict):
            path = pathlib.Path(self.folder.name, "scenario.json")
            path.write_text(json.dumps(scenario))
            scenario = str(path)
        self.log = pathlib.Path(self.folder.name, "log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [binary, "simulate", "--listen", "127.0.0.1:0", "--scenario", scenario],
                stdout=subprocess.PIPE, stderr=log, text=True)
        self.origin = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class Relay:
    """Passes requests on. `delay`: seconds that each answer takes longer. `replays`: an answer that
    was given once is given again, without the platform."""

    def __init__(self, upstream, delay=0.0, replays=False):
        self.upstream = upstream.removeprefix("http://")
        self.delay = delay
        self.replays = replays
        self.recorded = {}
        self.log = []
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                relay.serve(self)

            do_GET = do_POST = do_PATCH = do_PUT = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                """A client that leaves early is none of its faults."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        began = time.monotonic()
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        key = (handler.command, handler.path, body)
        answer = self.recorded.get(key)
        if answer is None:
            answer = self.ask(handler, body)
            if self.replays:
                self.recorded[key] = answer
        time.sleep(max(0.0, began + self.delay - time.monotonic()))
        status, headers, content = answer
        self.log.append((time.monotonic(), handler.command, handler.path, content))
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Date", handler.date_time_string())
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def ask(self, handler, body):
        connection = http.client.HTTPConnection(self.upstream, timeout=120)
        # The host stays that of the relay, so that links lead back to it.
        headers = {name: value for name, value in handler.headers.items()
                   if name.lower() not in {"accept-encoding", "connection"}}
        connection.request(handler.command, handler.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        kept = [(name, value) for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP]
        return response.status, kept, content


class Launcher:
    """Starts what is measured. It is a small process of its own, since Linux counts the memory of a
    process that starts another one as the other's peak."""

    CODE = """
import json, os, sys, time
for line in sys.stdin:
    commands, variables = json.loads(line)
    started, ended = {}, {}
    for at, (command, folder) in enumerate(commands):
        os.chdir(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        files = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                 (os.POSIX_SPAWN_OPEN, 1, "output", flags, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
        began = time.monotonic()
        started[os.posix_spawn(command[0], command, variables, file_actions=files)] = at, began
    while started:
        process, status, usage = os.wait4(-1, 0)
        at, began = started.pop(process)
        cpu = usage.ru_utime + usage.ru_stime
        ended[at] = [os.waitstatus_to_exitcode(status), time.monotonic() - began, cpu,
                     usage.ru_maxrss / 1024]
    print(json.dumps([ended[at] for at in sorted(ended)]), flush=True)
"""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", self.CODE], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, commands, variables):
        """Runs commands at once, each in a folder. Exit code, wall and CPU seconds, MiB of each."""
        commands = [([shutil.which(command[0]) or command[0], *command[1:]], str(folder))
                    for command, folder in commands]
        print(json.dumps([commands, variables]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())
