// Mailboxes that join and leave while messages fly.
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/parking_spot.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/handover.h"
#include "bitactor/l2_mailbox/route_history.h"

namespace bitactor {
namespace {

using internal::Baggage;
using internal::RoutingRecord;
using internal::SlotSet;

// Slots by the shard that gives or takes them.
using SlotsOfShards = std::map<uint32_t, SlotSet>;

}  // namespace

SlotTable Fabric::slot_table() const {
  MutexLock lock(&mutex_);
  return slots_;
}

// The table that FabricOptions::mailboxes makes, changed as the journals tell.
absl::Status Fabric::MakeRoutes() {
  const uint64_t epoch = recovered_routing_.empty() ? 0 : recovered_routing_.rbegin()->first;
  absl::StatusOr<SlotTable> table =
      internal::MakeSlotTable(options_.mailboxes, recovered_routing_, epoch);
  if (!table.ok()) return table.status();
  MutexLock lock(&mutex_);
  slots_ = *std::move(table);
  recovered_routing_.clear();
  SetRoutes(slots_, epoch);
  return absl::OkStatus();
}

void Fabric::SetRoutes(const SlotTable& table, uint64_t epoch) {
  for (uint32_t slot = 0; slot < SlotTable::kSlots; ++slot) {
    const uint16_t mailbox = table.MailboxOfSlot(slot);
    state_.routes.Set(slot, mailbox, static_cast<uint16_t>(mailbox % state_.shards));
  }
  state_.routes.Commit(epoch);
}

absl::Status Fabric::AddMailbox(uint32_t mailbox, uint32_t weight) {
  if (weight == 0) {
    return absl::InvalidArgumentError(absl::StrCat("mailbox ", mailbox,
                                                   " cannot join with weight 0: weights are 1 to ",
                                                   SlotTable::kMaxWeight));
  }
  return ChangeRoutes(mailbox, weight);
}

absl::Status Fabric::RemoveMailbox(uint32_t mailbox) { return ChangeRoutes(mailbox, 0); }

// P gives slots away, Q takes them.
//   H1  Q keeps what comes for them.
//   H2  The routes change. From here on no port publishes to P what it routed before: R1 and R2 for
//       what is not yet under publication, and waiting for what is.
//   H3  P serves them no more and keeps what still comes.
//   H4  P takes all that was published to it until now: whatever was routed to P is kept there.
//   H5  Q takes all that was published to it until now. If y, routed to Q, happened before m, which
//       P keeps, then y was published before m and so before H4: Q keeps y.
//   H6  P gives Q endpoints, what it kept and its clock; Q orders all by stamp and goes on. What comes
//       later is not the cause of anything that was kept, by H4 and H5.
absl::Status Fabric::ChangeRoutes(uint32_t mailbox, uint32_t weight) {
  if (internal::CurrentShard() != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "mailbox ", mailbox, " can neither join nor leave: a handler asks, and the change would ",
        "wait for its end"));
  }
  MutexLock lock(&routing_mutex_);
  if (options_.fixed_routes || stopped()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "mailbox ", mailbox, " can neither join nor leave: ",
        stopped() ? "the fabric has stopped"
                  : "its endpoints stay on their shards (FabricOptions::fixed_routes)"));
  }
  if (absl::Status health = Health(); !health.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("mailbox ", mailbox, " can neither join nor leave: ", health.message()));
  }
  const RoutingRecord change{state_.routes.epoch() + 1, mailbox, weight};
  SlotTable table = slot_table();
  if (absl::Status status = internal::ApplyChange(change, table); !status.ok()) return status;
  SlotsOfShards out;
  SlotsOfShards in;
  for (uint32_t slot = 0; slot < SlotTable::kSlots; ++slot) {
    const uint32_t to = table.MailboxOfSlot(slot) % state_.shards;
    const uint32_t from = state_.routes.ShardOfSlot(slot);
    if (from == to) continue;
    out[from].set(slot);
    in[to].set(slot);
  }

  for (const auto& [q, slots] : in) {
    RunOnShard(q, [this, q = q, &slots = slots] { shards_[q]->BeginIncoming(slots); });  // H1
  }
  SetRoutes(table, change.epoch);
  WaitUntilNoPortPublishes();  // H2
  for (uint32_t i = 0; i < state_.shards; ++i) {
    RunOnShard(i, [&, i] {
      internal::Shard& shard = *shards_[i];
      shard.port().Publish();
      // Refused: the shard is out of service until the next start (Health), which tells of it.
      shard.JournalSystemRecord(TypeId<RoutingRecord>(), 0, &change, sizeof(change));
      if (const auto leaving = out.find(i); leaving != out.end()) {
        shard.BeginOutgoing(leaving->second);  // H3
      }
    });
  }
  for (const auto& [p, slots] : out) WaitUntilTaken(p);  // H4
  for (const auto& [q, slots] : in) WaitUntilTaken(q);   // H5

  std::map<uint32_t, Baggage> baggage;  // by who takes it
  for (const auto& [p, slots] : out) {
    Baggage from_p;
    RunOnShard(p, [this, p = p, &from_p] { from_p = shards_[p]->EndOutgoing(); });
    for (const auto& [q, slots_in] : in) {
      baggage[q].clock_ns = std::max(baggage[q].clock_ns, from_p.clock_ns);
    }
    for (auto& endpoint : from_p.endpoints) {
      baggage[ShardOf(endpoint->id())].endpoints.push_back(std::move(endpoint));
    }
    for (const Frame& frame : from_p.frames) {
      baggage[ShardOf(ActorId{frame.header.target})].frames.push_back(frame);
    }
  }
  // What the endpoints of P have handled is durable before Q answers for them: Q's answers wait for
  // Q's journal alone, and what Q handles may be stamped before what P did.
  absl::Status durable;
  for (uint32_t i = 0; i < state_.shards; ++i) durable.Update(WaitDurable(i));
  for (const auto& [q, slots] : in) {  // H6
    RunOnShard(q, [this, q = q, &baggage, &change] {
      shards_[q]->EndIncoming(std::move(baggage[q]));
      // Once more: stamped above all that P served, so that what Q serves of it is replayed later.
      shards_[q]->JournalSystemRecord(TypeId<RoutingRecord>(), 0, &change, sizeof(change));
    });
  }
  MutexLock tables(&mutex_);
  slots_ = std::move(table);
  return durable;
}

void Fabric::WaitUntilNoPortPublishes() {
  // Without the barrier ports announce themselves in the one order of all such operations.
  if (state_.has_process_barrier) internal::ProcessBarrier();
  MutexLock lock(&mutex_);
  for (const auto& port : port_cores_) {
    while (port->publishing()) std::this_thread::yield();
  }
}

// Until the shard has taken from its lanes all that is published in them now.
void Fabric::WaitUntilTaken(uint32_t shard) {
  internal::TakenMark mark;
  RunOnShard(shard, [&] { mark = shards_[shard]->Mark(); });
  for (bool taken = false; !taken;) {
    if (!options_.threads) Poll();
    RunOnShard(shard, [&] { taken = shards_[shard]->HasTaken(mark); });
  }
}

}  // namespace bitactor
