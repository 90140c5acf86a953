// The messages of a set of journals in one causal order.
#ifndef BITACTOR_L2_MAILBOX_SRC_JOURNAL_SET_MERGE_H_
#define BITACTOR_L2_MAILBOX_SRC_JOURNAL_SET_MERGE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l2_mailbox/replay.h"
#include "bitactor/l2_mailbox/route_history.h"
#include "bitactor/persistence/journal_index.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor::internal {

// What stood behind the frames that follow a BootRecord or RoutingRecord in its journal.
struct RouteMark {
  Position position;
  uint64_t key_ns = 0;  // as below
  uint32_t boot = 0;
  uint64_t epoch = 0;
};

// Order: each journal gives its frames in its order. A frame's *key* is the greatest stamp that was
//   read of its journal up to it, and of all next frames the one with the least key is given, of
//   equal keys that of the lowest shard.
//   O1  key(f) <= the clock of f's shard when its handler ran: the shard had observed all of these
//       stamps (M1 in docs/memory_model.md). This holds for any part of the journal that is read, as
//       long as f is in it.
//   O2  If f was handled before g was sent (by that handler, or by who learned of it through messages), and g
//       is in another journal, then key(f) < g's stamp <= key(g): by O1 and M1, as every step between the
//       two only raises the clock.
//   O3  Keys do not fall within a journal. So as long as f is not given, its journal's next frame has
//       a key of at most key(f) < key(g), and g is not the least.
//   O4  Of a mailbox that moved from P to Q: what Q handled of it is behind Q's second RoutingRecord,
//       which is stamped above P's clock after all that P handled of it. So RoutingRecords are always
//       read, and O3 holds for these pairs as well.
//   O5  Live: g is given only if each journal that has no next frame was looked at after g was seen.
//       What was handled before g was sent was journalled before g was, so that look would have found it.
//       Journals that a later start makes are among these from its first BootRecord on, which is before
//       all that this start handles, and is read before anything is given.
// Errors: a journal that is damaged gives nothing any more, and no other one what has a greater key than
//   its last frame: it may be the effect of what is lost.
class JournalSetMerge {
 public:
  static absl::StatusOr<std::unique_ptr<JournalSetMerge>> Open(const std::string& set_dir,
                                                               FabricReplayOptions options,
                                                               FileSystem& files);

  // The next message; unset at the end, for now or for good. Valid until the next call.
  std::optional<ReplayedMessage> Next();

  absl::Status status() const;
  uint64_t gaps_skipped() const;
  std::string_view NameOf(ActorId id) const;

 private:
  struct Source {
    uint32_t shard;
    JournalReader reader;
    std::vector<RouteMark> marks = {};  // that were there at the start
    absl::Status damage = {};           // found then: what is from `readable` on is not given
    Position readable = Position::None();
    Position tail = {};          // what is before it was seen at the start, before any look for O5
    bool has_beginning = false;  // nothing was removed from its front
    Cut::End begin{};
    Cut::End end{Position::None()};
    History history;
    std::optional<TargetHistory> of_targets = {};  // read instead, to the end of what it gives
    RouteMark at = {};                             // behind what was read last
    std::shared_ptr<const SlotTable> table = {};   // of `at`; null: unknown
    const Record* head = nullptr;                  // read, not given yet
    uint64_t head_look = 0;                        // when it was read; 0: at the start
    uint64_t empty_look = 0;                       // when nothing was found; 0: never
    bool at_end = false;                           // nothing more until the next look
    bool complete = false;                         // nothing more at all
    absl::Status broken = {};                      // why not
    uint64_t gaps_before = 0;                      // skipped by histories before this one
  };

  JournalSetMerge(std::string set_dir, FabricReplayOptions options, FileSystem& files)
      : set_dir_(std::move(set_dir)), options_(std::move(options)), files_(files) {}

  absl::Status AddSource(uint32_t shard);
  // The journals of shards that a start added since Open(). They were there before the record of that
  // start was, and have nothing that was journalled before.
  absl::Status AddLaterSources();
  bool HasSource(uint32_t shard) const;
  absl::Status ReadRuntimeRecords(Source& source, const std::string& dir);
  // What the records said that retention removed.
  void NoteRemovedRecords();
  absl::Status CutOff();
  absl::Status Start(Source& source);
  // All records from there, whatever their target.
  void ReadAll(Source& source, Position from);
  // What a record of the runtime says; `at` becomes what stands behind the frames that follow it.
  // True when they are routed by another table than before.
  bool NoteRuntimeRecord(RouteMark& at, const Record& record);
  void TakeRuntimeRecord(Source& source, const Record& record);
  std::shared_ptr<const SlotTable> TableOf(const RouteMark& at);
  bool MayBeWanted(uint32_t target) const;
  bool IsWanted(const Source& source, const FrameHeader& header) const;
  const Record* ReadOn(Source& source);
  void Fill(Source& source);
  Source* Least();

  const std::string set_dir_;
  FabricReplayOptions options_;
  FileSystem& files_;
  RouteHistory routes_;
  std::map<uint32_t, NameRecord> names_;  // by id
  SlotSet slots_;                         // that options_.mailbox ever had,
  uint32_t last_boot_ = 0;                // until this start
  uint64_t last_epoch_ = 0;               // and this change
  std::deque<Source> sources_;            // stay where they are; later ones behind them
  bool may_lack_sources_ = false;         // a start told of shards that are not among them
  absl::Status lacks_source_;             // why such a one could not be added
  Source* given_ = nullptr;
  uint64_t looks_ = 0;  // so far
  uint64_t from_bound_ns_ = 0;
  uint64_t until_bound_ns_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_SRC_JOURNAL_SET_MERGE_H_
