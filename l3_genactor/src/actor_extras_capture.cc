// Links, monitors and timers into a snapshot, and out of one.
#include <memory>
#include <utility>

#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/actor_extras.h"
#include "bitactor/l3_genactor/state_archive.h"

namespace bitactor::internal {
namespace {

void SaveMessage(const KeptMessage& message, StateWriter& writer) {
  writer.Add(message.type);
  writer.Add(message.size_bytes);
  writer.AddBytes(message.payload, sizeof(message.payload));
}

void LoadMessage(KeptMessage& message, StateReader& reader) {
  reader.Read(message.type);
  reader.Read(message.size_bytes);
  reader.ReadBytes(message.payload, sizeof(message.payload));
}

// What a timer has beside its message, in the order of the snapshot.
template <typename Timer, typename Visit>
void ForEachField(Timer& timer, Visit&& visit) {
  visit(timer.id);
  visit(timer.message_id);
  visit(timer.delay_ns);
  visit(timer.period_ns);
  visit(timer.due_ns);
  visit(timer.trace);
  visit(timer.span);
  visit(timer.trace_flags);
}

// The count, then each.
template <typename Range, typename Save>
void SaveAll(const Range& range, StateWriter& writer, Save&& save) {
  writer.Add(uint64_t{range.size()});
  for (const auto& element : range) save(element);
}
template <typename Load>
void LoadAll(StateReader& reader, Load&& load) {
  uint64_t count = 0;
  reader.Read(count);
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) load();
}

}  // namespace

void ActorExtras::SaveTimer(const MessageTimer& timer, StateWriter& writer) {
  ForEachField(timer, [&writer](const auto& field) { writer.Add(field); });
  SaveMessage(timer.message, writer);
}

void ActorExtras::LoadTimer(MessageTimer& timer, StateReader& reader) {
  ForEachField(timer, [&reader](auto& field) { reader.Read(field); });
  LoadMessage(timer.message, reader);
  timer.fired = false;
}

void ActorExtras::Save(StateWriter& writer) const {
  for (const bool flag : {trap_exits_, idle_is_over_, has_unanchored_, is_shut_}) writer.Add(flag);
  SaveAll(links_, writer, [&](const PeerLink& link) {
    writer.Add(link.peer);
    writer.Add(link.asked);
    writer.Add(link.was_asked);
  });
  SaveAll(watched_, writer, [&](const Watch& watch) {
    writer.Add(watch.id);
    writer.Add(watch.target);
  });
  SaveAll(timers_, writer, [&](const auto& timer) { SaveTimer(*timer, writer); });
  SaveAll(continues_, writer, [&](const KeptMessage& message) { SaveMessage(message, writer); });
  writer.Add(continue_id_);
  writer.Add(idle_ns_);
  SaveTimer(idle_, writer);
}

void ActorExtras::Load(StateReader& reader) {
  Reset();
  for (bool* flag : {&trap_exits_, &idle_is_over_, &has_unanchored_, &is_shut_}) {
    reader.Read(*flag);
  }
  LoadAll(reader, [&] {
    PeerLink link{};
    reader.Read(link.peer);
    reader.Read(link.asked);
    reader.Read(link.was_asked);
    links_.push_back(link);
  });
  LoadAll(reader, [&] {
    Watch watch{};
    reader.Read(watch.id);
    reader.Read(watch.target);
    watched_.push_back(watch);
  });
  LoadAll(reader, [&] {
    auto timer = std::make_unique<MessageTimer>();
    timer->cell = &cell_;
    LoadTimer(*timer, reader);
    timers_.push_back(std::move(timer));
  });
  LoadAll(reader, [&] { LoadMessage(continues_.emplace_back(), reader); });
  reader.Read(continue_id_);
  reader.Read(idle_ns_);
  LoadTimer(idle_, reader);
}

}  // namespace bitactor::internal
