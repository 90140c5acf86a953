#include "bitactor/l2_mailbox/journal_set.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor {
namespace {

constexpr char kShardPrefix[] = "shard-";

}  // namespace

absl::Status internal::NoJournalsError(const std::string& set_dir) {
  return absl::NotFoundError(
      absl::StrCat(set_dir, ": no journal here: a journal set has a folder ", kShardPrefix,
                   "NN for each shard; name the folder that was given to --journal"));
}

std::string ShardJournalDir(const std::string& set_dir, uint32_t shard) {
  return absl::StrFormat("%s/%s%02d", set_dir, kShardPrefix, shard);
}

absl::StatusOr<std::vector<uint32_t>> ListShardJournals(FileSystem& files,
                                                        const std::string& set_dir) {
  absl::StatusOr<std::vector<std::string>> names = files.List(set_dir);
  if (!names.ok()) return names.status();
  std::vector<uint32_t> shards;
  for (const std::string& name : *names) {
    if (name.rfind(kShardPrefix, 0) != 0) continue;
    char* end = nullptr;
    const unsigned long shard = std::strtoul(name.c_str() + std::strlen(kShardPrefix), &end, 10);
    if (*end == '\0' && shard < 64) shards.push_back(static_cast<uint32_t>(shard));
  }
  std::sort(shards.begin(), shards.end());
  return shards;
}

absl::Status ScanJournals(FileSystem& files, const std::string& set_dir,
                          const std::function<bool(const RecoveredFrame&)>& visit) {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files, set_dir);
  if (!shards.ok()) return shards.status();
  if (shards->empty()) return internal::NoJournalsError(set_dir);
  for (const uint32_t shard : *shards) {
    absl::StatusOr<JournalReader> reader =
        JournalReader::Open(ShardJournalDir(set_dir, shard), files);
    if (!reader.ok()) return reader.status();
    const absl::Status status =
        internal::ScanJournal(*reader, shard, Position::Begin(), /*boot=*/0, visit);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status internal::ScanJournal(const JournalReader& reader, uint32_t shard, Position from,
                                   uint32_t boot,
                                   const std::function<bool(const RecoveredFrame&)>& visit) {
  History history = reader.Replay({.from = from});
  for (const Record& record : history) {
    const Frame& frame = record.frame();
    if (frame.header.kind == FrameKind::kSystem && frame.header.type == TypeId<BootRecord>()) {
      BootRecord record_of_boot;
      std::memcpy(&record_of_boot, frame.payload, sizeof(record_of_boot));
      boot = record_of_boot.boot;
    }
    if (!visit({shard, boot, record.position(), frame, record.bytes()})) break;
  }
  return history.status();
}

}  // namespace bitactor
