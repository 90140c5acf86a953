#include "bitactor/tracing_export/seal_verify.h"

#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "block_walk.h"
#include "seal_format.h"

namespace bitactor {
namespace {

using internal::Block;
using internal::BlockHeader;
using internal::BlockReader;

// Called with each good block but the end.
using Visitor = std::function<absl::Status(const Block&)>;

absl::StatusOr<uint64_t> CheckedFileBytes(const File& file, const std::string& place,
                                          internal::SealedFileHeader& header) {
  absl::StatusOr<uint64_t> file_bytes = file.SizeBytes();
  if (!file_bytes.ok()) return file_bytes.status();
  absl::StatusOr<size_t> read = file.ReadAt(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!read.ok()) return read.status();
  if (*read != sizeof(header) ||
      std::string_view(header.magic, sizeof(header.magic)) != kSealedFileMagic) {
    return absl::InvalidArgumentError(absl::StrCat(
        place,
        ": is no file of sealed blocks (it does not begin with BITASEAL); `bitactor trace "
        "export --format sealed` writes one"));
  }
  if (header.version != kSealedFileVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        place, ": has sealed blocks of version ", header.version, "; this program reads version ",
        kSealedFileVersion, ": use the program that wrote it"));
  }
  return *file_bytes;
}

// Follows the chain; what it has accepted is in the report.
class Verifier {
 public:
  Verifier(const File& file, uint64_t file_bytes, const Visitor& visit)
      : reader_(file, file_bytes), visit_(visit) {}

  absl::StatusOr<SealReport> Run(const internal::SealedFileHeader& header) {
    const internal::SealedFileHeader wanted = internal::MakeSealedFileHeader();
    report_.last = internal::Blake3(std::as_bytes(std::span(&wanted, 1)));
    if (std::memcmp(&header, &wanted, sizeof(header)) != 0) {
      Fault(SealFaultKind::kChanged, 0, 0, "bytes 12 to 63 of the file must be zero");
    }
    for (uint64_t offset = sizeof(header); !report_.fault.has_value() && !ended_;) {
      absl::StatusOr<Block> block = reader_.Read(offset);
      if (!block.ok()) return block.status();
      if (absl::Status s = Take(*block); !s.ok()) return s;
      offset = block->end();
    }
    return report_;
  }

 private:
  uint64_t next() const { return report_.blocks; }
  void Fault(SealFaultKind kind, uint64_t block, uint64_t offset, std::string what) {
    report_.fault = SealFault{kind, block, offset, std::move(what)};
  }

  absl::Status Take(const Block& block) {
    switch (block.state) {
      case Block::State::kNone:
        Fault(SealFaultKind::kCutOff, next(), block.offset,
              "the file ends here without its last block, the end: it was cut off, or its writer "
              "never finished");
        return absl::OkStatus();
      case Block::State::kCut:
        return Cut(block.offset);
      case Block::State::kDamaged:
        return Damaged(block);
      case Block::State::kIntact:
        break;
    }
    if (!block.Continues(next(), report_.last)) return Misplaced(block);
    if (std::string fault = ContentFault(block.header); !fault.empty()) {
      Fault(SealFaultKind::kChanged, next(), block.offset, fault);
      return absl::OkStatus();
    }
    return Accept(block);
  }

  // What a writer of ours never seals.
  std::string ContentFault(const BlockHeader& header) const {
    const bool spans = header.kind == internal::kSpansBlock;
    const bool end = header.kind == internal::kEndBlock;
    if (!spans && !end && header.kind != internal::kNamesBlock) {
      return absl::StrCat("a block of kind ", header.kind, "; allowed are 1 to 3");
    }
    if ((spans && header.payload_bytes % sizeof(SpanRecord) != 0) ||
        (end && header.payload_bytes != 0)) {
      return absl::StrCat("a payload of ", header.payload_bytes, " bytes in a block of kind ",
                          header.kind);
    }
    const uint64_t total = report_.spans + (spans ? header.payload_bytes / sizeof(SpanRecord) : 0);
    if (header.total_spans != total) {
      return absl::StrCat("it counts ", header.total_spans, " spans up to here; there are ", total);
    }
    return "";
  }

  absl::Status Accept(const Block& block) {
    ended_ = block.header.kind == internal::kEndBlock;
    if (!ended_) {
      if (absl::Status s = visit_(block); !s.ok()) return s;
    }
    report_.last = block.seal;
    report_.spans = block.header.total_spans;
    report_.dropped += block.header.dropped;
    ++report_.blocks;
    if (ended_ && block.end() != reader_.file_bytes()) {
      Fault(SealFaultKind::kInserted, next(), block.end(),
            absl::StrCat(reader_.file_bytes() - block.end(), " bytes behind the end"));
    }
    return absl::OkStatus();
  }

  // A size that reaches behind the file. When the file has its end, the size is what is wrong.
  absl::Status Cut(uint64_t offset) {
    bool has_end = false;
    if (reader_.file_bytes() - offset >= internal::kBlockFrameBytes) {
      absl::StatusOr<Block> last = reader_.Read(reader_.file_bytes() - internal::kBlockFrameBytes);
      if (!last.ok()) return last.status();
      has_end = last->state == Block::State::kIntact && last->header.kind == internal::kEndBlock;
    }
    if (has_end) {
      Fault(SealFaultKind::kChanged, next(), offset, "its size reaches behind the end of the file");
    } else {
      Fault(SealFaultKind::kCutOff, next(), offset,
            absl::StrCat("the file ends ", reader_.file_bytes() - offset,
                         " bytes behind this place, within the block: it was cut off, or the "
                         "block's size was changed"));
    }
    return absl::OkStatus();
  }

  absl::Status Damaged(const Block& block) {
    const uint64_t offset = block.offset;
    absl::StatusOr<Block> after = reader_.Read(block.end());
    if (!after.ok()) return after.status();
    if (after->Continues(next(), report_.last)) {
      Fault(SealFaultKind::kInserted, next(), offset,
            absl::StrCat("bytes without a valid seal; block ", next(), " follows them at byte ",
                         after->offset));
    } else {
      Fault(SealFaultKind::kChanged, next(), offset, "its seal is not that of its bytes");
    }
    return absl::OkStatus();
  }

  // A whole block that is not the next one. Looks for that further on, and for this one again.
  absl::Status Misplaced(const Block& block) {
    const uint64_t number = block.header.number;
    const uint64_t offset = block.offset;
    const BlockSeal seal = block.seal;
    const bool is_end = block.header.kind == internal::kEndBlock;
    bool next_follows = false, again = false, chain_goes_on = is_end;
    for (uint64_t at = block.end(), place = 0;; ++place) {
      absl::StatusOr<Block> later = reader_.Read(at);
      if (!later.ok()) return later.status();
      if (later->state == Block::State::kNone || later->state == Block::State::kCut) break;
      next_follows = next_follows || later->Continues(next(), report_.last);
      again = again || (later->state == Block::State::kIntact && later->seal == seal);
      if (place == 0) chain_goes_on = later->Continues(number + 1, seal);
      at = later->end();
    }
    if (number < next() || again || (number == next() && next_follows)) {
      Fault(SealFaultKind::kInserted, next(), offset,
            absl::StrCat("a block with number ", number, " stands here and is not block ", next(),
                         " of this chain"));
    } else if (next_follows) {
      Fault(SealFaultKind::kReordered, next(), offset,
            absl::StrCat("block ", number, " stands here; block ", next(), " is further on"));
    } else if (number > next()) {
      Fault(SealFaultKind::kRemoved, next(), offset,
            absl::StrCat("block ", number, " stands here; ", number - next(),
                         " blocks before it are not in the file"));
    } else if (chain_goes_on && next() > 0) {
      // From here on the chain is whole: what does not fit is what stands before.
      Fault(SealFaultKind::kChanged, next() - 1, offset,
            absl::StrCat("block ", number, " was written behind another block ", next() - 1,
                         " than this one, which was changed and sealed anew"));
    } else {
      Fault(SealFaultKind::kChanged, next(), offset,
            "it has the seal of its bytes and is of another chain: it was replaced");
    }
    return absl::OkStatus();
  }

  BlockReader reader_;
  const Visitor& visit_;
  SealReport report_;
  bool ended_ = false;
};

absl::StatusOr<SealReport> Verify(const File& file, const std::string& place,
                                  const Visitor& visit) {
  internal::SealedFileHeader header{};
  absl::StatusOr<uint64_t> file_bytes = CheckedFileBytes(file, place, header);
  if (!file_bytes.ok()) return file_bytes.status();
  return Verifier(file, *file_bytes, visit).Run(header);
}

absl::Status AppendSpans(const Block& block, const std::string& place, SpanFile& into) {
  const size_t first = into.spans.size();
  into.spans.resize(first + block.payload.size() / sizeof(SpanRecord));
  if (!block.payload.empty()) {
    std::memcpy(into.spans.data() + first, block.payload.data(), block.payload.size());
  }
  for (size_t i = first; i < into.spans.size(); ++i) {
    const SpanRecord& span = into.spans[i];
    if (span.outcome > kLastSpanOutcome || span.reserved != 0) {
      return absl::DataLossError(absl::StrCat(
          place, ": block ", block.header.number, ", span ", i - first, ": outcome ",
          static_cast<unsigned>(span.outcome), " (allowed 0 to ",
          static_cast<unsigned>(kLastSpanOutcome), ") and reserved value ", span.reserved,
          " (allowed 0); its seal is good: use the program that wrote it"));
    }
  }
  into.dropped += block.header.dropped;
  return absl::OkStatus();
}

}  // namespace

const char* SealFaultName(SealFaultKind kind) {
  switch (kind) {
    case SealFaultKind::kChanged:
      return "changed";
    case SealFaultKind::kRemoved:
      return "removed";
    case SealFaultKind::kInserted:
      return "inserted";
    case SealFaultKind::kReordered:
      return "reordered";
    case SealFaultKind::kCutOff:
      return "cut off";
  }
  return "unknown";
}

absl::StatusOr<SealReport> VerifySeals(const File& file, const std::string& place) {
  return Verify(file, place, [](const Block&) { return absl::OkStatus(); });
}

absl::StatusOr<SpanFile> LoadSealedSpans(const File& file, const std::string& place) {
  SpanFile spans;
  absl::StatusOr<SealReport> report = Verify(file, place, [&](const Block& block) -> absl::Status {
    if (block.header.kind == internal::kSpansBlock) return AppendSpans(block, place, spans);
    const std::string where = absl::StrCat(place, ": block ", block.header.number, ", its names");
    absl::StatusOr<SpanFile> names = DecodeSpans(block.payload, where);
    if (!names.ok()) return absl::DataLossError(names.status().message());
    spans.names = std::move(names->names);
    return absl::OkStatus();
  });
  if (!report.ok()) return report.status();
  if (report->fault.has_value()) {
    const SealFault& fault = *report->fault;
    return absl::DataLossError(absl::StrCat(place, ": block ", fault.block, " at byte ",
                                            fault.offset, ": ", SealFaultName(fault.kind), ": ",
                                            fault.what));
  }
  return spans;
}

absl::StatusOr<SealReport> VerifySeals(const std::string& path, FileSystem& files) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  return VerifySeals(**file, path);
}

absl::StatusOr<SpanFile> LoadSealedSpans(const std::string& path, FileSystem& files) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  return LoadSealedSpans(**file, path);
}

}  // namespace bitactor
