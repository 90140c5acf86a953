// The BLAKE3 that is linked into tracing_export, against its published vectors.
#include <blake3.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"

namespace bitactor {
namespace {

using nlohmann::json;

// `hex_digits` of the output, hashed in steps of `step_bytes`.
std::string Finish(blake3_hasher& hasher, const std::vector<uint8_t>& input, size_t hex_digits,
                   size_t step_bytes) {
  for (size_t at = 0; at < input.size(); at += step_bytes) {
    blake3_hasher_update(&hasher, input.data() + at, std::min(step_bytes, input.size() - at));
  }
  std::string out(hex_digits / 2, '\0');
  blake3_hasher_finalize(&hasher, reinterpret_cast<uint8_t*>(out.data()), out.size());
  return absl::BytesToHexString(out);
}
std::string HashOf(const std::string& text) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  return Finish(hasher, std::vector<uint8_t>(text.begin(), text.end()), 64, 64);
}

TEST(Blake3VectorsTest, TwoThatEverybodyKnows) {
  EXPECT_EQ(HashOf(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(HashOf("abc"), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
}

TEST(Blake3VectorsTest, AllPublishedOnesInAllThreeModes) {
  const std::string path = std::string(BITACTOR_SHARED_DATA) + "/blake3_test_vectors.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "skipped: no published vectors at " << path;
  std::ifstream file(path);
  const json vectors = json::parse(file);
  const std::string key = vectors["key"];
  const std::string context = vectors["context_string"];
  ASSERT_EQ(key.size(), static_cast<size_t>(BLAKE3_KEY_LEN));
  ASSERT_EQ(vectors["cases"].size(), 35u);
  for (const json& test : vectors["cases"]) {
    std::vector<uint8_t> input(test["input_len"].get<size_t>());
    for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint8_t>(i % 251);
    // All at once, and in steps that fit no chunk.
    for (const size_t step_bytes : {size_t{1} << 20, size_t{1000}}) {
      SCOPED_TRACE(std::to_string(input.size()) + " bytes in steps of " +
                   std::to_string(step_bytes));
      const auto digits = [&](const char* mode) { return test[mode].get<std::string>().size(); };
      blake3_hasher hasher;
      blake3_hasher_init(&hasher);
      EXPECT_EQ(Finish(hasher, input, digits("hash"), step_bytes), test["hash"]);
      blake3_hasher_init_keyed(&hasher, reinterpret_cast<const uint8_t*>(key.data()));
      EXPECT_EQ(Finish(hasher, input, digits("keyed_hash"), step_bytes), test["keyed_hash"]);
      blake3_hasher_init_derive_key(&hasher, context.c_str());
      EXPECT_EQ(Finish(hasher, input, digits("derive_key"), step_bytes), test["derive_key"]);
    }
  }
}

}  // namespace
}  // namespace bitactor
