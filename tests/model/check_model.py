#!/usr/bin/env python3
"""Checks a Promela model for every schedule, with Spin.

Usage: check_model.py holds|fails MODEL [-DNAME[=VALUE] ...]

`holds`: Spin has visited every state and no assertion failed. `fails`: an assertion failed, which shows
that the check sees the fault that the definitions put in. Exits 0 when it is so, 1 when not, 77 (skipped)
when spin or a C compiler is not installed.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# Deeper than any of our runs; Spin says so when it is not, and then it is no proof.
DEPTH = 1_000_000
MEMORY_MB = 4000


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def judge(report):
    """(verdict, why) of what a verifier printed: `holds`, `fails`, or `unknown` when it did not finish."""
    states = re.search(r"(\d+(?:\.\d+e\+\d+)?) states, stored", report)
    errors = re.search(r"errors: (\d+)", report)
    if not states or not errors:
        return "unknown", "the verifier printed no result"
    size = f"{states.group(1)} states"
    failed = re.search(r"^pan:\d+: (.*)$", report, re.MULTILINE)
    if int(errors.group(1)) > 0:
        why = failed.group(1) if failed else "an error"
        if why.startswith("assertion violated (") or why.startswith("assertion violated !("):
            return "fails", f"{why}, after {size}"
        return "unknown", why
    if "Search not completed" in report or "error: max search depth too small" in report:
        return "unknown", f"the search ended early, after {size}"
    return "holds", size


def check(expected, model, definitions):
    with tempfile.TemporaryDirectory() as folder:
        code, output = run(["spin", "-a", *definitions, str(model.resolve())], folder)
        if code != 0 or "Error" in output:
            return "unknown", output
        # SAFETY: assertions and ends, no cycles. COLLAPSE: a third of the memory, and still every state.
        options = ["-O2", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}"]
        code, output = run(["gcc", *options, "-o", "pan", "pan.c"], folder)
        if code != 0:
            return "unknown", output
        _, report = run(["./pan", f"-m{DEPTH}", "-n"], folder)
        verdict, why = judge(report)
        if verdict != expected:
            trail = pathlib.Path(folder, f"{model.name}.trail")
            if trail.exists():
                shutil.copy(trail, f"{model.name}.trail")
                why += f"\nthe way there: spin -t -k {model.name}.trail -p -g {' '.join(definitions)} {model}"
            else:
                why += "\n" + report
        return verdict, why


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in ("holds", "fails"):
        print(__doc__, file=sys.stderr)
        return 2
    for program in ("spin", "gcc"):
        if shutil.which(program) is None:
            print(f"SKIPPED: {program} is not installed (Debian: apt-get install {program})")
            return SKIPPED
    expected, model, definitions = arguments[0], pathlib.Path(arguments[1]), arguments[2:]
    verdict, why = check(expected, model, definitions)
    print(f"{verdict}: {why}")
    if verdict != expected:
        print(f"expected: {expected}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
