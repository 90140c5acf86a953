// How a message travels that is more than its own bytes: strings, vectors, documents.
#ifndef BITACTOR_L3_GENACTOR_CODEC_H_
#define BITACTOR_L3_GENACTOR_CODEC_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/port_core.h"

namespace bitactor {

// Specialised for a type, it makes that type a message, an answer, or a part of one:
//
//   template <> struct Codec<Picture> {
//     static size_t Size(const Picture& picture);                       // of what Encode() writes
//     static void Encode(const Picture& picture, std::span<std::byte> to);  // all of `to`
//     static absl::StatusOr<Picture> Decode(std::span<const std::byte> from);
//   };
//
// There are some for std::string, std::vector, and every type that names its members:
//
//   struct Note {
//     uint64_t id = 0;
//     std::string text;
//     std::vector<std::string> tags;
//     auto Fields() { return std::tie(id, text, tags); }
//   };
//
// Bounds: up to 128 bytes travel in the frame, up to 16 MiB in a block (docs/l2_mailbox.md).
// Errors: what Decode() refuses reaches no handler. A call is answered with that error; a cast is a
//   dead letter, unhandled. None of them throws.
// Cost: no allocation to send; what Decode() makes, and for over 128 bytes a block of the pool.
template <typename M>
struct Codec;

namespace internal {

template <typename M>
concept HasCodec = requires(const M& value, std::span<std::byte> to,
                            std::span<const std::byte> from) {
  { Codec<M>::Size(value) } -> std::convertible_to<size_t>;
  Codec<M>::Encode(value, to);
  { Codec<M>::Decode(from) } -> std::same_as<absl::StatusOr<M>>;
};

// A part of a message: in place if it is plain bytes, else behind the length of what its codec
// writes.
template <typename F>
inline constexpr bool kIsPlainField = !HasCodec<F> && std::is_trivially_copyable_v<F>;

template <typename F>
size_t FieldBytes(const F& field) {
  static_assert(kIsPlainField<F> || HasCodec<F>,
                "a part of a message is trivially copyable or has a Codec");
  static_assert(!std::is_pointer_v<F>, "a pointer means nothing to whoever replays the message");
  if constexpr (kIsPlainField<F>) {
    return sizeof(F);
  } else {
    return sizeof(uint32_t) + Codec<F>::Size(field);
  }
}

template <typename F>
void PutField(const F& field, std::span<std::byte>& to) {
  if constexpr (kIsPlainField<F>) {
    F copy = field;
#if __has_builtin(__builtin_clear_padding)
    // Digests and checksums are over bytes.
    if constexpr (!std::has_unique_object_representations_v<F> && !std::is_floating_point_v<F>) {
      __builtin_clear_padding(&copy);
    }
#endif
    std::memcpy(to.data(), &copy, sizeof(F));
    to = to.subspan(sizeof(F));
  } else {
    const size_t size_bytes = Codec<F>::Size(field);
    const auto length = static_cast<uint32_t>(size_bytes);
    std::memcpy(to.data(), &length, sizeof(length));
    Codec<F>::Encode(field, to.subspan(sizeof(length), size_bytes));
    to = to.subspan(sizeof(length) + size_bytes);
  }
}

// Reads the parts of a message one after the other.
class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> from) : whole_(from), rest_(from) {}

  template <typename F>
  absl::Status Take(F& field) {
    ++number_;
    if constexpr (kIsPlainField<F>) {
      absl::StatusOr<std::span<const std::byte>> bytes = TakeBytes(sizeof(F));
      if (!bytes.ok()) return bytes.status();
      std::memcpy(static_cast<void*>(&field), bytes->data(), sizeof(F));
    } else {
      absl::StatusOr<std::span<const std::byte>> bytes = TakeSized();
      if (!bytes.ok()) return bytes.status();
      absl::StatusOr<F> value = Codec<F>::Decode(*bytes);
      if (!value.ok()) return Within(bytes->size(), value.status());
      field = *std::move(value);
    }
    return absl::OkStatus();
  }
  // OK when nothing is left.
  absl::Status End() const;
  size_t left_bytes() const { return rest_.size(); }

 private:
  absl::StatusOr<std::span<const std::byte>> TakeBytes(size_t size_bytes);
  absl::StatusOr<std::span<const std::byte>> TakeSized();
  absl::Status Within(size_t size_bytes, const absl::Status& error) const;

  const std::span<const std::byte> whole_;
  std::span<const std::byte> rest_;
  int number_ = 0;  // of the part that was read last
};

template <typename M>
concept DeclaresFields = requires(M& message) {
  message.Fields();
};

absl::Status NotAMultiple(size_t size_bytes, size_t of_bytes);

}  // namespace internal

template <>
struct Codec<std::string> {
  static size_t Size(const std::string& text) { return text.size(); }
  static void Encode(const std::string& text, std::span<std::byte> to) {
    if (!text.empty()) std::memcpy(to.data(), text.data(), text.size());
  }
  static absl::StatusOr<std::string> Decode(std::span<const std::byte> from) {
    return std::string(reinterpret_cast<const char*>(from.data()), from.size());
  }
};

// Of plain elements their bytes; of others their number and each with its length.
template <typename T>
requires(!std::is_same_v<T, bool>) struct Codec<std::vector<T>> {
  static constexpr bool kPlain = internal::kIsPlainField<T>;

  static size_t Size(const std::vector<T>& values) {
    if constexpr (kPlain) {
      return values.size() * sizeof(T);
    } else {
      size_t size_bytes = sizeof(uint32_t);
      for (const T& value : values) size_bytes += internal::FieldBytes(value);
      return size_bytes;
    }
  }
  static void Encode(const std::vector<T>& values, std::span<std::byte> to) {
    if constexpr (!kPlain) internal::PutField(static_cast<uint32_t>(values.size()), to);
    for (const T& value : values) internal::PutField(value, to);
  }
  static absl::StatusOr<std::vector<T>> Decode(std::span<const std::byte> from) {
    std::vector<T> values;
    if constexpr (kPlain) {
      if (from.size() % sizeof(T) != 0) return internal::NotAMultiple(from.size(), sizeof(T));
      values.resize(from.size() / sizeof(T));
      if (!from.empty()) std::memcpy(static_cast<void*>(values.data()), from.data(), from.size());
    } else {
      internal::FieldReader reader(from);
      uint32_t count = 0;
      if (absl::Status status = reader.Take(count); !status.ok()) return status;
      // Each takes four bytes at least: nothing is reserved for what cannot be there.
      values.reserve(std::min<size_t>(count, reader.left_bytes() / sizeof(uint32_t)));
      for (uint32_t i = 0; i < count; ++i) {
        T value{};
        if (absl::Status status = reader.Take(value); !status.ok()) return status;
        values.push_back(std::move(value));
      }
      if (absl::Status status = reader.End(); !status.ok()) return status;
    }
    return values;
  }
};

// Its parts, in the order of Fields().
template <internal::DeclaresFields M>
struct Codec<M> {
  static size_t Size(const M& message) {
    return std::apply(
        [](const auto&... field) { return (size_t{0} + ... + internal::FieldBytes(field)); },
        FieldsOf(message));
  }
  static void Encode(const M& message, std::span<std::byte> to) {
    std::apply([&to](const auto&... field) { (internal::PutField(field, to), ...); },
               FieldsOf(message));
  }
  static absl::StatusOr<M> Decode(std::span<const std::byte> from) {
    M message{};
    internal::FieldReader reader(from);
    absl::Status status;
    std::apply([&](auto&... field) { ((status = reader.Take(field)).ok() && ...); },
               message.Fields());
    if (status.ok()) status = reader.End();
    if (!status.ok()) return status;
    return message;
  }

 private:
  // Fields() gives references, so it is not const; here nothing is written through them.
  static auto FieldsOf(const M& message) { return const_cast<M&>(message).Fields(); }
};

namespace internal {

// Sends a value as its codec writes it, or as its bytes.
template <typename M>
SendResult SendPayload(PortCore& port, const Envelope& envelope, const M& payload) {
  if constexpr (HasCodec<M>) {
    return port.SendWritten(
        envelope, Codec<M>::Size(payload),
        [](const void* value, std::span<std::byte> to) {
          Codec<M>::Encode(*static_cast<const M*>(value), to);
        },
        &payload);
  } else {
    return port.Send(envelope, payload);
  }
}

absl::Status WrongAnswer();

// The value of an answer to a request of this type.
template <typename R>
absl::StatusOr<R> ReadAnswer(const FrameHeader& header, std::span<const std::byte> bytes,
                             uint32_t request_type) {
  if (header.type != request_type) return WrongAnswer();
  if constexpr (HasCodec<R>) {
    return Codec<R>::Decode(bytes);
  } else {
    static_assert(std::is_trivially_copyable_v<R>, "an answer travels as bytes or has a Codec");
    if (bytes.size() != sizeof(R)) return WrongAnswer();
    R value;
    std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof(R));
    return value;
  }
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CODEC_H_
