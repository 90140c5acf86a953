// Which messages leave a span.
#ifndef BITACTOR_L2_MAILBOX_SAMPLING_H_
#define BITACTOR_L2_MAILBOX_SAMPLING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bitactor {

// Decided once for a trace, where it begins; all its messages carry the decision. Whatever it says,
// what failed, what was dead-lettered and what was slow leaves a span.
struct Sampling {
  // The share of the traces that begin here, 0 to 1. The same trace is decided alike everywhere. One
  // that came with a context (TraceScope) is recorded if that is sampled.
  double ratio = 1.0;
  // Instead of that, for traces that begin with a message to one of these names; at most 64.
  std::map<std::string, double> ratio_of_name = {};
  // From being sent to being handled; 0: however slow, it is no reason. Messages of mailboxes that
  // share a clock reading count to its beginning.
  uint64_t slow_ns = 1'000'000;
};

namespace internal {

// Threads: any; NoteName() may be called while others ask.
class Sampler {
 public:
  static constexpr size_t kMaxNames = 64;

  // kInvalidArgument names the option, the value and the allowed range.
  static absl::Status Validate(const Sampling& sampling);
  // Before others ask. REQUIRES: valid.
  void Set(const Sampling& sampling);

  // This name got an id.
  void NoteName(std::string_view name, uint32_t id);

  // Whether every trace that begins here is recorded.
  bool takes_all() const { return takes_all_; }
  bool Takes(uint64_t trace, uint32_t target) const;
  uint64_t slow_ns() const { return slow_ns_; }

 private:
  struct OfName {
    std::string name;
    uint64_t threshold = 0;
    // Relaxed: the id is all that is told; until it is seen, the general ratio decides.
    std::atomic<uint32_t> id{0};
  };

  bool takes_all_ = true;
  uint64_t threshold_ = ~uint64_t{0};
  uint64_t slow_ns_ = Sampling{}.slow_ns;
  size_t names_ = 0;
  std::unique_ptr<OfName[]> of_name_;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_SAMPLING_H_
