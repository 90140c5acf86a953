#include "cli/journal_print.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pipeline/chain.h"
#include "pipeline/payload_fields.h"

namespace bitactor::cli {
namespace {

constexpr size_t kBytesPerHexLine = 16;

std::string Hex(std::span<const std::byte> bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string TypeText(uint32_t type) {
  std::string name = pipeline::TypeNameOf(type);
  return name.empty() ? absl::StrFormat("%08x", type) : name;
}

// One member of a record, as JSON and CSV show it.
struct Column {
  const char* name;
  std::string value;
  bool quoted;  // in JSON
};

std::vector<Column> ColumnsOf(const PlacedRecord& placed) {
  const FrameHeader& header = placed.record->frame().header;
  const std::string position = placed.record->position().ToString();
  const auto number = [](uint64_t value) { return std::to_string(value); };
  const auto hex64 = [](uint64_t value) { return absl::StrFormat("%016x", value); };
  const auto hex32 = [](uint32_t value) { return absl::StrFormat("%08x", value); };
  return {
      {"place", absl::StrCat(placed.shard, ":", position), true},
      {"shard", number(placed.shard), false},
      {"position", position, false},
      {"time", TimeText(header.stamp_ns), true},
      {"stamp_ns", number(header.stamp_ns), false},
      {"kind", std::string(KindName(header.kind)), true},
      {"type", TypeText(header.type), true},
      {"type_id", hex32(header.type), true},
      {"source", number(header.source), false},
      {"target", number(header.target), false},
      {"target_generation", number(header.target_generation), false},
      {"message_id", number(header.message_id), false},
      {"correlation_id", number(header.correlation_id), false},
      {"trace", hex64(header.trace), true},
      {"parent_span", hex64(header.parent_span), true},
      {"deadline_us", number(header.deadline_us), false},
      {"priority", number(header.priority), false},
      {"flags", number(header.flags), false},
      {"crc32c", hex32(header.crc32c), true},
      {"size_bytes", number(placed.record->bytes().size()), false},
      {"payload", Hex(placed.record->bytes()), true},
  };
}

constexpr const char kFieldsName[] = "fields";

// A JSON object; "" for a type that is not known.
std::string FieldsJson(const PlacedRecord& placed) {
  const auto fields =
      pipeline::FieldsOf(placed.record->frame().header.type, placed.record->bytes());
  if (!fields.has_value()) return "";
  std::string object = "{";
  for (const pipeline::PayloadField& field : *fields) {
    absl::StrAppend(&object, object.size() > 1 ? "," : "", "\"",
                    absl::string_view(field.name.data(), field.name.size()), "\":");
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      object += JsonText(*text);
    } else if (const auto* value = std::get_if<int64_t>(&field.value)) {
      absl::StrAppend(&object, *value);
    } else {
      absl::StrAppend(&object, std::get<uint64_t>(field.value));
    }
  }
  return object + "}";
}

void AppendJson(const PlacedRecord& placed, std::string& out) {
  const char* before = "{\"";
  for (const Column& column : ColumnsOf(placed)) {
    const char* quote = column.quoted ? "\"" : "";
    absl::StrAppend(&out, before, column.name, "\":", quote, column.value, quote);
    before = ",\"";
  }
  const std::string fields = FieldsJson(placed);
  if (!fields.empty()) absl::StrAppend(&out, ",\"", kFieldsName, "\":", fields);
  out += "}\n";
}

std::string CsvValue(const std::string& value) {
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

void AppendCsv(const PlacedRecord& placed, std::string& out) {
  for (const Column& column : ColumnsOf(placed)) absl::StrAppend(&out, CsvValue(column.value), ",");
  absl::StrAppend(&out, CsvValue(FieldsJson(placed)), "\r\n");
}

void AppendText(const PlacedRecord& placed, std::string& out) {
  const FrameHeader& header = placed.record->frame().header;
  absl::StrAppendFormat(&out, "%u:%-10s %s %-6s %-10s %u -> %u  id %u/%d  %d bytes", placed.shard,
                        placed.record->position().ToString(), TimeText(header.stamp_ns),
                        std::string(KindName(header.kind)), TypeText(header.type), header.source,
                        header.target, IncarnationOf(header.message_id),
                        SequenceOf(header.message_id), placed.record->bytes().size());
  const auto fields = pipeline::FieldsOf(header.type, placed.record->bytes());
  if (fields.has_value()) {
    for (const pipeline::PayloadField& field : *fields) {
      absl::StrAppend(&out, " ", absl::string_view(field.name.data(), field.name.size()), "=");
      if (const auto* text = std::get_if<std::string>(&field.value)) {
        absl::StrAppend(&out, absl::CHexEscape(*text));
      } else if (const auto* value = std::get_if<int64_t>(&field.value)) {
        absl::StrAppend(&out, *value);
      } else {
        absl::StrAppend(&out, std::get<uint64_t>(field.value));
      }
    }
  }
  out += "\n";
}

void AppendHexLines(uint64_t offset, std::span<const std::byte> bytes, std::string& out) {
  for (size_t begin = 0; begin < bytes.size(); begin += kBytesPerHexLine) {
    const auto line = bytes.subspan(begin, std::min(kBytesPerHexLine, bytes.size() - begin));
    std::string hex;
    std::string letters;
    for (size_t i = 0; i < kBytesPerHexLine; ++i) {
      if (i % 8 == 0) hex += " ";
      if (i < line.size()) {
        const auto c = static_cast<unsigned char>(line[i]);
        absl::StrAppendFormat(&hex, " %02x", c);
        letters += c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '.';
      } else {
        hex += "   ";
      }
    }
    absl::StrAppendFormat(&out, "    %08x%s  |%s|\n", offset + begin, hex, letters);
  }
}

void AppendHex(const PlacedRecord& placed, std::string& out) {
  const FrameHeader& header = placed.record->frame().header;
  AppendHexLines(0, std::as_bytes(std::span(&header, 1)), out);
  AppendHexLines(sizeof(FrameHeader), placed.record->bytes(), out);
}

}  // namespace

std::string JsonText(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/false,
                                   nlohmann::json::error_handler_t::replace);
}

std::string Heading(RecordFormat format) {
  if (format != RecordFormat::kCsv) return "";
  static const Record kNoRecord;
  std::string line;
  for (const Column& column : ColumnsOf({0, &kNoRecord})) absl::StrAppend(&line, column.name, ",");
  return absl::StrCat(line, kFieldsName, "\r\n");
}

void AppendRecord(RecordFormat format, const PlacedRecord& placed, std::string& out) {
  switch (format) {
    case RecordFormat::kText:
      AppendText(placed, out);
      break;
    case RecordFormat::kHex:
      AppendText(placed, out);
      AppendHex(placed, out);
      break;
    case RecordFormat::kJson:
      AppendJson(placed, out);
      break;
    case RecordFormat::kCsv:
      AppendCsv(placed, out);
      break;
  }
}

}  // namespace bitactor::cli
