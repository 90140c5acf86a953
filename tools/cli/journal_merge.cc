#include "cli/journal_merge.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/persistence/journal_verify.h"

namespace bitactor::cli {
namespace {

constexpr std::string_view kSegmentSuffix = ".seg";

struct SegmentRange {
  uint64_t first = 0;
  uint64_t last = 0;
};

// The segments of a journal, by the names of its files. The last one may have nothing in it yet.
SegmentRange SegmentsOf(FileSystem& files, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = files.List(dir);
  if (!names.ok()) return {};
  std::optional<SegmentRange> range;
  for (const std::string& name : *names) {
    uint64_t index = 0;
    if (!name.ends_with(kSegmentSuffix) ||
        !absl::SimpleAtoi(name.substr(0, name.size() - kSegmentSuffix.size()), &index)) {
      continue;
    }
    if (!range.has_value()) range = {index, index};
    range->last = index;  // names come in ascending order
  }
  return range.value_or(SegmentRange{});
}

}  // namespace

absl::StatusOr<std::vector<JournalDir>> JournalsOf(FileSystem& files, const std::string& dir,
                                                   std::optional<uint32_t> shard) {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files, dir);
  if (!shards.ok()) return shards.status();
  std::vector<JournalDir> journals;
  std::string found;
  for (const uint32_t one : *shards) {
    absl::StrAppend(&found, found.empty() ? "" : ", ", one);
    if (!shard.has_value() || *shard == one) journals.push_back({one, ShardJournalDir(dir, one)});
  }
  if (shards->empty()) {
    // One without a readable header is still to be verified and repaired.
    absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
    if (!reader.ok() && shard.has_value()) return reader.status();
    const uint32_t owner = reader.ok() ? reader->owner_number() : 0;
    absl::StrAppend(&found, owner);
    if (!shard.has_value() || *shard == owner) journals.push_back({owner, dir});
  }
  if (journals.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("shard ", *shard, ": ", dir, " has no journal of that shard; it has ", found));
  }
  return journals;
}

absl::StatusOr<uint32_t> FindActorByName(FileSystem& files, const std::string& dir,
                                         const std::string& name) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(files, dir);
  if (!journals.ok()) return journals.status();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(journal.dir, files);
    if (!reader.ok()) return reader.status();
    History history = reader->Replay({.skip_gaps = true});
    for (const Record& record : history) {
      internal::NameRecord given;
      if (record.frame().header.type != TypeId<internal::NameRecord>() ||
          record.bytes().size() != sizeof(given)) {
        continue;
      }
      std::memcpy(&given, record.bytes().data(), sizeof(given));
      if (given.name_view() == name) return given.id;
    }
    if (!history.status().ok()) return history.status();
  }
  return absl::NotFoundError(absl::StrCat("no actor has this name in ", dir,
                                          "; `bitactor journal dump ", dir,
                                          " --type NameRecord` shows those that have one"));
}

absl::StatusOr<JournalMerge> JournalMerge::Open(FileSystem& files, const std::string& dir,
                                                RecordFilter filter) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(files, dir, filter.shard);
  if (!journals.ok()) return journals.status();
  JournalMerge merge(files, std::move(filter));
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(journal.dir, files);
    if (!reader.ok()) return reader.status();
    const uint64_t units = reader->segment_bytes() / kFrameUnitBytes;
    // A segment's beginning is a place to start from; any other position may be inside a record.
    const Position first(
        std::max(merge.filter_.from.value() / units, SegmentsOf(files, journal.dir).first) * units);
    History history = reader->Replay({.from = first, .skip_gaps = true});
    std::optional<TargetHistory> of_target;
    if (merge.filter_.target.has_value()) {
      absl::StatusOr<JournalIndex> index = JournalIndex::Open(journal.dir, files);
      if (!index.ok()) return index.status();
      of_target = index->Replay(*merge.filter_.target, {.from = first, .skip_gaps = true});
    }
    merge.sources_.push_back({journal.shard, *std::move(reader), std::move(history),
                              std::move(of_target), units, first});
    // For progress alone, so damage that stands in the way is left to the reading.
    if (absl::StatusOr<JournalStat> stat = StatJournal(journal.dir, files); stat.ok()) {
      const Position end = std::min(stat->tail, merge.filter_.to);
      if (end > first) merge.total_bytes_ += (end.value() - first.value()) * kFrameUnitBytes;
    }
  }
  return merge;
}

void JournalMerge::Fill(Source& source) const {
  while (source.head == nullptr && !source.ended && !source.complete) {
    const Record* record = source.Next();
    if (record == nullptr) {
      source.ended = true;
    } else if (record->position() >= filter_.to) {
      source.complete = true;
    } else if (record->position() >= filter_.from && filter_.Matches(record->frame().header)) {
      source.head = record;
    }
  }
}

std::optional<PlacedRecord> JournalMerge::Next() {
  if (given_ != nullptr) given_->head = nullptr;
  given_ = nullptr;
  for (Source& source : sources_) {
    Fill(source);
    if (source.head == nullptr) continue;
    if (given_ == nullptr ||
        source.head->frame().header.stamp_ns < given_->head->frame().header.stamp_ns) {
      given_ = &source;
    }
  }
  if (given_ == nullptr) return std::nullopt;
  return PlacedRecord{given_->shard, given_->head};
}

void JournalMerge::LookAgain() {
  for (Source& source : sources_) {
    if (!source.ended || !source.status().ok()) continue;
    if (source.of_target.has_value()) {
      source.ReadAll(source.next_position());
    } else {
      source.history.Seek(source.next_position());
    }
    source.ended = false;
  }
}

// The places of the last `count` records, and leaves the history behind the last of them. Goes back
// twice as far each time: what has to be read is at most four times what is needed.
std::vector<Position> JournalMerge::LastOf(Source& source, uint64_t count) const {
  const uint64_t first_segment = source.first.value() / source.segment_units;
  const uint64_t end = SegmentsOf(*files_, source.reader.dir()).last + 1;
  std::deque<Position> last;
  // Two at least: the last segment may be one that the writer made ahead.
  for (uint64_t back = 2;; back *= 2) {
    const uint64_t begin = std::max(first_segment, end - std::min(end, back));
    source.ReadAll(Position(begin * source.segment_units));
    last.clear();
    for (Fill(source); source.head != nullptr; Fill(source)) {
      last.push_back(source.head->position());
      if (last.size() > count) last.pop_front();
      source.head = nullptr;
    }
    if (last.size() == count || begin == first_segment) break;
  }
  return {last.begin(), last.end()};
}

uint64_t JournalMerge::StartAtLast(uint64_t count) {
  uint64_t found = 0;
  for (Source& source : sources_) {
    const std::vector<Position> last = LastOf(source, count);
    if (last.empty()) continue;
    found += last.size();
    source.ReadAll(last.front());
  }
  for (; found > count; --found) Next();
  return found;
}

absl::Status JournalMerge::status() const {
  absl::Status status;
  for (const Source& source : sources_) {
    const absl::Status& one = source.status();
    if (one.ok()) continue;
    status = status.ok()
                 ? one
                 : absl::Status(status.code(), absl::StrCat(status.message(), "; ", one.message()));
  }
  return status;
}

uint64_t JournalMerge::gaps() const {
  uint64_t gaps = 0;
  for (const Source& source : sources_) gaps += source.gaps();
  return gaps;
}

uint64_t JournalMerge::passed_bytes() const {
  uint64_t units = 0;
  for (const Source& source : sources_) {
    units += source.next_position().value() - source.first.value();
  }
  return units * kFrameUnitBytes;
}

}  // namespace bitactor::cli
