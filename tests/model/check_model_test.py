#!/usr/bin/env python3
"""Tests of check_model.py: what counts as a proof, and what does not."""

import unittest

import check_model

WHOLE = """
State-vector 100 byte, depth reached 2124, errors: 0
  1996312 states, stored
"""


class JudgeTest(unittest.TestCase):
    def test_a_finished_search_without_errors_holds(self):
        self.assertEqual(check_model.judge(WHOLE), ("holds", "1996312 states"))

    def test_a_failed_assertion_fails(self):
        report = "pan:1: assertion violated (x==1) (at depth 293)\n" + WHOLE.replace("errors: 0", "errors: 1")
        self.assertEqual(check_model.judge(report)[0], "fails")

    def test_a_mistake_in_the_model_is_no_verdict(self):
        report = "pan:1: assertion violated - invalid array index (at depth 47)\n" + WHOLE.replace(
            "errors: 0", "errors: 1"
        )
        self.assertEqual(check_model.judge(report)[0], "unknown")

    def test_a_search_that_ended_early_is_no_verdict(self):
        self.assertEqual(check_model.judge("Warning: Search not completed\n" + WHOLE)[0], "unknown")
        self.assertEqual(check_model.judge("error: max search depth too small\n" + WHOLE)[0], "unknown")

    def test_nothing_printed_is_no_verdict(self):
        self.assertEqual(check_model.judge("")[0], "unknown")


if __name__ == "__main__":
    unittest.main()
