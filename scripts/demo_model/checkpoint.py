"""Where a training stands: weights, optimizer, step, seconds; and its log, one JSON object a line."""

import json
import os
from pathlib import Path

import torch


class Store:
    def __init__(self, folder, name):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.path = Path(folder) / f"{name}.pt"
        self.log_path = Path(folder) / f"{name}.jsonl"

    def load(self, model):
        """Step, seconds spent and the optimizer's state; 0, 0 and None where nothing was saved."""
        if not self.path.exists():
            return 0, 0.0, None
        saved = torch.load(self.path, weights_only=True, map_location="cpu")
        model.load_state_dict(saved["model"])
        return saved["step"], saved["spent"], saved["optimizer"]

    def save(self, model, optimizer, step, spent):
        part = self.path.with_suffix(".part")
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}
        torch.save(saved, part)
        os.replace(part, self.path)

    def log(self, step, spent, **figures):
        line = json.dumps({"step": step, "s": round(spent), **{k: round(v, 5) for k, v in figures.items()}})
        print(line, flush=True)
        with self.log_path.open("a") as log:
            log.write(line + "\n")


def latest(folder, name):
    """The last stage's."""
    return Store(folder, max(Path(folder).glob(f"{name}.?.pt")).stem)


def once(path, make):
    """What JSON file `path` says; made and written where it is not there."""
    if not path.exists():
        path.write_text(json.dumps(make()) + "\n")
    return json.loads(path.read_text())
