// The journal alone: a write-ahead log. Run it again and again: it remembers all that it was told,
// also when the power was lost after WaitDurable.
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

#include "bitactor/persistence/journal.h"

using namespace bitactor;

static int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

struct Order {
  char symbol[8];
  int64_t shares;
};

int main(int argc, char** argv) {
  absl::StatusOr<Journal> journal =
      Journal::Open(argc > 1 ? argv[1] : "orders.journal", {.durability = Durability::kGroup});
  if (!journal.ok()) return Fail(journal.status());  // "... is in use by pid 4711 since ..."
  std::printf("%s\n", journal->recovery().ToString().c_str());

  for (const Order& order : {Order{"AAPL", 100}, Order{"GOOG", -40}, Order{"AAPL", 20}}) {
    absl::StatusOr<Position> position = journal->Append(std::as_bytes(std::span(&order, 1)));
    if (!position.ok()) return Fail(position.status());
    if (absl::Status status = journal->WaitDurable(*position); !status.ok()) return Fail(status);
  }

  int64_t shares = 0;
  uint64_t orders = 0;
  History history = journal->Replay();
  for (const Record& record : history) {
    Order order;
    std::memcpy(&order, record.bytes().data(), sizeof(order));
    shares += order.shares;
    ++orders;
  }
  if (!history.status().ok()) return Fail(history.status());  // damage, not the end of the journal
  std::printf("%llu orders, %lld shares in all\n", static_cast<unsigned long long>(orders),
              static_cast<long long>(shares));
  return shares == static_cast<int64_t>(orders / 3 * 80) ? 0 : 1;
}
