"""usage: extract.py PAGE... PROGRAM.cpp EXPECTED

The ```cpp blocks of the pages become the functions of one program, which runs each on a thread of its own. A ```text block
right below one is what it prints.
"""
import pathlib
import re
import sys

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"^#include <.*>$", re.MULTILINE)


def blocks(page):
    """(title, code, what it prints) of each, the title being where it stands."""
    text = page.read_text(encoding="utf-8")
    previous_end = None
    found = []
    for fence in FENCE.finditer(text):
        kind, content = fence.groups()
        if kind == "cpp":
            line = text.count("\n", 0, fence.start()) + 2
            found.append([f"{page.name}:{line}", content, ""])
        elif kind == "text" and previous_end is not None and not text[previous_end:fence.start()].strip():
            found[-1][2] = content
        previous_end = fence.end() if kind == "cpp" else None
    return found


def main(*arguments):
    *pages, program, expected = map(pathlib.Path, arguments)
    found = [block for page in pages for block in blocks(page)]
    if not found:
        sys.exit("there is no block of C++ on these pages")

    includes = {line for _, code, _ in found for line in INCLUDE.findall(code)}
    includes |= {"#include <algorithm>", "#include <cerrno>", "#include <cstdio>", "#include <string>", "#include <thread>", "#include <unistd.h>"}
    lines = sorted(includes) + ["using namespace halyard;", "using namespace std::chrono_literals;"]
    for number, (title, code, _) in enumerate(found):
        path, line = title.split(":")
        body = INCLUDE.sub("", code)
        lines += [f"static void block{number}() {{", f'#line {line} "{path}"', body + "}"]
    lines.append("int main() {")
    for number, (title, _, _) in enumerate(found):
        lines.append(f'    std::puts("--- {title}");\n    std::fflush(stdout);\n    std::thread(block{number}).join();')
    lines.append("}")
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    expected.write_text("".join(f"--- {title}\n{prints}" for title, _, prints in found), encoding="utf-8")


main(*sys.argv[1:])
