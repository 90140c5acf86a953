// A received message: typed access to a frame that has been checked.
#ifndef BITACTOR_L2_MAILBOX_MESSAGE_H_
#define BITACTOR_L2_MAILBOX_MESSAGE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/block.h"
#include "bitactor/l2_mailbox/priority.h"

namespace bitactor {

// What may travel in a message: up to 128 bytes without pointers, copied as bytes. What is longer
// travels as bytes: see bytes().
template <typename M>
constexpr void CheckPayloadType() {
  static_assert(
      std::is_trivially_copyable_v<M>,
      "a message must be trivially copyable: it is copied as bytes into a lane and a journal");
  static_assert(sizeof(M) <= kMaxPayloadBytes, "a message has at most 128 bytes");
  static_assert(!std::is_pointer_v<M>, "a pointer means nothing to whoever replays the message");
}

namespace internal {

// A handler read a message as a type that it is not of. Thrown inside handlers alone, and caught by
// who called the handler: the message is dead-lettered as unhandled.
class WrongType : public std::exception {
 public:
  const char* what() const noexcept override {
    return "read a message as a type that it is not of";
  }
};
// Throws WrongType inside a handler, ends the program elsewhere.
[[noreturn]] void RefuseType(const FrameHeader& header, uint32_t wanted_type, size_t wanted_bytes);

}  // namespace internal

// Threads: the thread that handles the message, during the handler.
// Ownership: refers to the lane's slot; copy what is to outlive the handler, or keep its block().
class Message {
 public:
  explicit Message(const Frame& frame) : frame_(&frame) {}
  // One whose payload is not in its frame, which has kFlagBlock and says how many bytes there are.
  Message(const Frame& frame, std::span<const std::byte> block)
      : frame_(&frame), block_(block.data()) {
    BITACTOR_DCHECK(block.size() == BlockBytes());
  }

  template <typename M>
  bool Is() const {
    return frame_->header.type == TypeId<M>() && frame_->header.size_bytes == sizeof(M);
  }
  // Of a message that Is<M>(). Of any other, a handler on a shard ends here and the message is
  // dead-lettered as unhandled, for a message is no bug of its receiver; elsewhere it is a failed
  // check.
  template <typename M>
  M As() const {
    CheckPayloadType<M>();
    if (!Is<M>()) [[unlikely]]
      internal::RefuseType(frame_->header, TypeId<M>(), sizeof(M));
    M value;
    std::memcpy(static_cast<void*>(&value), frame_->payload, sizeof(M));
    return value;
  }

  // Whether it was sent as bytes under the name of this type, however many.
  template <typename Tag>
  bool IsBytes() const {
    return frame_->header.type == BytesTypeId<Tag>();
  }
  // The whole payload, up to 16 MiB. Of a frame that was kept after its message had ended, such as a
  // dead letter's, no block: it is gone.
  std::span<const std::byte> bytes() const {
    if (block_ != nullptr) return {block_, BlockBytes()};
    if ((frame_->header.flags & kFlagBlock) != 0) return {};
    return {frame_->payload, frame_->header.size_bytes};
  }
  // The payload over 128 bytes, to keep it or to send it on without a copy. Not ok() for others,
  // and outside of a handler.
  SharedBlock block() const;

  Priority priority() const { return static_cast<Priority>(frame_->header.priority); }
  FrameKind kind() const { return frame_->header.kind; }
  ActorId source() const { return ActorId{frame_->header.source}; }
  ActorId target() const { return ActorId{frame_->header.target}; }
  uint64_t message_id() const { return frame_->header.message_id; }
  uint64_t stamp_ns() const { return frame_->header.stamp_ns; }
  uint64_t trace() const { return frame_->header.trace; }
  uint64_t span() const { return SpanIdOf(frame_->header.source, frame_->header.message_id); }
  const Frame& frame() const { return *frame_; }

 private:
  // In this process and in a journal alike (docs/journal_format.md), byte 8 of such a frame's payload
  // begins the length.
  uint32_t BlockBytes() const {
    uint32_t size_bytes;
    std::memcpy(&size_bytes, frame_->payload + 8, sizeof(size_bytes));
    return size_bytes;
  }

  const Frame* frame_;
  const std::byte* block_ = nullptr;
};

// Payload of a reply with kFlagError: why there is no answer.
struct ErrorReply {
  static constexpr std::string_view kTypeName = "bitactor::ErrorReply";

  int32_t code = 0;  // absl::StatusCode
  uint32_t size_bytes = 0;
  char text[120] = {};

  static ErrorReply Of(const absl::Status& status) {
    ErrorReply error;
    error.code = static_cast<int32_t>(status.code());
    error.size_bytes =
        static_cast<uint32_t>(std::min<size_t>(status.message().size(), sizeof(error.text)));
    std::memcpy(error.text, status.message().data(), error.size_bytes);
    return error;
  }
  absl::Status ToStatus() const {
    return absl::Status(static_cast<absl::StatusCode>(code),
                        absl::string_view(text, std::min<size_t>(size_bytes, sizeof(text))));
  }
};
static_assert(sizeof(ErrorReply) == kMaxPayloadBytes);

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_MESSAGE_H_
