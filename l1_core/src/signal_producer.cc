#include "bitactor/l1_core/signal_producer.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitactor {

PushResult SignalProducer::Push(const Signal& signal, SignalPriority priority) {
  if (!engine_->table_.Knows(signal.kind)) [[unlikely]]
    return engine_->PushUnknown();
  return engine_->WakeAfter(PlaceIn(priority).TryPush(signal));
}

BatchPushResult SignalProducer::PushBatch(std::span<const Signal> signals,
                                          SignalPriority priority) {
  return engine_->PushBatchTo(PlaceIn(priority), signals);
}

absl::StatusOr<SignalProducer> Engine::AddProducer() {
  if (inlet_ == nullptr) {
    return absl::FailedPreconditionError(
        "this engine has no room for producers beside the thread that calls Push(): declare them "
        "in EngineOptions::producers (1 to 1,024)");
  }
  auto normal = inlet_->At(SignalPriority::kNormal).AddProducer();
  if (!normal.ok()) return normal.status();
  auto raised = inlet_->At(SignalPriority::kRaised).AddProducer();
  if (!raised.ok()) return raised.status();
  auto high = inlet_->At(SignalPriority::kHigh).AddProducer();
  if (!high.ok()) return high.status();
  auto urgent = inlet_->At(SignalPriority::kUrgent).AddProducer();
  if (!urgent.ok()) return urgent.status();
  return SignalProducer(
      *this, {*std::move(normal), *std::move(raised), *std::move(high), *std::move(urgent)});
}

}  // namespace bitactor
