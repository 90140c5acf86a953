#include "bitactor/l2_mailbox/sampling.h"

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor::internal {
namespace {

// Written so that a ratio that is no number fails too.
bool IsRatio(double ratio) { return ratio >= 0.0 && ratio <= 1.0; }

absl::Status NoRatio(const std::string& option, double ratio) {
  return absl::InvalidArgumentError(
      absl::StrCat("FabricOptions::sampling.", option, " is ", ratio, "; allowed is 0 to 1"));
}

// Of 2^64 values, those below it are taken; the greatest takes all.
uint64_t ThresholdOf(double ratio) {
  return ratio >= 1.0 ? ~uint64_t{0} : static_cast<uint64_t>(ratio * 0x1p64);
}

}  // namespace

absl::Status Sampler::Validate(const Sampling& sampling) {
  if (!IsRatio(sampling.ratio)) return NoRatio("ratio", sampling.ratio);
  if (sampling.ratio_of_name.size() > kMaxNames) {
    return absl::InvalidArgumentError(absl::StrCat("FabricOptions::sampling.ratio_of_name has ",
                                                   sampling.ratio_of_name.size(),
                                                   " names; allowed are at most ", kMaxNames));
  }
  for (const auto& [name, ratio] : sampling.ratio_of_name) {
    if (!IsRatio(ratio)) return NoRatio(absl::StrCat("ratio_of_name[\"", name, "\"]"), ratio);
  }
  return absl::OkStatus();
}

void Sampler::Set(const Sampling& sampling) {
  threshold_ = ThresholdOf(sampling.ratio);
  takes_all_ = threshold_ == ~uint64_t{0} && sampling.ratio_of_name.empty();
  slow_ns_ = sampling.slow_ns != 0 ? sampling.slow_ns : ~uint64_t{0};
  names_ = sampling.ratio_of_name.size();
  of_name_ = std::make_unique<OfName[]>(names_);
  size_t i = 0;
  for (const auto& [name, ratio] : sampling.ratio_of_name) {
    of_name_[i].name = name;
    of_name_[i].threshold = ThresholdOf(ratio);
    ++i;
  }
}

void Sampler::NoteName(std::string_view name, uint32_t id) {
  for (size_t i = 0; i < names_; ++i) {
    // Relaxed: see OfName::id.
    if (of_name_[i].name == name) of_name_[i].id.store(id, std::memory_order_relaxed);
  }
}

bool Sampler::Takes(uint64_t trace, uint32_t target) const {
  uint64_t threshold = threshold_;
  for (size_t i = 0; i < names_; ++i) {
    // Relaxed: see OfName::id.
    if (of_name_[i].id.load(std::memory_order_relaxed) == target) {
      threshold = of_name_[i].threshold;
    }
  }
  return Mix64(trace) < threshold || threshold == ~uint64_t{0};
}

}  // namespace bitactor::internal
