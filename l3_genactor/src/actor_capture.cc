// An actor into a snapshot, and out of one.
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/actor_snapshot.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/state_archive.h"

namespace bitactor::internal {

static_assert(std::is_trivially_copyable_v<Guard>, "guards are kept as bytes");

void ActorCell::SaveContext(StateWriter& writer) const {
  writer.Add(uint64_t{monitors_.size()});
  for (const Monitor& monitor : monitors_) {
    writer.Add(monitor.watcher);
    writer.Add(monitor.id);
  }
  writer.Add(uint64_t{open_calls().size()});
  for (const PendingReply& call : open_calls()) {
    writer.Add(call.caller);
    writer.Add(call.call_id);
    writer.Add(call.deadline_ns);
  }
  writer.Add(extras_ != nullptr);
  if (extras_ != nullptr) extras_->Save(writer);
  writer.Add(uint64_t{guards_ != nullptr ? guards_->size() : 0});
  if (guards_ == nullptr) return;
  for (const auto& [target, guard] : *guards_) {
    writer.Add(target);
    writer.AddBytes(&guard, sizeof(guard));
  }
}

void ActorCell::LoadContext(StateReader& reader) {
  uint64_t count = 0;
  reader.Read(count);
  monitors_.clear();
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
    Monitor monitor{};
    reader.Read(monitor.watcher);
    reader.Read(monitor.id);
    monitors_.push_back(monitor);
  }
  count = 0;
  reader.Read(count);
  open_calls_.reset();
  if (count > 0) open_calls_ = std::make_unique<std::vector<PendingReply>>();
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
    PendingReply& call = open_calls_->emplace_back();
    reader.Read(call.caller);
    reader.Read(call.call_id);
    reader.Read(call.deadline_ns);
  }
  bool has_extras = false;
  reader.Read(has_extras);
  if (has_extras) {
    extras().Load(reader);
  } else if (extras_ != nullptr) {
    extras_->Reset();
  }
  count = 0;
  reader.Read(count);
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
    uint32_t target = 0;
    reader.Read(target);
    Guard& guard = GuardOf(ActorId{target}, Breaker{}, Retry{});
    reader.ReadBytes(static_cast<void*>(&guard), sizeof(guard));
  }
}

std::shared_ptr<ActorSnapshot> ActorCell::Capture(const FrameRef& at) const {
  auto snapshot = std::make_shared<ActorSnapshot>();
  snapshot->id = static_cast<uint32_t>(id());
  snapshot->class_type = cls_.type;
  snapshot->layout = cls_.layout;
  snapshot->at = at;
  snapshot->context_stamp_ns = context_stamp_ns_;
  snapshot->sequence = sequence_;
  StateWriter state_writer;
  cls_.write_state(state(), state_writer);
  snapshot->state = state_writer.Take();
  StateWriter context_writer;
  SaveContext(context_writer);
  snapshot->context = context_writer.Take();
  snapshot->digest = StateDigest();
  return snapshot;
}

absl::Status ActorCell::Load(const ActorSnapshot& snapshot) {
  if (snapshot.ended) {
    EndHandler();
    ended_ = true;
    sequence_ = snapshot.sequence;
    context_stamp_ns_ = snapshot.context_stamp_ns;
    return absl::OkStatus();
  }
  if (cls_.read_state == nullptr || snapshot.class_type != cls_.type ||
      snapshot.layout != cls_.layout) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the snapshot of \"", name_, "\" at ", snapshot.at.journal, ":",
        snapshot.at.position.ToString(), " is of another class than ",
        absl::string_view(cls_.name.data(), cls_.name.size()),
        " or its state was laid out in another way: start the program that wrote it, or set "
        "from_snapshots = false to replay the whole history, if the journals still have it"));
  }
  if (absl::Status status = StartFresh(); !status.ok()) return status;
  StateReader state_reader(snapshot.state);
  cls_.read_state(state(), state_reader);
  StateReader context_reader(snapshot.context);
  LoadContext(context_reader);
  AcceptWhatMayCome();
  context_stamp_ns_ = snapshot.context_stamp_ns;
  sequence_ = snapshot.sequence;
  if (state_reader.AtEnd() && context_reader.AtEnd() && StateDigest() == snapshot.digest) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("the snapshot of \"", name_, "\" at ", snapshot.at.journal, ":",
                   snapshot.at.position.ToString(), " does not give back the state with digest ",
                   absl::Hex(snapshot.digest), " (", absl::Hex(StateDigest()),
                   " instead): does its State() name all that its digest is made of?"));
}

}  // namespace bitactor::internal
