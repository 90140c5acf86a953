// Payloads over 128 bytes: whole, checked, journalled, not copied, and never left behind.
#include "bitactor/l2_mailbox/block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/block_frame.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/persistence/journal_reader.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

struct Picture {
  static constexpr std::string_view kTypeName = "test::Picture";
};
struct Number {
  static constexpr std::string_view kTypeName = "test::BlockNumber";
  uint64_t value;
};

using Bytes = std::vector<std::byte>;

Bytes RandomBytes(std::mt19937_64& random, size_t size_bytes) {
  Bytes bytes(size_bytes);
  for (size_t at = 0; at < size_bytes; at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, std::min<size_t>(8, size_bytes - at));
  }
  return bytes;
}

// A fabric of two shards, driven by this thread, with a journal in memory. "store" keeps what comes.
class BlockTest : public ::testing::Test {
 protected:
  FabricOptions Options() {
    FabricOptions options;
    options.shards = 2;
    options.threads = false;
    options.journal_dir = "set";
    options.journal.files = &files_;
    options.journal.prepare_ahead = false;
    options.journal.segment_bytes = 1 << 20;
    options.span_capacity = 1024;
    return options;
  }
  void Start(const FabricOptions& options) {
    fabric_ = Fabric::Start(options).value();
    store_ = fabric_->Serve("store", [this](const Message& m, Sender&) {
      EXPECT_TRUE(m.IsBytes<Picture>());
      seen_.emplace_back(m.bytes().begin(), m.bytes().end());
      addresses_.push_back(m.bytes().data());
    });
    port_ = fabric_->OpenPort();
  }
  void Start() { Start(Options()); }
  void PollAll() {
    while (fabric_->Poll() != 0) {
    }
  }
  SharedBlock Sealed(std::span<const std::byte> bytes) {
    Block block = fabric_->NewBlock(bytes.size()).value();
    std::copy(bytes.begin(), bytes.end(), block.bytes().begin());
    return block.Seal();
  }
  // What SendBlock makes, for a lane that a fault is to be in.
  Frame FrameOf(const SharedBlock& block, uint64_t message_id) {
    Frame frame{};
    const internal::BlockNote note{.handle = block.handle(),
                                   .size_bytes = static_cast<uint32_t>(block.bytes().size()),
                                   .crc32c = block.crc32c(),
                                   .from_port = port_.core()->index()};
    frame.header.size_bytes = sizeof(note);
    frame.header.kind = FrameKind::kCast;
    frame.header.flags = kFlagBlock;
    frame.header.message_id = message_id;
    frame.header.stamp_ns = fabric_->state().NowNanos();
    frame.header.type = BytesTypeId<Picture>();
    frame.header.source = port_.core()->source();
    frame.header.target = static_cast<uint32_t>(store_.id);
    std::memcpy(frame.payload, &note, sizeof(note));
    Seal(frame);
    return frame;
  }
  static void FlipBit(Frame& frame, size_t bit) {
    reinterpret_cast<std::byte*>(&frame)[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  uint64_t DeadLetters(DeadLetterCause cause) {
    return fabric_->Counters().dead_letters[static_cast<size_t>(cause)];
  }
  // At rest: every message is accounted for, and no frame has a block any more.
  void ExpectNothingLeft(uint64_t kept_blocks = 0) {
    PollAll();
    EXPECT_TRUE(fabric_->Counters().AddUp());
    EXPECT_EQ(fabric_->Blocks().in_use, kept_blocks);
    EXPECT_EQ(fabric_->Blocks().lost, 0u);
  }
  // The payloads for `target` in all journals; ends the fabric.
  std::vector<Bytes> Journalled(Address target) {
    EXPECT_TRUE(fabric_->Stop().ok());
    std::vector<Bytes> found;
    const absl::Status status = ScanJournals(files_, "set", [&](const RecoveredFrame& recovered) {
      if (recovered.frame.header.target == static_cast<uint32_t>(target.id)) {
        found.emplace_back(recovered.bytes.begin(), recovered.bytes.end());
      }
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
    return found;
  }

  test::SimulatedFiles files_;
  std::unique_ptr<Fabric> fabric_;
  Address store_;
  Port port_;
  std::vector<Bytes> seen_;
  std::vector<const std::byte*> addresses_;
};

TEST_F(BlockTest, EverySizeArrivesWholeAsOneMessageAndOneRecord) {
  std::mt19937_64 random(test::Seed());
  FabricOptions options = Options();
  options.block_bytes = 64 << 20;
  Start(options);
  std::vector<Bytes> sent;
  for (const size_t size_bytes :
       {0, 1, 128, 129, 255, 256, 257, 4 << 10, 64 << 10, 1 << 20, 16 << 20}) {
    sent.push_back(RandomBytes(random, size_bytes));
    ASSERT_EQ(port_.SendBytes<Picture>(store_, sent.back()), SendResult::kOk) << size_bytes;
    PollAll();
  }
  EXPECT_EQ(seen_, sent);
  EXPECT_EQ(fabric_->Counters().delivered, sent.size());
  ExpectNothingLeft();
  EXPECT_EQ(Journalled(store_), sent);
}

TEST_F(BlockTest, AnswersThatNobodyReadGiveTheirBlocksBackWhenThePortCloses) {
  Start();
  const Address library = fabric_->Serve("library", [](const Message& m, Sender&) {
    internal::Envelope answer;
    answer.kind = FrameKind::kReply;
    answer.target = Address{m.source()};
    answer.correlation_id = m.message_id();
    internal::PortCore& core = internal::CurrentShard()->port();
    answer.source = core.id();
    answer.message_id = core.NextMessageId();
    EXPECT_EQ(core.SendAnyBytes(answer, Bytes(1000)), SendResult::kOk);
  });
  Port port = fabric_->OpenPort();
  const auto ask = [&](internal::PortCore& core, const internal::Envelope& envelope) {
    return core.Send(envelope, Number{1});
  };
  std::vector<uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(port.StartCall(library, TypeId<Number>(), 1'000'000'000, ask).value());
  }
  PollAll();
  EXPECT_TRUE(port.IsAnswered(ids[0]));  // all are kept
  port.AbandonCall(ids[1]);
  EXPECT_EQ(fabric_->Blocks().in_use, 2u);
  EXPECT_EQ(port.FinishCall(ids[2], 0)->bytes().size(), 1000u);
  EXPECT_TRUE(port.StartCall(library, TypeId<Number>(), 1'000'000'000, ask).ok());
  PollAll();
  EXPECT_EQ(fabric_->Blocks().in_use, 2u);
  port = Port();
  ExpectNothingLeft();
}

TEST_F(BlockTest, OneByteMoreThanABlockIsRefusedWithWhatIsPossible) {
  Start();
  const Bytes bytes((16 << 20) + 1);
  EXPECT_EQ(port_.SendBytes<Picture>(store_, bytes), SendResult::kTooLong);
  EXPECT_EQ(port_.refused(SendResult::kTooLong), 1u);
  EXPECT_EQ(port_.NewBlock(bytes.size()).status().message(),
            "a block of 16777217 bytes; 1 to 16777216 are possible: split it");
  ExpectNothingLeft();
}

TEST_F(BlockTest, RandomSizesAreReadAgainFromTheJournal) {
  std::mt19937_64 random(test::Seed());
  Start();
  std::vector<Bytes> sent;
  for (int i = 0; i < test::Rounds(100); ++i) {
    sent.push_back(RandomBytes(random, random() % (size_t{1} << (random() % 18))));
    ASSERT_EQ(port_.SendBytes<Picture>(store_, sent.back()), SendResult::kOk);
    if (random() % 4 == 0) PollAll();
  }
  ExpectNothingLeft();
  EXPECT_EQ(seen_, sent);
  EXPECT_EQ(Journalled(store_), sent);
}

TEST_F(BlockTest, TheReceiverReadsTheSendersBytesThemselves) {
  Start();
  const SharedBlock block = Sealed(Bytes(5000, std::byte{3}));
  ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
  ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk) << "to as many as you like";
  PollAll();
  EXPECT_EQ(addresses_, std::vector<const std::byte*>(2, block.bytes().data()));
  ExpectNothingLeft(/*kept_blocks=*/1);
}

TEST_F(BlockTest, ForwardingSharesTheBlock) {
  Start();
  const Address stage = fabric_->Serve("stage", [this](const Message& m, Sender& out) {
    EXPECT_EQ(out.Forward(store_, m), SendResult::kOk);
  });
  const Bytes small(100, std::byte{1});
  const SharedBlock block = Sealed(Bytes(5000, std::byte{3}));
  ASSERT_EQ(port_.SendBlock<Picture>(stage, block), SendResult::kOk);
  ASSERT_EQ(port_.SendBytes<Picture>(stage, small), SendResult::kOk);
  PollAll();
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(addresses_[0], block.bytes().data());
  EXPECT_EQ(seen_[1], small);
  ExpectNothingLeft(/*kept_blocks=*/1);
}

TEST_F(BlockTest, AHandlerSendsBlocksOfItsOwn) {
  Start();
  const Address stage = fabric_->Serve("stage", [this](const Message& m, Sender& out) {
    Block block = out.NewBlock(m.As<Number>().value).value();
    std::fill(block.bytes().begin(), block.bytes().end(), std::byte{9});
    EXPECT_EQ(out.SendBlock<Picture>(store_, block.Seal()), SendResult::kOk);
    EXPECT_EQ(out.SendBytes<Picture>(store_, Bytes(200, std::byte{8})), SendResult::kOk);
  });
  ASSERT_EQ(port_.Send(stage, Number{1000}), SendResult::kOk);
  PollAll();
  EXPECT_EQ(seen_, (std::vector<Bytes>{Bytes(1000, std::byte{9}), Bytes(200, std::byte{8})}));
  ExpectNothingLeft();
}

TEST_F(BlockTest, AnAnswerHasNoBlock) {
  Start();
  const Address answering = fabric_->Serve("answering", [](const Message& m, Sender& out) {
    EXPECT_EQ(out.SendBytes<Picture>(Address{m.source()}, Bytes(129)), SendResult::kTooLong);
    out.Reply(Number{1});
  });
  EXPECT_TRUE(port_.Call(answering, Number{}, 1'000'000'000).ok());
  EXPECT_EQ(DeadLetters(DeadLetterCause::kOverflow), 1u);
  ExpectNothingLeft();
}

TEST_F(BlockTest, AMessageFromAJournalHasItsBytes) {
  Start();
  const Bytes sent(1000, std::byte{5});
  ASSERT_EQ(port_.SendBytes<Picture>(store_, sent), SendResult::kOk);
  PollAll();
  ASSERT_TRUE(fabric_->Stop().ok());
  size_t found = 0;
  ASSERT_TRUE(ScanJournals(files_, "set", [&](const RecoveredFrame& recovered) {
                if (!internal::HasBlock(recovered.frame.header)) return true;
                const Message message(recovered.frame, recovered.bytes);
                EXPECT_TRUE(message.IsBytes<Picture>());
                EXPECT_EQ(Bytes(message.bytes().begin(), message.bytes().end()), sent);
                EXPECT_FALSE(message.block().ok());
                ++found;
                return true;
              }).ok());
  EXPECT_EQ(found, 1u);
}

TEST_F(BlockTest, AKeptBlockStaysWhatItIs) {
  Start();
  SharedBlock kept;
  const Address keeper =
      fabric_->Serve("keeper", [&kept](const Message& m, Sender&) { kept = m.block(); });
  const Bytes first(1000, std::byte{1});
  ASSERT_EQ(port_.SendBytes<Picture>(keeper, first), SendResult::kOk);
  PollAll();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(port_.SendBytes<Picture>(store_, Bytes(1000, std::byte{2})), SendResult::kOk);
    PollAll();
  }
  EXPECT_TRUE(std::equal(kept.bytes().begin(), kept.bytes().end(), first.begin(), first.end()));
  ExpectNothingLeft(/*kept_blocks=*/1);
  kept = {};
  ExpectNothingLeft();
}

TEST_F(BlockTest, ABlockIsNoneOfTheTypedMessages) {
  Start();
  std::vector<bool> is_number;
  const Address reader = fabric_->Serve("reader", [&](const Message& m, Sender&) {
    is_number.push_back(m.Is<Number>() || m.Is<Picture>());
    m.As<Number>();
  });
  ASSERT_EQ(port_.SendBytes<Number>(reader, Bytes(200)), SendResult::kOk);
  ASSERT_EQ(port_.SendBytes<Number>(reader, Bytes(sizeof(Number))), SendResult::kOk);
  PollAll();
  EXPECT_EQ(is_number, std::vector<bool>(2, false));
  EXPECT_EQ(DeadLetters(DeadLetterCause::kUnhandled), 2u);
  ExpectNothingLeft();
}

TEST_F(BlockTest, AnExhaustedPoolRefusesAndGoesOnWhenReceiversLetGo) {
  FabricOptions options = Options();
  options.block_bytes = 64 << 10;
  Start(options);
  const Bytes bytes(16 << 10, std::byte{4});
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(port_.SendBytes<Picture>(store_, bytes), SendResult::kOk) << i;
  }
  EXPECT_EQ(port_.SendBytes<Picture>(store_, bytes), SendResult::kNoBlock);
  EXPECT_EQ(port_.SendBytes<Picture>(store_, Bytes(128 << 10)), SendResult::kTooLong);
  EXPECT_TRUE(absl::IsResourceExhausted(port_.NewBlock(129).status()));
  EXPECT_EQ(fabric_->Counters().refused[static_cast<size_t>(SendResult::kNoBlock)], 1u);
  EXPECT_EQ(fabric_->Blocks().refused, 2u);
  PollAll();
  EXPECT_EQ(port_.SendBytes<Picture>(store_, bytes), SendResult::kOk);
  ExpectNothingLeft();
  EXPECT_EQ(seen_.size(), 5u);
}

TEST_F(BlockTest, WhatAHandlerGetsNoBlockForIsADeadLetter) {
  FabricOptions options = Options();
  options.block_bytes = 64 << 10;
  Start(options);
  const Address stage = fabric_->Serve("stage", [this](const Message&, Sender& out) {
    EXPECT_EQ(out.SendBytes<Picture>(store_, Bytes(60 << 10)), SendResult::kOk);
    EXPECT_EQ(out.SendBytes<Picture>(store_, Bytes(200)), SendResult::kNoBlock);
    EXPECT_EQ(out.SendBytes<Picture>(store_, Bytes(100 << 10)), SendResult::kTooLong);
  });
  ASSERT_EQ(port_.Send(stage, Number{}), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_EQ(DeadLetters(DeadLetterCause::kOverflow), 2u);
  EXPECT_EQ(seen_.size(), 1u);
  ExpectNothingLeft();
}

TEST_F(BlockTest, WithoutAPoolOnlySmallOnesTravel) {
  FabricOptions options = Options();
  options.block_bytes = 0;
  Start(options);
  EXPECT_EQ(port_.SendBytes<Picture>(store_, Bytes(129)), SendResult::kTooLong);
  EXPECT_EQ(port_.SendBytes<Picture>(store_, Bytes(128)), SendResult::kOk);
  ExpectNothingLeft();
}

TEST_F(BlockTest, APoolOutOfRangeIsNamed) {
  FabricOptions options = Options();
  options.block_bytes = 1000;
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::block_bytes is 1000; allowed is 0, or 65536 to 68719476736");
}

TEST_F(BlockTest, EveryFlippedBitOfABlockIsDetected) {
  std::mt19937_64 random(test::Seed());
  FabricOptions options = Options();
  options.journal_dir.clear();
  Start(options);
  const SharedBlock block = Sealed(RandomBytes(random, 1000));
  auto* const bytes = const_cast<std::byte*>(block.bytes().data());
  for (size_t bit = 0; bit < 8000; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
    PollAll();
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_TRUE(seen_.empty());
  ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
  ExpectNothingLeft(/*kept_blocks=*/1);
  EXPECT_EQ(seen_.size(), 1u) << "whole again";
  const CorruptionReport report = fabric_->Corruption();
  EXPECT_EQ(report.quarantined, 8000u);
  ASSERT_EQ(report.ports.size(), 1u);
  EXPECT_EQ(report.ports[0].port, port_.core()->index()) << "who sent it";
  EXPECT_EQ(fabric_->Quarantined().back().fault, LaneFault::kBlock);
}

TEST_F(BlockTest, ADamagedBlockIsNotJournalled) {
  Start();
  const SharedBlock block = Sealed(Bytes(1000));
  const_cast<std::byte*>(block.bytes().data())[999] = std::byte{1};
  ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
  ExpectNothingLeft(/*kept_blocks=*/1);
  EXPECT_EQ(Journalled(store_), std::vector<Bytes>{});
}

// The frame itself is damaged, so that nothing in it can be trusted; the block ends all the same.
TEST_F(BlockTest, AFrameWithAnyWrongBitGivesItsBlockBack) {
  FabricOptions options = Options();
  options.journal_dir.clear();
  Start(options);
  constexpr size_t kBits = (sizeof(FrameHeader) + sizeof(internal::BlockNote)) * 8;
  for (size_t bit = 0; bit < kBits; ++bit) {
    SharedBlock block = Sealed(Bytes(300));
    Frame frame = FrameOf(block, port_.core()->NextMessageId());
    FlipBit(frame, bit);
    ASSERT_EQ(port_.core()->SendRaw(fabric_->ShardOf(store_.id), frame), SendResult::kOk);
    std::move(block).Release();  // to the frame
    PollAll();
    ASSERT_EQ(fabric_->Blocks().in_use, 0u) << "bit " << bit;
  }
  EXPECT_EQ(fabric_->Counters().quarantined, kBits);
  EXPECT_TRUE(seen_.empty());
  ExpectNothingLeft();
}

TEST_F(BlockTest, WithMoreWrongBitsItsBlockIsCountedAsLost) {
  Start();
  SharedBlock block = Sealed(Bytes(300));
  const SharedBlock other = Sealed(Bytes(300, std::byte{1}));
  Frame frame = FrameOf(block, port_.core()->NextMessageId());
  for (const size_t bit : {100, 200, 300}) FlipBit(frame, bit);
  ASSERT_EQ(port_.core()->SendRaw(fabric_->ShardOf(store_.id), frame), SendResult::kOk);
  std::move(block).Release();
  PollAll();
  EXPECT_EQ(fabric_->Blocks().lost, 1u);
  EXPECT_EQ(fabric_->Blocks().in_use, 2u) << "nobody else's was given back";
  EXPECT_EQ(other.bytes()[299], std::byte{1});
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(BlockTest, ADuplicateDoesNotEndAnothersReference) {
  Start();
  const SharedBlock block = Sealed(Bytes(300));
  ASSERT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
  const Frame copy = FrameOf(block, MakeMessageId(1, 1));  // the one that was sent
  ASSERT_EQ(port_.core()->SendRaw(fabric_->ShardOf(store_.id), copy), SendResult::kOk);
  PollAll();
  EXPECT_EQ(fabric_->Quarantined().at(0).fault, LaneFault::kOrder);
  EXPECT_EQ(seen_.size(), 1u);
  ExpectNothingLeft(/*kept_blocks=*/1);
}

TEST_F(BlockTest, DeadLettersKeepTheFrameAndNotTheBlock) {
  Start();
  const Bytes bytes(1000);
  const Address nobody{ActorId{12345}};
  Address stale = store_;
  stale.generation = 1;
  const Address thrower =
      fabric_->Serve("thrower", [](const Message&, Sender&) { throw std::runtime_error("no"); });
  ASSERT_EQ(port_.SendBytes<Picture>(nobody, bytes), SendResult::kOk);
  ASSERT_EQ(port_.SendBytes<Picture>(stale, bytes), SendResult::kOk);
  ASSERT_EQ(port_.SendBytes<Picture>(thrower, bytes), SendResult::kOk);
  ExpectNothingLeft();
  EXPECT_EQ(DeadLetters(DeadLetterCause::kNoTarget), 1u);
  EXPECT_EQ(DeadLetters(DeadLetterCause::kStaleTarget), 1u);
  EXPECT_EQ(DeadLetters(DeadLetterCause::kHandlerFailed), 1u);
  const std::vector<DeadLetter> letters = fabric_->dead_letters().Letters();
  ASSERT_EQ(letters.size(), 3u);
  for (const DeadLetter& letter : letters) {
    EXPECT_TRUE(internal::HasBlock(letter.frame.header));
    EXPECT_TRUE(Message(letter.frame).bytes().empty()) << "gone";
    EXPECT_FALSE(fabric_->state().blocks->Lives(internal::ReadBlockNote(letter.frame)->handle));
  }
}

TEST_F(BlockTest, TheDeadLetterCallbackStillSeesTheBlocksSize) {
  std::vector<uint32_t> sizes;
  FabricOptions options = Options();
  options.on_dead_letter = [&](internal::Shard& shard, DeadLetterCause, const Frame& frame) {
    const auto note = internal::ReadBlockNote(frame);
    if (note.has_value() && shard.state().blocks->Lives(note->handle)) {
      sizes.push_back(note->size_bytes);
    }
  };
  Start(options);
  ASSERT_EQ(port_.SendBytes<Picture>(Address{ActorId{12345}}, Bytes(777)), SendResult::kOk);
  ExpectNothingLeft();
  EXPECT_EQ(sizes, std::vector<uint32_t>{777});
}

TEST_F(BlockTest, WhatWaitsForAServerKeepsItsBlockUntilThen) {
  Start();
  const Address later = fabric_->Intern("later");
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(port_.SendBytes<Picture>(later, Bytes(1000, std::byte{5})), SendResult::kOk);
  }
  PollAll();
  EXPECT_EQ(fabric_->Blocks().in_use, 10u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
  size_t handled = 0;
  fabric_->Serve("later", [&](const Message& m, Sender&) {
    handled += m.bytes().size() == 1000 && m.bytes()[999] == std::byte{5};
  });
  ExpectNothingLeft();
  EXPECT_EQ(handled, 10u);
}

TEST_F(BlockTest, BlocksMoveWithTheirSlots) {
  Start();
  const Address later = fabric_->Intern("later");
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(port_.SendBytes<Picture>(later, Bytes(1000 + i)), SendResult::kOk);
  }
  PollAll();
  const uint32_t before = fabric_->ShardOf(later.id);
  for (uint32_t m = 0; fabric_->ShardOf(later.id) == before; ++m) {
    ASSERT_LT(m, 63u);
    ASSERT_TRUE(fabric_->RemoveMailbox(m).ok());
    ASSERT_EQ(port_.SendBytes<Picture>(store_, Bytes(2000)), SendResult::kOk);
  }
  std::vector<size_t> sizes;
  fabric_->Serve("later", [&](const Message& m, Sender&) { sizes.push_back(m.bytes().size()); });
  ExpectNothingLeft();
  ASSERT_EQ(sizes.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(sizes[i], 1000 + i);
}

TEST_F(BlockTest, AFullLaneLeavesTheBlockWithItsSender) {
  FabricOptions options = Options();
  options.lane_slots = 4;
  Start(options);
  const SharedBlock block = Sealed(Bytes(1000));
  SendResult result = SendResult::kOk;
  int sent = 0;
  while ((result = port_.SendBlock<Picture>(store_, block)) == SendResult::kOk) ++sent;
  EXPECT_EQ(result, SendResult::kFull);
  EXPECT_EQ(sent, 4);
  PollAll();
  EXPECT_EQ(port_.SendBlock<Picture>(store_, block), SendResult::kOk);
  ExpectNothingLeft(/*kept_blocks=*/1);
  EXPECT_EQ(seen_.size(), 5u);
}

TEST_F(BlockTest, WhatShardsHoldBackAndLoseEndsToo) {
  FabricOptions options = Options();
  options.shards = 2;
  options.lane_slots = 4;
  options.overflow_frames = 8;
  Start(options);
  const Address spread = fabric_->Serve("spread", [this](const Message& m, Sender& out) {
    for (int i = 0; i < 40; ++i) out.Forward(store_, m);
  });
  ASSERT_EQ(port_.SendBytes<Picture>(spread, Bytes(500)), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_GT(DeadLetters(DeadLetterCause::kOverflow), 0u);
  EXPECT_EQ(seen_.size() + DeadLetters(DeadLetterCause::kOverflow), 40u);
  ExpectNothingLeft();
}

TEST_F(BlockTest, PortsThatCloseLeaveTheirBlocksOnTheirWay) {
  Start();
  for (int i = 0; i < 20; ++i) {
    Port port = fabric_->OpenPort();
    ASSERT_EQ(port.SendBytes<Picture>(store_, Bytes(1000)), SendResult::kOk);
  }
  ExpectNothingLeft();
  EXPECT_EQ(seen_.size(), 20u);
}

TEST_F(BlockTest, AStoppedFabricTakesWhatWasOnItsWayWithIt) {
  Start();
  ASSERT_EQ(port_.SendBytes<Picture>(store_, Bytes(1000)), SendResult::kOk);
  EXPECT_TRUE(fabric_->Stop().ok());
  EXPECT_EQ(fabric_->Blocks().in_use, 1u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(BlockTest, AClosedPortHasNoBlocks) {
  Port closed;
  EXPECT_EQ(closed.SendBytes<Picture>(Address{}, Bytes(1000)), SendResult::kClosed);
  EXPECT_TRUE(absl::IsFailedPrecondition(closed.NewBlock(1000).status()));
}

TEST_F(BlockTest, ANamedPortGoesOnAfterARestart) {
  const Bytes bytes(1000, std::byte{6});
  Start();
  {
    Port feed = fabric_->OpenPort({.name = "feed"});
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(feed.SendBytes<Picture>(store_, bytes), SendResult::kOk);
    }
    PollAll();
  }
  port_ = Port();
  EXPECT_TRUE(fabric_->Stop().ok());
  fabric_.reset();
  seen_.clear();
  size_t recovered_blocks = 0;
  FabricOptions options = Options();
  options.on_recovered = [&](const RecoveredFrame& recovered) {
    if (!internal::HasBlock(recovered.frame.header)) return;
    recovered_blocks +=
        std::equal(recovered.bytes.begin(), recovered.bytes.end(), bytes.begin(), bytes.end());
  };
  Start(options);
  EXPECT_EQ(recovered_blocks, 3u);
  Port feed = fabric_->OpenPort({.name = "feed"});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(feed.SendBytes<Picture>(store_, bytes),
              i < 3 ? SendResult::kAlreadyTaken : SendResult::kOk);
  }
  ExpectNothingLeft();
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(BlockTest, NoSpaceInTheJournalDeadLettersTheMessageAndEndsItsBlock) {
  FabricOptions options = Options();
  options.journal.segment_bytes = 64 << 10;
  Start(options);
  files_.FailAllocations(absl::ResourceExhaustedError("full"));
  for (int i = 0; i < 10; ++i) port_.SendBytes<Picture>(store_, Bytes(30'000));
  ExpectNothingLeft();
  EXPECT_GT(DeadLetters(DeadLetterCause::kJournalFull), 0u);
  EXPECT_LT(seen_.size(), 10u);
  EXPECT_FALSE(fabric_->Health().ok());
}

}  // namespace
}  // namespace bitactor
