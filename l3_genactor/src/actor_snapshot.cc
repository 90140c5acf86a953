#include "bitactor/l3_genactor/actor_snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/state_archive.h"

namespace bitactor::internal {
namespace {

constexpr uint32_t kVersion = 1;

// docs/snapshot_format.md has these as tables.
struct SnapshotHead {
  uint32_t version;
  uint32_t marks;
  uint32_t needs;
  uint32_t names;
  uint64_t number;
  uint64_t actors;
};
struct PlaceEntry {
  uint32_t journal;
  uint32_t boot;
  uint64_t position;
};
struct ActorEntry {
  uint32_t id;
  uint32_t class_type;
  uint64_t layout;
  uint32_t boot;
  uint32_t journal;
  uint64_t position;
  uint64_t stamp_ns;
  uint64_t context_stamp_ns;
  uint64_t sequence;
  uint64_t digest;
  uint64_t ended;
};

void Write(const ActorSnapshot& actor, StateWriter& writer) {
  writer.Add(ActorEntry{actor.id, actor.class_type, actor.layout, actor.at.boot, actor.at.journal,
                        actor.at.position.value(), actor.stamp_ns, actor.context_stamp_ns,
                        actor.sequence, actor.digest, actor.ended ? uint64_t{1} : 0});
  writer.Add(actor.context);
  writer.Add(actor.state);
  writer.Add(uint64_t{actor.outbox.size()});
  for (const OutboxFrame& frame : actor.outbox) {
    writer.AddBytes(&frame.header, sizeof(frame.header));
    writer.Add(frame.payload);
  }
}

bool ReadActor(StateReader& reader, ActorSnapshot& actor) {
  ActorEntry entry{};
  uint64_t frames = 0;
  reader.Read(entry);
  reader.Read(actor.context);
  reader.Read(actor.state);
  reader.Read(frames);
  actor.id = entry.id;
  actor.class_type = entry.class_type;
  actor.layout = entry.layout;
  actor.at = {entry.boot, entry.journal, Position(entry.position)};
  actor.stamp_ns = entry.stamp_ns;
  actor.context_stamp_ns = entry.context_stamp_ns;
  actor.sequence = entry.sequence;
  actor.digest = entry.digest;
  actor.ended = entry.ended != 0;
  for (uint64_t i = 0; i < frames && !reader.failed(); ++i) {
    OutboxFrame& frame = actor.outbox.emplace_back();
    reader.ReadBytes(static_cast<void*>(&frame.header), sizeof(frame.header));
    reader.Read(frame.payload);
  }
  return !reader.failed();
}

}  // namespace

std::vector<std::byte> SystemSnapshot::ToBytes() const {
  StateWriter writer;
  writer.Add(SnapshotHead{kVersion, static_cast<uint32_t>(marks.size()),
                          static_cast<uint32_t>(need_from.size()),
                          static_cast<uint32_t>(names.size()), number, actors.size()});
  for (const auto& [journal, at] : marks) {
    writer.Add(PlaceEntry{journal, at.boot, at.position.value()});
  }
  for (const auto& [journal, from] : need_from) {
    writer.Add(PlaceEntry{journal, from.boot, from.position.value()});
  }
  for (const NameRecord& name : names) writer.AddBytes(&name, sizeof(name));
  for (const auto& [id, actor] : actors) Write(*actor, writer);
  return writer.Take();
}

absl::StatusOr<SystemSnapshot> SystemSnapshot::FromBytes(std::span<const std::byte> bytes) {
  StateReader reader(bytes);
  SnapshotHead head{};
  if (reader.Read(head) && head.version != kVersion) {
    return absl::DataLossError(absl::StrCat("a snapshot of actors has version ", head.version,
                                            "; this program reads ", kVersion));
  }
  SystemSnapshot snapshot;
  snapshot.number = head.number;
  PlaceEntry place{};
  for (uint32_t i = 0; i < head.marks && reader.Read(place); ++i) {
    snapshot.marks[place.journal] = {place.boot, place.journal, Position(place.position)};
  }
  for (uint32_t i = 0; i < head.needs && reader.Read(place); ++i) {
    snapshot.need_from[place.journal] = {Position(place.position), place.boot};
  }
  for (uint32_t i = 0; i < head.names && !reader.failed(); ++i) {
    reader.ReadBytes(&snapshot.names.emplace_back(), sizeof(NameRecord));
  }
  for (uint64_t i = 0; i < head.actors && !reader.failed(); ++i) {
    auto actor = std::make_shared<ActorSnapshot>();
    if (ReadActor(reader, *actor)) snapshot.actors[actor->id] = std::move(actor);
  }
  if (!reader.AtEnd()) {
    return absl::DataLossError(absl::StrCat("a snapshot of actors has ", bytes.size(),
                                            " bytes, which are not what its head says"));
  }
  return snapshot;
}

}  // namespace bitactor::internal
