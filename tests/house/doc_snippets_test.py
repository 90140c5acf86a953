"""A quotation that went stale and a command that fails must be reported; true ones must pass."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import doc_snippets

SOURCE = """#include <a>

int main() {
  // [body]
  int x = 1;
  return x;
  // [body]
}
"""


def quote(origin, text, language="cpp"):
    return f"Words.\n\n{origin}\n```{language}\n{text}\n```\nMore words.\n"


class DocSnippetsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "examples").mkdir()
        (self.root / "examples" / "foo.cc").write_text(SOURCE)
        self.document = self.root / "README.md"

    def check(self, mode, text):
        """(exit code, output) of the check over a document with this text."""
        self.document.write_text(text)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = doc_snippets.main([mode, str(self.root), str(self.document)])
        return code, output.getvalue()

    def assert_passes(self, mode, text, counted):
        code, output = self.check(mode, text)
        self.assertEqual(code, 0, output)
        self.assertIn(counted, output)

    def assert_reports(self, mode, text, said):
        code, output = self.check(mode, text)
        self.assertEqual(code, 1, output)
        self.assertIn(said, output)

    def test_equal_file_passes(self):
        self.assert_passes("code", quote("<!-- examples/foo.cc -->", SOURCE), "1 code blocks")

    def test_changed_line_is_reported_with_both_versions(self):
        text = quote("<!-- examples/foo.cc -->", SOURCE.replace("x = 1", "x = 2"))
        self.assert_reports("code", text, "`  int x = 2;`, the file has `  int x = 1;`")

    def test_missing_last_line_is_reported(self):
        text = quote("<!-- examples/foo.cc -->", SOURCE.replace("\n}", ""))
        self.assert_reports("code", text, "is `(end)`, the file has `}`")

    def test_region_is_compared_without_its_indentation(self):
        text = quote("<!-- examples/foo.cc [body] -->", "int x = 1;\nreturn x;")
        self.assert_passes("code", text, "1 code blocks")

    def test_stale_region_is_reported(self):
        text = quote("<!-- examples/foo.cc [body] -->", "int x = 1;\nreturn 0;")
        self.assert_reports("code", text, "`return 0;`, the file has `return x;`")

    def test_unknown_region_is_reported(self):
        text = quote("<!-- examples/foo.cc [head] -->", "int x = 1;")
        self.assert_reports("code", text, "exactly two lines `// [head]`")

    def test_missing_file_is_reported(self):
        text = quote("<!-- examples/gone.cc -->", SOURCE)
        self.assert_reports("code", text, "examples/gone.cc does not exist")

    def test_excerpt_of_runs_in_order_passes(self):
        text = quote("<!-- excerpt: examples/foo.cc -->", "int main() {\n...\n  return x;")
        self.assert_passes("code", text, "1 code blocks")

    def test_excerpt_out_of_order_is_reported(self):
        text = quote("<!-- excerpt: examples/foo.cc -->", "return x;\n...\nint main() {")
        self.assert_reports("code", text, "from `int main() {` on")

    def test_unmarked_block_is_not_compared(self):
        self.assert_passes("code", quote("", "anything"), "0 code blocks")

    def test_command_that_succeeds_passes(self):
        self.assert_passes("commands", quote("", "$ true\noutput", "console"), "1 commands run")

    def test_command_that_fails_is_reported_with_its_line_and_output(self):
        text = quote("", "$ echo why; exit 3", "console")
        self.assert_reports("commands", text, "README.md:5: `echo why; exit 3`: exit code 3: why")

    def test_commands_of_a_document_share_a_folder(self):
        text = quote("", "$ touch a", "console") + quote("", "$ test -f a", "console")
        self.assert_passes("commands", text, "2 commands run")

    def test_continued_line_is_one_command(self):
        text = quote("", "$ test a \\\n    = a", "console")
        self.assert_passes("commands", text, "1 commands run")

    def test_programs_of_the_build_are_found(self):
        program = self.root / "bitactor-of-this-build"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        self.assert_passes("commands", quote("", f"$ {program.name}", "console"), "1 commands run")

    def test_dev_and_marked_blocks_are_not_run(self):
        text = quote("", "$ ./dev test", "console")
        text += quote("<!-- not run: needs the network -->", "$ false", "console")
        self.assert_passes("commands", text, "0 commands run")

    def test_mark_without_a_reason_does_not_count(self):
        self.assert_reports("commands", quote("<!-- not run: -->", "$ false", "console"), "exit")

    def test_missing_document_is_skipped(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = doc_snippets.main(["code", str(self.root), str(self.root / "none.md")])
        self.assertEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
