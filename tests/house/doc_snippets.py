#!/usr/bin/env python3
"""Keeps the documents true: quoted code equals the tree, printed commands run.

Usage: doc_snippets.py code ROOT DOCUMENT...
       doc_snippets.py commands BIN_DIR DOCUMENT...

code: a ```cpp block is compared when the line before its fence names its origin.
    <!-- examples/foo.cc -->         the whole file
    <!-- examples/foo.cc [name] -->  the lines between two lines `// [name]` of the file
    <!-- excerpt: path/of/file -->   runs of lines of the file, in order, parted by lines `...`
  Common indentation does not count.

commands: in each ```console block, a line that starts with `$ ` is a command, continued while it
  ends in a backslash; all other lines are its output, for the reader. The commands of one document
  run in order in one empty folder with BIN_DIR in front of PATH, and each must exit with 0.
  Skipped: commands of ./dev, which CI runs itself, and blocks under <!-- not run: reason -->.

A document that does not exist is skipped. Prints one line per finding, exits 1 when there are any.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
ORIGIN = re.compile(r"^\s*<!-- (?P<path>[^\s\[:]+\.\w+)(?: \[(?P<region>[\w-]+)\])? -->\s*$")
EXCERPT = re.compile(r"^\s*<!-- excerpt: (?P<path>\S+) -->\s*$")
NOT_RUN = re.compile(r"^\s*<!-- not run: \S.* -->\s*$")
COMMAND_TIMEOUT_S = 300


class Block:
    """A fenced block: its language, first line's number, text, and the line before the fence."""

    def __init__(self, language, line, text, before):
        self.language = language
        self.line = line
        self.text = text
        self.before = before


def blocks_of(document):
    lines = document.read_text().splitlines()
    blocks = []
    index = 0
    while index < len(lines):
        fence = FENCE.match(lines[index])
        if fence:
            end = index + 1
            while end < len(lines) and lines[end].strip() != "```":
                end += 1
            text = textwrap.dedent("\n".join(lines[index + 1 : end]))
            before = lines[index - 1] if index > 0 else ""
            blocks.append(Block(fence.group(2), index + 2, text, before))
            index = end
        index += 1
    return blocks


def region_of(text, name):
    """The lines between the two lines `// [name]`, or None."""
    lines = text.splitlines()
    marks = [i for i, line in enumerate(lines) if line.strip() == f"// [{name}]"]
    if len(marks) != 2:
        return None
    return textwrap.dedent("\n".join(lines[marks[0] + 1 : marks[1]]))


def excerpt_fault(block_text, file_text):
    """The first run of the block that the file does not hold after the ones before it, or None."""
    lines = file_text.splitlines()
    start = 0
    for run in re.split(r"(?m)^\s*\.\.\.\s*$\n?", block_text):
        wanted = textwrap.dedent(run).strip("\n").splitlines()
        if not wanted:
            continue
        for at in range(start, len(lines) - len(wanted) + 1):
            candidate = textwrap.dedent("\n".join(lines[at : at + len(wanted)])).splitlines()
            if [line.rstrip() for line in candidate] == [line.rstrip() for line in wanted]:
                start = at + len(wanted)
                break
        else:
            return wanted[0]
    return None


def first_difference(expected, found):
    expected, found = expected.splitlines(), found.splitlines()
    for index in range(max(len(expected), len(found))):
        a = expected[index] if index < len(expected) else "(end)"
        b = found[index] if index < len(found) else "(end)"
        if a.rstrip() != b.rstrip():
            return f"its line {index + 1} is `{b}`, the file has `{a}`"
    return None


def code_fault(block, root):
    """Why the block is not what the tree holds, or None."""
    excerpt = EXCERPT.match(block.before)
    origin = excerpt or ORIGIN.match(block.before)
    if not origin:
        return None
    file = root / origin["path"]
    if not file.is_file():
        return f"{origin['path']} does not exist"
    text = file.read_text()
    if excerpt:
        missing = excerpt_fault(block.text, text)
        return missing and f"{origin['path']} has no such run of lines, from `{missing}` on"
    if origin["region"]:
        text = region_of(text, origin["region"])
        if text is None:
            return f"{origin['path']} does not hold exactly two lines `// [{origin['region']}]`"
    difference = first_difference(text.strip("\n"), block.text.strip("\n"))
    return difference and f"differs from {origin['path']}: {difference}"


def check_code(root, documents):
    findings = []
    compared = 0
    for document in documents:
        for block in blocks_of(document):
            if block.language not in ("cpp", "cmake"):
                continue
            compared += bool(ORIGIN.match(block.before) or EXCERPT.match(block.before))
            fault = code_fault(block, root)
            if fault:
                findings.append(f"{document}:{block.line}: code block: {fault}")
    print(f"{compared} code blocks compared, {len(findings)} findings")
    return findings


def commands_of(block):
    """(line number, command) of each command of a console block."""
    commands = []
    lines = block.text.splitlines()
    index = 0
    while index < len(lines):
        if lines[index].startswith("$ "):
            number = block.line + index
            command = lines[index][2:]
            while command.endswith("\\") and index + 1 < len(lines):
                index += 1
                command += "\n" + lines[index]
            commands.append((number, command))
        index += 1
    return commands


def check_commands(bin_dir, documents):
    findings = []
    ran = 0
    environment = dict(os.environ, PATH=f"{bin_dir}:{os.environ.get('PATH', '')}")
    for document in documents:
        with tempfile.TemporaryDirectory(prefix="bitactor-docs-") as folder:
            for block in blocks_of(document):
                if block.language != "console" or NOT_RUN.match(block.before):
                    continue
                for number, command in commands_of(block):
                    if command.startswith("./dev"):
                        continue
                    ran += 1
                    place = f"{document}:{number}: `{command}`"
                    try:
                        result = subprocess.run(
                            ["bash", "-c", command],
                            cwd=folder,
                            env=environment,
                            stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT,
                            timeout=COMMAND_TIMEOUT_S,
                            check=False,
                        )
                    except subprocess.TimeoutExpired:
                        findings.append(f"{place}: still running after {COMMAND_TIMEOUT_S} s")
                        continue
                    if result.returncode != 0:
                        said = result.stdout.decode(errors="replace").strip()[-400:]
                        findings.append(f"{place}: exit code {result.returncode}: {said}")
    print(f"{ran} commands run, {len(findings)} findings")
    return findings


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in ("code", "commands"):
        print(__doc__, file=sys.stderr)
        return 2
    place = pathlib.Path(arguments[1]).resolve()
    documents = [pathlib.Path(name) for name in arguments[2:]]
    documents = [document for document in documents if document.is_file()]
    check = check_code if arguments[0] == "code" else check_commands
    findings = check(place, documents)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
