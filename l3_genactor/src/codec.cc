#include "bitactor/l3_genactor/codec.h"

namespace bitactor::internal {

absl::StatusOr<std::span<const std::byte>> FieldReader::TakeBytes(size_t size_bytes) {
  if (rest_.size() < size_bytes) {
    return absl::DataLossError(
        absl::StrCat("part ", number_, " at byte ", whole_.size() - rest_.size(), " needs ",
                     size_bytes, " bytes, and ", rest_.size(), " are left of ", whole_.size()));
  }
  const std::span<const std::byte> bytes = rest_.first(size_bytes);
  rest_ = rest_.subspan(size_bytes);
  return bytes;
}

absl::StatusOr<std::span<const std::byte>> FieldReader::TakeSized() {
  absl::StatusOr<std::span<const std::byte>> length = TakeBytes(sizeof(uint32_t));
  if (!length.ok()) return length;
  uint32_t size_bytes;
  std::memcpy(&size_bytes, length->data(), sizeof(size_bytes));
  return TakeBytes(size_bytes);
}

absl::Status FieldReader::Within(size_t size_bytes, const absl::Status& error) const {
  return absl::Status(
      error.code(), absl::StrCat("part ", number_, " at byte ",
                                 whole_.size() - rest_.size() - size_bytes, ": ", error.message()));
}

absl::Status FieldReader::End() const {
  if (rest_.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the last part ends at byte ",
                                          whole_.size() - rest_.size(), " of ", whole_.size(),
                                          ": was it encoded by another version?"));
}

absl::Status NotAMultiple(size_t size_bytes, size_t of_bytes) {
  return absl::DataLossError(
      absl::StrCat(size_bytes, " bytes, where elements have ", of_bytes, " each"));
}

absl::Status WrongAnswer() {
  return absl::InternalError("the answer is not of the request's Reply type");
}

}  // namespace bitactor::internal
