// A reader of comma-separated values as strict as RFC 4180, to compare with what is written.
#ifndef BITACTOR_TESTS_TOOLS_PARSE_CSV_H_
#define BITACTOR_TESTS_TOOLS_PARSE_CSV_H_

#include <optional>
#include <string>
#include <vector>

namespace bitactor::test {

// Nullopt: a quote in a place where none may be, a line end other than CR LF, or a last line
// without one.
inline std::optional<std::vector<std::vector<std::string>>> ParseCsv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  size_t at = 0;
  while (at < text.size()) {
    std::string value;
    if (text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) return std::nullopt;
        if (text[at] == '"' && (++at >= text.size() || text[at] != '"')) break;
        value += text[at];
      }
    } else {
      for (; at < text.size() && text[at] != ',' && text[at] != '\r'; ++at) {
        if (text[at] == '"' || text[at] == '\n') return std::nullopt;
        value += text[at];
      }
    }
    row.push_back(value);
    if (at < text.size() && text[at] == ',') {
      ++at;
    } else if (text.compare(at, 2, "\r\n") == 0) {
      at += 2;
      rows.push_back(std::move(row));
      row.clear();
    } else {
      return std::nullopt;
    }
  }
  if (!row.empty()) return std::nullopt;
  return rows;
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TOOLS_PARSE_CSV_H_
