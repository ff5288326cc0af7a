"""Mints the goldens that are named on the command line, or all of them."""

import importlib
import sys
import time

import torch

# Module → the goldens that it mints. A later one may read what an earlier one wrote.
MODULES = ["pipelines", "prompts", "layers", "vaes", "schedulers", "ops", "keys", "native", "pictures", "resampling"]


def mints():
    found = {}
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if missing.name != name:
                raise
            continue
        found.update(module.MINTS)
    return found


def main(arguments):
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    known = mints()
    if "--list" in arguments:
        print("\n".join(known))
        return 0
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"unknown goldens: {', '.join(unknown)}; --list shows them all", file=sys.stderr)
        return 2
    for name in arguments or known:
        start = time.monotonic()
        known[name]()
        print(f"{name}: {time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
