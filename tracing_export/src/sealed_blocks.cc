#include "bitactor/tracing_export/sealed_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "seal_format.h"

namespace bitactor {

using internal::BlockHeader;

std::string BlockSeal::ToHex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[static_cast<uint8_t>(byte) & 0xF];
  }
  return text;
}

absl::StatusOr<SealedBlocksWriter> SealedBlocksWriter::Create(const std::string& path,
                                                              FileSystem& files) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  const internal::SealedFileHeader header = internal::MakeSealedFileHeader();
  const std::span<const std::byte> bytes = std::as_bytes(std::span(&header, 1));
  if (absl::Status s = (*file)->WriteAt(0, bytes); !s.ok()) return s;
  SealedBlocksWriter writer(*std::move(file), internal::Blake3(bytes));
  writer.offset_ = bytes.size();
  return writer;
}

absl::Status SealedBlocksWriter::Append(uint32_t kind, std::span<const std::byte> payload,
                                        uint64_t spans, uint64_t dropped) {
  BITACTOR_CHECK(!finished_);
  const BlockHeader header = {.previous = last_,
                              .number = blocks_,
                              .kind = kind,
                              .payload_bytes = static_cast<uint32_t>(payload.size()),
                              .dropped = dropped,
                              .total_spans = spans_ + spans};
  const std::span<const std::byte> front = std::as_bytes(std::span(&header, 1));
  block_.assign(front.begin(), front.end());
  block_.insert(block_.end(), payload.begin(), payload.end());
  const BlockSeal seal = internal::Blake3(block_);
  block_.insert(block_.end(), seal.bytes.begin(), seal.bytes.end());
  if (absl::Status s = file_->WriteAt(offset_, block_); !s.ok()) return s;
  offset_ += block_.size();
  last_ = seal;
  ++blocks_;
  spans_ += spans;
  return absl::OkStatus();
}

absl::Status SealedBlocksWriter::AppendSpans(std::span<const SpanRecord> spans, uint64_t dropped) {
  if (spans.size() > kMaxBlockSpans) {
    return absl::OutOfRangeError(absl::StrCat(spans.size(), " spans for one block; allowed are ",
                                              kMaxBlockSpans, ": append them in parts"));
  }
  return Append(internal::kSpansBlock, std::as_bytes(spans), spans.size(), dropped);
}

absl::Status SealedBlocksWriter::AppendNames(const SpanNameTable& names) {
  absl::StatusOr<std::vector<std::byte>> bytes = EncodeSpans({}, names, 0);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > internal::kMaxPayloadBytes) {
    return absl::OutOfRangeError(absl::StrCat(
        "names of ", bytes->size(), " bytes; allowed are at most ", internal::kMaxPayloadBytes));
  }
  return Append(internal::kNamesBlock, *bytes, 0, 0);
}

absl::StatusOr<BlockSeal> SealedBlocksWriter::Finish() {
  if (absl::Status s = Append(internal::kEndBlock, {}, 0, 0); !s.ok()) return s;
  finished_ = true;
  if (absl::Status s = file_->Sync(); !s.ok()) return s;
  return last_;
}

absl::StatusOr<BlockSeal> SaveSealedSpans(const std::string& path, const SpanFile& spans,
                                          FileSystem& files) {
  absl::StatusOr<SealedBlocksWriter> writer = SealedBlocksWriter::Create(path, files);
  if (!writer.ok()) return writer.status();
  if (absl::Status s = writer->AppendNames(spans.names); !s.ok()) return s;
  std::span<const SpanRecord> rest = spans.spans;
  uint64_t dropped = spans.dropped;
  do {
    const size_t count = std::min(rest.size(), SealedBlocksWriter::kMaxBlockSpans);
    if (absl::Status s = writer->AppendSpans(rest.first(count), dropped); !s.ok()) return s;
    rest = rest.subspan(count);
    dropped = 0;
  } while (!rest.empty());
  return writer->Finish();
}

}  // namespace bitactor
