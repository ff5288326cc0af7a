"""The figures of one run, kept as soon as they exist: part → what → who → figure."""

import json
import os


class Store:
    def __init__(self, path, about):
        self.path = path
        self.data = json.loads(path.read_text()) if path.exists() else {**about, "commands": [], "figures": {}}

    def get(self, *keys):
        """Null if it is not there, or if it could not be measured: that is tried again."""
        value = self.data["figures"]
        for key in keys:
            value = value.get(key, {})
        return value if value and "failed" not in value else None

    def put(self, *keys, figure):
        place = self.data["figures"]
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = figure
        self.save()
        print(" ".join(keys), json.dumps(figure)[:300], flush=True)

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.data, indent=1) + "\n")
        os.replace(part, self.path)
