// `bitactor trace context`: how W3C headers are understood, and what would be sent on.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bitactor/tracing/trace_context.h"
#include "cli/commands.h"
#include "cli/trace_commands.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ContextArguments {
  std::vector<std::string> headers;
  std::string span_id;
  bool json = false;
};

uint64_t RandomId() {
  std::random_device device;
  for (;;) {
    const uint64_t id = uint64_t{device()} << 32 | device();
    if (id != 0) return id;
  }
}

// "name: value" as its two parts, which stay in `line`.
absl::StatusOr<HeaderField> SplitHeader(const std::string& line) {
  const size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--header '", line, "': is no header; write it as 'name: value'"));
  }
  const std::string_view text = line;
  return HeaderField{text.substr(0, colon), text.substr(colon + 1)};
}

absl::StatusOr<uint64_t> SpanIdOf(const std::string& text) {
  uint64_t id = 0;
  const bool digits = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (text.size() != 16 || !digits || !absl::SimpleHexAtoi(text, &id) || id == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--span-id ", text, ": is no span id; it has 16 digits 0-9 a-f, not all of them zero"));
  }
  return id;
}

// What would be sent on: the trace that came, or a new one of our own, which we record.
EmittedTraceContext SendOn(const ParsedTraceContext& parsed, uint64_t span_id) {
  if (parsed.valid) return EmitTraceContext(parsed.context, span_id);
  TraceContext fresh;
  fresh.trace_id = {RandomId(), RandomId()};
  fresh.sampled = true;
  fresh.random_trace_id = true;
  return EmitTraceContext(fresh, span_id);
}

void PrintJson(const ParsedTraceContext& parsed, const EmittedTraceContext& out) {
  const TraceContext& context = parsed.context;
  Json members = Json::array();
  for (const TracestateMember& member : context.tracestate) {
    members.push_back(Json::array({member.key, member.value}));
  }
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  Json report = {{"valid", parsed.valid},
                 {"reason", text_or_null(parsed.reason)},
                 {"trace_id", parsed.valid ? Json(context.trace_id.ToHex()) : Json()},
                 {"parent_id", parsed.valid ? Json(SpanIdToHex(context.parent_id)) : Json()},
                 {"sampled", parsed.valid ? Json(context.sampled) : Json()},
                 {"random_trace_id", parsed.valid ? Json(context.random_trace_id) : Json()},
                 {"tracestate", members},
                 {"tracestate_reason", text_or_null(parsed.tracestate_reason)},
                 {"out_traceparent", out.traceparent},
                 {"out_tracestate", out.tracestate},
                 {"out_cut_members", out.cut_members}};
  std::printf("%s\n", report.dump(2).c_str());
}

void PrintLine(const char* what, const std::string& text) {
  std::printf("%-14s%s\n", what, text.c_str());
}

void PrintForPeople(const ParsedTraceContext& parsed, const EmittedTraceContext& out) {
  const TraceContext& context = parsed.context;
  if (parsed.valid) {
    PrintLine("traceparent", "valid");
    PrintLine("trace id", context.trace_id.ToHex() + (context.random_trace_id ? ", random" : ""));
    PrintLine("parent id", SpanIdToHex(context.parent_id));
    PrintLine("sampled", context.sampled ? "yes" : "no");
  } else {
    PrintLine("traceparent", "invalid: a new trace begins");
    PrintLine("", parsed.reason);
  }
  if (!parsed.tracestate_reason.empty()) {
    PrintLine("tracestate", "dropped");
    PrintLine("", parsed.tracestate_reason);
  }
  const char* what = "tracestate";
  for (const TracestateMember& member : context.tracestate) {
    PrintLine(what, member.key + " = " + member.value);
    what = "";
  }
  PrintLine("sent on", "traceparent: " + out.traceparent);
  PrintLine("", "tracestate: " + out.tracestate);
  if (out.cut_members > 0) {
    PrintLine("", std::to_string(out.cut_members) + " members cut for lack of room");
  }
}

int Context(const ContextArguments& arguments) {
  std::vector<HeaderField> headers;
  for (const std::string& line : arguments.headers) {
    absl::StatusOr<HeaderField> header = SplitHeader(line);
    if (!header.ok()) return Fail(header.status());
    headers.push_back(*header);
  }
  absl::StatusOr<uint64_t> span_id =
      arguments.span_id.empty() ? RandomId() : SpanIdOf(arguments.span_id);
  if (!span_id.ok()) return Fail(span_id.status());
  const ParsedTraceContext parsed = ParseTraceContext(headers);
  const EmittedTraceContext out = SendOn(parsed, *span_id);
  if (arguments.json) {
    PrintJson(parsed, out);
    return kExitOk;
  }
  PrintForPeople(parsed, out);
  return parsed.valid ? kExitOk : kExitFoundProblem;
}

}  // namespace

void AddTraceContextCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<ContextArguments>();
  CLI::App* command =
      trace.add_subcommand("context", "Show how W3C trace context headers are understood");
  command
      ->add_option("--header", arguments->headers,
                   "A header as 'name: value'; repeat it for more, in their order")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--span-id", arguments->span_id,
                      "The span to send on from, 16 digits 0-9 a-f; without it, a random one");
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Exit code: 0, and without --json 1 when there is no valid traceparent, so that a new trace\n"
      "begins, with a random trace id. With --json that is an answer like any other: \"valid\" is\n"
      "false and the exit code 0. What is no header or no span id is wrong use: 2.\n"
      "Example:\n"
      "  bitactor trace context --json --header 'tracestate: rojo=1' \\\n"
      "    --header 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'");
  command->callback([arguments, &exit_code] { exit_code = Context(*arguments); });
}

}  // namespace bitactor::cli
