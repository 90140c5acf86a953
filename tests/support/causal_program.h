// A random program over a whole fabric whose mailboxes and ports keep vector clocks.
#ifndef BITACTOR_TESTS_SUPPORT_CAUSAL_PROGRAM_H_
#define BITACTOR_TESTS_SUPPORT_CAUSAL_PROGRAM_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/causal_oracle.h"

namespace bitactor::test {

// Source and message id.
using MessageName = std::pair<ActorId, uint64_t>;
// By mailbox.
using HandledCounts = std::array<uint64_t, VectorClock::kParticipants>;

// One to four shards, lanes from two slots on, up to nine mailboxes (some served late, some suspended
// at times) and four ports that call, close and open again. Messages of four priorities.
//
// Threads: Step() and Close() of one port by one thread each; the rest by the one that made it.
class CausalProgram {
 public:
  // `clock`: with it the fabric has no threads. `files`: with them it journals below "run".
  CausalProgram(uint64_t seed, TickClock* clock, FileSystem* files = nullptr) : random_(seed) {
    FabricOptions options;
    options.shards = 1 + static_cast<uint32_t>(random_() % 4);
    options.mailboxes = 8;
    options.lane_slots = size_t{2} << random_() % 3;
    options.span_capacity = 1024;
    options.threads = clock == nullptr;
    options.clock = clock;
    if (clock != nullptr) options.start_time_ns = 1'000'000'000;
    if (files != nullptr) {
      journalled_ = clock != nullptr;
      options.journal_dir = "run";
      options.journal.files = files;
      options.journal.segment_bytes = 64 << 10;
      options.journal.prepare_ahead = false;
    }
    fabric_ = Fabric::Start(options).value();
    mailboxes_.resize(2 + random_() % 8);
    for (uint32_t i = 0; i < mailboxes_.size(); ++i) {
      Mailbox& mailbox = mailboxes_[i];
      mailbox.participant = i;
      mailbox.random.seed(random_());
      mailbox.name = "mailbox" + std::to_string(random_() % 1000) + "." + std::to_string(i);
      mailbox.address = fabric_->Intern(mailbox.name);
    }
    for (uint32_t i = 0; i < mailboxes_.size(); ++i) {
      if (i % 3 != 0) Serve(mailboxes_[i]);
    }
    outside_.resize(1 + random_() % 4);
    for (uint32_t i = 0; i < outside_.size(); ++i) {
      outside_[i].participant = static_cast<uint32_t>(mailboxes_.size()) + i;
      outside_[i].random.seed(random_());
    }
  }

  size_t ports() const { return outside_.size(); }
  Fabric& fabric() { return *fabric_; }

  // One act of one port.
  void Step(size_t index) {
    Outside& outside = outside_[index];
    std::mt19937_64& random = outside.random;
    if (!outside.port.ok() || random() % 64 == 0) {
      outside.port = Port();  // closes the one before
      outside.port = fabric_->OpenPort();
      ASSERT_TRUE(outside.port.ok());
    }
    const Address target = mailboxes_[random() % mailboxes_.size()].address;
    ++outside.clock.known[outside.participant];
    NoteSend(outside.participant, outside.clock, outside.handled_before);
    const Tagged tag{outside.clock, outside.participant, static_cast<uint32_t>(random() % 6)};
    const auto priority = static_cast<Priority>(random() % kPriorities);
    // Only a mailbox that is served from the beginning, and never suspended, answers.
    if (random() % 16 == 0 && mailboxes_[1].address == target) {
      const absl::StatusOr<Frame> answer =
          outside.port.Call(target, tag, 120'000'000'000, priority);
      if (answer.ok()) {
        const auto learned = Message(*answer).As<Tagged>();
        outside.clock.Learn(learned.clock);
        Learn(HandledBefore(learned), outside.handled_before);
        ++outside.answered;
        ++outside.sent;
        return;
      }
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable) << answer.status();
    } else {
      const SendResult result = outside.port.Post(target, tag, priority);
      if (random() % 4 == 0 || result != SendResult::kOk) outside.port.Flush();
      if (result == SendResult::kOk) {
        ++outside.sent;
        return;
      }
      EXPECT_EQ(result, SendResult::kFull);
    }
    --outside.clock.known[outside.participant];  // never sent
    ++outside.refused;
  }
  void Close(size_t index) { outside_[index].port = Port(); }

  // Serves one of the mailboxes whose messages wait until then. False when there is none.
  bool ServeNext() {
    for (Mailbox& mailbox : mailboxes_) {
      if (mailbox.served) continue;
      Serve(mailbox);
      return true;
    }
    return false;
  }

  // Suspends a mailbox or lets it run again. It is `random`'s choice which.
  void SuspendOrResume(uint64_t random) {
    Mailbox& mailbox = mailboxes_[random % mailboxes_.size()];
    if (!mailbox.served || &mailbox == &mailboxes_[1]) return;
    mailbox.suspended = !mailbox.suspended;
    EXPECT_TRUE(
        (mailbox.suspended ? fabric_->Suspend(mailbox.address) : fabric_->Resume(mailbox.address))
            .ok());
  }

  // REQUIRES: all served, all ports closed.
  void CheckAtRest() {
    for (Mailbox& mailbox : mailboxes_) EXPECT_TRUE(fabric_->Resume(mailbox.address).ok());
    fabric_->WaitIdle();
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_TRUE(fabric_->Stop().ok());
    uint64_t sent = 0;
    uint64_t refused = 0;
    uint64_t answered = 0;
    for (const Outside& outside : outside_) {
      sent += outside.sent;
      refused += outside.refused;
      answered += outside.answered;
    }
    uint64_t handled = 0;
    for (const Mailbox& mailbox : mailboxes_) {
      EXPECT_EQ(mailbox.violations, 0u) << mailbox.name << " was given an effect first";
      sent += mailbox.sent;
      handled += mailbox.handled;
      congested_ += mailbox.congested;
      overtaken_ += mailbox.witness.overtaken();
    }
    EXPECT_EQ(counters.sent, sent);
    EXPECT_EQ(counters.delivered, sent);
    EXPECT_EQ(handled, sent);
    EXPECT_EQ(counters.read_by_ports, answered);
    EXPECT_EQ(counters.refused[static_cast<size_t>(SendResult::kFull)], refused);
    EXPECT_EQ(counters.queued, 0u);
    handled_ = handled;
    refused_ = refused;
    answered_ = answered;
  }
  // After CheckAtRest(): that this was worth looking at.
  uint64_t handled() const { return handled_; }
  uint64_t refused() const { return refused_; }
  uint64_t answered() const { return answered_; }
  // By target, what it handled, in its order.
  std::map<ActorId, std::vector<MessageName>> handled_by_target() const {
    std::map<ActorId, std::vector<MessageName>> handled;
    for (const Mailbox& mailbox : mailboxes_) handled[mailbox.address.id] = mailbox.handled_names;
    return handled;
  }
  // What had been handled, to the knowledge of the sender, when this was sent: how many by each
  // mailbox, in the order of mailboxes(). REQUIRES: journalled.
  HandledCounts HandledBefore(const Tagged& tag) const {
    const auto found = handled_before_.find({tag.sender, tag.clock.known[tag.sender]});
    return found != handled_before_.end() ? found->second : HandledCounts{};
  }
  std::vector<ActorId> mailboxes() const {
    std::vector<ActorId> ids;
    for (const Mailbox& mailbox : mailboxes_) ids.push_back(mailbox.address.id);
    return ids;
  }
  uint64_t congested() const { return congested_; }
  uint64_t overtaken() const { return overtaken_; }

 private:
  struct Mailbox {
    std::string name;
    Address address;
    bool served = false;
    bool suspended = false;
    // Its shard's thread alone, until the fabric has stopped.
    uint32_t participant = 0;
    std::mt19937_64 random;
    VectorClock clock;
    CausalWitness witness;
    uint64_t handled = 0;
    std::vector<MessageName> handled_names;
    HandledCounts handled_before{};
    uint64_t sent = 0;
    uint64_t violations = 0;
    uint64_t congested = 0;
  };
  // Its thread alone.
  struct Outside {
    uint32_t participant = 0;
    Port port;
    std::mt19937_64 random;
    VectorClock clock;
    HandledCounts handled_before{};
    uint64_t sent = 0;
    uint64_t refused = 0;
    uint64_t answered = 0;
  };

  void Serve(Mailbox& mailbox) {
    mailbox.served = true;
    // Nothing is refused for want of room in a mailbox: a message that is not sent has no effects.
    fabric_->Serve(mailbox.name,
                   [this, &mailbox](const Message& m, Sender& out) { Handle(mailbox, m, out); },
                   {.capacity_frames = 1u << 20});
  }

  void Handle(Mailbox& mailbox, const Message& m, Sender& out) {
    const auto tag = m.As<Tagged>();
    ++mailbox.handled;
    mailbox.handled_names.push_back({m.source(), m.message_id()});
    mailbox.violations += !mailbox.witness.MayCome(tag, static_cast<size_t>(m.priority()));
    mailbox.clock.Learn(tag.clock);
    Learn(HandledBefore(tag), mailbox.handled_before);
    ++mailbox.handled_before[mailbox.participant];
    uint64_t& own = mailbox.clock.known[mailbox.participant];
    for (uint64_t n = tag.hops > 0 ? mailbox.random() % 3 : 0; n > 0; --n) {
      const Address to = mailboxes_[mailbox.random() % mailboxes_.size()].address;
      ++own;
      NoteSend(mailbox.participant, mailbox.clock, mailbox.handled_before);
      ++mailbox.sent;
      const auto priority = static_cast<Priority>(mailbox.random() % kPriorities);
      if (out.Send(to, Tagged{mailbox.clock, mailbox.participant, tag.hops - 1}, priority) !=
          SendResult::kOk) {
        ADD_FAILURE() << "a shard's send is held back, never refused";
      }
      mailbox.congested += fabric_->shard(fabric_->ShardOf(mailbox.address.id)).port().congested();
    }
    if (m.kind() == FrameKind::kCall) {
      ++own;
      NoteSend(mailbox.participant, mailbox.clock, mailbox.handled_before);
      out.Reply(Tagged{mailbox.clock, mailbox.participant, 0});
    }
  }

  static void Learn(const HandledCounts& from, HandledCounts& to) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = std::max(to[i], from[i]);
  }
  // Only where one thread does it all.
  void NoteSend(uint32_t sender, const VectorClock& clock, const HandledCounts& handled) {
    if (journalled_) handled_before_[{sender, clock.known[sender]}] = handled;
  }

  std::mt19937_64 random_;
  bool journalled_ = false;
  std::map<std::pair<uint32_t, uint64_t>, HandledCounts> handled_before_;  // by sender and its send
  std::vector<Mailbox> mailboxes_;  // of a size that does not change
  std::vector<Outside> outside_;
  uint64_t handled_ = 0;
  uint64_t refused_ = 0;
  uint64_t answered_ = 0;
  uint64_t congested_ = 0;
  uint64_t overtaken_ = 0;
  std::unique_ptr<Fabric> fabric_;  // stops first
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_CAUSAL_PROGRAM_H_
