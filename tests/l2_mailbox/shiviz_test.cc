// Recorded runs of real systems with their vector clocks, performed again through mailboxes: every
// observer sees them in causal order, whatever order they have on file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"

namespace bitactor {
namespace {

// The n-th event of a host has n at the host's place in its clock.
struct Event {
  uint32_t host = 0;
  std::vector<uint32_t> clock;  // by host
};
struct EventLog {
  std::vector<std::string> hosts;
  std::vector<Event> events;  // as on file
};

// Reads `{"a":1, "b" : 2}` at the beginning of `text`. Empty when it is anything else.
std::map<std::string, uint32_t> ParseClock(std::string_view text) {
  std::map<std::string, uint32_t> clock;
  size_t at = 0;
  const auto next = [&] {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() ? text[at] : '\0';
  };
  if (next() != '{') return {};
  do {
    ++at;
    if (next() != '"') return {};
    const size_t end = text.find('"', at + 1);
    if (end == std::string_view::npos) return {};
    const std::string host(text.substr(at + 1, end - at - 1));
    at = end + 1;
    if (next() != ':') return {};
    ++at;
    if (std::isdigit(static_cast<unsigned char>(next())) == 0) return {};
    uint32_t count = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
      count = count * 10 + static_cast<uint32_t>(text[at++] - '0');
    }
    clock[host] = count;
  } while (next() == ',');
  return next() == '}' ? clock : std::map<std::string, uint32_t>();
}

// A line is an event if it has a clock right behind the name of a host that is in it: `host {...}`,
// or `[some://path/host] {...}`. All other lines are text.
EventLog ParseLog(std::istream& file) {
  struct Line {
    std::string host;
    std::map<std::string, uint32_t> clock;
  };
  std::vector<Line> lines;
  std::map<std::string, uint32_t> index;
  for (std::string line; std::getline(file, line);) {
    for (size_t at = line.find(" {"); at != std::string::npos; at = line.find(" {", at + 1)) {
      std::string host = line.substr(0, at);
      if (!host.empty() && host.back() == ']') host.pop_back();
      host = host.substr(host.find_last_of(" /") + 1);
      std::map<std::string, uint32_t> clock = ParseClock(std::string_view(line).substr(at));
      if (!clock.contains(host)) continue;
      for (const auto& [name, count] : clock) index.try_emplace(name, index.size());
      lines.push_back({std::move(host), std::move(clock)});
      break;
    }
  }
  EventLog log;
  log.hosts.resize(index.size());
  for (const auto& [name, place] : index) log.hosts[place] = name;
  for (const Line& line : lines) {
    Event event{index[line.host], std::vector<uint32_t>(log.hosts.size())};
    for (const auto& [name, count] : line.clock) event.clock[index[name]] = count;
    log.events.push_back(std::move(event));
  }
  return log;
}

// Whoever sees events one by one, and whether each came after all that happened before it.
struct Observer {
  std::vector<uint32_t> seen;  // events, by host
  uint32_t early = 0;

  void See(const Event& event) {
    seen.resize(event.clock.size());
    for (uint32_t host = 0; host < seen.size(); ++host) {
      if (seen[host] < event.clock[host] - (host == event.host ? 1 : 0)) {
        ++early;
        break;
      }
    }
    seen[event.host] = std::max(seen[event.host], event.clock[event.host]);
  }
  size_t total() const {
    size_t sum = 0;
    for (const uint32_t count : seen) sum += count;
    return sum;
  }
};

uint32_t EarlyOnFile(const EventLog& log) {
  Observer reader;
  for (const Event& event : log.events) reader.See(event);
  return reader.early;
}

// The recorded messages: an event whose clock knows more of others than the one before it on its
// host has received from those whose knowledge is not in another's. Returns, by event, the hosts
// that it sends to.
std::vector<std::vector<uint32_t>> FindSends(const EventLog& log) {
  std::map<std::pair<uint32_t, uint32_t>, size_t> place;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const Event& event = log.events[i];
    const bool is_new = place.try_emplace({event.host, event.clock[event.host]}, i).second;
    EXPECT_TRUE(is_new) << "event " << i << " is on file twice";
  }
  std::vector<std::vector<uint32_t>> sends(log.events.size());
  for (const auto& [key, i] : place) {
    const Event& event = log.events[i];
    std::vector<uint32_t> before(log.hosts.size());
    if (key.second > 1) before = log.events[place.at({key.first, key.second - 1})].clock;
    std::vector<uint32_t> learnt = before;
    ++learnt[event.host];
    std::vector<size_t> causes;
    for (uint32_t host = 0; host < log.hosts.size(); ++host) {
      if (host == event.host || event.clock[host] <= before[host]) continue;
      causes.push_back(place.at({host, event.clock[host]}));
    }
    for (const size_t cause : causes) {
      const Event& sender = log.events[cause];
      const bool in_another = std::any_of(causes.begin(), causes.end(), [&](size_t other) {
        return other != cause && log.events[other].clock[sender.host] >= sender.clock[sender.host];
      });
      if (in_another) continue;
      sends[cause].push_back(event.host);
      for (uint32_t k = 0; k < learnt.size(); ++k) {
        learnt[k] = std::max(learnt[k], sender.clock[k]);
      }
    }
    EXPECT_EQ(learnt, event.clock) << "event " << i << " knows what nobody could have told it";
  }
  return sends;
}

struct Perform {  // an event of the receiver is due, as on file
  static constexpr std::string_view kTypeName = "test::Perform";
  uint32_t event;
};
struct Arrived {  // a recorded message, sent at this event
  static constexpr std::string_view kTypeName = "test::Arrived";
  uint32_t event;
};
struct Report {  // this event was performed
  static constexpr std::string_view kTypeName = "test::Report";
  uint32_t event;
};

// Every host is a mailbox. A port tells it which events are due, in the order of the file; it
// performs them when what they depend on has arrived, sends what was sent then, and reports to an
// observer on every shard.
class Performance {
 public:
  Performance(const EventLog& log, uint64_t seed)
      : log_(log), sends_(FindSends(log)), random_(seed), hosts_(log.hosts.size()) {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.shards = kShards;
    options.mailboxes = 8;
    options.lane_slots = 4;
    options.span_capacity = 1024;
    fabric_ = Fabric::Start(options).value();
    for (uint32_t host = 0; host < hosts_.size(); ++host) {
      hosts_[host].known.resize(hosts_.size());
      hosts_[host].address =
          fabric_->Serve("host:" + log.hosts[host],
                         [this, host](const Message& m, Sender& out) { Handle(host, m, out); });
    }
    for (int i = 0; observers_.size() < kShards; ++i) {
      const std::string name = "observer" + std::to_string(i);
      const Address address = fabric_->Intern(name);
      if (fabric_->ShardOf(address.id) != observers_.size()) continue;
      observer_addresses_.push_back(address);
      observers_.push_back(std::make_unique<Observer>());
      fabric_->Serve(name, [this, &observer = *observers_.back()](const Message& m, Sender&) {
        observer.See(log_.events[m.As<Report>().event]);
      });
    }
  }

  void Run() {
    {
      Port port = fabric_->OpenPort();
      for (uint32_t i = 0; i < log_.events.size(); ++i) {
        while (port.Post(hosts_[log_.events[i].host].address, Perform{i}) != SendResult::kOk) {
          port.Flush();
          PollOne();
        }
        if (random_() % 4 == 0) port.Flush();
        if (random_() % 2 == 0) PollOne();
      }
    }
    fabric_->WaitIdle();
  }

  void Check() {
    for (const auto& observer : observers_) {
      EXPECT_EQ(observer->early, 0u);
      EXPECT_EQ(observer->total(), log_.events.size());
    }
    for (const Host& host : hosts_) EXPECT_TRUE(host.due.empty());
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.delivered, counters.sent);
    EXPECT_EQ(counters.queued, 0u);
  }

 private:
  static constexpr uint32_t kShards = 3;

  struct Host {
    Address address;
    std::vector<uint32_t> known;       // events, by host
    std::map<uint32_t, uint32_t> due;  // by the host's own count: events told and not performed
  };

  void PollOne() {
    clock_.Advance(random_() % 50);
    fabric_->engine(static_cast<uint32_t>(random_() % kShards)).Poll();
  }

  void Handle(uint32_t index, const Message& m, Sender& out) {
    Host& host = hosts_[index];
    if (m.Is<Perform>()) {
      const uint32_t event = m.As<Perform>().event;
      host.due[log_.events[event].clock[index]] = event;
    } else {
      const Event& sender = log_.events[m.As<Arrived>().event];
      for (uint32_t k = 0; k < hosts_.size(); ++k) {
        if (k != index) host.known[k] = std::max(host.known[k], sender.clock[k]);
      }
    }
    while (!host.due.empty() && IsReady(index, host.due.begin()->second)) {
      const uint32_t event = host.due.begin()->second;
      host.due.erase(host.due.begin());
      ++host.known[index];
      // In any order: the fabric puts causes first.
      for (const Address observer : observer_addresses_) out.Send(observer, Report{event});
      for (const uint32_t to : sends_[event]) out.Send(hosts_[to].address, Arrived{event});
    }
  }
  bool IsReady(uint32_t index, uint32_t event) const {
    const std::vector<uint32_t>& needs = log_.events[event].clock;
    const std::vector<uint32_t>& known = hosts_[index].known;
    for (uint32_t k = 0; k < needs.size(); ++k) {
      if (known[k] < needs[k] - (k == index ? 1 : 0)) return false;
    }
    return true;
  }

  const EventLog& log_;
  const std::vector<std::vector<uint32_t>> sends_;
  std::mt19937_64 random_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::vector<Host> hosts_;
  std::vector<std::unique_ptr<Observer>> observers_;
  std::vector<Address> observer_addresses_;
  std::unique_ptr<Fabric> fabric_;
};

void PerformUnderManySchedules(const EventLog& log) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(10); ++round) {
    Performance performance(log, seed + static_cast<uint64_t>(round));
    performance.Run();
    performance.Check();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
  }
}

// In the two forms that the recorded logs have; not in causal order: bank hears of the order before
// shop has sent it, and till is told last.
constexpr char kSmallLog[] = R"(Text, and a {"brace": 1} of another's.
shop {"shop":1}
opened
bank {"bank":1}
bank {"bank":2, "shop":2, "till":2}
order paid {"shop":99}
[INFO] [akka://Market/user/shop] {"shop" : 2, "till" : 2} order sent
[INFO] [akka://Market/user/shop] {"bank" : 2, "shop" : 3, "till" : 2} receipt came
till {"till":1}
till {"shop":1, "till":2}
)";

EventLog SmallLog() {
  std::istringstream file(kSmallLog);
  return ParseLog(file);
}

TEST(ShivizTest, ReadsEventsAndNothingElse) {
  const EventLog log = SmallLog();
  EXPECT_EQ(log.hosts.size(), 3u);
  ASSERT_EQ(log.events.size(), 7u);
  EXPECT_EQ(EarlyOnFile(log), 3u);
  const std::vector<std::vector<uint32_t>> sends = FindSends(log);
  EXPECT_EQ(log.hosts[log.events[0].host], "shop");
  EXPECT_EQ(sends[0], std::vector<uint32_t>{log.events[6].host});  // to till
  EXPECT_EQ(sends[6], std::vector<uint32_t>{log.events[0].host});  // to shop
  EXPECT_TRUE(sends[1].empty());
}

TEST(ShivizTest, AnObserverNoticesWhatComesEarly) {
  const EventLog log = SmallLog();
  Observer observer;
  for (const size_t i : {0, 1, 5, 6, 3, 2, 4}) observer.See(log.events[i]);
  EXPECT_EQ(observer.early, 0u);
  EXPECT_EQ(observer.total(), 7u);
}

TEST(ShivizTest, ASmallRunComesOutCausal) { PerformUnderManySchedules(SmallLog()); }

struct Recorded {
  const char* name;
  size_t events;
  size_t hosts;
  uint32_t early;  // on file, before something that happened before
};

class RecordedLogTest : public ::testing::TestWithParam<Recorded> {};

TEST_P(RecordedLogTest, ComesOutCausalWithNothingLeftOver) {
  const std::string path = std::string(BITACTOR_SHARED_DATA "/shiviz/") + GetParam().name;
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << "no " << path << " here";
  const EventLog log = ParseLog(file);
  EXPECT_EQ(log.events.size(), GetParam().events);
  EXPECT_EQ(log.hosts.size(), GetParam().hosts);
  EXPECT_EQ(EarlyOnFile(log), GetParam().early);
  PerformUnderManySchedules(log);
}

INSTANTIATE_TEST_SUITE_P(Shiviz, RecordedLogTest,
                         ::testing::Values(Recorded{"reliable-broadcast.log", 116, 4, 0},
                                           Recorded{"simpledb.log", 509, 5, 336},
                                           Recorded{"voldemort-simple-threadnames.log", 863, 19,
                                                    0}),
                         [](const auto& log) {
                           const std::string name = log.param.name;
                           return name.substr(0, name.find_first_of("-."));
                         });

}  // namespace
}  // namespace bitactor
