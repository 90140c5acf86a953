// The payload types that a program knows, and how it reads what older programs wrote.
#ifndef BITACTOR_PERSISTENCE_PAYLOAD_TYPES_H_
#define BITACTOR_PERSISTENCE_PAYLOAD_TYPES_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/persistence/payload_fields.h"

namespace bitactor {

struct PayloadText {
  std::string type;
  uint32_t version = 0;
  std::vector<PayloadValue> fields;  // empty when the type declares none
};

// A record keeps its payload's bytes and, in FrameHeader::type, the id of their type: a hash of
// name and version (TypeId). A program that changes a type raises its kTypeVersion, keeps the old
// one under another C++ name, and says how one becomes the other:
//
//   struct QuoteV1 { static constexpr std::string_view kTypeName = "market.Quote"; int32_t price; };
//   struct Quote {
//     static constexpr std::string_view kTypeName = "market.Quote";
//     static constexpr uint32_t kTypeVersion = 2;
//     int64_t price;
//   };
//   absl::Status status =
//       types.AddUpcaster<QuoteV1, Quote>([](const QuoteV1& old) { return Quote{old.price}; });
//   absl::StatusOr<Quote> quote = types.Decode<Quote>(record.frame().header.type, record.bytes());
//
// Threads: any for const calls, while nobody registers.
// Bounds: each type has one upcaster at most, so that there is one way from it to any other.
// Errors: every message names the types it is about and what to register.
// Cost: Decode() of the type itself is a lookup and a copy; each upcaster adds an allocation.
class PayloadTypes {
 public:
  // kAlreadyExists: it was added before, by any call; another C++ type has its name and version; or
  // the name of another type has the same id (1 in 4 billion), and one of them needs another.
  template <typename T>
  absl::Status Add() {
    return AddType(EntryOf<T>(), /*must_be_new=*/true);
  }

  // `upcast` makes a New of a `const Old&`; it returns New, or absl::StatusOr<New> when not every
  // value can be converted. Adds the two types if they are not there. kAlreadyExists: Old has an
  // upcaster, or as Add(). kInvalidArgument: New leads back to Old.
  template <typename Old, typename New, typename Upcast>
  absl::Status AddUpcaster(Upcast upcast) {
    if (absl::Status status = AddType(EntryOf<Old>(), false); !status.ok()) return status;
    if (absl::Status status = AddType(EntryOf<New>(), false); !status.ok()) return status;
    return AddStep(TypeId<Old>(), TypeId<New>(),
                   [upcast = std::move(upcast)](
                       std::span<const std::byte> from) -> absl::StatusOr<std::vector<std::byte>> {
                     absl::StatusOr<New> to = upcast(FromBytes<Old>(from));
                     if (!to.ok()) return to.status();
                     const auto bytes = std::as_bytes(std::span<const New>(&*to, 1));
                     return std::vector<std::byte>(bytes.begin(), bytes.end());
                   });
  }

  // The payload as a T: a checked copy if it is one, else what the upcasters make of it.
  // kNotFound: a type that was not added. kFailedPrecondition: no upcasters lead from it to T, or
  // its size is not the type's. kInternal: an upcaster threw. Else the upcaster's own status.
  template <typename T>
  absl::StatusOr<T> Decode(uint32_t type_id, std::span<const std::byte> payload) const {
    absl::Status status = Check(type_id, payload.size(), EntryOf<T>());
    if (!status.ok()) return status;
    if (type_id == TypeId<T>()) return FromBytes<T>(payload);
    absl::StatusOr<std::vector<std::byte>> converted = Convert(type_id, payload, TypeId<T>());
    if (!converted.ok()) return converted.status();
    return FromBytes<T>(*converted);
  }

  // Name, version and fields of a payload, as it was written. kNotFound, kFailedPrecondition: as
  // Decode().
  absl::StatusOr<PayloadText> Describe(uint32_t type_id, std::span<const std::byte> payload) const;

 private:
  using Step = std::function<absl::StatusOr<std::vector<std::byte>>(std::span<const std::byte>)>;

  struct Entry {
    uint32_t id = 0;
    std::string_view name;
    uint32_t version = 0;
    size_t size_bytes = 0;
    const void* cxx_type = nullptr;  // an address that no other C++ type has
    void (*append_fields)(std::span<const std::byte>, std::vector<PayloadValue>&) = nullptr;
    uint32_t next = 0;  // the type that `step` leads to; 0: none
    Step step = nullptr;

    std::string Text() const;  // "market.Quote version 2"
  };

  template <typename T>
  static constexpr char kCxxType = 0;

  template <typename T>
  static T FromBytes(std::span<const std::byte> bytes) {
    std::array<std::byte, sizeof(T)> copy;
    std::memcpy(copy.data(), bytes.data(), sizeof(T));
    return std::bit_cast<T>(copy);
  }

  template <typename T>
  static Entry EntryOf() {
    static_assert(std::is_trivially_copyable_v<T>,
                  "a payload is its bytes: no pointers, no constructors that copy");
    Entry entry;
    entry.id = TypeId<T>();
    entry.name = TypeName<T>();
    entry.version = TypeVersion<T>();
    entry.size_bytes = sizeof(T);
    entry.cxx_type = &kCxxType<T>;
    if constexpr (HasPayloadFields<T>) {
      entry.append_fields = [](std::span<const std::byte> bytes, std::vector<PayloadValue>& to) {
        internal::AppendFields(FromBytes<T>(bytes), "", to);
      };
    }
    return entry;
  }

  absl::Status AddType(Entry entry, bool must_be_new);
  absl::Status AddStep(uint32_t from, uint32_t to, Step step);
  absl::StatusOr<const Entry*> Find(uint32_t type_id, size_t payload_bytes,
                                    const std::string& wanted) const;
  absl::Status Check(uint32_t type_id, size_t payload_bytes, const Entry& wanted) const;
  absl::StatusOr<std::vector<std::byte>> Convert(uint32_t type_id,
                                                 std::span<const std::byte> payload,
                                                 uint32_t wanted) const;

  std::map<uint32_t, Entry> types_;  // by id
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_PAYLOAD_TYPES_H_
