#include "pipeline/payload_fields.h"

#include <algorithm>
#include <concepts>
#include <cstring>

#include "absl/strings/str_format.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "pipeline/actors.h"
#include "pipeline/chain.h"

namespace bitactor::pipeline {
namespace {

class Fields {
 public:
  void Add(std::string_view name, std::unsigned_integral auto value) {
    fields_.push_back({name, static_cast<uint64_t>(value)});
  }
  void Add(std::string_view name, std::signed_integral auto value) {
    fields_.push_back({name, static_cast<int64_t>(value)});
  }
  void Add(std::string_view name, std::string_view text) {
    fields_.push_back({name, std::string(text)});
  }
  // The word for a value from 0 on, or the number when there is none.
  template <size_t kWords>
  void Add(std::string_view name, size_t value, const std::string_view (&words)[kWords]) {
    if (value < kWords) {
      Add(name, words[value]);
    } else {
      Add(name, value);
    }
  }
  std::vector<PayloadField> Take() { return std::move(fields_); }

 private:
  std::vector<PayloadField> fields_;
};

constexpr std::string_view kEventKindWords[] = {
    "none",    "add",   "execute", "execute_at_price", "execute_unprinted", "cancel", "delete",
    "replace", "trade", "cross",   "trading_state"};
static_assert(std::size(kEventKindWords) == market::kEventKinds);
constexpr std::string_view kSideWords[] = {"none", "buy", "sell"};
constexpr std::string_view kCrashActionWords[] = {"none", "restored", "fresh", "stopped"};

void Describe(const market::FeedEvent& event, Fields& fields) {
  fields.Add("sequence", event.sequence);
  fields.Add("time_ns", event.time_ns);
  fields.Add("order_ref", event.order_ref);
  fields.Add("new_ref", event.new_ref);
  fields.Add("price", event.price);
  fields.Add("shares", event.shares);
  fields.Add("locate", event.locate);
  fields.Add("kind", static_cast<size_t>(event.kind), kEventKindWords);
  fields.Add("side", static_cast<size_t>(event.side), kSideWords);
}

void Describe(const market::BookRow& row, Fields& fields) {
  fields.Add("sequence", row.sequence);
  fields.Add("ask_price", row.ask_price);
  fields.Add("bid_price", row.bid_price);
  fields.Add("ask_size", row.ask_size);
  fields.Add("bid_size", row.bid_size);
}

void Describe(const market::Top& top, Fields& fields) {
  fields.Add("sequence", top.sequence);
  fields.Add("time_ns", top.time_ns);
  fields.Add("bid_price", top.bid_price);
  fields.Add("ask_price", top.ask_price);
  fields.Add("bid_size", top.bid_size);
  fields.Add("ask_size", top.ask_size);
  fields.Add("locate", top.locate);
  fields.Add("executed_shares", top.executed_shares);
}

void DescribeMember(const market::Top& top, Fields& fields) {
  fields.Add("top.sequence", top.sequence);
  fields.Add("top.time_ns", top.time_ns);
  fields.Add("top.bid_price", top.bid_price);
  fields.Add("top.ask_price", top.ask_price);
  fields.Add("top.bid_size", top.bid_size);
  fields.Add("top.ask_size", top.ask_size);
  fields.Add("top.locate", top.locate);
  fields.Add("top.executed_shares", top.executed_shares);
}

void Describe(const market::Intent& intent, Fields& fields) {
  DescribeMember(intent.top, fields);
  fields.Add("limit_price", intent.limit_price);
  fields.Add("quantity", intent.quantity);
  fields.Add("imbalance_q16", intent.imbalance_q16);
  fields.Add("microprice_q8", intent.microprice_q8);
}

void Describe(const market::Order& order, Fields& fields) {
  DescribeMember(order.top, fields);
  fields.Add("number", order.number);
  fields.Add("limit_price", order.limit_price);
  fields.Add("quantity", order.quantity);
}

void Describe(const market::Fill& fill, Fields& fields) {
  DescribeMember(fill.top, fields);
  fields.Add("order_number", fill.order_number);
  fields.Add("price", fill.price);
  fields.Add("quantity", fill.quantity);
  fields.Add("cancelled_quantity", fill.cancelled_quantity);
}

void Describe(const market::KillSwitch& kill, Fields& fields) {
  fields.Add("locate", kill.locate);
  fields.Add("stop", kill.stop);
}

void Describe(const UseRows& rows, Fields& fields) { fields.Add("unused", rows.unused); }

void Describe(const Poison& poison, Fields& fields) { fields.Add("number", poison.number); }

void Describe(const ErrorReply& error, Fields& fields) {
  fields.Add("code", error.code);
  fields.Add("text",
             std::string_view(error.text, std::min<size_t>(error.size_bytes, sizeof(error.text))));
}

void Describe(const internal::BootRecord& boot, Fields& fields) {
  fields.Add("boot", boot.boot);
  fields.Add("shards", boot.shards);
  fields.Add("mailboxes", boot.mailboxes);
  fields.Add("shard", boot.shard);
}

void Describe(const internal::NameRecord& name, Fields& fields) {
  fields.Add("id", name.id);
  // The class of an actor is a type that has a name itself.
  const std::string class_name = name.class_type == 0 ? "none" : TypeNameOf(name.class_type);
  fields.Add("class_type",
             class_name.empty() ? absl::StrFormat("%08x", name.class_type) : class_name);
  fields.Add("name", name.name_view());
}

void Describe(const internal::CrashRecord& crash, Fields& fields) {
  fields.Add("source", crash.source);
  fields.Add("action", static_cast<size_t>(crash.action), kCrashActionWords);
  fields.Add("message_id", crash.message_id);
  fields.Add("next_sequence", crash.next_sequence);
}

template <typename M>
bool DescribeIf(uint32_t type, std::span<const std::byte> payload, Fields& fields) {
  if (type != TypeId<M>() || payload.size() != sizeof(M)) return false;
  M message;
  std::memcpy(static_cast<void*>(&message), payload.data(), sizeof(M));
  Describe(message, fields);
  return true;
}

template <typename... Types>
bool DescribeAmong(uint32_t type, std::span<const std::byte> payload, Fields& fields) {
  return (DescribeIf<Types>(type, payload, fields) || ...);
}

}  // namespace

std::optional<std::vector<PayloadField>> FieldsOf(uint32_t type,
                                                  std::span<const std::byte> payload) {
  Fields fields;
  if (!DescribeAmong<market::FeedEvent, market::BookRow, market::Top, market::Intent, market::Order,
                     market::Fill, market::KillSwitch, UseRows, Poison, ErrorReply,
                     internal::BootRecord, internal::NameRecord, internal::CrashRecord>(
          type, payload, fields)) {
    return std::nullopt;
  }
  return fields.Take();
}

}  // namespace bitactor::pipeline
