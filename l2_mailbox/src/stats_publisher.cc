#include "bitactor/l2_mailbox/stats_publisher.h"

#include <algorithm>

#include "bitactor/l2_mailbox/shard.h"

namespace bitactor::internal {

StatsPublisher::StatsPublisher(Shard* shard, StatsFile* file, uint64_t interval_ns)
    : shard_(shard),
      file_(file),
      interval_ns_(interval_ns),
      counts_(file->CountsOf(shard->index())),
      mailboxes_(file->MailboxesOf(shard->index())),
      rows_(file->mailbox_rows()),
      kept_(file->mailbox_rows()) {}

uint64_t StatsPublisher::BeginRound(uint64_t now_ns) {
  if (asleep_) {
    asleep_ = false;
    file_->SetAwakeSince(shard_->index(), shard_->state().NowNanos());
  }
  if (now_ns >= publish_at_ns_) Publish(now_ns);
  if (now_ns >= slice_at_ns_) Sweep(now_ns, kSlicePlaces);
  return std::min(publish_at_ns_, slice_at_ns_);
}

uint64_t StatsPublisher::BeginSleep(uint64_t now_ns) {
  if (!asleep_) {
    asleep_ = true;
    file_->SetAwakeSince(shard_->index(), 0);
  }
  if (const uint64_t activity = shard_->Activity(); activity != seen_activity_) {
    seen_activity_ = activity;
    settled_at_ns_ = now_ns + interval_ns_;
  }
  if (now_ns >= settled_at_ns_) {
    settled_at_ns_ = kNever;
    Publish(now_ns);
  }
  if (now_ns >= slice_at_ns_) Sweep(now_ns, kSlicePlaces);
  // The sweep that was going on at the last publication may have missed the last messages.
  if (settled_at_ns_ == kNever && slice_at_ns_ == kNever && shard_->Activity() != swept_activity_) {
    BeginSweep(now_ns);
  }
  return std::min(settled_at_ns_, slice_at_ns_);
}

void StatsPublisher::PublishAll(uint64_t now_ns) {
  file_->SetAwakeSince(shard_->index(), now_ns);
  Publish(now_ns);
  BeginSweep(now_ns);  // one that is going on has seen what may have changed
  Sweep(now_ns, std::numeric_limits<size_t>::max());
}

void StatsPublisher::Publish(uint64_t now_ns) {
  publish_at_ns_ = now_ns + interval_ns_;
  if (slice_at_ns_ == kNever && shard_->Activity() != swept_activity_) BeginSweep(now_ns);
  counts_.Begin();
  counts_.Put(shard_->Counts(now_ns));
  for (const auto& lane : shard_->merge().lanes()) {
    counts_.Put(LaneStats{lane->origin().port, lane->Waiting(), lane->spilled(), lane->published(),
                          lane->OldestStamp()});
  }
  counts_.End();
  file_->PublishTotals(now_ns);
}

void StatsPublisher::BeginSweep(uint64_t now_ns) {
  slice_at_ns_ = now_ns;
  next_id_ = 0;
  swept_activity_ = shard_->Activity();
  if (++sweep_ == 0) sweep_ = 1;  // 0: none
  sweep_epoch_ = shard_->state().routes.epoch();
  std::fill_n(rows_.begin(), rows_used_, MailboxStats{});
}

void StatsPublisher::Sweep(uint64_t now_ns, size_t places) {
  next_id_ = shard_->VisitEndpoints(next_id_, places,
                                    [this](Endpoint& endpoint) { CountEndpoint(endpoint); });
  slice_at_ns_ = next_id_ != 0 ? now_ns + kSliceEveryNs : kNever;
  if (next_id_ == 0) PublishMailboxes(now_ns);
}

void StatsPublisher::CountEndpoint(Endpoint& endpoint) {
  const size_t row = RowOf(endpoint.id());
  if (row == kNoRow) return;
  endpoint.swept = sweep_;
  MailboxStats& mailbox = rows_[row];
  ++mailbox.endpoints;
  mailbox.dispatched += endpoint.stats().dispatches;
  mailbox.overruns += endpoint.stats().overruns;
  MailboxQueue& held = endpoint.held();
  mailbox.waiting += held.size();
  if (held.empty()) return;
  const uint64_t stamp_ns = held.OldestStampNs();
  if (mailbox.oldest_ns == 0 || stamp_ns < mailbox.oldest_ns) mailbox.oldest_ns = stamp_ns;
}

void StatsPublisher::PublishMailboxes(uint64_t now_ns) {
  mailboxes_.Begin();
  mailboxes_.Put(now_ns);
  for (size_t row = 0; row < rows_used_; ++row) {
    MailboxStats& mailbox = rows_[row];
    const Kept& kept = kept_[row];
    mailbox.mailbox = row * shard_->state().shards + shard_->index();
    mailbox.dispatched += kept.dispatched;
    mailbox.overruns += kept.overruns;
    mailbox.refused = kept.refused;
    if (mailbox.endpoints + mailbox.dispatched + mailbox.refused != 0) mailboxes_.Put(mailbox);
  }
  mailboxes_.End();
}

size_t StatsPublisher::RowOf(ActorId id) {
  const FabricState& state = shard_->state();
  const uint32_t mailbox = state.routes.MailboxOfSlot(SlotTable::SlotOf(id));
  if (mailbox % state.shards != shard_->index()) return kNoRow;  // it is being handed over
  const size_t row = mailbox / state.shards;
  rows_used_ = std::max(rows_used_, row + 1);
  return row;
}

void StatsPublisher::CountRefusal(ActorId target) {
  if (const size_t row = RowOf(target); row != kNoRow) ++kept_[row].refused;
}

void StatsPublisher::NoteEnded(Endpoint& endpoint) {
  const size_t row = RowOf(endpoint.id());
  if (row == kNoRow) return;
  const HandlerStats& stats = endpoint.stats();
  kept_[row].dispatched += stats.dispatches;
  kept_[row].overruns += stats.overruns;
  // Not twice, where the sweep that is going on has counted it already. What it did since then is
  // missing from this sweep, modulo 2^64.
  const bool counted = slice_at_ns_ != kNever && endpoint.swept == sweep_ &&
                       shard_->state().routes.epoch() == sweep_epoch_;
  if (!counted) return;
  --rows_[row].endpoints;
  rows_[row].dispatched -= stats.dispatches;
  rows_[row].overruns -= stats.overruns;
}

}  // namespace bitactor::internal
