#!/usr/bin/env python3
"""Checks rules of the house that a compiler does not know.

Usage: source_rules.py ROOT

  sync-pair     SYNC(name) in a library names both ends of one ordering: it appears at least twice.
  sync-table    docs/memory_model.md has one row for each name, with the files that carry it.
  atomic-order  atomic operations in a library name their memory order (std::atomic's default is the
                strongest; operators such as ++ on an atomic are not seen by this check).
  no-fence      no atomic_thread_fence in a library: g++ 12's thread sanitizer does not model it.
  own-header    a library's source includes the header of its own name first, which shows that this
                header stands alone; the build compiles only the others for that.
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

SYNC_TABLE = "docs/memory_model.md"
SYNC_ROW = re.compile(r"^\| `([\w-]+)` \| ([\w., ]+) \| \S.* \|$")
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


def check_sync_table(files, table):
    """`table` is the document's text; `files` are those of the libraries and the benchmark."""
    places = {}
    for name, text in files:
        for sync in SYNC.findall(text):
            places.setdefault(sync, set()).add(pathlib.PurePath(name).name)
    rows = {}
    for number, line in enumerate(table.splitlines(), 1):
        row = SYNC_ROW.match(line)
        if row is None:
            continue
        sync, where = row.group(1), {file.strip() for file in row.group(2).split(",")}
        if sync in rows:
            yield f"{SYNC_TABLE}:{number}: sync-table: `{sync}` has two rows"
        elif where != places.get(sync, set()):
            found = ", ".join(sorted(places.get(sync, {"no file"})))
            yield f"{SYNC_TABLE}:{number}: sync-table: `{sync}` is in {found}; write that"
        rows[sync] = where
    for sync in sorted(places.keys() - rows.keys()):
        found = ", ".join(sorted(places[sync]))
        yield f"{SYNC_TABLE}:1: sync-table: SYNC({sync}) in {found} has no row; add one"


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


def check_own_headers(files):
    headers = {pathlib.PurePath(name).stem for name, _ in files if "/include/" in name}
    for name, text in files:
        path = pathlib.PurePath(name)
        if path.suffix != ".cc" or path.stem not in headers:
            continue
        first = re.search(r"^#include .*$", text, re.MULTILINE)
        if first is not None and not first.group(0).endswith(f"/{path.stem}.h\""):
            line = text[: first.start()].count("\n") + 1
            yield f"{name}:{line}: own-header: the first include is {path.stem}.h"


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
    libraries = []
    for layer in include_scan.read_table(root)[0]:
        library = [
            (name, text)
            for name, text in files
            if name.startswith((f"{layer}/include/", f"{layer}/src/"))
            and pathlib.PurePath(name).suffix in CXX_SUFFIXES
        ]
        libraries += library
        findings += check_sync_pairs(library)
        findings += check_atomics(library)
        findings += check_own_headers(library)
    libraries += [
        (name, text)
        for name, text in files
        if name.startswith("bench/") and pathlib.PurePath(name).suffix in CXX_SUFFIXES
    ]
    tables = [text for name, text in files if name == SYNC_TABLE]
    if tables:
        findings += check_sync_table(libraries, tables[0])
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
    root = pathlib.Path(arguments[0])
    findings, files = scan(root)
    if not (root / SYNC_TABLE).exists():
        findings.append(f"{SYNC_TABLE}:1: sync-table: the document with the table is not there")
    for finding in findings:
        print(finding)
    print(f"{files} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
