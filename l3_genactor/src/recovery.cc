#include "bitactor/l3_genactor/recovery.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor {

namespace internal {

void Recovery::BeginWith(const ActorSnapshots& actors) {
  for (const auto& [id, snapshot] : actors) {
    histories_[id] = std::make_unique<ActorHistory>();
    histories_[id]->base = snapshot;
  }
}

void Recovery::Note(const RecoveredFrame& recovered) {
  const FrameHeader& header = recovered.frame.header;
  if (header.target == 0 || IsPort(ActorId{header.target})) return;
  std::unique_ptr<ActorHistory>& history = histories_[header.target];
  if (history == nullptr) history = std::make_unique<ActorHistory>();
  const FrameRef at{recovered.boot, recovered.journal, recovered.position};
  if (history->base != nullptr && at < history->base->at) return;
  history->frames.push_back(at);
  if (header.kind == FrameKind::kSystem && header.type == TypeId<CrashRecord>()) {
    CrashRecord record;
    std::memcpy(&record, recovered.frame.payload, sizeof(record));
    if (record.message_id != 0) {
      history->crashes[{record.source, record.message_id}] = record.next_sequence;
    }
  }
}

void Recovery::Finish() {
  for (auto& [id, history] : histories_) {
    std::sort(history->frames.begin(), history->frames.end());
  }
}

ActorHistory* Recovery::HistoryOf(ActorId id) {
  const auto found = histories_.find(static_cast<uint32_t>(id));
  return found != histories_.end() ? found->second.get() : nullptr;
}

absl::StatusOr<const Record*> Recovery::Reader::Read(const FrameRef& ref) {
  std::unique_ptr<History>& history = histories_[ref.journal];
  if (history == nullptr) {
    absl::StatusOr<JournalReader> reader =
        JournalReader::Open(ShardJournalDir(set_dir_, ref.journal), *files_);
    if (!reader.ok()) return reader.status();
    history = std::make_unique<History>(reader->Replay({.from = ref.position}));
  } else {
    history->Seek(ref.position);
  }
  const Record* record = history->Next();
  if (record != nullptr && record->position() == ref.position) return record;
  if (!history->status().ok()) return history->status();
  return absl::DataLossError(absl::StrCat(ShardJournalDir(set_dir_, ref.journal), ": position ",
                                          ref.position.ToString(),
                                          " no longer reads as it did at the start; run `bitactor "
                                          "journal verify ",
                                          set_dir_, "`"));
}

}  // namespace internal
}  // namespace bitactor
