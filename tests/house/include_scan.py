#!/usr/bin/env python3
"""Checks every #include of the libraries against cmake/layers.cmake.

Usage: include_scan.py ROOT

A library may include its own headers, those of the libraries in its row of the table, the third
parties in its allow-list, the C++ and C standard libraries and the operating system's headers.
Prints one line per finding, `file:line: what and why`, and exits 1 when there are any.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
SOURCE_SUFFIXES = {".h", ".cc"}

# C++ standard headers have no suffix. The C library, Linux and the compiler's intrinsics, by name:
# a list, as a bare name alone does not tell <time.h> from <zlib.h>.
CXX_STANDARD = re.compile(r"^[a-z_0-9]+$")
SYSTEM_FOLDERS = ("sys/", "linux/", "asm/", "netinet/", "arpa/", "sanitizer/")
SYSTEM_HEADERS = set(
    """assert.h ctype.h errno.h float.h inttypes.h limits.h locale.h math.h setjmp.h signal.h
    stddef.h stdint.h stdio.h stdlib.h string.h time.h
    dirent.h endian.h execinfo.h fcntl.h libgen.h netdb.h poll.h pthread.h sched.h semaphore.h
    spawn.h syscall.h termios.h ucontext.h unistd.h
    arm_acle.h arm_neon.h cpuid.h emmintrin.h immintrin.h nmmintrin.h smmintrin.h unwind.h
    x86intrin.h xmmintrin.h""".split()
)


def read_table(root):
    """The rows of layers.cmake: names in order, who uses whom, third parties by library."""
    text = (root / "cmake" / "layers.cmake").read_text()
    text = re.sub(r"#.*", "", text)
    rows = {
        name: [word for word in values.replace('"', "").split()]
        for name, values in re.findall(r"set\((\w+)\s+([^)]*)\)", text)
    }
    layers = rows["BITACTOR_LAYERS"]
    uses = {layer: rows.get(f"BITACTOR_LAYER_USES_{layer}", []) for layer in layers}
    third = {layer: rows.get(f"BITACTOR_LAYER_THIRD_PARTY_{layer}", []) for layer in layers}
    return layers, uses, third


def table_findings(layers, uses):
    """The table itself: rows name earlier layers only, and all that these stand on."""
    findings = []
    for index, layer in enumerate(layers):
        for used in uses[layer]:
            if used not in layers[:index]:
                findings.append(f"cmake/layers.cmake: {layer} uses {used}, which is not below it")
                continue
            for missing in set(uses[used]) - set(uses[layer]):
                findings.append(
                    f"cmake/layers.cmake: {layer} uses {used}, which stands on {missing}: "
                    f"add {missing} to the row of {layer}"
                )
    return findings


def is_system(path):
    return (
        CXX_STANDARD.match(path) is not None
        or path in SYSTEM_HEADERS
        or path.startswith(SYSTEM_FOLDERS)
    )


def include_fault(path, layer, file, root, uses, third):
    """Why `file` of `layer` may not include `path`, or None."""
    if path.startswith("bitactor/"):
        target = path.split("/")[1]
        if target == layer or target in uses[layer]:
            return None
        return f"{layer} may not use {target} (cmake/layers.cmake: {layer} uses " + (
            f"{' '.join(uses[layer]) or 'no other library'})"
        )
    beside = (file.parent / path).resolve()
    if beside.is_file():
        if (root / layer).resolve() in beside.parents:
            return None
        return f"a path out of {layer}: include public headers as bitactor/<layer>/<name>.h"
    if is_system(path) or any(path == p or path.startswith(p + "/") for p in third[layer]):
        return None
    allowed = " ".join(third[layer]) or "none"
    return f"not in the third-party allow-list of {layer} (cmake/layers.cmake: {allowed})"


def scan(root):
    layers, uses, third = read_table(root)
    findings = table_findings(layers, uses)
    includes = 0
    for layer in layers:
        for part in ("include", "src"):
            for file in sorted((root / layer / part).rglob("*")):
                if file.suffix not in SOURCE_SUFFIXES:
                    continue
                for number, line in enumerate(file.read_text().splitlines(), 1):
                    match = INCLUDE.match(line)
                    if not match:
                        continue
                    includes += 1
                    fault = include_fault(match.group(1), layer, file, root, uses, third)
                    if fault:
                        place = f"{file.relative_to(root)}:{number}"
                        findings.append(f"{place}: includes {match.group(1)}: {fault}")
    return findings, includes


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings, includes = scan(pathlib.Path(arguments[0]))
    for finding in findings:
        print(finding)
    if includes == 0:
        print(f"{arguments[0]}: no #include found in any library: is this the repository's root?")
        return 1
    print(f"{includes} includes, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
