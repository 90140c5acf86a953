#include "bitactor/l3_genactor/supervision.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l3_genactor/restart_intensity.h"

namespace bitactor {

const char* ChildStateName(ChildState state) {
  switch (state) {
    case ChildState::kStopped:
      return "stopped";
    case ChildState::kStarting:
      return "starting";
    case ChildState::kRunning:
      return "running";
    case ChildState::kStopping:
      return "stopping";
    case ChildState::kDown:
      return "restarting";
  }
  return "unknown";
}

const char* RestartName(Restart restart) {
  switch (restart) {
    case Restart::kPermanent:
      return "permanent";
    case Restart::kTransient:
      return "transient";
    case Restart::kTemporary:
      return "temporary";
  }
  return "unknown";
}

const char* StrategyName(Strategy strategy) {
  switch (strategy) {
    case Strategy::kOneForOne:
      return "one_for_one";
    case Strategy::kOneForAll:
      return "one_for_all";
    case Strategy::kRestForOne:
      return "rest_for_one";
  }
  return "unknown";
}

namespace {

const char* StrategyOf(const SupervisionNode& node) {
  return node.each ? "simple_one_for_one" : StrategyName(node.strategy);
}

void AppendText(std::string& text, const SupervisionNode& node, const std::string& indent,
                bool top) {
  text += node.self.name;
  if (node.self.is_supervisor) absl::StrAppend(&text, " (", StrategyOf(node), ")");
  if (!top || node.self.state != ChildState::kRunning) {
    absl::StrAppend(&text, " ", node.gave_up ? "gave up" : ChildStateName(node.self.state));
  }
  if (!top) absl::StrAppend(&text, ", ", RestartName(node.self.restart));
  if (node.self.restarts > 0) absl::StrAppend(&text, ", ", node.self.restarts, " restarts");
  if (node.self.has_ended) absl::StrAppend(&text, ", last ended: ", node.self.last_exit.ToString());
  text += "\n";
  const size_t lines = node.children.size() + (node.children_left_out > 0 ? 1 : 0);
  size_t line = 0;
  for (const SupervisionNode& child : node.children) {
    const bool last = ++line == lines;
    absl::StrAppend(&text, indent, last ? "`- " : "|- ");
    AppendText(text, child, indent + (last ? "   " : "|  "), false);
  }
  if (node.children_left_out > 0) {
    absl::StrAppend(&text, indent, "`- and ", node.children_left_out, " more\n");
  }
}

void AppendJson(std::string& json, const SupervisionNode& node) {
  const ChildInfo& self = node.self;
  absl::StrAppend(&json, "{\"name\":", internal::QuotedJson(self.name),
                  ",\"kind\":", self.is_supervisor ? "\"supervisor\"" : "\"worker\"",
                  ",\"state\":\"", ChildStateName(self.state), "\",\"restart\":\"",
                  RestartName(self.restart), "\",\"restarts\":", self.restarts, ",\"last_exit\":",
                  self.has_ended ? internal::QuotedJson(self.last_exit.ToString()) : "null");
  if (!self.is_supervisor) {
    absl::StrAppend(&json, ",\"id\":", static_cast<uint32_t>(self.address.id), "}");
    return;
  }
  absl::StrAppend(&json, ",\"strategy\":\"", StrategyOf(node),
                  "\",\"gave_up\":", node.gave_up ? "true" : "false",
                  ",\"restarts_made\":", node.restarts_made,
                  ",\"children_left_out\":", node.children_left_out, ",\"children\":[");
  bool first = true;
  for (const SupervisionNode& child : node.children) {
    if (!first) json += ",";
    first = false;
    AppendJson(json, child);
  }
  json += "]}";
}

}  // namespace

std::string TreeText(const SupervisionNode& top) {
  std::string text;
  AppendText(text, top, "", true);
  return text;
}

std::string TreeJson(const SupervisionNode& top) {
  std::string json;
  AppendJson(json, top);
  return json;
}

namespace internal {

std::string QuotedJson(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

absl::Status ValidateSupervisor(const SupervisorOptions& options) {
  if (options.strategy > Strategy::kRestForOne) {
    return absl::InvalidArgumentError(absl::StrCat(
        "invalid_strategy: SupervisorOptions::strategy is ", static_cast<int>(options.strategy),
        "; give kOneForOne, kOneForAll or kRestForOne"));
  }
  if (options.auto_shutdown > AutoShutdown::kAllSignificant) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid_auto_shutdown: SupervisorOptions::auto_shutdown is ",
                     static_cast<int>(options.auto_shutdown),
                     "; give kNever, kAnySignificant or kAllSignificant"));
  }
  const absl::Status status = RestartIntensity::Validate(options.max_restarts, options.within);
  if (status.ok()) return status;
  const bool intensity = options.max_restarts > RestartIntensity::kMaxRestartsLimit;
  return absl::InvalidArgumentError(absl::StrCat(intensity ? "invalid_intensity" : "invalid_period",
                                                 ": ", std::string(status.message())));
}

absl::Status ValidateChild(std::string_view name, const ChildOptions& options,
                           const SupervisorOptions& supervisor) {
  const auto refuse = [&name](const char* what, const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": child \"", std::string(name), "\": ", why));
  };
  if (name.empty()) return refuse("missing_id", "its name is empty; give one");
  if (options.restart > Restart::kTemporary) {
    return refuse("invalid_restart_type",
                  absl::StrCat("ChildOptions::restart is ", static_cast<int>(options.restart),
                               "; give kPermanent, kTransient or kTemporary"));
  }
  if (options.shutdown < absl::ZeroDuration()) {
    return refuse("invalid_shutdown",
                  absl::StrCat("ChildOptions::shutdown is ", absl::FormatDuration(options.shutdown),
                               "; give 0 (kBrutalKill) to InfiniteDuration()"));
  }
  if (options.significant && options.restart == Restart::kPermanent) {
    return refuse("bad_combination",
                  "a significant child is not permanent; give kTransient or kTemporary");
  }
  if (options.significant && supervisor.auto_shutdown == AutoShutdown::kNever) {
    return refuse("bad_combination",
                  "a significant child needs a supervisor whose auto_shutdown is not kNever");
  }
  if (options.backoff.base < absl::ZeroDuration() || options.backoff.base > options.backoff.cap ||
      options.backoff.cap > absl::Hours(1)) {
    return refuse("invalid_backoff",
                  absl::StrCat("Backoff is ", absl::FormatDuration(options.backoff.base), " up to ",
                               absl::FormatDuration(options.backoff.cap),
                               "; give a base of 0 to cap, and a cap of at most 1h"));
  }
  if (options.poison.policy > PoisonPolicy::kQuarantine ||
      (options.poison.policy == PoisonPolicy::kRetry &&
       (options.poison.retries < 1 || options.poison.retries > 100))) {
    return refuse("invalid_poison",
                  absl::StrCat("Poison is policy ", static_cast<int>(options.poison.policy),
                               " with ", options.poison.retries,
                               " retries; give kSkip, kQuarantine, or kRetry with 1 to 100"));
  }
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace bitactor
