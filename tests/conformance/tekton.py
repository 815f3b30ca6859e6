"""Writes the step of a Tekton Task as a Pod, so that it can be checked against Kubernetes' schema.

    tekton.py TASK POD

There is no schema of Tekton for offline use. A step is a container with a few more fields, which
are checked and removed here; the rest must be valid for Kubernetes.
"""

import sys

from ruamel.yaml import YAML

yaml = YAML(typ="safe")
with open(sys.argv[1], encoding="utf-8") as file:
    task = yaml.load(file)
assert (task["apiVersion"], task["kind"]) == ("tekton.dev/v1", "Task")
assert set(task["spec"]) <= {"params", "results", "steps", "workspaces", "description"}, set(task["spec"])
for param in task["spec"]["params"]:
    assert set(param) <= {"name", "description", "default", "type"}, param
for result in task["spec"]["results"]:
    assert set(result) <= {"name", "description", "type"}, result
for step in task["spec"]["steps"]:
    assert step.pop("script").startswith("#!")
    assert step.pop("timeout").endswith(("h", "m"))
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step"}, "spec": {"containers": task["spec"]["steps"]}}
with open(sys.argv[2], "w", encoding="utf-8") as file:
    yaml.dump(pod, file)
