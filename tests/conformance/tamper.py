"""Prints a bundle whose statement is for another environment, under the same signature."""

import base64
import json
import sys

bundle = json.load(open(sys.argv[1]))
envelope = bundle["dsseEnvelope"]
payload = base64.b64decode(envelope["payload"])
changed = payload.replace(b"ENV_PRODUCTION", b"ENV_STAGING000")
assert changed != payload
envelope["payload"] = base64.b64encode(changed).decode()
json.dump(bundle, sys.stdout)
