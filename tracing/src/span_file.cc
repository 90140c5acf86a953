#include "bitactor/tracing/span_file.h"

#include <bit>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor {
namespace {

static_assert(std::endian::native == std::endian::little, "records are stored as they are");

constexpr char kMagic[8] = {'B', 'I', 'T', 'A', 'S', 'P', 'A', 'N'};
constexpr size_t kChecksumBegin = 16;
constexpr uint32_t kMaxNameBytes = 1u << 20;
constexpr uint32_t kMaxNames = 1u << 28;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 32;  // 64 million spans

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t crc32c;
  uint64_t spans;
  uint64_t dropped;
  uint32_t actors;
  uint32_t types;
  uint32_t traces;  // from version 2 on
  uint32_t zero;
  uint64_t zeros[2];
};
static_assert(sizeof(FileHeader) == 64);

template <typename T>
void AppendValue(std::vector<std::byte>& bytes, const T& value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof(T));
}

absl::Status AppendNames(std::vector<std::byte>& bytes,
                         const std::map<uint32_t, std::string>& names, const char* what) {
  if (names.size() > kMaxNames) {
    return absl::OutOfRangeError(
        absl::StrCat(names.size(), " ", what, " names; allowed are at most ", kMaxNames));
  }
  for (const auto& [id, name] : names) {
    if (name.size() > kMaxNameBytes) {
      return absl::OutOfRangeError(absl::StrCat("the name of ", what, " ", id, " has ", name.size(),
                                                " bytes; allowed are at most ", kMaxNameBytes));
    }
    AppendValue(bytes, id);
    AppendValue(bytes, static_cast<uint32_t>(name.size()));
    const auto* text = reinterpret_cast<const std::byte*>(name.data());
    bytes.insert(bytes.end(), text, text + name.size());
  }
  return absl::OkStatus();
}

// Fixed part of a trace; its tracestate follows, as the header of that name.
struct TraceEntry {
  uint64_t trace;
  uint64_t high;
  uint64_t low;
  uint64_t parent_id;
  uint32_t flags;  // bit 0: sampled, bit 1: random trace id
  uint32_t tracestate_bytes;
};
static_assert(sizeof(TraceEntry) == 40);

std::string TracestateText(const TraceContext& context) {
  std::string text;
  for (const TracestateMember& member : context.tracestate) {
    absl::StrAppend(&text, text.empty() ? "" : ",", member.key, "=", member.value);
  }
  return text;
}

void AppendTraces(std::vector<std::byte>& bytes, const std::map<uint64_t, TraceContext>& traces) {
  for (const auto& [trace, context] : traces) {
    const std::string tracestate = TracestateText(context);
    AppendValue(bytes,
                TraceEntry{trace, context.trace_id.high, context.trace_id.low, context.parent_id,
                           (context.sampled ? 1u : 0u) | (context.random_trace_id ? 2u : 0u),
                           static_cast<uint32_t>(tracestate.size())});
    const auto* text = reinterpret_cast<const std::byte*>(tracestate.data());
    bytes.insert(bytes.end(), text, text + tracestate.size());
  }
}

// Takes values from the front of a file and says where it ran out.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, size_t offset, const std::string& place)
      : bytes_(bytes), offset_(offset), place_(place) {}

  size_t left() const { return bytes_.size() - offset_; }
  size_t offset() const { return offset_; }

  absl::Status Take(void* into, size_t size_bytes, const char* what) {
    if (size_bytes > left()) {
      return Damage(
          absl::StrCat("ends inside ", what, ": ", size_bytes, " bytes wanted, ", left(), " left"));
    }
    if (size_bytes != 0) std::memcpy(into, bytes_.data() + offset_, size_bytes);
    offset_ += size_bytes;
    return absl::OkStatus();
  }
  absl::Status Damage(const std::string& what) const {
    return absl::DataLossError(absl::StrCat(place_, ": at byte ", offset_, ": ", what,
                                            "; the file is damaged: record it again"));
  }

 private:
  const std::span<const std::byte> bytes_;
  size_t offset_;
  const std::string& place_;
};

absl::StatusOr<FileHeader> ReadHeader(std::span<const std::byte> bytes, const std::string& place) {
  FileHeader header;
  if (bytes.size() < sizeof(kMagic) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        place,
        ": is no span file (it does not begin with BITASPAN); `bitactor run --trace FILE` "
        "writes one"));
  }
  Reader reader(bytes, 0, place);
  if (absl::Status s = reader.Take(&header, sizeof(header), "the header"); !s.ok()) return s;
  if (header.version < 1 || header.version > kSpanFileVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(place, ": is a span file of version ", header.version,
                     "; this program reads versions 1 to ", kSpanFileVersion,
                     ": use the program that wrote it"));
  }
  const uint32_t crc = Crc32c(0, bytes.data() + kChecksumBegin, bytes.size() - kChecksumBegin);
  if (crc != header.crc32c) {
    return absl::DataLossError(absl::StrCat(place, ": the checksum of its ", bytes.size(),
                                            " bytes is ", absl::Hex(crc, absl::kZeroPad8),
                                            ", the header says ",
                                            absl::Hex(header.crc32c, absl::kZeroPad8),
                                            "; the file is cut short or damaged: record it again"));
  }
  // One without traces has version 1.
  if ((header.version >= 2) != (header.traces != 0)) {
    return reader.Damage(
        absl::StrCat(header.traces, " traces announced in a file of version ", header.version));
  }
  if ((header.zero | header.zeros[0] | header.zeros[1]) != 0) {
    return reader.Damage("bytes 44 to 63 must be zero");
  }
  return header;
}

absl::Status ReadSpans(Reader& reader, uint64_t count, std::vector<SpanRecord>& spans) {
  if (count > reader.left() / sizeof(SpanRecord)) {
    return reader.Damage(absl::StrCat(count, " spans announced, there is room for ",
                                      reader.left() / sizeof(SpanRecord)));
  }
  spans.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    SpanRecord span;
    if (absl::Status s = reader.Take(&span, sizeof(span), "a span"); !s.ok()) return s;
    if (span.outcome > kLastSpanOutcome || span.reserved != 0) {
      return reader.Damage(absl::StrCat("the span before has outcome ",
                                        static_cast<unsigned>(span.outcome), " (allowed 0 to ",
                                        static_cast<unsigned>(kLastSpanOutcome),
                                        ") and reserved value ", span.reserved, " (allowed 0)"));
    }
    spans.push_back(span);
  }
  return absl::OkStatus();
}

absl::Status ReadNames(Reader& reader, uint32_t count, const char* what,
                       std::map<uint32_t, std::string>& names) {
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t id = 0, size_bytes = 0;
    if (absl::Status s = reader.Take(&id, sizeof(id), what); !s.ok()) return s;
    if (absl::Status s = reader.Take(&size_bytes, sizeof(size_bytes), what); !s.ok()) return s;
    if (size_bytes > kMaxNameBytes || size_bytes > reader.left()) {
      return reader.Damage(absl::StrCat("a name of ", size_bytes, " bytes (", what,
                                        "); allowed are at most ", kMaxNameBytes, ", ",
                                        reader.left(), " are left"));
    }
    if (!names.empty() && id <= names.rbegin()->first) {
      return reader.Damage(absl::StrCat(what, ": id ", id, " after id ", names.rbegin()->first));
    }
    std::string& name = names[id];
    name.resize(size_bytes);
    if (absl::Status s = reader.Take(name.data(), size_bytes, what); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status ReadTraces(Reader& reader, uint32_t count, std::map<uint64_t, TraceContext>& traces) {
  for (uint32_t i = 0; i < count; ++i) {
    TraceEntry entry;
    if (absl::Status s = reader.Take(&entry, sizeof(entry), "a trace"); !s.ok()) return s;
    if (entry.tracestate_bytes > reader.left() || (entry.high | entry.low) == 0 ||
        (!traces.empty() && entry.trace <= traces.rbegin()->first)) {
      return reader.Damage(absl::StrCat("trace ", SpanIdToHex(entry.trace),
                                        " has an id of zeros, is not behind the one before, or "
                                        "announces more text than there is"));
    }
    std::string tracestate(entry.tracestate_bytes, '\0');
    if (absl::Status s = reader.Take(tracestate.data(), tracestate.size(), "a tracestate");
        !s.ok()) {
      return s;
    }
    // Read as if it had come as headers: so it keeps to the same rules.
    const TraceId id{entry.high, entry.low};
    const std::string traceparent =
        absl::StrCat("00-", id.ToHex(), "-0000000000000001-0", entry.flags & 3);
    const HeaderField headers[] = {{"traceparent", traceparent}, {"tracestate", tracestate}};
    ParsedTraceContext parsed = ParseTraceContext(headers);
    if (entry.flags > 3 || TracestateText(parsed.context) != tracestate) {
      return reader.Damage(absl::StrCat("trace ", SpanIdToHex(entry.trace), " has flags ",
                                        entry.flags,
                                        " (allowed 0 to 3) or a tracestate against "
                                        "its rules ",
                                        parsed.tracestate_reason));
    }
    parsed.context.parent_id = entry.parent_id;
    traces[entry.trace] = std::move(parsed.context);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::byte>> EncodeSpans(std::span<const SpanRecord> spans,
                                                   const SpanNameTable& names, uint64_t dropped) {
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = names.traces.empty() ? 1 : 2;  // what older programs can read, they are to read
  header.spans = spans.size();
  header.dropped = dropped;
  header.actors = static_cast<uint32_t>(names.actors.size());
  header.types = static_cast<uint32_t>(names.types.size());
  header.traces = static_cast<uint32_t>(names.traces.size());

  if (spans.size_bytes() > kMaxFileBytes / 2) {
    return absl::OutOfRangeError(absl::StrCat(spans.size(), " spans; a file holds at most ",
                                              kMaxFileBytes / 2 / sizeof(SpanRecord)));
  }
  std::vector<std::byte> bytes;
  bytes.reserve(sizeof(header) + spans.size_bytes());
  AppendValue(bytes, header);
  const std::span<const std::byte> records = std::as_bytes(spans);
  bytes.insert(bytes.end(), records.begin(), records.end());
  if (absl::Status s = AppendNames(bytes, names.actors, "actor"); !s.ok()) return s;
  if (absl::Status s = AppendNames(bytes, names.types, "type"); !s.ok()) return s;
  AppendTraces(bytes, names.traces);

  header.crc32c = Crc32c(0, bytes.data() + kChecksumBegin, bytes.size() - kChecksumBegin);
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

absl::StatusOr<SpanFile> DecodeSpans(std::span<const std::byte> bytes, const std::string& place) {
  absl::StatusOr<FileHeader> header = ReadHeader(bytes, place);
  if (!header.ok()) return header.status();
  SpanFile file;
  file.dropped = header->dropped;
  Reader reader(bytes, sizeof(FileHeader), place);
  if (absl::Status s = ReadSpans(reader, header->spans, file.spans); !s.ok()) return s;
  if (absl::Status s = ReadNames(reader, header->actors, "actor names", file.names.actors); !s.ok())
    return s;
  if (absl::Status s = ReadNames(reader, header->types, "type names", file.names.types); !s.ok())
    return s;
  if (absl::Status s = ReadTraces(reader, header->traces, file.names.traces); !s.ok()) return s;
  if (reader.left() != 0) {
    return reader.Damage(absl::StrCat(reader.left(), " bytes after the last name or trace"));
  }
  return file;
}

absl::Status SaveSpans(const std::string& path, std::span<const SpanRecord> spans,
                       const SpanNameTable& names, uint64_t dropped, FileSystem& files) {
  absl::StatusOr<std::vector<std::byte>> bytes = EncodeSpans(spans, names, dropped);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  return (*file)->WriteAt(0, *bytes);
}

absl::StatusOr<SpanFile> LoadSpans(const std::string& path, FileSystem& files) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> size_bytes = (*file)->SizeBytes();
  if (!size_bytes.ok()) return size_bytes.status();
  if (*size_bytes > kMaxFileBytes) {
    return absl::OutOfRangeError(absl::StrCat(path, ": has ", *size_bytes,
                                              " bytes; a span file has at most ", kMaxFileBytes,
                                              ": is it another file?"));
  }
  std::vector<std::byte> bytes(*size_bytes);
  absl::StatusOr<size_t> read = (*file)->ReadAt(0, bytes);
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  return DecodeSpans(bytes, path);
}

}  // namespace bitactor
