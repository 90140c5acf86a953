// The right to answer a call, which may be kept and passed on.
#ifndef BITACTOR_L3_GENACTOR_REPLY_TO_H_
#define BITACTOR_L3_GENACTOR_REPLY_TO_H_

#include <cstdint>
#include <type_traits>

#include "bitactor/l2_mailbox/address.h"

namespace bitactor {

// A handler that takes one beside its request need not answer before it returns:
//
//   void On(const Job& m, ReplyTo<int64_t> to) { waiting_.push_back(to); }
//   ...
//   Reply(waiting_.front(), 42);     // from this actor or any other, once
//
// Bounds: 24 bytes without padding: it may be a part of messages and of an actor's state.
// Ownership: nobody's. The first answer counts, every other is dropped. When the actor that was called
//   ends or crashes before, the caller is told its reason; when nobody ever answers, the call ends by
//   its timeout.
template <typename R>
struct ReplyTo {
  using Value = R;

  ActorId caller{};
  ActorId server{};  // who was called
  uint64_t call_id = 0;
  uint32_t request_type = 0;
  uint32_t reserved = 0;

  // Whether somebody waits; false of a default one.
  bool valid() const { return call_id != 0; }
  friend bool operator==(const ReplyTo&, const ReplyTo&) = default;
};
static_assert(sizeof(ReplyTo<int>) == 24 && std::is_trivially_copyable_v<ReplyTo<int>> &&
              std::has_unique_object_representations_v<ReplyTo<int>>);

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_REPLY_TO_H_
