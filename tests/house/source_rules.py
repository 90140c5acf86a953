#!/usr/bin/env python3
"""Checks rules of the house that a compiler does not know.

Usage: source_rules.py ROOT

  sync-pair     SYNC(name) in a library names both ends of one ordering: it appears at least twice.
  atomic-order  atomic operations in a library name their memory order (std::atomic's default is the
                strongest; operators such as ++ on an atomic are not seen by this check).
  no-fence      no atomic_thread_fence in a library: g++ 12's thread sanitizer does not model it.
  no-sleep      tests own the clock and the scheduler; they never sleep.
  no-home-path  no developer's absolute path anywhere.

Prints one line per finding, `file:line: rule: why`, and exits 1 when there are any.
"""

import pathlib
import re
import sys

import include_scan

CXX_SUFFIXES = {".h", ".cc"}
SKIPPED_FOLDERS = {".git", "build", "__pycache__"}

SYNC = re.compile(r"\bSYNC\(([\w-]+)\)")
ATOMIC_CALL = re.compile(
    r"(?:\.|->)(load|store|exchange|fetch_\w+|compare_exchange_(?:weak|strong)|test_and_set)\("
)
SLEEP = re.compile(r"\b(?:sleep_for|sleep_until|SleepFor|usleep|nanosleep|sleep)\s*\(")
HOME_PATH = re.compile(r"(?<![\w.}])/(?:work|home)/")


def code_of(line):
    """The line without its comment (string literals with // are rare enough in this tree)."""
    return line.split("//", 1)[0]


def call_arguments(text, start):
    """The text between the parenthesis that ends at `start` and its partner."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return text[start:index]
    return text[start:]


def check_sync_pairs(files):
    places = {}
    for name, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            for sync in SYNC.findall(line):
                places.setdefault(sync, []).append(f"{name}:{number}")
    for sync, where in sorted(places.items()):
        if len(where) < 2:
            yield f"{where[0]}: sync-pair: SYNC({sync}) appears once; name the other end too"


def check_atomics(files):
    for name, text in files:
        code = "\n".join(code_of(line) for line in text.splitlines())
        for call in ATOMIC_CALL.finditer(code):
            arguments = call_arguments(code, call.end())
            if "order" not in arguments:
                number = code.count("\n", 0, call.start()) + 1
                yield f"{name}:{number}: atomic-order: {call.group(1)}() names no memory order"
    for name, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if "atomic_thread_fence" in code_of(line):
                yield f"{name}:{number}: no-fence: atomic_thread_fence; order the operation itself"


def check_sleeps(files):
    for name, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if SLEEP.search(code_of(line)):
                yield f"{name}:{number}: no-sleep: use a manual clock, or wait for the event itself"


def check_home_paths(files):
    for name, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if HOME_PATH.search(line):
                yield f"{name}:{number}: no-home-path: {line.strip()[:80]}"


def read_tree(root):
    """(relative name, text) of every text file that is part of the repository."""
    files = []
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        if SKIPPED_FOLDERS.intersection(parts) or not file.is_file():
            continue
        try:
            files.append(("/".join(parts), file.read_text()))
        except UnicodeDecodeError:
            continue  # binary
    return files


def scan(root):
    files = read_tree(root)
    findings = []
    for layer in include_scan.read_table(root)[0]:
        library = [
            (name, text)
            for name, text in files
            if name.startswith((f"{layer}/include/", f"{layer}/src/"))
            and pathlib.PurePath(name).suffix in CXX_SUFFIXES
        ]
        findings += check_sync_pairs(library)
        findings += check_atomics(library)
    tests = [
        (name, text)
        for name, text in files
        if name.startswith("tests/") and pathlib.PurePath(name).suffix in CXX_SUFFIXES
    ]
    findings += check_sleeps(tests)
    findings += check_home_paths(files)
    return findings, len(files)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings, files = scan(pathlib.Path(arguments[0]))
    for finding in findings:
        print(finding)
    print(f"{files} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
