#include "bitactor/l2_mailbox/fabric.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/parking_spot.h"
#include "bitactor/l2_mailbox/delivery_state.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/quarantine_file.h"
#include "bitactor/l2_mailbox/stats_file.h"
#include "bitactor/l2_mailbox/stats_publisher.h"
#include "bitactor/persistence/journal.h"

namespace bitactor {
namespace {

using internal::BootRecord;
using internal::NameRecord;

uint64_t RealtimeNanos() {
  timespec now;
  BITACTOR_CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Serves a plain function.
class FunctionEndpoint final : public internal::Endpoint {
 public:
  FunctionEndpoint(ActorId id, Fabric::Handler handler, const MailboxOptions& options)
      : Endpoint(id), handler_(std::move(handler)) {
    capacity_frames = options.capacity_frames;
    overload = options.overload;
    may_be_suspended = true;
  }

  internal::HandleOutcome Handle(const Frame& frame, internal::Shard& shard) override {
    return HandleMessage(Message(frame), shard);
  }
  internal::HandleOutcome HandleBlock(const Frame& frame, std::span<const std::byte> block,
                                      internal::Shard& shard) override {
    return HandleMessage(Message(frame, block), shard);
  }

 private:
  internal::HandleOutcome HandleMessage(const Message& message, internal::Shard& shard) {
    Sender sender(shard, id(), message);
    try {
      handler_(message, sender);
      return internal::HandleOutcome::kDone;
    } catch (const internal::WrongType&) {
      return internal::HandleOutcome::kUnhandled;
    } catch (...) {
      return internal::HandleOutcome::kFailed;
    }
  }

  Fabric::Handler handler_;
};

absl::Status OutOfRange(std::string_view option, uint64_t value, std::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrFormat("FabricOptions::%s is %d; allowed is %s", option, value, allowed));
}

// A start reads that many in some ten milliseconds, and writing a snapshot takes some.
constexpr uint64_t kRecordsWorthASnapshot = 65536;
constexpr size_t kMaxQuarantineFrames = size_t{1} << 20;
constexpr size_t kMaxHeldAnswers = size_t{1} << 20;
constexpr size_t kMinBlockPoolBytes = size_t{64} << 10;
constexpr size_t kMaxBlockPoolBytes = size_t{64} << 30;
constexpr uint64_t kMinStatsIntervalNs = 1'000'000;
constexpr uint64_t kMaxStatsIntervalNs = 3'600'000'000'000;

}  // namespace

SendResult Sender::Forward(Address target, const Message& message) {
  internal::Envelope envelope = Caused(FrameKind::kCast, target);
  envelope.type = message.frame().header.type;
  if (SharedBlock block = message.block(); block.ok()) {
    return shard_.port().SendBlock(envelope, std::move(block));
  }
  return shard_.port().SendAnyBytes(envelope, message.bytes());
}

TraceContext Sender::trace_context() const {
  const bool sampled = (cause_.frame().header.flags & kFlagUnsampled) == 0;
  return shard_.state().trace_roots.ContextAt(cause_.trace(), cause_.span(), sampled);
}

Fabric::Fabric(FabricOptions options) : options_(std::move(options)) {}

Fabric::~Fabric() { Stop().IgnoreError(); }

absl::StatusOr<std::unique_ptr<Fabric>> Fabric::Start(FabricOptions options) {
  std::unique_ptr<Fabric> fabric(new Fabric(std::move(options)));
  if (absl::Status status = fabric->Validate(); !status.ok()) return status;
  if (fabric->options_.clock == nullptr) {
    fabric->own_clock_ = std::make_unique<TickClock>();
    fabric->options_.clock = fabric->own_clock_.get();
  }
  if (absl::Status status = fabric->StartShards(); !status.ok()) return status;
  return fabric;
}

absl::Status Fabric::Validate() const {
  if (options_.shards < 1 || options_.shards > internal::kMaxShards) {
    return OutOfRange("shards", options_.shards, "1 to 64");
  }
  if (options_.mailboxes < options_.shards || options_.mailboxes > SlotTable::kMaxMailboxes) {
    return OutOfRange("mailboxes", options_.mailboxes, "the number of shards to 4096");
  }
  if (!std::has_single_bit(options_.lane_slots) || options_.lane_slots < 2 ||
      options_.lane_slots > 65536) {
    return OutOfRange("lane_slots", options_.lane_slots, "a power of two from 2 to 65536");
  }
  if (!std::has_single_bit(options_.span_capacity)) {
    return OutOfRange("span_capacity", options_.span_capacity, "a power of two");
  }
  if (absl::Status status = internal::Sampler::Validate(options_.sampling); !status.ok()) {
    return status;
  }
  if (options_.quarantine_frames < 1 || options_.quarantine_frames > kMaxQuarantineFrames) {
    return OutOfRange("quarantine_frames", options_.quarantine_frames, "1 to 1048576");
  }
  if (options_.held_answers < 1 || options_.held_answers > kMaxHeldAnswers) {
    return OutOfRange("held_answers", options_.held_answers, "1 to 1048576");
  }
  if (options_.block_bytes != 0 &&
      (options_.block_bytes < kMinBlockPoolBytes || options_.block_bytes > kMaxBlockPoolBytes)) {
    return OutOfRange("block_bytes", options_.block_bytes, "0, or 65536 to 68719476736");
  }
  if (options_.stats_interval_ns != 0 && (options_.stats_interval_ns < kMinStatsIntervalNs ||
                                          options_.stats_interval_ns > kMaxStatsIntervalNs)) {
    return OutOfRange("stats_interval_ns", options_.stats_interval_ns,
                      "0, or 1000000 (1 ms) to 3600000000000 (1 h)");
  }
  if (options_.journal.durability != Durability::kProcess && !journals()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "FabricOptions::journal.durability is `", DurabilityName(options_.journal.durability),
        "`, but there is no journal: name a folder in FabricOptions::journal_dir"));
  }
  return absl::OkStatus();
}

absl::Status Fabric::StartShards() {
  using internal::PortCore;
  using internal::Shard;
  state_.clock = options_.clock;
  state_.shards = options_.shards;
  state_.on_dead_letter = options_.on_dead_letter;
  state_.overflow_limit_frames = options_.overflow_frames;
  state_.corruption_limit = options_.corruption_limit;
  state_.sampler.Set(options_.sampling);
  state_.has_process_barrier = internal::HasProcessBarrier();
  absl::StatusOr<std::shared_ptr<internal::BlockPool>> blocks =
      internal::BlockPool::Make(options_.block_bytes);
  if (!blocks.ok()) return blocks.status();
  state_.blocks = *std::move(blocks);

  internal::ShardOptions shard_options;
  shard_options.budget = options_.budget;
  shard_options.span_capacity = options_.span_capacity;
  for (uint32_t i = 0; i < options_.shards; ++i) {
    EngineOptions engine_options;
    engine_options.clock = state_.clock;
    engine_options.stop_policy = StopPolicy::kLeave;  // messages stay in their lanes
    engines_.push_back(std::make_unique<Engine>(engine_options));
    state_.engines.push_back(engines_.back().get());
    state_.quarantine.push_back(
        std::make_unique<internal::QuarantineStore>(i, options_.quarantine_frames));
    shards_.push_back(std::make_unique<Shard>(&state_, i, shard_options));
    engines_[i]->AddPoller(shards_[i].get());
  }
  if (!options_.journal_dir.empty()) {
    if (absl::Status status = OpenJournals(); !status.ok()) return status;
  }
  if (absl::Status status = MakeRoutes(); !status.ok()) return status;
  if (last_boot_ >= 65535) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%s was opened %d times; message ids count 65535 starts at most: begin a new journal",
        options_.journal_dir, last_boot_));
  }
  state_.incarnation = static_cast<uint16_t>(last_boot_ + 1);
  // The wall clock never starts below what was stamped before.
  const uint64_t start_ns =
      std::max(options_.start_time_ns.value_or(RealtimeNanos()), max_stamp_ns_ + 1);
  state_.wall_offset_ns = start_ns - state_.clock->NowNanos();

  for (auto& reader : shards_) {
    for (auto& writer : shards_) {
      lanes_.push_back(std::make_unique<SpscLane<Frame>>(options_.lane_slots));
      writer->port().SetLane(reader->index(), lanes_.back().get());
      reader->merge().AddLane(lanes_.back().get(), reader == writer, /*spillable=*/true,
                              {.port = writer->index()});
    }
  }
  for (auto& shard : shards_) {
    shard->port().SetNow(start_ns);
    const BootRecord boot{state_.incarnation, options_.shards, options_.mailboxes, shard->index()};
    if (!shard->JournalSystemRecord(TypeId<BootRecord>(), 0, &boot, sizeof(boot))) {
      return shard->journal()->last_refusal();
    }
  }
  // What was recovered is durable from here on: ports are told that it was taken.
  if (absl::Status status = Commit(); !status.ok()) return status;
  if (absl::Status status = StartStats(start_ns); !status.ok()) return status;
  {
    MutexLock lock(&mutex_);
    next_id_ = max_id_seen_ + 1;
    for (const auto& [id, record] : names_) {
      shards_[ShardOf(ActorId{id})]->Add(std::make_unique<internal::AwaitingEndpoint>(ActorId{id}));
    }
  }
  if (options_.before_run) options_.before_run(*this);
  for (auto& stats : stats_) stats->PublishAll(state_.NowNanos());
  if (stats_file_ != nullptr) {
    if (absl::Status status = stats_file_->Show(); !status.ok()) return status;
  }
  if (options_.threads) {
    running_ = true;
    for (auto& engine : engines_) {
      threads_.emplace_back([&engine](std::stop_token stop) { engine->Run(stop); });
    }
  }
  return absl::OkStatus();
}

absl::Status Fabric::StartStats(uint64_t start_ns) {
  if (options_.stats_interval_ns == 0) return absl::OkStatus();
  if (options_.stats_file.empty() && options_.journal_dir.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<internal::StatsFile>> file = internal::StatsFile::Create(
      *options_.journal.files,
      !options_.stats_file.empty() ? options_.stats_file : FabricStatsFile(options_.journal_dir),
      &state_, start_ns, options_.stats_interval_ns);
  if (!file.ok()) return file.status();
  stats_file_ = *std::move(file);
  for (auto& shard : shards_) {
    stats_file_->AddPort(&shard->port());
    stats_.push_back(std::make_unique<internal::StatsPublisher>(shard.get(), stats_file_.get(),
                                                                options_.stats_interval_ns));
    shard->PublishTo(stats_.back().get());
  }
  return absl::OkStatus();
}

absl::Status Fabric::OpenJournals() {
  FileSystem& files = *options_.journal.files;
  if (absl::Status status = files.CreateDir(options_.journal_dir); !status.ok()) return status;
  JournalOptions journal_options = options_.journal;
  if (journal_options.durability != Durability::kProcess) {
    if (absl::Status status = OpenGroup(); !status.ok()) return status;
    journal_options.group = group_.get();
  }
  for (auto& shard : shards_) {
    journal_options.owner_number = shard->index();
    absl::StatusOr<Journal> journal =
        Journal::Open(ShardJournalDir(options_.journal_dir, shard->index()), journal_options);
    if (!journal.ok()) return journal.status();
    shard->SetJournal(*std::move(journal));
    if (group_ != nullptr) shard->HoldAnswers(options_.held_answers);
  }
  if (group_ != nullptr) {
    if (absl::Status status = OpenAndCloseOthers(journal_options); !status.ok()) return status;
  }
  std::map<uint32_t, JournalPlace> begin;
  if (options_.recover_from) {
    absl::StatusOr<std::map<uint32_t, JournalPlace>> places = options_.recover_from();
    if (!places.ok()) return places.status();
    begin = *std::move(places);
  }
  absl::StatusOr<internal::DeliveryReport> report =
      internal::ReadDeliveryState(files, options_.journal_dir, options_.on_recovered, begin);
  if (!report.ok()) return report.status();
  internal::DeliveryState& delivered = report->state;
  last_boot_ = delivered.last_boot;
  max_stamp_ns_ = delivered.max_stamp_ns;
  max_id_seen_ = delivered.max_id;
  recovered_routing_ = std::move(delivered.routing);
  for (const auto& [id, name] : delivered.names) AdoptName(name);
  for (const auto& [key, sequence] : delivered.watermarks) {
    uint64_t& of_source = state_.max_watermark_of_source[key.source];
    of_source = std::max(of_source, sequence);
  }
  state_.watermarks = std::move(delivered.watermarks);
  return absl::OkStatus();
}

void Fabric::AdoptName(const NameRecord& record) {
  MutexLock lock(&mutex_);
  names_[record.id] = record;
  state_.sampler.NoteName(record.name_view(), record.id);
  id_of_name_[std::string(record.name_view())] = record.id;
  next_id_ = std::max(next_id_, record.id + 1);
}

void Fabric::RunOnShard(uint32_t shard, const std::function<void()>& task) {
  if (!running_ || stopped() || internal::CurrentShard() == shards_[shard].get()) {
    task();
    shards_[shard]->CountTask();
    return;
  }
  BITACTOR_CHECK(internal::CurrentShard() ==
                 nullptr);  // two shards that wait for each other never end
  Notification done;
  const bool will_run = shards_[shard]->RunSoon([&task, &done] {
    task();
    done.Notify();
  });
  if (will_run) return done.Wait();
  task();  // its thread has just ended
  shards_[shard]->CountTask();
}

absl::StatusOr<Address> Fabric::TryIntern(std::string_view name, uint32_t class_type) {
  if (name.empty() || name.size() > NameRecord::kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a name of %d bytes cannot be interned: 1 to %d bytes are allowed (\"%s\")",
                        name.size(), NameRecord::kMaxNameBytes, name.substr(0, 40)));
  }
  if (const std::optional<ActorId> known = Find(name)) return Address{*known};
  if (internal::CurrentShard() != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the name \"", std::string(name),
        "\" is new, and a handler cannot intern it: who holds the names may be waiting "
        "for its shard; intern it before messages come, handlers find it then"));
  }
  MutexLock routing(&routing_mutex_);  // one at a time: known once it is in its place
  if (const std::optional<ActorId> known = Find(name)) return Address{*known};
  uint32_t id = 0;
  {
    MutexLock lock(&mutex_);
    id = next_id_++;
  }
  internal::Shard& owner = *shards_[ShardOf(ActorId{id})];
  bool journalled = true;
  RunOnShard(owner.index(), [&] {
    const NameRecord record = NameRecord::Of(id, class_type, name);
    journalled = owner.JournalSystemRecord(TypeId<NameRecord>(), 0, &record, sizeof(record));
    if (owner.Find(ActorId{id}) == nullptr) {
      owner.Add(std::make_unique<internal::AwaitingEndpoint>(ActorId{id}));
    }
  });
  if (!journalled && group_ != nullptr && !group_->failure().ok()) return group_->failure();
  if (!journalled) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the name \"", std::string(name), "\" could not be journalled: no space below ",
        options_.journal_dir, "; free some and start again"));
  }
  // A power loss must not give this id to another name: it may stand in messages of other journals.
  if (absl::Status status = WaitDurable(owner.index()); !status.ok()) return status;
  AdoptName(NameRecord::Of(id, class_type, name));
  return Address{ActorId{id}};
}

Address Fabric::Intern(std::string_view name) { return TryIntern(name).value_or(Address{}); }

std::optional<ActorId> Fabric::Find(std::string_view name) const {
  MutexLock lock(&mutex_);
  const auto found = id_of_name_.find(std::string(name));
  if (found == id_of_name_.end()) return std::nullopt;
  return ActorId{found->second};
}

std::string Fabric::NameOf(ActorId id) const {
  MutexLock lock(&mutex_);
  const auto found = names_.find(static_cast<uint32_t>(id));
  return found != names_.end() ? std::string(found->second.name_view()) : std::string();
}

std::vector<NameRecord> Fabric::Names() const {
  MutexLock lock(&mutex_);
  std::vector<NameRecord> names;
  for (const auto& [id, record] : names_) names.push_back(record);
  return names;
}

Address Fabric::Serve(std::string_view name, Handler handler, const MailboxOptions& options) {
  return TryServe(name, std::move(handler), options).value_or(Address{});
}

absl::StatusOr<Address> Fabric::TryServe(std::string_view name, Handler handler,
                                         const MailboxOptions& options) {
  if (options.capacity_frames < 1 || options.capacity_frames > kMaxCapacityFrames) {
    return absl::InvalidArgumentError(
        absl::StrFormat("MailboxOptions::capacity_frames of \"%s\" is %d; allowed is 1 to %d", name,
                        options.capacity_frames, kMaxCapacityFrames));
  }
  if (internal::CurrentShard() != nullptr) {  // as a new name: see TryIntern()
    return absl::FailedPreconditionError(
        absl::StrCat("a handler cannot serve \"", std::string(name),
                     "\": serve it before messages come, from outside"));
  }
  const absl::StatusOr<Address> interned = TryIntern(name);
  if (!interned.ok()) return interned.status();
  const Address address = *interned;
  MutexLock routing(&routing_mutex_);
  const uint32_t owner = ShardOf(address.id);
  RunOnShard(owner, [&] {
    shards_[owner]->Add(
        std::make_unique<FunctionEndpoint>(address.id, std::move(handler), options));
  });
  return address;
}

absl::Status Fabric::Suspend(Address address) {
  return SetAccepted(address, internal::Endpoint::kWhileSuspended, "suspend");
}

absl::Status Fabric::Resume(Address address) {
  return SetAccepted(address, internal::Endpoint::kAllKinds, "resume");
}

absl::Status Fabric::SetAccepted(Address address, uint16_t kinds, const char* what) {
  const auto refusal = [&](const char* why) {
    return absl::StrCat("cannot ", what, " id ", static_cast<uint32_t>(address.id), ": ", why);
  };
  if (internal::CurrentShard() != nullptr) {
    return absl::FailedPreconditionError(
        refusal("a handler asks, and it may be the one that runs; ask from an outside thread"));
  }
  MutexLock routing(&routing_mutex_);
  if (stopped()) return absl::FailedPreconditionError(refusal("the fabric has stopped"));
  const uint32_t owner = ShardOf(address.id);
  absl::Status status;
  RunOnShard(owner, [&] {
    internal::Endpoint* const endpoint = shards_[owner]->Find(address.id);
    if (endpoint == nullptr || endpoint->generation != address.generation) {
      status = absl::NotFoundError(refusal("nobody has this address"));
    } else if (!endpoint->may_be_suspended) {
      status = absl::FailedPreconditionError(refusal("it is not served by Fabric::Serve()"));
    } else {
      shards_[owner]->SetAccepted(*endpoint, kinds);
    }
  });
  for (bool done = !status.ok(); !done;) {
    RunOnShard(owner, [&] {
      const internal::Endpoint* const endpoint = shards_[owner]->Find(address.id);
      done = endpoint == nullptr || !endpoint->in_backlog;
    });
    if (!done && !options_.threads) Poll();
  }
  return status;
}

absl::Status Fabric::Health() const {
  if (group_ != nullptr) {
    if (absl::Status status = group_->failure(); !status.ok()) return status;
  }
  for (uint32_t i = 0; i < state_.shards; ++i) {
    // Relaxed: see FabricState.
    if (state_.journal_full[i].load(std::memory_order_relaxed)) {
      return shards_[i]->journal_refusal();
    }
  }
  return absl::OkStatus();
}

size_t Fabric::Poll() {
  BITACTOR_CHECK(!options_.threads);
  size_t work = 0;
  for (auto& engine : engines_) work += engine->Poll();
  if (work > 0) return work;
  const size_t committed = CommitForAnswers();
  if (committed == 0) {
    for (auto& shard : shards_) shard->NextDeadlineNs();  // as an engine that goes to sleep
  }
  return committed;
}

void Fabric::WaitIdle() {
  // Taken is read before sent. Both only rise and a frame's effects are counted before it is
  // counted as taken, so equal sums mean that at the moment between the two readings nothing was on
  // its way and no handler ran.
  const auto sums_agree = [this] {
    MutexLock routing(&routing_mutex_);  // what is handed over is counted twice, or not at all
    uint64_t taken = 0;
    uint64_t waiting = 0;
    uint64_t answers = 0;
    bool backlog = false;
    for (uint32_t i = 0; i < state_.shards; ++i) {
      RunOnShard(i, [&] {
        taken += shards_[i]->taken();
        // What a shard's own sends could not hold back was counted as sent and never reaches a
        // lane.
        taken += shards_[i]->port().refused();
        waiting += shards_[i]->held_frames();
        answers += shards_[i]->held_answers();
        backlog |= shards_[i]->has_backlog();
      });
    }
    uint64_t sent = 0;
    for (auto& shard : shards_) sent += shard->port().sent().Read();
    MutexLock lock(&mutex_);
    for (auto& port : port_cores_) sent += port->sent().Read();
    return sent == taken + waiting && answers == 0 && !backlog;
  };
  while (!sums_agree()) {
    if (!options_.threads) Poll();
  }
}

FabricCounters Fabric::Counters() {
  MutexLock routing(&routing_mutex_);
  FabricCounters counters;
  counters.dead_letters = state_.dead_letters.Counts();
  counters.quarantined = Corruption().quarantined;
  for (uint32_t i = 0; i < state_.shards; ++i) {
    RunOnShard(i, [&] {
      internal::Shard& shard = *shards_[i];
      counters.sent += shard.port().sent().Read();
      counters.replied += shard.port().replied().Read();
      counters.delivered += shard.delivered();
      counters.queued += shard.QueuedFrames();
      if (shard.journal() != nullptr) counters.journalled += shard.journal()->appended();
    });
  }
  MutexLock lock(&mutex_);
  for (auto& port : port_cores_) {
    counters.sent += port->sent().Read();
    counters.replied += port->replied().Read();  // to a port, which a port cannot: dead letters
    counters.read_by_ports += port->read().Read();
    for (size_t i = 0; i < kSendResults; ++i) {
      counters.refused[i] += port->refused(static_cast<SendResult>(i));
    }
  }
  for (auto& replies : reply_lanes_) {
    for (auto& lane : replies->from_shard) counters.queued += lane->SizeApproximate();
  }
  return counters;
}

uint64_t Fabric::Overruns() {
  MutexLock routing(&routing_mutex_);
  uint64_t overruns = 0;
  for (uint32_t i = 0; i < state_.shards; ++i) {
    RunOnShard(i, [&] {
      shards_[i]->ForEachEndpoint(
          [&](internal::Endpoint& endpoint) { overruns += endpoint.stats().overruns; });
    });
  }
  return overruns;
}

uint64_t Fabric::Suspicions() {
  uint64_t suspicions = 0;
  for (uint32_t i = 0; i < state_.shards; ++i) {
    RunOnShard(i, [&] { suspicions += shards_[i]->suspicions(); });
  }
  return suspicions;
}

std::vector<SpanRecord> Fabric::Spans() {
  std::vector<SpanRecord> spans;
  spans_dropped_ = 0;
  for (uint32_t i = 0; i < state_.shards; ++i) {
    RunOnShard(i, [&] {
      const std::vector<SpanRecord> of_shard = shards_[i]->spans().Snapshot();
      spans.insert(spans.end(), of_shard.begin(), of_shard.end());
      spans_dropped_ += shards_[i]->spans().dropped();
    });
  }
  return spans;
}

void Fabric::ReadSpans(SpanCursor& cursor, std::vector<SpanRecord>& spans) {
  constexpr size_t kSpansPerTask = 4096;  // 256 KiB: a shard copies that in some 30 us
  cursor.positions.resize(state_.shards, 0);
  for (uint32_t i = 0; i < state_.shards; ++i) {
    // As many as there are now: whoever records faster than this reads must not keep it here.
    uint64_t end = 0;
    do {
      const size_t before = spans.size();
      spans.resize(before + kSpansPerTask);
      size_t count = 0;
      RunOnShard(i, [&] {
        const SpanRing& ring = shards_[i]->spans();
        if (end == 0) end = ring.recorded();
        count = ring.ReadFrom(cursor.positions[i], std::span(spans).subspan(before),
                              cursor.overwritten);
      });
      spans.resize(before + count);
    } while (cursor.positions[i] < end);
  }
}

std::vector<QuarantinedFrame> Fabric::Quarantined() const {
  std::vector<QuarantinedFrame> all;
  for (const auto& store : state_.quarantine) {
    const std::vector<QuarantinedFrame> frames = store->Frames();
    all.insert(all.end(), frames.begin(), frames.end());
  }
  return all;
}

CorruptionReport Fabric::Corruption() const {
  CorruptionReport report;
  for (const auto& store : state_.quarantine) store->AddTo(report);
  for (uint32_t port = 0; port < internal::kMaxPorts; ++port) {
    // Relaxed: statistics, see FabricState.
    const uint64_t frames = state_.corrupted_by_port[port].load(std::memory_order_relaxed);
    if (frames == 0) continue;
    report.ports.push_back({port, frames, state_.cut_off[port].load(std::memory_order_relaxed)});
  }
  return report;
}

absl::Status Fabric::Stop() {
  MutexLock routing(&routing_mutex_);  // whoever waits for a shard gets there first
  if (stopped()) return absl::OkStatus();
  for (std::jthread& thread : threads_) thread.request_stop();
  for (auto& engine : engines_) engine->Wake();
  threads_.clear();
  for (auto& shard : shards_) shard->EndTasks();  // somebody may wait for them
  // SYNC(fabric-stopped): pairs with stopped().
  stopped_.store(true, std::memory_order_release);
  absl::Status first = CommitForTheLastTime();
  for (auto& stats : stats_) stats->PublishAll(state_.NowNanos());
  if (stats_file_ != nullptr) stats_file_->PublishEnd(state_.NowNanos());
  for (auto& shard : shards_) {
    if (shard->journal() != nullptr) first.Update(shard->journal()->Close());
  }
  // Not after a start that could not have the journals: then the folder is another fabric's.
  if (!options_.journal_dir.empty() && state_.incarnation != 0) {
    const bool durable = first.ok();
    first.Update(WriteQuarantineFile(*options_.journal.files, options_.journal_dir,
                                     state_.incarnation, Corruption().quarantined, Quarantined()));
    // Without it the next start reads more, and says what is wrong if something is. A snapshot of
    // what may be lost would take the place of one that fits.
    if (durable) {
      internal::SaveDeliveryState(*options_.journal.files, options_.journal_dir,
                                  kRecordsWorthASnapshot)
          .IgnoreError();
    }
  }
  return first;
}

}  // namespace bitactor
