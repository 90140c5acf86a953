#include "cli/live_view.h"

#include <cstdio>
#include <ctime>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pipeline/chain.h"

namespace bitactor::cli {
namespace {

uint64_t UnixNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

absl::StatusOr<HttpPlace> ParseHttpPlace(const std::string& text) {
  HttpPlace place;
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    place.address = text.substr(0, colon);
    if (place.address.size() > 2 && place.address.front() == '[' && place.address.back() == ']') {
      place.address = place.address.substr(1, place.address.size() - 2);
    }
  }
  const std::string digits = colon != std::string::npos ? text.substr(colon + 1) : text;
  uint32_t port = 0;
  if (!absl::SimpleAtoi(digits, &port) || port > 65535 || place.address.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--http ", text,
                     ": write [ADDRESS:]PORT, the port from 0 (any that is free) to 65535, as in "
                     "9464 or 0.0.0.0:9464"));
  }
  place.port = static_cast<uint16_t>(port);
  return place;
}

LiveView::LiveView(HttpPlace place, std::string stats_file, bool hold)
    : place_(std::move(place)),
      stats_file_(std::move(stats_file)),
      hold_(hold),
      registry_(UnixNs()) {}

absl::Status LiveView::Started(System& system) {
  observer_ = std::make_unique<observe::SystemObserver>(system, stats_file_, pipeline::TypeNameOf);
  if (absl::Status status = observer_->AddMetrics(registry_); !status.ok()) return status;
  ObserveOptions options;
  options.address = place_.address;
  options.port = place_.port;
  options.registry = &registry_;
  options.views = observer_->Views();
  options.checks = observer_->Checks();
  absl::StatusOr<std::unique_ptr<ObserveServer>> server = ObserveServer::Start(std::move(options));
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  std::fprintf(stderr, "bitactor: live at %s\n", server_->url().c_str());
  return absl::OkStatus();
}

void LiveView::Finished(bool whole) {
  if (hold_ && whole && server_ != nullptr) {
    const StopSignal stop;
    std::fprintf(stderr, "bitactor: the feed has ended; %s stays until Ctrl-C\n",
                 server_->url().c_str());
    while (stop.Wait(1'000'000'000)) {
    }
  }
  server_.reset();
}

}  // namespace bitactor::cli
