"""Forwards to the simulator without the header by which it says what it is: unmarked.py ORIGIN prints a port.

The gate writes no verification result for simulated evidence, and the verifiers need one to judge.
"""

import http.server
import sys
import urllib.error
import urllib.request

LEFT_OUT = {"x-simulated-by", "transfer-encoding", "connection", "content-length"}


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        length = int(self.headers.get("content-length") or 0)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
        body = self.rfile.read(length) if length else None
        request = urllib.request.Request(sys.argv[1] + self.path, body, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            if key.lower() not in LEFT_OUT:
                self.send_header(key, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = forward

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forward)
print(server.server_port, flush=True)
server.serve_forever()
