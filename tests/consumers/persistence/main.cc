// A program outside this repository that uses the installed persistence and links nothing else: it
// writes a journal, closes it, opens it again and finds what it wrote.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "bitactor/persistence/journal.h"

namespace {

int Fail(const std::string& what) {
  std::fprintf(stderr, "persistence consumer: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main() {
  char folder[] = "consumer-XXXXXX";
  if (mkdtemp(folder) == nullptr) return Fail("no temporary folder in the working directory");
  const std::string dir = std::string(folder) + "/orders.journal";
  const bitactor::JournalOptions options{.segment_bytes = 64 << 10};
  const std::string_view text = "buy 100";
  {
    auto journal = bitactor::Journal::Open(dir, options);
    if (!journal.ok()) return Fail(journal.status().ToString());
    auto position = journal->Append(std::as_bytes(std::span(text)));
    if (!position.ok()) return Fail(position.status().ToString());
    if (auto durable = journal->WaitDurable(*position); !durable.ok())
      return Fail(durable.ToString());
    if (bitactor::Journal::Open(dir, options).ok())
      return Fail("a journal in use was opened again");
    if (auto closed = journal->Close(); !closed.ok()) return Fail(closed.ToString());
  }
  auto journal = bitactor::Journal::Open(dir, options);
  if (!journal.ok()) return Fail(journal.status().ToString());
  if (!journal->recovery().closed_clean) return Fail("a closed journal was not found clean");
  auto history = journal->Replay();
  size_t records = 0;
  for (const bitactor::Record& record : history) {
    ++records;
    if (record.bytes().size() != text.size() ||
        std::memcmp(record.bytes().data(), text.data(), text.size()) != 0)
      return Fail("a record came back changed");
  }
  if (!history.status().ok()) return Fail(history.status().ToString());
  if (records != 1) return Fail(std::to_string(records) + " records came back, 1 was written");
  std::puts("persistence consumer: ok");
  return 0;
}
