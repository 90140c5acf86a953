"""Each rule of source_rules.py must see a breach, and must not see one in good code."""

import pathlib
import tempfile
import unittest

import source_rules


class SourceRulesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("cmake/layers.cmake", "set(BITACTOR_LAYERS low high)\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def assert_findings(self, *expected):
        findings = source_rules.scan(self.root)[0]
        self.assertEqual(len(findings), len(expected), findings)
        for finding, start in zip(findings, expected):
            self.assertTrue(finding.startswith(start), finding)

    def test_sync_name_with_both_ends_passes(self):
        self.write("low/src/a.cc", "// SYNC(tail): pairs with Read().\n")
        self.write("low/include/bitactor/low/a.h", "// SYNC(tail): pairs with Publish().\n")
        self.assert_findings()

    def test_sync_name_with_one_end_is_reported(self):
        self.write("low/src/a.cc", "\n// SYNC(tail-release): pairs with nobody.\n")
        self.assert_findings("low/src/a.cc:2: sync-pair: SYNC(tail-release)")

    def test_the_other_end_in_another_library_does_not_count(self):
        self.write("low/src/a.cc", "// SYNC(tail)\n")
        self.write("high/src/a.cc", "// SYNC(tail)\n")
        self.assert_findings("low/src/a.cc:1: sync-pair", "high/src/a.cc:1: sync-pair")

    def write_table(self, *rows):
        self.write("docs/memory_model.md", "# Model\n| name | where | what |\n" + "\n".join(rows))
        self.write("low/src/a.cc", "// SYNC(tail): pairs with Read().\n")
        self.write("low/include/bitactor/low/a.h", "// SYNC(tail): pairs with Publish().\n")

    def test_sync_table_that_agrees_passes(self):
        self.write_table("| `tail` | a.cc, a.h | bytes before the tail |")
        self.assert_findings()

    def test_sync_name_without_a_row_is_reported(self):
        self.write_table()
        self.assert_findings("docs/memory_model.md:1: sync-table: SYNC(tail) in a.cc, a.h has no row")

    def test_row_without_its_sync_name_is_reported(self):
        self.write_table("| `tail` | a.cc, a.h | bytes |", "| `head` | a.h | bytes |")
        self.assert_findings("docs/memory_model.md:4: sync-table: `head` is in no file")

    def test_row_that_names_other_files_is_reported(self):
        self.write_table("| `tail` | a.h | bytes |")
        self.assert_findings("docs/memory_model.md:3: sync-table: `tail` is in a.cc, a.h")

    def test_name_in_two_rows_is_reported(self):
        self.write_table("| `tail` | a.cc, a.h | bytes |", "| `tail` | a.cc, a.h | again |")
        self.assert_findings("docs/memory_model.md:4: sync-table: `tail` has two rows")

    def test_atomic_operation_with_an_order_passes(self):
        self.write(
            "low/src/a.cc",
            "std::atomic<int> a;\nint b = a.load(std::memory_order_acquire);\n"
            "a.compare_exchange_weak(f(b), 1,\n    std::memory_order_acq_rel);\n"
            "b = std::exchange(c, 1);  // a.load()\n",
        )
        self.assert_findings()

    def test_atomic_operation_without_an_order_is_reported(self):
        self.write("low/src/a.cc", "\nint b = a->load();\na.store(f(1, 2));\n")
        self.assert_findings("low/src/a.cc:2: atomic-order", "low/src/a.cc:3: atomic-order")

    def test_fence_is_reported(self):
        self.write("low/src/a.cc", "std::atomic_thread_fence(std::memory_order_release);\n")
        self.assert_findings("low/src/a.cc:1: no-fence")

    def test_own_header_first_passes(self):
        self.write("low/include/bitactor/low/a.h", "")
        self.write("low/src/a.cc", '// What a is.\n#include "bitactor/low/a.h"\n\n#include <vector>\n')
        self.write("low/src/b.cc", "#include <vector>\n")
        self.assert_findings()

    def test_own_header_after_another_is_reported(self):
        self.write("low/include/bitactor/low/a.h", "")
        self.write("low/src/a.cc", '\n#include <vector>\n#include "bitactor/low/a.h"\n')
        self.assert_findings("low/src/a.cc:2: own-header: the first include is a.h")

    def test_sleep_in_a_test_is_reported(self):
        self.write("tests/low/a_test.cc", "std::this_thread::sleep_for(1ms);\n::usleep(10);\n")
        self.assert_findings("tests/low/a_test.cc:1: no-sleep", "tests/low/a_test.cc:2: no-sleep")

    def test_sleep_in_a_comment_of_a_test_passes(self):
        self.write("tests/low/a_test.cc", "// Never call sleep(1) here.\nFallAsleep(1);\n")
        self.assert_findings()

    def test_path_of_a_developer_is_reported_in_any_file(self):
        self.write("docs/a.md", "see /" + "home/jane/notes\n")
        self.write("dev", "cd /" + "work/main\n")
        self.assert_findings("dev:1: no-home-path", "docs/a.md:1: no-home-path")

    def test_path_inside_the_tree_passes(self):
        self.write("docs/a.md", "see docs/" + "work/plan.md and ${WORK}/" + "home/x\n")
        self.assert_findings()

    def test_build_folder_is_not_part_of_the_tree(self):
        self.write("build/release/a.cc", "// /" + "home/jane\n")
        self.assert_findings()


if __name__ == "__main__":
    unittest.main()
