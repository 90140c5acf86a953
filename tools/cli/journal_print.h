// A record as text, as hexdump, as a JSON line, as a CSV row.
#ifndef BITACTOR_TOOLS_CLI_JOURNAL_PRINT_H_
#define BITACTOR_TOOLS_CLI_JOURNAL_PRINT_H_

#include <cstdint>
#include <string>

#include "cli/journal_merge.h"

namespace bitactor::cli {

enum class RecordFormat : uint8_t {
  kText,  // one line for people, with the fields of known types
  kHex,   // that line, then the bytes of header and payload as they were appended
  kJson,  // one object a line: every header field, payload as hex, fields of known types
  kCsv,   // the same as a row (RFC 4180), the fields as one JSON object
};

// With quotes. Bytes that are no UTF-8 become U+FFFD: JSON has no others.
std::string JsonText(const std::string& text);

// The first line of a file in this format; "" when it has none.
std::string Heading(RecordFormat format);

// Appends the record with its line end. Bytes that are no text are escaped.
void AppendRecord(RecordFormat format, const PlacedRecord& placed, std::string& out);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_JOURNAL_PRINT_H_
