#include "bitactor/tracing/trace_context.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "header_text.h"

namespace bitactor {
namespace {

using internal::AppendHex;
using internal::LowerHexDigit;
using internal::NameIs;
using internal::ShowCharacter;
using internal::TakePart;
using internal::TrimSpace;

constexpr uint8_t kSampledFlag = 0x01;
constexpr uint8_t kRandomTraceIdFlag = 0x02;

// version "-" trace-id "-" parent-id "-" trace-flags
constexpr size_t kTraceIdBegin = 3;
constexpr size_t kParentIdBegin = 36;
constexpr size_t kFlagsBegin = 53;
constexpr size_t kTraceparentChars = 55;
constexpr uint64_t kForbiddenVersion = 0xFF;

constexpr size_t kMaxKeyChars = 256;
constexpr size_t kMaxValueChars = 256;

// Takes fields out of a traceparent by their places; the first fault stays.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : text_(text) {}

  // `count` digits, at most 16.
  uint64_t Hex(size_t begin, size_t count) {
    uint64_t value = 0;
    for (size_t i = begin; i < begin + count; ++i) {
      const int digit = i < text_.size() ? LowerHexDigit(text_[i]) : -1;
      if (digit < 0) Fault(i, "a digit 0-9 or a-f");
      value = value << 4 | static_cast<uint64_t>(digit & 0xF);
    }
    return value;
  }
  void Dash(size_t at) {
    if (at >= text_.size() || text_[at] != '-') Fault(at, "'-'");
  }
  void Fault(size_t at, const char* wanted) {
    if (!fault_.empty()) return;
    fault_ = at < text_.size()
                 ? absl::StrCat("traceparent: character ", at + 1, " is ", ShowCharacter(text_[at]),
                                ", it must be ", wanted)
                 : absl::StrCat("traceparent: ends after ", text_.size(), " characters; at least ",
                                kTraceparentChars, " are needed");
  }
  void Fault(std::string what) {
    if (fault_.empty()) fault_ = std::move(what);
  }
  const std::string& fault() const { return fault_; }

 private:
  const std::string_view text_;
  std::string fault_;
};

// Returns the fault, "" when there is none.
std::string ParseTraceparent(std::string_view text, TraceContext& into) {
  FieldReader reader(text);
  const uint64_t version = reader.Hex(0, 2);
  reader.Dash(2);
  if (version == kForbiddenVersion) reader.Fault("traceparent: version ff is forbidden");
  into.trace_id.high = reader.Hex(kTraceIdBegin, 16);
  into.trace_id.low = reader.Hex(kTraceIdBegin + 16, 16);
  reader.Dash(kParentIdBegin - 1);
  into.parent_id = reader.Hex(kParentIdBegin, 16);
  reader.Dash(kFlagsBegin - 1);
  const uint64_t flags = reader.Hex(kFlagsBegin, 2);
  if (text.size() > kTraceparentChars) {
    if (version == 0) {
      reader.Fault(absl::StrCat("traceparent: has ", text.size(),
                                " characters; version 00 has exactly ", kTraceparentChars));
    }
    reader.Dash(kTraceparentChars);
  }
  if (into.trace_id.is_zero()) reader.Fault("traceparent: a trace id of zeros is none");
  if (into.parent_id == 0) reader.Fault("traceparent: a parent id of zeros is none");
  into.sampled = (flags & kSampledFlag) != 0;
  into.random_trace_id = (flags & kRandomTraceIdFlag) != 0;
  return reader.fault();
}

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
         c == '/' || c == '@';
}
bool IsValueCharacter(char c) { return c >= 0x20 && c <= 0x7E && c != ',' && c != '='; }

// Each returns what is wrong, "" when nothing is.
std::string KeyFault(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyChars) {
    return absl::StrCat("a key of ", key.size(), " characters; allowed are 1 to ", kMaxKeyChars);
  }
  for (size_t i = 0; i < key.size(); ++i) {
    if (!IsKeyCharacter(key[i])) {
      return absl::StrCat("character ", i + 1, " of the key is ", ShowCharacter(key[i]),
                          "; allowed are a-z 0-9 _ - * / @");
    }
  }
  if (std::string_view("_-*/@").find(key[0]) != std::string_view::npos) {
    return absl::StrCat("the key begins with ", ShowCharacter(key[0]),
                        "; it must with a letter a-z or a digit");
  }
  return "";
}
std::string ValueFault(std::string_view value) {
  if (value.empty() || value.size() > kMaxValueChars) {
    return absl::StrCat("a value of ", value.size(), " characters; allowed are 1 to ",
                        kMaxValueChars);
  }
  for (size_t i = 0; i < value.size(); ++i) {
    if (!IsValueCharacter(value[i])) {
      return absl::StrCat("character ", i + 1, " of the value is ", ShowCharacter(value[i]),
                          "; allowed are 0x20 to 0x7e without ',' and '='");
    }
  }
  if (value.back() == ' ') return "the value ends in a space";
  return "";
}

std::string AppendMember(std::string_view text, std::vector<TracestateMember>& into) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return "has no '='";
  const std::string_view key = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  if (std::string fault = KeyFault(key); !fault.empty()) return fault;
  if (std::string fault = ValueFault(value); !fault.empty()) return fault;
  const auto same_key = [&](const TracestateMember& member) { return member.key == key; };
  if (std::any_of(into.begin(), into.end(), same_key)) return "its key was there before";
  if (into.size() == kMaxTracestateMembers) {
    return absl::StrCat("is one too many; allowed are at most ", kMaxTracestateMembers);
  }
  into.push_back({std::string(key), std::string(value)});
  return "";
}

// Returns the fault, "" when there is none.
std::string ParseTracestate(std::span<const HeaderField> headers,
                            std::vector<TracestateMember>& into) {
  for (const HeaderField& header : headers) {
    if (!NameIs(header.name, "tracestate")) continue;
    for (std::optional<std::string_view> rest = header.value; rest.has_value();) {
      const std::string_view member = TakePart(rest, ',');
      if (member.empty()) continue;
      if (std::string fault = AppendMember(member, into); !fault.empty()) {
        return absl::StrCat("tracestate: member ", into.size() + 1, ": ", fault);
      }
    }
  }
  return "";
}

// The members that fit, ours first.
class TracestateWriter {
 public:
  explicit TracestateWriter(uint64_t span_id) {
    own_.append(kOwnTracestateKey);
    own_ += '=';
    AppendHex(own_, span_id);
    chars_ = own_.size();
  }

  void Add(const TracestateMember& member) {
    BITACTOR_CHECK(IsTracestateKey(member.key) && IsTracestateValue(member.value));
    if (member.key == kOwnTracestateKey) return;
    if (count_ == others_.size()) {
      ++cut_;
      return;
    }
    others_[count_++] = &member;
    chars_ += 1 + Chars(member);
  }
  std::string Write(size_t& cut) {
    while (chars_ > kMaxTracestateChars) CutOne();
    std::string text = std::move(own_);
    text.reserve(chars_);
    for (size_t i = 0; i < count_; ++i) {
      text += ',';
      text += others_[i]->key;
      text += '=';
      text += others_[i]->value;
    }
    cut = cut_;
    return text;
  }

 private:
  static size_t Chars(const TracestateMember& member) {
    return member.key.size() + 1 + member.value.size();
  }
  void CutOne() {
    size_t victim = count_ - 1;
    for (size_t i = count_; i > 0; --i) {
      if (Chars(*others_[i - 1]) > kLongTracestateMemberChars) {
        victim = i - 1;
        break;
      }
    }
    chars_ -= 1 + Chars(*others_[victim]);
    std::copy(others_.begin() + victim + 1, others_.begin() + count_, others_.begin() + victim);
    --count_;
    ++cut_;
  }

  std::string own_;
  std::array<const TracestateMember*, kMaxTracestateMembers - 1> others_;
  size_t count_ = 0;
  size_t chars_ = 0;  // of ours, and of the others with a comma each
  size_t cut_ = 0;
};

}  // namespace

std::string TraceId::ToHex() const {
  std::string text;
  AppendHex(text, high);
  AppendHex(text, low);
  return text;
}

std::string SpanIdToHex(uint64_t span_id) {
  std::string text;
  AppendHex(text, span_id);
  return text;
}

bool IsTracestateKey(std::string_view key) { return KeyFault(key).empty(); }
bool IsTracestateValue(std::string_view value) { return ValueFault(value).empty(); }

ParsedTraceContext ParseTraceContext(std::span<const HeaderField> headers) {
  ParsedTraceContext result;
  const HeaderField* traceparent = nullptr;
  size_t count = 0;
  for (const HeaderField& header : headers) {
    if (!NameIs(header.name, "traceparent")) continue;
    traceparent = &header;
    ++count;
  }
  if (count != 1) {
    result.reason = absl::StrCat("traceparent: ", count, " header fields; exactly one is needed");
    return result;
  }
  TraceContext context;
  result.reason = ParseTraceparent(TrimSpace(traceparent->value), context);
  if (!result.reason.empty()) return result;
  result.valid = true;
  result.tracestate_reason = ParseTracestate(headers, context.tracestate);
  if (!result.tracestate_reason.empty()) context.tracestate.clear();
  result.context = std::move(context);
  return result;
}

EmittedTraceContext EmitTraceContext(const TraceContext& context, uint64_t span_id) {
  BITACTOR_CHECK(!context.trace_id.is_zero());
  BITACTOR_CHECK(span_id != 0);
  EmittedTraceContext out;
  out.traceparent.reserve(kTraceparentChars);
  out.traceparent += "00-";
  AppendHex(out.traceparent, context.trace_id.high);
  AppendHex(out.traceparent, context.trace_id.low);
  out.traceparent += '-';
  AppendHex(out.traceparent, span_id);
  out.traceparent += "-0";
  out.traceparent += static_cast<char>('0' + (context.sampled ? kSampledFlag : 0) +
                                       (context.random_trace_id ? kRandomTraceIdFlag : 0));
  TracestateWriter writer(span_id);
  for (const TracestateMember& member : context.tracestate) writer.Add(member);
  out.tracestate = writer.Write(out.cut_members);
  return out;
}

}  // namespace bitactor
