#include "journal_set_merge.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/delivery_state.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/persistence/journal_verify.h"

namespace bitactor::internal {
namespace {

// Records of the runtime that belong to no endpoint have this target.
constexpr uint32_t kRuntime = 0;

template <typename M>
bool ReadAs(const Record& record, M& value) {
  const FrameHeader& header = record.frame().header;
  if (header.kind != FrameKind::kSystem || header.type != TypeId<M>() ||
      record.bytes().size() != sizeof(M)) {
    return false;
  }
  std::memcpy(static_cast<void*>(&value), record.bytes().data(), sizeof(M));
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JournalSetMerge>> JournalSetMerge::Open(const std::string& set_dir,
                                                                       FabricReplayOptions options,
                                                                       FileSystem& files) {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files, set_dir);
  if (!shards.ok()) return shards.status();
  if (shards->empty()) return NoJournalsError(set_dir);
  std::unique_ptr<JournalSetMerge> merge(new JournalSetMerge(set_dir, std::move(options), files));
  for (const uint32_t shard : *shards) {
    absl::Status status = merge->AddSource(shard);
    if (!status.ok()) return status;
  }
  merge->NoteRemovedRecords();
  FabricReplayOptions& wanted = merge->options_;
  if (!wanted.name.empty()) {
    const auto named = std::find_if(
        merge->names_.begin(), merge->names_.end(),
        [&](const auto& id_and_name) { return id_and_name.second.name_view() == wanted.name; });
    if (named == merge->names_.end()) {
      return absl::NotFoundError(absl::StrCat(set_dir, ": nobody has the name \"", wanted.name,
                                              "\"; `bitactor journal dump ", set_dir,
                                              " --type NameRecord` shows those that have one"));
    }
    const ActorId id{named->first};
    if (wanted.target.value_or(id) != id) {
      return absl::InvalidArgumentError(absl::StrCat("the name \"", wanted.name, "\" has the id ",
                                                     named->first, ", and the target asked for is ",
                                                     static_cast<uint32_t>(*wanted.target),
                                                     "; give one of the two"));
    }
    wanted.target = id;
  }
  merge->last_boot_ = merge->routes_.last_boot();
  merge->last_epoch_ = merge->routes_.last_epoch();
  if (wanted.mailbox.has_value()) merge->slots_ = merge->routes_.SlotsEverOf(*wanted.mailbox);
  if (absl::Status status = merge->CutOff(); !status.ok()) return status;
  for (Source& source : merge->sources_) {
    if (absl::Status status = merge->Start(source); !status.ok()) return status;
  }
  return merge;
}

absl::Status JournalSetMerge::AddSource(uint32_t shard) {
  const std::string dir = ShardJournalDir(set_dir_, shard);
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files_);
  if (!reader.ok()) return reader.status();
  History history = reader->Replay();
  Source source{.shard = shard, .reader = *std::move(reader), .history = std::move(history)};
  // Damage that stands in the way is met by reading, too, which then looks for each frame.
  if (absl::StatusOr<JournalStat> stat = StatJournal(dir, files_); stat.ok()) {
    source.tail = stat->tail;
    source.has_beginning = stat->first == Position::Begin();
  }
  if (absl::Status status = ReadRuntimeRecords(source, dir); !status.ok()) return status;
  sources_.push_back(std::move(source));
  return absl::OkStatus();
}

bool JournalSetMerge::HasSource(uint32_t shard) const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [shard](const Source& source) { return source.shard == shard; });
}

absl::Status JournalSetMerge::AddLaterSources() {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files_, set_dir_);
  if (!shards.ok()) return shards.status();
  for (const uint32_t shard : *shards) {
    if (HasSource(shard)) continue;
    if (absl::Status status = AddSource(shard); !status.ok()) return status;
    Source& source = sources_.back();
    source.tail = Position();
    source.begin.open = options_.from.has_value();
    if (options_.until.has_value()) source.end = {Position::Begin(), true};
    ReadAll(source, Position::Begin());
  }
  may_lack_sources_ = false;
  return absl::OkStatus();
}

absl::Status JournalSetMerge::ReadRuntimeRecords(Source& source, const std::string& dir) {
  absl::StatusOr<JournalIndex> index = JournalIndex::Open(dir, files_);
  if (!index.ok()) return index.status();
  TargetHistory history = index->Replay(kRuntime, {.skip_gaps = options_.skip_gaps});
  RouteMark at;
  for (const Record& record : history) {
    at.key_ns = std::max(at.key_ns, record.frame().header.stamp_ns);
    if (NoteRuntimeRecord(at, record)) source.marks.push_back(at);
  }
  if (!history.status().ok()) {
    source.damage = history.status();
    source.readable = history.next_position();
  }
  return absl::OkStatus();
}

void JournalSetMerge::NoteRemovedRecords() {
  const bool whole = std::all_of(sources_.begin(), sources_.end(),
                                 [](const Source& source) { return source.has_beginning; });
  if (whole) return;
  const DeliveryState known = ReadDeliverySnapshot(files_, set_dir_);
  for (const auto& [epoch, change] : known.routing) routes_.NoteChange(/*boot=*/0, change);
  for (const auto& [id, name] : known.names) names_.emplace(id, name);
}

bool JournalSetMerge::NoteRuntimeRecord(RouteMark& at, const Record& record) {
  BootRecord start;
  RoutingRecord change;
  NameRecord name;
  if (ReadAs(record, start)) {
    routes_.NoteStart(start);
    for (uint32_t shard = 0; shard < std::min(start.shards, kMaxShards); ++shard) {
      may_lack_sources_ = may_lack_sources_ || !HasSource(shard);
    }
    at.boot = start.boot;
    at.epoch = 0;  // that of the start
  } else if (ReadAs(record, change)) {
    routes_.NoteChange(at.boot, change);
    at.epoch = change.epoch;
  } else {
    if (ReadAs(record, name)) names_[name.id] = name;
    return false;
  }
  at.position = record.position();
  return true;
}

absl::Status JournalSetMerge::CutOff() {
  const auto cut_off = [&](const Place& place, uint64_t& bound_ns, Cut::End Source::*end) {
    absl::StatusOr<Cut> cut = Cut::At(files_, set_dir_, place);
    if (!cut.ok()) return cut.status();
    bound_ns = cut->bound_ns;
    absl::StatusOr<std::map<uint32_t, Cut::End>> ends = cut->Ends(files_, set_dir_);
    if (!ends.ok()) return ends.status();
    for (Source& source : sources_) {
      if (const auto found = ends->find(source.shard); found != ends->end()) {
        source.*end = found->second;
      }
    }
    return absl::OkStatus();
  };
  absl::Status status;
  if (options_.from.has_value()) {
    status.Update(cut_off(*options_.from, from_bound_ns_, &Source::begin));
  }
  if (options_.until.has_value()) {
    status.Update(cut_off(*options_.until, until_bound_ns_, &Source::end));
  }
  return status;
}

absl::Status JournalSetMerge::Start(Source& source) {
  for (const RouteMark& mark : source.marks) {
    if (mark.position < source.begin.position) source.at = mark;
  }
  source.table = TableOf(source.at);
  // Without its beginning, a journal may not tell which ids were the mailbox's.
  const bool by_index =
      options_.target.has_value() || (options_.mailbox.has_value() && source.has_beginning);
  if (!by_index) {
    ReadAll(source, source.begin.position);
    return absl::OkStatus();
  }
  absl::StatusOr<JournalIndex> index = JournalIndex::Open(source.reader.dir(), files_);
  if (!index.ok()) return index.status();
  source.of_targets = index->Replay([this](uint32_t target) { return MayBeWanted(target); },
                                    {.from = source.begin.position,
                                     .until = source.end.position,
                                     .skip_gaps = options_.skip_gaps});
  return absl::OkStatus();
}

void JournalSetMerge::ReadAll(Source& source, Position from) {
  source.gaps_before += source.of_targets.has_value() ? source.of_targets->gaps_skipped()
                                                      : source.history.gaps_skipped();
  source.of_targets.reset();
  source.history = source.reader.Replay({.from = from, .skip_gaps = options_.skip_gaps});
}

std::shared_ptr<const SlotTable> JournalSetMerge::TableOf(const RouteMark& at) {
  return routes_.TableAt(at.boot, std::max(at.epoch, routes_.EpochAtStart(at.boot)));
}

bool JournalSetMerge::MayBeWanted(uint32_t target) const {
  if (target == kRuntime) return true;
  if (options_.target.has_value() && target != static_cast<uint32_t>(*options_.target))
    return false;
  return !options_.mailbox.has_value() || slots_[SlotTable::SlotOf(ActorId{target})];
}

bool JournalSetMerge::IsWanted(const Source& source, const FrameHeader& header) const {
  const ActorId target{header.target};
  return (!options_.target.has_value() || target == *options_.target) &&
         (!options_.mailbox.has_value() || source.table->MailboxOf(target) == *options_.mailbox) &&
         header.stamp_ns >= options_.from_stamp_ns &&
         (options_.until_stamp_ns == ~uint64_t{0} || header.stamp_ns < options_.until_stamp_ns);
}

// The next record, or nullptr at the end, for now or for good, or at damage.
const Record* JournalSetMerge::ReadOn(Source& source) {
  const Record* record =
      source.of_targets.has_value() ? source.of_targets->Next() : source.history.Next();
  if (record == nullptr || record->position() >= source.readable) {
    source.broken = record != nullptr               ? source.damage
                    : source.of_targets.has_value() ? source.of_targets->status()
                                                    : source.history.status();
    return nullptr;
  }
  const uint64_t stamp_ns = record->frame().header.stamp_ns;
  if (record->position() >= source.end.position &&
      (!source.end.open || stamp_ns >= until_bound_ns_)) {
    source.complete = true;
    return nullptr;
  }
  source.at.key_ns = std::max(source.at.key_ns, stamp_ns);
  return record;
}

// Reads up to the next frame that is wanted, if there is one.
void JournalSetMerge::Fill(Source& source) {
  source.head = nullptr;
  if (source.complete || !source.broken.ok()) return;
  const uint64_t look = ++looks_;
  if (source.at_end && source.of_targets.has_value()) {
    ReadAll(source, source.of_targets->next_position());
  } else if (source.at_end) {
    source.history.Seek(source.history.next_position());
  }
  source.at_end = false;
  while (const Record* record = ReadOn(source)) {
    const FrameHeader& header = record->frame().header;
    if (header.target == kRuntime) {
      TakeRuntimeRecord(source, *record);
      continue;
    }
    if (source.begin.open && header.stamp_ns < from_bound_ns_) continue;
    source.begin.open = false;
    if (options_.mailbox.has_value() && source.table == nullptr) {
      source.broken = absl::FailedPreconditionError(absl::StrCat(
          source.reader.dir(), ": position ", record->position().ToString(),
          ": which mailbox this message went to is not known, for the record of its start was "
          "removed (Journal::Retain); replay by name, or from a later place"));
      return;
    }
    if (!IsWanted(source, header)) continue;
    source.head = record;
    source.head_look = record->position() < source.tail ? 0 : look;
    return;
  }
  source.at_end = !source.complete && source.broken.ok();
  source.empty_look = look;
}

void JournalSetMerge::TakeRuntimeRecord(Source& source, const Record& record) {
  if (!NoteRuntimeRecord(source.at, record)) return;
  source.table = TableOf(source.at);
  // What it gave the mailbox was not known when the index was asked.
  const bool is_new = source.at.boot > last_boot_ || source.at.epoch > last_epoch_;
  if (is_new && source.of_targets.has_value()) {
    ReadAll(source, source.of_targets->next_position());
  }
}

JournalSetMerge::Source* JournalSetMerge::Least() {
  Source* least = nullptr;
  for (Source& source : sources_) {
    if (source.head == nullptr) continue;
    if (least == nullptr ||
        std::tie(source.at.key_ns, source.shard) < std::tie(least->at.key_ns, least->shard)) {
      least = &source;
    }
  }
  return least;
}

std::optional<ReplayedMessage> JournalSetMerge::Next() {
  if (given_ != nullptr) given_->head = nullptr;
  given_ = nullptr;
  const uint64_t looks_before = looks_;
  for (Source& source : sources_) {
    if (source.head == nullptr && !source.at_end) Fill(source);
  }
  Source* least = nullptr;
  for (bool found = true; found;) {  // O5
    if (may_lack_sources_) {
      lacks_source_ = AddLaterSources();
      if (!lacks_source_.ok()) return std::nullopt;
      for (Source& source : sources_) {
        if (source.head == nullptr && !source.at_end) Fill(source);
      }
    }
    least = Least();
    const uint64_t seen = least != nullptr ? least->head_look : looks_before;
    found = false;
    for (Source& source : sources_) {
      if (!source.at_end || source.empty_look > seen) continue;
      Fill(source);
      found = found || source.head != nullptr || may_lack_sources_;
    }
  }
  if (least == nullptr) return std::nullopt;
  for (const Source& source : sources_) {
    if (!source.broken.ok() && least->at.key_ns > source.at.key_ns) return std::nullopt;
  }
  given_ = least;
  const ActorId target{least->head->frame().header.target};
  std::optional<uint32_t> mailbox;
  if (least->table != nullptr) mailbox = least->table->MailboxOf(target);
  return ReplayedMessage(least->shard, least->at.boot, mailbox, least->head);
}

absl::Status JournalSetMerge::status() const {
  absl::Status first = lacks_source_;
  for (const Source& source : sources_) first.Update(source.broken);
  return first;
}

uint64_t JournalSetMerge::gaps_skipped() const {
  uint64_t gaps = 0;
  for (const Source& source : sources_) {
    gaps += source.gaps_before + (source.of_targets.has_value() ? source.of_targets->gaps_skipped()
                                                                : source.history.gaps_skipped());
  }
  return gaps;
}

std::string_view JournalSetMerge::NameOf(ActorId id) const {
  const auto found = names_.find(static_cast<uint32_t>(id));
  return found != names_.end() ? found->second.name_view() : std::string_view();
}

}  // namespace bitactor::internal
