#include "market/itch50_reader.h"

#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::market {
namespace {

// Offsets in messages. Those before kSymbolOffset of an add are shared by all order messages.
constexpr size_t kLocate = 1;
constexpr size_t kTime = 5;
constexpr size_t kOrderRef = 11;
constexpr size_t kAddSide = 19;  // A, F and P alike
constexpr size_t kAddShares = 20;
constexpr size_t kAddPrice = 32;
constexpr size_t kReducedShares = 19;  // E, C, X
constexpr size_t kPrintable = 31;      // C
constexpr size_t kExecutedPrice = 32;  // C
constexpr size_t kNewRef = 19;         // U
constexpr size_t kNewShares = 27;
constexpr size_t kNewPrice = 31;
constexpr size_t kTradingState = 19;  // H
constexpr size_t kCrossShares = 11;   // Q, 8 bytes
constexpr size_t kCrossPrice = 27;

uint64_t Read8(std::string_view m, size_t at) { return ReadBigEndian<8>(m.data() + at); }
uint32_t Read4(std::string_view m, size_t at) {
  return static_cast<uint32_t>(ReadBigEndian<4>(m.data() + at));
}

// "'A' (0x41)"
std::string Character(char c) {
  return absl::StrFormat("'%s' (0x%02x)", absl::CHexEscape(std::string(1, c)),
                         static_cast<unsigned>(static_cast<uint8_t>(c)));
}

std::string AllTypes() {
  std::string types;
  for (const Itch50Type& type : kItch50Types) absl::StrAppend(&types, std::string(1, type.type));
  return types;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FeedReader>> Itch50Reader::Open(std::unique_ptr<ByteSource> source) {
  std::unique_ptr<Itch50Reader> reader(new Itch50Reader(std::move(source)));
  if (!reader->buffer_.Ensure(1)) {
    if (!reader->buffer_.status().ok()) return reader->buffer_.status();
    return absl::DataLossError(absl::StrCat(
        reader->buffer_.name(), ": is empty; an ITCH 5.0 feed has at least one message of ",
        kItch50MinMessageBytes, " to ", kItch50MaxMessageBytes, " bytes: name another file"));
  }
  return reader;
}

Itch50Reader::Itch50Reader(std::unique_ptr<ByteSource> source) : buffer_(std::move(source)) {}

absl::StatusOr<bool> Itch50Reader::Next(FeedItem* item) {
  item->row.reset();
  while (status_.ok()) {
    const std::string_view message = NextMessage();
    if (message.empty()) break;
    const bool concerns_a_book = Decode(message, &item->event);
    if (!status_.ok()) break;
    const size_t stored_bytes = kItch50LengthBytes + message.size();
    buffer_.Consume(stored_bytes);
    counts_.bytes += stored_bytes;
    ++counts_.messages;
    ++counts_.by_type[static_cast<uint8_t>(message[0])];
    if (concerns_a_book) return true;
  }
  if (!status_.ok()) return status_;
  return false;
}

std::string_view Itch50Reader::NextMessage() {
  // Most messages take this branch: with the longest message at hand, nothing can be cut off.
  if (!buffer_.Ensure(kItch50LengthBytes + kItch50MaxMessageBytes) && !buffer_.Ensure(1)) {
    status_ = buffer_.status();
    return {};
  }
  const std::string_view at_hand = buffer_.view();
  if (at_hand.size() < kItch50LengthBytes) {
    Fault("the file ends within the length of a message: 2 bytes expected, 1 is there");
    return {};
  }
  const size_t length = ReadBigEndian<2>(at_hand.data());
  const std::string_view rest = at_hand.substr(kItch50LengthBytes);
  const Itch50Type* type = rest.empty() ? nullptr : FindItch50Type(static_cast<uint8_t>(rest[0]));
  if (type == nullptr || length != type->length_bytes || rest.size() < length) [[unlikely]] {
    status_ = ExplainLength(rest, length);
    return {};
  }
  return rest.substr(0, length);
}

absl::Status Itch50Reader::ExplainLength(std::string_view at_hand, size_t length) {
  const Itch50Type* type =
      at_hand.empty() ? nullptr : FindItch50Type(static_cast<uint8_t>(at_hand[0]));
  if (length < kItch50MinMessageBytes || length > kItch50MaxMessageBytes) {
    Fault(absl::StrCat("length ", length, " is impossible; ITCH 5.0 messages have ",
                       kItch50MinMessageBytes, " to ", kItch50MaxMessageBytes, " bytes"));
  } else if (!at_hand.empty() && type == nullptr) {
    Fault(absl::StrCat("type ", Character(at_hand[0]), " is unknown; ITCH 5.0 knows ", AllTypes()));
  } else if (type != nullptr && length != type->length_bytes) {
    Fault(absl::StrCat("length ", length, " is impossible for type ", Character(at_hand[0]),
                       ", which has ", type->length_bytes, " bytes"));
  } else {
    Fault(absl::StrCat("the file ends within this message: ", length, " bytes expected, ",
                       at_hand.size(), " are there: it was cut off"));
  }
  return status_;
}

void Itch50Reader::Fault(std::string_view what) {
  if (!buffer_.status().ok()) {  // the source failed, and only looks as if it had ended
    status_ = buffer_.status();
    return;
  }
  const std::string hint =
      counts_.messages == 0 && LooksLikeLobster(buffer_.view())
          ? "this looks like a LOBSTER file: try --format lobster"
          : "is this an ITCH 5.0 file (--format)? If so, fetch it again; all before is processed";
  status_ = absl::DataLossError(absl::StrFormat("%s: offset %d: message %d: %s; %s", buffer_.name(),
                                                buffer_.offset(), counts_.messages + 1,
                                                std::string(what), hint));
}

bool Itch50Reader::ReadSide(char value, Side* side) {
  *side = value == 'B' ? Side::kBuy : Side::kSell;
  if (value == 'B' || value == 'S') [[likely]]
    return true;
  Fault(absl::StrCat("side ", Character(value), " is unknown; allowed are 'B' and 'S'"));
  return false;
}

void Itch50Reader::Learn(uint16_t locate, const char* symbol) {
  if (locate >= symbols_.size()) symbols_.resize(locate + size_t{1});
  Symbol& known = symbols_[locate];
  if (known[0] != 0) return;
  std::memcpy(known.data(), symbol, kItch50SymbolBytes);
  for (char& c : known) {
    if (c < ' ' || c > '~') c = '?';  // never a control character on somebody's terminal
  }
}

std::string Itch50Reader::SymbolOf(uint16_t locate) const {
  const Symbol known = locate < symbols_.size() ? symbols_[locate] : Symbol{};
  std::string_view name(known.data(), known[0] != 0 ? kItch50SymbolBytes : 0);
  name = name.substr(0, name.find_last_not_of(' ') + 1);
  return name.empty() ? absl::StrCat("#", locate) : std::string(name);
}

bool Itch50Reader::Decode(std::string_view m, FeedEvent* event) {
  *event = FeedEvent{};
  event->sequence = counts_.messages + 1;
  event->time_ns = ReadBigEndian<6>(m.data() + kTime);
  event->locate = static_cast<uint16_t>(ReadBigEndian<2>(m.data() + kLocate));
  if (event->time_ns >= kNanosecondsPerDay) [[unlikely]] {
    Fault(absl::StrCat("time ", event->time_ns, " ns is impossible; allowed are 0 to ",
                       kNanosecondsPerDay - 1));
    return false;
  }
  const uint8_t symbol_offset = FindItch50Type(static_cast<uint8_t>(m[0]))->symbol_offset;
  if (symbol_offset != 0) Learn(event->locate, m.data() + symbol_offset);
  switch (m[0]) {
    case 'A':
    case 'F':
    case 'P':
      event->kind = m[0] == 'P' ? EventKind::kTrade : EventKind::kAdd;
      event->order_ref = Read8(m, kOrderRef);
      event->shares = Read4(m, kAddShares);
      event->price = Read4(m, kAddPrice);
      return ReadSide(m[kAddSide], &event->side);
    case 'E':
    case 'X':
      event->kind = m[0] == 'E' ? EventKind::kExecute : EventKind::kCancel;
      event->order_ref = Read8(m, kOrderRef);
      event->shares = Read4(m, kReducedShares);
      return true;
    case 'C':
      event->kind =
          m[kPrintable] == 'N' ? EventKind::kExecuteUnprinted : EventKind::kExecuteAtPrice;
      event->order_ref = Read8(m, kOrderRef);
      event->shares = Read4(m, kReducedShares);
      event->price = Read4(m, kExecutedPrice);
      return true;
    case 'D':
      event->kind = EventKind::kDelete;
      event->order_ref = Read8(m, kOrderRef);
      return true;
    case 'U':
      event->kind = EventKind::kReplace;
      event->order_ref = Read8(m, kOrderRef);
      event->new_ref = Read8(m, kNewRef);
      event->shares = Read4(m, kNewShares);
      event->price = Read4(m, kNewPrice);
      return true;
    case 'Q': {
      const uint64_t shares = Read8(m, kCrossShares);
      if (shares > UINT32_MAX) {
        Fault(absl::StrCat("a cross of ", shares, " shares; allowed are 0 to ", UINT32_MAX));
        return false;
      }
      event->kind = EventKind::kCross;
      event->shares = static_cast<uint32_t>(shares);
      event->price = Read4(m, kCrossPrice);
      return true;
    }
    case 'H':
      event->kind = EventKind::kTradingState;
      event->shares = m[kTradingState] == 'T' ? 1 : 0;
      return true;
    case 'S':
    case 'V':
    case 'W':
      ++counts_.market_wide;
      return false;
    default:
      return false;
  }
}

}  // namespace bitactor::market
