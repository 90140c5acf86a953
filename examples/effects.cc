// A shop that sends a mail for each order, over HTTP, and neither forgets one nor sends one as another when
// it is killed: `effects [DIR [PORT [ORDERS]]]`. Without PORT it has a server of its own.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l3_genactor/effect_port.h"
#include "bitactor/l3_genactor/system.h"
#include "tiny_http.h"

using namespace bitactor;

struct Mail {
  uint64_t order;
};
struct Order {
  uint64_t number;
};

class Shop : public Actor<Shop, Order> {
 public:
  explicit Shop(Ref<EffectKeeper<Mail>> mails) : mails_(mails) {}
  void On(const Order& order) {
    ++orders_;
    Cast(mails_, Mail{order.number});  // sent by nobody yet: that is the thread's
  }
  auto State() const { return std::tie(orders_); }

 private:
  Ref<EffectKeeper<Mail>> mails_;
  uint64_t orders_ = 0;
};

int main(int argc, char** argv) {
  const std::string dir = argc > 1 ? argv[1] : "shop";
  std::optional<tiny_http::Server> server;
  if (argc <= 2) server.emplace();
  const auto port = argc > 2 ? static_cast<uint16_t>(std::atoi(argv[2])) : server->port();
  const auto orders = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 10;

  auto system = System::Start({.shards = 2, .durable = dir, .snapshot_every = 200}).value();
  auto mails = EffectPort<Mail>::Open(*system, "mails").value();
  auto shop = system->Spawn<Shop>("shop", mails.ref());
  Port feed = system->fabric().OpenPort({.name = "orders"});  // in each run the same orders
  for (uint64_t i = 1; i <= orders; ++i) {
    feed.Send(shop.ref().address, Order{i}, {.timeout_ns = 5'000'000'000});
  }
  system->WaitIdle();

  uint64_t sent = 0;
  // [thread]
  while (true) {
    absl::StatusOr<Effect<Mail>> mail = mails.Next(absl::Milliseconds(1));
    if (!mail.ok()) break;  // a shop that stays open goes on
    const std::string body = absl::StrCat("your order ", mail->message.order, " is on its way");
    // If it does not arrive, the next run sends it again.
    if (!tiny_http::Post(port, mail->key.ToString(), body)) return 1;
    mails.Done(*mail);
    ++sent;
  }
  // [thread]
  if (!system->Stop().ok()) return 1;
  absl::PrintF("%d mails sent\n", sent);
}
