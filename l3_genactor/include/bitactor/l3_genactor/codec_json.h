// nlohmann::json in messages: as the text of the document. Needs nlohmann/json.hpp, which nothing else here
// does.
#ifndef BITACTOR_L3_GENACTOR_CODEC_JSON_H_
#define BITACTOR_L3_GENACTOR_CODEC_JSON_H_

#include <cstddef>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/codec.h"

namespace bitactor {

// Errors: Decode() says at which byte the text stops being JSON. Text that is not UTF-8 is sent with
//   U+FFFD in its place.
// Cost: the text is made twice, for its length and for its bytes.
template <>
struct Codec<nlohmann::json> {
  static size_t Size(const nlohmann::json& document) { return TextOf(document).size(); }
  static void Encode(const nlohmann::json& document, std::span<std::byte> to) {
    std::memcpy(to.data(), TextOf(document).data(), to.size());
  }
  static absl::StatusOr<nlohmann::json> Decode(std::span<const std::byte> from) {
    const auto* const text = reinterpret_cast<const char*>(from.data());
    try {
      return nlohmann::json::parse(text, text + from.size());
    } catch (const nlohmann::json::parse_error& error) {
      return absl::DataLossError(absl::StrCat("no JSON at byte ", error.byte, " of ", from.size()));
    }
  }

 private:
  static std::string TextOf(const nlohmann::json& document) {
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CODEC_JSON_H_
