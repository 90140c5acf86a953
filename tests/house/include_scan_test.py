"""The include scan must see each kind of bad include, and let good ones pass."""

import pathlib
import tempfile
import unittest

import include_scan

TABLE = """
set(BITACTOR_LAYERS low left right high)
set(BITACTOR_LAYER_USES_low "")
set(BITACTOR_LAYER_USES_left low)
set(BITACTOR_LAYER_USES_right low)
set(BITACTOR_LAYER_USES_high low left right)  # a comment
set(BITACTOR_LAYER_THIRD_PARTY_low absl boost/interprocess)
"""


class IncludeScanTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("cmake/layers.cmake", TABLE)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def findings(self):
        return include_scan.scan(self.root)[0]

    def assert_one_finding(self, *parts):
        findings = self.findings()
        self.assertEqual(len(findings), 1, findings)
        for part in parts:
            self.assertIn(part, findings[0])

    def test_downward_own_system_and_allowed_includes_pass(self):
        self.write("low/src/helper_internal.h", "")
        self.write(
            "low/src/a.cc",
            '#include "bitactor/low/a.h"\n#include "helper_internal.h"\n#include <vector>\n'
            '#include <sys/mman.h>\n#include <time.h>\n#include "absl/status/status.h"\n'
            "#include <boost/interprocess/file_mapping.hpp>\n",
        )
        self.write("high/include/bitactor/high/b.h", '#include "bitactor/left/c.h"\n')
        self.assertEqual(self.findings(), [])

    def test_upward_include_is_reported_with_its_place(self):
        self.write("low/include/bitactor/low/a.h", '\n#include "bitactor/high/b.h"\n')
        self.assert_one_finding("low/include/bitactor/low/a.h:2", "low may not use high")

    def test_sideways_include_is_reported(self):
        self.write("left/src/a.cc", "  #  include <bitactor/right/b.h>\n")
        self.assert_one_finding("left/src/a.cc:1", "left may not use right")

    def test_relative_path_into_another_library_is_reported(self):
        self.write("high/src/secret.h", "")
        self.write("low/src/a.cc", '#include "../../high/src/secret.h"\n')
        self.assert_one_finding("low/src/a.cc:1", "a path out of low")

    def test_third_party_outside_the_allow_list_is_reported(self):
        self.write("low/src/a.cc", "#include <zlib.h>\n")
        self.assert_one_finding("zlib.h", "not in the third-party allow-list of low")

    def test_allow_list_means_whole_folder_names(self):
        self.write("low/src/a.cc", "#include <boost/interprocess_extra/x.hpp>\n")
        self.assert_one_finding("boost/interprocess_extra/x.hpp")

    def test_allow_list_of_one_library_is_not_that_of_another(self):
        self.write("left/src/a.cc", '#include "absl/status/status.h"\n')
        self.assert_one_finding("not in the third-party allow-list of left")

    def test_table_that_points_upward_is_reported(self):
        self.write("cmake/layers.cmake", TABLE.replace('USES_low ""', "USES_low high"))
        self.assertTrue(any("which is not below it" in f for f in self.findings()))

    def test_table_row_that_leaves_out_what_a_used_library_needs_is_reported(self):
        self.write("cmake/layers.cmake", TABLE.replace("high low left right", "high left right"))
        self.assertTrue(any("add low to the row of high" in f for f in self.findings()))

    def test_a_folder_without_libraries_is_no_success(self):
        self.assertEqual(include_scan.main([str(self.root)]), 1)


if __name__ == "__main__":
    unittest.main()
