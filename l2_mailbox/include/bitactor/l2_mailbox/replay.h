// Journalled messages again: of one mailbox, of one name, or of a whole fabric in causal order.
#ifndef BITACTOR_L2_MAILBOX_REPLAY_H_
#define BITACTOR_L2_MAILBOX_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/persistence/record.h"

namespace bitactor {

namespace internal {
class JournalSetMerge;
}  // namespace internal

// All that is given must hold.
struct FabricReplayOptions {
  // What was routed to this mailbox when it was handled; ids come and go with the routes.
  std::optional<uint32_t> mailbox = {};
  // What went to this name, or to this id.
  std::string name = {};
  std::optional<ActorId> target = {};
  // Without what was before a place, without that place's frame and what was not before it. "Before"
  // is a beginning of each journal, closed under happened-before: a replay until a place and one from
  // there are all of it.
  std::optional<Place> from = {};
  std::optional<Place> until = {};
  // Without what is stamped earlier, or at `until_stamp_ns` or later (unless it is the greatest number).
  uint64_t from_stamp_ns = 0;
  uint64_t until_stamp_ns = ~uint64_t{0};
  // Goes on behind gaps, the places where repair gave bytes up. Otherwise a gap ends the replay.
  bool skip_gaps = false;
};

// A message as it was handled, and where it was journalled: the stamp, the ids, the trace and the span
// under which it was sent are the original ones.
class ReplayedMessage : public Message {
 public:
  ReplayedMessage(uint32_t shard, uint32_t boot, std::optional<uint32_t> mailbox,
                  const Record* record)
      : Message(MessageIn(*record)),
        shard_(shard),
        boot_(boot),
        mailbox_(mailbox),
        record_(record) {}

  Place place() const { return {shard_, record_->position()}; }
  const Record& record() const { return *record_; }
  // The start of the fabric that handled it; 0: the record of that start was removed by retention.
  uint32_t boot() const { return boot_; }
  // Where it was routed to; unset when the record of the start was removed.
  std::optional<uint32_t> mailbox() const { return mailbox_; }

 private:
  static Message MessageIn(const Record& record) {
    const bool is_block = (record.frame().header.flags & kFlagBlock) != 0;
    return is_block ? Message(record.frame(), record.bytes()) : Message(record.frame());
  }

  uint32_t shard_;
  uint32_t boot_;
  std::optional<uint32_t> mailbox_;
  const Record* record_;
};

// Order: of each journal, the order in which its shard handled them; a message before all that its
//   handling caused, across journals; of a mailbox, the order in which it handled them, also over moves from shard to
//   shard. Between messages without such an order: by stamp, as far as the others allow, then shard.
//   The same journals give the same order.
// Threads: one; fabrics may go on meanwhile, in this process or another.
// Progress: never waits. After the end, the next call of Next(), or the next loop, goes on with what
//   was journalled since: nothing is left out and nothing given twice.
// Bounds: of each journal those of a History.
// Ownership: the file system must outlive it.
// Errors: damage ends the replay, before the first message that may be an effect of what is lost;
//   status() says where; ask it after the loop. With a mailbox, a name or a target, of segments that
//   have an index only its records are read, and damage elsewhere is not met.
// Cost: opening reads what the runtime journalled for itself: by index, else all of the journals.
//
//   auto replay = FabricReplay::Open("run1", {.mailbox = 17});
//   for (const Message& message : *replay) handler(message);
//   if (!replay->status().ok()) return replay->status();
class FabricReplay {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = ReplayedMessage;
    using difference_type = std::ptrdiff_t;
    using pointer = const ReplayedMessage*;
    using reference = const ReplayedMessage&;

    // The message stays valid until the iterator moves on.
    const ReplayedMessage& operator*() const { return *message_; }
    const ReplayedMessage* operator->() const { return message_; }
    Iterator& operator++() {
      message_ = replay_->Next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return message_ == nullptr; }

   private:
    friend class FabricReplay;
    explicit Iterator(FabricReplay* replay) : replay_(replay), message_(replay->Next()) {}

    FabricReplay* replay_;
    const ReplayedMessage* message_;
  };

  // `set_dir` is FabricOptions::journal_dir. kNotFound: no journals there, or nobody has that name.
  // kInvalidArgument: a place where no frame begins. kDataLoss: damage before a place that is asked for.
  static absl::StatusOr<FabricReplay> Open(const std::string& set_dir,
                                           FabricReplayOptions options = {},
                                           FileSystem& files = PosixFiles());
  ~FabricReplay();
  FabricReplay(FabricReplay&&) noexcept;
  FabricReplay& operator=(FabricReplay&&) noexcept;

  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  // The next message, or nullptr at the end or at damage. Valid until the next call.
  const ReplayedMessage* Next();

  // OK, or why the replay ended.
  absl::Status status() const;
  uint64_t gaps_skipped() const;
  // The name of an id in these journals, or "" if it has none.
  std::string_view NameOf(ActorId id) const;

 private:
  explicit FabricReplay(std::unique_ptr<internal::JournalSetMerge> merge);

  std::unique_ptr<internal::JournalSetMerge> merge_;
  std::optional<ReplayedMessage> given_;
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_REPLAY_H_
