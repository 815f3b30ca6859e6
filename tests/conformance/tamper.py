"""Changes a signed statement, and leaves its signature: the policy has another name then.

tamper.py BUNDLE                          prints the changed bundle
tamper.py --registry REPOSITORY DIGEST    changes the one bundle of an image in a registry
"""

import base64
import hashlib
import json
import sys
import urllib.request


def tampered(bundle):
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    # Nothing that a verifier asks for: only the signature gives it away.
    changed = payload.replace(b"compliance-gate.yaml", b"compliance-gate.y4ml", 1)
    assert changed != payload
    return {**bundle, "dsseEnvelope": {**envelope, "payload": base64.b64encode(changed).decode()}}


def send(address, method="GET", body=None, kind="application/octet-stream"):
    request = urllib.request.Request(address, body, {"Content-Type": kind, "Accept": "*/*"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def change(repository, digest):
    tag = f"{repository}/manifests/{digest.replace(':', '-')}"
    index = json.loads(send(tag))
    (entry,) = index["manifests"]
    manifest = json.loads(send(f"{repository}/manifests/{entry['digest']}"))
    (layer,) = manifest["layers"]
    bundle = json.loads(send(f"{repository}/blobs/{layer['digest']}"))
    for described, document in [(layer, tampered(bundle)), (entry, manifest), (None, index)]:
        text = json.dumps(document).encode()
        name = "sha256:" + hashlib.sha256(text).hexdigest()
        if described is layer:
            send(f"{repository}/blobs/uploads/?digest={name}", "POST", text)
        else:
            send(tag if described is None else f"{repository}/manifests/{name}", "PUT", text, document["mediaType"])
        if described is not None:
            described.update(digest=name, size=len(text))


if __name__ == "__main__":
    if sys.argv[1] == "--registry":
        change(*sys.argv[2:])
    else:
        json.dump(tampered(json.load(open(sys.argv[1]))), sys.stdout)
