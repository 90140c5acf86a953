// A directory that a test has for itself.
#ifndef BITACTOR_TESTS_SUPPORT_TEMP_DIR_H_
#define BITACTOR_TESTS_SUPPORT_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "bitactor/l1_core/check.h"

namespace bitactor::test {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "bitactor_test_XXXXXX").string();
    BITACTOR_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_TEMP_DIR_H_
