#include "bitactor/l3_genactor/actor_status.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor {
namespace {

const char* ActorStateName(ActorState state) {
  switch (state) {
    case ActorState::kReady:
      return "ready";
    case ActorState::kWaiting:
      return "waiting";
    case ActorState::kSuspended:
      return "suspended";
    case ActorState::kDown:
      return "down";
  }
  return "?";
}

std::string StatusJsonString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace

std::string ActorStatus::ToString() const {
  std::string line = absl::StrFormat(
      "%s (%s, id %d, shard %d): %s, %d queued, %d links, %d monitors, monitored by %d, %d timers, "
      "%d handled, %d restarts",
      name, class_name, static_cast<uint32_t>(id), shard, ActorStateName(state), queued, links,
      monitors, monitored_by, timers, handled, restarts);
  if (!text.empty()) absl::StrAppend(&line, "\n  ", text);
  return line;
}

std::string ActorStatus::ToJson() const {
  std::string json = absl::StrFormat(
      R"({"name":%s,"class":%s,"id":%d,"shard":%d,"state":"%s","queued":%d,"links":%d,)"
      R"("monitors":%d,"monitored_by":%d,"timers":%d,"handled":%d,"restarts":%d)",
      StatusJsonString(name), StatusJsonString(class_name), static_cast<uint32_t>(id), shard,
      ActorStateName(state), queued, links, monitors, monitored_by, timers, handled, restarts);
  if (!text.empty()) absl::StrAppend(&json, ",\"text\":", StatusJsonString(text));
  return json + "}";
}

std::string ActorEvent::ToString() const {
  const auto id = static_cast<uint32_t>(actor);
  switch (kind) {
    case Kind::kBegin:
      return absl::StrFormat("%d begins %d:%d type %08x", id, static_cast<uint32_t>(source),
                             message_id, type);
    case Kind::kDone:
      return absl::StrFormat("%d done", id);
    case Kind::kCrash:
      return absl::StrCat(id, " crashed: ", reason.ToString());
    case Kind::kEnd:
      return absl::StrCat(id, " ended: ", reason.ToString());
  }
  return "?";
}

}  // namespace bitactor
