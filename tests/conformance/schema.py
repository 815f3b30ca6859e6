"""Checks a JSON document against a JSON Schema: schema.py SCHEMA DOCUMENT."""

import json
import sys

import jsonschema_rs

schema, document = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
errors = list(jsonschema_rs.validator_for(schema).iter_errors(document))
for error in errors[:20]:
    print(f"{error.message[:300]} at {error.instance_path}")
sys.exit(bool(errors))
