#include "cli/journal_filter.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "pipeline/chain.h"

namespace bitactor::cli {
namespace {

constexpr std::array<std::pair<FrameKind, std::string_view>, 7> kKinds = {{
    {FrameKind::kCast, "cast"},
    {FrameKind::kCall, "call"},
    {FrameKind::kReply, "reply"},
    {FrameKind::kTimer, "timer"},
    {FrameKind::kSystem, "system"},
    {FrameKind::kBlock, "block"},
    {FrameKind::kRecord, "record"},
}};

// A stamp of the years 2001 to 2286: other numbers are rather dates without their dashes.
constexpr size_t kStampDigits = 19;
constexpr size_t kTypeIdDigits = 8;
constexpr uint32_t kMaxShard = 63;

bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

absl::Status Refused(const char* option, const std::string& text, const std::string& takes) {
  return absl::InvalidArgumentError(absl::StrCat(option, " ", text, ": ", takes));
}

absl::StatusOr<uint64_t> ParseTime(const char* option, const std::string& text, uint64_t now_ns) {
  const auto refused = [&](const char* why) {
    return Refused(option, text,
                   absl::StrCat(why,
                                "; write a time in UTC (2026-11-21, 2026-11-21T16:17:30.5), a time "
                                "before now (-5m, -1h30m; units ns us ms s m h), or a stamp in "
                                "nanoseconds since 1970 as the dump shows it (19 digits)"));
  };
  uint64_t stamp_ns = 0;
  if (IsNumber(text)) {
    if (text.size() != kStampDigits || !absl::SimpleAtoi(text, &stamp_ns)) {
      return refused("this number is no stamp");
    }
    return stamp_ns;
  }
  if (text[0] == '-') {
    absl::Duration before;
    if (!absl::ParseDuration(text.substr(1), &before) || before < absl::ZeroDuration()) {
      return refused("this is no length of time");
    }
    const int64_t before_ns = absl::ToInt64Nanoseconds(before);
    return now_ns - std::min(now_ns, static_cast<uint64_t>(before_ns));
  }
  absl::Time time;
  bool parsed = false;
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*SZ", "%Y-%m-%dT%H:%M:%E*S%Ez",
                             "%Y-%m-%dT%H:%M:%E*S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::string ignored;
    parsed = parsed || absl::ParseTime(format, text, &time, &ignored);
  }
  if (!parsed) return refused("this is no time");
  if (time < absl::UnixEpoch() || time > absl::FromUnixNanos(std::numeric_limits<int64_t>::max())) {
    return refused("this is before 1970 or after 2261");
  }
  return static_cast<uint64_t>(absl::ToUnixNanos(time));
}

absl::StatusOr<Position> ParsePosition(const char* option, const std::string& text,
                                       std::optional<uint32_t>& shard) {
  const size_t colon = text.find(':');
  const std::string position_text = colon == std::string::npos ? text : text.substr(colon + 1);
  uint64_t position = 0;
  uint32_t of_shard = 0;
  if (!IsNumber(position_text) || !absl::SimpleAtoi(position_text, &position) ||
      (colon != std::string::npos &&
       (!IsNumber(text.substr(0, colon)) || !absl::SimpleAtoi(text.substr(0, colon), &of_shard) ||
        of_shard > kMaxShard))) {
    return Refused(option, text,
                   absl::StrCat("write POSITION or SHARD:POSITION, for example 4711 or 0:4711; "
                                "SHARD is 0 to ",
                                kMaxShard, ", POSITION as `bitactor journal dump` shows it"));
  }
  if (colon != std::string::npos) {
    if (shard.has_value() && *shard != of_shard) {
      return Refused(option, text,
                     absl::StrCat("shard ", *shard,
                                  " is named as well; a place is one of one shard's journal, so "
                                  "name the same shard, or positions without shards"));
    }
    shard = of_shard;
  }
  return Position(position);
}

absl::StatusOr<uint32_t> ParseActor(const char* option, const std::string& text,
                                    const ActorByName& actor_by_name) {
  uint32_t id = 0;
  if (IsNumber(text)) {
    if (absl::SimpleAtoi(text, &id)) return id;
    return Refused(option, text, "an actor's id is 0 to 4294967295");
  }
  absl::StatusOr<uint32_t> found = actor_by_name(text);
  if (!found.ok() && absl::IsNotFound(found.status())) {
    return Refused(option, text, std::string(found.status().message()));
  }
  return found;
}

absl::StatusOr<std::vector<uint32_t>> ParseType(const std::string& text) {
  std::vector<uint32_t> types;
  std::vector<std::string> names;
  for (const auto& [id, name] : pipeline::KnownTypeNames()) {
    if (name == text) types.push_back(id);
    names.push_back(name);
  }
  if (!types.empty()) return types;
  if (text.size() == kTypeIdDigits && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit)) {
    return std::vector<uint32_t>{static_cast<uint32_t>(std::stoul(text, nullptr, 16))};
  }
  return Refused("--type", text,
                 absl::StrCat("this program knows no type of that name; write 8 hexadecimal digits "
                              "as the dump shows them, or one of ",
                              absl::StrJoin(names, ", ")));
}

absl::StatusOr<uint32_t> ParseKinds(const std::vector<std::string>& texts) {
  uint32_t kinds = 0;
  for (const std::string& text : texts) {
    const auto* kind = std::find_if(kKinds.begin(), kKinds.end(),
                                    [&](const auto& entry) { return entry.second == text; });
    if (kind == kKinds.end()) {
      return Refused("--kind", text,
                     "write cast, call, reply, timer, system, block or record; more than one by "
                     "repeating the option");
    }
    kinds |= uint32_t{1} << static_cast<uint32_t>(kind->first);
  }
  return kinds;
}

}  // namespace

bool RecordFilter::Matches(const FrameHeader& header) const {
  return header.stamp_ns >= since_ns && (!until_ns.has_value() || header.stamp_ns < *until_ns) &&
         (kinds >> (static_cast<uint32_t>(header.kind) & 31) & 1) != 0 &&
         (!source.has_value() || header.source == *source) &&
         (!target.has_value() || header.target == *target) &&
         (types.empty() || std::find(types.begin(), types.end(), header.type) != types.end());
}

absl::StatusOr<RecordFilter> ParseFilter(const FilterArguments& arguments, uint64_t now_ns,
                                         const ActorByName& actor_by_name) {
  RecordFilter filter;
  filter.shard = arguments.shard;
  absl::Status fault;
  // Parses what is given; the first fault stays.
  const auto set = [&fault](const auto& text, auto& field, const auto& parse) {
    if (text.empty() || !fault.ok()) return;
    auto value = parse();
    if (value.ok()) {
      field = *std::move(value);
    } else {
      fault = value.status();
    }
  };
  set(arguments.since, filter.since_ns,
      [&] { return ParseTime("--since", arguments.since, now_ns); });
  set(arguments.until, filter.until_ns,
      [&] { return ParseTime("--until", arguments.until, now_ns); });
  set(arguments.from, filter.from,
      [&] { return ParsePosition("--from", arguments.from, filter.shard); });
  set(arguments.to, filter.to, [&] { return ParsePosition("--to", arguments.to, filter.shard); });
  set(arguments.type, filter.types, [&] { return ParseType(arguments.type); });
  set(arguments.kinds, filter.kinds, [&] { return ParseKinds(arguments.kinds); });
  set(arguments.source, filter.source,
      [&] { return ParseActor("--source", arguments.source, actor_by_name); });
  set(arguments.target, filter.target,
      [&] { return ParseActor("--target", arguments.target, actor_by_name); });
  if (!fault.ok()) return fault;
  if (filter.until_ns.has_value() && filter.since_ns >= *filter.until_ns) {
    return Refused("--since", arguments.since.empty() ? "(the beginning)" : arguments.since,
                   absl::StrCat("nothing is between this and --until ", arguments.until,
                                "; the end must be later than the beginning"));
  }
  if (filter.from >= filter.to) {
    return Refused("--from", arguments.from.empty() ? "0" : arguments.from,
                   absl::StrCat("nothing is between this and --to ", arguments.to,
                                "; the end must be greater than the beginning"));
  }
  return filter;
}

std::string_view KindName(FrameKind kind) {
  for (const auto& [value, name] : kKinds) {
    if (value == kind) return name;
  }
  return "other";
}

std::string TimeText(uint64_t stamp_ns) {
  if (stamp_ns > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return std::to_string(stamp_ns);
  }
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ",
                          absl::FromUnixNanos(static_cast<int64_t>(stamp_ns)), absl::UTCTimeZone());
}

}  // namespace bitactor::cli
