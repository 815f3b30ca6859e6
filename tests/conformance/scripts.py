"""Writes every script inside YAML files to a file of its own: scripts.py FOLDER FILE…"""

import pathlib
import sys

from ruamel.yaml import YAML

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for old in folder.iterdir():
    old.unlink()


def scripts(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "bash", "script") and isinstance(item, str):
                yield item
            else:
                yield from scripts(item)
    elif isinstance(value, list):
        for item in value:
            yield from scripts(item)


for name in sys.argv[2:]:
    for number, script in enumerate(scripts(YAML(typ="safe").load(pathlib.Path(name)))):
        shebang = "" if script.startswith("#!") else "#!/usr/bin/env bash\n"
        (folder / f"{name.replace('/', '-')}-{number}").write_text(shebang + script)
assert any(folder.iterdir())
