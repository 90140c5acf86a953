// Journals kept as text: one line for each unit that is not all zeros.
#ifndef BITACTOR_TESTS_SUPPORT_GOLDEN_JOURNAL_H_
#define BITACTOR_TESTS_SUPPORT_GOLDEN_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"
#include "support/simulated_files.h"

namespace bitactor::test {

// The segments of `dir` as text: "file NAME BYTES", then "OFFSET HEX" for each unit with bytes.
inline std::string DumpJournal(SimulatedFiles& files, const std::string& dir) {
  std::string text;
  const std::vector<std::string> names = files.List(dir).value();
  for (const std::string& name : names) {
    if (!name.ends_with(".seg")) continue;
    const std::vector<std::byte> bytes = files.Read(JoinPath(dir, name));
    absl::StrAppendFormat(&text, "file %s %d\n", name, bytes.size());
    for (size_t at = 0; at < bytes.size(); at += kFrameUnitBytes) {
      const std::string unit(reinterpret_cast<const char*>(&bytes[at]), kFrameUnitBytes);
      if (unit.find_first_not_of('\0') == std::string::npos) continue;
      absl::StrAppendFormat(&text, "%08x %s\n", at, absl::BytesToHexString(unit));
    }
  }
  return text;
}

// The reverse, into a directory that is made.
inline void RestoreJournal(SimulatedFiles& files, const std::string& dir, const std::string& text) {
  BITACTOR_CHECK(files.CreateDir(dir).ok());
  std::istringstream lines(text);
  std::string path;
  for (std::string first, second; lines >> first >> second;) {
    if (first == "file") {
      uint64_t size_bytes = 0;
      BITACTOR_CHECK(static_cast<bool>(lines >> size_bytes));
      path = JoinPath(dir, second);
      auto file = files.Open(path, FileSystem::OpenMode::kCreateNew);
      BITACTOR_CHECK(file.ok() && (*file)->Allocate(size_bytes).ok());
      continue;
    }
    const std::string unit = absl::HexStringToBytes(second);
    const auto* begin = reinterpret_cast<const std::byte*>(unit.data());
    files.Write(path, std::stoull(first, nullptr, 16), {begin, begin + unit.size()});
  }
}

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_GOLDEN_JOURNAL_H_
