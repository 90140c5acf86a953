#include "bitactor/l2_mailbox/slot_table.h"

#include <algorithm>
#include <limits>
#include <queue>

#include "absl/strings/str_format.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor {
namespace {

uint64_t SlotHash(uint32_t slot, uint32_t mailbox) {
  return Mix64((static_cast<uint64_t>(mailbox) << 32 | slot) + 0x9E3779B97F4A7C15ull);
}

// Whether a/x > b/y, exactly.
bool ShareIsGreater(uint64_t a, uint64_t x, uint64_t b, uint64_t y) { return a * y > b * x; }

}  // namespace

SlotTable::SlotTable() : slots_(kSlots, kNobody), by_mailbox_(kMaxMailboxes) {}

uint32_t SlotTable::SlotsOf(uint32_t mailbox) const {
  return mailbox < kMaxMailboxes ? by_mailbox_[mailbox].slots : 0;
}

absl::Status SlotTable::Join(uint32_t mailbox, uint32_t weight) {
  if (mailbox >= kMaxMailboxes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "mailbox %d cannot join: mailboxes are numbered 0 to %d", mailbox, kMaxMailboxes - 1));
  }
  if (weight < 1 || weight > kMaxWeight) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "mailbox %d cannot join with weight %d: weights are 1 to %d", mailbox, weight, kMaxWeight));
  }
  if (by_mailbox_[mailbox].weight != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("mailbox %d is in the table already; let it leave first", mailbox));
  }
  by_mailbox_[mailbox] = {weight, 0};
  ++members_;
  if (members_ == 1) {
    std::fill(slots_.begin(), slots_.end(), static_cast<uint16_t>(mailbox));
    by_mailbox_[mailbox].slots = kSlots;
    return absl::OkStatus();
  }

  uint64_t all_weights = 0;
  for (const Member& member : by_mailbox_) all_weights += member.weight;
  const uint64_t quota = kSlots * weight / all_weights;

  // How many each donor gives: one at a time, from whoever has most for its weight.
  const auto gives_later = [this](uint32_t a, uint32_t b) {
    const Member& x = by_mailbox_[a];
    const Member& y = by_mailbox_[b];
    if (ShareIsGreater(y.slots, y.weight, x.slots, x.weight)) return true;
    if (ShareIsGreater(x.slots, x.weight, y.slots, y.weight)) return false;
    return a > b;
  };
  std::priority_queue<uint32_t, std::vector<uint32_t>, decltype(gives_later)> donors(gives_later);
  for (uint32_t other = 0; other < kMaxMailboxes; ++other) {
    if (other != mailbox && by_mailbox_[other].weight != 0) donors.push(other);
  }
  std::vector<uint32_t> gives(kMaxMailboxes);
  double greatest_part = 0;  // of its slots that a donor gives
  for (uint64_t taken = 0; taken < quota; ++taken) {
    const uint32_t donor = donors.top();
    donors.pop();
    ++gives[donor];
    --by_mailbox_[donor].slots;
    donors.push(donor);
    greatest_part =
        std::max(greatest_part, static_cast<double>(gives[donor]) /
                                    static_cast<double>(gives[donor] + by_mailbox_[donor].slots));
  }
  by_mailbox_[mailbox].slots = static_cast<uint32_t>(quota);

  // Which: those of the least hashes. Hashes are spread evenly, so that these are nearly always
  // below twice the part that is asked for, and the others need not be sorted.
  std::vector<Offer> offers;
  for (double part = 2 * greatest_part; !CollectOffers(mailbox, part, gives, offers);) part *= 2;
  std::sort(offers.begin(), offers.end());
  for (const Offer& offer : offers) {
    if (gives[offer.donor] == 0) continue;
    --gives[offer.donor];
    slots_[offer.slot] = static_cast<uint16_t>(mailbox);
  }
  return absl::OkStatus();
}

bool SlotTable::CollectOffers(uint32_t mailbox, double part, const std::vector<uint32_t>& gives,
                              std::vector<Offer>& offers) const {
  constexpr auto kAll = std::numeric_limits<uint64_t>::max();
  const uint64_t bound =
      part < 1 ? static_cast<uint64_t>(part * static_cast<double>(uint64_t{1} << 32)) << 32 : kAll;
  offers.clear();
  std::vector<uint32_t> found(kMaxMailboxes);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const uint64_t hash = SlotHash(slot, mailbox);
    if (hash > bound) continue;
    offers.push_back({hash, slot, slots_[slot]});
    ++found[slots_[slot]];
  }
  return std::equal(gives.begin(), gives.end(), found.begin(),
                    [](uint32_t wanted, uint32_t have) { return wanted <= have; });
}

absl::Status SlotTable::Leave(uint32_t mailbox) {
  if (mailbox >= kMaxMailboxes || by_mailbox_[mailbox].weight == 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("mailbox %d cannot leave: it is not in the table", mailbox));
  }
  if (members_ == 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "mailbox %d cannot leave: it is the last one, and its slots would have no owner", mailbox));
  }
  by_mailbox_[mailbox] = {};
  --members_;

  // The heir is whoever has least for its weight once it has one more.
  const auto inherits_later = [this](uint32_t a, uint32_t b) {
    const Member& x = by_mailbox_[a];
    const Member& y = by_mailbox_[b];
    if (ShareIsGreater(x.slots + 1, x.weight, y.slots + 1, y.weight)) return true;
    if (ShareIsGreater(y.slots + 1, y.weight, x.slots + 1, x.weight)) return false;
    return a > b;
  };
  std::priority_queue<uint32_t, std::vector<uint32_t>, decltype(inherits_later)> heirs(
      inherits_later);
  for (uint32_t other = 0; other < kMaxMailboxes; ++other) {
    if (by_mailbox_[other].weight != 0) heirs.push(other);
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (slots_[slot] != mailbox) continue;
    const uint32_t heir = heirs.top();
    heirs.pop();
    slots_[slot] = static_cast<uint16_t>(heir);
    ++by_mailbox_[heir].slots;
    heirs.push(heir);
  }
  return absl::OkStatus();
}

}  // namespace bitactor
