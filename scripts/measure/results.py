"""A table and what it was made from, kept."""

import datetime
import json
import shlex
import sys
from pathlib import Path

import machine


def save(a, script, words, columns, table, rows):
    """Prints the table, and writes it and `rows` to `a.out`, named by the day and `a.name`."""
    on, commit = machine.machine("cpu"), machine.output("git", "rev-parse", "--short=12", "HEAD")
    load = Path("/proc/loadavg").read_text().split()[0]
    date, command = datetime.date.today().isoformat(), shlex.join([script, *sys.argv[1:]])
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, *table)]
    lines.insert(1, "|---" * len(columns) + "|")
    text = (
        f"# {a.name}\n\n    {command}\n\n{date}, commit {commit}, {on['cpu']}, {on['cores']} cores; load afterwards {load}; "
        f"{words}.\n\n" + "\n".join(lines) + "\n"
    )
    print(text)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / f"{date}-{a.name}.md").write_text(text)
    found = {"date": date, "command": command, "commit": commit, "machine": on, "load": load, "rows": rows}
    (a.out / f"{date}-{a.name}.json").write_text(json.dumps(found, indent=1) + "\n")
