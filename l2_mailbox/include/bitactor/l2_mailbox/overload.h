// What a mailbox does with messages that its handler cannot take: how many may wait, which of them
// give way, and what senders learn of it.
#ifndef BITACTOR_L2_MAILBOX_OVERLOAD_H_
#define BITACTOR_L2_MAILBOX_OVERLOAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/routes.h"

namespace bitactor {

// Which cast or call of a full mailbox becomes a dead letter. Answers, timers and messages of the
// runtime are never refused or shed: what asked for them bounds them.
enum class Overload : uint8_t {
  kRefuse = 0,              // the one that comes, as kMailboxFull; senders are told before (Credit)
  kShedOldest = 1,          // the one with the lowest stamp among those that wait, as kShed
  kShedLowestPriority = 2,  // of the lowest priority the oldest, which may be the one that comes
};

// Of Fabric::Serve.
struct MailboxOptions {
  uint32_t capacity_frames = 1024;  // how many may wait, 1 to 1,048,576
  Overload overload = Overload::kRefuse;
};
inline constexpr uint32_t kMaxCapacityFrames = 1u << 20;

namespace internal {

// Whom a mailbox that refuses still takes casts and calls from.
enum class Credit : uint8_t {
  kAll = 0,
  kShardsOnly = 1,  // outside ports can wait: they stop while there is room for what is on its way
  kNone = 2,        // handlers cannot wait: they are refused only when the queue is full
};

// The credit of a mailbox in which `waiting` frames wait. Ports lose theirs at half of the capacity
// and have it back below a quarter, shards at all of it and below half: it does not change with
// every frame.
constexpr Credit NextCredit(Credit before, size_t waiting, uint32_t capacity_frames) {
  if (waiting >= capacity_frames) return Credit::kNone;
  if (waiting < std::max(capacity_frames / 4, 1u)) return Credit::kAll;
  return waiting >= capacity_frames / 2 ? std::max(before, Credit::kShardsOnly)
                                        : std::min(before, Credit::kShardsOnly);
}

// The mailboxes whose credit is withdrawn. In the routes their slots are marked, so that a send to
// any other slot asks nothing.
//
// Threads: any. Of one mailbox the owner's thread sets the credit, one owner after the other.
class Credits {
 public:
  explicit Credits(Routes* routes) : routes_(*routes) {}

  void Set(ActorId id, Credit credit);
  Credit Of(ActorId id) const;

 private:
  Routes& routes_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uint32_t, Credit> withdrawn_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_OVERLOAD_H_
