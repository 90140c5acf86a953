#include "market/lobster_reader.h"

#include <array>
#include <charconv>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "market/itch50_format.h"

namespace bitactor::market {
namespace {

constexpr size_t kMessageColumns = 6;
constexpr size_t kRowColumns = 4;             // a level: ask price, ask size, bid price, bid size
constexpr int64_t kMaxPrice = 9'999'999'999;  // LOBSTER's own mark for "no price"
constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

// By message type. Type 7 carries no order.
constexpr std::array<EventKind, 8> kKinds = {
    EventKind::kNone,    EventKind::kAdd,   EventKind::kCancel, EventKind::kDelete,
    EventKind::kExecute, EventKind::kTrade, EventKind::kCross,  EventKind::kTradingState};

// A whole field as a decimal integer.
template <typename T>
bool ParseInteger(std::string_view field, T* value) {
  const char* end = field.data() + field.size();
  const auto [parsed_to, error] = std::from_chars(field.data(), end, *value);
  return error == std::errc() && parsed_to == end;
}

// Seconds as a decimal with up to nine digits after the point. Never through a double, which
// cannot hold ns of a day exactly when written in seconds.
bool ParseTime(std::string_view field, uint64_t* time_ns) {
  const size_t point = field.find('.');
  uint64_t seconds = 0;
  if (!ParseInteger(field.substr(0, point), &seconds)) return false;
  uint64_t fraction = 0;
  if (point != std::string_view::npos) {
    const std::string_view digits = field.substr(point + 1);
    if (digits.size() > 9 || !ParseInteger(digits, &fraction)) return false;
    for (size_t i = digits.size(); i < 9; ++i) fraction *= 10;
  }
  if (seconds >= kNanosecondsPerDay / kNanosecondsPerSecond) return false;
  *time_ns = seconds * kNanosecondsPerSecond + fraction;
  return true;
}

// Fills the first fields.size() columns and returns how many there are in all.
size_t Split(std::string_view line, std::span<std::string_view> fields) {
  size_t columns = 0;
  for (size_t begin = 0; begin <= line.size(); ++columns) {
    const size_t comma = std::min(line.find(',', begin), line.size());
    if (columns < fields.size()) fields[columns] = line.substr(begin, comma - begin);
    begin = comma + 1;
  }
  return columns;
}

// For messages: no control characters, and not more than a glance.
std::string Quoted(std::string_view value) {
  return absl::StrCat("'", absl::CHexEscape(std::string(value.substr(0, 40))),
                      value.size() > 40 ? "..." : "", "'");
}

}  // namespace

std::string LobsterSymbol(std::string_view path) {
  std::string_view name = path.substr(path.find_last_of('/') + 1);
  constexpr std::string_view kPrefix = "lobster_";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  // SYMBOL_yyyy-mm-dd…
  const size_t end = name.find('_');
  constexpr std::string_view kDate = "dddd-dd-dd";
  if (end == 0 || end == std::string_view::npos || name.size() < end + 1 + kDate.size()) {
    return "LOBSTER";
  }
  for (size_t i = 0; i < kDate.size(); ++i) {
    const char c = name[end + 1 + i];
    if (kDate[i] == '-' ? c != '-' : c < '0' || c > '9') return "LOBSTER";
  }
  return std::string(name.substr(0, end));
}

absl::StatusOr<std::unique_ptr<FeedReader>> LobsterReader::Open(
    std::unique_ptr<ByteSource> messages, std::unique_ptr<ByteSource> book) {
  std::unique_ptr<LobsterReader> reader(new LobsterReader(std::move(messages), std::move(book)));
  for (ReadBuffer* buffer : {&reader->messages_, reader->book_.get()}) {
    if (buffer == nullptr || buffer->Ensure(1)) continue;
    if (!buffer->status().ok()) return buffer->status();
    return absl::DataLossError(absl::StrCat(
        buffer->name(), ": is empty; a LOBSTER file has at least one line: ", "name another file"));
  }
  return reader;
}

LobsterReader::LobsterReader(std::unique_ptr<ByteSource> messages, std::unique_ptr<ByteSource> book)
    : messages_(std::move(messages)),
      book_(book != nullptr ? std::make_unique<ReadBuffer>(std::move(book)) : nullptr),
      symbol_(LobsterSymbol(messages_.name())) {}

std::string LobsterReader::SymbolOf(uint16_t locate) const {
  return locate == kLocate ? symbol_ : absl::StrCat("#", locate);
}

absl::StatusOr<bool> LobsterReader::Next(FeedItem* item) {
  item->row.reset();
  if (!status_.ok()) return status_;
  std::string_view line;
  size_t message_bytes = 0;
  if (!NextLine(messages_, &line, &message_bytes)) {
    if (status_.ok() && CheckBookEndsToo()) return false;
    return status_;
  }
  if (!DecodeMessage(line, &item->event)) return status_;
  const char type = line[line.find(',') + 1];
  // A message whose row is at fault is not delivered, so it must not be counted either.
  if (book_ != nullptr && !ReadRow(&item->row.emplace())) return status_;
  messages_.Consume(message_bytes);
  counts_.bytes += message_bytes;
  ++counts_.messages;
  ++counts_.by_type[static_cast<uint8_t>(type)];
  return true;
}

bool LobsterReader::ReadRow(BookRow* row) {
  std::string_view line;
  size_t stored_bytes = 0;
  row->sequence = counts_.messages + 1;
  if (!NextLine(*book_, &line, &stored_bytes)) {
    if (!status_.ok()) return false;
    return Fault(*book_,
                 absl::StrCat("the book file ends after ", counts_.messages, " rows, but ",
                              messages_.name(), " has more messages; each message needs its row"));
  }
  if (!DecodeRow(line, row)) return false;
  book_->Consume(stored_bytes);
  return true;
}

bool LobsterReader::CheckBookEndsToo() {
  if (book_ == nullptr || !book_->Ensure(1)) {
    if (book_ != nullptr) status_ = book_->status();
    return status_.ok();
  }
  return Fault(*book_, absl::StrCat("the book file has more rows than ", messages_.name(),
                                    " has messages (", counts_.messages, ")"));
}

bool LobsterReader::NextLine(ReadBuffer& buffer, std::string_view* line, size_t* stored_bytes) {
  constexpr size_t kUsualLineBytes = 64;
  size_t newline = std::string_view::npos;
  for (size_t lookahead : {kUsualLineBytes, kMaxLineBytes + 1}) {
    buffer.Ensure(lookahead);
    newline = buffer.view().substr(0, kMaxLineBytes + 1).find('\n');
    if (newline != std::string_view::npos) break;
  }
  status_ = buffer.status();
  if (!status_.ok()) return false;
  const std::string_view at_hand = buffer.view();
  if (newline == std::string_view::npos && at_hand.size() > kMaxLineBytes) {
    return Fault(buffer,
                 absl::StrCat("the line has more than ", kMaxLineBytes, " characters, the limit"));
  }
  if (newline == std::string_view::npos) {  // the last line may lack its end
    *line = at_hand;
    *stored_bytes = at_hand.size();
  } else {
    *line = at_hand.substr(0, newline);
    *stored_bytes = newline + 1;
  }
  if (line->ends_with('\r')) line->remove_suffix(1);
  return *stored_bytes != 0;
}

bool LobsterReader::DecodeMessage(std::string_view line, FeedEvent* event) {
  std::array<std::string_view, kMessageColumns> fields;
  const size_t columns = Split(line, fields);
  if (columns != kMessageColumns) {
    return Fault(messages_,
                 absl::StrCat("has ", columns, " columns; a LOBSTER message has ", kMessageColumns,
                              ": time,type,order id,size,price,direction"));
  }
  *event = FeedEvent{};
  event->sequence = counts_.messages + 1;
  event->locate = kLocate;
  uint32_t type = 0;
  int direction = 0;
  if (!ParseTime(fields[0], &event->time_ns)) {
    return FieldFault(messages_, "time", fields[0],
                      "0 to 86399.999999999 (s after midnight, up to 9 digits after the point)");
  }
  if (!ParseInteger(fields[1], &type) || type < 1 || type > 7) {
    return FieldFault(messages_, "type", fields[1], "1 to 7");
  }
  event->kind = kKinds[type];
  const bool halt = event->kind == EventKind::kTradingState;
  if (!ParseInteger(fields[2], &event->order_ref)) {
    return FieldFault(messages_, "order id", fields[2], "0 to 18446744073709551615");
  }
  if (!ParseInteger(fields[3], &event->shares)) {
    return FieldFault(messages_, "size", fields[3], "0 to 4294967295");
  }
  if (!ParseInteger(fields[4], &event->price) || event->price < (halt ? -1 : 0) ||
      event->price > (halt ? 1 : kMaxPrice)) {
    return FieldFault(
        messages_, "price", fields[4],
        halt ? "-1 (halted), 0 (quoting again), 1 (trading again)" : "0 to 9999999999 (in 1e-4 $)");
  }
  if (!ParseInteger(fields[5], &direction) || (direction != 1 && direction != -1)) {
    return FieldFault(messages_, "direction", fields[5], "1 (buy) and -1 (sell)");
  }
  event->side = direction == 1 ? Side::kBuy : Side::kSell;
  if (halt) {
    event->shares = event->price == 1 ? 1 : 0;
    event->price = 0;
    event->side = Side::kNone;
  }
  return true;
}

bool LobsterReader::DecodeRow(std::string_view line, BookRow* row) {
  std::array<std::string_view, kRowColumns> fields;
  const size_t columns = Split(line, fields);
  if (columns < kRowColumns || columns % kRowColumns != 0) {
    return Fault(*book_,
                 absl::StrCat("has ", columns, " columns; a LOBSTER book row has ", kRowColumns,
                              " a level: ask price,ask size,bid price,bid size"));
  }
  constexpr std::string_view kNames[] = {"ask price", "ask size", "bid price", "bid size"};
  int64_t* const prices[] = {&row->ask_price, &row->bid_price};
  uint32_t* const sizes[] = {&row->ask_size, &row->bid_size};
  for (size_t i = 0; i < 2; ++i) {
    if (!ParseInteger(fields[2 * i], prices[i]) || *prices[i] < -kMaxPrice ||
        *prices[i] > kMaxPrice) {
      return FieldFault(*book_, kNames[2 * i], fields[2 * i], "-9999999999 to 9999999999");
    }
    if (!ParseInteger(fields[2 * i + 1], sizes[i])) {
      return FieldFault(*book_, kNames[2 * i + 1], fields[2 * i + 1], "0 to 4294967295");
    }
  }
  return true;
}

bool LobsterReader::Fault(const ReadBuffer& buffer, std::string_view what) {
  const bool of_book = &buffer == book_.get();
  const uint64_t line = counts_.messages + 1;
  std::string hint = of_book ? "does this book file (--book) belong to the message file?"
                             : "is this a LOBSTER message file (--format)?";
  if (line == 1 && LooksLikeItch50(buffer.view())) {
    hint = "this looks like an ITCH 5.0 file: try --format itch50";
  }
  status_ = absl::DataLossError(
      absl::StrFormat("%s: offset %d: line %d: %s; %s All before is processed", buffer.name(),
                      buffer.offset(), line, std::string(what), hint));
  return false;
}

bool LobsterReader::FieldFault(const ReadBuffer& buffer, std::string_view field,
                               std::string_view value, std::string_view allowed) {
  return Fault(buffer, absl::StrCat(std::string(field), " ", Quoted(value),
                                    " is not possible; allowed: ", std::string(allowed)));
}

}  // namespace bitactor::market
