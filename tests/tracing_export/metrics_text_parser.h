// Reads Prometheus and OpenMetrics text by its rules, and says where it breaks one.
#ifndef BITACTOR_TESTS_TRACING_EXPORT_METRICS_TEXT_PARSER_H_
#define BITACTOR_TESTS_TRACING_EXPORT_METRICS_TEXT_PARSER_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bitactor::test {

struct TextSample {
  std::string name;
  std::map<std::string, std::string> labels;
  std::string value;
  std::map<std::string, std::string> exemplar;  // its labels, and under "" its value
};

struct TextFamily {
  std::string type;
  std::string help;
  std::string unit;
  std::vector<TextSample> samples;
};

// By the name in its TYPE line. Breaches are failures of the running test.
class MetricsTextParser {
 public:
  explicit MetricsTextParser(std::string_view text) {
    while (!text.empty() && !ended_) {
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) {
        ADD_FAILURE() << "the last line has no end: " << text;
        return;
      }
      Line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    EXPECT_TRUE(text.empty()) << "behind # EOF: " << text;
  }

  const std::map<std::string, TextFamily>& families() const { return families_; }
  bool ended() const { return ended_; }

 private:
  void Line(std::string_view line) {
    rest_ = line;
    if (line == "# EOF") {
      ended_ = true;
    } else if (line.substr(0, 2) == "# ") {
      Take("# ");
      const std::string what = Word();
      const std::string name = Word();
      TextFamily& family = families_[name];
      if (what == "TYPE") {
        EXPECT_TRUE(family.type.empty() && family.samples.empty()) << line;
        family.type = rest_;
        current_ = name;
      } else if (what == "HELP") {
        family.help = Unescaped(rest_);
      } else if (what == "UNIT") {
        family.unit = rest_;
      } else {
        ADD_FAILURE() << line;
      }
    } else {
      Sample(line);
    }
  }

  void Sample(std::string_view line) {
    TextSample sample;
    const size_t end = rest_.find_first_of("{ ");
    sample.name = rest_.substr(0, end);
    rest_.remove_prefix(end);
    EXPECT_EQ(sample.name.substr(0, current_.size()), current_)
        << "outside of its family: " << line;
    if (rest_[0] == '{') sample.labels = Labels();
    Take(" ");
    sample.value = Word();
    CheckNumber(sample.value, line);
    if (!rest_.empty()) {
      Take("# ");
      sample.exemplar = Labels();
      Take(" ");
      sample.exemplar[""] = Word();
      CheckNumber(sample.exemplar[""], line);
      if (!rest_.empty()) CheckNumber(Word(), line);
    }
    EXPECT_TRUE(rest_.empty()) << line;
    families_[current_].samples.push_back(std::move(sample));
  }

  std::map<std::string, std::string> Labels() {
    std::map<std::string, std::string> labels;
    Take("{");
    while (true) {
      const size_t equals = rest_.find('=');
      const std::string name(rest_.substr(0, equals));
      rest_.remove_prefix(equals + 1);
      Take("\"");
      size_t end = 0;
      while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
      EXPECT_TRUE(labels.emplace(name, Unescaped(rest_.substr(0, end))).second) << name << " twice";
      rest_.remove_prefix(std::min(end, rest_.size()));
      Take("\"");
      if (rest_.substr(0, 1) != ",") break;
      Take(",");
    }
    Take("}");
    return labels;
  }

  static std::string Unescaped(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        plain += text[i];
        continue;
      }
      const char next = ++i < text.size() ? text[i] : '?';
      EXPECT_TRUE(next == '\\' || next == '"' || next == 'n') << "\\" << next;
      plain += next == 'n' ? '\n' : next;
    }
    return plain;
  }

  void Take(std::string_view expected) {
    EXPECT_EQ(rest_.substr(0, expected.size()), expected);
    rest_.remove_prefix(std::min(expected.size(), rest_.size()));
  }
  std::string Word() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string word(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }
  static void CheckNumber(const std::string& text, std::string_view line) {
    char* end = nullptr;
    std::strtod(text.c_str(), &end);
    EXPECT_TRUE(!text.empty() && *end == '\0') << line;
  }

  std::map<std::string, TextFamily> families_;
  std::string current_;
  std::string_view rest_;
  bool ended_ = false;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TRACING_EXPORT_METRICS_TEXT_PARSER_H_
